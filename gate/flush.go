package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cadenas-gateway/cadenas/store"
)

// flushEvery is how long a seen-time waits for others before it is written.
const flushEvery = time.Second

// writesPerBatch bounds one transaction of the recorder: a grant that is written
// meanwhile waits for one at the most.
const writesPerBatch = 4000

// Flush writes what was seen. What cannot be written is kept for the next
// time; the error says why.
func (g *Gate) Flush(ctx context.Context) error {
	d := &g.dirty
	d.flush.Lock()
	defer d.flush.Unlock()
	d.mu.Lock()
	work, groups := d.pending, d.groups
	d.pending, d.writing, d.count, d.sent, d.groups = nil, work, 0, d.count, nil
	d.mu.Unlock()
	trouble := g.writeGroups(ctx, groups)
	if len(work) == 0 {
		return trouble
	}
	err := g.write(ctx, work)
	d.mu.Lock()
	d.writing, d.sent = nil, 0
	if err != nil {
		d.giveBack(work)
	}
	if d.room != nil {
		close(d.room)
		d.room = nil
	}
	d.mu.Unlock()
	if err != nil {
		return errors.Join(err, trouble)
	}
	for key := range work {
		g.settled(key)
	}
	return trouble
}

// write writes connections in the order of their keys: those of one page of a
// file come together.
func (g *Gate) write(ctx context.Context, work map[personKey][]*pending) error {
	order := make([]personKey, 0, len(work))
	for key := range work {
		order = append(order, key)
	}
	slices.SortFunc(order, func(a, b personKey) int {
		return cmp.Or(cmp.Compare(a.application, b.application), cmp.Compare(a.user, b.user))
	})
	var firstErr error
	var writes []store.Write
	flush := func(app string) {
		writes = append(writes, g.books.Connections.Recorded(app, g.opt.Clock()))
		switch err := g.books.Store.Apply(ctx, store.Batch{Writes: writes}); {
		case err == nil:
			g.books.Connections.Wrote(writes)
		case firstErr == nil:
			firstErr = fmt.Errorf("recording connections of %s: %w", app, err)
		}
		writes = writes[:0]
	}
	for i, key := range order {
		for _, w := range work[key] {
			if w.fresh {
				writes = append(writes, g.books.Connections.Put(w.Connection)...)
			} else {
				writes = append(writes, g.books.Connections.Touch(w.Connection, w.seen)...)
			}
			for _, gone := range w.drop {
				writes = append(writes, g.books.Connections.Delete(gone)...)
			}
		}
		if len(writes) >= writesPerBatch || i+1 == len(order) || order[i+1].application != key.application {
			flush(key.application)
		}
	}
	return firstErr
}

// settled makes the person's next judgement read the connections anew, with
// those just written among them; verdicts already remembered stay, since what
// was seen changes no verdict by itself. It is no use of the person: who came
// once must not look like somebody who comes again.
func (g *Gate) settled(key personKey) {
	if p := g.people.look(key); p != nil {
		p.known.Store(nil)
	}
}

// giveBack keeps what could not be written. d.mu is held.
func (d *dirty) giveBack(work map[personKey][]*pending) {
	if d.pending == nil {
		d.pending = map[personKey][]*pending{}
	}
	for key, list := range work {
		d.pending[key] = append(list, d.pending[key]...)
		d.count += len(list)
	}
}
