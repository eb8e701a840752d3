package identity_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/identity"
)

// tokenOf takes the token out of an answer.
func tokenOf(r *http.Response) string {
	_, rest, _ := strings.Cut(text(r), `"access_token":"`)
	token, _, _ := strings.Cut(rest, `"`)
	return token
}

// byToken returns a script's browser on which ann is in by token.
func byToken(t *testing.T, g *gateway) *browser {
	t.Helper()
	g.backend.token = true
	b := g.browser("laptop")
	b.allow("ann")
	b.header = map[string]string{"Accept": "application/json", "Sec-Fetch-Mode": "cors"}
	b.header["Authorization"] = "Bearer " + tokenOf(b.signIn("ann", passwords["ann"]))
	if text(b.get("/api")) != "hello ann" {
		t.Fatal("ann is not in")
	}
	return b
}

func TestATokenThatWasNotReleasedHereIsTakenOff(t *testing.T) {
	g := newGateway(t, config())
	b := byToken(t, g)
	own := strings.TrimPrefix(b.header["Authorization"], "Bearer ")
	g.backend.tokens["stolen-token-of-bob"] = "bob"
	for name, change := range map[string]func(r *http.Request){
		"in Authorization":       func(r *http.Request) { r.Header.Set("Authorization", "Bearer stolen-token-of-bob") },
		"by another scheme":      func(r *http.Request) { r.Header.Set("Authorization", "Token stolen-token-of-bob") },
		"twice":                  func(r *http.Request) { r.Header.Add("Authorization", "Bearer stolen-token-of-bob") },
		"in a header of its own": func(r *http.Request) { r.Header.Set("X-Auth-Token", "stolen-token-of-bob") },
		"in the query":           func(r *http.Request) { r.URL.RawQuery = "a=1&access_token=stolen-token-of-bob&b=2" },
		"in the query, escaped":  func(r *http.Request) { r.URL.RawQuery = "acce%73s_%74oken=stolen%2Dtoken-of-bob" },
		"in capitals":            func(r *http.Request) { r.URL.RawQuery = "Access_Token=stolen-token-of-bob" },
		"after one's own":        func(r *http.Request) { r.URL.RawQuery = "access_token=" + own + "&access_token=stolen-token-of-bob" },
		"as an array":            func(r *http.Request) { r.URL.RawQuery = "access_token[]=stolen-token-of-bob" },
		"behind a semicolon":     func(r *http.Request) { r.URL.RawQuery = "a=1;access_token=stolen-token-of-bob" },
		"with its scheme":        func(r *http.Request) { r.URL.RawQuery = "authorization=Bearer%20stolen-token-of-bob" },
		"as basic":               func(r *http.Request) { r.Header.Set("Authorization", "Basic c3RvbGVu") },
	} {
		r := b.request("GET", "/api", "", nil)
		change(r)
		g.w.Clean(r, "laptop", identity.Closed)
		if rest := fmt.Sprint(r.Header, r.URL.RawQuery); strings.Contains(rest, "stolen") || strings.Contains(rest, "c3RvbGVu") {
			t.Errorf("%s: left %s", name, rest)
		}
	}
	for query, left := range map[string]string{
		"anything=" + own:              "", // another device's, whatever it is called
		"sid=0123456789abcdef0123&a=1": "a=1",
		"sid=7&a=1":                    "sid=7&a=1",
		"a=b;c&d=%zz&&e":               "a=b;c&d=%zz&&e",
	} {
		r := httptest.NewRequest("GET", "/socket?"+query, nil)
		if g.w.Clean(r, "phone", identity.Closed); r.URL.RawQuery != left {
			t.Errorf("nobody's %q: left %q", query, r.URL.RawQuery)
		}
	}
	r := httptest.NewRequest("GET", "/socket?a=1&access_token="+own, nil)
	if s := g.w.Clean(r, "laptop", identity.Closed); s.Person.User != "ann" || !strings.Contains(r.URL.RawQuery, own) {
		t.Errorf("one's own in the query: %q, %+v", r.URL.RawQuery, s.Person)
	}
	r = httptest.NewRequest("GET", "/api", nil)
	r.Header.Set("Authorization", "Bearer stolen-token-of-bob")
	g.w.Clean(r, "laptop", identity.Open)
	if r.Header.Get("Authorization") == "" {
		t.Error("taken off with the padlock open")
	}
}

func TestASecretTokenIsNotInTheStore(t *testing.T) {
	g := newGateway(t, config())
	b := byToken(t, g)
	if strings.Contains(g.dump(), strings.TrimPrefix(b.header["Authorization"], "Bearer ")) {
		t.Fatal("it is")
	}
}

func unsigned(claims string) string {
	return "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

func TestARefreshedTokenIsPartOfTheLogin(t *testing.T) {
	cfg := config()
	cfg.TokenPaths = []string{"/refresh"}
	g := newGateway(t, cfg)
	b := byToken(t, g)
	refreshed := ""
	g.backend.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/refresh" {
			return false
		}
		g.backend.tokens[refreshed] = "ann"
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":%q}`, refreshed)
		return true
	}
	carry := func(device string) (*httptest.ResponseRecorder, error) {
		r := b.request("POST", "/refresh", "application/json", strings.NewReader("{}"))
		s := g.w.Clean(r, device, identity.Closed)
		if g.w.Classify(r, &s) != identity.StepToken {
			t.Fatal("the path is not seen")
		}
		rec := httptest.NewRecorder()
		return rec, g.w.Token(rec, r, s, device, identity.Closed, g.next)
	}
	for name, c := range map[string]struct {
		token string
		want  error
	}{
		"an opaque one":             {fresh() + fresh(), nil},
		"a JWT that names ann":      {unsigned(`{"sub":"17","preferred_username":"ann"}`), nil},
		"a JWT that names a number": {unsigned(`{"sub":"17"}`), nil},
		"a JWT that names bob":      {unsigned(`{"sub":"18","preferred_username":"bob"}`), identity.ErrDisagree},
	} {
		refreshed = c.token
		rec, err := carry("laptop")
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c.want != nil {
			if strings.Contains(rec.Body.String(), refreshed) {
				t.Errorf("%s: it went out", name)
			}
			continue
		}
		r := httptest.NewRequest("GET", "/api", nil)
		r.Header.Set("Authorization", "Bearer "+refreshed)
		if s := g.w.Clean(r, "laptop", identity.Closed); s.Person.User != "ann" {
			t.Errorf("%s: it is not ann's", name)
		}
	}
	if _, err := carry("thief"); !errors.Is(err, identity.ErrDisagree) {
		t.Errorf("for nobody: %v", err)
	}
}

func TestBasicAuthenticationOfTheBackendIsWatched(t *testing.T) {
	cfg := config()
	cfg.User, cfg.Path = "basic", "/dav"
	g := newGateway(t, cfg)
	g.backend.answer = func(w http.ResponseWriter, r *http.Request) bool {
		user, pass, ok := r.BasicAuth()
		if !ok || passwords[user] != pass {
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		io.WriteString(w, "files of "+user)
		return true
	}
	b := g.browser("laptop")
	ask := func(user, pass, path string) *http.Response {
		r := b.request("GET", path, "", nil)
		r.SetBasicAuth(user, pass)
		return b.do(r)
	}
	status(t, "a wrong password", ask("ann", "wrong", "/dav"), http.StatusUnauthorized)
	if len(g.asked) > 0 {
		t.Fatal("the gate heard of it")
	}
	status(t, "unapproved", ask("ann", passwords["ann"], "/dav"), http.StatusForbidden)
	b.allow("ann")
	if got := text(ask("ann", passwords["ann"], "/dav")); got != "files of ann" {
		t.Fatalf("approved: %q", got)
	}
	asked := len(g.asked)
	if got := text(ask("ann", passwords["ann"], "/dav/deeper")); got != "files of ann" || g.session.Person.User != "ann" {
		t.Fatalf("and from then on: %q", got)
	}
	if len(g.asked) != asked+1 {
		t.Error("the gate was not asked about it once")
	}
	put := b.request("PUT", "/dav/x", "text/plain", strings.NewReader("x"))
	put.SetBasicAuth("bob", passwords["bob"])
	status(t, "with a body and never seen", b.do(put), http.StatusForbidden)
	b = g.browser("another")
	status(t, "on another device", ask("ann", passwords["ann"], "/dav/deeper"), http.StatusForbidden)
	if strings.Contains(g.dump(), base64.StdEncoding.EncodeToString([]byte("ann:"+passwords["ann"]))) {
		t.Error("the credential is in the store")
	}
}

func TestALoginInUseDoesNotEndIdle(t *testing.T) {
	for _, rotates := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			g := newGateway(t, judgeable())
			g.backend.rotates = rotates
			used, idle := signedIn(t, g), g.browser("phone")
			idle.allow("bob")
			idle.get("/login")
			idle.signIn("bob", passwords["bob"])
			for range 60 {
				time.Sleep(20 * time.Hour)
				if text(used.get("/home")) != "hello ann" {
					t.Fatal("ann is out")
				}
				if err := g.w.Touch(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if got := text(idle.get("/home")); strings.Contains(got, "bob") {
				t.Fatalf("after 50 days bob sees %q", got)
			}
			if !g.w.Bound(t.Context(), used.g.session.Login.ID) && rotates {
				_ = used.get("/home")
			}
			if err := g.w.EndAll(t.Context(), "ann"); err != nil {
				t.Fatal(err)
			}
			if err := g.w.Touch(t.Context()); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(text(used.get("/home")), "ann") {
				t.Fatal("a touch brought an ended login back")
			}
		})
	}
}

func TestALoginEndsIdleAfterTheTimeThatWasSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := judgeable()
		cfg.Idle = time.Hour
		g := newGateway(t, cfg)
		used, idle := signedIn(t, g), g.browser("phone")
		idle.allow("bob")
		idle.get("/login")
		idle.signIn("bob", passwords["bob"])
		for range 5 { // as often as the module does it, it is written in time
			time.Sleep(25 * time.Minute)
			if text(used.get("/home")) != "hello ann" {
				t.Fatal("ann is out, though she was here")
			}
			if err := g.w.Touch(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := text(idle.get("/home")); strings.Contains(got, "bob") {
			t.Errorf("after two hours bob sees %q", got)
		}
	})
}

func TestAHoldThatIsRefusedOrRunsOutAnswersAsIfThereWereNone(t *testing.T) {
	for name, turn := range map[string]func(g *gateway){
		"refused":  func(g *gateway) { g.refused["ann"] = true },
		"runs out": func(*gateway) {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := config()
				cfg.Hold = time.Minute
				g := newGateway(t, cfg)
				g.backend.token = true
				b := g.browser("laptop")
				b.header = map[string]string{"Accept": "application/json"}
				go func() {
					time.Sleep(100 * time.Millisecond)
					g.mu.Lock()
					turn(g)
					g.mu.Unlock()
				}()
				r := b.signIn("ann", passwords["ann"])
				status(t, name, r, http.StatusForbidden)
				if strings.Contains(text(r), "access_token") || g.attempt.Verdict.Answer == access.LetIn {
					t.Fatal("the token went out")
				}
			})
		})
	}
}

func TestOurCookiesAreTakenOffWhereNoLoginIsWatched(t *testing.T) {
	for in, want := range map[string]string{
		"a=1; __Host-cadenas=x; b=2": "a=1; b=2", "cadenas=x": "", "a=1;b=2": "a=1;b=2", "cadenas_lang=fr; sid=x": "sid=x",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Cookie", in)
		identity.StripOurCookies(r)
		if got := r.Header.Get("Cookie"); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}
