package books

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cadenas-gateway/cadenas/store"
)

// Sighting is one line of the index of connections by their last visit: whose
// connection was seen when. The line is a hint: what counts is the record,
// which Load compares with it.
//
//	seen/<5 bytes second, big endian><mark> -> user
type Sighting struct {
	Application, User string
	Last              time.Time
	mark              mark
}

// ID is the identifier of the connection that was seen.
func (s Sighting) ID() string { return s.mark.id(s.User) }

// secondLength is how long a second is in the index: enough until the year
// 36812.
const secondLength = 5

// Position is where a connection lies in the index, for Seen to go on behind.
func Position(c Connection) string {
	m := c.mark()
	return idText.EncodeToString(append(seenSecondBytes(c.Last), m[:]...))
}

// PositionAt is where the connections last seen before a moment begin.
func PositionAt(t time.Time) string {
	return idText.EncodeToString(append(seenSecondBytes(t), make([]byte, len(mark{}))...))
}

func seenSecond(last time.Time) int64 { return max(last.Unix(), 0) }

func seenSecondBytes(last time.Time) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(seenSecond(last))) //nolint:gosec // not negative
	return b[8-secondLength:]
}

func seenKey(application string, last time.Time, m mark) string {
	var behind [1 + secondLength + len(m)]byte
	behind[0] = '/'
	copy(behind[1:], seenSecondBytes(last))
	copy(behind[1+secondLength:], m[:])
	return key(application, []string{"seen"}, len(behind), string(behind[:]))
}

// seenWrite is the line of a connection as it is now.
func seenWrite(c Connection, m mark) store.Write {
	return store.Write{Key: seenKey(c.Application, c.Last, m), Value: []byte(c.User), Quiet: true}
}

// sightingAt reads a line of the index.
func sightingAt(application string, e store.Entry, prefix int) (s Sighting, ok bool) {
	if len(e.Key) < prefix+secondLength {
		return s, false
	}
	var second [8]byte
	copy(second[8-secondLength:], e.Key[prefix:])
	s = Sighting{Application: application, User: string(e.Value), Last: time.Unix(int64(binary.BigEndian.Uint64(second[:])), 0)} //nolint:gosec // five bytes of it
	s.mark, ok = markAt(e.Key, prefix+secondLength)
	return s, ok
}

// Seen hands the index of an application to do, last seen first, from behind a
// position ("" for the newest) back to since, until do returns false. It reads
// no record.
func (b Connections) Seen(ctx context.Context, application string, since time.Time, after string, do func(s Sighting) bool) error {
	prefix := Prefix(application, "seen")
	q := store.Query{Prefix: prefix, Reverse: true, Limit: 64}
	if at, err := idText.DecodeString(after); err == nil && len(at) == secondLength+len(mark{}) {
		q.After = prefix + string(at)
	}
	oldest := int64(0)
	if !since.IsZero() {
		oldest = seenSecond(since)
	}
	for {
		entries, err := b.st.Range(ctx, q)
		if err != nil {
			return fmt.Errorf("reading the index of %s: %w", application, err)
		}
		for _, e := range entries {
			s, ok := sightingAt(application, e, len(prefix))
			if !ok {
				continue
			}
			if s.Last.Unix() < oldest || !do(s) {
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
	c, err := b.get(ctx, s.Application, s.User, s.mark)
	if errors.Is(err, store.ErrNotFound) {
		return c, false, nil
	}
	return c, err == nil && seenSecond(c.Last) == seenSecond(s.Last), err
}

// Mend removes lines that Load found no longer true: two instances that saw
// one connection at the same moment leave such. A connection that changes
// meanwhile keeps its line for the next time.
func (b Connections) Mend(ctx context.Context, list []Sighting) error {
	for _, s := range list {
		key := connectionKey(s.Application, s.User, s.mark)
		value, err := b.st.Get(ctx, key)
		if errors.Is(err, store.ErrNotFound) {
			value, err = nil, nil
		}
		if err != nil {
			return err
		}
		if value != nil {
			c, err := b.read(ctx, s.Application, s.User, s.mark, value)
			if err != nil {
				return err
			}
			if seenSecond(c.Last) == seenSecond(s.Last) {
				continue
			}
		}
		err = b.st.Apply(ctx, store.Batch{
			Checks: []store.Check{{Key: key, Value: value}},
			Writes: []store.Write{{Key: seenKey(s.Application, s.Last, s.mark), Quiet: true}},
		})
		if err != nil && !errors.Is(err, store.ErrConflict) {
			return fmt.Errorf("mending the index of %s: %w", s.Application, err)
		}
	}
	return nil
}
