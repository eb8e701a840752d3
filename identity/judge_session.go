package identity

import (
	"context"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
)

// judgeStamp tells what a stamped value is worth on a device.
func (w *Watcher) judgeStamp(ctx context.Context, st stamp, name, plain, device string, mode Mode, now time.Time) judged {
	if st.mark == markCopied {
		return w.judgeCopy(ctx, st, mode, now)
	}
	if st.mark == markLogin {
		r, ok, err := w.logins.get(ctx, st.login, now)
		if err != nil {
			return unreadable(err, mode)
		}
		// Its instance died while it was being decided: it has ended.
		ok = ok && (r.login.State != books.LoginDeciding || now.Before(r.login.Until))
		if err := w.taken.load(ctx); err != nil {
			return unreadable(err, mode)
		}
		if ok && w.taken.any() {
			if j, changed := w.changedHands(ctx, name, plain, device, mode, now); changed {
				return j
			}
		}
		if ok {
			return judgeRow(r, device, mode, now)
		}
		// The login ended; the value may have gone on in another one, for
		// backends that keep it through a sign-in.
		val, err := w.fate(ctx, name, plain, now)
		if err != nil {
			return unreadable(err, mode)
		}
		if val.Fate == fateLogin || val.Fate == fateUnproved {
			return w.judgeFate(ctx, val, device, mode, now)
		}
		return judged{gone: true}
	}
	val, err := w.fate(ctx, name, plain, now)
	if err != nil {
		return unreadable(err, mode)
	}
	if val.Fate != fateNone {
		return w.judgeFate(ctx, val, device, mode, now)
	}
	if st.device != "" && st.device != device {
		if mode.passes() {
			return judged{state: books.LoginNobody, unproved: true, foreign: true}
		}
		return judged{gone: true, foreign: true}
	}
	if now.Sub(st.made) > nobodyLife {
		return judged{gone: true}
	}
	j := judged{state: books.LoginNobody, unproved: st.mark != markNobody, older: st.mark == markOlder}
	if mode == Closed && !j.unproved {
		// While the padlock was open somebody may have signed in through any
		// door: what is older than its closing is unproved.
		lock, err := w.deps.Books.Padlocks.Get(ctx, w.cfg.Application)
		if err != nil {
			return unreadable(err, mode)
		}
		j.unproved = st.made.Before(lock.Changed.At.Truncate(time.Second))
	}
	return j
}

// judgeCopy tells what a copy of a login's session is worth.
func (w *Watcher) judgeCopy(ctx context.Context, st stamp, mode Mode, now time.Time) judged {
	r, ok, err := w.logins.get(ctx, st.login, now)
	switch {
	case err != nil:
		return unreadable(err, mode)
	case !ok:
		return judged{gone: true, foreign: true}
	case !mode.passes():
		return judged{row: r, gone: true, foreign: true}
	}
	return judged{state: books.LoginBound, row: r, foreign: true}
}

// changedHands judges a value that a later sign-in took over, whatever its
// stamp says.
func (w *Watcher) changedHands(ctx context.Context, name, plain, device string, mode Mode, now time.Time) (judged, bool) {
	hashed, err := w.values.hash(ctx, name, plain)
	if err != nil {
		return unreadable(err, mode), true
	}
	if !w.taken.has(hashed) {
		return judged{}, false
	}
	val, err := w.values.get(ctx, hashed, now)
	if err != nil {
		return unreadable(err, mode), true
	}
	if val.Fate == fateNone {
		return judged{}, false
	}
	return w.judgeFate(ctx, val, device, mode, now), true
}

// judgeBare tells what a value without a stamp is worth: as a rule nothing
// with the padlock closed.
func (w *Watcher) judgeBare(ctx context.Context, name, plain, device string, mode Mode, now time.Time) judged {
	if plain != "" {
		val, err := w.fate(ctx, name, plain, now)
		if err != nil {
			return unreadable(err, mode)
		}
		if val.Fate != fateNone {
			return w.judgeFate(ctx, val, device, mode, now)
		}
	}
	if mode == Closed || (mode == Open && w.cfg.Unbound == "relogin") {
		return judged{gone: true}
	}
	return judged{state: books.LoginNobody, unproved: true, older: true}
}

// fate looks a value up in the map of values.
func (w *Watcher) fate(ctx context.Context, name, plain string, now time.Time) (*value, error) {
	hashed, err := w.values.hash(ctx, name, plain)
	if err != nil {
		return nil, err
	}
	return w.values.get(ctx, hashed, now)
}

// judgeFate tells what a mapped value is worth on a device.
func (w *Watcher) judgeFate(ctx context.Context, val *value, device string, mode Mode, now time.Time) judged {
	switch val.Fate {
	case fateLogin:
		r, ok, err := w.logins.get(ctx, val.Login, now)
		if err != nil {
			return unreadable(err, mode)
		}
		if !ok {
			return judged{gone: true, foreign: val.Device != device}
		}
		val.use()
		return judgeRow(r, device, mode, now)
	case fateUnproved, fateNobody:
		if val.Device != device && !mode.passes() {
			return judged{gone: true, foreign: true}
		}
		return judged{state: books.LoginNobody, unproved: val.Fate == fateUnproved || val.Device != device, older: val.Fate == fateUnproved, foreign: val.Device != device}
	case fateNone, fateEnded:
	}
	return judged{gone: true}
}

// judgeRow tells what a login's session is worth on a device.
func judgeRow(r *row, device string, mode Mode, now time.Time) judged {
	l := &r.login
	if l.Device != device {
		// Copied to another device (X3). With the padlock open it passes, and
		// the gate is asked about the login's user: a lock holds anywhere.
		if mode.passes() && l.State == books.LoginBound {
			return judged{state: books.LoginBound, row: r, foreign: true}
		}
		if mode.passes() && l.State == books.LoginNobody {
			return judged{state: books.LoginNobody, unproved: true, foreign: true}
		}
		return judged{row: r, gone: true, foreign: true}
	}
	over := !l.Until.IsZero() && !now.Before(l.Until)
	switch l.State {
	case books.LoginBound:
		return judged{state: books.LoginBound, row: r}
	case books.LoginHeld:
		if mode.passes() {
			return judged{state: books.LoginBound, row: r}
		}
		if over {
			return judged{gone: true}
		}
		return judged{state: books.LoginHeld, row: r}
	case books.LoginDeciding:
		if mode.passes() {
			if l.Person.Nobody() || over {
				return judged{state: books.LoginNobody, unproved: true}
			}
			return judged{state: books.LoginBound, row: r}
		}
		if over { // its instance died in the middle
			return judged{gone: true}
		}
		return judged{state: books.LoginDeciding, row: r}
	case books.LoginNobody:
		return judgeClaim(r, mode, over)
	case books.LoginEnded:
	}
	return judged{gone: true}
}

// unreadable is what a value is worth that the store could not tell about:
// nothing, with the padlock closed (threat L4).
func unreadable(err error, mode Mode) judged {
	return judged{state: books.LoginNobody, gone: !mode.passes(), unproved: true, err: err}
}
