package e2e

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// GateOptions change the gate that StartGate starts; the zero value is a
// console, two admins and mail.
type GateOptions struct {
	// Name is the application's; empty means "attendance".
	Name string
	// Global, Cadenas and Site are further lines: of the global block, of
	// `cadenas` in it, of `cadenas` in the site.
	Global, Cadenas, Site string
	// NoConsole leaves the console out, so that waiting pages stand on the
	// application's own host.
	NoConsole bool
	// NoMail leaves notices to the log.
	NoMail bool
}

// Gate is an application behind Cadenas: a running Caddy, a mail server, a
// console on a host of its own.
//
// Marie Roy (marie@example.com, French, user marie) and Paul Martin
// (paul@example.com, English) are its admins. 127.0.0.1 and ::1 are the place
// "Office", 127.0.0.2 is "Laval centre"; other addresses have no name.
type Gate struct {
	*Caddy
	// Backend is the application's host:port.
	Backend       string
	App           App
	Name          string
	Site, Console Site
	Mail          *MailServer
}

// StartGate starts an application and the gate in front of it. Settings are
// those of StartCaddy.
func StartGate(t testing.TB, a App, o GateOptions, settings ...Setting) *Gate {
	t.Helper()
	site := NewSite(t, "app.localhost")
	g := &Gate{App: a, Name: o.Name, Site: site, Console: site.As("console.localhost")}
	if g.Name == "" {
		g.Name = "attendance"
	}
	if !o.NoMail {
		ca := NewAuthority(t)
		g.Mail = StartMail(t, ca)
		settings = append(settings, Trusting(ca))
	}
	g.Backend = a.Start(t)
	g.Caddy = StartCaddy(t, g.Text(o), settings...)
	return g
}

// Text is the Caddyfile that StartGate starts: another one for Reload comes
// from other options.
func (g *Gate) Text(o GateOptions) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("{\nauto_https off\ngrace_period 5s\n%s\ncadenas {", o.Global)
	if !o.NoConsole {
		line("console %s", g.Console)
	}
	line("admin %q marie@example.com {\nlanguage fr\nuser %s marie\n}", "Marie Roy", g.Name)
	line("admin %q paul@example.com {\nlanguage en\n}", "Paul Martin")
	line("place Office 127.0.0.1 ::1\nplace %q 127.0.0.2", "Laval centre")
	if g.Mail != nil {
		line("notify email %s {\nfrom gate@example.com\nusername %s\npassword %s\ntls required\n}", g.Mail.Addr, g.Mail.User, g.Mail.Password)
	}
	line("%s\n}\n}", o.Cadenas)
	line("%s {\ncadenas %s {\n%s%s\n}\nreverse_proxy %s\n}", g.Site, g.Name, g.App.Login(), o.Site, g.Backend)
	if !o.NoConsole {
		line("%s {\ncadenas_console\n}", g.Console)
	}
	return b.String()
}

// Must runs `caddy cadenas ...`, which must succeed, and returns what it
// printed.
func (g *Gate) Must(args ...string) string {
	g.t.Helper()
	r := g.Cadenas(args...)
	if r.Exit != 0 {
		g.t.Fatalf("caddy cadenas %s: exit %d\n%s%s", strings.Join(args, " "), r.Exit, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

// ClosePadlock closes the application's padlock, whomever it stops.
func (g *Gate) ClosePadlock() {
	g.t.Helper()
	g.Must("padlock", "close", g.Name, "--yes")
}

// OpenPadlock opens it.
func (g *Gate) OpenPadlock() {
	g.t.Helper()
	g.Must("padlock", "open", g.Name)
}

// Request is an access request, as far as stories ask.
type Request struct {
	ID, Reference string
	Person        struct{ User string }
	Device        struct{ Kind, Label string }
	Place         struct{ Name string }
	New           []string
}

// Requests are those that wait.
func (g *Gate) Requests() []Request {
	g.t.Helper()
	var all []Request
	if err := json.Unmarshal([]byte(g.Must("requests", "--json")), &all); err != nil {
		g.t.Fatalf("reading the requests: %v", err)
	}
	return all
}

// Approve lets a waiting user's only request through.
func (g *Gate) Approve(user string, args ...string) {
	g.t.Helper()
	for _, r := range g.Requests() {
		if r.Person.User == user {
			g.Must(append([]string{"approve", r.ID}, args...)...)
			return
		}
	}
	g.t.Fatalf("%s does not wait", user)
}

// ConsoleLink is a single-use link into the console.
func (g *Gate) ConsoleLink(admin string) string {
	g.t.Helper()
	for word := range strings.FieldsSeq(g.Must("console-link", "--admin", admin)) {
		if strings.HasPrefix(word, "http") {
			return word
		}
	}
	g.t.Fatal("no link was printed")
	return ""
}

var (
	tokenNumber = regexp.MustCompile(`<text[^>]*>(\d\d)</text></svg>`)
	openForm    = regexp.MustCompile(`(?s)<form[^>]*action="([^"]*)"[^>]*data-open>(.*?)</form>`)
	hidden      = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// Waiting is the waiting page that an answer of the gate leads to: it is the
// answer itself, or on the gate's own host.
func (c *Client) Waiting(a *Answer) *Answer {
	c.t.Helper()
	if _, to, ok := strings.Cut(a.Header.Get("Refresh"), "url="); ok && a.Status == http.StatusForbidden && !tokenNumber.Match(a.Body) {
		next, err := a.URL.Parse(to)
		if err != nil {
			c.t.Fatalf("the page leads to %q: %v", to, err)
		}
		a = c.Open(next.String())
	}
	return a
}

// Number is the two digits that a waiting page shows.
func (a *Answer) Number() string {
	a.t.Helper()
	found := tokenNumber.FindSubmatch(a.Body)
	if found == nil {
		a.t.Fatalf("%s shows no number (%d):\n%.3000s", a.URL, a.Status, a.Body)
	}
	return string(found[1])
}

// Release sends what the page of an approved request sends by itself: the
// ticket, to the login's own address. It returns what the login answers.
func (c *Client) Release(page *Answer) *Answer {
	c.t.Helper()
	form := openForm.FindSubmatch(page.Body)
	if form == nil {
		c.t.Fatalf("%s releases nothing (%d):\n%.3000s", page.URL, page.Status, page.Body)
	}
	action, err := page.URL.Parse(html.UnescapeString(string(form[1])))
	if err != nil {
		c.t.Fatal(err)
	}
	fields := url.Values{}
	for _, field := range hidden.FindAllSubmatch(form[2], -1) {
		fields.Add(html.UnescapeString(string(field[1])), html.UnescapeString(string(field[2])))
	}
	r := navigation(c.Request(http.MethodPost, action.String(), strings.NewReader(fields.Encode())), "same-site")
	if origin(page.URL) == origin(action) {
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", origin(page.URL))
	return c.Do(r)
}

// knows reports whether the gate has a connection of a user.
func (g *Gate) knows(user string) bool {
	g.t.Helper()
	var connections []struct{ User string }
	if err := json.Unmarshal([]byte(g.Must("connections", "--json", "--days", "0")), &connections); err != nil {
		g.t.Fatalf("reading the connections: %v", err)
	}
	return slices.ContainsFunc(connections, func(c struct{ User string }) bool { return c.User == user })
}
