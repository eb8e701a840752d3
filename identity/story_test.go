package identity_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/cadenas-gateway/cadenas/identity"
)

// kinds are the backends that stories run against.
var kinds = map[string]func(b *backend){
	"a backend that rotates the session at sign-in": func(b *backend) { b.rotates = true },
	"a backend that keeps it":                       func(b *backend) { b.rotates = false },
}

// judgeable makes both kinds of backend tell right from wrong.
func judgeable() identity.Config {
	c := config()
	c.Success = []identity.Success{{Kind: "location", Args: []string{"/home"}}}
	return c
}

func eachKind(t *testing.T, story func(t *testing.T, g *gateway)) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, judgeable())
			kind(g.backend)
			story(t, g)
		})
	}
}

func status(t *testing.T, what string, r *http.Response, want int) {
	t.Helper()
	if r.StatusCode != want {
		t.Fatalf("%s: status %d, want %d: %s", what, r.StatusCode, want, text(r))
	}
}

func TestAPersonOnAKnownConnectionSignsInAsWithoutTheGate(t *testing.T) {
	eachKind(t, func(t *testing.T, g *gateway) {
		b := g.browser("laptop")
		b.allow("ann")
		status(t, "the form", b.get("/login"), 200)
		r := b.signIn("ann", passwords["ann"])
		status(t, "signing in", r, http.StatusFound)
		if r.Header.Get("Location") != "/home" {
			t.Fatalf("Location %q", r.Header.Get("Location"))
		}
		if got := text(b.get("/home")); got != "hello ann" {
			t.Fatalf("home says %q", got)
		}
		if c := g.backend.last().cookie; strings.Contains(c, "~") || strings.Contains(c, "cadenas") {
			t.Fatalf("the backend saw %q", c)
		}
		if !strings.Contains(b.jar["sid"], "~") {
			t.Fatalf("the session bears no stamp: %q", b.jar["sid"])
		}
	})
}

func TestX2_TheHeldAnswerIsReleasedOnceApproved(t *testing.T) {
	eachKind(t, func(t *testing.T, g *gateway) {
		b := g.browser("laptop")
		b.get("/login")
		before := b.jar["sid"]
		status(t, "signing in unapproved", b.signIn("ann", passwords["ann"]), http.StatusForbidden)
		if g.attempt.Outcome != identity.OutcomeHeld || g.attempt.Person.User != "ann" {
			t.Fatalf("attempt %+v", g.attempt)
		}
		if b.jar["sid"] != before {
			t.Fatal("a session got out before the approval")
		}
		n := g.backend.count()
		if r := b.get("/home"); r.StatusCode == 200 && strings.Contains(text(r), "ann") {
			t.Fatal("a held login reached the backend")
		}
		for _, x := range g.backend.reached[n:] {
			if x.user != "" {
				t.Fatalf("a held session reached the backend: %+v", x)
			}
		}
		status(t, "releasing too early", b.release(), http.StatusForbidden)
		b.allow("ann")
		r := b.release()
		status(t, "releasing", r, http.StatusFound)
		if text(b.get("/home")) != "hello ann" {
			t.Fatal("after the release ann is not in")
		}
		if r.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("Cache-Control %q", r.Header.Get("Cache-Control"))
		}
	})
}

func TestX1_AWrongPasswordChangesNothing(t *testing.T) {
	for _, failing := range []string{"form", "redirect", "403", "rotate"} {
		t.Run(failing, func(t *testing.T) {
			eachKind(t, func(t *testing.T, g *gateway) {
				g.backend.failing = failing
				b := g.browser("laptop")
				b.allow("ann")
				b.get("/login")
				b.signIn("ann", "wrong-password")
				if g.attempt.Outcome != identity.OutcomeFailed || !g.attempt.Person.Nobody() || len(g.asked) > 0 {
					t.Fatalf("attempt %+v, asked %v", g.attempt, g.asked)
				}
				if strings.Contains(g.dump(), "ann") {
					t.Fatalf("the name reached the store:\n%s", g.dump())
				}
				b.signIn("ann", passwords["ann"])
				if text(b.get("/home")) != "hello ann" {
					t.Fatal("ann is not in")
				}
				b.signIn("bob", "wrong-password")
				if got := text(b.get("/home")); got != "hello ann" {
					t.Fatalf("after bob's wrong password home says %q", got)
				}
			})
		})
	}
}

func TestX3_AStolenSessionIsWorthNothingElsewhere(t *testing.T) {
	eachKind(t, func(t *testing.T, g *gateway) {
		b := g.browser("laptop")
		b.allow("ann")
		b.get("/login")
		b.signIn("ann", passwords["ann"])
		raw, _, _ := strings.Cut(b.jar["sid"], "~")
		for name, value := range map[string]string{"with its stamp": b.jar["sid"], "without": raw} {
			thief := g.browser("thief")
			thief.allow("ann")
			thief.jar["sid"] = value
			if got := text(thief.get("/home")); strings.Contains(got, "ann") {
				t.Fatalf("%s: %q", name, got)
			}
			if !g.session.Foreign && name == "with its stamp" {
				t.Error("nobody was told of the copy")
			}
			// Nor without any device cookie, nor on the login's own path.
			thief.get("/login")
			if x := g.backend.last(); x.user != "" {
				t.Fatalf("%s: the session reached the login page", name)
			}
		}
	})
}

// One's own stamp must not carry somebody else's value in.
func TestX3_AStampIsGoodForItsOwnValueOnly(t *testing.T) {
	eachKind(t, func(t *testing.T, g *gateway) {
		ann, eve := g.browser("laptop"), g.browser("tablet")
		ann.allow("ann")
		eve.allow("eve")
		ann.get("/login")
		ann.signIn("ann", passwords["ann"])
		eve.get("/login")
		eve.signIn("eve", passwords["eve"])
		stolen, _, _ := strings.Cut(ann.jar["sid"], "~")
		_, stamp, _ := strings.Cut(eve.jar["sid"], "~")
		eve.jar["sid"] = stolen + "~" + stamp
		if got := text(eve.get("/home")); strings.Contains(got, "ann") {
			t.Fatalf("eve's stamp carried ann's session: %q", got)
		}
	})
}

func TestTwoUsersOnOneBrowserFollowEachOther(t *testing.T) {
	eachKind(t, func(t *testing.T, g *gateway) {
		b := g.browser("laptop")
		b.allow("ann")
		b.get("/login")
		b.signIn("ann", passwords["ann"])
		// Bob may not come in here. He signs in over ann's session. Where the
		// session does not change, that is no proof: he is asked again.
		if b.signIn("bob", passwords["bob"]); !g.backend.rotates {
			if g.attempt.Outcome != identity.OutcomeInconclusive {
				t.Fatalf("over ann's session: %+v", g.attempt)
			}
			b.get("/login")
			b.signIn("bob", passwords["bob"])
		}
		if g.attempt.Outcome != identity.OutcomeHeld {
			t.Fatalf("bob: %+v", g.attempt)
		}
		for range 2 {
			if got := text(b.get("/home")); strings.Contains(got, "bob") || strings.Contains(got, "ann") {
				t.Fatalf("bob rides on ann's login: %q", got)
			}
		}
		b.allow("bob")
		status(t, "release", b.release(), http.StatusFound)
		if got := text(b.get("/home")); got != "hello bob" {
			t.Fatalf("home says %q", got)
		}
	})
}

// Some backends answer any login POST of one who is in like a success.
func TestX1_AWrongPasswordOverALiveSessionIsNoSignIn(t *testing.T) {
	for _, mode := range []identity.Mode{identity.Closed, identity.Open} {
		for _, older := range []bool{false, true} {
			g := newGateway(t, judgeable())
			g.mode = mode
			g.backend.answer = func(w http.ResponseWriter, r *http.Request) bool {
				c, err := r.Cookie("sid")
				if err != nil || g.backend.sessions[c.Value] == "" {
					return false
				}
				user := g.backend.sessions[c.Value] // a new value with every answer
				g.backend.setSession(w, g.backend.begin(user))
				if r.URL.Path != "/login" || r.Method != http.MethodPost {
					return false
				}
				w.Header().Set("Location", "/home")
				w.WriteHeader(http.StatusFound)
				return true
			}
			b := g.browser("laptop")
			b.allow("bob")
			b.allow("ann")
			if older {
				b.jar["sid"] = g.backend.begin("bob")
			} else {
				b.get("/login")
				b.signIn("bob", passwords["bob"])
			}
			for range 4 {
				b.get("/home")
			}
			b.signIn("ann", "wrong")
			a := g.attempt
			if mode == identity.Closed && a.Outcome == identity.OutcomeReleased {
				t.Errorf("closed, older %v: %+v", older, a)
			}
			if mode == identity.Open && a.Outcome == identity.OutcomeReleased && !a.Login.Adopted {
				t.Errorf("open, older %v: it counts as proved: %+v", older, a)
			}
		}
	}
}

func TestOneUserOnTenDevices(t *testing.T) {
	eachKind(t, func(t *testing.T, g *gateway) {
		var all []*browser
		for _, device := range strings.Fields("a b c d e f g h i j") {
			b := g.browser(device)
			b.allow("ann")
			b.get("/login")
			b.signIn("ann", passwords["ann"])
			all = append(all, b)
		}
		for _, b := range all {
			if text(b.get("/home")) != "hello ann" {
				t.Fatalf("device %s is out", b.device())
			}
		}
		if err := g.w.EndAll(t.Context(), "ann"); err != nil {
			t.Fatal(err)
		}
		for _, b := range all {
			if strings.Contains(text(b.get("/home")), "ann") {
				t.Fatalf("device %s is still in", b.device())
			}
		}
	})
}

func TestARevokedLoginEndsAtOnce(t *testing.T) {
	eachKind(t, func(t *testing.T, g *gateway) {
		b := g.browser("laptop")
		b.allow("ann")
		b.get("/login")
		b.signIn("ann", passwords["ann"])
		b.get("/home")
		ctx, done := g.w.Stream(context.Background(), g.session, "laptop")
		defer done()
		if err := g.w.End(t.Context(), g.attempt.Login.ID); err != nil {
			t.Fatal(err)
		}
		if ctx.Err() == nil {
			t.Error("its streams go on")
		}
		if strings.Contains(text(b.get("/home")), "ann") {
			t.Fatal("still in")
		}
		if g.mode = identity.Open; strings.Contains(text(b.get("/home")), "ann") {
			t.Fatal("still in with the padlock open")
		}
	})
}

func TestSigningOutEndsTheLogin(t *testing.T) {
	eachKind(t, func(t *testing.T, g *gateway) {
		b := g.browser("laptop")
		b.allow("ann")
		b.get("/login")
		b.signIn("ann", passwords["ann"])
		copied := b.clone()
		b.post("/logout", nil)
		if _, err := g.books.Logins.Get(t.Context(), "shop", g.attempt.Login.ID); err == nil {
			t.Fatal("the row is still there")
		}
		if strings.Contains(text(copied.get("/home")), "ann") {
			t.Fatal("a tab with the old cookie is still in")
		}
	})
}

func TestARotationKeepsTheLogin(t *testing.T) {
	eachKind(t, func(t *testing.T, g *gateway) {
		b := g.browser("laptop")
		b.allow("ann")
		b.get("/login")
		b.signIn("ann", passwords["ann"])
		for range 3 {
			before := b.jar["sid"]
			b.get("/rotate")
			if b.jar["sid"] == before {
				t.Fatal("nothing rotated")
			}
			if text(b.get("/home")) != "hello ann" {
				t.Fatal("ann is out after a rotation")
			}
		}
		if g.session.Login.ID != g.attempt.Login.ID {
			t.Fatal("the login is another one")
		}
	})
}

func TestAReloadAndARestartForgetNothing(t *testing.T) {
	eachKind(t, func(t *testing.T, g *gateway) {
		b, w := g.browser("laptop"), g.browser("phone")
		b.allow("ann")
		b.get("/login")
		b.signIn("ann", passwords["ann"])
		w.get("/login")
		w.signIn("bob", passwords["bob"])
		g.reload()
		if text(b.get("/home")) != "hello ann" {
			t.Fatal("ann is out after a reload")
		}
		w.allow("bob")
		status(t, "release after a reload", w.release(), http.StatusFound)
		if text(w.get("/home")) != "hello bob" {
			t.Fatal("bob is not in")
		}
	})
}

func TestL26_AnAbortedLoginLeavesNoSession(t *testing.T) {
	eachKind(t, func(t *testing.T, g *gateway) {
		b := g.browser("laptop")
		b.allow("ann")
		b.get("/login")
		ctx, hangUp := context.WithCancel(context.Background())
		g.backend.during = hangUp
		r := b.request("POST", "/login", "application/x-www-form-urlencoded",
			strings.NewReader(url.Values{"user": {"ann"}, "pass": {passwords["ann"]}}.Encode())).WithContext(ctx)
		b.g.ServeHTTP(httptest.NewRecorder(), r) // nobody reads it
		g.backend.during = nil
		if g.attempt.Outcome != identity.OutcomeAborted {
			t.Fatalf("attempt %+v", g.attempt)
		}
		if got := text(b.get("/home")); strings.Contains(got, "ann") {
			t.Fatalf("after an abort home says %q", got)
		}
		// The person tries again and is in.
		b.get("/login")
		b.signIn("ann", passwords["ann"])
		if text(b.get("/home")) != "hello ann" {
			t.Fatal("ann cannot sign in after an abort")
		}
	})
}

func TestALoginThatPanicsEndsWhatItCarried(t *testing.T) {
	g := newGateway(t, judgeable())
	g.backend.rotates = false
	b := g.browser("laptop")
	b.allow("ann")
	b.get("/login")
	g.backend.during = func() { panic(http.ErrAbortHandler) }
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		b.signIn("ann", passwords["ann"])
	}()
	g.backend.during = nil
	for k := range g.backend.sessions {
		g.backend.sessions[k] = "ann" // it had signed her in all the same
	}
	b.get("/login")
	if x := g.backend.last(); x.user != "" {
		t.Fatal("the session is still good")
	}
}

func TestWhileALoginIsDecidedItsSessionWaits(t *testing.T) {
	eachKind(t, func(t *testing.T, g *gateway) {
		synctest.Test(t, func(t *testing.T) {
			b := g.browser("laptop")
			b.allow("ann")
			b.get("/login")
			b.signIn("ann", passwords["ann"])
			other := b.clone()
			var before int
			g.backend.during = func() {
				g.backend.during = nil
				before = g.backend.count()
				status(t, "another tab", other.get("/home"), http.StatusServiceUnavailable)
				if g.backend.count() != before {
					t.Error("it reached the backend")
				}
			}
			b.signIn("bob", "wrong-password")
			if text(b.get("/home")) != "hello ann" {
				t.Fatal("a failed login ended ann's")
			}
		})
	})
}

func TestTheGateThatErrsLetsNobodyIn(t *testing.T) {
	eachKind(t, func(t *testing.T, g *gateway) {
		b := g.browser("laptop")
		b.allow("ann")
		b.get("/login")
		g.fail = errors.New("store away")
		before := b.jar["sid"]
		status(t, "signing in", b.signIn("ann", passwords["ann"]), http.StatusServiceUnavailable)
		g.fail = nil
		if b.jar["sid"] != before {
			t.Fatal("a session got out")
		}
		if strings.Contains(text(b.get("/home")), "ann") {
			t.Fatal("ann is in")
		}
	})
}

func TestAUserWhoIsRefusedSeesWhatOneWhoWaitsSees(t *testing.T) {
	eachKind(t, func(t *testing.T, g *gateway) {
		g.refused["ann"] = true
		b := g.browser("laptop")
		b.get("/login")
		status(t, "signing in", b.signIn("ann", passwords["ann"]), http.StatusForbidden)
		if g.attempt.Outcome != identity.OutcomeRefused {
			t.Fatalf("attempt %+v", g.attempt)
		}
		g.mode = identity.Open // a lock holds there too
		if strings.Contains(text(b.get("/home")), "ann") {
			t.Fatal("ann is in")
		}
	})
}

func TestNothingThatWasTypedOutlivesTheRequest(t *testing.T) {
	eachKind(t, func(t *testing.T, g *gateway) {
		b := g.browser("laptop")
		b.get("/login")
		b.signIn("ann", "wrong-password-here")
		b.signIn("ann", passwords["ann"])
		b.allow("ann")
		b.release()
		b.get("/home")
		for what, where := range map[string]string{"store": g.dump(), "log": g.log.String()} {
			for _, secret := range []string{passwords["ann"], "wrong-password-here"} {
				if strings.Contains(where, secret) {
					t.Fatalf("a password is in the %s", what)
				}
			}
			for sid := range g.backend.sessions {
				if strings.Contains(where, sid) {
					t.Fatalf("a session is in the %s", what)
				}
			}
		}
	})
}

func TestThePadlockClosesOnceRightCanBeToldFromWrong(t *testing.T) {
	g := newGateway(t, config())
	g.mode = identity.Open
	if g.w.CanClose() == nil {
		t.Fatal("nothing is known yet")
	}
	b := g.browser("laptop")
	b.get("/login")
	b.signIn("ann", passwords["ann"])
	g.reload()
	if err := g.w.CanClose(); err != nil {
		t.Fatal(err)
	}
	if newGateway(t, judgeable()).w.CanClose() != nil {
		t.Fatal("it is configured")
	}
}

func TestAThousandSignInsOfOneUserStayUnderTheCap(t *testing.T) {
	g := newGateway(t, judgeable())
	for range 130 {
		b := g.browser("device-" + fresh())
		b.allow("ann")
		b.signIn("ann", passwords["ann"])
	}
	list, err := g.books.Logins.Of(t.Context(), "shop", "ann")
	if err != nil {
		t.Fatal(err)
	}
	if len(list) > 100 {
		t.Fatalf("%d logins", len(list))
	}
}
