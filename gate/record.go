package gate

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
)

// burst is the time within which requests of one connection are one visit;
// a connection is written once in it at the most, unless its verdict changes.
const burst = 5 * time.Minute

const (
	// manyPending is how many are written at once without waiting for others.
	manyPending = 5000
	// maxPending bounds what is seen and not yet in store, some 20 MiB. Beyond
	// it a connection that was never seen waits for its turn; see room.
	maxPending = 20_000
	// retry is when one for which there was no room is noted again.
	retry = 5 * time.Second
	// roomWithin is how long somebody new waits for room at the most: their
	// verdict is made, and only the record of it is late.
	roomWithin = 2 * time.Second
)

// dirty is what was seen and is not yet in store.
type dirty struct {
	// flush is held while some of it is being written.
	flush   sync.Mutex
	mu      sync.Mutex
	pending map[personKey][]*pending
	// writing is what is on its way to the store: who is judged anew meanwhile
	// does not find it there yet.
	writing map[personKey][]*pending
	// count and sent are how many are in pending and in writing.
	count, sent int
	// groups are those of people who came with others than the store is known
	// to have, see groupsText.
	groups  map[personKey]string
	trouble bool
	// wake tells the writer that many wait; room is closed at the end of each
	// writing, and made by who waits for it.
	wake chan struct{}
	room chan struct{}
}

type pending struct {
	books.Connection
	// fresh says that it is not in store yet, forgotten that it no longer is.
	fresh, forgotten bool
	// seen is when it was last seen as stored: its line in the index.
	seen time.Time
	drop []books.Connection
}

// saw notes a visit. For a connection noted within the burst it is one atomic
// read. It returns true where a connection that was never seen has no room.
func (g *Gate) saw(p *person, e *entry, now time.Time) (full bool) {
	second := now.Unix()
	last := e.noted.Load()
	if second-last < int64(burst/time.Second) || !e.noted.CompareAndSwap(last, second) {
		return false
	}
	if e.visit.User == "" {
		return false // nobody is not a person, and leaves no connection
	}
	policy := g.application(e.visit.Application).conf.Load().Policy
	d := &g.dirty
	d.mu.Lock()
	defer d.mu.Unlock()
	g.sawGroups(p, e.visit.Groups)
	for _, w := range d.pending[p.key] {
		if sameConnection(&w.Connection, &e.visit, policy) {
			stamp(&w.Connection, e, now)
			e.past = pastOf(w.Connection)
			return false
		}
	}
	late := func() { e.noted.Store(second - int64((burst-retry)/time.Second)) }
	if d.count+d.sent >= maxPending {
		late()
		return e.past.id == ""
	}
	w := &pending{Connection: e.past.connection(e.visit), seen: e.past.last}
	if w.ID == "" {
		for _, sent := range d.writing[p.key] {
			if sameConnection(&sent.Connection, &e.visit, policy) {
				w.Connection, w.seen = sent.Connection, sent.Last
			}
		}
	}
	if w.ID == "" {
		w.ID, w.First, w.fresh, w.Adopted = books.NewConnectionID(now, w.User), now, true, e.circumstance.Adopted
		if k := p.known.Load(); k != nil && len(k.connections) >= g.opt.PerPerson {
			worst, some := leastWorth(k.connections, d.pending[p.key], d.writing[p.key])
			if !some {
				late() // as many came in a moment as a person may have
				return false
			}
			w.drop = []books.Connection{worst}
		}
	}
	stamp(&w.Connection, e, now)
	e.past = pastOf(w.Connection)
	if d.pending == nil {
		d.pending = map[personKey][]*pending{}
	}
	d.pending[p.key] = append(d.pending[p.key], w)
	if d.count++; d.count == manyPending {
		select {
		case d.wake <- struct{}{}:
		default:
		}
	}
	return false
}

// room waits until what was seen has been written, some time at the most. Where
// nobody writes, or it cannot be written, it does not wait: a record is late
// then, never a verdict.
func (g *Gate) room(ctx context.Context) {
	d := &g.dirty
	d.mu.Lock()
	if d.trouble || d.count+d.sent < maxPending || !g.runs() {
		d.mu.Unlock()
		return
	}
	if d.room == nil {
		d.room = make(chan struct{})
	}
	written := d.room
	d.mu.Unlock()
	timer := time.NewTimer(roomWithin)
	defer timer.Stop()
	select {
	case <-written:
	case <-timer.C:
	case <-ctx.Done():
	}
}

func stamp(c *books.Connection, e *entry, now time.Time) {
	c.Last, c.Place, c.Browser, c.Device = now, e.visit.Place, e.visit.Browser, e.visit.Device
	c.Count++
	c.Answer, c.Step, c.New, c.Shadow = e.verdict.Answer, e.verdict.Step, e.verdict.New, ""
	if e.verdict.Shadow != nil {
		c.Shadow = e.verdict.Shadow.Answer
	}
	if !e.circumstance.Adopted {
		c.Adopted = false
	}
}

func sameConnection(c *books.Connection, v *access.Visit, policy access.Policy) bool {
	if c.Device.ID != v.Device.ID {
		return false
	}
	one, ok1 := policy.SamePlace.Key(c.Place)
	two, ok2 := policy.SamePlace.Key(v.Place)
	return ok1 == ok2 && one == two && policy.SameBrowser.Key(c.Browser) == policy.SameBrowser.Key(v.Browser)
}

// leastWorth is the connection to forget when a person has too many: one
// that was not let in, the longest unseen. Those that others make room with
// already are left out; false where none is left.
func leastWorth(list []books.Connection, others ...[]*pending) (worst books.Connection, some bool) {
	for _, c := range list {
		taken := func(w *pending) bool {
			return w.ID == c.ID || slices.ContainsFunc(w.drop, func(d books.Connection) bool { return d.ID == c.ID })
		}
		if slices.ContainsFunc(others, func(l []*pending) bool { return slices.ContainsFunc(l, taken) }) {
			continue
		}
		if kept, other := worst.Answer == access.LetIn, c.Answer == access.LetIn; !some {
			worst, some = c, true
		} else if kept != other {
			if kept {
				worst = c
			}
		} else if c.Last.Before(worst.Last) {
			worst = c
		}
	}
	return worst, some
}
