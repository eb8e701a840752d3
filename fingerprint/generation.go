package fingerprint

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// Grace is how long the generation before the newest goes on being good once
// the newest has come back. It covers what is under way when a cookie is
// renewed: parallel requests, several tabs, a slow answer, a browser that
// writes its cookies to disk every half minute. It is counted from when the
// newest one first came back, not from when it was handed out: an answer that
// got lost on its way leaves the old generation good for as long as it takes.
const Grace = 5 * time.Minute

// Mark is what is known of a device's generations.
type Mark struct {
	// Newest is the newest generation that came back to us.
	Newest uint32
	// Since is when it first did.
	Since time.Time
}

// mark is a Mark in memory.
type mark struct {
	word atomic.Uint64
	gone atomic.Bool // it left memory: what is kept may be newer
}

// Ledger knows the newest generation of each device, and so tells a copied
// cookie from the real one: of two browsers that carry the same cookie one
// renews it first, and the other one's is then old. It is memory only, and
// bounded; a device that was forgotten is loaded again.
type Ledger struct {
	marks *otter.Cache[string, *mark]
	load  func(ctx context.Context, device string) (Mark, error)
	newer func(device string, m Mark)
}

// NewLedger makes a ledger of so many devices. Load returns what was kept of
// a device, the zero mark for nothing; it is called once for each device that
// is not in memory. Newer is told each new mark, to be kept; it must not
// block. Both may be nil.
func NewLedger(size int, load func(ctx context.Context, device string) (Mark, error), newer func(device string, m Mark)) *Ledger {
	return &Ledger{
		marks: otter.Must(&otter.Options[string, *mark]{
			MaximumSize:      max(size, 1),
			OnAtomicDeletion: func(e otter.DeletionEvent[string, *mark]) { e.Value.gone.Store(true) },
		}),
		load: load, newer: newer,
	}
}

// Check judges one generation of a device's cookie: it is a copy when a newer
// one came back longer ago than Grace. An error says that what was kept of the
// device could not be read, so that nothing can be said.
func (l *Ledger) Check(ctx context.Context, device string, generation uint32, now time.Time) (clone bool, err error) {
	at, ok := l.marks.GetIfPresent(device)
	if !ok {
		var kept Mark
		if l.load != nil {
			if kept, err = l.load(ctx, device); err != nil {
				return false, err
			}
		}
		fresh := new(mark)
		fresh.word.Store(pack(kept))
		at, _ = l.marks.SetIfAbsent(device, fresh)
	}
	for {
		old := at.word.Load()
		m := unpack(old)
		switch {
		case generation == m.Newest && old != 0:
			return false, nil
		case generation < m.Newest:
			return now.Sub(m.Since) > Grace, nil
		}
		m = Mark{Newest: generation, Since: now}
		if at.word.CompareAndSwap(old, pack(m)) {
			if l.newer != nil {
				l.newer(device, m)
			}
			return false, nil
		}
	}
}

// Learn takes over a mark that another instance made.
func (l *Ledger) Learn(device string, m Mark) {
	at, ok := l.marks.GetIfPresent(device)
	for ok {
		old := at.word.Load()
		if m.Newest <= unpack(old).Newest || at.word.CompareAndSwap(old, pack(m)) {
			return
		}
	}
}

// Forget makes the next check of each device load what is kept: for whoever
// may have missed another instance's marks.
func (l *Ledger) Forget() { l.marks.InvalidateAll() }

// A mark in one word: the generation above, the seconds below, never zero
// once it was seen.
func pack(m Mark) uint64 {
	if m.Since.IsZero() {
		return uint64(m.Newest) << 32
	}
	return uint64(m.Newest)<<32 | uint64(uint32(m.Since.Unix())) //nolint:gosec // good until 2106
}

func unpack(w uint64) Mark {
	m := Mark{Newest: uint32(w >> 32)}      //nolint:gosec // the upper half
	if seconds := uint32(w); seconds != 0 { //nolint:gosec // the lower half
		m.Since = time.Unix(int64(seconds), 0)
	}
	return m
}
