package identity

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// maxNames bounds how many session cookies an application can make us learn.
const maxNames = 64

// learnt is what the watcher found out about an application: in the store,
// so that a restart and other instances know it.
type learnt struct {
	// Names are the session cookies, by folded name.
	Names map[string]shape
	// User is the field in which the user's name was when a sign-in was
	// first proved; from then on no other field is believed.
	User string
	// Tokens says that the login was seen to answer with a token.
	Tokens bool
	// Restless are the sessions, by folded name, that get a new value with
	// every answer, or nearly.
	Restless map[string]bool
	// Proved says that a sign-in was told apart without being configured.
	Proved bool

	books.Unknown
}

// shape is how a cookie was last set, all but its value: taking a stamp off
// (Drain) must replace the very cookie.
type shape struct {
	Name     string
	Path     string
	Domain   string
	SameSite string
	HTTPOnly bool
	Secure   bool
	Persists bool
}

// names tells session cookies from others.
type names struct {
	application string
	st          store.Store
	patterns    []string // folded; nil: found out

	mu     sync.Mutex // writes
	loaded atomic.Bool
	seen   atomic.Pointer[learnt]
	turns  *otter.Cache[string, *turn]
}

func newNames(cfg Config, st store.Store) (*names, error) {
	n := &names{application: cfg.Application, st: st}
	var err error
	if n.turns, err = otter.New(&otter.Options[string, *turn]{MaximumSize: 10_000}); err != nil {
		return nil, fmt.Errorf("making the memory of rotations: %w", err)
	}
	for _, p := range cfg.Session {
		n.patterns = append(n.patterns, foldPattern(p))
	}
	n.seen.Store(&learnt{})
	return n, nil
}

// foldPattern folds a pattern's text and leaves its stars.
func foldPattern(p string) string {
	parts := strings.Split(p, "*")
	for i := range parts {
		parts[i] = foldName(parts[i])
	}
	return strings.Join(parts, "*")
}

func (n *names) key() string { return books.Key(n.application, "learnt", "login") }

// load reads what was learnt, once it can be read; until then what is known
// is what this process saw.
func (n *names) load(ctx context.Context) {
	if n.loaded.Load() {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.loaded.Load() {
		return
	}
	kept, err := books.Get[learnt](ctx, n.st, n.key())
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return // tried again with the next request
	}
	n.seen.Store(merge(*n.seen.Load(), kept))
	n.loaded.Store(true)
}

// forget makes the next request read again: another instance learnt.
func (n *names) forget() { n.loaded.Store(false) }

func merge(a, b learnt) *learnt {
	m := learnt{Names: make(map[string]shape, len(a.Names)+len(b.Names)), User: b.User, Tokens: a.Tokens || b.Tokens, Proved: a.Proved || b.Proved}
	if m.User == "" {
		m.User = a.User
	}
	if len(a.Restless)+len(b.Restless) > 0 {
		m.Restless = make(map[string]bool, len(a.Restless)+len(b.Restless))
		maps.Copy(m.Restless, a.Restless)
		maps.Copy(m.Restless, b.Restless)
	}
	maps.Copy(m.Names, a.Names)
	maps.Copy(m.Names, b.Names)
	return &m
}

// known returns what was learnt.
func (n *names) known() *learnt { return n.seen.Load() }

// session reports whether a request's cookie is a session cookie. It
// allocates nothing for names that need no folding.
func (n *names) session(name string) bool {
	var room [64]byte
	folded := appendFolded(room[:0], name)
	if n.is(folded) {
		return true
	}
	// name[key]=value is an array called name, to PHP.
	if i := strings.IndexByte(name, '['); i > 0 {
		return n.is(appendFolded(room[:0], name[:i]))
	}
	return false
}

func (n *names) is(folded []byte) bool {
	if n.patterns != nil {
		for _, p := range n.patterns {
			if glob(p, string(folded)) {
				return !sameForAll(string(folded))
			}
		}
		return false
	}
	if _, ok := n.seen.Load().Names[string(folded)]; ok {
		return !sameForAll(string(folded))
	}
	return wellKnown(string(folded))
}

// sameForAll reports a cookie, by its folded name, whose value is the same for
// everybody: as a session it would be the first's who signs in, and be taken
// from all others. WordPress asks with it whether cookies are on.
func sameForAll(folded string) bool {
	return folded == "wordpress_test_cookie" || strings.HasSuffix(folded, "nc_samesitecookielax") || strings.HasSuffix(folded, "nc_samesitecookiestrict")
}

// tooShort reports a value that is no secret ("true", "fr"): a cookie that is
// found out is no session with it.
func tooShort(c setCookie) bool { return len(c.value) < 8 }

// wellKnown reports whether a folded name is one that frameworks give to
// their session cookie, some of them without HttpOnly.
func wellKnown(folded string) bool {
	for _, prefix := range []string{"__host-", "__secure-"} {
		folded = strings.TrimPrefix(folded, prefix)
	}
	switch folded {
	case "phpsessid", "jsessionid", "asp_net_sessionid", "connect_sid", "sessionid", "session_id", "session",
		"sid", "laravel_session", "_session_id", "ci_session", "cfid", "cftoken", "sessid", "auth_token", "_aspxauth", "remember_token":
		return true
	}
	return strings.HasPrefix(folded, "_aspnetcore_") && !strings.Contains(folded, "antiforgery") ||
		strings.HasPrefix(folded, "aspsessionid") ||
		strings.HasPrefix(folded, "wordpress_logged_in") || strings.HasPrefix(folded, "wordpress_sec") ||
		strings.HasSuffix(folded, "_session") || strings.HasSuffix(folded, "sessid")
}

// set reports whether a cookie that the backend sets is a session, and
// learns its name. Proved says that it stands in the answer to a proved
// sign-in that set no other session.
func (n *names) set(c setCookie, proved bool) bool {
	folded := foldName(c.name)
	is := n.is([]byte(folded))
	if n.patterns != nil && !is {
		return false
	}
	if !is && ((!c.httpOnly && !proved) || tooShort(c) || sameForAll(folded)) {
		return false
	}
	if c.cleared && !is {
		return false // nothing to stamp, nothing to learn
	}
	if !c.cleared {
		n.learn(folded, shape{
			Name: c.name, Path: c.path, Domain: c.domain, SameSite: c.sameSite,
			HTTPOnly: c.httpOnly, Secure: c.secure, Persists: c.persistent,
		})
	}
	return true
}

func (n *names) learn(folded string, s shape) {
	// The first shape stands: a cookie that is set in two ways by turns must
	// not cost a write each time.
	if _, ok := n.seen.Load().Names[folded]; ok || len(n.seen.Load().Names) >= maxNames {
		return
	}
	n.update(func(l *learnt) { l.Names[folded] = s })
}

// A session is restless when it gets this many new values on one device
// within this time, without a sign-in. One alone may be a session that ran
// out at the backend.
const (
	restlessTurns = 3
	restlessTime  = 10 * time.Minute
)

// turn counts the new values of a session on one device.
type turn struct {
	mu    sync.Mutex
	since time.Time
	count int
}

// turned notes that a session got a new value without a sign-in.
func (n *names) turned(name, device string, now time.Time) {
	folded := foldName(name)
	if l := n.known(); l.Restless[folded] || len(l.Restless) >= maxNames || device == "" {
		return
	}
	t, _ := n.turns.SetIfAbsent(device+"|"+folded, &turn{since: now})
	t.mu.Lock()
	if now.Sub(t.since) > restlessTime {
		t.since, t.count = now, 0
	}
	t.count++
	restless := t.count >= restlessTurns
	t.mu.Unlock()
	if !restless {
		return
	}
	n.update(func(l *learnt) {
		if l.Restless == nil {
			l.Restless = map[string]bool{}
		}
		l.Restless[folded] = true
	})
}

// learnLogin remembers what a proved sign-in shows: the field of the user's
// name, and whether it answers with a token.
func (n *names) learnLogin(field string, token bool) {
	if l := n.known(); l.Proved && (l.User != "" || field == "") && (l.Tokens || !token) {
		return
	}
	n.update(func(l *learnt) {
		if l.User == "" {
			l.User = field
		}
		l.Tokens = l.Tokens || token
		l.Proved = true
	})
}

// update changes what is known, here at once and in the store as soon as it
// can be written; a store that is away loses nothing but time, for the next
// answer teaches it again.
func (n *names) update(change func(l *learnt)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	next := merge(*n.seen.Load(), learnt{})
	change(next)
	n.seen.Store(next)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	kept, err := books.Update(ctx, n.st, n.key(), func(l *learnt) ([]store.Write, bool, error) {
		if l.Names == nil {
			l.Names = map[string]shape{}
		}
		for k, v := range next.Names {
			if _, ok := l.Names[k]; !ok && len(l.Names) >= maxNames {
				continue
			}
			l.Names[k] = v
		}
		for k := range next.Restless {
			if l.Restless == nil {
				l.Restless = map[string]bool{}
			}
			l.Restless[k] = true
		}
		if l.User == "" {
			l.User = next.User
		}
		l.Tokens, l.Proved = l.Tokens || next.Tokens, l.Proved || next.Proved
		return nil, true, nil
	})
	if err == nil {
		n.seen.Store(merge(*next, kept))
	} else {
		n.loaded.Store(false)
	}
}
