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

// Line draws the next line of an errand.
func (s *Service) Line(ctx context.Context, e Errand) (Challenge, error) {
	c := Challenge{User: e.Person.User, Purpose: Verifying, Step: e.Tries.Failed + 1}
	if e.Why == WhyEnrol || e.Why == WhyLink {
		p, err := s.book.get(ctx, e.Application, e.Person.User)
		if err != nil {
			return c, err
		}
		if !p.consented() {
			return c, RefusedLate // no print before the consent
		}
		d, err := s.book.readDraft(ctx, e.Application, e.Device.ID, e.Person.User)
		if err != nil {
			return c, err
		}
		if d.Name == "" {
			return c, RefusedLate // it rested too long: the page begins anew
		}
		c.Purpose, c.Step = Enrolling, d.prints()+1
	} else if able, err := s.canType(ctx, e.Application, e.Person.User, e.Device); err != nil || !able || e.Why == WhyKey {
		return c, errors.Join(err, RefusedLate)
	}
	return s.lines.draw(ctx, e.Application, e.Device.ID, c, e.Language, s.conf.Words)
}

func (d draft) prints() int {
	var p Profile
	if p.UnmarshalBinary(d.Profile) != nil {
		return 0
	}
	return p.Len()
}

// Start begins the time of a line: its first key was pressed.
func (s *Service) Start(ctx context.Context, e Errand, challenge string) error {
	return s.lines.begin(ctx, e.Application, e.Device.ID, challenge)
}

// Next is what follows a line that was typed.
type Next struct {
	// Outcome is one of verifying; "" in enrolment.
	Outcome Outcome
	// Done is how many lines of an enrolment are kept.
	Done int
	// Stage is the errand's.
	Stage Stage
	// Refused says why a line was not scored, nil where it was.
	Refused *Refusal
}

// Typed takes a line that was typed. The capture is forgotten with the
// return: what stays is a print, where the person enrols or the match was
// strong.
func (s *Service) Typed(ctx context.Context, e Errand, c Capture) (Next, error) {
	if e.Done() || e.Stage == Stopped || e.Stage == Locked {
		return Next{Stage: e.Stage}, nil
	}
	line, err := s.lines.take(ctx, e.Application, e.Device.ID, c.Challenge)
	if err == nil && (line.User != e.Person.User || line.Purpose != e.purpose()) {
		err = RefusedLate
	}
	var typed Typing
	var print *Print
	if err == nil {
		typed, err = c.Check(line.Words, line.age)
	}
	if err == nil {
		print, err = s.conf.Model.Print(typed.Events)
		err = refusalOf(err)
	}
	var person person
	if err == nil {
		if person, err = s.book.get(ctx, e.Application, e.Person.User); err == nil {
			err = s.fresh(person, print)
		}
	}
	var refused *Refusal
	if errors.As(err, &refused) {
		return s.refuse(ctx, e, refused)
	}
	if err != nil {
		return Next{}, err
	}
	if e.purpose() == Enrolling {
		return s.enrol(ctx, e, line, print)
	}
	return s.verify(ctx, e, person, print)
}

func (e Errand) purpose() Purpose {
	if e.Why == WhyEnrol || e.Why == WhyLink || e.Why == WhyKey {
		return Enrolling
	}
	return Verifying
}

// fresh refuses a near-copy of any print that is kept of the person (threat
// L27).
func (s *Service) fresh(p person, print *Print) error {
	for _, k := range p.Keyboards {
		r, err := s.score(k.Profile, print)
		if err != nil {
			return err
		}
		if r.NearCopy {
			return RefusedCopy
		}
	}
	return nil
}

// score holds a print against a stored profile. Prints of another model match
// nothing: their owner enrols again.
func (s *Service) score(stored []byte, print *Print) (Result, error) {
	var prints Profile
	if err := prints.UnmarshalBinary(stored); err != nil {
		return Result{Score: MinScore}, err
	}
	r, err := s.conf.Model.Score(&prints, print)
	if errors.Is(err, ErrOtherKind) || errors.Is(err, ErrEmpty) {
		return Result{Score: MinScore}, nil
	}
	return r, err
}

// refuse notes typing that was not scored.
func (s *Service) refuse(ctx context.Context, e Errand, r *Refusal) (Next, error) {
	if e.purpose() == Enrolling {
		return Next{Refused: r, Stage: e.Stage}, nil // nobody gains by trying
	}
	var outcome Outcome
	e, err := s.try(ctx, e, func(t Tries) (Tries, Outcome) {
		t, outcome = s.conf.Policy.Refuse(t, r)
		return t, outcome
	})
	if err != nil {
		return Next{}, err
	}
	step, err := s.follow(ctx, e, outcome, r.Key)
	step.Refused = r
	return step, err
}

// verify scores a line against the keyboards that are meant.
func (s *Service) verify(ctx context.Context, e Errand, p person, print *Print) (Next, error) {
	scored := map[string]Result{}
	against := p.meant(e.Device.ID)
	if e.Tries.Failed > 0 {
		against = p.Keyboards // perhaps another one was plugged in
	}
	for _, k := range against {
		r, err := s.score(k.Profile, print)
		if err != nil {
			return Next{}, err
		}
		scored[k.ID] = r
	}
	point := s.conf.Model.Point(s.conf.Policy.level(e.Device.Kind))
	var outcome Outcome
	e, err := s.try(ctx, e, func(t Tries) (Tries, Outcome) {
		t, outcome = s.conf.Policy.Judge(t, point, scored)
		return t, outcome
	})
	if err != nil {
		return Next{}, err
	}
	if outcome == Matched {
		if err := s.grow(ctx, e, scored, print); err != nil {
			s.conf.Log.Warn("a match could not be noted with the prints", "error", err)
		}
	}
	return s.follow(ctx, e, outcome, "")
}

// try carries the tries of an errand on, and the failures that its user has on
// all devices together.
func (s *Service) try(ctx context.Context, e Errand, judge func(Tries) (Tries, Outcome)) (Errand, error) {
	before, err := s.failed(ctx, e.Application, e.Person.User)
	if err != nil {
		return e, err
	}
	var outcome Outcome
	e, err = s.change(ctx, e.Application, e.Device.ID, func(now *Errand) (bool, error) {
		if now.Person.User != e.Person.User || now.Login != e.Login {
			return false, errGone
		}
		t := now.Tries
		t.Failed = before
		now.Tries, outcome = judge(t)
		return true, nil
	})
	if err != nil {
		return e, err
	}
	switch outcome {
	case TryAgain, Spent:
		_, err = s.countFailed(ctx, e.Application, e.Person.User, func(n int) int { return n + 1 })
	case Matched, WouldSpend:
		_, err = s.countFailed(ctx, e.Application, e.Person.User, func(int) int { return 0 })
	case OneMore:
	}
	return e, err
}

// grow lets the best keyboard's profile follow its owner.
func (s *Service) grow(ctx context.Context, e Errand, scored map[string]Result, print *Print) error {
	best := ""
	for id, r := range scored {
		if best == "" || r.Score > scored[best].Score {
			best = id
		}
	}
	_, err := s.book.update(ctx, e.Application, e.Person.User, func(p *person) (bool, error) {
		for i := range p.Keyboards {
			k := &p.Keyboards[i]
			if k.ID != best {
				continue
			}
			var prints Profile
			if err := prints.UnmarshalBinary(k.Profile); err != nil {
				return false, err
			}
			if prints.Grow(s.conf.Model, print) {
				stored, err := prints.MarshalBinary()
				if err != nil {
					return false, err
				}
				k.Profile = stored
			}
			k.usedOn(e.Device.ID, s.conf.Clock())
			return true, nil
		}
		return false, nil
	})
	return err
}

// follow does what an outcome asks for, and writes it down.
func (s *Service) follow(ctx context.Context, e Errand, o Outcome, why string) (Next, error) {
	next := Next{Outcome: o, Stage: e.Stage}
	if o != OneMore {
		if s.conf.Count != nil {
			s.conf.Count(e.Application, o)
		}
		if err := s.book.count(ctx, e.Application, e.Person.User, o, s.conf.Policy.Trial); err != nil {
			s.conf.Log.Warn("what came of typing could not be counted", "error", err) // and stops nobody
		}
	}
	detail := map[string]string{"why": string(e.Why), "failed": fmt.Sprint(e.Tries.Failed)}
	if why != "" {
		detail["refused"] = why
	}
	var err error
	switch o {
	case Matched:
		if err := s.conf.Grant(ctx, e); err != nil {
			return next, err
		}
		s.audit(ctx, e, "biopass.match", detail)
		e, err = s.move(ctx, e, Passed)
	case TryAgain:
		s.audit(ctx, e, "biopass.no-match", detail)
	case Spent:
		to := Stopped
		if s.conf.Policy.Lock {
			if err := s.conf.LockOut(ctx, e); err != nil {
				return next, err
			}
			// The lock stands for it from here: once it is taken away, one
			// begins with all tries.
			if err := s.Forgive(ctx, e.Application, e.Person.User); err != nil {
				return next, err
			}
			to = Locked
		}
		s.audit(ctx, e, "biopass.spent", detail)
		e, err = s.move(ctx, e, to)
	case WouldSpend:
		detail["would"] = "approval"
		if s.conf.Policy.Lock {
			detail["would"] = "lock"
		}
		s.audit(ctx, e, "biopass.trial", detail)
	case OneMore:
	}
	next.Stage = e.Stage
	return next, err
}

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
	if e.Done() || e.Why == WhyLink || e.Why == WhyKey || e.unwatched() || e.Stage == Locked {
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
