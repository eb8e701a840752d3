package gate_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

// stuck is a store whose writes take until go is closed.
type stuck struct {
	store.Store
	going chan struct{}
}

func (s *stuck) Apply(ctx context.Context, b store.Batch) error {
	select {
	case <-s.going:
		return s.Store.Apply(ctx, b)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// What was seen may take long to write, when a thousand new people came or the
// disk is slow: somebody is locked on another instance meanwhile.
func TestThreat_L20_ARevocationDoesNotWaitForWhatWasSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := memory.New()
		slow := &stuck{shared, make(chan struct{})}
		here, elsewhere := books.New(slow), books.New(shared)
		g := gate.New(here, gate.Options{})
		open := false
		g.Configure(gate.Application{Name: "app", Pinned: &open})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- g.Run(ctx) }()
		synctest.Wait()

		anne := access.Visit{User: "anne", Application: "app", Device: access.Device{ID: "d1"}}
		if v, err := g.Check(t.Context(), anne, gate.Circumstance{}); err != nil || v.Answer != access.LetIn {
			t.Fatalf("%v, %v", v.Answer, err)
		}
		time.Sleep(3 * time.Second) // what was seen is being written
		_, err := elsewhere.Users.Update(t.Context(), "anne", func(u *books.User) ([]store.Write, bool, error) {
			u.Locked = map[string]books.Mark{"": {By: "marie@example.com"}}
			return nil, true, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if v, err := g.Check(t.Context(), anne, gate.Circumstance{}); err != nil || v.Answer != access.Deny {
			t.Errorf("locked elsewhere, she gets %v, %v", v.Answer, err)
		}

		close(slow.going)
		time.Sleep(2 * time.Second)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if list, err := elsewhere.Connections.Of(t.Context(), "app", "anne", 10); err != nil || len(list) != 1 {
			t.Errorf("recorded: %v, %v", list, err)
		}
		if err := shared.Close(); err != nil {
			t.Error(err)
		}
	})
}
