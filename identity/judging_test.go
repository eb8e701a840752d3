package identity_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/identity"
)

// A probe is a request of its own, prepared by the hook.
func TestTrap_WhoamiIsARequestOfItsOwn(t *testing.T) {
	cfg := config()
	cfg.Whoami = identity.Whoami{Path: "/me?full=1", JSON: "user.name"}
	g := newGateway(t, cfg)
	type key struct{}
	var probed []*http.Request
	w, err := identity.NewWatcher(cfg, identity.Deps{
		Books: g.books, Ring: g.ringNow,
		Probe: func(probe, parent *http.Request, _ http.ResponseWriter) *http.Request {
			if parent.URL.Path != "/login" {
				t.Errorf("made for %s", parent.URL.Path)
			}
			probed = append(probed, probe)
			return probe.WithContext(context.WithValue(probe.Context(), key{}, true))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	g.w = w
	b := g.browser("laptop")
	b.allow("ann")
	b.jar["theme"], b.jar["remember"] = "dark", "me"
	b.get("/login")
	b.signIn("ann", passwords["ann"])
	if len(probed) != 1 {
		t.Fatalf("%d probes", len(probed))
	}
	p := probed[0]
	if p.Method != "GET" || p.RequestURI != "/me?full=1" || !strings.HasPrefix(p.Header.Get("Cookie"), "sid=") || strings.Contains(p.Header.Get("Cookie"), ";") {
		t.Errorf("probe %s %s, Cookie %q", p.Method, p.RequestURI, p.Header.Get("Cookie"))
	}
	if p.Header.Get("Content-Type") != "" || p.ContentLength != 0 {
		t.Error("it bears the login's body")
	}
}

// A session that whoami rotates joins the held answer.
func TestTrap_WhatAProbeSetsJoinsTheHeldAnswer(t *testing.T) {
	cfg := config()
	cfg.Whoami = identity.Whoami{Path: "/me", JSON: "user.name"}
	g := newGateway(t, cfg)
	g.backend.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/me" {
			return false
		}
		c, _ := r.Cookie("sid")
		user := g.backend.sessions[c.Value]
		delete(g.backend.sessions, c.Value)
		g.backend.setSession(w, g.backend.begin(user))
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"user":{"name":"`+user+`"}}`)
		return true
	}
	b := g.browser("laptop")
	b.get("/login")
	b.signIn("ann", passwords["ann"])
	b.allow("ann")
	b.release()
	if got := text(b.get("/home")); got != "hello ann" {
		t.Fatalf("home says %q", got)
	}
}

// The answer's own Location is never followed.
func TestTrap_TheAnswersLocationIsNotFollowed(t *testing.T) {
	g := newGateway(t, config())
	g.backend.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		g.backend.setSession(w, g.backend.begin("ann"))
		w.Header().Set("Location", "/transfer?to=eve")
		w.WriteHeader(http.StatusFound)
		return true
	}
	b := g.browser("laptop")
	b.get("/login")
	b.signIn("ann", passwords["ann"])
	for _, x := range g.backend.reached {
		if strings.Contains(x.uri, "transfer") {
			t.Fatal("it was followed")
		}
	}
}

func TestInconclusiveIsNotSignedIn(t *testing.T) {
	g := newGateway(t, config()) // nothing says what success is
	g.backend.rotates = false
	b := g.browser("laptop")
	b.allow("ann")
	b.get("/login")
	resp := b.signIn("ann", passwords["ann"])
	if g.attempt.Outcome != identity.OutcomeInconclusive || g.attempt.Written {
		t.Fatalf("attempt %+v", g.attempt)
	}
	if strings.Contains(text(resp), "ann") {
		t.Fatal("the answer went out")
	}
	for _, path := range []string{"/home", "/login"} {
		b.get(path)
		if g.backend.last().user != "" {
			t.Fatalf("%s: the session goes on", path)
		}
	}
}

func TestABackendThatFailsHasSignedInNobody(t *testing.T) {
	eachKind(t, func(t *testing.T, g *gateway) {
		b := g.browser("laptop")
		b.allow("ann")
		b.get("/login")
		g.backend.answer = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost {
				return false
			}
			for k := range g.backend.sessions {
				g.backend.sessions[k] = "ann"
			}
			g.backend.setSession(w, g.backend.begin("ann"))
			w.WriteHeader(500)
			io.WriteString(w, "broken")
			return true
		}
		resp := b.signIn("ann", passwords["ann"])
		status(t, "signing in", resp, 500)
		if g.attempt.Outcome != identity.OutcomeAborted || len(resp.Header.Values("Set-Cookie")) > 0 {
			t.Fatalf("attempt %+v, %v", g.attempt, resp.Header)
		}
		g.backend.answer = nil
		b.get("/login")
		if g.backend.last().user != "" {
			t.Fatal("the session goes on")
		}
	})
}

func TestTwoFactorsOfTheBackendsOwn(t *testing.T) {
	cfg := config()
	cfg.Whoami = identity.Whoami{Path: "/me", JSON: "user.name"}
	cfg.Public = []string{"/2fa*"}
	g := newGateway(t, cfg)
	pending := map[string]string{}
	g.backend.answer = func(w http.ResponseWriter, r *http.Request) bool {
		c, _ := r.Cookie("sid")
		switch {
		case r.URL.Path == "/login" && r.Method == http.MethodPost:
			id := g.backend.begin("")
			pending[id] = "ann"
			g.backend.setSession(w, id)
			w.Header().Set("Location", "/2fa")
			w.WriteHeader(http.StatusFound)
		case r.URL.Path == "/2fa" && r.Method == http.MethodPost:
			g.backend.sessions[c.Value] = pending[c.Value]
			w.Header().Set("Location", "/home")
			w.WriteHeader(http.StatusFound)
		default:
			return false
		}
		return true
	}
	b := g.browser("laptop")
	b.get("/login")
	b.signIn("ann", passwords["ann"])
	if g.attempt.Outcome != identity.OutcomeFailed {
		t.Fatalf("after the password alone: %+v", g.attempt)
	}
	if strings.Contains(text(b.get("/home")), "ann") {
		t.Fatal("in without the second factor")
	}
	status(t, "the second factor", b.post("/2fa", url.Values{"code": {"123456"}}), http.StatusFound)
	status(t, "unapproved", b.get("/home"), http.StatusForbidden)
	if g.session.Person.User != "ann" {
		t.Fatalf("session %+v", g.session)
	}
	b.allow("ann")
	if text(b.get("/home")) != "hello ann" {
		t.Fatal("not in")
	}
}

// Adminer answers a wrong password with the same 302; only the page behind it
// tells. There is no JSON that names the user.
func TestTrap_ABackendThatAnswersRightAndWrongAlike(t *testing.T) {
	cfg := config()
	cfg.Success = []identity.Success{{Kind: "page", Args: []string{"/db?username={user}"}}}
	g := newGateway(t, cfg)
	g.backend.answer = func(w http.ResponseWriter, r *http.Request) bool {
		c, _ := r.Cookie("sid")
		switch {
		case r.URL.Path == "/login" && r.Method == http.MethodPost:
			form, _ := url.ParseQuery(string(g.backend.last().body))
			id := g.backend.begin("")
			if passwords[form.Get("user")] == form.Get("pass") {
				id = g.backend.begin(form.Get("user"))
			}
			g.backend.setSession(w, id)
			w.Header().Set("Location", "/login?username=x")
			w.WriteHeader(http.StatusFound)
		case r.URL.Path == "/db":
			if u := g.backend.sessions[c.Value]; u == "" || u != r.URL.Query().Get("username") {
				w.WriteHeader(http.StatusForbidden)
			}
		default:
			return false
		}
		return true
	}
	b := g.browser("laptop")
	b.allow("ann")
	b.get("/login")
	b.signIn("ann", "wrong")
	if g.attempt.Outcome != identity.OutcomeFailed {
		t.Fatalf("a wrong password: %+v", g.attempt)
	}
	b.signIn("ann", passwords["ann"])
	if g.attempt.Outcome != identity.OutcomeReleased || text(b.get("/home")) != "hello ann" {
		t.Fatalf("the right one: %+v", g.attempt)
	}
	b.signIn("bob&username=ann", "wrong")
	if g.attempt.Outcome != identity.OutcomeFailed {
		t.Fatalf("a name that would change the path: %+v", g.attempt)
	}
}

func TestTheNameIsWhoamisSpelling(t *testing.T) {
	cfg := config()
	cfg.Whoami = identity.Whoami{Path: "/me", JSON: "user.name"}
	g := newGateway(t, cfg)
	g.backend.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/me" {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"user":{"name":"Ann.Smith"}}`)
		return true
	}
	b := g.browser("laptop")
	b.get("/login")
	b.signIn("ann", passwords["ann"])
	if g.attempt.Person.User != "Ann.Smith" {
		t.Fatalf("person %+v", g.attempt.Person)
	}
}
