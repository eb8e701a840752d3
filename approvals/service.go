package approvals

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store"
)

// Errors that callers tell apart. Each has a sentence of its own on pages.
var (
	// ErrNotFound says that there is no such request (any more).
	ErrNotFound = errors.New("no such access request")
	// ErrExpired says that the request, or the link to it, is over.
	ErrExpired = errors.New("access request expired")
	// ErrCancelled says that the person who asked took it back.
	ErrCancelled = errors.New("access request was taken back")
	// ErrNotYours says that the approver does not look after the application.
	ErrNotYours = errors.New("approver does not look after this application")
	// ErrOwnRequest says that the approver is the one who asks, and the way is
	// not the second channel that the application's policy names (threat L24).
	ErrOwnRequest = errors.New("nobody approves their own request here")
	// ErrLinkClosed says that too many wrong numbers were typed: only a
	// signed-in approver can decide now.
	ErrLinkClosed = errors.New("too many wrong numbers: decide in the console")
	// ErrNotConfirmed says that a refusal from a link wants the number or a
	// tick, so that no mail scanner can press it (threat L10).
	ErrNotConfirmed = errors.New("refusal needs to be confirmed")
	// ErrUnsure says that a signed-in approver neither typed the number nor
	// said that they made sure otherwise.
	ErrUnsure = errors.New("type the number, or say that you made sure otherwise")
	// ErrWidth says that the request lacks what the width rests on: a device
	// without cookie, a place nobody knows.
	ErrWidth = errors.New("this width is not possible for this request")
	// ErrUntil says that the end asked for is already past.
	ErrUntil = errors.New("the end is in the past")
	// ErrPass says that a pass code is not good: wrong, used, over, somebody
	// else's, or too many tries. Nothing tells which.
	ErrPass = errors.New("pass code is not good")
	// ErrCode says that a code of a second channel is not good: wrong, used or
	// over. Nothing tells which.
	ErrCode = errors.New("code is not good")
	// ErrCodeTries says that too many wrong codes were typed: no code counts
	// for a while.
	ErrCodeTries = errors.New("too many wrong codes")
	// ErrCodeSends says that no further code is sent for a while, or that there
	// is no channel to send one.
	ErrCodeSends = errors.New("no further code is sent now")
	// ErrNoChannel says that there is no channel of a name, or that it does not
	// reach somebody.
	ErrNoChannel = errors.New("this channel does not reach them")
	// ErrTooMany says that a request was not kept because too many wait; what
	// is returned beside it can be shown.
	ErrTooMany = errors.New("too many access requests wait")
)

// DecidedError says that the request was decided before: by whom, when and
// how stands in Ask.Decision.
type DecidedError struct{ Ask AccessRequest }

func (e *DecidedError) Error() string {
	by := e.Ask.Decision.By
	if e.Ask.Decision.At.IsZero() || by == "" { // being decided at this moment
		return fmt.Sprintf("access request %s is %s already", e.Ask.Reference, e.Ask.State)
	}
	return fmt.Sprintf("access request %s was %s by %s on %s", e.Ask.Reference, e.Ask.State, by, e.Ask.Decision.At.Local().Format("2006-01-02 15:04"))
}

// ChangedError says that the request is no longer what the approver was
// shown; Ask is what it is now.
type ChangedError struct{ Ask AccessRequest }

func (e *ChangedError) Error() string {
	return fmt.Sprintf("access request %s changed since it was shown", e.Ask.Reference)
}

// NumberError says that the number is missing or wrong.
type NumberError struct {
	// Missing says that none was typed; that counts as no try.
	Missing bool
	// Left is how many tries are left; 0 closes the way by link.
	Left int
}

func (e *NumberError) Error() string {
	if e.Missing {
		return "the number is missing"
	}
	return fmt.Sprintf("wrong number, %d tries left", e.Left)
}

// Application is what the service must know of one application.
type Application struct {
	// Name is what it is called on pages and in notices.
	Name string
	// SamePlace and SameBrowser say what a rule compares.
	SamePlace   access.SamePlace
	SameBrowser access.SameBrowser
	// Self lists the channels ("sms", "email", "web_push") through which an
	// admin may authorise themself; empty means nobody may (threat L24).
	Self []string
	// SelfUsers is the channel ("sms" or "email") through which anybody may
	// authorise themself whose address the identity source or an admin gave;
	// empty means nobody but admins.
	SelfUsers string
	// GrantFor is the default end of an approval; 0 means none.
	GrantFor time.Duration
	// Address is where browsers find it ("https://app.example.com/"), for the
	// mail that tells the outcome; empty where that is not known.
	Address string
}

// Config is what a Service is made of. Books, Ring, Admins and Applications
// are needed.
type Config struct {
	Books *books.Books
	// Ring returns the keys in force; asked each time, since keys rotate.
	Ring func() *seal.Ring
	// Admins returns all admins, the Caddyfile's and the console's.
	Admins func() []books.Admin
	// Applications returns the identifiers of all applications served, and
	// Application what is to be known of one.
	Applications func() []string
	Application  func(id string) Application
	// Console is the console's URL without a path ("https://gate.example.com");
	// empty where there is none: notices then bear no link.
	Console string
	// Languages are those of the configuration; empty means all there are.
	Languages []string
	// ClientIP is the address a request came from, for the audit; nil means
	// the peer's.
	ClientIP func(*http.Request) string
	// Notifiers are the channels, in the order in which an admin who chose
	// none is told.
	Notifiers []Notifier
	// Counted is told of each try to send: the channel, the kind and the
	// result ("sent", "again" or "failed"; "lost" is what a channel took and
	// could not bring); nil counts nothing.
	Counted func(channel string, kind NoticeKind, result string)
	// Judge is the gate's verdict on a visit, made anew; nil: a request waits
	// until it is decided, whatever else comes to let its person in.
	Judge func(ctx context.Context, v access.Visit) (access.Verdict, error)
	// Clock is the time; nil means time.Now.
	Clock func() time.Time
	// Log gets what no caller is there to hear; nil means slog.Default.
	Log *slog.Logger
	// Limits are how long and how often what requests rest on is good; zero
	// fields take the defaults.
	Limits Limits
	// Caps bound what strangers can make us keep and send (threat L22); zero
	// fields take the defaults.
	Caps Caps
	// Instance names this process among several; empty makes one up.
	Instance string
	// Alone says that no other process can have the store: what another
	// instance was sending when it was killed goes out at once, and not after
	// a minute.
	Alone bool
}

// Caps bound requests and notices (threat L22).
type Caps struct {
	// PerUser bounds one user's requests in one application that wait or were
	// refused or taken back within Limits.Refused: 5.
	PerUser int
	// PerNetwork bounds those from one network (a /24 or /56): 50.
	PerNetwork int
	// PerApplication bounds those of one application: 1,000.
	PerApplication int
	// NoticesPerHour bounds what one admin is told about in an hour and an
	// application; what is more comes in one digest: 20.
	NoticesPerHour int
}

// Choice is what an approver decides, and how they came to it.
type Choice struct {
	Application, ID string
	// Effect is access.Allow or access.Refuse.
	Effect access.Effect
	// Width and Until are for access.Allow; the empty width means connection,
	// the zero Until no end.
	Width Width
	Until time.Time
	// Version is the request's that the approver was shown; 0 asks for no
	// such check (the command line).
	Version int
	// By is the approver. From is the address they came from, for the audit.
	By   books.Admin
	From string
	// Via is the way: ViaConsole, ViaMail, ViaCommand or ViaAPI.
	Via string
	// SignedIn says that a console session (or the command line's secret)
	// stands behind the choice, and not a link alone.
	SignedIn bool
	// Channel is the notifier through which By got the link, "" without link.
	Channel string
	// Number is what was typed from the waiting person's screen; Sure says
	// that the approver made sure otherwise (SignedIn only).
	Number string
	Sure   bool
	// Confirmed is the tick that a refusal without number wants from a link.
	Confirmed bool
	// Reply is a word to the person who asked.
	Reply string

	// detail is more for the audit.
	detail map[string]string
}

// Service opens, tells, decides and ends access requests. All methods may be
// called by several goroutines at once.
type Service struct {
	conf     Config
	st       store.Store
	channels map[string]Notifier
	// slots bound how much one channel sends at once.
	slots map[string]chan struct{}

	streams streams

	// ill says of a channel whether the last that is written down of it is an
	// error; one that is not there was not looked at yet.
	illMu sync.Mutex
	ill   map[string]bool

	// opening is held while a new request is counted and written.
	opening sync.Mutex
	others  map[string]others
	turned  map[string]others
	madeUp  map[string]AccessRequest
	hubs    struct {
		sync.Mutex
		of map[string]*hub
	}
}

// New makes a service. Run must be called for notices to go out and requests
// to expire.
func New(c Config) *Service {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	c.Limits = c.Limits.complete()
	if c.Counted == nil {
		c.Counted = func(string, NoticeKind, string) {}
	}
	if c.Instance == "" {
		c.Instance = randomText(referenceLetters, 12)
	}
	orDefault(&c.Caps.PerUser, 5)
	orDefault(&c.Caps.PerNetwork, 50)
	orDefault(&c.Caps.PerApplication, 1000)
	orDefault(&c.Caps.NoticesPerHour, 20)
	s := &Service{
		conf: c, st: c.Books.Store, channels: map[string]Notifier{}, slots: map[string]chan struct{}{},
		others: map[string]others{}, turned: map[string]others{}, madeUp: map[string]AccessRequest{},
	}
	s.hubs.of = map[string]*hub{}
	for _, n := range c.Notifiers {
		s.channels[n.Name()] = n
		s.slots[n.Name()] = make(chan struct{}, parallelSends)
	}
	return s
}

func orDefault(n *int, otherwise int) {
	if *n <= 0 {
		*n = otherwise
	}
}
