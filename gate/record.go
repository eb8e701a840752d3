package gate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// burst is the time within which requests of one connection are one visit;
// a connection is written once in it at the most, unless its verdict changes.
const burst = 5 * time.Minute

// flushEvery is how long a seen-time waits for others before it is written.
const flushEvery = time.Second

// writesPerBatch bounds one transaction of the recorder.
const writesPerBatch = 2000

// dirty is what was seen and is not yet in store.
type dirty struct {
	// flush is held while some of it is being written.
	flush   sync.Mutex
	mu      sync.Mutex
	pending map[personKey][]*pending
	// writing is what is on its way to the store: who is judged anew meanwhile
	// does not find it there yet.
	writing map[personKey][]*pending
	count   int
	// groups are those of people who came with others than the store is known
	// to have, see groupsText.
	groups  map[personKey]string
	trouble bool
}

// maxPending bounds memory while the store cannot be written; beyond it
// seen-times are lost, never verdicts.
const maxPending = 200_000

type pending struct {
	books.Connection
	fresh bool
	// seen is when it was last seen as stored: its line in the index.
	seen time.Time
	drop []books.Connection
}

// saw notes a visit. For a connection noted within the burst it is one atomic
// read.
func (g *Gate) saw(p *person, e *entry, now time.Time) {
	second := now.Unix()
	last := e.noted.Load()
	if second-last < int64(burst/time.Second) || !e.noted.CompareAndSwap(last, second) {
		return
	}
	if e.visit.User == "" {
		return // nobody is not a person, and leaves no connection
	}
	policy := g.application(e.visit.Application).conf.Load().Policy
	g.dirty.mu.Lock()
	defer g.dirty.mu.Unlock()
	if g.dirty.pending == nil {
		g.dirty.pending = map[personKey][]*pending{}
	}
	g.sawGroups(p, e.visit.Groups)
	for _, w := range g.dirty.pending[p.key] {
		if sameConnection(w.Connection, e.visit, policy) {
			stamp(&w.Connection, e, now)
			e.connection = w.Connection
			return
		}
	}
	if g.dirty.count >= maxPending {
		return
	}
	w := &pending{Connection: e.connection, seen: e.connection.Last}
	for _, sent := range g.dirty.writing[p.key] {
		if w.ID == "" && sameConnection(sent.Connection, e.visit, policy) {
			w.Connection, w.seen = sent.Connection, sent.Last
		}
	}
	if w.ID == "" {
		w.ID, w.First, w.fresh, w.Adopted = books.NewConnectionID(now, w.User), now, true, e.adopted
		if k := p.known.Load(); k != nil && len(k.connections) >= g.opt.PerPerson {
			w.drop = []books.Connection{leastWorth(k.connections)}
		}
	}
	stamp(&w.Connection, e, now)
	e.connection = w.Connection
	g.dirty.pending[p.key] = append(g.dirty.pending[p.key], w)
	g.dirty.count++
}

func stamp(c *books.Connection, e *entry, now time.Time) {
	c.Last, c.Place, c.Browser, c.Device = now, e.visit.Place, e.visit.Browser, e.visit.Device
	c.Count++
	c.Answer, c.Step, c.New, c.Shadow = e.verdict.Answer, e.verdict.Step, e.verdict.New, ""
	if e.verdict.Shadow != nil {
		c.Shadow = e.verdict.Shadow.Answer
	}
	if !e.adopted {
		c.Adopted = false
	}
}

func sameConnection(c books.Connection, v access.Visit, policy access.Policy) bool {
	one, ok1 := policy.SamePlace.Key(c.Place)
	two, ok2 := policy.SamePlace.Key(v.Place)
	return c.Device.ID == v.Device.ID && ok1 == ok2 && one == two &&
		policy.SameBrowser.Key(c.Browser) == policy.SameBrowser.Key(v.Browser)
}

// leastWorth is the connection to forget when a person has too many: one
// that was not let in, the longest unseen.
func leastWorth(list []books.Connection) books.Connection {
	worst := list[0]
	for _, c := range list[1:] {
		if kept, other := worst.Answer == access.LetIn, c.Answer == access.LetIn; kept != other {
			if kept {
				worst = c
			}
		} else if c.Last.Before(worst.Last) {
			worst = c
		}
	}
	return worst
}

// Flush writes what was seen. What cannot be written is kept for the next
// time; the error says why.
func (g *Gate) Flush(ctx context.Context) error {
	g.dirty.flush.Lock()
	defer g.dirty.flush.Unlock()
	g.dirty.mu.Lock()
	work, groups := g.dirty.pending, g.dirty.groups
	g.dirty.pending, g.dirty.writing, g.dirty.count, g.dirty.groups = nil, work, 0, nil
	g.dirty.mu.Unlock()
	trouble := g.writeGroups(ctx, groups)
	if len(work) == 0 {
		return trouble
	}
	defer func() {
		g.dirty.mu.Lock()
		g.dirty.writing = nil
		g.dirty.mu.Unlock()
	}()
	byApp := map[string][]store.Write{}
	var firstErr error
	flush := func(app string) {
		writes := append(byApp[app], g.books.Connections.Recorded(app, g.opt.Clock()))
		delete(byApp, app)
		switch err := g.books.Store.Apply(ctx, store.Batch{Writes: writes}); {
		case err == nil:
			g.books.Connections.Wrote(writes)
		case firstErr == nil:
			firstErr = fmt.Errorf("recording connections of %s: %w", app, err)
		}
	}
	for key, list := range work {
		for _, w := range list {
			if w.fresh {
				byApp[key.application] = append(byApp[key.application], g.books.Connections.Put(w.Connection)...)
			} else {
				byApp[key.application] = append(byApp[key.application], g.books.Connections.Touch(w.Connection, w.seen)...)
			}
			for _, d := range w.drop {
				byApp[key.application] = append(byApp[key.application], g.books.Connections.Delete(d)...)
			}
		}
		if len(byApp[key.application]) >= writesPerBatch {
			flush(key.application)
		}
	}
	for app := range byApp {
		flush(app)
	}
	if firstErr != nil {
		g.giveBack(work)
		return errors.Join(firstErr, trouble)
	}
	for key := range work {
		g.settled(key)
	}
	return trouble
}

// settled makes the person's next judgement read the connections anew, with
// those just written among them; verdicts already remembered stay, since what
// was seen changes no verdict by itself.
func (g *Gate) settled(key personKey) {
	if p, ok := g.people.GetIfPresent(key); ok {
		p.known.Store(nil)
	}
}

func (g *Gate) giveBack(work map[personKey][]*pending) {
	g.dirty.mu.Lock()
	defer g.dirty.mu.Unlock()
	if g.dirty.pending == nil {
		g.dirty.pending = map[personKey][]*pending{}
	}
	for key, list := range work {
		if g.dirty.count >= maxPending {
			return
		}
		g.dirty.pending[key] = append(list, g.dirty.pending[key]...)
		g.dirty.count += len(list)
	}
}
