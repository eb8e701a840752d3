package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// flushEvery is how long a seen-time waits for others before it is written.
const flushEvery = time.Second

// perBatch bounds the connections of one transaction of the recorder, and
// writesPerBatch the writes of others: a grant that is written meanwhile waits
// for one at the most.
const (
	perBatch       = 2000
	writesPerBatch = 4000
)

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
	var batch []*pending
	for i, key := range order {
		batch = append(batch, work[key]...)
		if len(batch) < perBatch && i+1 < len(order) && order[i+1].application == key.application {
			continue
		}
		if err := g.writeBatch(ctx, key.application, batch); err != nil && firstErr == nil {
			firstErr = fmt.Errorf("recording connections of %s: %w", key.application, err)
		}
		batch = batch[:0]
	}
	return firstErr
}

// writeBatch writes connections of one application in one transaction.
func (g *Gate) writeBatch(ctx context.Context, application string, batch []*pending) error {
	if err := g.catchUp(ctx, application, batch); err != nil {
		return err
	}
	book := g.books.Connections
	writes := make([]store.Write, 0, 2*len(batch)+1)
	for _, w := range batch {
		switch {
		case w.fresh:
			writes = append(writes, book.Put(w.Connection)...)
		case !w.forgotten:
			writes = append(writes, book.Touch(w.Connection, w.seen)...)
		}
		for _, gone := range w.drop {
			writes = append(writes, book.Delete(gone)...)
		}
	}
	writes = append(writes, book.Recorded(application, g.opt.Clock()))
	if err := g.books.Store.Apply(ctx, store.Batch{Writes: writes}); err != nil {
		return err
	}
	book.Wrote(writes)
	return nil
}

// catchUp brings visits up to what other instances wrote of the same
// connections: each of them would else leave lines in the index behind, one at
// each turn of a load balancer. A file has one instance, which knows.
func (g *Gate) catchUp(ctx context.Context, application string, batch []*pending) error {
	if g.away.remote == nil {
		return nil
	}
	var visited []books.Connection
	for _, w := range batch {
		if !w.fresh {
			visited = append(visited, w.Connection)
		}
	}
	current, err := g.books.Connections.Current(ctx, application, visited)
	if err != nil {
		return err
	}
	for _, w := range batch {
		if w.fresh {
			continue
		}
		there, ok := current[w.ID]
		if w.forgotten = !ok; ok {
			w.seen, w.Count = there.Last, max(w.Count, there.Count+1)
			w.Unknown = there.Unknown
			if there.Last.After(w.Last) {
				w.Last = there.Last // by a clock that is ahead
			}
		}
	}
	return nil
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
