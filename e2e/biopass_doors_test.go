package e2e

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/cadenas-gateway/cadenas/examples/demo/app"
)

// told is an application that believes a header: somebody else signs people
// in. Its page says whom it sees, and which steps they passed.
type told struct{ Demo }

func (*told) Name() string  { return "an application behind a header" }
func (*told) Login() string { return "identity header X-Who\n" }

func (*told) Start(t testing.TB) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, `<!doctype html><html lang="en"><head><title>Payroll</title><link rel="icon" href="data:,"></head><body><h1>Payroll of %s</h1><p>%s</p></body></html>`,
			html.EscapeString(r.Header.Get("X-Who")), html.EscapeString(r.Header.Get("X-Factors")))
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.Listener.Addr().String()
}

// named sends a header with every request, as what signs people in before
// Caddy does.
func (b *Browser) named(user string) {
	b.t.Helper()
	b.do("naming "+user, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, network.Enable, network.EnableParams{}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, t, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"X-Who": user}})
		return err
	}))
}

// julieAndFatouAreKnown names both by header with the padlock open, closes it
// behind them, and returns their browser.
func julieAndFatouAreKnown(g *Gate) *Browser {
	g.t.Helper()
	desk := OpenBrowser(g.t, View{})
	for _, user := range []string{"julie", "fatou"} {
		desk.named(user)
		desk.Open(g.Site.URL("/"))
		desk.SeeText("Payroll of " + user)
		Eventually(g.t, func() error { return whether(g.knows(user), user+" is not recorded") })
	}
	g.ClosePadlock()
	return desk
}

// Where a header names people no sign-in is watched: enrolment stands before
// their first page that is let in, and four words before what is new.
func TestBiopassEnrolsWhomAHeaderNames(t *testing.T) {
	t.Parallel()
	owner, _ := twoTypists(t)
	g := StartGate(t, &told{}, asksBiopass("factors_header X-Factors\n"))
	desk := julieAndFatouAreKnown(g)

	// "Not now" leads on, and holds.
	desk.named("fatou")
	desk.Open(g.Site.URL("/month?of=may"))
	desk.See("form[action$='/skip'] button")
	desk.Fits()
	desk.Axe("offered")
	desk.Shot("offered")
	desk.Go("form[action$='/skip'] button")
	desk.SeeText("Payroll of fatou")
	if !strings.HasSuffix(desk.URL(), "/month?of=may") {
		t.Errorf("it leads to %s", desk.URL())
	}
	desk.Open(g.Site.URL("/"))
	desk.SeeText("Payroll of fatou")

	// What is no page is never stopped by an offer.
	desk.named("julie")
	if got := Eval[int](desk, `fetch("/data").then((r) => r.status)`); got != http.StatusOK {
		t.Errorf("a script is answered %d", got)
	}
	desk.Open(g.Site.URL("/"))
	desk.See("form[action$='/consent'] button")
	desk.Go("form[action$='/consent'] button")
	desk.typing("offered-enrol")
	for range 5 {
		desk.types(owner)
	}
	desk.Reload()
	desk.SeeText("Payroll of julie")
	desk.Open(g.Site.URL("/"))
	desk.SeeText("Payroll of julie")

	other := OpenBrowser(t, View{Language: "fr"})
	other.named("julie")
	other.Open(g.Site.URL("/"))
	other.typing("header-words")
	if got := other.types(owner); got != "done" {
		t.Fatal(got)
	}
	other.Reload()
	other.SeeText("Payroll of julie")
	other.SeeText("header biopass")
	if n := len(g.Requests()); n != 0 {
		t.Errorf("%d wait", n)
	}
}

// With `biopass always` a header's people confirm on each device, and again
// after a while: with prints by typing, after a no by an admin.
func TestBiopassAlwaysWhereAHeaderNamesPeople(t *testing.T) {
	t.Parallel()
	owner, _ := twoTypists(t)
	g := StartGate(t, &told{}, GateOptions{NoMail: true, Site: "biopass always every 8h\nfactors_header X-Factors\nunknown browser allow\nunknown device allow\nunknown combination allow\n"})
	desk := julieAndFatouAreKnown(g)

	desk.named("julie")
	desk.Allow("403")
	desk.Open(g.Site.URL("/month?of=may"))
	desk.See("form[action$='/consent'] button")
	if desk.Has("form[action$='/skip']") {
		t.Error("it can be put off")
	}
	desk.Go("form[action$='/consent'] button")
	desk.typing("always-enrol")
	for range 5 {
		desk.types(owner)
	}
	desk.Reload()
	desk.SeeText("Payroll of julie")
	if !strings.HasSuffix(desk.URL(), "/month?of=may") {
		t.Errorf("it leads to %s", desk.URL())
	}
	if got := Eval[int](desk, `fetch("/data").then((r) => r.status)`); got != http.StatusOK {
		t.Errorf("a script is answered %d afterwards", got)
	}

	// Nothing is new for the rules, and still: another device, another time. Its
	// scripts have to wait too.
	other := OpenBrowser(t, View{Language: "fr"})
	other.named("julie")
	other.Allow("403")
	other.Open(g.Site.URL("/.cadenas/biopass/prints"))
	other.SeeText("Connectez-vous")
	if got := Eval[int](other, `fetch("/data").then((r) => r.status)`); got != http.StatusForbidden {
		t.Errorf("a script is answered %d before the words", got)
	}
	other.Open(g.Site.URL("/"))
	other.typing("always-words")
	if got := other.types(owner); got != "done" {
		t.Fatal(got)
	}
	other.Reload()
	other.SeeText("Payroll of julie")
	other.SeeText("header biopass")

	// A no costs the shortcut: an admin is asked, and counts.
	desk.named("fatou")
	desk.Open(g.Site.URL("/"))
	desk.Go("form[action$='/decline'] button")
	desk.See("svg.token")
	g.Approve("fatou")
	desk.SeeText("Payroll of fatou")
	desk.SeeText("header approval")
}

// A login by script: the call is told where to go on, four words follow in the
// window, and the application opens, or is signed into once more where it
// hands out a token.
func TestBiopassAtEachSignInByScript(t *testing.T) {
	t.Parallel()
	owner, _ := twoTypists(t)
	for _, kind := range []app.Login{app.JSON, app.Token} {
		t.Run(string(kind), func(t *testing.T) {
			g := StartGate(t, &Demo{Options: app.Options{Login: kind}}, GateOptions{NoMail: true, Site: "biopass always\nfactors_header X-Factors\n"})
			desk := OpenBrowser(t, View{})
			desk.Allow("403|401")
			signIn(desk, g.Site, 1)
			desk.SeeText("Julie Tremblay")
			Eventually(t, func() error { return whether(g.knows("julie"), "Julie's connection is not recorded") })
			g.ClosePadlock()
			again := func() {
				desk.Open(g.Site.URL("/login"))
				if !desk.Has("#username") {
					desk.Open(g.Site.URL("/"))
				}
				desk.Type("#username", Accounts[1].User)
				desk.Type("#password", Accounts[1].Password)
				desk.Click("form[data-login] button")
			}
			onward := func() {
				if kind == app.JSON {
					// The tab was closed before it went on: any page leads back.
					desk.Open(g.Site.URL("/month"))
				} else {
					desk.Reload()
					desk.SeeText("Sign in once more: you will not have to type the words again.")
					desk.Shot("again-" + string(kind))
					desk.Go("a.btn-key")
					desk.See("form[data-login]")
					desk.Type("#username", Accounts[1].User)
					desk.Type("#password", Accounts[1].Password)
					desk.Click("form[data-login] button")
				}
				desk.SeeText("Julie Tremblay")
			}

			desk.signedOutByScript(g.Site)
			again()
			desk.See("[role=alert]:not([hidden])")
			desk.Shot("refused-" + string(kind))
			desk.Open(g.Site.URL("/"))
			desk.Go("form[action$='/consent'] button")
			desk.See("[data-bio] .word .rest")
			for range 5 {
				desk.types(owner)
			}
			onward()

			desk.signedOutByScript(g.Site)
			again()
			desk.See("[role=alert]:not([hidden])")
			desk.Open(g.Site.URL("/"))
			desk.typing("each-" + string(kind))
			if got := desk.types(owner); got != "done" {
				t.Fatal(got)
			}
			onward()
		})
	}
}

// signedOutByScript ends the session of the application's own, whatever holds
// it.
func (b *Browser) signedOutByScript(site Site) {
	b.t.Helper()
	b.Allow("/events|/live")
	Eval[int](b, `fetch("/logout", {method: "POST", headers: {Authorization: "Bearer " + sessionStorage.getItem("token")}}).then((r) => { sessionStorage.clear(); localStorage.clear(); return r.status })`)
}

// guarded is the demonstration with a policy of its own for its pages.
type guarded struct {
	Demo
	policy string
}

func (g *guarded) Start(t testing.TB) string {
	t.Helper()
	inner := app.New(g.Options)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(&policed{w, g.policy}, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.Listener.Addr().String()
}

// policed sets a policy before the headers go.
type policed struct {
	http.ResponseWriter
	policy string
}

func (p *policed) WriteHeader(status int) {
	p.Header().Set("Content-Security-Policy", p.policy)
	p.ResponseWriter.WriteHeader(status)
}

func (p *policed) Write(b []byte) (int, error) {
	p.Header().Set("Content-Security-Policy", p.policy)
	return p.ResponseWriter.Write(b)
}

// B1: the backend's own login page says that Biopass guards it, within the
// page's own policy; a page whose policy would not show it is left alone, and
// a real browser complains about neither.
func TestB1_TheLoginPageBearsTheMarkWithinItsOwnPolicy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, policy string
		language     string
		marked       bool
	}{
		{"its own host", "default-src 'self'", "en", true},
		{"pictures of its own host", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'", "fr", true},
		{"no pictures", "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'", "fr", false},
		{"pictures from elsewhere", "default-src 'self'; img-src https://cdn.example.com", "en", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := StartGate(t, &guarded{policy: c.policy}, GateOptions{NoMail: true, Site: "biopass optional\nbadge\n"})
			b := OpenBrowser(t, View{Language: c.language, Dark: c.language == "fr"})
			b.Allow("icon.svg|favicon") // the application's own, under its own policy
			b.Open(g.Site.URL("/login"))
			b.See("#username")
			b.Shot("badge-" + fileName(c.name))
			const mark = `document.querySelector("img[src*='/.cadenas/'][alt]")`
			if got := Eval[bool](b, mark+` !== null`); got != c.marked {
				t.Fatalf("marked: %v", got)
			}
			if !c.marked {
				return
			}
			b.Await("the picture", mark+`.complete && `+mark+`.naturalWidth > 0`)
			want := map[string]string{"en": "Biopass guards this sign-in", "fr": "Biopass protège cette connexion"}[c.language]
			if got := Eval[string](b, mark+`.alt`); got != want {
				t.Errorf("it says %q", got)
			}
			b.Axe("badge")
			signIn(b, g.Site, 1) // and the form works as before
			b.SeeText("Julie Tremblay")
		})
	}
}
