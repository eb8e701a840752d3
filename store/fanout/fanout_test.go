package fanout_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/fanout"
)

func TestAReceiverThatFallsBehindIsToldAndThenCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f fanout.Fanout
		defer f.Close()
		events, err := f.Watch(t.Context(), "app/")
		if err != nil {
			t.Fatal(err)
		}
		total := 3 * fanout.Backlog
		for i := range total {
			f.Send(store.Event{Key: "app/" + strconv.Itoa(i)})
		}
		next, gaps := 0, 0
		for next < total {
			ev := <-events
			if ev.Err != nil {
				if !errors.Is(ev.Err, store.ErrGap) || ev.Key != "" {
					t.Fatalf("got %+v, want a gap without a key", ev)
				}
				gaps++
				next = -1
				continue
			}
			n, err := strconv.Atoi(ev.Key[len("app/"):])
			if err != nil {
				t.Fatal(err)
			}
			if next >= 0 && n != next {
				t.Fatalf("event %d follows %d without a gap", n, next-1)
			}
			next = n + 1
		}
		if gaps == 0 {
			t.Error("what was dropped was not announced")
		}
	})
}

func TestAGapReachesThePartitionItBelongsToOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f fanout.Fanout
		defer f.Close()
		hit, err := f.Watch(t.Context(), "one/rule/")
		if err != nil {
			t.Fatal(err)
		}
		spared, err := f.Watch(t.Context(), "two/")
		if err != nil {
			t.Fatal(err)
		}
		f.Gap("one")
		f.Send(store.Event{Key: "two/x"})
		if ev := <-hit; !errors.Is(ev.Err, store.ErrGap) {
			t.Errorf("got %+v, want a gap", ev)
		}
		if ev := <-spared; ev.Key != "two/x" {
			t.Errorf("got %+v, want two/x", ev)
		}
	})
}

func TestAWatchThatEndedIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f fanout.Fanout
		defer f.Close()
		ctx, end := context.WithCancel(t.Context())
		events, err := f.Watch(ctx, "app/")
		if err != nil {
			t.Fatal(err)
		}
		if !f.Watched("app") {
			t.Error("a watched partition does not count as watched")
		}
		end()
		if _, open := <-events; open {
			t.Error("the channel stayed open")
		}
		synctest.Wait()
		if f.Watched("app") {
			t.Error("the watch is still there")
		}
	})
}

func TestClosingEndsAllWatchesAndRefusesNewOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f fanout.Fanout
		events, err := f.Watch(t.Context(), "app/")
		if err != nil {
			t.Fatal(err)
		}
		f.Send(store.Event{Key: "app/unread"})
		f.Close()
		f.Close()
		for range events {
			t.Error("an event came after the end")
		}
		if _, err := f.Watch(t.Context(), "app/"); !errors.Is(err, store.ErrClosed) {
			t.Errorf("got %v, want ErrClosed", err)
		}
	})
}
