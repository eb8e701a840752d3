package identity_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/cadenas-gateway/cadenas/identity"
)

// alike is a backend that answers a right password and a wrong one with the
// same redirect and a new session, as Adminer does; only /account?of= tells.
func alike(g *gateway) {
	g.backend.answer = func(w http.ResponseWriter, r *http.Request) bool {
		sid := ""
		if c, err := r.Cookie("sid"); err == nil {
			sid = c.Value
		}
		g.backend.mu.Lock()
		user := g.backend.sessions[sid]
		g.backend.mu.Unlock()
		switch {
		case r.URL.Path == "/login" && r.Method == http.MethodPost:
			form, _ := url.ParseQuery(string(g.backend.last().body))
			name := form.Get("user")
			if passwords[name] != form.Get("pass") {
				name = ""
			}
			g.backend.setSession(w, g.backend.begin(name))
			w.Header().Set("Location", "/login?of="+url.QueryEscape(form.Get("user")))
			w.WriteHeader(http.StatusFound)
			return true
		case r.URL.Path == "/account" && (user == "" || r.URL.Query().Get("of") != user):
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	}
}

func pageGateway(t *testing.T) *gateway {
	cfg := config()
	cfg.Success = []identity.Success{{Kind: "page", Args: []string{"/account?of={user}"}}}
	g := newGateway(t, cfg)
	alike(g)
	return g
}

func TestAPageTellsARightPasswordWhereTheAnswerDoesNot(t *testing.T) {
	g := pageGateway(t)
	b := g.browser("laptop")
	b.allow("ann")
	b.get("/login")
	b.signIn("ann", "guessed")
	if g.attempt.Outcome != identity.OutcomeFailed {
		t.Fatalf("a wrong password: %+v", g.attempt)
	}
	if got := g.backend.last(); got.method != http.MethodGet || got.uri != "/account?of=ann" || len(got.body) != 0 {
		t.Errorf("the page was asked for with %s %s", got.method, got.uri)
	}
	if err := g.w.CanClose(); err != nil {
		t.Errorf("the padlock cannot close: %v", err)
	}
	b.signIn("ann", passwords["ann"])
	if g.attempt.Outcome != identity.OutcomeReleased || g.attempt.Person.User != "ann" {
		t.Fatalf("a right password: %+v", g.attempt)
	}
	status(t, "her page", b.get("/account?of=ann"), http.StatusOK)
}

func TestAPageIsAskedForWithTheNameEscaped(t *testing.T) {
	g := pageGateway(t)
	b := g.browser("laptop")
	b.signIn("ann&of=eve#/../x", "guessed")
	if got := g.backend.last().uri; got != "/account?of=ann%26of%3Deve%23%2F..%2Fx" {
		t.Errorf("asked for %s", got)
	}
	if g.attempt.Outcome != identity.OutcomeFailed {
		t.Errorf("%+v", g.attempt)
	}
}

func TestAPageShownSinceBeforeProvesNothing(t *testing.T) {
	cfg := config()
	cfg.Success = []identity.Success{{Kind: "page", Args: []string{"/home"}}}
	g := newGateway(t, cfg)
	g.backend.failing = "rotate" // a new session, of the one who was in before
	b := g.browser("laptop")
	b.allow("ann")
	b.allow("bob")
	b.signIn("ann", passwords["ann"])
	b.signIn("bob", "guessed")
	if g.attempt.Person.User == "bob" || g.attempt.Outcome == identity.OutcomeReleased {
		t.Errorf("a wrong password in ann's session made bob: %+v", g.attempt)
	}
}

func TestAPageRuleThatSaysNothingIsRefused(t *testing.T) {
	for _, args := range [][]string{nil, {"account"}, {"/a", "/b"}, {"/\x00"}} {
		cfg := config()
		cfg.Success = []identity.Success{{Kind: "page", Args: args}}
		if _, err := identity.NewWatcher(cfg, identity.Deps{}); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}
