package e2e

import (
	"strings"
	"testing"
)

// The waiting page without script: it reloads itself, and a button fetches
// what was held.
func TestWithoutScriptTheWaitingPageReloadsItself(t *testing.T) {
	t.Parallel()
	g, _ := known(t, &Demo{}, GateOptions{NoMail: true}, 1)
	b := OpenBrowser(t, View{Size: Phone, Language: "fr", NoScript: true})
	signIn(b, g.Site, 1)
	b.See("svg.token")
	b.Fits()
	b.Shot("waiting-noscript")
	g.Approve("julie")
	b.See("form[data-open] button")
	b.Shot("approved-noscript")
	b.Go("form[data-open] button")
	b.SeeText("Julie Tremblay")
	b.Reload()
	b.SeeText("Julie Tremblay")
}

// Refusing is as easy as authorising, and the outcome is told to the one who
// waits, with the approver's word.
func TestSomebodyIsRefusedFromTheMail(t *testing.T) {
	t.Parallel()
	g, _ := known(t, &Demo{}, GateOptions{}, 1)
	for _, view := range []View{{Size: Phone, Language: "fr", Dark: true}, {Size: Desk, Language: "en"}} {
		t.Run(view.Name(), func(t *testing.T) {
			to := map[string]string{"fr": "marie@example.com", "en": "paul@example.com"}[view.Language]
			account := map[string]int{"fr": 1, "en": 2}[view.Language]
			before := len(g.Mail.Mails())
			waiting := OpenBrowser(t, view)
			signIn(waiting, g.Site, account)
			waiting.See("svg.token")
			mail := g.Mail.Await(t, "the mail to "+to, func(m *Mail) bool {
				return m.To[0] == to && strings.Contains(m.HTML, `class="key"`)
			}, before)

			approver := OpenBrowser(t, view)
			approver.Open(mail.Link("console.localhost"))
			approver.Click("details:has(textarea[name=reply]) summary")
			approver.Type("textarea[name=reply]", "Come to the front desk, please.")
			approver.Click("input[name=confirmed]")
			approver.Go("button[value=refuse]")
			approver.See(".padlock.is-final")
			approver.Fits()
			approver.Shot("refused-decided")

			waiting.SeeText("Come to the front desk, please.")
			waiting.See(".padlock.is-final")
			waiting.Fits()
			waiting.Shot("refused")
			if n := len(g.Requests()); n != 0 {
				t.Errorf("%d still wait", n)
			}
			waiting.Open(g.Site.URL("/"))
			if strings.Contains(waiting.PageText(), Accounts[account].Name) {
				t.Error("the refused person is in")
			}
		})
	}
}

// A second admin who comes later sees who decided.
func TestASecondAdminSeesWhoDecided(t *testing.T) {
	t.Parallel()
	g, _ := known(t, &Demo{}, GateOptions{}, 1)
	stranger := NewClient(t)
	page := stranger.Waiting(g.App.SignIn(stranger, g.Site, "julie", Accounts[1].Password))
	first := g.Mail.Await(t, "Paul's mail", To("paul@example.com"), 0).Link("console.localhost")
	second := g.Mail.Await(t, "Marie's mail", To("marie@example.com"), 0).Link("console.localhost")

	paul := OpenBrowser(t, View{})
	paul.Open(first)
	paul.Type("input[name=number]", page.Number())
	paul.Go("button[value=approve]")
	paul.See(".padlock.is-open")

	marie := OpenBrowser(t, View{Language: "fr"})
	marie.Open(second)
	marie.SeeText("Paul Martin")
	marie.Fits()
	marie.Shot("already-decided")
	if marie.Has("button[value=approve]") {
		t.Error("a decided request can be decided again")
	}
	if who := g.App.Who(stranger, g.Site); who != "" {
		t.Errorf("before the release the application knows %q", who)
	}
}
