package identity_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/identity"
)

func TestNobodyGetsNobodysRights(t *testing.T) {
	cfg := judgeable()
	cfg.Public = []string{"/open/*", "/ask?x=1"}
	g := newGateway(t, cfg)
	b := g.browser("laptop")
	b.get("/login")
	for _, c := range []struct {
		what, method, target string
		status               int
		session              bool
	}{
		{"the login's own page", "GET", "/login", 200, true},
		{"a public path", "GET", "/open/door", 200, true},
		{"a public path by POST", "POST", "/open/door", 200, true},
		{"a public path with its query", "GET", "/ask?x=1", 200, true},
		{"and with another", "GET", "/ask?x=2", 200, false},
		{"elsewhere GET goes bare", "GET", "/home", 200, false},
		{"and HEAD", "HEAD", "/home", 200, false},
		{"but no POST", "POST", "/home", 403, false},
		{"nor anything else", "DELETE", "/home", 403, false},
		{"a path that only looks public", "GET", "/open/../home", 200, false},
		{"or is public to some", "GET", "/open/%2e%2e/home", 200, false},
		{"or has parameters", "GET", "/open/x;y", 200, false},
		{"or a slash too many", "GET", "//open/door", 200, false},
	} {
		n := g.backend.count()
		r := b.request(c.method, "/", "", nil)
		r.URL, _ = url.Parse("http://shop.example" + c.target)
		r.RequestURI = c.target
		r.Header.Set("Cookie", r.Header.Get("Cookie")+"; remember=me")
		resp := b.do(r)
		status(t, c.what, resp, c.status)
		if c.status == 403 {
			if g.backend.count() != n {
				t.Errorf("%s: it reached the backend", c.what)
			}
			continue
		}
		if got := g.backend.last(); (got.session != "") != c.session || (!c.session && got.cookie != "") {
			t.Errorf("%s: the backend saw %q", c.what, got.cookie)
		}
	}
}

// A bare page must not take the session away in which a form is open.
func TestABareAnswerDoesNotReplaceTheSession(t *testing.T) {
	g := newGateway(t, judgeable())
	b := g.browser("laptop")
	b.get("/login")
	before := b.jar["sid"]
	b.get("/rotate")
	if b.jar["sid"] != before {
		t.Fatal("the session with the open form is lost")
	}
}

func TestADoorThatIsNotWatchedLeadsNowhere(t *testing.T) {
	for _, whoami := range []bool{false, true} {
		cfg := judgeable()
		cfg.Public = []string{"/magic?*"}
		if whoami {
			cfg.Whoami = identity.Whoami{Path: "/me", JSON: "user.name"}
		}
		g := newGateway(t, cfg)
		g.backend.doors = true
		b := g.browser("laptop")
		b.get("/login")
		b.get("/magic?as=ann") // signs the session in, unseen
		got := text(b.get("/home"))
		if strings.Contains(got, "ann") {
			t.Fatalf("whoami %v: home says %q", whoami, got)
		}
		if !whoami {
			continue
		}
		if g.session.Person.User != "ann" {
			t.Fatalf("whoami did not tell: %+v", g.session)
		}
		b.allow("ann")
		if got := text(b.get("/home")); got != "hello ann" {
			t.Fatalf("allowed, home says %q", got)
		}
	}
}

func TestWithThePadlockOpenEverythingPasses(t *testing.T) {
	eachKind(t, func(t *testing.T, g *gateway) {
		g.mode = identity.Open
		b := g.browser("laptop")
		b.get("/login")
		r := b.signIn("ann", passwords["ann"])
		status(t, "signing in", r, http.StatusFound)
		if g.attempt.Person.User != "ann" || g.attempt.Outcome != identity.OutcomeReleased {
			t.Fatalf("attempt %+v", g.attempt)
		}
		if text(b.get("/home")) != "hello ann" || g.session.Person.User != "ann" {
			t.Fatal("ann is not known")
		}
		// A session from before the gate.
		old := g.browser("phone")
		old.jar["sid"] = g.backend.begin("bob")
		if text(old.get("/home")) != "hello bob" {
			t.Fatal("the padlock is open and bob is out")
		}
		if c := g.backend.last().cookie; strings.Contains(c, "cadenas") || strings.Contains(c, "~") {
			t.Fatalf("the backend saw %q", c)
		}
		// Closing it: ann's login stands, bob's session is worth nothing.
		g.mode = identity.Closed
		b.allow("ann")
		old.allow("bob")
		if text(b.get("/home")) != "hello ann" {
			t.Fatal("ann is out")
		}
		if got := text(old.get("/home")); strings.Contains(got, "bob") {
			t.Fatalf("bob's old session: %q", got)
		}
	})
}

func TestSessionsFromBeforeTheGateAreAdoptedWhereWhoamiNamesThem(t *testing.T) {
	cfg := judgeable()
	cfg.Whoami = identity.Whoami{Path: "/me", JSON: "user.name"}
	g := newGateway(t, cfg)
	g.mode = identity.Open
	b := g.browser("laptop")
	b.jar["sid"] = g.backend.begin("ann")
	if text(b.get("/home")) != "hello ann" || g.session.Person.User != "ann" || !g.session.Login.Adopted {
		t.Fatalf("session %+v", g.session)
	}
	g.mode = identity.Closed
	if got := text(b.get("/home")); got == "hello ann" {
		t.Fatal("an adopted session came in unapproved")
	}
	b.allow("ann")
	if text(b.get("/home")) != "hello ann" {
		t.Fatal("approved and still out")
	}
	thief := g.browser("thief")
	thief.allow("ann")
	thief.jar["sid"] = b.jar["sid"]
	if got := text(thief.get("/home")); strings.Contains(got, "ann") {
		t.Fatalf("the thief: %q", got)
	}
}

func TestUnboundReloginRemovesOldSessions(t *testing.T) {
	cfg := judgeable()
	cfg.Unbound = "relogin"
	g := newGateway(t, cfg)
	g.mode = identity.Open
	b := g.browser("laptop")
	b.jar["sid"] = g.backend.begin("ann")
	if strings.Contains(text(b.get("/home")), "ann") {
		t.Fatal("the old session passed")
	}
	b.get("/login")
	b.signIn("ann", passwords["ann"])
	if text(b.get("/home")) != "hello ann" {
		t.Fatal("and the new one did not")
	}
}

func TestDrainTakesTheStampsOff(t *testing.T) {
	g := newGateway(t, judgeable())
	g.mode = identity.Open
	b := g.browser("laptop")
	b.get("/login")
	b.signIn("ann", passwords["ann"])
	g.mode = identity.Drain
	b.get("/home")
	if strings.Contains(b.jar["sid"], "~") {
		t.Fatalf("the stamp is still there: %q", b.jar["sid"])
	}
	r := httptest.NewRequest("GET", "/home", nil) // the gate is gone
	r.Header.Set("Cookie", "sid="+b.jar["sid"])
	rec := httptest.NewRecorder()
	g.backend.ServeHTTP(rec, r)
	if rec.Body.String() != "hello ann" {
		t.Fatal("ann was signed out by the draining")
	}
}
