package e2e

import (
	"strings"
	"testing"
	"time"
)

// signIn types into the demonstration's form and presses enter.
func signIn(b *Browser, site Site, account int) {
	b.t.Helper()
	b.Open(site.URL("/"))
	b.Type("#username", Accounts[account].User)
	b.Type("#password", Accounts[account].Password)
	b.Enter()
}

// The main job, in a person's own browser: an unchanged application behind
// the padlock. Julie has signed in on the desk; on another device she waits,
// an admin is mailed, looks, authorises, and she is in without signing in
// again.
func TestSomebodyIsLetInOnASecondBrowserAfterAnApprovalByMail(t *testing.T) {
	g := StartGate(t, &Demo{}, GateOptions{})

	// The padlock is open: she comes in, and is recorded.
	desk := OpenBrowser(t, View{})
	signIn(desk, g.Site, 1)
	desk.SeeText("Attendance register")
	desk.SeeText("Live")
	Eventually(t, func() error { return whether(g.knows("julie"), "Julie's connection is not recorded") })

	// It closes: what she has stays hers.
	g.ClosePadlock()
	desk.Reload()
	desk.SeeText("Julie Tremblay")
	desk.SeeText("Live")

	for _, view := range Views() {
		t.Run(view.Name(), func(t *testing.T) {
			to := "paul@example.com"
			if view.Language == "fr" {
				to = "marie@example.com"
			}
			before := len(g.Mail.Mails())

			second := OpenBrowser(t, view)
			signIn(second, g.Site, 1)
			second.See("[data-wait] svg.token")
			if second.Status() != 403 && second.Status() != 200 {
				t.Errorf("the waiting page has status %d", second.Status())
			}
			second.Fits()
			second.Shot("waiting")
			number := Eval[string](second, `document.querySelector("svg.token text").textContent`)

			// The mail: French to Marie, English to Paul.
			mail := g.Mail.Await(t, "the mail to "+to, func(m *Mail) bool {
				return m.To[0] == to && strings.Contains(m.HTML, `class="key"`)
			}, before)
			if strings.Contains(mail.Text+mail.HTML, ">"+number+"<") {
				t.Error("the mail shows the number (L10)")
			}
			link := mail.Link("console.localhost")
			if link == "" {
				t.Fatalf("the mail leads nowhere: %q", mail.Links())
			}

			approver := OpenBrowser(t, view)
			approver.ShowMail(mail)
			approver.Fits()
			approver.Shot("mail")

			// Looking changes nothing.
			approver.Open(link)
			approver.See("input[name=number]")
			approver.SeeText("Julie")
			approver.Fits()
			approver.Shot("decide")
			if n := len(g.Requests()); n != 1 {
				t.Fatalf("after a look %d wait", n)
			}

			// The number, and the page of the one who waits opens by itself.
			approver.Type("input[name=number]", number)
			approver.Go("button[value=approve]")
			decided := time.Now()
			second.SeeText("Attendance register")
			if took := time.Since(decided); took > 3*time.Second {
				t.Errorf("the page opened after %s", took)
			}
			second.SeeText("Julie Tremblay")
			second.SeeText("Live")
			approver.See(".padlock.is-open")
			approver.Shot("decided")

			second.Reload()
			second.SeeText("Julie Tremblay")
			if n := len(g.Requests()); n != 0 {
				t.Errorf("%d still wait", n)
			}
		})
	}
	desk.Reload()
	desk.SeeText("Julie Tremblay")
}
