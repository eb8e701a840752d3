package store

import (
	"context"
	"errors"
	"time"
)

// ErrBegun is sent by Follow each time its watch begins: what was read before
// may be old, so whoever caches must forget.
var ErrBegun = errors.New("watch begins")

// How long Follow waits before it tries again: doubled with each failure in a
// row. The longest is short, because an instance that reads without a watch
// hears of nothing meanwhile.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = time.Second
)

// Follow is a Watch that begins again whenever it ends or cannot begin, until
// ctx ends or the store is closed, when the channel closes. Each beginning
// comes as an event with ErrBegun.
func Follow(ctx context.Context, st Store, prefix string) <-chan Event {
	out := make(chan Event)
	go func() {
		defer close(out)
		failures := 0
		for ctx.Err() == nil {
			events, err := st.Watch(ctx, prefix)
			if errors.Is(err, ErrClosed) {
				return
			}
			if err == nil {
				failures = 0
				if !hand(ctx, out, Event{Err: ErrBegun}) {
					return
				}
				for ev := range events {
					if !hand(ctx, out, ev) {
						return
					}
				}
			}
			if !wait(ctx, min(lastPause, firstPause<<min(failures, 6))) {
				return
			}
			failures++
		}
	}()
	return out
}

func hand(ctx context.Context, out chan<- Event, ev Event) bool {
	select {
	case out <- ev:
		return true
	case <-ctx.Done():
		return false
	}
}

// wait reports whether ctx still lives after d.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
