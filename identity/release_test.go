package identity_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cadenas-gateway/cadenas/identity"
)

func TestAReleaseIsIdempotentForHalfAMinute(t *testing.T) {
	eachKind(t, func(t *testing.T, g *gateway) {
		synctest.Test(t, func(t *testing.T) {
			b := g.browser("laptop")
			b.get("/login")
			b.signIn("ann", passwords["ann"])
			held, ok, err := g.w.Held(t.Context(), "laptop")
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			b.allow("ann")
			ticket := url.Values{identity.TicketField: {held.Ticket}}
			status(t, "first", b.post(held.Action, ticket), http.StatusFound)
			status(t, "a double click", b.post(held.Action, ticket), http.StatusFound)
			thief := g.browser("thief")
			thief.allow("ann")
			status(t, "on another device", thief.post(held.Action, ticket), http.StatusBadRequest)
			time.Sleep(31 * time.Second)
			status(t, "later", b.post(held.Action, ticket), http.StatusGone)
			if text(b.get("/home")) != "hello ann" {
				t.Fatal("ann is not in")
			}
		})
	})
}

func TestAHeldAnswerGoesAfterHalfAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, judgeable())
		g.backend.rotates = false
		b := g.browser("laptop")
		b.get("/login")
		b.signIn("ann", passwords["ann"])
		held, _, _ := g.w.Held(t.Context(), "laptop")
		time.Sleep(31 * time.Minute)
		b.allow("ann")
		status(t, "too late", b.post("/login", url.Values{identity.TicketField: {held.Ticket}}), http.StatusGone)
		b.get("/login")
		if g.backend.last().user != "" {
			t.Fatal("the signed-in session came through")
		}
	})
}

func TestAnAnswerIsHeldAsLongAsWasSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := judgeable()
		cfg.HeldFor = 5 * time.Minute
		g := newGateway(t, cfg)
		for _, c := range []struct {
			device string
			wait   time.Duration
			want   int
		}{{"laptop", 4 * time.Minute, http.StatusFound}, {"phone", 5 * time.Minute, http.StatusGone}} {
			b := g.browser(c.device)
			b.get("/login")
			b.signIn("ann", passwords["ann"])
			held, ok, err := g.w.Held(t.Context(), c.device)
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			time.Sleep(c.wait)
			b.allow("ann")
			status(t, c.device, b.post(held.Action, url.Values{identity.TicketField: {held.Ticket}}), c.want)
		}
	})
}

func TestALoginByScriptIsReleasedToTheNavigationThatFollows(t *testing.T) {
	cfg := config()
	g := newGateway(t, cfg)
	g.backend.script = true
	b := g.browser("laptop")
	b.get("/login")
	b.header = map[string]string{"Accept": "application/json", "Sec-Fetch-Mode": "cors", "Referer": "http://shop.example/start?x=1"}
	b.signIn("ann", passwords["ann"])
	if a := g.attempt; a.Outcome != identity.OutcomeHeld || !a.Fetch || a.Token {
		t.Fatalf("attempt %+v", a)
	}
	b.allow("ann")
	r := b.release()
	status(t, "release", r, http.StatusSeeOther)
	if r.Header.Get("Location") != "/start?x=1" {
		t.Fatalf("Location %q", r.Header.Get("Location"))
	}
	if text(b.get("/home")) != "hello ann" {
		t.Fatal("not in")
	}
}

func TestALoginWithATokenSignsInAgain(t *testing.T) {
	g := newGateway(t, config())
	g.backend.token = true
	b := g.browser("laptop")
	b.header = map[string]string{"Accept": "application/json", "Sec-Fetch-Mode": "cors"}
	b.signIn("ann", passwords["ann"])
	if a := g.attempt; a.Outcome != identity.OutcomeHeld || !a.Token {
		t.Fatalf("attempt %+v", a)
	}
	b.allow("ann")
	if got := text(b.release()); !strings.Contains(got, "sign in again") {
		t.Fatalf("release says %q", got)
	}
	r := b.signIn("ann", passwords["ann"])
	status(t, "again", r, 200)
	_, rest, _ := strings.Cut(text(r), `"access_token":"`)
	token, _, _ := strings.Cut(rest, `"`)
	b.header["Authorization"] = "Bearer " + token
	if got := text(b.get("/api")); got != "hello ann" {
		t.Fatalf("with the token: %q", got)
	}
	thief := g.browser("thief")
	thief.allow("ann")
	thief.header["Authorization"] = "Bearer " + token
	if got := text(thief.get("/api")); strings.Contains(got, "ann") {
		t.Fatalf("the thief: %q", got)
	}
	// A WebSocket can send no header: the device's login stands for it.
	socket := b.request("GET", "/socket", "", nil)
	socket.Header.Del("Authorization")
	socket.Header.Set("Upgrade", "websocket")
	b.do(socket)
	if g.session.Person.User != "ann" {
		t.Fatal("the socket is nobody's")
	}
}

func TestAHeldFetchIsAnsweredOnceApproved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config()
		cfg.Hold = time.Minute
		g := newGateway(t, cfg)
		g.backend.token = true
		b := g.browser("laptop")
		b.header = map[string]string{"Accept": "application/json", "Sec-Fetch-Mode": "cors"}
		go func() {
			time.Sleep(500 * time.Millisecond)
			g.mu.Lock()
			b.allow("ann")
			g.mu.Unlock()
		}()
		r := b.signIn("ann", passwords["ann"])
		status(t, "the held fetch", r, 200)
		_, rest, _ := strings.Cut(text(r), `"access_token":"`)
		token, _, _ := strings.Cut(rest, `"`)
		b.header["Authorization"] = "Bearer " + token
		if got := text(b.get("/api")); got != "hello ann" {
			t.Fatalf("with the token: %q", got)
		}
	})
}

// A sign-in that is let in takes the place of one that is held on the device,
// whoever they were: nobody is led back to a page that waits for the other.
func TestASignInThatIsLetInEndsTheOneHeldOnItsDevice(t *testing.T) {
	for _, second := range []string{"ann", "bob"} {
		t.Run("ann waits, "+second+" comes in", func(t *testing.T) {
			g := newGateway(t, config())
			b := g.browser("laptop")
			b.get("/login")
			b.signIn("ann", passwords["ann"])
			if g.attempt.Outcome != identity.OutcomeHeld {
				t.Fatalf("attempt %+v", g.attempt)
			}
			first := g.attempt.Login.ID
			b.allow(second)
			b.signIn(second, passwords[second])
			if g.attempt.Outcome != identity.OutcomeReleased {
				t.Fatalf("attempt %+v", g.attempt)
			}
			if held, ok, err := g.w.Held(t.Context(), b.device()); ok || err != nil {
				t.Errorf("held: %+v %v", held.Login, err)
			}
			if l, err := g.books.Logins.Get(t.Context(), "shop", first); err == nil {
				t.Errorf("the first is there: %+v", l)
			}
		})
	}
}
