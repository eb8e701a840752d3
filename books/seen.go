package books

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/store"
)

// Sighting is one line of the index of connections by their last visit: whose
// connection was seen when. The line is a hint: what counts is the record,
// which Load compares with it.
type Sighting struct {
	Application, ID, User string
	Last                  time.Time
}

// Position is where a connection lies in the index, for Seen to go on behind.
func Position(c Connection) string { return seenPart(c.Last) + "/" + c.ID }

// seenPart is a moment to the second, so wide that text sorts as time does.
func seenPart(last time.Time) string { return fmt.Sprintf("%012d", max(last.Unix(), 0)) }

func seenKey(application string, last time.Time, id string) string {
	return Key(application, "seen", seenPart(last), id)
}

// seenMarker is there once the index of an application was built.
func seenMarker(application string) string { return Key(application, "seen-index") }

// seenWrite is the line of a connection as it is now.
func seenWrite(c Connection) store.Write {
	return store.Write{Key: seenKey(c.Application, c.Last, c.ID), Value: []byte(c.User)}
}

// indexBatch is how many lines one transaction of the building takes.
const indexBatch = 5000

// Index builds the index of an application where there is none: in a store of
// an older version, or of a backup of one. What it writes while connections
// move is put right by Mend.
func (b Connections) Index(ctx context.Context, application string) error {
	marker := seenMarker(application)
	if _, err := b.st.Get(ctx, marker); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	var writes []store.Write
	var failed error
	err := b.Each(ctx, application, func(c Connection) bool {
		if writes = append(writes, seenWrite(c)); len(writes) >= indexBatch {
			failed = b.st.Apply(ctx, store.Batch{Writes: writes})
			writes = writes[:0]
		}
		return failed == nil
	})
	if err == nil {
		err = failed
	}
	if err == nil {
		err = b.st.Apply(ctx, store.Batch{Writes: append(writes, store.Write{Key: marker, Value: []byte{1}})})
	}
	if err != nil {
		return fmt.Errorf("building the index of %s: %w", application, err)
	}
	return nil
}

// Seen hands the index of an application to do, last seen first, from behind a
// position ("" for the newest) back to since, until do returns false. It reads
// no record. The index must have been built (Index).
func (b Connections) Seen(ctx context.Context, application string, since time.Time, after string, do func(s Sighting) bool) error {
	prefix := Prefix(application, "seen")
	q := store.Query{Prefix: prefix, Reverse: true, Limit: 64}
	if after != "" {
		q.After = prefix + after
	}
	oldest := int64(0)
	if !since.IsZero() {
		oldest = max(since.Unix(), 0)
	}
	for {
		entries, err := b.st.Range(ctx, q)
		if err != nil {
			return fmt.Errorf("reading the index of %s: %w", application, err)
		}
		for _, e := range entries {
			moment, id, ok := strings.Cut(e.Key[len(prefix):], "/")
			second, err := strconv.ParseInt(moment, 10, 64)
			if !ok || err != nil {
				continue
			}
			if second < oldest {
				return nil
			}
			s := Sighting{Application: application, ID: id, User: string(e.Value), Last: time.Unix(second, 0)}
			if !do(s) {
				return nil
			}
		}
		if len(entries) < q.Limit {
			return nil
		}
		q.After = entries[len(entries)-1].Key
		q.Limit = min(q.Limit*4, 2000) // a page is often found in the first piece
	}
}

// Load reads the connection of a sighting. It returns false where the sighting
// is no longer true: the connection is gone, or was seen again since.
func (b Connections) Load(ctx context.Context, s Sighting) (Connection, bool, error) {
	c, err := b.Get(ctx, s.Application, s.ID)
	if errors.Is(err, store.ErrNotFound) {
		return c, false, nil
	}
	return c, err == nil && seenPart(c.Last) == seenPart(s.Last), err
}

// Mend removes lines that Load found no longer true: two instances that saw
// one connection at the same moment leave such. A connection that changes
// meanwhile keeps its line for the next time.
func (b Connections) Mend(ctx context.Context, list []Sighting) error {
	for _, s := range list {
		key := Key(s.Application, "connection", s.ID)
		value, err := b.st.Get(ctx, key)
		if errors.Is(err, store.ErrNotFound) {
			value, err = nil, nil
		}
		if err != nil {
			return err
		}
		if value != nil {
			var r record
			if err := Decode(value, &r); err != nil {
				return err
			}
			if seenPart(time.Unix(r.Last, 0)) == seenPart(s.Last) {
				continue
			}
			value = bytes.Clone(value)
		}
		err = b.st.Apply(ctx, store.Batch{
			Checks: []store.Check{{Key: key, Value: value}},
			Writes: []store.Write{{Key: seenKey(s.Application, s.Last, s.ID)}},
		})
		if err != nil && !errors.Is(err, store.ErrConflict) {
			return fmt.Errorf("mending the index of %s: %w", s.Application, err)
		}
	}
	return nil
}
