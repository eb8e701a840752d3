package gate

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

// stillFunc says whether a request may go on.
type stillFunc func(ctx context.Context) bool

// underway is an Underway of two functions.
type underway struct {
	still  stillFunc
	cancel context.CancelCauseFunc
}

func (u underway) Still(ctx context.Context) bool { return u.still(ctx) }
func (u underway) Cut(cause error)                { u.cancel(cause) }

// Watch enters a request. The context it returns is the one it has.
func (g *Gate) Watch(ctx context.Context, application, user, login string, still stillFunc) (context.Context, *Socket) {
	ctx, cancel := context.WithCancelCause(ctx)
	s := &Socket{Application: application, User: user, Login: login, Request: underway{still, cancel}}
	g.Enter(s)
	return ctx, s
}

func TestRequestsUnderWayComeAndGoInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := memory.New()
		defer st.Close() //nolint:errcheck // memory
		g := New(books.New(st), Options{})
		yes := stillFunc(func(context.Context) bool { return true })
		type one struct {
			ctx context.Context
			*Socket
		}
		var open []one
		enter := func(user, device, login string) {
			ctx, cancel := context.WithCancelCause(t.Context())
			s := &Socket{Application: "app", User: user, Device: device, Login: login, Request: underway{yes, cancel}}
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
		before := g.Reviews()
		open[0].Close() // once more
		g.Enter(open[0].Socket)
		g.Cut("app", open[0].Device, "")
		if g.Reviews() == before {
			t.Error("nobody can tell that requests under way were looked at")
		}
		open[0].Close()
		for i := range g.sockets.shard {
			if g.sockets.shard[i].first != nil {
				t.Errorf("shard %d keeps a request", i)
			}
		}
	})
}
