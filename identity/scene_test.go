package identity_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/identity"
	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

// backend is a small application with a login form of its own. It knows
// nothing of the gate and records whatever reaches it.
type backend struct {
	mu       sync.Mutex
	rotates  bool   // a new session value at sign-in
	failing  string // "form", "redirect", "403", "rotate"
	script   bool   // answers JSON
	token    bool   // answers with a token, sets no cookie
	httpOnly bool
	sessions map[string]string // session value to user, "" for nobody
	signed   string            // the session that was kept through the last sign-in
	tokens   map[string]string
	reached  []reach
	during   func() // runs while a login is at the backend
	answer   func(w http.ResponseWriter, r *http.Request) bool
	doors    bool // GET /magic?user= signs in unseen
}

// reach is one request that reached the backend.
type reach struct {
	method, uri, cookie, auth string
	body                      []byte
	header                    http.Header
	session, user             string
}

var passwords = map[string]string{"ann": "correct-horse-ann", "bob": "correct-horse-bob", "eve": "correct-horse-eve"}

func newBackend() *backend {
	return &backend{rotates: true, failing: "form", httpOnly: true, sessions: map[string]string{}, tokens: map[string]string{}}
}

func fresh() string {
	var b [12]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	b.mu.Lock()
	sid := ""
	if c, err := r.Cookie("sid"); err == nil {
		sid = c.Value
	}
	user, known := b.sessions[sid]
	if token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "); token != "" && b.tokens[token] != "" {
		user = b.tokens[token]
	}
	b.reached = append(b.reached, reach{r.Method, r.RequestURI, r.Header.Get("Cookie"), r.Header.Get("Authorization"), body, r.Header.Clone(), sid, user})
	during, answer := b.during, b.answer
	b.mu.Unlock()
	if answer != nil && answer(w, r) {
		return
	}
	form, _ := url.ParseQuery(string(body))
	switch {
	case r.URL.Path == "/login" && r.Method == http.MethodPost:
		if during != nil {
			during()
		}
		b.login(w, sid, user, form)
	case r.URL.Path == "/login":
		if !known {
			b.setSession(w, b.begin(""))
		}
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, `<form action="/login"><input name=user><input type="password" name=pass></form>`)
	case r.URL.Path == "/logout":
		b.mu.Lock()
		delete(b.sessions, sid)
		b.mu.Unlock()
		w.Header().Add("Set-Cookie", "sid=deleted; Path=/; Max-Age=0")
		w.Header().Set("Location", "/")
		w.WriteHeader(http.StatusSeeOther)
	case r.URL.Path == "/magic" && b.doors:
		b.mu.Lock()
		b.sessions[sid] = r.URL.Query().Get("as")
		b.mu.Unlock()
		io.WriteString(w, "in")
	case r.URL.Path == "/rotate":
		b.mu.Lock()
		delete(b.sessions, sid)
		b.mu.Unlock()
		b.setSession(w, b.begin(user))
		io.WriteString(w, "rotated")
	case r.URL.Path == "/me":
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"user":{"name":%q}}`, user)
	default:
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "hello %s", user)
	}
}

func (b *backend) begin(user string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := fresh()
	b.sessions[id] = user
	return id
}

func (b *backend) setSession(w http.ResponseWriter, id string) {
	line := "sid=" + id + "; Path=/"
	if b.httpOnly {
		line += "; HttpOnly"
	}
	w.Header().Add("Set-Cookie", line)
}

func (b *backend) login(w http.ResponseWriter, sid, before string, form url.Values) {
	user := form.Get("user")
	if passwords[user] == "" || passwords[user] != form.Get("pass") {
		switch b.failing {
		case "redirect":
			w.Header().Set("Location", "/login?error=1")
			w.WriteHeader(http.StatusFound)
		case "rotate":
			b.setSession(w, b.begin(before))
			w.Header().Set("Location", "/login")
			w.WriteHeader(http.StatusFound)
		case "403":
			w.WriteHeader(http.StatusForbidden)
		default:
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, `wrong <form action="/login"><input name=user><input type="password" name=pass></form>`)
		}
		return
	}
	if b.token {
		b.mu.Lock()
		token := fresh()
		b.tokens[token] = user
		b.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer"}`, token)
		return
	}
	b.mu.Lock()
	_, known := b.sessions[sid]
	switch {
	case b.rotates || !known:
		delete(b.sessions, sid)
		b.mu.Unlock()
		b.setSession(w, b.begin(user))
	default:
		b.sessions[sid], b.signed = user, sid
		b.mu.Unlock()
	}
	if b.script {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"ok":true}`)
		return
	}
	w.Header().Set("Location", "/home")
	w.WriteHeader(http.StatusFound)
}

// last is the newest request that reached the backend.
func (b *backend) last() reach {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.reached) == 0 {
		return reach{}
	}
	return b.reached[len(b.reached)-1]
}

func (b *backend) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.reached)
}

// gateway is the handler's part: the order of a request, and a gate that
// allows what a test says.
type gateway struct {
	t       testing.TB
	w       *identity.Watcher
	cfg     identity.Config
	store   store.Store
	books   *books.Books
	ring    *seal.Ring
	backend *backend
	log     *bytes.Buffer
	clock   func() time.Time

	mu      sync.Mutex
	mode    identity.Mode
	allowed map[string]bool // user + "|" + device
	refused map[string]bool
	fail    error // what the gate answers with
	asked   []string
	attempt identity.Attempt
	session identity.Session
	right   identity.Right
}

func config() identity.Config {
	return identity.Config{Application: "shop", Path: "/login", User: "user", Session: []string{"sid"}, Logout: "/logout"}
}

func newGateway(t testing.TB, cfg identity.Config) *gateway {
	t.Helper()
	ring, err := seal.NewRing(map[byte][]byte{1: seal.NewKey()}, 1)
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{
		t: t, cfg: cfg, store: memory.New(), ring: ring, backend: newBackend(), log: &bytes.Buffer{}, clock: time.Now,
		mode: identity.Closed, allowed: map[string]bool{}, refused: map[string]bool{},
	}
	g.reload()
	return g
}

// reload makes a new watcher on the same store, as a reload or a restart
// does.
func (g *gateway) reload() {
	g.t.Helper()
	g.books = books.New(g.store)
	w, err := identity.NewWatcher(g.cfg, identity.Deps{
		Books: g.books, Ring: func() *seal.Ring { return g.ring }, Clock: func() time.Time { return g.clock() },
		Log: slog.New(slog.NewTextHandler(g.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		g.t.Fatal(err)
	}
	g.w = w
}

// turn opens or closes the padlock.
func (g *gateway) turn(mode identity.Mode) {
	g.t.Helper()
	g.mode = mode
	time.Sleep(time.Second) // only in a bubble: stamps know seconds
	_, err := g.books.Padlocks.Update(context.Background(), "shop", func(p *books.Padlock) ([]store.Write, bool, error) {
		p.Closed, p.Changed = mode == identity.Closed, books.Mark{At: g.clock()}
		return nil, true, nil
	})
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *gateway) next(rw http.ResponseWriter, r *http.Request) error {
	g.backend.ServeHTTP(rw, r)
	return nil
}

func (g *gateway) verdict(user, device string) (access.Verdict, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, user)
	if g.fail != nil {
		return access.Verdict{}, g.fail
	}
	switch {
	case g.refused[user]:
		return access.Verdict{Answer: access.Deny, Step: access.StepLocked}, nil
	case g.mode != identity.Closed:
		return access.Verdict{Answer: access.LetIn, Step: access.StepPadlock}, nil
	case g.allowed[user+"|"+device]:
		return access.Verdict{Answer: access.LetIn, Step: access.StepRule}, nil
	}
	return access.Verdict{Answer: access.Approval, Step: access.StepPolicy, New: []access.Part{access.PartDevice}}, nil
}

func (g *gateway) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	device := access.Device{}
	if c, err := r.Cookie("__Host-cadenas"); err == nil {
		device.ID = c.Value
	}
	g.mu.Lock()
	mode := g.mode
	g.mu.Unlock()
	s := g.w.Clean(r, device.ID, mode)
	g.session = s
	if s.Bad != nil {
		http.Error(rw, "bad", http.StatusBadRequest)
		return
	}
	if device.ID == "" {
		device.ID = "device-" + fresh()
		rw.Header().Add("Set-Cookie", "__Host-cadenas="+device.ID+"; Path=/; Secure; HttpOnly")
	}
	decide := func(_ context.Context, p access.Person, _ books.Login) (access.Verdict, error) {
		return g.verdict(p.User, device.ID)
	}
	if mode == identity.Closed {
		if done, long := g.w.Screen(r); long {
			defer done()
		}
	}
	switch g.w.Classify(r, &s) {
	case identity.StepRelease:
		_, err := g.w.Release(rw, r, device.ID, decide)
		switch {
		case errors.Is(err, identity.ErrWaiting):
			http.Error(rw, "waiting", http.StatusForbidden)
		case errors.Is(err, identity.ErrTicket):
			http.Error(rw, "ticket", http.StatusBadRequest)
		case errors.Is(err, identity.ErrSignInAgain):
			http.Error(rw, "approved, sign in again", http.StatusForbidden)
		case err != nil:
			http.Error(rw, err.Error(), http.StatusGone)
		}
		return
	case identity.StepLogin:
		a, err := g.w.Login(rw, r, s, device, mode, g.next, decide)
		g.attempt = a
		switch {
		case errors.Is(err, identity.ErrTooLarge):
			http.Error(rw, "too large", http.StatusRequestEntityTooLarge)
		case errors.Is(err, identity.ErrUnreadable):
			http.Error(rw, "unreadable", http.StatusUnsupportedMediaType)
		case errors.Is(err, identity.ErrPath), errors.Is(err, identity.ErrName):
			http.Error(rw, "bad", http.StatusBadRequest)
		case err != nil:
			http.Error(rw, "unavailable", http.StatusServiceUnavailable)
		case a.Written:
		case a.Outcome == identity.OutcomeHeld && a.Fetch && g.cfg.Hold > 0:
			decided := make(chan struct{}, 1)
			go func() { time.Sleep(time.Second); decided <- struct{}{} }()
			if a, err = g.w.Wait(rw, r, a, decided, decide); err == nil && !a.Written {
				http.Error(rw, "waiting", http.StatusForbidden)
			}
			g.attempt = a
		case a.Outcome == identity.OutcomeAborted:
			http.Error(rw, "aborted", http.StatusGatewayTimeout)
		case a.Outcome == identity.OutcomeInconclusive:
			http.Error(rw, "could not be judged", http.StatusBadGateway)
		default:
			http.Error(rw, "waiting", http.StatusForbidden)
		}
		return
	}
	var err error
	if s.State == books.LoginDeciding {
		if s, err = g.w.Settle(r, device.ID, mode, s); err != nil {
			http.Error(rw, "deciding", http.StatusServiceUnavailable)
			return
		}
	}
	if s.State == books.LoginHeld {
		http.Error(rw, "waiting", http.StatusForbidden)
		return
	}
	right := identity.RightForward
	if s.Person.Nobody() {
		if s, right, err = g.w.Nobody(r, s, device, mode, g.next); err != nil {
			http.Error(rw, "unavailable", http.StatusServiceUnavailable)
			return
		}
	}
	if g.w.Doubts(&s, mode) {
		if s, err = g.w.Recheck(r, s, device.ID, mode, g.next); err != nil {
			http.Error(rw, "unavailable", http.StatusServiceUnavailable)
			return
		}
	}
	g.session, g.right = s, right
	if right == identity.RightRefuse {
		http.Error(rw, "nobody", http.StatusForbidden)
		return
	}
	if !s.Person.Nobody() {
		v, err := g.verdict(s.Person.User, device.ID)
		if err != nil || v.Answer != access.LetIn {
			identity.Bare(r)
			http.Error(rw, "waiting", http.StatusForbidden)
			return
		}
	}
	x := g.w.Wrap(rw, r, s, device.ID, mode)
	_ = g.next(x, r)
	x.Finish()
}

// browser is a person's browser: a jar and nothing else.
type browser struct {
	g      *gateway
	jar    map[string]string
	header map[string]string
}

func (g *gateway) browser(device string) *browser {
	b := &browser{g: g, jar: map[string]string{}, header: map[string]string{"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}}
	if device != "" {
		b.jar["__Host-cadenas"] = device
	}
	return b
}

func (b *browser) clone() *browser {
	c := &browser{g: b.g, jar: map[string]string{}, header: map[string]string{}}
	for k, v := range b.jar {
		c.jar[k] = v
	}
	for k, v := range b.header {
		c.header[k] = v
	}
	return c
}

func (b *browser) request(method, target, kind string, body io.Reader) *http.Request {
	r := httptest.NewRequest(method, "http://shop.example"+target, body)
	r.RequestURI = target
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for k, v := range b.header {
		r.Header.Set(k, v)
	}
	names := make([]string, 0, len(b.jar))
	for name := range b.jar {
		names = append(names, name)
	}
	slices.Sort(names)
	var parts []string
	for _, name := range names {
		parts = append(parts, name+"="+b.jar[name])
	}
	if len(parts) > 0 {
		r.Header.Set("Cookie", strings.Join(parts, "; "))
	}
	return r
}

func (b *browser) do(r *http.Request) *http.Response {
	rec := httptest.NewRecorder()
	b.g.ServeHTTP(rec, r)
	resp := rec.Result()
	b.take(resp.Header)
	return resp
}

func (b *browser) take(h http.Header) {
	for _, line := range h.Values("Set-Cookie") {
		pair, rest, _ := strings.Cut(line, ";")
		name, value, _ := strings.Cut(pair, "=")
		if value == "" || strings.Contains(strings.ToLower(rest), "max-age=0") {
			delete(b.jar, name)
			continue
		}
		b.jar[name] = value
	}
}

func (b *browser) get(target string) *http.Response { return b.do(b.request("GET", target, "", nil)) }

func (b *browser) post(target string, form url.Values) *http.Response {
	return b.do(b.request("POST", target, "application/x-www-form-urlencoded", strings.NewReader(form.Encode())))
}

func (b *browser) signIn(user, password string) *http.Response {
	return b.post("/login", url.Values{"user": {user}, "pass": {password}})
}

func (b *browser) device() string { return b.jar["__Host-cadenas"] }

func text(r *http.Response) string {
	b, _ := io.ReadAll(r.Body)
	return string(b)
}

// allow lets a user in on the browser's device.
func (b *browser) allow(user string) { b.g.allowed[user+"|"+b.device()] = true }

// release posts the ticket of the login that waits on the browser's device.
func (b *browser) release() *http.Response {
	b.g.t.Helper()
	held, ok, err := b.g.w.Held(context.Background(), b.device())
	if err != nil {
		b.g.t.Fatal(err)
	}
	if !ok {
		return &http.Response{StatusCode: http.StatusGone, Body: http.NoBody, Header: http.Header{}}
	}
	return b.post(held.Action, url.Values{identity.TicketField: {held.Ticket}})
}

// dump is everything in the store, as text.
func (g *gateway) dump() string {
	var out strings.Builder
	for _, partition := range []string{"shop/", "_/"} {
		entries, err := g.store.Range(context.Background(), store.Query{Prefix: partition})
		if err != nil {
			g.t.Fatal(err)
		}
		for _, e := range entries {
			fmt.Fprintf(&out, "%s %s\n", e.Key, e.Value)
		}
	}
	return out.String()
}

func (g *gateway) ringNow() *seal.Ring { return g.ring }
