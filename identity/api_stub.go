package identity

import (
	"context"
	"net/http"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// Watcher watches the login of one application. All methods may be called by
// several goroutines at once.
type Watcher struct {
	cfg  Config
	deps Deps
}

// NewWatcher checks cfg and makes a watcher. It reads nothing from the store
// before the first request.
func NewWatcher(cfg Config, deps Deps) (*Watcher, error) { return &Watcher{cfg: cfg, deps: deps}, nil }

// Clean is the first thing done to a request, in place. It removes session
// values that bear no stamp of this device, malformed cookies, cookies with
// our names (read yours before), takes the stamps off what is left and
// rebuilds the Cookie header. It has no error: what it cannot judge it
// removes. DeviceID is that of the request's device cookie, "" for none.
func (w *Watcher) Clean(r *http.Request, deviceID string, mode Mode) Session { return Session{} }

// Classify says what the request is to the watcher. It may read the body of
// a short POST to the login, which the request then still has.
func (w *Watcher) Classify(r *http.Request, s Session) Step { return StepOther }

// Settle waits, at most 10 seconds, for the login that s is part of to be
// judged, and returns what the session then is; ErrDeciding when it was not.
func (w *Watcher) Settle(r *http.Request, deviceID string, mode Mode, s Session) (Session, error) {
	return s, ErrDeciding
}

// Nobody gives a request in whose session nobody signed in its rights, and
// takes its credentials off where they must not be seen. It asks whoami once
// for a session, where that is configured; a user it names is in the Session
// it returns (State bound): ask the gate. Call it for mode Open too: it then
// always forwards, and makes sessions from before the gate known.
func (w *Watcher) Nobody(r *http.Request, s Session, device access.Device, mode Mode, next Next) (Session, Right, error) {
	return s, RightRefuse, nil
}

// Login carries a login POST to the backend, judges the answer, asks decide
// where somebody signed in, and releases or holds the answer. Device must
// have an ID; where the request had none, make one and put its cookie into
// rw.Header() before. With OutcomeHeld and OutcomeRefused, and with an error,
// nothing was written to rw.
func (w *Watcher) Login(rw http.ResponseWriter, r *http.Request, s Session, device access.Device, mode Mode, next Next, decide Decide) (Attempt, error) {
	return Attempt{}, nil
}

// Wait keeps a held login by script open for Config.Hold. Each value on
// decided makes it ask decide again; allowed, the answer goes out and the
// outcome is OutcomeReleased. It returns the attempt as it was when the time
// is over or the client hung up.
func (w *Watcher) Wait(rw http.ResponseWriter, r *http.Request, a Attempt, decided <-chan struct{}, decide Decide) (Attempt, error) {
	return a, nil
}

// Held returns the login that waits on a device, if there is one: while it
// does, any navigation shows the waiting page.
func (w *Watcher) Held(ctx context.Context, deviceID string) (Held, bool, error) {
	return Held{}, false, nil
}

// Release answers the POST of a ticket. Allowed by decide, the held answer
// goes out, its sessions stamped, and the login is bound; again within 30
// seconds the same answer goes out again. Else ErrTicket, ErrWaiting,
// ErrTooLate or ErrSignInAgain, with nothing written.
func (w *Watcher) Release(rw http.ResponseWriter, r *http.Request, deviceID string, decide Decide) (books.Login, error) {
	return books.Login{}, ErrTicket
}

// Refuse ends a held login whose access request was refused.
func (w *Watcher) Refuse(ctx context.Context, l books.Login) error { return w.End(ctx, l.ID) }

// End ends one login: sign-out, revocation.
func (w *Watcher) End(ctx context.Context, id string) error { return nil }

// EndAll ends all logins of a user.
func (w *Watcher) EndAll(ctx context.Context, user string) error { return nil }

// Wrap returns a writer that touches headers only: it stamps the session
// cookies of the answer (1xx and 101 too), drops cookies with our names, and
// ends the login at a sign-out. DeviceID is the one whose cookie the browser
// has after this answer.
func (w *Watcher) Wrap(rw http.ResponseWriter, r *http.Request, s Session, deviceID string, mode Mode) http.ResponseWriter {
	return rw
}

// Stream returns a context that ends when the login of s ends or when its
// device signs in anew, for WebSockets and event streams. Call done when the
// request is over.
func (w *Watcher) Stream(ctx context.Context, s Session, deviceID string) (streamed context.Context, done func()) {
	return ctx, func() {}
}

// Watch is to be given every event of the application's partition, and those
// with store.ErrGap: it forgets what changed.
func (w *Watcher) Watch(e store.Event) {}

// Touch writes the last use of logins, coarsely; call it every few minutes.
func (w *Watcher) Touch(ctx context.Context) error { return nil }

// LoginTimeout is how long a login's call of the backend may take at most.
func (w *Watcher) LoginTimeout() time.Duration { return time.Minute }
