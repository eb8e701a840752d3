package identity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

const (
	// heldFor is how long an answer is held, where nothing else is said.
	heldFor = 30 * time.Minute
	// againFor is how long a released answer is given again: a browser that
	// lost the first one, a double click.
	againFor = 30 * time.Second
	// maxHeld is the longest body of a held answer, in bytes. A longer one
	// is released as a redirect to the login, with its sessions.
	maxHeld = 64 << 10

	heldPurpose   = "held answer"
	ticketPurpose = "release ticket"
)

// heldRow is the one held answer of a device and application, as stored.
type heldRow struct {
	Login    string    `cbor:"1,keyasint"`
	Until    time.Time `cbor:"2,keyasint"`
	Released time.Time `cbor:"3,keyasint,omitempty"`
	// Box holds the kept answer, sealed for this device and login.
	Box []byte `cbor:"4,keyasint"`
}

// kept is a held answer.
type kept struct {
	Status int                 `cbor:"1,keyasint"`
	Header map[string][]string `cbor:"2,keyasint"`
	Body   []byte              `cbor:"3,keyasint,omitempty"`
	// Action is the address the login was posted to; Page the one it was
	// sent from, on this host.
	Action string `cbor:"4,keyasint"`
	Page   string `cbor:"5,keyasint,omitempty"`
	// Fetch says that a script asked; Token that it answers with one; Long
	// that the body was too long to be held.
	Fetch bool `cbor:"6,keyasint,omitempty"`
	Token bool `cbor:"7,keyasint,omitempty"`
	Long  bool `cbor:"8,keyasint,omitempty"`

	// While the request that asked is still open (Wait): the whole answer
	// and its token. Neither is stored.
	full  *answer
	token string
}

func (w *Watcher) heldKey(device string) string {
	return books.Key(w.cfg.Application, "held", device)
}

// hold keeps a proved sign-in back until the gate lets it in.
func (w *Watcher) hold(a Attempt, t *trial, ans *answer, f finding, login books.Login, r *http.Request) (Attempt, error) {
	login.State, login.Until = books.LoginHeld, t.now.Add(w.cfg.HeldFor)
	k := &kept{
		Status: ans.status, Header: ans.sent.Clone(), Action: r.URL.RequestURI(), Page: pageOf(r),
		Fetch: a.Fetch, Token: a.Token, full: ans, token: f.token,
	}
	for name := range k.Header {
		if hopByHop(name) {
			delete(k.Header, name)
		}
	}
	switch {
	case k.Token: // a token is not kept: the script that waits for it is gone by then
		k.Status, k.Header = http.StatusOK, nil
	case len(ans.body) > maxHeld:
		k.Long = true
	default:
		k.Body = ans.body
	}
	held := heldRow{Login: login.ID, Until: login.Until}
	held.Box = w.deps.Ring().Seal(nil, books.Encode(k), heldPurpose, w.cfg.Application, t.device, login.ID)
	writes := []store.Write{{Key: w.heldKey(t.device), Value: books.Encode(held), TTL: w.cfg.HeldFor}}
	// One held answer a device: the one before it ends.
	ctx, cancel := context.WithTimeout(t.ctx, storePatience)
	defer cancel()
	over, older, err := w.heldBefore(ctx, t.device)
	if err != nil {
		return a, errors.Join(fmt.Errorf("holding an answer: %w", err), t.spoil())
	}
	writes = append(writes, over...)
	if older != "" {
		defer w.logins.forget(older)
	}
	token := f.token
	if a.Token {
		token = "" // it never leaves, so it is nobody's
	}
	if err := t.sign(ctx, login, ans, token, writes...); err != nil {
		return a, errors.Join(err, t.spoil())
	}
	w.Strip(r)
	a.Outcome, a.Login, a.kept = OutcomeHeld, login, k
	return a, nil
}

// heldBefore is what ends the login that is still held on a device, and its
// id; nothing where none is. A new sign-in there takes its place, held or not:
// else one that was let in at once would be led back to the page of the other.
func (w *Watcher) heldBefore(ctx context.Context, device string) (over []store.Write, id string, err error) {
	before, err := books.Get[heldRow](ctx, w.deps.Books.Store, w.heldKey(device))
	if errors.Is(err, store.ErrNotFound) || (err == nil && !before.Released.IsZero()) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	old, err := w.deps.Books.Logins.Get(ctx, w.cfg.Application, before.Login)
	if err != nil || old.State != books.LoginHeld {
		return nil, "", nil //nolint:nilerr // its row is gone: nothing is left to end
	}
	return w.deps.Books.Logins.Delete(old), old.ID, nil
}

// pageOf is the page on this host that a request was sent from, "" where it
// is not told. Only path and query are taken: it cannot lead elsewhere
// (threat L13).
func pageOf(r *http.Request) string {
	u, err := url.Parse(r.Header.Get("Referer"))
	if err != nil || u.Host != r.Host {
		return ""
	}
	page := u.RequestURI()
	if !strings.HasPrefix(page, "/") || strings.HasPrefix(page, "//") || strings.ContainsAny(page, "\\\r\n\t") {
		return ""
	}
	return page
}

// readHeld returns the held answer of a device with its login's row.
func (w *Watcher) readHeld(ctx context.Context, device string) (heldRow, kept, *row, error) {
	var k kept
	held, err := books.Get[heldRow](ctx, w.deps.Books.Store, w.heldKey(device))
	if errors.Is(err, store.ErrNotFound) {
		return held, k, nil, ErrTooLate
	}
	if err != nil {
		return held, k, nil, fmt.Errorf("reading a held answer: %w", err)
	}
	now := w.clock()
	if !now.Before(held.Until) {
		return held, k, nil, ErrTooLate
	}
	r, ok, err := w.logins.read(ctx, held.Login, now)
	if err != nil {
		return held, k, nil, err
	}
	if !ok || r.login.Device != device {
		return held, k, nil, ErrTooLate
	}
	plain, err := w.deps.Ring().Open(nil, held.Box, heldPurpose, w.cfg.Application, device, held.Login)
	if err != nil {
		return held, k, nil, ErrTooLate // its key is gone
	}
	if err := books.Decode(plain, &k); err != nil {
		return held, k, nil, err
	}
	return held, k, r, nil
}

// redirects is the origin of a Location on another host, where there is one.
func (k kept) redirects() []string {
	u, err := url.Parse(http.Header(k.Header).Get("Location"))
	if err != nil || u.Host == "" || k.Status < 300 || k.Status > 399 {
		return nil
	}
	if u.Scheme == "" { // "//host/path": by the scheme of the page
		return []string{"https://" + u.Host, "http://" + u.Host}
	}
	return []string{u.Scheme + "://" + u.Host}
}

// Held returns the login that waits on a device, if there is one: while it
// does, any navigation of nobody's shows the waiting page.
func (w *Watcher) Held(ctx context.Context, deviceID string) (Held, bool, error) {
	if deviceID == "" {
		return Held{}, false, nil
	}
	held, k, r, err := w.readHeld(ctx, deviceID)
	if errors.Is(err, ErrTooLate) {
		return Held{}, false, nil
	}
	if err != nil {
		return Held{}, false, err
	}
	if r.login.State != books.LoginHeld {
		return Held{}, false, nil
	}
	return Held{
		Login: r.login, Action: k.Action, Token: k.Token, Until: held.Until, Redirects: k.redirects(),
		Ticket: w.deps.Ring().SealText([]byte(held.Login), ticketPurpose, w.cfg.Application, deviceID),
	}, true, nil
}

// Release answers the POST of a ticket to the login's own address. Allowed
// by decide, the held answer goes out, its sessions stamped, and the login is
// bound; again within 30 seconds the same answer goes out again. Else
// ErrTicket, ErrWaiting, ErrTooLate or ErrSignInAgain, with nothing written.
func (w *Watcher) Release(rw http.ResponseWriter, r *http.Request, deviceID string, decide Decide) (books.Login, error) {
	w.Strip(r)
	id, err := w.deps.Ring().OpenText(ticketOf(keep(r, w.cfg.MaxBody)), ticketPurpose, w.cfg.Application, deviceID)
	if err != nil || deviceID == "" {
		return books.Login{}, ErrTicket
	}
	ctx, cancel := context.WithTimeout(r.Context(), storePatience)
	defer cancel()
	held, k, row, err := w.readHeld(ctx, deviceID)
	if err != nil {
		return books.Login{}, err
	}
	if held.Login != string(id) {
		return books.Login{}, ErrTooLate // another sign-in took its place
	}
	login := row.login
	switch {
	case login.State == books.LoginHeld:
	case login.State == books.LoginBound && !held.Released.IsZero() && w.clock().Before(held.Released.Add(againFor)):
	default:
		return login, ErrTooLate
	}
	v, err := decide(r.Context(), login.Person, login)
	if err != nil {
		return login, fmt.Errorf("asking the gate about a held sign-in: %w", err)
	}
	if v.Answer != access.LetIn {
		return login, ErrWaiting
	}
	if k.Token {
		if err := w.logins.end(ctx, login, store.Write{Key: w.heldKey(deviceID)}); err != nil {
			return login, err
		}
		return login, ErrSignInAgain
	}
	if login.State == books.LoginHeld {
		if login, err = w.bind(ctx, row, held, factorOf(v)); err != nil {
			return login, err
		}
	}
	return login, w.writeHeld(rw, r, login, k)
}

// factorOf is what let a held sign-in through, "" for nothing to tell of.
func factorOf(v access.Verdict) string {
	switch {
	case v.Factor == "login":
		return ""
	case v.Factor != "":
		return v.Factor
	case v.Step == access.StepRule && v.Rule.Author == "biopass":
		return "biopass"
	}
	return "approval"
}

// bind makes a held login a bound one, once.
func (w *Watcher) bind(ctx context.Context, row *row, held heldRow, factor string) (books.Login, error) {
	login := row.login
	login.State, login.Until, login.Last = books.LoginBound, time.Time{}, w.clock()
	if factor != "" {
		login.Factors = append(append([]string(nil), login.Factors...), factor)
	}
	held.Released = w.clock()
	err := w.logins.apply(ctx, store.Batch{
		Checks: []store.Check{{Key: w.logins.key(login.ID), Value: row.raw}},
		Writes: append(w.logins.put(login),
			store.Write{Key: w.heldKey(login.Device), Value: books.Encode(held), TTL: againFor}),
	}, login.ID)
	if err == nil {
		w.streams.endDevice(login.Device)
		return login, nil
	}
	if !errors.Is(err, store.ErrConflict) {
		return login, fmt.Errorf("releasing a held answer: %w", err)
	}
	// Another tab released it in this very moment, or it ended.
	again, ok, err := w.logins.read(ctx, login.ID, w.clock())
	switch {
	case err != nil:
		return login, err
	case ok && again.login.State == books.LoginBound && again.login.Device == login.Device:
		return again.login, nil
	}
	return login, ErrTooLate
}

// writeHeld lets a held answer out. What a script asked for is released to a
// navigation: its sessions, and the way to the page it was asked from.
func (w *Watcher) writeHeld(rw http.ResponseWriter, r *http.Request, login books.Login, k kept) error {
	ans := &answer{sent: k.Header, status: k.Status, body: k.Body}
	if ans.sent == nil {
		ans.sent = http.Header{}
	}
	if k.Fetch || k.Long {
		location := k.Page
		if l := ans.sent.Get("Location"); l != "" && !k.Fetch {
			location = l
		}
		if location == "" || (k.Fetch && parseTarget(location).path == w.login.path) {
			location = "/"
		}
		ans.sent = http.Header{"Set-Cookie": ans.sent["Set-Cookie"], "Location": {location}}
		ans.status, ans.body = http.StatusSeeOther, nil
	}
	// What carries a session is nobody else's.
	ans.sent.Set("Cache-Control", "no-store")
	s := Session{State: books.LoginBound, Login: login, Person: login.Person}
	return w.write(rw, r, s, login.Device, Closed, ans)
}

// Wait keeps a held login by script open for Config.Hold. Each value on
// decided (and its closing) makes it ask decide again; allowed, the answer
// goes out and the outcome is OutcomeReleased. It returns the attempt as it
// was when the time is over or the client hung up.
func (w *Watcher) Wait(rw http.ResponseWriter, r *http.Request, a Attempt, decided <-chan struct{}, decide Decide) (Attempt, error) {
	if a.Outcome != OutcomeHeld || a.kept == nil || a.kept.full == nil || w.cfg.Hold == 0 || !a.Fetch {
		return a, nil
	}
	over := time.NewTimer(w.cfg.Hold)
	defer over.Stop()
	for {
		select {
		case <-over.C:
			return a, nil
		case <-r.Context().Done():
			return a, nil
		case _, open := <-decided:
			if !open {
				decided = nil
			}
		}
		v, err := decide(r.Context(), a.Person, a.Login)
		if err != nil {
			return a, fmt.Errorf("asking the gate about a held sign-in: %w", err)
		}
		if a.Verdict = v; v.Answer == access.LetIn {
			return w.releaseOpen(rw, r, a)
		}
		if v.Answer == access.Deny {
			return a, nil
		}
	}
}

// releaseOpen lets the answer out on the very request that asked for it.
func (w *Watcher) releaseOpen(rw http.ResponseWriter, r *http.Request, a Attempt) (Attempt, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), storePatience)
	defer cancel()
	held, _, row, err := w.readHeld(ctx, a.Login.Device)
	if errors.Is(err, ErrTooLate) || (err == nil && (held.Login != a.Login.ID || row.login.State != books.LoginHeld)) {
		return a, nil // ended, or released to another tab
	}
	if err != nil {
		return a, err
	}
	if a.Login, err = w.bind(ctx, row, held, factorOf(a.Verdict)); err != nil {
		return a, err
	}
	ans := a.kept.full
	if token := a.kept.token; token != "" {
		if err := errors.Join(
			w.mapValue(ctx, tokenKey(token, a.Login.Device).name, tokenKey(token, a.Login.Device).value, fateLogin, a.Login.ID, a.Login.Device),
			w.mapValue(ctx, "device", a.Login.Device, fateLogin, a.Login.ID, a.Login.Device)); err != nil {
			return a, err
		}
	}
	a.Outcome, a.Written = OutcomeReleased, true
	s := Session{State: books.LoginBound, Login: a.Login, Person: a.Login.Person}
	return a, w.write(rw, r, s, a.Login.Device, Closed, ans)
}
