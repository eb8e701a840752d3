package identity

import (
	"net/http"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// A bound session can become somebody else's through a door that the watcher
// does not see: a second form, a link in a mail, an OAuth callback. Where
// whoami names users it is asked again, when something happened that may have
// been such a sign-in. What an answer sets says more than that something was
// sent, so it is asked about at once.

// doubt is what is to be asked about a login, and when it was asked last.
type doubt struct {
	// changed: an answer gave the session a new value. sent: something was
	// sent, or led on, that may sign in without one.
	changed, sent bool
	asked         time.Time
}

// due reports whether whoami is to be asked now.
func (d doubt) due(now time.Time) bool {
	return d.changed || (d.sent && now.Sub(d.asked) >= askAgain)
}

// doubted notes what an answer on a bound session may have done.
func (x *Writer) doubted(status int) {
	w := x.w
	if w.cfg.Whoami.Path == "" || x.login || x.s.State != books.LoginBound || x.s.Foreign || !x.s.Login.Named {
		return
	}
	safe := x.r.Method == http.MethodGet || x.r.Method == http.MethodHead || x.r.Method == http.MethodOptions
	sent := !safe || (status >= 300 && status < 400 && status != http.StatusNotModified) || x.asksWho() || x.publicDoor()
	if !x.turned && !sent {
		return
	}
	d, _ := w.doubts.GetIfPresent(x.s.Login.ID)
	d.changed, d.sent = d.changed || x.turned, d.sent || sent
	w.doubts.Set(strings.Clone(x.s.Login.ID), d)
}

// asksWho reports whether a page asks the backend who is signed in.
func (x *Writer) asksWho() bool {
	path, _, _ := strings.Cut(x.w.cfg.Whoami.Path, "?")
	return x.r.URL.Path == path
}

// Doubts reports whether Recheck has something to ask about a session. Every
// request passes here.
func (w *Watcher) Doubts(s *Session, mode Mode) bool {
	if w.cfg.Whoami.Path == "" || s.State != books.LoginBound || s.Foreign || !s.Login.Named || mode == Drain {
		return false
	}
	d, ok := w.doubts.GetIfPresent(s.Login.ID)
	return ok && d.due(w.clock())
}

// Recheck asks whoami whether a bound session is still its user's. One that
// names somebody else counts as a sign-in like any other: the login ends, and
// the session it returns is that of the other user; ask the gate. Where whoami
// does not tell after the session got a new value, padlock closed, that is an
// error, and the credentials are taken off the request.
func (w *Watcher) Recheck(r *http.Request, s Session, device string, mode Mode, next Next) (Session, error) {
	now := w.clock()
	t := &trial{w: w, ctx: r.Context(), id: books.NewID(now), device: device, mode: mode, now: now}
	if err := t.readCarried(r); err != nil {
		return s, err
	}
	d, _ := w.doubts.GetIfPresent(s.Login.ID)
	if len(t.carried) == 0 || device == "" {
		return s, nil // signed by a token: it is its user's for good
	}
	n, err := w.whoami(r.Context(), r, t.pairs(), "", next)
	if err != nil {
		if d.changed && mode == Closed {
			w.Strip(r)
			return s, err
		}
		w.log.Warn("whoami did not tell whether a session is still its user's; it is asked again", "application", w.cfg.Application, "error", err)
		return s, nil
	}
	s.fresh = append(s.fresh, n.cookies...)
	w.doubts.Set(s.Login.ID, doubt{asked: now})
	if n.user == "" || n.user == s.Login.Person.User {
		return s, nil
	}
	prior, ok, err := w.logins.read(r.Context(), s.Login.ID, now)
	if err != nil || !ok {
		w.Strip(r)
		if err == nil {
			err = ErrDeciding // it ended this very moment
		}
		return s, err
	}
	login := t.login(person(n.user, sourceWhoami))
	login.State, login.Adopted, login.Factors = books.LoginBound, s.Login.Adopted, []string{"login"}
	err = w.adopt(r.Context(), t, login, store.Batch{
		Checks: []store.Check{{Key: w.logins.key(prior.login.ID), Value: prior.raw}},
		Writes: w.deps.Books.Logins.Delete(prior.login),
	})
	w.logins.forget(prior.login.ID)
	if err != nil {
		w.Strip(r)
		return s, err
	}
	w.streams.endLogin(prior.login.ID)
	w.log.Info("a session became another user's through a door that was not seen", "application", w.cfg.Application, "login", prior.login.ID, "then", login.ID)
	s.Login, s.Person = login, login.Person
	return s, nil
}

// publicDoor reports whether the address is one that was declared to be open
// to nobody's sessions, the login's own aside: that is where doors are.
func (x *Writer) publicDoor() bool {
	for _, t := range x.w.public {
		if t.public(x.r.URL) {
			return true
		}
	}
	return false
}
