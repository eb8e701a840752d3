package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/cadenas-gateway/cadenas/store"
)

const (
	// maxGroup is how many batches share one transaction at most.
	maxGroup = 512
	// maxSweep is how many expired keys one transaction removes at most, so
	// that writers wait milliseconds only.
	maxSweep = 1000
)

// ask is one batch on its way to the committer.
type ask struct {
	batch  store.Batch
	state  atomic.Int32
	result chan error
}

// An ask waits until either the committer takes it or its caller gives up.
const (
	waiting int32 = iota
	taken
	abandoned
)

// Apply carries a batch out together with others that wait, and returns when
// it is on disk.
func (s *Store) Apply(ctx context.Context, b store.Batch) error {
	if err := store.CheckBatch(b); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(b.Checks)+len(b.Writes) == 0 {
		return nil
	}
	// A copy: the caller may give up and use its bytes again while the
	// committer is at them, and the watches share what was written.
	a := &ask{batch: own(b), result: make(chan error, 1)}
	select {
	case <-s.quit:
		return store.ErrClosed
	default:
	}
	select {
	case s.asks <- a:
	case <-s.quit:
		return store.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-a.result:
		return err
	case <-s.done:
		// The committer may have answered just before it ended.
		select {
		case err := <-a.result:
			return err
		default:
			return store.ErrClosed
		}
	case <-ctx.Done():
		if a.state.CompareAndSwap(waiting, abandoned) {
			return ctx.Err()
		}
		return fmt.Errorf("writing to the store %s, outcome unknown: %w", s.path, ctx.Err())
	}
}

// commit is the committer: the only writer, until the store closes.
func (s *Store) commit(every time.Duration) {
	defer close(s.done)
	sweep := time.NewTicker(every)
	defer sweep.Stop()
	for {
		select {
		case <-s.quit:
			return
		case <-sweep.C:
			s.sweep()
		case a := <-s.asks:
			s.carryOut(s.gather(a))
		}
	}
}

// gather takes what waits besides the first ask. It waits for nothing: while
// one group is being written the next one comes together by itself.
func (s *Store) gather(first *ask) []*ask {
	var group []*ask
	for a := first; ; {
		if a.state.CompareAndSwap(waiting, taken) {
			group = append(group, a)
		}
		if len(group) == maxGroup {
			return group
		}
		select {
		case a = <-s.asks:
		default:
			return group
		}
	}
}

// carryOut applies a group in one transaction and answers each of it.
func (s *Store) carryOut(group []*ask) {
	if len(group) == 0 {
		return
	}
	results := make([]error, len(group))
	wrote := 0
	err := s.update(func(tx *bbolt.Tx) error {
		wrote = 0
		now := s.now()
		w := newWriting(tx, now)
		for i, a := range group {
			ok, err := holds(tx, a.batch.Checks, now)
			if err != nil {
				return err
			}
			if !ok {
				results[i] = store.ErrConflict
				continue
			}
			for _, one := range a.batch.Writes {
				if err := w.write(one); err != nil {
					return err
				}
				wrote++
			}
		}
		if wrote == 0 {
			return errNothing
		}
		return nil
	})
	if errors.Is(err, errNothing) {
		err = nil
	}
	if err == nil {
		s.counts.batches.Add(uint64(len(group)))
		s.counts.commits.Add(1)
	}
	for i, a := range group {
		switch {
		case err != nil:
			// A conflict, too, may rest on a write that did not happen.
			results[i] = err
		case results[i] == nil:
			// Before its caller goes on, who may want to see the event.
			s.watches.Send(events(a.batch)...)
		}
	}
	for i, a := range group {
		a.result <- results[i]
	}
}

// holds tells whether all checks hold, with what the batches before this one
// in the same transaction wrote.
func holds(tx *bbolt.Tx, checks []store.Check, now time.Time) (bool, error) {
	for _, c := range checks {
		r, ok, err := read(tx, c.Key, now)
		if err != nil {
			return false, err
		}
		if ok != (c.Value != nil) || ok && !bytes.Equal(r.value, c.Value) {
			return false, nil
		}
	}
	return true, nil
}

func own(b store.Batch) store.Batch {
	c := store.Batch{Checks: slices.Clone(b.Checks), Writes: slices.Clone(b.Writes)}
	for i := range c.Checks {
		c.Checks[i].Value = bytes.Clone(c.Checks[i].Value)
	}
	for i := range c.Writes {
		c.Writes[i].Value = bytes.Clone(c.Writes[i].Value)
	}
	return c
}

func events(b store.Batch) []store.Event {
	evs := make([]store.Event, 0, len(b.Writes))
	for _, w := range b.Writes {
		if !w.Quiet {
			evs = append(evs, store.Event{Key: w.Key, Value: w.Value})
		}
	}
	return evs
}

// errNothing rolls a transaction back that has nothing to write: no fsync for
// checks alone.
var errNothing = errors.New("nothing to write")

// sweep removes expired keys, some at a time so that writers get their turn.
// An error is kept for Stats only: the next write meets it too, and tells
// whoever writes.
func (s *Store) sweep() {
	for more := true; more && len(s.asks) == 0; {
		removed := 0
		err := s.update(func(tx *bbolt.Tx) (err error) {
			removed, err = removeExpired(tx, maxSweep, s.now())
			if err == nil && removed == 0 {
				return errNothing
			}
			return err
		})
		if errors.Is(err, errNothing) {
			return
		}
		if err != nil {
			s.counts.sweepFailures.Add(1)
			return
		}
		s.counts.swept.Add(uint64(removed)) //nolint:gosec // a count
		more = removed == maxSweep
	}
}
