// Package identity tells who is behind a request. Its heart is the login
// watcher, which learns the user from an unchanged backend's own login form;
// beside it stand the sources that need no watching: a trusted header, a
// placeholder, basic authentication, a JWT, the device alone.
//
// # The login watcher
//
// The backend keeps its form and its sessions. The watcher stamps each
// session value that goes to the browser with a seal of application, device,
// login and the value itself, takes the stamp off before the backend sees
// it, and removes what bears none. A login is a row in an allow-list: no row,
// no session. See Session for the states, Login for the way of a sign-in.
//
// The order in which a handler asks:
//
//	s := w.Clean(r, deviceID, mode)              // first of all, in place
//	if s.Bad != nil { 400 }
//	if mode == Closed { done, long = w.Screen(r) } // then on to default
//	switch w.Classify(r, &s) {
//	case StepRelease: w.Release(...)              // ticket posted by the waiting page
//	case StepLogin:   w.Login(...)                // calls next itself
//	default:
//		if s.State == books.LoginDeciding { s, err = w.Settle(r, deviceID, mode, s) }   // or 503
//		if s.State == books.LoginHeld { waiting page }
//		if s.Person.Nobody() { s, right, err = w.Nobody(r, s, device, mode, next) }
//		if w.Doubts(&s, mode) { s, err = w.Recheck(r, s, deviceID, mode, next) }
//		... the gate is asked about s.Person ...
//		next(w.Wrap(rw, r, s, deviceID, mode), r)
//	}
package identity

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/seal"
)

// Mode says how the gate stands towards one request. The zero value is the
// strictest.
type Mode uint8

const (
	// Closed: the padlock is closed and the request is not exempt.
	Closed Mode = iota
	// Open: the padlock is open; everything passes and is watched.
	Open
	// Exempt: the padlock is closed, but the path is exempt: everything
	// passes, and what it leads to is worth nothing on other paths.
	Exempt
	// Drain: the padlock is open and stamps are taken off as browsers come
	// by, before the gate is removed.
	Drain
)

func (m Mode) passes() bool { return m != Closed }

// Next carries a request to the backend.
type Next func(rw http.ResponseWriter, r *http.Request) error

// Decide asks the gate about a person who has just proved a sign-in. Its
// error never lets in.
type Decide func(ctx context.Context, p access.Person, l books.Login) (access.Verdict, error)

// Deps are what a Watcher works with.
type Deps struct {
	// Books keep logins, held answers and what was learnt. Required.
	Books *books.Books
	// Ring returns the keys of the moment. Required.
	Ring func() *seal.Ring
	// Clock tells the time; nil means time.Now.
	Clock func() time.Time
	// Log gets warnings; nil means slog.Default. No value that was typed and
	// no session ever goes there.
	Log *slog.Logger
	// Probe prepares a request of our own (whoami) so that it can go through
	// Next: caddyhttp.PrepareRequest with a Replacer of its own. Parent is
	// the request it is made for. Nil leaves the request as it is.
	Probe func(probe, parent *http.Request, w http.ResponseWriter) *http.Request
	// Cut ends the requests under way in the application that came with a
	// device or a login, for a handler that keeps account of them itself. Nil
	// where Stream is used.
	Cut func(device, login string)
}

// Errors that a handler tells apart.
var (
	// ErrDeciding: the login of this session is still being judged (503).
	ErrDeciding = errors.New("a sign-in of this session is being decided")
	// ErrTicket: the ticket is not one of ours for this device (400).
	ErrTicket = errors.New("ticket is not valid")
	// ErrWaiting: the login is still not allowed; show the waiting page.
	ErrWaiting = errors.New("the sign-in still waits")
	// ErrTooLate: the held answer is gone; lead to the login page with a word
	// why.
	ErrTooLate = errors.New("the held answer is gone")
	// ErrSignInAgain: the login was by token; approved, but the answer is not
	// kept. Tell the person to sign in again.
	ErrSignInAgain = errors.New("approved: sign in again")
	// ErrPath: the path bears a session in itself (;jsessionid=), or names
	// the user in the query of a login (400).
	ErrPath = errors.New("request carries a session or a user name in its address")
	// ErrTooLarge: the login body is longer than Config.MaxBody (413).
	ErrTooLarge = errors.New("login body is too large to be read")
	// ErrUnreadable: the login body is of a kind that is not read (415).
	ErrUnreadable = errors.New("login body cannot be read")
	// ErrDisagree: two identity sources name different users (403).
	ErrDisagree = errors.New("identity sources disagree")
	// ErrName: a user name that is refused (see Canonical).
	ErrName = errors.New("user name is refused")
)

// Session is what a request's cookies and tokens came to, after Clean.
//
//	State      means                                           request
//	nobody     no sign-in was seen in it, or there is none     Watcher.Nobody
//	deciding   a login POST is at the backend                  Watcher.Settle, else 503
//	held       sign-in proved, the gate says wait              waiting page, never forwarded
//	bound      allowed, and released to this device            the gate is asked
//
// A session whose login ended is removed from the request: what is left is
// nobody.
type Session struct {
	// State is nobody, deciding, held or bound.
	State books.LoginState
	// Login is the row; its ID is empty for nobody.
	Login books.Login
	// Person is who signed in; nobody unless held or bound.
	Person access.Person
	// Carried says that the request still bears a session or a token.
	Carried bool
	// Unproved says that the session was not born under a closed padlock or
	// that a sign-in in it could not be judged: while the padlock is open it
	// passes, closed it is worth nothing until whoami names its user.
	Unproved bool
	// Foreign says that a session of another device was removed: somebody
	// copied it. ForeignLogin is that login's ID where it is known.
	Foreign      bool
	ForeignLogin string
	// Bad is ErrPath where the request must be refused as it is.
	Bad error
	// Err is what kept the watcher from reading a login or a value. Closed,
	// the session was removed: answer 503, it may be good.
	Err error

	claim books.Login // the row of one who is to pass a second step, see half

	raw      string   // the Cookie header as it came
	rawAuth  []string // the Authorization header as it came
	unproved []pair   // closed: taken off the request, for whoami alone
	stamped  []pair   // drain: what bore a stamp
	fresh    []string // Set-Cookie lines of a probe, still to be sent
	older    bool     // a value without a stamp passed: it is older than the gate
	murky    bool     // whoami did not tell who is in it, before a login
	bare     bool     // nobody's session was taken off: keep its cookies as they are
}

// pair is a cookie's name and value, without a stamp.
type pair struct{ name, value string }

// Step is what a request is to the watcher.
type Step uint8

const (
	// StepOther is every request that the login has no part in.
	StepOther Step = iota
	// StepLogin is a POST to the login, or that of the backend's second step:
	// Watcher.Login carries it.
	StepLogin
	// StepRelease is the POST of a ticket: Watcher.Release answers it.
	StepRelease
	// StepLogout signs out; forward it through Wrap, which ends the login.
	StepLogout
	// StepPublic is a path that nobody's sessions may see.
	StepPublic
	// StepToken is a declared token path; forward it through Wrap.
	StepToken
)

// Right is what nobody may do with one request.
type Right uint8

const (
	// RightRefuse: 403.
	RightRefuse Right = iota
	// RightBare: forward; credentials were taken off the request.
	RightBare
	// RightForward: forward as it is.
	RightForward
)

// Outcome is how a login POST ended.
type Outcome uint8

const (
	// OutcomeFailed: the backend said no, or it was no sign-in; its answer
	// went out, nothing changed.
	OutcomeFailed Outcome = iota
	// OutcomeReleased: signed in, allowed, and the answer went out.
	OutcomeReleased
	// OutcomeHeld: signed in, to wait: show the waiting page or problem+json.
	// Nothing was written to the client.
	OutcomeHeld
	// OutcomeRefused: signed in, and the gate refuses: show what Held shows.
	// The login has ended; nothing was written.
	OutcomeRefused
	// OutcomeUnreadable: the body was not read. Open: it passed as it was.
	// Closed: Login returns ErrTooLarge or ErrUnreadable, nothing was written.
	OutcomeUnreadable
	// OutcomeInconclusive: it does not show whether the backend signed in;
	// it counts as not signed in and what was carried has ended. Closed, the
	// answer may be a page for those who are in: nothing was written. Open,
	// it went out as it was.
	OutcomeInconclusive
	// OutcomeAborted: the client hung up, or the backend failed or did not
	// answer in time. Nothing was released; what was carried has ended.
	OutcomeAborted
	// OutcomeSecond: the password was right, and the backend asks for a second
	// step: its answer went out, and nobody is signed in.
	OutcomeSecond
)

// Attempt is what came of a login POST.
type Attempt struct {
	Outcome Outcome
	// Login is the row made by a sign-in; zero where there was none.
	Login books.Login
	// Person is who signed in; nobody for a failed login, whose user name is
	// told to nobody.
	Person access.Person
	// Verdict is what the gate said, where it was asked.
	Verdict access.Verdict
	// Fetch says that a script sent the login: answer problem+json.
	Fetch bool
	// Token says that the login answers with a token: once approved the
	// person signs in again.
	Token bool
	// Status is the backend's.
	Status int
	// Reason says in one line how it was judged; it holds nothing typed.
	Reason string
	// Written says that an answer went out. Where it is false, the handler
	// shows a page or problem+json: waiting for held and refused, "could not
	// be judged" for inconclusive, 504 for aborted.
	Written bool

	kept *kept // a held answer, for Wait
}

// Held is a login that waits, for the page that shows it.
type Held struct {
	Login books.Login
	// Action is where the page posts the ticket: the login's own address.
	Action string
	// Ticket is posted in the form field TicketField.
	Ticket string
	// Token says that the answer is not kept: once approved, say "sign in
	// again".
	Token bool
	// Until is when the held answer goes.
	Until time.Time
	// Redirects are the origins to which the held answer leads away from the
	// application's own: the page that releases it has to allow them.
	Redirects []string
}

// TicketField is the one form field of the release form.
const TicketField = "cadenas_ticket"
