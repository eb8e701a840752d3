package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// C8, C9: an admin with a mobile number connects for the first time, gets a
// text and lets themself in with it; their later new connections are asked
// about by mail. In both languages.
func TestAnAdminLetsThemselfInByTextAndLaterByMail(t *testing.T) {
	t.Parallel()
	for _, view := range []View{{Size: Phone, Language: "fr"}, {Size: Desk}} {
		t.Run(view.Name(), func(t *testing.T) {
			ca := NewAuthority(t)
			mail, sms := StartMail(t, ca), StartTwilio(t, ca)
			language := view.Language
			if language == "" {
				language = "en"
			}
			const mobile = "+15145550100"
			g := StartGate(t, &Demo{}, GateOptions{NoMail: true, Cadenas: fmt.Sprintf(`admin "Julie Tremblay" julie@example.com %s {
				user attendance julie
				language %s
			}
			notify email %s {
				from gate@example.com
				username %s
				password %s
			}
			notify sms twilio %s %s +14385550111 {
				url %s
			}`, mobile, language, mail.Addr, mail.User, mail.Password, sms.SID, sms.Token, sms.URL)}, Trusting(ca))
			g.ClosePadlock()

			// The first time: a text, and its code on the waiting page.
			first := OpenBrowser(t, view)
			signIn(first, g.Site, 1)
			first.See("#self-code")
			first.SeeText("00") // the number's end, as its holder knows it
			first.Fits()
			first.Shot("code")
			text := sms.Await(t, mobile, 0)
			code := CodeOf(t, text)
			if strings.Contains(text, "julie") || strings.Contains(text, "Julie") || !strings.Contains(text, "attendance") {
				t.Errorf("the text: %q", text)
			}
			wrong := "000000"
			if wrong == code {
				wrong = "000001"
			}
			first.Type("#self-code", wrong)
			first.Go(`form[action$="/wait/code"] button`)
			first.See("#self-code-bad")
			first.Shot("code-wrong")
			first.Type("#self-code", code)
			first.Go(`form[action$="/wait/code"] button`)
			first.SeeText("Attendance register")
			if n := len(mail.Mails()); n != 0 {
				t.Errorf("%d mails about what the person did themself", n)
			}

			// Later: no text, a mail, and its page wants the number.
			second := OpenBrowser(t, View{Size: Tablet, Language: view.Language})
			signIn(second, g.Site, 1)
			second.See("[data-wait] svg.token")
			if second.Has("#self-code") {
				t.Error("a code is offered the second time")
			}
			number := Eval[string](second, `document.querySelector("svg.token text").textContent`)
			letter := mail.Await(t, "the mail to Julie", To("julie@example.com"), 0)
			subject := map[string]string{"en": "Is it you?", "fr": "Est-ce bien vous?"}[language]
			if !strings.HasPrefix(letter.Subject, subject) || strings.Contains(letter.Text, number+" ") {
				t.Errorf("%q", letter.Subject)
			}
			phone := OpenBrowser(t, View{Size: Phone, Language: view.Language})
			phone.ShowMail(letter)
			phone.Fits()
			phone.Shot("own-mail")
			phone.Open(letter.Link("console.localhost"))
			phone.See("input[name=number]")
			phone.Fits()
			phone.Type("input[name=number]", number)
			phone.Go("button[value=approve]")
			second.SeeText("Attendance register")
			if n := len(sms.Texts(mobile)); n != 1 {
				t.Errorf("%d texts", n)
			}

			// The operator sends a test over both.
			out := g.Must("notify", "test", "--admin", "julie@example.com")
			if strings.Count(out, "sent") < 2 {
				t.Errorf("%s", out)
			}
		})
	}
}

// A text whose number Twilio does not take: the mail comes at once and says
// why, and so does the command line.
func TestANumberThatTwilioRefusesIsMadeUpForByMail(t *testing.T) {
	t.Parallel()
	ca := NewAuthority(t)
	mail, sms := StartMail(t, ca), StartTwilio(t, ca)
	sms.Fail(21211)
	g := StartGate(t, &Demo{}, GateOptions{NoMail: true, Cadenas: fmt.Sprintf(`admin "Julie Tremblay" julie@example.com +15145550100 {
		user attendance julie
	}
	notify email %s {
		from gate@example.com
		username %s
		password %s
	}
	notify sms twilio %s %s +14385550111 {
		url %s
	}`, mail.Addr, mail.User, mail.Password, sms.SID, sms.Token, sms.URL)}, Trusting(ca))
	g.ClosePadlock()
	b := OpenBrowser(t, View{})
	signIn(b, g.Site, 1)
	b.See("#self-code")
	letter := mail.Await(t, "the mail to Julie", To("julie@example.com"), 0)
	if !strings.Contains(letter.Text, "21211") {
		t.Errorf("the mail does not say why it comes: %s", letter.Text)
	}
	if out := g.Must("notify"); !strings.Contains(out, "21211") || !strings.Contains(out, "failed") {
		t.Errorf("%s", out)
	}
}

// A text that Twilio took and could not bring: Twilio says so later, with its
// signature. The mail comes then, the console and the command line know; who
// signs with another token says nothing.
func TestATextThatNeverArrivesIsMadeUpForByMail(t *testing.T) {
	t.Parallel()
	const mobile = "+15145550100"
	ca := NewAuthority(t)
	mail, sms := StartMail(t, ca), StartTwilio(t, ca)
	site := NewSite(t, "app.localhost")
	g := &Gate{App: &Demo{}, Name: "attendance", Site: site, Console: site.As("console.localhost")}
	g.Backend = g.App.Start(t)
	text := g.Text(GateOptions{Cadenas: fmt.Sprintf(`admin "Julie Tremblay" julie@example.com %s {
		user attendance julie
	}
	notify email %s {
		from gate@example.com
		username %s
		password %s
	}
	notify sms twilio %s %s +14385550111 {
		url %s
		status %s
	}`, mobile, mail.Addr, mail.User, mail.Password, sms.SID, sms.Token, sms.URL, site.As("hooks.localhost"))})
	// A host for Twilio alone: the console need not be reached from outside.
	text += fmt.Sprintf("%s {\nhandle /.cadenas/notify/sms {\ncadenas_console\n}\nrespond 404\n}\n", site.As("hooks.localhost"))
	g.Caddy = StartCaddy(t, text, Trusting(ca))
	g.ClosePadlock()
	b := OpenBrowser(t, View{})
	signIn(b, g.Site, 1)
	b.See("#self-code")
	sms.Await(t, mobile, 0)
	if got := sms.Report(t, mobile, "undelivered", "30003", "another token"); got != 403 {
		t.Errorf("a report that somebody else signed: %d", got)
	}
	if got := sms.Report(t, mobile, "sent", "", ""); got != 204 {
		t.Errorf("on its way: %d", got)
	}
	if out := g.Must("notify"); strings.Contains(out, "30003") || len(mail.Mails()) != 0 {
		t.Fatalf("somebody else was believed: %s", out)
	}
	if got := sms.Report(t, mobile, "undelivered", "30003", ""); got != 204 {
		t.Errorf("it never arrives: %d", got)
	}
	letter := mail.Await(t, "the mail to Julie", To("julie@example.com"), 0)
	if !strings.Contains(letter.Text, "30003") || !strings.Contains(letter.Text, "the handset cannot be reached") {
		t.Errorf("the mail does not say why it comes: %s", letter.Text)
	}
	if out := g.Must("notify"); !strings.Contains(out, "30003") || !strings.Contains(out, "failed") {
		t.Errorf("%s", out)
	}
	console := OpenBrowser(t, View{})
	console.Open(g.ConsoleLink("marie@example.com"))
	console.Go("form button")
	console.Open(g.Console.URL("/messages"))
	console.SeeText("30003")

	// The next one arrives.
	b.Go(`form[action$="/wait/again"] button`)
	sms.Await(t, mobile, 1)
	if got := sms.Report(t, mobile, "delivered", "", ""); got != 204 {
		t.Errorf("it arrived: %d", got)
	}
	if out := g.Must("notify"); !strings.Contains(out, "arrived") {
		t.Errorf("%s", out)
	}
}
