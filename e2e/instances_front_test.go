package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// X10, X11: three instances behind a load balancer that gives each request to
// another one are one gate to a browser: who waits, who decides, what is
// counted and what is shown.
func TestInstances_WhicheverIsAskedTheyAreOneGate(t *testing.T) {
	redis := StartRedis(t)
	o := together(redis, "60s")
	front, each := StartFront(t, &Demo{}, o, 3)
	for _, g := range each {
		g.Console = front.Console
	}

	desk := OpenBrowser(t, View{})
	signIn(desk, front.Site, 1)
	desk.SeeText("Attendance register")
	desk.SeeText("Live")
	Eventually(t, func() error { return whether(front.knows("julie"), "Julie's connection is not recorded") })
	each[1].ClosePadlock()
	for range each {
		desk.Reload()
		desk.SeeText("Julie Tremblay")
		desk.SeeText("Live")
	}

	// The console hears of who waits, wherever its stream is.
	room := OpenBrowser(t, View{})
	room.Open(each[2].ConsoleLink("paul@example.com"))
	room.Go("form button")
	room.Open(front.Console.URL("/requests"))
	second := OpenBrowser(t, View{})
	signIn(second, front.Site, 1)
	second.See("[data-wait] svg.token")
	room.SeeText("julie")
	room.Shot("console")

	// One mail to each admin, although three could send it.
	link := linkTo(t, front, "paul@example.com", 0)
	front.Mail.Await(t, "the mail to Marie", To("marie@example.com"), 0)

	// Wrong numbers are counted across instances: three in all, then the right
	// one is too late, on any of them.
	number := Eval[string](second, `document.querySelector("svg.token text").textContent`)
	wrong := "10"
	if number == wrong {
		wrong = "11"
	}
	paul := NewClient(t)
	for range 3 {
		looked := paul.Visit(link)
		paul.press(looked, looked.sheet("").with("number", wrong).with("decision", "approve"))
	}
	for range each {
		if late := paul.Visit(link); strings.Contains(late.Text(), `name="number"`) && len(late.sheets()) > 0 {
			paul.press(late, late.sheet("").with("number", number).with("decision", "approve"))
		}
	}
	if n := len(each[1].Requests()); n != 1 {
		t.Errorf("after three wrong numbers the right one decided: %d wait", n)
	}

	// Decided on one, the page opens by itself on another.
	each[2].Approve("julie")
	decided := time.Now()
	second.SeeText("Attendance register")
	if took := time.Since(decided); took > 5*time.Second {
		t.Errorf("the page opened after %s", took)
	}
	for range each {
		second.Reload()
		second.SeeText("Julie Tremblay")
	}
	room.SeeText("Nobody waits")

	// A rule of one is a rule of all, and ends everywhere.
	each[1].Must("rules", "add", "--app", "attendance", "--user", "samuel", "--effect", "allow")
	samuel := NewClient(t)
	for range each {
		if got := front.App.SignIn(samuel, front.Site, "samuel", Accounts[2].Password); !front.App.Accepted(got) {
			t.Errorf("a rule lets him in, and he gets %d", got.Status)
		}
	}
	for _, g := range each {
		if !g.ruled()["samuel"] {
			t.Errorf("%s does not know the rule", g.Site)
		}
	}

	told := map[string]int{}
	for _, mail := range front.Mail.Mails() {
		if strings.Contains(mail.Subject, "is waiting to be let in") || strings.Contains(mail.Subject, "attend votre autorisation") {
			told[mail.To[0]]++
		}
	}
	if told["paul@example.com"] != 1 || told["marie@example.com"] != 1 {
		t.Errorf("notices: %v", told)
	}

	// Locked on one: all that is open ends, and nothing is let in.
	each[0].Must("user", "lock", "julie")
	Eventually(t, func() error {
		got := Eval[[]int](desk, `Promise.all([1, 2, 3].map(() => fetch("/api/me").then((r) => r.status)))`)
		return whether(!slices.Contains(got, http.StatusOK), "locked, and let in")
	})
	desk.Allow("403|/live|/events|/api/me")
	second.Allow("403|/live|/events|/api/me")
}

// B8, X10: the words that one instance gave are typed at another one.
func TestInstances_BiopassBegunOnOneEndsOnAnother(t *testing.T) {
	t.Parallel()
	owner, _ := twoTypists(t)
	redis := StartRedis(t)
	o := together(redis, "60s")
	biopass := asksBiopass("")
	o.NoMail, o.Site = biopass.NoMail, biopass.Site
	front, each := StartFront(t, &Demo{}, o, 3)
	desk := OpenBrowser(t, View{})
	signIn(desk, front.Site, 1)
	desk.SeeText("Julie Tremblay")
	Eventually(t, func() error { return whether(front.knows("julie"), "Julie's connection is not recorded") })
	each[1].ClosePadlock()
	Eventually(t, func() error {
		for _, g := range each {
			if !strings.Contains(strings.ToLower(g.Must("padlock", "--json")), `"closed": true`) {
				return whether(false, "the padlock is open on "+g.Site.String())
			}
		}
		return nil
	})
	desk.enrols(front, owner)

	other := OpenBrowser(t, View{})
	signIn(other, front.Site, 1)
	other.typing("words")
	if got := other.types(owner); got != "match" && got != "done" {
		t.Fatalf("the owner: %s", got)
	}
	other.Reload()
	other.SeeText("Attendance register")
	for range each {
		other.Reload()
		other.SeeText("Julie Tremblay")
	}
}
