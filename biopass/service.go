package biopass

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/passkey"
	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store"
)

// DefaultWords is how many words a line has.
const DefaultWords = 4

// GrantFor is how long a match authorises a connection.
const GrantFor = 90 * 24 * time.Hour

// Application is what the configuration says of one application.
type Application struct {
	// Name is what it is called on pages.
	Name string
	Mode Mode
	// SkipUntil is until when required enrolment may be put off.
	SkipUntil time.Time
	// Every is how long a confirmation holds where no sign-in is watched and
	// the mode is Always; 0 where each sign-in is typed.
	Every time.Duration
}

// Onward is the way from the last page to the application.
type Onward struct {
	// Action and Ticket fetch a held answer from the login's own address;
	// Redirects are origins it leads to. Empty where no answer is held.
	Action, Ticket string
	Redirects      []string
	// Continue is where one goes else.
	Continue string
	// Again says that one has to sign in once more, at SignIn.
	Again  bool
	SignIn string
}

// Config is what a Service is made of. Books, Ring and the functions are
// needed.
type Config struct {
	Books *books.Books
	// Ring returns the keys in force; asked each time, since keys rotate.
	Ring func() *seal.Ring
	// Model scores; nil is the shipped one.
	Model  *Model
	Policy Policy
	// Words is how many words a line has; 0 is DefaultWords.
	Words int
	// Retain is how long prints that are not used are kept; 0 is
	// DefaultRetain.
	Retain    time.Duration
	Languages []string
	Clock     func() time.Time
	Log       *slog.Logger

	Application func(name string) Application
	// Grant authorises the connection of an errand that was passed.
	Grant func(ctx context.Context, e Errand) error
	// LockOut locks the user in the application.
	LockOut func(ctx context.Context, e Errand) error
	// AskAdmin opens the access request of an errand.
	AskAdmin func(ctx context.Context, e Errand) error
	// Passkeys asks for the passkeys of an application's users, where they may
	// answer with one in the place of typing; nil, or a nil party: nowhere.
	Passkeys func(application string) *passkey.Party
	// Count is told each outcome but OneMore, for metrics; nil: nobody counts.
	Count func(application string, o Outcome)
	// Onward finds the way to the application once the errand is done.
	Onward func(ctx context.Context, e Errand) (Onward, error)
}

// Service is Biopass at work: lines, prints, tries, pages. Its methods may be
// called by several goroutines at once.
type Service struct {
	conf  Config
	st    store.Store
	lines lines
	book  *Book
}

// New makes a service. A policy that cannot be is an error.
func New(c Config) (*Service, error) {
	if err := c.Policy.Check(); err != nil {
		return nil, fmt.Errorf("biopass: %w", err)
	}
	if c.Words == 0 {
		c.Words = DefaultWords
	}
	if c.Words < 4 || c.Words > 6 {
		return nil, errors.New("biopass: words takes 4, 5 or 6")
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Model == nil {
		c.Model = Default()
	}
	if c.Retain <= 0 {
		c.Retain = DefaultRetain
	}
	st := c.Books.Store
	return &Service{
		conf: c, st: st, lines: lines{st, c.Clock},
		book: &Book{st: st, ring: c.Ring, retain: c.Retain, clock: c.Clock, log: c.Log},
	}, nil
}

// Able reports whether a user can confirm a sign-in on a device: by typing, or
// by a passkey.
func (s *Service) Able(ctx context.Context, application, user string, device access.Device) (bool, error) {
	if device.ID == "" {
		return false, nil
	}
	if key, err := s.hasKey(ctx, application, user); err != nil || key {
		return key && err == nil, err
	}
	return s.canType(ctx, application, user, device)
}

// canType reports whether a user can be asked to type on a device: they have
// prints there, the device has a keyboard, and not every try is spent.
func (s *Service) canType(ctx context.Context, application, user string, device access.Device) (bool, error) {
	if device.ID == "" || device.Kind == access.Phone || s.conf.Application(application).Mode == Off {
		return false, nil
	}
	n, err := s.failed(ctx, application, user)
	if err != nil || (n >= s.conf.Policy.attempts() && !s.conf.Policy.Trial) {
		return false, err
	}
	p, err := s.book.get(ctx, application, user)
	return p.ready(), err
}

// SignedIn says whether Biopass stands between an allowed sign-in and the
// application; see SignIn.Ask.
func (s *Service) SignedIn(ctx context.Context, application, user string, device access.Device, page bool) (why Why, other bool, err error) {
	app := s.conf.Application(application)
	if app.Mode == Off || app.Mode == "" {
		return "", false, nil
	}
	p, err := s.book.get(ctx, application, user)
	if err != nil {
		return "", false, err
	}
	key, err := s.hasKey(ctx, application, user)
	if err != nil {
		return "", false, err
	}
	in := SignIn{
		Mode: app.Mode, SkipUntil: app.SkipUntil, Kind: device.Kind, Page: page, Ready: p.ready() || key, Declined: !p.Declined.IsZero(),
		Keys: s.party(application) != nil,
	}
	why, other = in.Ask()
	if why == WhyEnrol && !page && in.MaySkip(s.conf.Clock()) {
		return "", false, nil // a script would take the offer for a failure
	}
	if why == WhyAlways && !other {
		able, err := s.Able(ctx, application, user, device)
		if err != nil {
			return why, true, err
		}
		other = !able
	}
	return why, other, nil
}

// Mode is what an application says of Biopass.
func (s *Service) Mode(application string) Mode {
	if m := s.conf.Application(application).Mode; m != "" {
		return m
	}
	return Off
}

// Trial reports whether failures are only recorded.
func (s *Service) Trial() bool { return s.conf.Policy.Trial }

// audit writes an entry; that it could not be written stops nobody.
func (s *Service) audit(ctx context.Context, e Errand, what string, detail map[string]string) {
	if detail == nil {
		detail = map[string]string{}
	}
	detail["device"] = e.Device.ID
	err := s.conf.Books.Audit.Append(ctx, books.Entry{
		At: s.conf.Clock(), Who: "user:" + e.Person.User, From: e.Place.Address.String(), Via: "gate", What: what,
		Application: e.Application, Subject: e.Person.User, Detail: detail,
	})
	if err != nil {
		s.conf.Log.Error("a Biopass event could not be written down", "what", what, "error", err)
	}
}

// AskAdmin opens the access request of a person who does not type.
func (s *Service) AskAdmin(ctx context.Context, e Errand) error {
	if e.Done() || e.Why == WhyLink || e.Why == WhyKey || (e.unwatched() && !s.guarding(e)) || e.Stage == Locked {
		return nil
	}
	if err := s.conf.AskAdmin(ctx, e); err != nil {
		return err
	}
	if e.Stage == Open {
		_, err := s.move(ctx, e, Asked)
		return err
	}
	return nil
}

// keyboardName is what a keyboard is called until somebody names it.
func keyboardName(c *lang.Catalogue, d access.Device) string {
	return c.Device(string(d.Kind), d.Label)
}
