package gate

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

func TestRequestsUnderWayComeAndGoInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := memory.New()
		defer st.Close() //nolint:errcheck // memory
		g := New(books.New(st), Options{})
		yes := Still(func(context.Context) bool { return true })
		type one struct {
			ctx context.Context
			*Socket
		}
		var open []one
		enter := func(user, device, login string) {
			ctx, cancel := context.WithCancelCause(t.Context())
			s := &Socket{Application: "app", User: user, Device: device, Login: login, Request: yes, Cancel: cancel}
			g.Enter(s)
			open = append(open, one{ctx, s})
		}
		for _, user := range []string{"marie", "julie", ""} {
			enter(user, "d-"+user, "l-"+user)
			enter(user, "d-"+user, "l-"+user)
			enter(user, "e-"+user, "m-"+user)
		}
		if n := g.Open(); n != 9 {
			t.Fatalf("%d are under way", n)
		}
		g.Cut("other", "d-marie", "l-marie")
		g.Cut("app", "d-marie", "")
		g.Cut("app", "", "m-julie")
		g.Cut("app", "", "")
		for _, s := range open {
			cut := s.Device == "d-marie" || s.Login == "m-julie"
			if got := errors.Is(context.Cause(s.ctx), ErrWithdrawn); got != cut {
				t.Errorf("device %q, login %q: cut is %v", s.Device, s.Login, got)
			}
		}
		for _, i := range []int{1, 0, 2, 5, 4, 3, 6, 8, 7} { // the middle, the first, the last of lists
			open[i].Close()
		}
		if n := g.Open(); n != 0 {
			t.Errorf("%d are left", n)
		}
		for i := range g.sockets.shard {
			if n := len(g.sockets.shard[i].by); n != 0 {
				t.Errorf("shard %d keeps %d people", i, n)
			}
		}
	})
}
