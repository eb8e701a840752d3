package identity

import (
	"net/http"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/seal"
)

// Cleaned is what Clean made of a Cookie header, for the next request that
// comes with the same one. It is kept for one case only, which is nearly
// every request: padlock closed, and one login, bound to this device, in
// stamped values. All else is judged anew each time.
type Cleaned struct {
	// Session is shared by all requests that it is good for: it must not be
	// changed.
	Session Session

	watcher *Watcher
	device  string
	cookie  string // what is left of the header for the backend
	row     *row
	ring    *seal.Ring
	learnt  *learnt
}

// maxCleaned is how long a Cookie header may be, in bytes, that is worth
// keeping.
const maxCleaned = 3000

// CleanFor is Clean that also returns what to keep for the same header, or
// nil. The device must be known by that same header.
func (w *Watcher) CleanFor(r *http.Request, deviceID string, mode Mode) (Session, *Cleaned) {
	lines := r.Header["Cookie"]
	c := &Cleaned{watcher: w, device: deviceID, ring: w.deps.Ring(), learnt: w.names.known()}
	one := mode == Closed && len(lines) == 1 && len(lines[0]) <= maxCleaned && !bearsToken(r.Header) && w.names.loaded.Load()
	s := w.clean(r, deviceID, mode, c)
	if !one || c.row == nil || s.State != books.LoginBound || s.Bad != nil || s.Err != nil || s.Foreign || s.Unproved ||
		s.older || len(s.unproved)+len(s.stamped)+len(s.fresh) > 0 || s.Login.ID != c.row.login.ID {
		return s, nil
	}
	if left := r.Header["Cookie"]; len(left) == 1 {
		c.cookie = left[0]
	}
	c.Session = s
	return s, c
}

// Recall is Clean for a request with the same Cookie header, and so the same
// device, as c was made of; cookies are the lines of that header, and token says
// that it has one that may hold a token. It reports false, and has changed
// nothing, where anything that c rests on may be another by now: Clean has to
// judge then.
func (w *Watcher) Recall(c *Cleaned, r *http.Request, cookies []string, token bool, now time.Time) bool {
	switch {
	case c.watcher != w, c.ring != w.deps.Ring(), c.row.gone.Load(), now.Sub(c.row.since) >= freshFor:
		return false
	case !w.names.loaded.Load(), w.names.known() != c.learnt, !w.taken.none(now):
		return false
	case sessionInPath(r.URL), r.URL.RawQuery != "" && w.tokensKnown(): // without tokens a query can only take from nobody
		return false
	}
	if token || len(cookies) != 1 {
		return false
	}
	c.row.use(now)
	if c.cookie == "" {
		delete(r.Header, "Cookie")
	} else {
		cookies[0] = c.cookie
	}
	return true
}

// bearsToken reports whether a request has a header that may hold a token.
func bearsToken(h http.Header) bool {
	for _, name := range tokenHeaders {
		if len(h[name]) > 0 {
			return true
		}
	}
	return false
}
