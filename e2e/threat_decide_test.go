package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// linkTo is the link in the mail to an admin about a request that waits.
func linkTo(t *testing.T, g *Gate, admin string, skip int) string {
	t.Helper()
	mail := g.Mail.Await(t, "the mail to "+admin, func(m *Mail) bool { return m.To[0] == admin && m.Link(g.Console.Name) != "" }, skip)
	return mail.Link(g.Console.Name + g.Console.String()[strings.LastIndex(g.Console.String(), ":"):] + "/decide/")
}

// entries is the activity, the newest first.
func (g *Gate) entries() (all []struct {
	Who, What, Via, From, Subject string
	Detail                        map[string]string
},
) {
	g.t.Helper()
	if err := json.Unmarshal([]byte(g.Must("activity", "--json", "--limit", "200")), &all); err != nil {
		g.t.Fatal(err)
	}
	return all
}

// L10: scanners of mail look at links, and press what is on the page; some of
// them in a browser. Nothing they do decides.
func TestThreat_L10_LookingAtALinkAndPressingItsButtonsDecideNothing(t *testing.T) {
	t.Parallel()
	g := StartGate(t, &Demo{}, GateOptions{Site: "padlock closed"})
	_, page, first := g.wait("julie", Accounts[1].Password)
	link := linkTo(t, g, "paul@example.com", 0)
	still := func(what string) {
		t.Helper()
		if now := g.Requests(); len(now) != 1 || now[0].ID != first.ID {
			t.Fatalf("%s decided: %+v", what, now)
		}
	}

	for _, agent := range []string{
		"Mozilla/5.0 (compatible; SafeLinks)", "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "curl/8.5.0", "Go-http-client/2.0", "Barracuda Sentinel", ChromeLinux, "",
	} {
		scanner := NewClient(t)
		scanner.Header.Set("User-Agent", agent)
		for _, method := range []string{"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"} {
			for _, query := range []string{"", "?decision=approve", "?decision=approve&number=" + page.Number(), "?done", "?confirmed=1&decision=refuse", "?_method=POST&decision=approve"} {
				r := scanner.Request(method, link+query, nil)
				r.Header.Set("Purpose", "prefetch")
				r.Header.Set("X-HTTP-Method-Override", "POST")
				scanner.Do(r)
			}
		}
	}
	still("looking")

	// Every button of the page pressed, without what only a person knows.
	robot := NewClient(t)
	looked := robot.Visit(link).Expect(http.StatusOK)
	if strings.Contains(looked.Text(), ">"+page.Number()+"<") {
		t.Error("the page shows the number")
	}
	pressed := 0
	for _, s := range looked.sheets() {
		for _, button := range s.Buttons {
			robot.press(looked, s.with(button[0], button[1]))
			pressed++
		}
		robot.press(looked, s)
	}
	if pressed < 2 {
		t.Fatalf("%d buttons found: the test tests nothing", pressed)
	}
	still("a robot")

	// And by a browser that runs scripts.
	b := OpenBrowser(t, View{})
	b.Open(link)
	b.See("button[value=approve]")
	buttons := Eval[int](b, `document.querySelectorAll("button, input[type=submit], [role=button]").length`)
	for i := range buttons {
		b.Open(link)
		b.See("button[value=approve]")
		b.do("pressing a button", chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelectorAll("button, input[type=submit], [role=button]")[%d]?.click()`, i)))
		b.do("pressing enter", chromedp.KeyEvent("\r"))
	}
	still("a browser")

	// The person who knows the number decides; the link is then spent.
	paul := NewClient(t)
	sheet := func() sheet { return paul.Visit(link).sheet("") }
	looked = paul.Visit(link)
	if done := paul.press(looked, sheet().with("number", page.Number()).with("decision", "approve")); done.Status != http.StatusSeeOther {
		t.Fatalf("with the number: %d\n%.800s", done.Status, done.Body)
	}
	if n := len(g.Requests()); n != 0 {
		t.Errorf("%d wait after the decision", n)
	}
	again := paul.press(looked, looked.sheet("").with("number", page.Number()).with("decision", "refuse").with("confirmed", "1"))
	if again.Status == http.StatusSeeOther {
		t.Error("the link decided twice")
	}
	for _, e := range g.entries() {
		if e.What == "refuse" {
			t.Errorf("refused afterwards: %+v", e)
		}
	}

	// It is bound to that request: with the number of another it does nothing.
	skip := len(g.Mail.Mails())
	_, second, _ := g.wait("samuel", Accounts[2].Password)
	linkTo(t, g, "paul@example.com", skip)
	robot.press(looked, looked.sheet("").with("number", second.Number()).with("decision", "approve"))
	if n := len(g.Requests()); n != 1 {
		t.Errorf("after another request's link was used %d wait", n)
	}
}

// L24: nobody approves their own request from the device that waits, and the
// audit names who did approve.
func TestThreat_L24_NobodyLetsThemselfInWithoutTheChannelThePolicyNames(t *testing.T) {
	t.Parallel()
	g := StartGate(t, &Demo{}, GateOptions{Site: "padlock closed\nself off"})
	marie, page, request := g.wait("marie", Accounts[0].Password)
	others := linkTo(t, g, "paul@example.com", 0)
	for _, mail := range g.Mail.Mails() {
		if mail.To[0] == "marie@example.com" && mail.Link("/decide/") != "" {
			t.Error("her own request was mailed to her")
		}
	}

	for what, c := range map[string]*Client{"the waiting device": marie, "another device": NewClient(t)} {
		// Signed into the console there as well.
		g.enter(c, "marie@example.com")
		room := c.Visit(g.Console.URL("/requests")).Expect(http.StatusOK)
		for _, s := range room.sheets() {
			if strings.Contains(s.Action, "sign-out") {
				continue
			}
			c.press(room, s.with("number", page.Number()).with("decision", "approve").with("sure", "1"))
		}
		for _, token := range room.sheets() {
			s := sheetOf("/requests/attendance/"+request.ID, token.Fields.Get("token"))
			c.press(room, s.with("number", page.Number()).with("decision", "approve").with("sure", "1").with("version", "1").with("width", "connection"))
		}
		if len(g.Requests()) != 1 {
			t.Fatalf("she let herself in by the console on %s", what)
		}
	}

	// Paul's mail, opened by whoever has the number, says that Paul did it.
	paul := NewClient(t)
	looked := paul.Visit(others)
	if done := paul.press(looked, looked.sheet("").with("number", page.Number()).with("decision", "approve")); done.Status != http.StatusSeeOther {
		t.Fatalf("Paul: %d\n%.800s", done.Status, done.Body)
	}
	found := false
	for _, e := range g.entries() {
		if e.What == "approve" {
			found = true
			if e.Who != "paul@example.com" {
				t.Errorf("the audit says that %s approved", e.Who)
			}
		}
	}
	if !found {
		t.Errorf("the audit does not tell of the approval: %+v", g.entries())
	}
}

func sheetOf(action, token string) sheet { return sheet{Action: action}.with("token", token) }

// L24 and C9: an admin whom the policy lets do it uses their own mail, which
// is the second channel; the audit says so.
func TestThreat_L24_AnAdminsOwnMailIsTheSecondChannelWhereItIsNamed(t *testing.T) {
	t.Parallel()
	g := StartGate(t, &Demo{}, GateOptions{Site: "padlock closed\nself mail"})
	_, page, _ := g.wait("marie", Accounts[0].Password)
	own := linkTo(t, g, "marie@example.com", 0)
	elsewhere := NewClient(t)
	looked := elsewhere.Visit(own)
	if done := elsewhere.press(looked, looked.sheet("").with("number", "00").with("decision", "approve")); done.Status == http.StatusSeeOther && page.Number() != "00" {
		t.Error("with a wrong number")
	}
	looked = elsewhere.Visit(own)
	if done := elsewhere.press(looked, looked.sheet("").with("number", page.Number()).with("decision", "approve")); done.Status != http.StatusSeeOther {
		t.Fatalf("with the number: %d\n%.800s", done.Status, done.Body)
	}
	for _, e := range g.entries() {
		if e.What == "approve" && (e.Who != "marie@example.com" || e.Via == "") {
			t.Errorf("the audit says %+v", e)
		}
	}
}
