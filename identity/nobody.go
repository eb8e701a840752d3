package identity

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

const (
	// settleFor is how long a request waits for a login of its session.
	settleFor = 10 * time.Second
	// settleStep is how often it looks.
	settleStep = 50 * time.Millisecond
	// askAgain is how long whoami's "nobody" is believed, unless the session
	// was at a public path meanwhile, where somebody may have signed in.
	askAgain = time.Minute
)

// Settle waits, at most 10 seconds, for the login that s is part of to be
// judged, and returns what the session then is, the request's cookies
// restored to it; ErrDeciding when it was not.
func (w *Watcher) Settle(r *http.Request, deviceID string, mode Mode, s Session) (Session, error) {
	if s.State != books.LoginDeciding {
		return s, nil
	}
	over := time.NewTimer(settleFor)
	defer over.Stop()
	look := time.NewTicker(settleStep)
	defer look.Stop()
	for {
		select {
		case <-r.Context().Done():
			return s, ErrDeciding
		case <-over.C:
			return s, ErrDeciding
		case <-look.C:
		}
		w.logins.forget(s.Login.ID) // another instance may decide it
		if s = w.again(r, deviceID, mode, s); s.State != books.LoginDeciding {
			return s, nil
		}
	}
}

// again cleans a request anew, from the cookies it came with.
func (w *Watcher) again(r *http.Request, deviceID string, mode Mode, s Session) Session {
	if s.raw != "" {
		r.Header["Cookie"] = []string{s.raw}
	}
	if s.rawAuth != nil {
		r.Header["Authorization"] = s.rawAuth
	}
	return w.Clean(r, deviceID, mode)
}

// Strip is Bare, but for an Authorization header that an identity source
// reads.
func (w *Watcher) Strip(r *http.Request) {
	kept := r.Header["Authorization"]
	if Bare(r); w.cfg.KeepAuthorization && kept != nil {
		r.Header["Authorization"] = kept
	}
}

// Bare takes every credential off a request, in place: all cookies and
// tokens. Call it before returning an error instead of forwarding: an error
// route may send this very request to the backend.
func Bare(r *http.Request) {
	delete(r.Header, "Cookie")
	for _, name := range tokenHeaders {
		delete(r.Header, name)
	}
	for _, name := range sessionHeaders {
		delete(r.Header, name)
	}
}

// sessionHeaders are headers in which some backends take a session beside its
// cookie (Metabase).
var sessionHeaders = []string{"X-Metabase-Session"}

// Nobody gives a request in whose session nobody signed in its rights, and
// takes its credentials off where they must not be seen: all cookies, for
// one that remembers a user is a way round. It asks whoami once for a
// session, where that is configured; a user it names is in the Session it
// returns (State bound): ask the gate. Call it for the other modes too: it
// then always forwards, and makes sessions from before the gate known.
func (w *Watcher) Nobody(r *http.Request, s Session, device access.Device, mode Mode, next Next) (Session, Right, error) {
	if !s.Person.Nobody() || s.State == books.LoginBound {
		return s, RightForward, nil
	}
	if mode.passes() {
		if mode == Open && s.Unproved && s.Carried {
			// What fails here is no reason to stop anybody: the padlock is open.
			known, err := w.discover(r, s, device.ID, mode, next, false)
			if err == nil {
				s = known
			} else {
				w.log.Warn("whoami did not tell whose session this is", "application", w.cfg.Application, "error", err)
			}
		}
		return s, RightForward, nil
	}
	if s.State == books.LoginHeld || s.State == books.LoginDeciding {
		w.Strip(r)
		return s, RightRefuse, nil
	}
	public := w.isPublic(r.URL) || w.login.watched(r.URL) && r.Method == http.MethodPost
	if public {
		w.mayHaveSignedIn(r)
		return s, RightForward, nil
	}
	if known, err := w.discover(r, s, device.ID, mode, next, false); err != nil {
		w.Strip(r)
		return s, RightRefuse, err
	} else if !known.Person.Nobody() {
		return known, RightForward, nil
	}
	if opensStream(r) {
		row, err := w.deviceToken(r.Context(), device.ID, w.clock())
		if err != nil {
			w.Strip(r)
			return s, RightRefuse, err
		}
		if row != nil && !s.Carried {
			s.State, s.Login, s.Person = row.login.State, row.login, row.login.Person
			return s, RightForward, nil
		}
	}
	s.bare = s.Carried
	w.Strip(r)
	if (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.Header.Get("Upgrade") == "" {
		return s, RightBare, nil
	}
	return s, RightRefuse, nil
}

// opensStream reports a WebSocket's or an event stream's request, to which a
// page can add no header.
func opensStream(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket") || r.Header.Get("Sec-Websocket-Key") != "" ||
		r.Method == http.MethodConnect || strings.Contains(r.Header.Get("Accept"), "text/event-stream")
}

// discover asks whoami about a session in which nobody was seen to sign in,
// once (again: whatever it said before). A user it names counts as a sign-in
// like any other.
func (w *Watcher) discover(r *http.Request, s Session, device string, mode Mode, next Next, again bool) (Session, error) {
	if w.cfg.Whoami.Path == "" || device == "" || next == nil {
		return s, nil
	}
	t := &trial{w: w, ctx: r.Context(), id: books.NewID(w.clock()), device: device, mode: mode, now: w.clock()}
	if err := t.readCarried(r); err != nil {
		return s, err
	}
	for _, p := range s.unproved {
		hashed, err := w.values.hash(r.Context(), p.name, p.value)
		if err != nil {
			return s, err
		}
		val, err := w.values.get(r.Context(), hashed, t.now)
		if err != nil {
			return s, err
		}
		t.carried = append(t.carried, carried{pair: p, hashed: hashed, val: val})
	}
	if len(t.carried) == 0 || (!again && w.askedLately(t)) {
		return s, nil
	}
	if s.Foreign {
		return w.discoverForeign(r, s, t, next)
	}
	n, err := w.whoami(r.Context(), r, t.pairs(), "", next)
	if err != nil {
		return s, err
	}
	s.fresh = append(s.fresh, n.cookies...)
	if n.user == "" {
		for _, c := range t.carried {
			w.asked.Set(c.hashed, t.now)
		}
		return s, nil
	}
	login := t.login(person(n.user, sourceWhoami))
	login.State, login.Adopted, login.Factors = books.LoginBound, s.Unproved, []string{"login"}
	if err := w.adopt(r.Context(), t, login, store.Batch{}); err != nil {
		return s, err
	}
	if len(s.unproved) > 0 {
		restoreCookies(r, s.unproved)
		s.unproved = nil
	}
	s.State, s.Login, s.Person, s.Carried, s.Unproved = books.LoginBound, login, login.Person, true, false
	return s, nil
}

// discoverForeign asks whose a session is that was copied here from another
// device, padlock open. It is not given to this device: the gate is asked
// about its user, whom a lock keeps out anywhere, and that is all.
func (w *Watcher) discoverForeign(r *http.Request, s Session, t *trial, next Next) (Session, error) {
	n, err := w.whoami(r.Context(), r, t.pairs(), "", next)
	if err != nil {
		return s, err
	}
	s.fresh = append(s.fresh, n.cookies...)
	if n.user != "" {
		s.State, s.Person = books.LoginBound, person(n.user, sourceWhoami)
	}
	return s, nil
}

// adopt writes the login that whoami made known. Where another request was
// first, its row stands and this one's is not written. More is checked and
// written with it.
func (w *Watcher) adopt(ctx context.Context, t *trial, login books.Login, more store.Batch) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storePatience)
	defer cancel()
	crowd, ended, err := w.logins.crowd(ctx, login.Person.User)
	if err != nil {
		return err
	}
	b := store.Batch{Checks: more.Checks, Writes: append(append(crowd, w.logins.put(login)...), more.Writes...)}
	for _, c := range t.carried {
		b.Checks = append(b.Checks, w.values.check(c.hashed, c.val))
		b.Writes = append(b.Writes, w.values.put(c.hashed, fateLogin, login.ID, t.device))
	}
	t.ctx = ctx
	if err = t.apply(b, append(ended, login.ID)...); errors.Is(err, store.ErrConflict) {
		return ErrDeciding
	}
	return err
}

func (w *Watcher) askedLately(t *trial) bool {
	for _, c := range t.carried {
		if at, ok := w.asked.GetIfPresent(c.hashed); !ok || t.now.Sub(at) >= askAgain {
			return false
		}
	}
	return true
}

// mayHaveSignedIn forgets what whoami said of a session that now goes to a
// path where somebody may sign in unseen.
func (w *Watcher) mayHaveSignedIn(r *http.Request) {
	if w.cfg.Whoami.Path == "" {
		return
	}
	t := &trial{w: w, ctx: r.Context(), now: w.clock()}
	if t.readCarried(r) != nil {
		return
	}
	for _, c := range t.carried {
		w.asked.Invalidate(c.hashed)
	}
}

// restoreCookies puts back what Clean had taken off.
func restoreCookies(r *http.Request, pairs []pair) {
	parts := append([]string(nil), r.Header["Cookie"]...)
	for _, p := range pairs {
		parts = append(parts, p.name+"="+p.value)
	}
	r.Header["Cookie"] = []string{strings.Join(parts, "; ")}
}
