package biopass

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// Stage is how far an errand has come.
type Stage string

// The stages.
const (
	// Open is typing, or about to.
	Open Stage = ""
	// Passed is a match, Enrolled five new prints.
	Passed   Stage = "passed"
	Enrolled Stage = "enrolled"
	// Skipped is enrolment put off, or declined where that is free.
	Skipped Stage = "skipped"
	// Asked is a person who asked an admin instead; they may still type, but
	// after a refusal of consent.
	Asked Stage = "asked"
	// Stopped is the last try spent; Locked the same where that locks.
	Stopped Stage = "stopped"
	Locked  Stage = "locked"
)

// Errand is what one person on one device came to the page for. It is kept by
// the server: nothing of it can be said by a browser.
type Errand struct {
	Application string
	Person      access.Person
	Device      access.Device
	Browser     access.Browser
	Place       access.Place
	New         []access.Part
	Why         Why
	// Login is the held login, if there is one.
	Login string
	// Link is who made the link, for WhyLink.
	Link string
	// Origin and Back are the application's origin and the page that was asked
	// for.
	Origin, Back string
	Language     string
	Made         time.Time
	Stage        Stage
	// Moved is when the stage was reached.
	Moved time.Time
	// Token says that the sign-in has to be done once more (its answer was a
	// token): what was passed counts for it, for a short while.
	Token bool
	Tries Tries
	// Key says that a passkey took the place of typing.
	Key bool
}

// Done reports whether the errand stands no longer in the way.
func (e Errand) Done() bool {
	return e.Stage == Passed || e.Stage == Enrolled || e.Stage == Skipped
}

const (
	// errandLife is how long an errand is kept: as long as a held answer.
	errandLife = 30 * time.Minute
	// tokenLife is how long a pass counts for a sign-in done once more.
	tokenLife = 5 * time.Minute
	// failedLife is how long failures in a row are remembered.
	failedLife = 24 * time.Hour
)

func errandKey(application, device string) string {
	return books.Key(application, "biopass-errand", device)
}

// Begin opens the errand of a device, or carries on with the one there is: a
// reload is no new start.
func (s *Service) Begin(ctx context.Context, e Errand) (Errand, error) {
	if e.Device.ID == "" || e.Person.User == "" {
		return Errand{}, errors.New("opening a Biopass errand: it needs a user and a device")
	}
	now := s.conf.Clock()
	return s.change(ctx, e.Application, e.Device.ID, func(old *Errand) (bool, error) {
		same := old.Person.User == e.Person.User && old.Why == e.Why && old.Login == e.Login && !old.Done()
		if !same {
			e.Made, e.Stage, e.Moved, e.Tries, e.Token, e.Key = now, Open, now, Tries{}, false, false
			*old = e
			return true, nil
		}
		kept := *old
		*old = e
		old.Made, old.Stage, old.Moved, old.Tries, old.Token, old.Key = kept.Made, kept.Stage, kept.Moved, kept.Tries, kept.Token, kept.Key
		return true, nil
	})
}

// Errand returns the errand of a device, false where there is none.
func (s *Service) Errand(ctx context.Context, application, device string) (Errand, bool, error) {
	if device == "" {
		return Errand{}, false, nil
	}
	e, err := books.Get[Errand](ctx, s.st, errandKey(application, device))
	if errors.Is(err, store.ErrNotFound) {
		return Errand{}, false, nil
	}
	if err != nil {
		return Errand{}, false, fmt.Errorf("reading a Biopass errand: %w", err)
	}
	return e, s.conf.Clock().Before(e.Moved.Add(errandLife)), nil
}

// change alters the errand of a device; the zero value where there is none.
func (s *Service) change(ctx context.Context, application, device string, alter func(e *Errand) (bool, error)) (Errand, error) {
	key := errandKey(application, device)
	for range 8 {
		var e Errand
		before, err := s.st.Get(ctx, key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return e, fmt.Errorf("reading a Biopass errand: %w", err)
		}
		if err == nil {
			if err := books.Decode(before, &e); err != nil {
				return e, err
			}
		}
		if ok, err := alter(&e); err != nil || !ok {
			return e, err
		}
		err = s.st.Apply(ctx, store.Batch{
			Checks: []store.Check{{Key: key, Value: before}},
			Writes: []store.Write{{Key: key, Value: books.Encode(e), TTL: errandLife}},
		})
		if err == nil {
			return e, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return e, fmt.Errorf("keeping a Biopass errand: %w", err)
		}
	}
	return Errand{}, fmt.Errorf("keeping a Biopass errand: %w", store.ErrConflict)
}

// move puts an errand into another stage.
func (s *Service) move(ctx context.Context, e Errand, to Stage) (Errand, error) {
	return s.change(ctx, e.Application, e.Device.ID, func(now *Errand) (bool, error) {
		if now.Person.User != e.Person.User || now.Login != e.Login || now.Why != e.Why {
			return false, errGone
		}
		now.Stage, now.Moved = to, s.conf.Clock()
		return true, nil
	})
}

var errGone = errors.New("another sign-in took the place of this one")

// Cleared reports whether Biopass no longer stands in the way of a sign-in,
// and whether it was passed by typing. A pass whose sign-in answered with a
// token counts once more, for the sign-in that has to be repeated.
func (s *Service) Cleared(ctx context.Context, application, device, user, login string) (cleared, typed bool, err error) {
	e, ok, err := s.Errand(ctx, application, device)
	if err != nil || !ok || e.Person.User != user || !e.Done() {
		return false, false, err
	}
	typed = e.Stage == Passed
	if e.Login == login {
		return true, typed, nil
	}
	if !e.Token || s.conf.Clock().After(e.Moved.Add(tokenLife)) {
		return false, false, nil
	}
	_, err = s.change(ctx, application, device, func(now *Errand) (bool, error) {
		if !now.Token {
			return false, errGone // another sign-in used it
		}
		now.Token, now.Login = false, login
		return true, nil
	})
	if errors.Is(err, errGone) {
		return false, false, nil
	}
	return err == nil, typed, err
}

// CanStill reports whether somebody who waits for an approval may type
// instead.
func (s *Service) CanStill(ctx context.Context, application, device, user, login string) (bool, error) {
	e, ok, err := s.Errand(ctx, application, device)
	if err != nil || !ok || e.Person.User != user || e.Login != login || e.purpose() == Enrolling || (e.Stage != Open && e.Stage != Asked) {
		return false, err
	}
	return s.Able(ctx, application, user, e.Device)
}

// Repeat says that the sign-in of an errand has to be done once more.
func (s *Service) Repeat(ctx context.Context, e Errand) error {
	_, err := s.change(ctx, e.Application, e.Device.ID, func(now *Errand) (bool, error) {
		if now.Login != e.Login || !now.Done() || now.Token {
			return false, nil
		}
		now.Token = true
		return true, nil
	})
	return err
}

// failures are the tries of one user in one application that did not match,
// in a row, on whatever device: spellings of a name share them (threat L16).
type failures struct {
	Count int
	Last  time.Time
}

func failedKey(application, user string) string {
	return books.Key(application, "biopass-failed", access.FoldUser(user))
}

func (s *Service) failed(ctx context.Context, application, user string) (int, error) {
	f, err := books.Get[failures](ctx, s.st, failedKey(application, user))
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading failed tries: %w", err)
	}
	if s.conf.Clock().Sub(f.Last) >= failedLife {
		return 0, nil
	}
	return f.Count, nil
}

// countFailed sets the count to what add makes of it.
func (s *Service) countFailed(ctx context.Context, application, user string, add func(int) int) (int, error) {
	key := failedKey(application, user)
	for range 8 {
		var f failures
		before, err := s.st.Get(ctx, key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return 0, fmt.Errorf("reading failed tries: %w", err)
		}
		if err == nil {
			if err := books.Decode(before, &f); err != nil {
				return 0, err
			}
		}
		now := s.conf.Clock()
		if now.Sub(f.Last) >= failedLife {
			f.Count = 0
		}
		f.Count, f.Last = add(f.Count), now
		w := store.Write{Key: key}
		if f.Count > 0 {
			w.Value, w.TTL = books.Encode(f), failedLife
		}
		err = s.st.Apply(ctx, store.Batch{Checks: []store.Check{{Key: key, Value: before}}, Writes: []store.Write{w}})
		if err == nil {
			return f.Count, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return 0, fmt.Errorf("keeping failed tries: %w", err)
		}
	}
	return 0, fmt.Errorf("keeping failed tries: %w", store.ErrConflict)
}

// Forgive forgets a user's failed tries: an admin let them in meanwhile.
func (s *Service) Forgive(ctx context.Context, application, user string) error {
	if n, err := s.failed(ctx, application, user); err != nil || n == 0 {
		return err
	}
	_, err := s.countFailed(ctx, application, user, func(int) int { return 0 })
	return err
}
