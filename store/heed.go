package store

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// Heed is a store that remembers whether it can be written: people are told,
// and not only whoever's write it was. It does what st does besides (Remote).
// Where done is not nil, it is told of the writes of each batch that was
// carried out here, before Apply returns and with its context.
func Heed(st Store, done func(ctx context.Context, writes []Write)) Store {
	h := &heeded{Store: st, done: done}
	if far, ok := st.(Remote); ok {
		return &heededRemote{heeded: h, Remote: far}
	}
	return h
}

// Troubled is what Heed adds.
type Troubled interface {
	// Trouble is why the last write failed, and since when none has succeeded;
	// nil while all is well. Who reads it may have the store tried with Try.
	Trouble() (since time.Time, err error)
	// Try writes nothing, as a write does: it finds out whether trouble is over.
	Try(ctx context.Context) error
}

type heeded struct {
	Store
	done    func(ctx context.Context, writes []Write)
	trouble atomic.Pointer[trouble]
}

type trouble struct {
	since time.Time
	err   error
}

type heededRemote struct {
	*heeded
	Remote
}

// Apply is the store's own.
func (h *heeded) Apply(ctx context.Context, b Batch) error {
	err := h.Store.Apply(ctx, b)
	switch {
	case err == nil:
		if len(b.Writes) > 0 && h.trouble.Load() != nil {
			h.trouble.Store(nil)
		}
		if h.done != nil {
			h.done(ctx, b.Writes)
		}
	case ctx.Err() != nil: // whoever wrote went away
	case errors.Is(err, ErrConflict), errors.Is(err, ErrPartition), errors.Is(err, ErrTooLarge), errors.Is(err, ErrTTL), errors.Is(err, ErrClosed):
	default:
		h.trouble.CompareAndSwap(nil, &trouble{time.Now(), err})
	}
	return err
}

// Ranges is the store's own, at once where it can.
func (h *heeded) Ranges(ctx context.Context, queries []Query) ([][]Entry, error) {
	return Ranges(ctx, h.Store, queries...)
}

func (h *heeded) Trouble() (time.Time, error) {
	if t := h.trouble.Load(); t != nil {
		return t.since, t.err
	}
	return time.Time{}, nil
}

func (h *heeded) Try(ctx context.Context) error {
	return h.Apply(ctx, Batch{Writes: []Write{{Key: "_/try", Value: []byte{1}, TTL: time.Minute, Quiet: true}}})
}
