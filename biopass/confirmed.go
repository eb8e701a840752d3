package biopass

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// DefaultEvery is how long a person who confirmed who they are need not do so
// again on that device, where `biopass always` stands and no sign-in is
// watched: a working day.
const DefaultEvery = 12 * time.Hour

// The bounds of what may be set in its place.
const (
	LeastEvery = 15 * time.Minute
	MostEvery  = 30 * 24 * time.Hour
)

// Confirmation is that somebody confirmed on a device who they are. Where a
// header, a token or Caddy's own authentication names people there is no
// sign-in after which to ask: a confirmation has an end instead, which use
// does not put off.
type Confirmation struct {
	User  string
	Until time.Time
	// Factor is how: "biopass" by typing, "passkey" by one, "approval" by an
	// admin; empty for five prints made just then.
	Factor string
}

func confirmedKey(application, device string) string {
	return books.Key(application, "biopass-confirmed", device)
}

// Confirmed returns the confirmation of a user on a device, false where there
// is none that still holds. A device has one: who comes after somebody else
// confirms anew.
func (s *Service) Confirmed(ctx context.Context, application, user, device string) (Confirmation, bool, error) {
	if device == "" {
		return Confirmation{}, false, nil
	}
	c, err := books.Get[Confirmation](ctx, s.st, confirmedKey(application, device))
	if errors.Is(err, store.ErrNotFound) {
		return Confirmation{}, false, nil
	}
	if err != nil {
		return Confirmation{}, false, fmt.Errorf("reading who confirmed a device: %w", err)
	}
	return c, c.User == user && s.conf.Clock().Before(c.Until), nil
}

// Confirm notes that a user confirmed on a device at a moment, as an admin's
// approval does. It tells nothing where the application asks at sign-ins.
func (s *Service) Confirm(ctx context.Context, application, user, device, factor string, at time.Time) (Confirmation, error) {
	app := s.conf.Application(application)
	c := Confirmation{User: user, Until: at.Add(app.Every), Factor: factor}
	left := c.Until.Sub(s.conf.Clock())
	if app.Every <= 0 || app.Mode != Always || device == "" || left <= 0 {
		return Confirmation{}, nil
	}
	err := s.st.Apply(ctx, store.Batch{Writes: []store.Write{{Key: confirmedKey(application, device), Value: books.Encode(c), TTL: left}}})
	if err != nil {
		return Confirmation{}, fmt.Errorf("noting who confirmed a device: %w", err)
	}
	return c, nil
}

// confirm notes an errand that was passed, where no sign-in waits for it.
func (s *Service) confirm(ctx context.Context, e Errand, factor string) error {
	if e.Login != "" || e.Why == WhyLink || e.Why == WhyKey {
		return nil
	}
	_, err := s.Confirm(ctx, e.Application, e.Person.User, e.Device.ID, factor, s.conf.Clock())
	return err
}

// guarding reports whether an enrolment behind which no sign-in waits is what
// stands between a person and the application: then a no is for an admin.
func (s *Service) guarding(e Errand) bool {
	return e.unwatched() && s.conf.Application(e.Application).Every > 0 && !s.free(e)
}
