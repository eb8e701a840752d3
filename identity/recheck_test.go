package identity_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/identity"
)

// asking is a watcher whose whoami names users, over a backend with a door
// that is not watched.
func asking(t *testing.T, mode identity.Mode) (*gateway, *browser) {
	t.Helper()
	cfg := judgeable()
	cfg.Public = []string{"/magic?*"}
	cfg.Whoami = identity.Whoami{Path: "/me", JSON: "user.name"}
	g := newGateway(t, cfg)
	g.backend.doors = true
	g.mode = mode
	return g, signedIn(t, g)
}

// She who is in signs in as somebody else through a door that is not seen:
// the gate is asked about the other one, whoever sat there before.
func TestABoundUserWhoBecomesSomebodyElseIsNoticed(t *testing.T) {
	g, b := asking(t, identity.Closed)
	b.get("/magic?as=bob")
	if got := b.get("/home"); got.StatusCode != http.StatusForbidden {
		t.Fatalf("bob, who may not, reads %q", text(got))
	}
	if g.session.Person.User != "bob" {
		t.Errorf("the gate took them for %q", g.session.Person.User)
	}
	b.allow("bob")
	if got := text(b.get("/home")); got != "hello bob" {
		t.Errorf("allowed, bob reads %q", got)
	}
	if err := g.w.EndAll(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	if got := text(b.get("/home")); got != "hello bob" {
		t.Errorf("with ann's logins ended, bob reads %q", got)
	}
	if err := g.w.EndAll(t.Context(), "bob"); err != nil {
		t.Fatal(err)
	}
	if got := text(b.get("/home")); got == "hello bob" {
		t.Error("bob's session outlives its end")
	}
}

func TestWithThePadlockOpenTheOtherUserIsTheOneRecorded(t *testing.T) {
	g, b := asking(t, identity.Open)
	b.get("/magic?as=bob")
	if got := text(b.get("/home")); got != "hello bob" || g.session.Person.User != "bob" {
		t.Errorf("%q, taken for %q", got, g.session.Person.User)
	}
}

// A new value of the session is asked about at once, also within the minute
// after the last question.
func TestANewSessionValueIsAskedAboutAtOnce(t *testing.T) {
	g, b := asking(t, identity.Closed)
	b.post("/basket", url.Values{"item": {"1"}})
	b.get("/home") // asked
	g.backend.mu.Lock()
	for value, user := range g.backend.sessions {
		if user == "ann" {
			g.backend.sessions[value] = "bob"
		}
	}
	g.backend.mu.Unlock()
	b.get("/rotate")
	if got := b.get("/home"); got.StatusCode != http.StatusForbidden || g.session.Person.User != "bob" {
		t.Errorf("%d, taken for %q", got.StatusCode, g.session.Person.User)
	}
}

// What was sent without a new value is asked about a minute later at the
// latest, and not with every request.
func TestWhatWasSentIsAskedAboutOnceAMinute(t *testing.T) {
	g, b := asking(t, identity.Closed)
	asked := func() int {
		n := 0
		g.backend.mu.Lock()
		defer g.backend.mu.Unlock()
		for _, r := range g.backend.reached {
			if r.uri == "/me" {
				n++
			}
		}
		return n
	}
	before := asked()
	for range 10 {
		b.post("/basket", url.Values{"item": {"1"}})
		b.get("/home")
	}
	if n := asked() - before; n != 1 {
		t.Errorf("whoami was asked %d times", n)
	}
	g.clock = func() time.Time { return time.Now().Add(61 * time.Second) }
	b.get("/home")
	if n := asked() - before; n != 2 {
		t.Errorf("a minute later whoami was asked %d times", n)
	}
}

// Whoami is away after a new value: closed, nobody goes on by it.
func TestAWhoamiThatIsAwayIsNoAllowance(t *testing.T) {
	g, b := asking(t, identity.Closed)
	b.get("/rotate")
	g.backend.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/me" {
			return false
		}
		w.WriteHeader(http.StatusBadGateway)
		return true
	}
	if got := b.get("/home"); got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%d %q", got.StatusCode, text(got))
	}
	g.backend.answer = nil
	if got := text(b.get("/home")); got != "hello ann" {
		t.Errorf("once it is back: %q", got)
	}
}
