package approvals

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// reportPatience is how long a report waits for its notice to be written down
// as sent: a fast channel reports before its sender comes back.
const reportPatience = 5 * time.Second

// ToldLater writes down what a channel says of a notice that it had taken: that
// it arrived, or (lost) why it never will. What is lost is made up for by
// another channel, like a notice that was not taken. What is unknown, or known
// already, is left as it is. The error is the store's.
func (s *Service) ToldLater(ctx context.Context, channel, application, id string, lost error) error {
	key := doneKey(Notice{Application: application, ID: id})
	until := s.conf.Clock().Add(reportPatience)
	for {
		raw, err := s.getMaybe(ctx, key)
		if err != nil {
			return fmt.Errorf("reading what became of a notice: %w", err)
		}
		if raw == nil {
			if !s.conf.Clock().Before(until) || !pause(ctx, 100*time.Millisecond) {
				return nil
			}
			continue
		}
		var d Delivery
		if err := books.Decode(raw, &d); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if d.Notice.Channel != channel || d.State != DeliverySent {
			return nil
		}
		now := s.conf.Clock()
		batch := store.Batch{Checks: []store.Check{{Key: key, Value: raw}}}
		if lost == nil {
			d.State, d.At = DeliveryArrived, now
			batch.Writes = []store.Write{{Key: key, Value: books.Encode(d), TTL: sentKept}}
		} else {
			d.State, d.At, d.Error = DeliveryFailed, now, CleanText(lost.Error(), 300)
			batch.Writes = s.givenUp(d, now)
		}
		if lost == nil {
			err = s.st.Apply(ctx, batch)
		} else {
			err = s.help(ctx, batch, parcel{Notice: d.Notice, AskID: d.AskID}, d.Error, now)
		}
		if errors.Is(err, store.ErrConflict) {
			continue // told twice, to two instances
		}
		if err != nil {
			return fmt.Errorf("writing down what became of a notice: %w", err)
		}
		if lost != nil {
			s.conf.Counted(channel, d.Notice.Kind, "lost")
		}
		return nil
	}
}

// givenUp are the writes of a notice that reached nobody; the log hears of it
// too.
func (s *Service) givenUp(d Delivery, now time.Time) []store.Write {
	n := d.Notice
	s.conf.Log.Error("a notice was given up", "application", n.Application, "notice", n.ID,
		"channel", n.Channel, "to", n.To.Email, "tries", d.Tries, "error", d.Error)
	return []store.Write{
		{Key: doneKey(n), Value: books.Encode(d), TTL: failedKept},
		s.conf.Books.Audit.Write(books.Entry{
			At: now, Who: "system", Via: n.Channel, What: "notice.failed", Application: n.Application,
			Subject: firstOf(n.To.Email, n.To.Name),
			Detail:  map[string]string{"kind": string(n.Kind), "request": d.AskID, "error": d.Error},
		}),
	}
}
