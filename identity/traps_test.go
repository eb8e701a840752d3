package identity_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/identity"
	"github.com/cadenas-gateway/cadenas/store"
)

// signedIn returns a browser on which ann is in.
func signedIn(t testing.TB, g *gateway) *browser {
	t.Helper()
	b := g.browser("laptop")
	b.allow("ann")
	b.get("/login")
	b.signIn("ann", passwords["ann"])
	if text(b.get("/home")) != "hello ann" {
		t.Fatal("ann is not in")
	}
	return b
}

// An error route gets the request that we were given, not a clone of it.
func TestTrap_TheRequestItselfIsCleaned(t *testing.T) {
	g := newGateway(t, judgeable())
	b := signedIn(t, g)
	r := httptest.NewRequest("GET", "/home", nil)
	r.Header.Set("Cookie", "theme=dark; sid="+b.jar["sid"]+"; __Host-cadenas=thief; lang=fr")
	g.w.Clean(r, "thief", identity.Closed)
	if got := r.Header.Get("Cookie"); got != "theme=dark; lang=fr" {
		t.Fatalf("left on the request: %q", got)
	}
	r = b.request("GET", "/home", "", nil)
	g.w.Clean(r, "laptop", identity.Closed)
	identity.Bare(r)
	if len(r.Header["Cookie"]) > 0 {
		t.Fatal("a refusal leaves the session on it")
	}
}

// Names are folded as backends fold them.
func TestTrap_ASessionUnderAnotherSpellingIsRemoved(t *testing.T) {
	cfg := judgeable()
	cfg.Session = []string{"laravel_session", "DW*"}
	g := newGateway(t, cfg)
	for _, cookie := range []string{
		"laravel_session=x", "laravel.session=x", "laravel session=x", "laravel[session=x", "LARAVEL_SESSION=x", "laravel%5Fsession=x",
		"laravel_session[a]=x", "a=1; laravel_session=x", `a="1; laravel.session=x`, "a=1, laravel_session=x", "a=1 laravel_session=x",
		`a="1" laravel_session=x`, "a=1\tlaravel_session=x", "laravel_session", "a=b=1,laravel_session=x", "=laravel_session=x", "DW68700=x", "dw=x",
		`laravel_session="x"`, "laravel_session=x~AAAA", "laravel_session=x; laravel_session=y", "$Version=1,laravel_session=x",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Cookie"] = []string{"keep=1; " + cookie}
		g.w.Clean(r, "laptop", identity.Closed)
		got := r.Header.Get("Cookie")
		if low := strings.ToLower(got); strings.Contains(low, "session") || strings.Contains(low, "dw") || !strings.HasPrefix(got, "keep=1") {
			t.Errorf("%q leaves %q", cookie, got)
		}
	}
	// What is none stays, byte for byte.
	for _, cookie := range []string{
		`prefs={"a":1,"b":"c=d"}; x=y`, "a=1;b=2", "_ga=GA1.2.3~4", "my_laravel=1; c=", `q="quoted"`, "sess=1",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Cookie"] = []string{cookie}
		g.w.Clean(r, "laptop", identity.Closed)
		if got := r.Header.Get("Cookie"); got != cookie {
			t.Errorf("%q became %q", cookie, got)
		}
	}
}

func TestThreat_L9_OfTwoCookiesOfOneNameTheBadOneGoes(t *testing.T) {
	g := newGateway(t, judgeable())
	b := signedIn(t, g)
	good := b.jar["sid"]
	plain, _, _ := strings.Cut(good, "~")
	for _, cookies := range []string{"sid=planted; sid=" + good, "sid=" + good + "; sid=planted", "sid=planted; sid=" + good + "; sid=planted2"} {
		r := httptest.NewRequest("GET", "/home", nil)
		r.Header["Cookie"] = []string{cookies}
		s := g.w.Clean(r, "laptop", identity.Closed)
		if s.Person.User != "ann" || r.Header.Get("Cookie") != "sid="+plain {
			t.Errorf("%q: %q of %q", cookies, r.Header.Get("Cookie"), s.Person.User)
		}
	}
	// HTTP/2 splits the header.
	r := httptest.NewRequest("GET", "/home", nil)
	r.Header["Cookie"] = []string{"a=1", "sid=" + good, "sid=planted"}
	if s := g.w.Clean(r, "laptop", identity.Closed); s.Person.User != "ann" || r.Header.Get("Cookie") != "a=1; sid="+plain || len(r.Header["Cookie"]) != 1 {
		t.Errorf("split: %q", r.Header["Cookie"])
	}
}

// A nobody's session planted before the sign-in gains nothing by it.
func TestThreat_L9_ASessionPlantedBeforeTheSignInGainsNothing(t *testing.T) {
	eachKind(t, func(t *testing.T, g *gateway) {
		eve := g.browser("tablet")
		eve.get("/login")
		ann := g.browser("laptop")
		ann.allow("ann")
		ann.jar["sid"] = eve.jar["sid"]
		ann.get("/login")
		ann.signIn("ann", passwords["ann"])
		eve.allow("ann")
		for _, path := range []string{"/home", "/login"} {
			eve.get(path)
			if x := g.backend.last(); x.user != "" {
				t.Fatalf("%s: eve bears %s's session", path, x.user)
			}
		}
	})
}

// With a half-finished sign-in every other door acts as for a stranger.
func TestThreat_L8_AHeldSignInOpensNothing(t *testing.T) {
	eachKind(t, func(t *testing.T, g *gateway) {
		b := g.browser("laptop")
		b.get("/login")
		b.signIn("ann", passwords["ann"])
		n := g.backend.count()
		for _, method := range []string{"GET", "POST", "HEAD", "DELETE"} {
			for _, path := range []string{"/home", "/me", "/rotate", "/login", "/logout"} {
				b.do(b.request(method, path, "", nil))
			}
		}
		for _, x := range g.backend.reached[n:] {
			if x.user != "" {
				t.Fatalf("%s %s reached the backend as %s", x.method, x.uri, x.user)
			}
		}
	})
}

func TestThreat_L5_ASessionInThePathIsRefused(t *testing.T) {
	g := newGateway(t, judgeable())
	for _, path := range []string{"/home;jsessionid=abc", "/home;JSESSIONID=abc", "/home%3bjsessionid=abc", "/a;x=1;jsessionid=abc/b", "/home;phpsessid=x"} {
		r := httptest.NewRequest("GET", path, nil)
		if s := g.w.Clean(r, "laptop", identity.Closed); !errors.Is(s.Bad, identity.ErrPath) {
			t.Errorf("%s: %v", path, s.Bad)
		}
	}
	for _, path := range []string{"/home", "/home;v=1", "/jsessionid=1", "/a;b"} {
		r := httptest.NewRequest("GET", path, nil)
		if s := g.w.Clean(r, "laptop", identity.Closed); s.Bad != nil {
			t.Errorf("%s: %v", path, s.Bad)
		}
	}
	if s := g.w.Clean(httptest.NewRequest("GET", "/home;jsessionid=abc", nil), "laptop", identity.Open); s.Bad != nil {
		t.Error("refused with the padlock open")
	}
}

// The header map of the answer that is held is not the client's.
func TestTrap_NothingOfAHeldAnswerLeaksOut(t *testing.T) {
	g := newGateway(t, judgeable())
	b := g.browser("laptop")
	b.get("/login")
	g.backend.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		w.Header().Set("Link", "</secret.css>; rel=preload")
		w.Header().Set("Set-Cookie", "early=1")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Trailer", "X-Secret")
		w.Header().Set("Set-Cookie", "sid="+g.backend.begin("ann")+"; HttpOnly")
		w.Header().Set("Location", "/home")
		w.Header().Set("X-Secret-Header", "1")
		w.WriteHeader(http.StatusFound)
		w.Header().Set("X-Secret", "trailer")
		return true
	}
	resp := b.signIn("ann", passwords["ann"])
	status(t, "signing in", resp, http.StatusForbidden)
	for _, name := range []string{"Set-Cookie", "Location", "Link", "X-Secret-Header", "Trailer"} {
		if v := resp.Header.Get(name); v != "" {
			t.Errorf("%s: %s", name, v)
		}
	}
	if len(resp.Trailer) > 0 {
		t.Errorf("trailers %v", resp.Trailer)
	}
	b.allow("ann")
	resp = b.release()
	if resp.Header.Get("X-Secret-Header") != "1" || resp.Header.Get("Location") != "/home" {
		t.Errorf("the released answer: %v", resp.Header)
	}
}

// The ticket goes to the address that the login was posted to.
func TestTrap_TheTicketIsPostedToTheLoginsOwnAddress(t *testing.T) {
	g := newGateway(t, judgeable())
	b := g.browser("laptop")
	b.get("/login")
	b.post("/login?next=%2Fx", url.Values{"user": {"ann"}, "pass": {passwords["ann"]}})
	held, ok, err := g.w.Held(t.Context(), "laptop")
	if err != nil || !ok || held.Action != "/login?next=%2Fx" {
		t.Fatalf("%+v %v %v", held, ok, err)
	}
	if strings.Contains(g.dump(), "/login?next") {
		t.Error("the address stands open in the store")
	}
}

func TestTrap_ASignInClosesTheStreamsOfTheOneBefore(t *testing.T) {
	g := newGateway(t, judgeable())
	b := signedIn(t, g)
	mine, done := g.w.Stream(context.Background(), g.session, "laptop")
	defer done()
	other, done2 := g.w.Stream(context.Background(), identity.Session{}, "tablet")
	defer done2()
	b.signIn("bob", "wrong")
	if mine.Err() != nil {
		t.Fatal("a wrong password closed a stream")
	}
	b.signIn("bob", passwords["bob"])
	if mine.Err() == nil {
		t.Error("ann's stream goes on")
	}
	if other.Err() != nil {
		t.Error("another device's stream was closed")
	}
}

// Another instance ends a login: this one hears of it through the store.
func TestTrap_AnotherInstancesRevocationIsHeard(t *testing.T) {
	g := newGateway(t, judgeable())
	b := signedIn(t, g)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events, err := g.store.Watch(ctx, "shop/")
	if err != nil {
		t.Fatal(err)
	}
	other, err := identity.NewWatcher(g.cfg, identity.Deps{Books: books.New(g.store), Ring: g.ringNow})
	if err != nil {
		t.Fatal(err)
	}
	stream, done := g.w.Stream(context.Background(), g.session, "laptop")
	defer done()
	if err := other.EndAll(ctx, "ann"); err != nil {
		t.Fatal(err)
	}
	for e := range events {
		g.w.Watch(e)
		if e.Value == nil {
			break
		}
	}
	if strings.Contains(text(b.get("/home")), "ann") {
		t.Error("still in")
	}
	if stream.Err() == nil {
		t.Error("her stream goes on")
	}
	g.w.Watch(store.Event{Err: store.ErrGap}) // nothing to see but no panic
}

func TestThreat_L26_WhatALoginCarriesArrivesByteForByte(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	io.WriteString(z, "user=ann&pass="+passwords["ann"])
	z.Close()
	for name, c := range map[string]struct {
		kind, encoding string
		body           []byte
		chunked        bool
		closed, open   int
	}{
		"a form":                {"application/x-www-form-urlencoded", "", []byte("user=ann&pass=" + passwords["ann"] + "&x=%zz&&"), false, 302, 302},
		"a chunked form":        {"application/x-www-form-urlencoded", "", []byte("user=ann&pass=" + passwords["ann"]), true, 302, 302},
		"gzip":                  {"application/x-www-form-urlencoded", "gzip", zipped.Bytes(), false, 200, 200},
		"an unknown kind":       {"application/x-thing", "", []byte("\x00\x01user"), false, 415, 200},
		"one that is too large": {"application/x-www-form-urlencoded", "", []byte("user=ann&x=" + strings.Repeat("y", 2<<20)), false, 413, 200},
		"too large and chunked": {"application/x-www-form-urlencoded", "", []byte("user=ann&x=" + strings.Repeat("y", 2<<20)), true, 413, 200},
		"a name with a NUL":     {"application/x-www-form-urlencoded", "", []byte("user=a%00b&pass=x"), false, 400, 200},
	} {
		t.Run(name, func(t *testing.T) {
			for _, mode := range []identity.Mode{identity.Closed, identity.Open} {
				g := newGateway(t, judgeable())
				g.mode = mode
				b := g.browser("laptop")
				b.allow("ann")
				var from io.Reader = bytes.NewReader(c.body)
				if c.chunked {
					from = struct{ io.Reader }{from}
				}
				r := b.request("POST", "/login", c.kind, from)
				if c.encoding != "" {
					r.Header.Set("Content-Encoding", c.encoding)
				}
				if c.chunked {
					r.ContentLength, r.TransferEncoding = -1, []string{"chunked"}
				}
				want := c.open
				if mode == identity.Closed {
					want = c.closed
				}
				status(t, name, b.do(r), want)
				if want >= 400 {
					if g.backend.count() > 0 {
						t.Error("it reached the backend")
					}
					continue
				}
				got := g.backend.last()
				if !bytes.Equal(got.body, c.body) {
					t.Errorf("%d bytes of %d arrived", len(got.body), len(c.body))
				}
				if enc := got.header.Get("Content-Encoding"); enc != c.encoding || got.header.Get("Content-Type") != c.kind {
					t.Errorf("arrived as %q, %q", got.header.Get("Content-Type"), enc)
				}
			}
		})
	}
}

// Nothing but a login's body is touched: an upload elsewhere streams.
func TestOtherBodiesAreNotRead(t *testing.T) {
	g := newGateway(t, judgeable())
	b := signedIn(t, g)
	body := &counted{}
	r := b.request("POST", "/upload", "application/octet-stream", body)
	s := g.w.Clean(r, "laptop", identity.Closed)
	g.w.Classify(r, &s)
	if body.read > 0 {
		t.Fatalf("%d bytes were read", body.read)
	}
	if r.Body == nil || s.Person.User != "ann" {
		t.Fatal("the request changed")
	}
}

type counted struct{ read int }

func (c *counted) Read(p []byte) (int, error) { c.read += len(p); return len(p), nil }

func TestALoginByQueryIsRefused(t *testing.T) {
	g := newGateway(t, judgeable())
	b := g.browser("laptop")
	status(t, "closed", b.get("/login?user=ann&pass=x"), http.StatusBadRequest)
	if g.backend.count() > 0 {
		t.Error("it reached the backend")
	}
	g.mode = identity.Open
	status(t, "open", b.get("/login?user=ann&pass=x"), 200)
}

func TestThreat_L4_AStoreThatIsAwayLetsNobodyIn(t *testing.T) {
	eachKind(t, func(t *testing.T, g *gateway) {
		signedIn(t, g)
		b := g.browser("laptop")
		b.get("/login")
		b.signIn("ann", passwords["ann"])
		m := &mortal{Store: g.store}
		m.left.Store(-1)
		g.store = m
		g.reload()
		m.dead.Store(true)
		for _, r := range []*http.Request{
			b.request("GET", "/home", "", nil), b.request("GET", "/login", "", nil), b.request("POST", "/home", "", nil),
			b.request("POST", "/login", "application/x-www-form-urlencoded", strings.NewReader("user=ann&pass="+passwords["ann"])),
		} {
			n := g.backend.count()
			resp := b.do(r)
			for _, x := range g.backend.reached[n:] {
				if x.user != "" {
					t.Fatalf("%s %s reached the backend as %s", x.method, x.uri, x.user)
				}
			}
			if strings.Contains(text(resp), "ann") {
				t.Fatal("something of ann's came out")
			}
		}
	})
}

// A login whose own user may no longer come in is not carried along with a
// new sign-in.
func TestASignInDoesNotCarryASessionThatIsNoLongerAllowed(t *testing.T) {
	eachKind(t, func(t *testing.T, g *gateway) {
		b := signedIn(t, g)
		delete(g.allowed, "ann|laptop")
		b.signIn("bob", "wrong")
		if x := g.backend.last(); x.user != "" || x.session != "" {
			t.Fatalf("it reached the backend as %q", x.user)
		}
		b.allow("ann")
		if text(b.get("/home")) != "hello ann" {
			t.Fatal("a wrong password ended ann's login")
		}
	})
}

func FuzzClean(f *testing.F) {
	g := newGateway(f, judgeable())
	b := signedIn(f, g)
	good, _, _ := strings.Cut(b.jar["sid"], "~")
	for _, seed := range []string{
		"sid=" + b.jar["sid"], "sid=x", "a=1; sid=x", `a="1; sid=x"`, "SID=x~y", "s%69d=x", "cadenas=1", "sid", "a=1,sid=2", "=;=;;=sid", "sid=" + b.jar["sid"] + "; sid=x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cookie string) {
		for _, device := range []string{"laptop", "thief", ""} {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header["Cookie"] = []string{cookie}
			s := g.w.Clean(r, device, identity.Closed)
			rest := strings.ToLower(strings.Join(r.Header["Cookie"], ";"))
			if device != "laptop" && (strings.Contains(rest, good) || !s.Person.Nobody()) {
				t.Errorf("%s: %q leaves %q", device, cookie, rest)
			}
			for _, c := range r.Cookies() { // as a Go backend reads them
				if strings.EqualFold(c.Name, "sid") && c.Value != good && c.Value != `"`+good+`"` {
					t.Errorf("%q leaves sid=%q", cookie, c.Value)
				}
				if identity.OurCookie(c.Name) {
					t.Errorf("%q leaves %s", cookie, c.Name)
				}
			}
		}
	})
}
