package biopass

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// Tally counts what came of a person's typing in one application: what an
// admin looks at who helps them, and what a trial is run for. It holds
// outcomes and dates, no score (B9).
type Tally struct {
	// Matched counts sign-ins that matched; Missed lines that did not, or that
	// no hand typed; Stopped sign-ins at which the last try was spent.
	Matched int `json:"matched"`
	Missed  int `json:"missed"`
	Stopped int `json:"stopped"`
	// LastMatched and LastMissed are when that was last; zero for never.
	LastMatched time.Time `json:"last_matched,omitzero"`
	LastMissed  time.Time `json:"last_missed,omitzero"`
	// TrialMatched and TrialStopped are what a trial recorded: sign-ins that
	// matched, and those that would have been stopped. Both are counted above
	// too, but for Stopped: a trial stops nobody.
	TrialMatched int `json:"trial_matched"`
	TrialStopped int `json:"trial_stopped"`
}

// add counts an outcome.
func (t Tally) add(o Outcome, trial bool, now time.Time) Tally {
	switch o {
	case Matched:
		t.Matched, t.LastMatched = t.Matched+1, now
		if trial {
			t.TrialMatched++
		}
	case TryAgain:
		t.Missed, t.LastMissed = t.Missed+1, now
	case Spent:
		t.Missed, t.Stopped, t.LastMissed = t.Missed+1, t.Stopped+1, now
	case WouldSpend:
		t.Missed, t.TrialStopped, t.LastMissed = t.Missed+1, t.TrialStopped+1, now
	case OneMore:
	}
	return t
}

const tallyPurpose = "print-tally"

// tallyKey is beside the prints, not in them: a stranger's failures must not
// prolong how long prints are kept, and nothing but an enrolment or a match
// writes to those.
func tallyKey(application, id string) string { return books.Key(application, "biopass-tally", id) }

// tally returns what came of a user's typing; nothing yet is the zero value.
func (b *Book) tally(ctx context.Context, application, user string) (Tally, error) {
	t, _, err := b.loadTally(ctx, application, user)
	return t, err
}

func (b *Book) loadTally(ctx context.Context, application, user string) (Tally, []byte, error) {
	keys, err := b.keys(ctx)
	if err != nil {
		return Tally{}, nil, err
	}
	id := keys.opaque(application, user)
	box, err := b.st.Get(ctx, tallyKey(application, id))
	if errors.Is(err, store.ErrNotFound) {
		return Tally{}, nil, nil
	}
	if err != nil {
		return Tally{}, nil, fmt.Errorf("reading what came of typing: %w", err)
	}
	var t Tally
	plain, err := keys.print.Open(nil, box, tallyPurpose, id)
	if err != nil {
		return Tally{}, box, fmt.Errorf("reading what came of typing: %w", err)
	}
	return t, box, books.Decode(plain, &t)
}

// count adds an outcome to a user's tally.
func (b *Book) count(ctx context.Context, application, user string, o Outcome, trial bool) error {
	for range 8 {
		t, before, err := b.loadTally(ctx, application, user)
		if err != nil {
			return err
		}
		keys, err := b.keys(ctx)
		if err != nil {
			return err
		}
		id := keys.opaque(application, user)
		key, after := tallyKey(application, id), t.add(o, trial, b.clock())
		err = b.st.Apply(ctx, store.Batch{
			Checks: []store.Check{{Key: key, Value: before}},
			Writes: []store.Write{{Key: key, Value: keys.print.Seal(nil, books.Encode(after), tallyPurpose, id), TTL: b.retain}},
		})
		if err == nil {
			return nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return fmt.Errorf("counting what came of typing: %w", err)
		}
	}
	return fmt.Errorf("counting what came of typing: %w", store.ErrConflict)
}
