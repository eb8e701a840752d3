package store_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cadenas-gateway/cadenas/store"
)

// flaky is a store whose watches end, and sometimes do not begin.
type flaky struct {
	store.Store
	begin func(ctx context.Context) (<-chan store.Event, error)
}

func (f flaky) Watch(ctx context.Context, _ string) (<-chan store.Event, error) { return f.begin(ctx) }

func TestFollowBeginsAgainWhenAWatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		away := errors.New("away")
		var live chan store.Event
		st := flaky{begin: func(ctx context.Context) (<-chan store.Event, error) {
			tries++
			if tries > 1 && tries < 10 {
				return nil, away
			}
			live = make(chan store.Event, 1)
			if tries > 1 {
				context.AfterFunc(ctx, func() { close(live) })
			}
			return live, nil
		}}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		events := store.Follow(ctx, st, "app/")
		if ev := <-events; !errors.Is(ev.Err, store.ErrBegun) {
			t.Fatalf("the first event is %+v", ev)
		}
		live <- store.Event{Key: "app/a"}
		if ev := <-events; ev.Key != "app/a" {
			t.Fatalf("got %+v", ev)
		}
		close(live)
		began := time.Now()
		if ev := <-events; !errors.Is(ev.Err, store.ErrBegun) {
			t.Fatalf("after the end came %+v", ev)
		}
		if tries != 10 || time.Since(began) > 10*time.Second {
			t.Errorf("%d tries in %s", tries, time.Since(began))
		}
		cancel()
		if ev, ok := <-events; ok {
			t.Errorf("after the end of the context: %+v", ev)
		}
	})
}

func TestFollowEndsWithTheStore(t *testing.T) {
	st := flaky{begin: func(context.Context) (<-chan store.Event, error) { return nil, store.ErrClosed }}
	if ev, ok := <-store.Follow(t.Context(), st, "app/"); ok {
		t.Errorf("got %+v", ev)
	}
}
