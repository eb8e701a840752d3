package gate

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cadenas-gateway/cadenas/store"
)

// ErrAway says that the store was not heard of for longer than known
// connections may go on without it (threat L21).
var ErrAway = errors.New("the store has been away for too long")

// unheard is by how much a store that is well may lie back: it asks for news
// and gives word of itself twice a second.
const unheard = 2 * time.Second

// silent is after how long without word the log says so, once.
const silent = 5 * time.Second

// away is what is known of a store that can lose sight of its server. Where
// it cannot, remote is nil and nothing is asked.
type away struct {
	remote store.Remote
	began  time.Time
	// allowed is for how long memory is good, in nanoseconds.
	allowed atomic.Int64
	// good is until when it is, in nanoseconds since began: on the way of a
	// request one load and a comparison.
	good atomic.Int64

	mu     sync.Mutex
	closed bool
	// shut is why the gate is closed for good; nil while it is not.
	shut error
	// told and toldClosed are what the log has.
	told, toldClosed bool
}

func (a *away) begin(st store.Store) {
	if remote, ok := st.(store.Remote); ok {
		a.remote, a.began = remote, time.Now()
	}
}

// SetAway sets for how long known connections go on without the store; a
// reload may call it again.
func (g *Gate) SetAway(d time.Duration) {
	g.away.allowed.Store(int64(max(d, unheard)))
	g.away.good.Store(0)
}

// heardOf returns ErrAway once the store was silent for too long. The time is
// that of the machine, not of Options.Clock: it is compared with the store's.
func (g *Gate) heardOf() error {
	a := &g.away
	if a.remote == nil || int64(time.Since(a.began)) < a.good.Load() {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.shut != nil {
		return a.shut
	}
	good := a.remote.Heard().Sub(a.began) + time.Duration(a.allowed.Load())
	if time.Since(a.began) >= good {
		a.closed = true
		return ErrAway
	}
	if a.closed {
		// What was in memory may be old, and the word of it still on its way.
		a.closed = false
		g.forgetAll()
	}
	a.good.Store(int64(good))
	return nil
}

// Away tells since when the store has not been heard of, and whether the gate
// has closed because of it. The zero time means that all is well.
func (g *Gate) Away() (since time.Time, closed bool) {
	if g.away.remote == nil {
		return time.Time{}, false
	}
	heard := g.away.remote.Heard()
	if time.Since(heard) < silent {
		return time.Time{}, false
	}
	return heard, errors.Is(g.heardOf(), ErrAway)
}

// Trouble is what is wrong with the store, for people.
type Trouble struct {
	// Since is when the store was last well.
	Since time.Time
	// Away says that it does not answer; else it cannot be written.
	Away bool
	// Until is how long known connections go on without it; Closed says that
	// this is over.
	Until  time.Time
	Closed bool
	// Err is why it cannot be written.
	Err error
}

// Trouble tells what is wrong with the store; ok is false while all is well.
func (g *Gate) Trouble() (t Trouble, ok bool) {
	if since, closed := g.Away(); !since.IsZero() {
		return Trouble{Since: since, Away: true, Until: since.Add(time.Duration(g.away.allowed.Load())), Closed: closed}, true
	}
	if heed, ok := g.books.Store.(store.Troubled); ok {
		t.Since, t.Err = heed.Trouble()
	}
	return t, t.Err != nil
}

// tryAgain finds out whether a store that could not be written can be again:
// perhaps nobody else writes for hours.
func (g *Gate) tryAgain(ctx context.Context) {
	heed, ok := g.books.Store.(store.Troubled)
	if !ok {
		return
	}
	if _, err := heed.Trouble(); err == nil {
		return
	}
	if err := heed.Try(ctx); err == nil {
		g.opt.Log.Info("the store can be written again")
	}
}

// Shut closes the gate until the process ends: every check is this error from
// now on, and requests under way are cut. It reports whether the gate was open.
// A store that no other process can write does not come to it.
func (g *Gate) Shut(why error) bool {
	a := &g.away
	a.mu.Lock()
	open := a.shut == nil && a.remote != nil
	if open {
		a.shut = why
		a.good.Store(0)
	}
	a.mu.Unlock()
	if open {
		recheck(context.Background(), g.sockets.matching(nil, func(*Socket) bool { return true }))
	}
	return open
}

// lookAway says in the log that the store went and came back, and cuts the
// requests under way when the gate closes: no revocation reaches them.
func (g *Gate) lookAway(ctx context.Context) {
	a := &g.away
	if a.remote == nil {
		return
	}
	since, closed := g.Away()
	a.mu.Lock()
	told, toldClosed := a.told, a.toldClosed
	a.told, a.toldClosed = !since.IsZero(), closed
	a.mu.Unlock()
	allowed := time.Duration(a.allowed.Load())
	switch {
	case !since.IsZero() && !told:
		g.opt.Log.Error("the store is away; known connections go on, nobody unknown is let in", "heard", since, "until", since.Add(allowed))
	case since.IsZero() && told:
		g.opt.Log.Info("the store is heard of again")
	}
	if closed && !toldClosed {
		g.opt.Log.Error("the store has been away for too long: the gate is closed", "heard", since, "allowed", allowed)
	}
	if errors.Is(g.heardOf(), ErrAway) {
		recheck(ctx, g.sockets.matching(nil, func(*Socket) bool { return true }))
	}
}
