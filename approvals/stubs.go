package approvals

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
)

var errUnbuilt = errors.New("not built yet")

// Service opens, tells, decides and ends access requests.
type Service struct{ Config }

// New makes a service. Run must be called for notices to go out and requests
// to expire.
func New(c Config) *Service { return &Service{c} }

// Open opens the request of an ask, or joins the one that its user and device
// have already; opened tells which. A request refused in the last 24 hours is
// returned as it is. With ErrTooMany comes a request that was not kept (ID
// empty) but can be shown. The request, its audit entry and its notices are
// written in one batch.
func (s *Service) Open(ctx context.Context, a Ask) (ask AccessRequest, opened bool, err error) {
	return AccessRequest{}, false, errUnbuilt
}

// Get returns one request, or ErrNotFound.
func (s *Service) Get(ctx context.Context, application, id string) (AccessRequest, error) {
	return AccessRequest{}, errUnbuilt
}

// Waiting returns the requests of an application that wait, oldest first.
func (s *Service) Waiting(ctx context.Context, application string) ([]AccessRequest, error) {
	return nil, errUnbuilt
}

// List returns up to limit requests of an application, newest first, whatever
// their state, that were opened before the one named by before ("" for the
// newest).
func (s *Service) List(ctx context.Context, application, before string, limit int) ([]AccessRequest, error) {
	return nil, errUnbuilt
}

// ForHolder returns the newest request that a device holds (for one of its
// logins, where login is not empty), whatever its state, or ErrNotFound.
func (s *Service) ForHolder(ctx context.Context, application, device, login string) (AccessRequest, error) {
	return AccessRequest{}, errUnbuilt
}

// Note sets the person's word on a waiting request.
func (s *Service) Note(ctx context.Context, application, id, note string) (AccessRequest, error) {
	return AccessRequest{}, errUnbuilt
}

// Name sets the name by which the person wants to be known, where identity is
// the device alone. It names for people and decides nothing.
func (s *Service) Name(ctx context.Context, application, id, name string) (AccessRequest, error) {
	return AccessRequest{}, errUnbuilt
}

// Cancel takes a waiting request back, on the word of the person who asked.
func (s *Service) Cancel(ctx context.Context, application, id string) error { return errUnbuilt }

// Expire ends the requests of an application that waited too long and returns
// how many.
func (s *Service) Expire(ctx context.Context, application string) (int, error) { return 0, errUnbuilt }

// Subscribe sends a request as it is now, then at each change, until ctx
// ends; an empty id means every request of the application, and then nothing
// is sent before the first change. A slow receiver gets the newest state, not
// each one in between. A request that went is not sent.
func (s *Service) Subscribe(ctx context.Context, application, id string) (<-chan AccessRequest, error) {
	return nil, errUnbuilt
}

// Decide approves or refuses. What it wrote is returned: the request as it is
// then. The rule, the request's state, the audit entry and the notices are
// one batch. Errors: DecidedError, ChangedError, NumberError, ErrExpired,
// ErrCancelled, ErrNotFound, ErrNotYours, ErrOwnRequest, ErrLinkClosed,
// ErrNotConfirmed, ErrUnsure, ErrWidth, ErrUntil.
func (s *Service) Decide(ctx context.Context, c Choice) (AccessRequest, error) {
	return AccessRequest{}, errUnbuilt
}

// MakePass makes a code that lets one user in once, until midnight, on
// whatever they hold. One made before for the same user is void. By is an
// admin's e-mail.
func (s *Service) MakePass(ctx context.Context, application, user, by, from, via string) (code string, until time.Time, err error) {
	return "", time.Time{}, errUnbuilt
}

// UsePass approves a waiting request by a pass code, until the pass ends. The
// error is ErrPass for any code that is not good.
func (s *Service) UsePass(ctx context.Context, application, id, code string) (AccessRequest, error) {
	return AccessRequest{}, errUnbuilt
}

// PossibleWidths lists the widths for which a request has what they rest on.
func (s *Service) PossibleWidths(ask AccessRequest) []Width { return nil }

// Link is the URL under which an admin decides a request, as notices carry
// it; channel is the notifier's name.
func (s *Service) Link(ask AccessRequest, admin, channel string) string { return "" }

// Run sends notices and expires requests until ctx ends.
func (s *Service) Run(ctx context.Context) error { return errUnbuilt }

// Holder is the browser that waits, told from its device cookie.
type Holder struct {
	Application string
	DeviceID    string
	// LoginID is the login whose request is meant; empty for the newest.
	LoginID string
	// Back is a path on this host to which forms without script return; it
	// comes from the server's own memory, never from the request (threat L13).
	Back string
}

// WaitHandler serves /.cadenas/wait/{state,events,note,cancel,name,pass} to
// the browser that holds a request. Nothing here can approve, but a pass
// code. Event streams end when stopping is closed.
func (s *Service) WaitHandler(holder func(*http.Request) (Holder, bool), stopping <-chan struct{}) http.Handler {
	return http.NotFoundHandler()
}

// DecideHandler serves /decide/{token} on the console's host. Session tells
// the signed-in admin of a request.
func (s *Service) DecideHandler(session func(*http.Request) (books.Admin, bool)) http.Handler {
	return http.NotFoundHandler()
}
