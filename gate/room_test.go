package gate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

// held is a store that writes when it is told to, or cannot write.
type held struct {
	store.Store
	mu   sync.Mutex
	wait chan struct{}
	err  error
}

func (h *held) Apply(ctx context.Context, b store.Batch) error {
	h.mu.Lock()
	wait, err := h.wait, h.err
	h.mu.Unlock()
	if wait != nil {
		<-wait
	}
	if err != nil {
		return err
	}
	return h.Store.Apply(ctx, b)
}

// learning is a gate at work behind an open padlock.
func learning(t *testing.T, h *held) *Gate {
	t.Helper()
	g := New(books.New(h), Options{})
	open := false
	g.Configure(Application{Name: "app", Pinned: &open})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	synctest.Wait()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil && h.err == nil {
			t.Error(err)
		}
	})
	return g
}

func crowd(t *testing.T, g *Gate, name string, n int) {
	t.Helper()
	for i := range n {
		if got := comes(t, g, fmt.Sprintf(name, i), 1); got != access.LetIn {
			t.Fatalf("with the padlock open somebody gets %s", got)
		}
	}
}

func TestWhoIsNewWaitsForRoomAndWhoIsKnownDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &held{Store: memory.New()}
		g := learning(t, h)
		comes(t, g, "marie", 1)
		time.Sleep(2 * time.Second) // she is in store
		h.mu.Lock()
		h.wait = make(chan struct{})
		h.mu.Unlock()
		crowd(t, g, "new-%d", maxPending)
		if n := g.dirty.count + g.dirty.sent; n != maxPending {
			t.Fatalf("%d wait to be written, of %d", n, maxPending)
		}
		began := time.Now()
		time.Sleep(burst) // her next visit is another one, and would be written
		comes(t, g, "marie", 1)
		if since := time.Since(began); since != burst {
			t.Errorf("somebody known waited %s", since-burst)
		}
		done := make(chan time.Duration)
		go func() {
			began := time.Now()
			comes(t, g, "one more", 1)
			done <- time.Since(began)
		}()
		time.Sleep(time.Second)
		close(h.wait)
		h.mu.Lock()
		h.wait = nil
		h.mu.Unlock()
		if took := <-done; took < time.Second/2 || took > roomWithin {
			t.Errorf("somebody new waited %s for room that came after a second", took)
		}
		time.Sleep(retry + time.Second)
		comes(t, g, "one more", 1)
		comes(t, g, "marie", 1)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		for _, user := range []string{"new-0", fmt.Sprintf("new-%d", maxPending-1), "one more"} {
			if list, err := g.books.Connections.Of(t.Context(), "app", user, 2); err != nil || len(list) != 1 {
				t.Errorf("%s has %d connections in store: %v", user, len(list), err)
			}
		}
		if list, err := g.books.Connections.Of(t.Context(), "app", "marie", 2); err != nil || len(list) != 1 || list[0].Count != 2 {
			t.Errorf("marie's second visit was lost: %v, %v", list, err)
		}
	})
}

func TestThreat_L4_AStoreThatCannotBeWrittenHoldsNobodyUpAndLetsNobodyIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &held{Store: memory.New()}
		g := learning(t, h)
		h.mu.Lock()
		h.err = errors.New("no space left on device")
		h.mu.Unlock()
		began := time.Now()
		comes(t, g, "first", 1)
		time.Sleep(2 * time.Second) // that it cannot be written is known
		crowd(t, g, "new-%d", maxPending+100)
		if since := time.Since(began); since != 2*time.Second {
			t.Errorf("people waited %s for a disk that is full", since-2*time.Second)
		}
		if n := g.dirty.count + g.dirty.sent; n > maxPending {
			t.Errorf("%d wait to be written, over the bound of %d", n, maxPending)
		}
		closed := true
		g.Configure(Application{Name: "app", Pinned: &closed})
		if got := comes(t, g, "behind a closed padlock", 1); got == access.LetIn {
			t.Error("a full queue became an allowance")
		}
		h.mu.Lock()
		h.err = nil
		h.mu.Unlock()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if list, err := g.books.Connections.Of(t.Context(), "app", "first", 2); err != nil || len(list) != 1 {
			t.Errorf("what was seen before is not written: %v, %v", list, err)
		}
	})
}

// One who shows a new browser with each request has no more connections in
// store for it, however many come before the next writing.
func TestThreat_L22_ManyNewConnectionsInOneMomentStayBounded(t *testing.T) {
	g := New(books.New(memory.New()), Options{PerPerson: 20})
	closed := true
	g.Configure(Application{Name: "app", Pinned: &closed})
	for i := range 200 {
		comes(t, g, "marie", byte(i))
		v := access.Visit{User: "marie", Application: "app", Device: access.Device{ID: fmt.Sprint("device ", i)}}
		if _, err := g.Check(t.Context(), v, Circumstance{}); err != nil {
			t.Fatal(err)
		}
		if i%50 == 20 { // some at once, often
			if err := g.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := g.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list, err := g.books.Connections.Of(t.Context(), "app", "marie", 1000); err != nil || len(list) > 45 {
		t.Errorf("%d connections of one person are kept, of 20: %v", len(list), err)
	}
}
