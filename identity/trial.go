package identity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// trial is one login POST from before the backend's call until it is judged.
// The sessions it carried are "deciding" meanwhile: nobody knows whose they
// are.
type trial struct {
	w       *Watcher
	ctx     context.Context //nolint:containedctx // outlives the request, which is the point
	id      string
	device  string
	mode    Mode
	now     time.Time
	prior   *row // the login that was carried, as it was
	marked  []byte
	carried []carried
	settled bool
	// disclaimed: whom the second step would sign in is no longer known.
	disclaimed bool
}

// carried is a session value that came with a login.
type carried struct {
	pair
	hashed string
	val    *value
	ours   bool // begin wrote its row
	taken  bool // and that it may change hands
}

// begin marks what a login carries as deciding. Where another login of the
// same session is being judged it waits for that one.
func (w *Watcher) begin(r *http.Request, s Session, device string, mode Mode) (*trial, Session, error) {
	for try := 0; ; try++ {
		if s.State == books.LoginDeciding && mode == Closed {
			var err error
			if s, err = w.Settle(r, device, mode, s); err != nil {
				return nil, s, err
			}
		}
		if s.Login.ID == "" {
			s.Login = s.claim
		}
		t, err := w.tryBegin(r, s, device, mode)
		if !errors.Is(err, store.ErrConflict) || try == 3 {
			return t, s, err
		}
		s = w.again(r, device, mode, s)
	}
}

func (w *Watcher) tryBegin(r *http.Request, s Session, device string, mode Mode) (*trial, error) {
	now := w.clock()
	t := &trial{
		w: w, ctx: context.WithoutCancel(r.Context()), id: books.NewID(now), device: device, mode: mode, now: now,
	}
	if s.State == books.LoginHeld || s.Foreign {
		s.Login = books.Login{} // not on the request (held), not this device's
	}
	if err := t.readCarried(r); err != nil && !mode.passes() {
		return nil, err
	}
	if s.Login.ID != "" {
		prior, ok, err := w.logins.read(t.ctx, s.Login.ID, now)
		if err != nil {
			return nil, err
		}
		if !ok || prior.login.State == books.LoginDeciding && mode == Closed {
			return nil, store.ErrConflict // it ended, or another tab was first
		}
		t.prior = prior
	}
	if len(t.carried) == 0 && t.prior == nil {
		return t, nil
	}
	return t, t.mark()
}

// readCarried collects the session values on the request.
func (t *trial) readCarried(r *http.Request) error {
	var failed error
	for _, header := range r.Header["Cookie"] {
		cookiePairs(header, func(name, val, _ string, ok bool) {
			if !ok || !t.w.names.session(name) || len(t.carried) == maxSessions {
				return
			}
			inner, _ := unquote(val)
			c := carried{pair: pair{name, inner}}
			var err error
			if c.hashed, err = t.w.values.hash(t.ctx, name, inner); err == nil {
				c.val, err = t.w.values.get(t.ctx, c.hashed, t.now)
			}
			if err != nil {
				failed = err
				return
			}
			t.carried = append(t.carried, c)
		})
	}
	return failed
}

// mark writes that what is carried is being decided.
func (t *trial) mark() error {
	w, until := t.w, t.now.Add(t.w.cfg.Timeout+30*time.Second)
	if err := w.taken.load(t.ctx); err != nil {
		return err
	}
	var b store.Batch
	ids := []string{t.id}
	if t.prior != nil {
		l := t.prior.login
		if l.State != books.LoginDeciding {
			l.Was, l.WasUntil = l.State, l.Until
		}
		l.State, l.Until = books.LoginDeciding, until
		t.marked = books.Encode(l)
		b.Checks = append(b.Checks, store.Check{Key: w.logins.key(l.ID), Value: t.prior.raw})
		b.Writes = append(b.Writes, w.logins.put(l)...)
		ids = append(ids, l.ID)
	}
	for i := range t.carried {
		c := &t.carried[i]
		fresh := c.val.Fate == fateNone || c.val.Fate == fateNobody
		// A value that is in the map, or that bears no stamp of a login of
		// this device, may bear another device's (see taken).
		c.taken = (!fresh || (t.mode.passes() && t.prior == nil)) && !w.taken.has(c.hashed)
		if c.taken {
			b.Writes = append(b.Writes, w.taken.put(c.hashed))
		}
		if !fresh {
			continue
		}
		c.ours = true
		b.Checks = append(b.Checks, w.values.check(c.hashed, c.val))
		if t.mode == Closed {
			b.Writes = append(b.Writes, w.values.put(c.hashed, fateLogin, t.id, t.device))
			continue
		}
		// Open, nothing waits; but should we die now, it is nobody's.
		b.Writes = append(b.Writes, w.values.put(c.hashed, fateUnproved, "", t.device))
	}
	if t.mode == Closed {
		l := t.login(access.Person{})
		l.State, l.Until = books.LoginDeciding, until
		b.Writes = append(b.Writes, w.logins.put(l)...)
	}
	if len(b.Writes) == 0 {
		return nil
	}
	if err := t.apply(b, ids...); err != nil {
		return err
	}
	for _, c := range t.carried {
		if c.taken {
			w.taken.note(c.hashed, true)
		}
	}
	return nil
}

func (t *trial) apply(b store.Batch, ids ...string) error {
	ctx, cancel := context.WithTimeout(t.ctx, storePatience)
	defer cancel()
	err := t.w.logins.apply(ctx, b, ids...)
	for _, c := range t.carried {
		t.w.values.forget(c.hashed)
		t.w.asked.Invalidate(c.hashed) // whoami may have another answer now
	}
	if err != nil {
		return fmt.Errorf("writing a login: %w", err)
	}
	return nil
}

// login is the row this trial leads to.
func (t *trial) login(who access.Person) books.Login {
	return books.Login{ID: t.id, Application: t.w.cfg.Application, Device: t.device, Person: who, Named: t.w.cfg.Whoami.Path != "", Created: t.now, Last: t.now}
}

// restore puts everything back: a failed login changes nothing.
func (t *trial) restore() error {
	t.settled = true
	var b store.Batch
	ids := []string{t.id}
	for _, c := range t.carried {
		if c.taken {
			b.Writes = append(b.Writes, t.w.taken.drop(c.hashed))
			defer t.w.taken.note(c.hashed, false)
		}
		if c.ours {
			if c.val.Fate == fateNone {
				b.Writes = append(b.Writes, t.w.values.drop(c.hashed))
			} else {
				b.Writes = append(b.Writes, t.w.values.put(c.hashed, c.val.Fate, c.val.Login, c.val.Device))
			}
		}
	}
	if t.mode == Closed && (len(t.carried) > 0 || t.prior != nil) {
		b.Writes = append(b.Writes, t.w.deps.Books.Logins.Delete(t.login(access.Person{}))...)
	}
	if t.marked == nil {
		if len(b.Writes) == 0 {
			return nil
		}
		return t.apply(b, ids...)
	}
	l := t.prior.login
	if l.Was != "" { // it was deciding already, padlock open
		l.State, l.Until, l.Was, l.WasUntil = l.Was, l.WasUntil, "", time.Time{}
	}
	if t.disclaimed {
		l.Until = t.now
	}
	back := b
	back.Checks = append(back.Checks, store.Check{Key: t.w.logins.key(l.ID), Value: t.marked})
	back.Writes = append(append([]store.Write(nil), b.Writes...), t.w.logins.put(l)...)
	err := t.apply(back, append(ids, l.ID)...)
	if errors.Is(err, store.ErrConflict) {
		// It was ended meanwhile, or (padlock open) another tab signed in
		// over it: whose session this now is cannot be told.
		return t.spoil()
	}
	return err
}

// spoil ends what was carried: who is signed in there cannot be told. With
// the padlock open it goes on, as nobody's.
func (t *trial) spoil() error {
	if t.mode.passes() {
		return t.finish(fateUnproved)
	}
	return t.finish(fateEnded)
}

// end ends what was carried, whatever the padlock: the gate refused its user.
func (t *trial) end() error { return t.finish(fateEnded) }

func (t *trial) finish(f fate) error {
	t.settled = true
	if len(t.carried) == 0 && t.prior == nil {
		return nil
	}
	var b store.Batch
	ids := []string{t.id}
	for _, c := range t.carried {
		b.Writes = append(b.Writes, t.w.values.put(c.hashed, f, "", t.device))
	}
	b.Writes = append(b.Writes, t.w.deps.Books.Logins.Delete(t.login(access.Person{}))...)
	if t.prior != nil {
		b.Writes = append(b.Writes, t.w.deps.Books.Logins.Delete(t.prior.login)...)
		ids = append(ids, t.prior.login.ID)
	}
	return t.apply(b, ids...)
}

// sign writes a proved sign-in: its row, what becomes of the values that
// were carried, its token; and ends the login that was there before. More is
// written with it.
func (t *trial) sign(ctx context.Context, l books.Login, ans *answer, token string, more ...store.Write) error {
	w := t.w
	var crowd []store.Write
	var ended []string
	if !l.Person.Nobody() {
		var err error
		if crowd, ended, err = w.logins.crowd(ctx, l.Person.User); err != nil {
			return err
		}
	}
	b := store.Batch{Writes: append(crowd, more...)}
	ids := append(ended, t.id)
	replaced := t.replaced(ans.sent)
	for _, c := range t.carried {
		f, login := fateLogin, l.ID
		if replaced[c.pair] {
			f, login = fateEnded, ""
		}
		b.Writes = append(b.Writes, w.values.put(c.hashed, f, login, t.device))
	}
	if t.prior != nil {
		b.Writes = append(b.Writes, w.deps.Books.Logins.Delete(t.prior.login)...)
		ids = append(ids, t.prior.login.ID)
	}
	var hashes []string
	if token != "" {
		for _, at := range []pair{tokenKey(token, t.device), {"device", t.device}} {
			hashed, err := w.values.hash(ctx, at.name, at.value)
			if err != nil {
				return err
			}
			b.Writes = append(b.Writes, w.values.put(hashed, fateLogin, l.ID, t.device))
			hashes = append(hashes, hashed)
		}
	}
	b.Writes = append(b.Writes, w.logins.put(l)...)
	if err := t.apply(b, ids...); err != nil {
		return err
	}
	for _, hashed := range hashes {
		w.values.forget(hashed)
	}
	t.settled = true
	return nil
}

// replaced tells which of the carried values the answer replaced or cleared.
func (t *trial) replaced(h http.Header) map[pair]bool {
	out := map[pair]bool{}
	for _, line := range h.Values("Set-Cookie") {
		c := parseSetCookie(line, t.now)
		inner, _ := unquote(c.value)
		for _, old := range t.carried {
			if foldName(old.name) == foldName(c.name) {
				out[old.pair] = c.cleared || inner != old.value
			}
		}
	}
	return out
}

// renewed reports whether the answer gave a session a new value, where the
// backend does not do so with every answer.
func (t *trial) renewed(h http.Header) bool {
	restless := t.w.names.known().Restless
	carried := t.byName()
	for _, line := range h.Values("Set-Cookie") {
		c := parseSetCookie(line, t.now)
		folded := foldName(c.name)
		old, was := carried[folded]
		if inner, _ := unquote(c.value); was && !c.cleared && inner != old && !restless[folded] {
			return true
		}
	}
	return false
}

// abandon ends a trial that nobody settled: a panic on the way.
func (t *trial) abandon() {
	if t.settled {
		return
	}
	if err := t.spoil(); err != nil {
		t.w.log.Error("ending an abandoned login", "application", t.w.cfg.Application, "error", err)
	}
}

// byName is what was carried, by folded name.
func (t *trial) byName() map[string]string {
	m := make(map[string]string, len(t.carried))
	for _, c := range t.carried {
		m[foldName(c.name)] = c.value
	}
	return m
}

func (t *trial) pairs() []pair {
	list := make([]pair, len(t.carried))
	for i, c := range t.carried {
		list[i] = c.pair
	}
	return list
}
