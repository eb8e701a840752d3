package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrNotEmpty says that a copy was to go into a store that holds something.
var ErrNotEmpty = errors.New("the target is not empty")

// ErrDiffers says that a copy is not what it was copied from.
var ErrDiffers = errors.New("the copy differs")

// What one batch of a copy holds at most: little enough for the script of a
// server that others use meanwhile.
const (
	copyEntries = 500
	copyBytes   = 1 << 20
)

// Copy puts all that from holds into to, which must be empty (ErrNotEmpty),
// with what is left of its time, and reads both again to see that they are
// the same. It returns the number of entries copied.
//
// Nobody may write to either meanwhile: a difference is ErrDiffers. After an
// error the target holds a part, and has to be emptied before the next try.
func Copy(ctx context.Context, from, to Store) (n int, err error) {
	names, err := to.Partitions(ctx)
	if err != nil {
		return 0, fmt.Errorf("looking into the target: %w", err)
	}
	if len(names) > 0 {
		return 0, fmt.Errorf("%w: it has %q", ErrNotEmpty, names[0])
	}
	if names, err = from.Partitions(ctx); err != nil {
		return 0, fmt.Errorf("looking into the source: %w", err)
	}
	for _, name := range names {
		copied, err := copyPartition(ctx, from, to, name)
		n += copied
		if err != nil {
			return n, fmt.Errorf("copying %q: %w", name, err)
		}
	}
	if err := verify(ctx, from, to, names); err != nil {
		return n, fmt.Errorf("verifying the copy: %w", err)
	}
	return n, nil
}

func copyPartition(ctx context.Context, from, to Store, name string) (n int, err error) {
	var b Batch
	size := 0
	flush := func() error {
		err := to.Apply(ctx, b)
		if err == nil {
			n += len(b.Writes)
		}
		b, size = Batch{}, 0
		return err
	}
	w := walk{st: from, q: Query{Prefix: name + "/", Limit: copyEntries}}
	for {
		e, ok, err := w.next(ctx)
		if err != nil {
			return n, err
		}
		if !ok {
			return n, flush()
		}
		b.Writes = append(b.Writes, Write{Key: e.Key, Value: e.Value, TTL: e.TTL})
		if size += len(e.Key) + len(e.Value); size >= copyBytes || len(b.Writes) == copyEntries {
			if err := flush(); err != nil {
				return n, err
			}
		}
	}
}

// verify reads both stores side by side.
func verify(ctx context.Context, from, to Store, names []string) error {
	more, err := to.Partitions(ctx)
	if err != nil {
		return err
	}
	for _, name := range more {
		if !slices.Contains(names, name) {
			return fmt.Errorf("%w: %q is in the target only", ErrDiffers, name)
		}
	}
	for _, name := range names {
		a := walk{st: from, q: Query{Prefix: name + "/", Limit: copyEntries}}
		b := walk{st: to, q: a.q}
		if err := compare(ctx, &a, &b); err != nil {
			return err
		}
	}
	return nil
}

// compare walks two stores through one partition and stops where they part.
func compare(ctx context.Context, a, b *walk) error {
	for {
		x, okX, err := a.peek(ctx)
		if err != nil {
			return err
		}
		y, okY, err := b.peek(ctx)
		if err != nil {
			return err
		}
		switch {
		case !okX && !okY:
			return nil
		case okX && okY && x.Key == y.Key:
			if !bytes.Equal(x.Value, y.Value) || !sameEnd(x.TTL, y.TTL) {
				return fmt.Errorf("%w at %q", ErrDiffers, x.Key)
			}
			a.pop()
			b.pop()
		case !okY || okX && x.Key < y.Key:
			if err := mayLack(x, "target"); err != nil {
				return err
			}
			a.pop()
		default:
			if err := mayLack(y, "source"); err != nil {
				return err
			}
			b.pop()
		}
	}
}

// drift is by how much the ends of an entry may differ in two stores: the time
// that lies between reading it from one and reading it from the other.
const drift = time.Minute

// sameEnd tells whether two entries stay about as long, and above all that
// neither stays for good where the other goes.
func sameEnd(a, b time.Duration) bool {
	return (a > 0) == (b > 0) && (a-b).Abs() < drift
}

// mayLack forgives an entry that one store has and the other has not any more
// because its time ran out in between.
func mayLack(e Entry, where string) error {
	if e.TTL > 0 && e.TTL < drift {
		return nil
	}
	return fmt.Errorf("%w: %q is not in the %s", ErrDiffers, e.Key, where)
}

// walk goes through a query page by page.
type walk struct {
	st   Store
	q    Query
	page []Entry
	done bool
}

// peek returns the entry that is next, and whether there is one.
func (w *walk) peek(ctx context.Context) (e Entry, ok bool, err error) {
	if len(w.page) == 0 && !w.done {
		if w.page, err = w.st.Range(ctx, w.q); err != nil {
			return Entry{}, false, err
		}
		w.done = len(w.page) < w.q.Max()
		if len(w.page) > 0 {
			w.q.After = w.page[len(w.page)-1].Key
		}
	}
	if len(w.page) == 0 {
		return Entry{}, false, nil
	}
	return w.page[0], true, nil
}

func (w *walk) pop() { w.page = w.page[1:] }

func (w *walk) next(ctx context.Context) (Entry, bool, error) {
	e, ok, err := w.peek(ctx)
	if ok {
		w.pop()
	}
	return e, ok, err
}
