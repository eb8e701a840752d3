package identity_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cadenas-gateway/cadenas/identity"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

// mortal is a store whose process can die: from then on nothing is written
// and nothing is read.
type mortal struct {
	store.Store
	left atomic.Int64 // batches until it dies; negative: it does not
	dead atomic.Bool
}

var errDied = errors.New("the process died")

func (m *mortal) Apply(ctx context.Context, b store.Batch) error {
	if m.left.Add(-1) == 0 {
		m.dead.Store(true)
	}
	if m.dead.Load() {
		return errDied
	}
	return m.Store.Apply(ctx, b)
}

func (m *mortal) Get(ctx context.Context, key string) ([]byte, error) {
	if m.dead.Load() {
		return nil, errDied
	}
	return m.Store.Get(ctx, key)
}

func (m *mortal) Range(ctx context.Context, q store.Query) ([]store.Entry, error) {
	if m.dead.Load() {
		return nil, errDied
	}
	return m.Store.Range(ctx, q)
}

// machine drives the real watcher and a small backend. Its invariants are
// the properties at the end of the design of the login watcher.
type machine struct {
	*gateway
	mortal   *mortal
	browsers []*browser
	// origin are the devices a backend session's user signed into it on; it
	// begins anew with another user. Adopted are those that used it while the padlock was
	// open, where whoami names users: they too may have it, if allowed.
	origin  map[string]*owned
	adopted map[string]bool
	broken  []string // invariants that did not hold
	// undisturbed: nobody was revoked, nothing stolen, nothing died: then an
	// open padlock must be transparent.
	undisturbed bool
}

// owned is whose a backend session is, and on which devices.
type owned struct {
	user    string
	devices []string
}

func (o *owned) by(user, device string) bool {
	return o != nil && o.user == user && slices.Contains(o.devices, device)
}

func (o *owned) and(user, device string) *owned {
	if o == nil || o.user != user {
		return &owned{user, []string{device}}
	}
	return &owned{user, append(slices.Clone(o.devices), device)}
}

const deviceHeader = "X-Test-Device"

func newMachine(t testing.TB, whoami, rotates bool, failing string) *machine {
	cfg := judgeable()
	cfg.Public = []string{"/open/*"}
	if whoami {
		cfg.Success, cfg.Whoami = nil, identity.Whoami{Path: "/me", JSON: "user.name"}
	}
	m := &machine{gateway: newGateway(t, cfg), origin: map[string]*owned{}, adopted: map[string]bool{}, undisturbed: true}
	m.mortal = &mortal{Store: memory.New()}
	m.mortal.left.Store(-1)
	m.store = m.mortal
	m.reload()
	m.backend.rotates, m.backend.failing = rotates, failing
	for i := range 3 {
		b := m.browser(fmt.Sprintf("device%d", i))
		b.header[deviceHeader] = b.device()
		m.browsers = append(m.browsers, b)
	}
	m.backend.answer = m.watchBackend
	return m
}

// watchBackend looks at every request that reaches the backend.
func (m *machine) watchBackend(_ http.ResponseWriter, r *http.Request) bool {
	cookie := r.Header.Get("Cookie")
	if strings.Contains(cookie, "~") || strings.Contains(cookie, "cadenas") {
		m.broken = append(m.broken, "a stamp or a cookie of ours reached the backend: "+cookie)
	}
	device := r.Header.Get(deviceHeader)
	c, err := r.Cookie("sid")
	if device == "" || err != nil {
		return false // a probe of the gate's own
	}
	if m.mode != identity.Closed {
		return false
	}
	m.backend.mu.Lock()
	user := m.backend.sessions[c.Value]
	m.backend.mu.Unlock()
	if user == "" {
		return false
	}
	m.mu.Lock()
	allowed := m.allowed[user+"|"+device] && !m.refused[user]
	m.mu.Unlock()
	if !allowed {
		m.broken = append(m.broken, fmt.Sprintf("%s %s: %s's session reached the backend from %s, which is not allowed", r.Method, r.URL, user, device))
	}
	if !m.origin[c.Value].by(user, device) && !m.adopted[c.Value+device] {
		m.broken = append(m.broken, fmt.Sprintf("%s %s: %s's session of %+v reached the backend from %s", r.Method, r.URL, user, m.origin[c.Value], device))
	}
	return false
}

// noteOrigins gives sessions that a request on device brought about their
// origin: who is newly signed in there, or rotated there.
func (m *machine) noteOrigins(device string, before map[string]string) {
	m.backend.mu.Lock()
	defer m.backend.mu.Unlock()
	for sid, user := range m.backend.sessions {
		if user != "" && (before[sid] != user || m.backend.signed == sid) {
			m.origin[sid] = m.origin[sid].and(user, device)
		}
	}
}

func (m *machine) sessions() map[string]string {
	m.backend.mu.Lock()
	defer m.backend.mu.Unlock()
	out := map[string]string{}
	for k, v := range m.backend.sessions {
		out[k] = v
	}
	return out
}

// step does something on a browser and notes what came of it; where the
// process dies in the middle, the browser gets no answer and a new process
// comes up.
func (m *machine) step(b *browser, do func(rw http.ResponseWriter)) *http.Response {
	before := m.sessions()
	if sid := b.jar["sid"]; m.mode == identity.Open && m.cfg.Whoami.Path != "" && !strings.Contains(sid, "~") {
		m.adopted[sid+b.device()] = true
	}
	rec := httptest.NewRecorder()
	do(rec)
	defer func() { m.backend.signed = "" }()
	m.noteOrigins(b.header[deviceHeader], before)
	m.mortal.left.Store(-1)
	if m.mortal.dead.Load() {
		m.mortal.dead.Store(false)
		m.undisturbed = false
		m.reload()
		return nil
	}
	resp := rec.Result()
	b.take(resp.Header)
	return resp
}

func (m *machine) send(b *browser, r *http.Request) *http.Response {
	return m.step(b, func(rw http.ResponseWriter) { m.ServeHTTP(rw, r) })
}

func (m *machine) loginRequest(b *browser, user, password string) *http.Request {
	return b.request("POST", "/login", "application/x-www-form-urlencoded",
		strings.NewReader(url.Values{"user": {user}, "pass": {password}}.Encode()))
}

func (m *machine) actions() map[string]func(*rapid.T) {
	users := rapid.SampledFrom([]string{"ann", "bob"})
	pick := func(t *rapid.T) *browser {
		return m.browsers[rapid.IntRange(0, len(m.browsers)-1).Draw(t, "device")]
	}
	return map[string]func(*rapid.T){
		"open the form": func(t *rapid.T) { b := pick(t); m.send(b, b.request("GET", "/login", "", nil)) },
		"visit": func(t *rapid.T) {
			b := pick(t)
			method := rapid.SampledFrom([]string{"GET", "GET", "GET", "POST"}).Draw(t, "method")
			path := rapid.SampledFrom([]string{"/home", "/open/x", "/rotate", "/login"}).Draw(t, "path")
			if path == "/login" {
				method = "GET"
			}
			resp := m.send(b, b.request(method, path, "", nil))
			if resp == nil || m.mode != identity.Open || !m.undisturbed || path != "/home" {
				return
			}
			raw, _, _ := strings.Cut(b.jar["sid"], "~")
			if got, want := text(resp), "hello "+m.backend.sessions[raw]; got != want {
				t.Fatalf("padlock open: %s sees %q, without the gate %q", b.device(), got, want)
			}
		},
		"sign in": func(t *rapid.T) {
			b, user := pick(t), users.Draw(t, "user")
			m.send(b, m.loginRequest(b, user, passwords[user]))
		},
		"sign in afresh and be in": func(t *rapid.T) {
			b, user := pick(t), users.Draw(t, "user")
			m.send(b, b.request("GET", "/login", "", nil))
			resp := m.send(b, m.loginRequest(b, user, passwords[user]))
			if resp != nil && m.attempt.Outcome == identity.OutcomeInconclusive && m.mode == identity.Closed {
				// Over another's session, and it did not change: once more.
				m.send(b, b.request("GET", "/login", "", nil))
				resp = m.send(b, m.loginRequest(b, user, passwords[user]))
			}
			v, _ := m.verdict(user, b.device())
			if resp == nil || v.Answer != "allow" || resp.StatusCode == http.StatusServiceUnavailable {
				return // the last: what a process that died left behind, for a minute and a half
			}
			if got := text(m.send(b, b.request("GET", "/home", "", nil))); got != "hello "+user {
				t.Fatalf("%s signed in on %s, where they are allowed, and sees %q (attempt %+v)", user, b.device(), got, m.attempt)
			}
		},
		"wrong password": func(t *rapid.T) {
			b, user := pick(t), users.Draw(t, "user")
			home := text(m.send(b, b.request("GET", "/home", "", nil)))
			if strings.HasPrefix(home, "deciding") {
				return // left behind by a process that died; it ends by itself
			}
			asked := len(m.asked)
			if resp := m.send(b, m.loginRequest(b, user, "wrong")); resp == nil {
				return
			}
			if m.session.Foreign && m.mode == identity.Open && m.attempt.Outcome != identity.OutcomeReleased {
				return // a copied session that was somebody's before: the gate hears of them
			}
			if m.attempt.Outcome != identity.OutcomeFailed || !m.attempt.Person.Nobody() {
				t.Fatalf("a wrong password: %s; mode %d, outcome %d, before %q, jar %v, session %+v, log %s", m.attempt.Reason, m.mode, m.attempt.Outcome, home, b.jar, m.session, m.log)
			}
			for _, name := range m.asked[asked:] {
				// The gate may be asked about the one who is in, not about
				// the name that was typed.
				if name == user && !strings.Contains(home, user) && m.session.Person.User != user {
					t.Fatalf("the gate heard of %s", name)
				}
			}
			if again := text(m.send(b, b.request("GET", "/home", "", nil))); again != home {
				t.Fatalf("a wrong password changed what %s sees: %q, before %q", b.device(), again, home)
			}
		},
		"hang up in the middle": func(t *rapid.T) {
			b, user := pick(t), users.Draw(t, "user")
			ctx, hangUp := context.WithCancel(context.Background())
			m.backend.during = hangUp
			r := m.loginRequest(b, user, passwords[user]).WithContext(ctx)
			m.step(b, func(http.ResponseWriter) { m.ServeHTTP(httptest.NewRecorder(), r) })
			m.backend.during = nil
			m.undisturbed = m.undisturbed && m.backend.rotates
		},
		"two tabs at once": func(t *rapid.T) {
			b, user, other := pick(t), users.Draw(t, "user"), users.Draw(t, "other")
			tab := b.clone()
			path := rapid.SampledFrom([]string{"/home", "/login", "sign in"}).Draw(t, "meanwhile")
			m.backend.during = func() {
				m.backend.during = nil
				r := m.loginRequest(tab, other, passwords[other])
				if path != "sign in" {
					r = tab.request("GET", path, "", nil)
				}
				m.send(b, r) // one jar for both tabs
			}
			m.send(b, m.loginRequest(b, user, passwords[user]))
			m.backend.during = nil
			m.undisturbed = false
		},
		"the process dies": func(t *rapid.T) {
			b, user := pick(t), users.Draw(t, "user")
			m.mortal.left.Store(int64(rapid.IntRange(1, 4).Draw(t, "batches")))
			switch rapid.IntRange(0, 2).Draw(t, "doing") {
			case 0:
				m.send(b, m.loginRequest(b, user, passwords[user]))
			case 1:
				m.send(b, m.loginRequest(b, user, "wrong"))
			case 2:
				if held, ok, err := m.w.Held(context.Background(), b.device()); err == nil && ok {
					m.send(b, b.request("POST", held.Action, "application/x-www-form-urlencoded",
						strings.NewReader(url.Values{identity.TicketField: {held.Ticket}}.Encode())))
				}
			}
			m.mortal.left.Store(-1)
			m.undisturbed = false
			m.reload()
			if m.mode == identity.Open || rapid.Bool().Draw(t, "later") {
				// Padlock open, what was being decided counts as its former
				// user's until it is over.
				time.Sleep(2 * time.Minute)
			}
		},
		"time passes": func(t *rapid.T) {
			time.Sleep(time.Duration(rapid.IntRange(1, 40).Draw(t, "minutes")) * time.Minute)
		},
		"reload":  func(*rapid.T) { m.reload() },
		"approve": func(t *rapid.T) { b, user := pick(t), users.Draw(t, "user"); m.allowed[user+"|"+b.device()] = true },
		"release": func(t *rapid.T) {
			b := pick(t)
			held, ok, err := m.w.Held(context.Background(), b.device())
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				return
			}
			user := held.Login.Person.User
			v, _ := m.verdict(user, b.device())
			resp := m.send(b, b.request("POST", held.Action, "application/x-www-form-urlencoded",
				strings.NewReader(url.Values{identity.TicketField: {held.Ticket}}.Encode())))
			if v.Answer != "allow" {
				if resp.StatusCode != http.StatusForbidden {
					t.Fatalf("released unapproved: %d", resp.StatusCode)
				}
				return
			}
			if resp.StatusCode != http.StatusFound {
				t.Fatalf("approved and not released: %d %s", resp.StatusCode, text(resp))
			}
			if got := text(m.send(b, b.request("GET", "/home", "", nil))); got != "hello "+user && m.undisturbed {
				t.Fatalf("after the release %s sees %q", user, got)
			}
		},
		"refuse": func(t *rapid.T) {
			b := pick(t)
			if held, ok, err := m.w.Held(context.Background(), b.device()); err == nil && ok {
				if err := m.w.Refuse(context.Background(), held.Login); err != nil {
					t.Fatal(err)
				}
				m.undisturbed = false
			}
		},
		"withdraw": func(t *rapid.T) {
			b, user := pick(t), users.Draw(t, "user")
			delete(m.allowed, user+"|"+b.device())
		},
		"revoke": func(t *rapid.T) {
			user := users.Draw(t, "user")
			for key := range m.allowed {
				if strings.HasPrefix(key, user+"|") {
					delete(m.allowed, key)
				}
			}
			if err := m.w.EndAll(context.Background(), user); err != nil {
				t.Fatal(err)
			}
			m.undisturbed = false
		},
		"lock": func(t *rapid.T) {
			user := users.Draw(t, "user")
			m.refused[user] = !m.refused[user]
			m.undisturbed = false
		},
		"sign out": func(t *rapid.T) { b := pick(t); m.send(b, b.request("POST", "/logout", "", nil)) },
		"steal": func(t *rapid.T) {
			from, to := pick(t), pick(t)
			value := from.jar["sid"]
			if value == "" || from == to {
				return
			}
			raw, stamp, _ := strings.Cut(value, "~")
			switch rapid.IntRange(0, 3).Draw(t, "how") {
			case 0:
				to.jar["sid"] = value
			case 1:
				to.jar["sid"] = raw
			case 2:
				if _, own, ok := strings.Cut(to.jar["sid"], "~"); ok {
					to.jar["sid"] = raw + "~" + own
				}
			case 3:
				if own, _, ok := strings.Cut(to.jar["sid"], "~"); ok && stamp != "" {
					to.jar["sid"] = own + "~" + stamp
				}
			}
			m.undisturbed = false
		},
		"turn the padlock": func(t *rapid.T) {
			if m.mode == identity.Closed {
				m.turn(identity.Open)
			} else {
				m.turn(identity.Closed)
			}
		},
		"": func(t *rapid.T) {
			if len(m.broken) > 0 {
				t.Fatal(strings.Join(m.broken, "\n"))
			}
		},
	}
}

func TestNoSessionReachesTheBackendThatWasNotReleased(t *testing.T) {
	for _, c := range []struct {
		name            string
		whoami, rotates bool
		failing         string
	}{
		{"a backend that rotates, judged by where it leads", false, true, "form"},
		{"one that keeps the session", false, false, "redirect"},
		{"one that rotates at each step", false, true, "rotate"},
		{"one that names its users", true, true, "403"},
		{"one that names them and keeps the session", true, false, "rotate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				rapid.SyncTest(rt, func(rt *rapid.T) {
					m := newMachine(t, c.whoami, c.rotates, c.failing)
					rt.Repeat(m.actions())
				})
			})
		})
	}
}
