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

// laterFor is how long "Not now" holds where no sign-in is watched: there is
// no next one at which to ask again.
const laterFor = 24 * time.Hour

// later notes on a device who put enrolment off, and until when.
type later struct {
	User  string
	Until time.Time
}

func laterKey(application, device string) string {
	return books.Key(application, "biopass-later", device)
}

// Offer reports whether enrolment is to be offered to somebody who was let in
// without a sign-in under the gate's eyes: who they are stands in a header, a
// token or a certificate. Nothing is held back for them, so nothing but the
// offer stands in their way; they go on by a yes, a no, or "Not now" for a
// day.
func (s *Service) Offer(ctx context.Context, application, user string, device access.Device) (bool, error) {
	why, _, err := s.SignedIn(ctx, application, user, device, true)
	if err != nil || why != WhyEnrol {
		return false, err
	}
	put, err := books.Get[later](ctx, s.st, laterKey(application, device.ID))
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading whether enrolment was put off: %w", err)
	}
	return put.User != user || !s.conf.Clock().Before(put.Until), nil
}

// unwatched reports whether an errand is an enrolment behind which no sign-in
// waits.
func (e Errand) unwatched() bool { return e.Why == WhyEnrol && e.Login == "" }

// putOff keeps the offer away from a device for a day.
func (s *Service) putOff(ctx context.Context, e Errand) error {
	err := s.st.Apply(ctx, store.Batch{Writes: []store.Write{{
		Key: laterKey(e.Application, e.Device.ID), Value: books.Encode(later{e.Person.User, s.conf.Clock().Add(laterFor)}), TTL: laterFor,
	}}})
	if err != nil {
		return fmt.Errorf("putting enrolment off: %w", err)
	}
	return nil
}
