package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/store"
)

func watch(t *testing.T, st store.Store) {
	put(t, st, "app/before", "not seen")
	events := watching(t, st, "app/")
	put(t, st, "app/a", "1")
	apply(t, st, store.Batch{Writes: []store.Write{
		{Key: "app/b", Value: []byte("2")},
		{Key: "app/a"},
		{Key: "app/b", Value: binary},
		{Key: "app/empty", Value: []byte{}, TTL: time.Hour},
	}})
	expect(t, events,
		store.Event{Key: "app/a", Value: []byte("1")},
		store.Event{Key: "app/b", Value: []byte("2")},
		store.Event{Key: "app/a"},
		store.Event{Key: "app/b", Value: binary},
		store.Event{Key: "app/empty", Value: []byte{}},
	)
}

func watchFilter(t *testing.T, st store.Store) {
	events := watching(t, st, "app/rule/")
	err := st.Apply(t.Context(), store.Batch{
		Checks: []store.Check{{Key: "app/rule/a", Value: []byte("missing")}},
		Writes: []store.Write{{Key: "app/rule/a", Value: []byte("1")}},
	})
	if !errors.Is(err, store.ErrConflict) {
		t.Fatalf("got %v, want ErrConflict", err)
	}
	put(t, st, "other/rule/a", "1")
	put(t, st, "app/ruler", "1")
	put(t, st, "app/rul", "1")
	put(t, st, "app/rule/b", "1")
	expect(t, events, store.Event{Key: "app/rule/b", Value: []byte("1")})
}

func watchTwice(t *testing.T, st store.Store) {
	one, two := watching(t, st, "app/"), watching(t, st, "app/k")
	elsewhere := watching(t, st, "other/")
	put(t, st, "app/k", "1")
	put(t, st, "other/k", "2")
	expect(t, one, store.Event{Key: "app/k", Value: []byte("1")})
	expect(t, two, store.Event{Key: "app/k", Value: []byte("1")})
	expect(t, elsewhere, store.Event{Key: "other/k", Value: []byte("2")})
}

func watchEnd(t *testing.T, st store.Store) {
	ctx, end := context.WithCancel(t.Context())
	events, err := st.Watch(ctx, "app/")
	if err != nil {
		t.Fatal(err)
	}
	other := watching(t, st, "app/")
	end()
	ended(t, events)
	put(t, st, "app/k", "1")
	expect(t, other, store.Event{Key: "app/k", Value: []byte("1")})
	// A watch that begins after the last one has ended works again.
	again := watching(t, st, "app/")
	put(t, st, "app/k", "2")
	expect(t, again, store.Event{Key: "app/k", Value: []byte("2")})
}

func watchStalled(t *testing.T, st store.Store) {
	events := watching(t, st, "app/")
	const batches, each = 50, 100
	for b := range batches {
		var batch store.Batch
		for i := range each {
			batch.Writes = append(batch.Writes, store.Write{Key: fmt.Sprintf("app/%05d", b*each+i), Value: []byte("v")})
		}
		apply(t, st, batch) // hangs here if the receiver holds it up
	}
	// Whatever was dropped is announced, and the end is reached.
	next, deadline := 0, time.After(patience)
	for next < batches*each {
		select {
		case ev, open := <-events:
			if !open {
				t.Fatal("the watch ended")
			}
			if ev.Err != nil {
				if !errors.Is(ev.Err, store.ErrGap) {
					t.Fatal(ev.Err)
				}
				next = -1
				continue
			}
			n := number(t, ev.Key)
			if next >= 0 && n != next {
				t.Fatalf("event %d follows %d and no gap between them", n, next-1)
			}
			next = n + 1
		case <-deadline:
			t.Fatalf("nothing behind event %d", next-1)
		}
	}
}

func watchOrder(t *testing.T, st store.Store) {
	const workers, times = 8, 25
	one, two := watching(t, st, "app/"), watching(t, st, "app/")
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range times {
				err := st.Apply(t.Context(), store.Batch{Writes: []store.Write{
					{Key: "app/k", Value: fmt.Appendf(nil, "%d/%d", w, i)},
					{Key: "app/l", Value: fmt.Appendf(nil, "%d/%d", w, i)},
				}})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	seen := receive(t, one, 2*workers*times)
	if !slices.EqualFunc(seen, receive(t, two, 2*workers*times), same) {
		t.Error("two watches saw different orders")
	}
	last := make(map[string]int)
	for i := 0; i < len(seen); i += 2 {
		if seen[i].Key != "app/k" || seen[i+1].Key != "app/l" || !bytes.Equal(seen[i].Value, seen[i+1].Value) {
			t.Fatalf("event %d: a batch was torn apart", i)
		}
		w, n, _ := bytes.Cut(seen[i].Value, []byte("/"))
		got, err := strconv.Atoi(string(n))
		if err != nil {
			t.Fatal(err)
		}
		if got != last[string(w)] {
			t.Fatalf("worker %s: write %d came when %d was next", w, got, last[string(w)])
		}
		last[string(w)]++
	}
	// The last event is what the store holds.
	want(t, st, "app/l", string(seen[len(seen)-1].Value))
}

func watching(t *testing.T, st store.Store, prefix string) <-chan store.Event {
	t.Helper()
	events, err := st.Watch(t.Context(), prefix)
	if err != nil {
		t.Fatalf("watch %q: %v", prefix, err)
	}
	return events
}

// expect sees that exactly these events come next.
func expect(t *testing.T, events <-chan store.Event, wanted ...store.Event) {
	t.Helper()
	got := receive(t, events, len(wanted))
	for i, w := range wanted {
		if !same(got[i], w) {
			t.Fatalf("event %d: got %q = %q (nil: %t), want %q = %q (nil: %t)",
				i, got[i].Key, got[i].Value, got[i].Value == nil, w.Key, w.Value, w.Value == nil)
		}
	}
}

// receive returns the next n events, none of which may be a gap.
func receive(t *testing.T, events <-chan store.Event, n int) []store.Event {
	t.Helper()
	deadline := time.After(patience)
	var got []store.Event
	for len(got) < n {
		select {
		case ev, open := <-events:
			if !open {
				t.Fatalf("the watch ended after %d of %d events", len(got), n)
			}
			if ev.Err != nil {
				t.Fatalf("after %d of %d events: %v", len(got), n, ev.Err)
			}
			got = append(got, ev)
		case <-deadline:
			t.Fatalf("%d of %d events came", len(got), n)
		}
	}
	return got
}

func same(a, b store.Event) bool {
	return a.Key == b.Key && bytes.Equal(a.Value, b.Value) && (a.Value == nil) == (b.Value == nil) && errors.Is(a.Err, b.Err)
}

// ended sees that a watch's channel closes.
func ended(t *testing.T, events <-chan store.Event) {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case _, open := <-events:
			if !open {
				return
			}
		case <-deadline:
			t.Fatal("the watch goes on")
		}
	}
}

func watchQuiet(t *testing.T, st store.Store) {
	events := watching(t, st, "app/")
	apply(t, st, store.Batch{Writes: []store.Write{{Key: "app/a", Value: []byte("1"), Quiet: true}}})
	apply(t, st, store.Batch{Writes: []store.Write{
		{Key: "app/b", Value: []byte("2"), Quiet: true},
		{Key: "app/c", Value: []byte("3")},
		{Key: "app/a", Quiet: true},
		{Key: "app/d", Value: []byte("4"), Quiet: true, TTL: time.Hour},
	}})
	apply(t, st, store.Batch{Writes: []store.Write{{Key: "app/b"}}})
	expect(t, events, store.Event{Key: "app/c", Value: []byte("3")}, store.Event{Key: "app/b"})
	missing(t, st, "app/a")
	missing(t, st, "app/b")
	want(t, st, "app/d", "4")
}
