package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/examples/demo/app"
)

// coded is the demonstration with a second step of its own.
type coded struct{ Demo }

const phoneCode = "271828"

// Login has no page that names users: a page tells who is in.
func (*coded) Login() string {
	return "login /login {\nuser username\nsuccess page /api/me\nsecond /login/code\nlogout /logout\n}\n"
}

// SignIn types the password, and the code where it is asked for.
func (d *coded) SignIn(c *Client, site Site, user, password string) *Answer {
	answer := d.Demo.SignIn(c, site, user, password)
	if answer.Location() != "/login/code" {
		return answer
	}
	return d.code(c, site, phoneCode)
}

func (d *coded) code(c *Client, site Site, code string) *Answer {
	c.Open(site.URL("/login/code")).Expect(http.StatusOK)
	return c.Submit(site.URL("/login/code"), url.Values{"code": {code}})
}

// A second factor of the application's own: the password links nobody, opens
// no request and lets nobody in; the code does, as a login does.
func TestASecondFactorOfTheApplicationsOwnSignsIn(t *testing.T) {
	t.Parallel()
	a := &coded{Demo{Options: app.Options{Code: phoneCode}}}
	g := StartGate(t, a, GateOptions{NoMail: true})
	half := NewClient(t)
	if answer := a.Demo.SignIn(half, g.Site, "samuel", Accounts[2].Password); answer.Location() != "/login/code" {
		t.Fatalf("the password: %d %q", answer.Status, answer.Location())
	}
	if answer := a.code(half, g.Site, "000000"); a.Accepted(answer) {
		t.Fatalf("a wrong code: %d", answer.Status)
	}
	tellsApart(t, g, a)
	if g.knows("samuel") {
		t.Error("a password alone is recorded as a connection")
	}
	stranger := NewClient(t)
	a.Demo.SignIn(stranger, g.Site, "samuel", Accounts[2].Password)
	a.code(stranger, g.Site, "000000")
	if waiting := g.Requests(); len(waiting) != 1 {
		t.Errorf("a password alone opened a request: %d wait", len(waiting))
	}
	if who := a.Who(stranger, g.Site); who != "" {
		t.Errorf("in as %q with a password alone", who)
	}
	keptNowhere(t, g, phoneCode, Accounts[2].Password)
}

// reports is an application with basic authentication of its own and no form.
type reports struct{ lines string }

func (*reports) Name() string { return "reports" }

func (*reports) Start(t testing.TB) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		for _, account := range Accounts {
			if account.User == user && account.Password == password {
				_, _ = w.Write([]byte("reports of " + user + "."))
				return
			}
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="reports"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.Listener.Addr().String()
}

func (r *reports) Login() string         { return r.lines }
func (*reports) Accepted(a *Answer) bool { return a.Status == http.StatusOK }
func (*reports) Keep(*Client, *Answer)   {}
func (*reports) Path() string            { return "/" }

func (*reports) SignIn(c *Client, site Site, user, password string) *Answer {
	c.t.Helper()
	r := navigation(c.Request(http.MethodGet, site.URL("/"), nil), "none")
	r.SetBasicAuth(user, password)
	c.Basic = [2]string{user, password}
	return c.Do(r)
}

func (*reports) Who(c *Client, site Site) string {
	c.t.Helper()
	r := navigation(c.Request(http.MethodGet, site.URL("/"), nil), "none")
	if c.Basic[0] != "" {
		r.SetBasicAuth(c.Basic[0], c.Basic[1])
	}
	return between(c.Do(r).Text(), "reports of ", ".")
}

// There is no form to fill and no way to sign out; the lines that the lesson
// writes hold in the Caddyfile too.
func TestBasicAuthenticationOfAnApplicationIsTaught(t *testing.T) {
	t.Parallel()
	a := &reports{}
	g := StartGate(t, a, GateOptions{NoMail: true})
	link := g.lesson("teach", g.Name).Link
	link = g.Site.URL(link[strings.Index(link, "/.cadenas/"):])
	marie := NewClient(t)
	marie.Open(link).Expect(http.StatusOK)
	marie.Submit(link, nil).Expect(http.StatusSeeOther)
	marie.Open(g.Site.URL("/")).Expect(http.StatusUnauthorized)
	a.SignIn(marie, g.Site, "julie", mistyped).Expect(http.StatusUnauthorized)
	a.SignIn(marie, g.Site, "julie", Accounts[1].Password).Expect(http.StatusOK)
	found := g.lesson("lesson", g.Name)
	if found.Step != "found" || found.Lines != "login / {\n\tuser basic\n}\n" {
		t.Fatalf("found: %s\n%s", found.Step, found.Lines)
	}
	if tried := g.lesson("try", g.Name); tried.Step != "tried" || !tried.Passed {
		t.Fatalf("tried: %+v", tried)
	}
	g.Must("login", "keep", g.Name)
	tellsApart(t, g, a)
	keptNowhere(t, g, mistyped, Accounts[1].Password)

	configured := &reports{lines: found.Lines}
	tellsApart(t, StartGate(t, configured, GateOptions{NoMail: true}), configured)
}

// Two instances share a store, and a balancer in front sends each request to
// either: the lesson is one.
func TestALessonIsLedAcrossInstances(t *testing.T) {
	t.Parallel()
	demo := &Demo{}
	o := on(StartRedis(t).URL)
	one := StartGate(t, unknown{demo}, o)
	two := one.Twin(o)
	link := one.lesson("teach", one.Name).Link
	path := link[strings.Index(link, "/.cadenas/"):]
	marie := NewClient(t)
	marie.Open(two.Site.URL(path)).Expect(http.StatusOK)
	marie.Submit(two.Site.URL(path), nil).Expect(http.StatusSeeOther)
	// The other instance hears of it by the store.
	stands := func(step string) {
		t.Helper()
		for _, g := range []*Gate{one, two} {
			Eventually(t, func() error {
				return whether(g.lesson("lesson", g.Name).Step == step, g.Site.URL("")+" is not at "+step)
			})
		}
	}
	pair := func(wrong, right *Gate) {
		t.Helper()
		Eventually(t, func() error {
			demo.SignIn(marie, wrong.Site, "julie", mistyped)
			l := wrong.lesson("lesson", wrong.Name)
			return whether(l.Step == "right" || l.Step == "try_right", "the wrong sign-in was not seen")
		})
		if answer := demo.SignIn(marie, right.Site, "julie", Accounts[1].Password); !demo.Accepted(answer) {
			t.Fatalf("the right one: %d", answer.Status)
		}
	}
	pair(one, two)
	stands("leave")
	if who := demo.Who(marie, one.Site); who != "julie" {
		t.Fatalf("the session of one instance is %q on the other", who)
	}
	marie.Submit(two.Site.URL("/logout"), nil)
	stands("found")
	two.lesson("try", two.Name)
	pair(two, one)
	stands("tried")
	if l := two.lesson("lesson", two.Name); !l.Passed || !strings.Contains(l.Lines, "login /login") {
		t.Fatalf("tried: %+v\n%s", l, l.Lines)
	}
	two.Must("login", "keep", two.Name)
	Eventually(t, func() error {
		return whether(strings.Contains(one.Must("login", one.Name), "taught by"), "the other instance does not know it")
	})
	tellsApart(t, one, demo)
	if who := demo.Who(NewClient(t), two.Site); who != "" {
		t.Errorf("a stranger is %q on the other instance", who)
	}
}
