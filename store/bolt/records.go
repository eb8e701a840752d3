package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/cadenas-gateway/cadenas/store"
)

// A record is one byte that says what follows, and the value: after stays the
// value alone, after goes 8 bytes of its end before the value. An end is a time
// in Unix nanoseconds, big endian.
const (
	stays byte = 0
	goes  byte = 1

	endLength = 8
)

// record is what lies under a key; value belongs to the transaction. An end of
// 0 is none.
type record struct {
	end   uint64
	value []byte
}

var errRecord = errors.New("a record cannot be read")

func parse(b []byte) (record, error) {
	switch {
	case len(b) > 0 && b[0] == stays:
		return record{value: b[1:]}, nil
	case len(b) > endLength && b[0] == goes:
		return record{end: binary.BigEndian.Uint64(b[1:]), value: b[1+endLength:]}, nil
	}
	return record{}, fmt.Errorf("%w: %w", ErrDamaged, errRecord)
}

func (r record) bytes() []byte {
	b := make([]byte, 0, 1+endLength+len(r.value))
	if r.end == 0 {
		b = append(b, stays)
	} else {
		b = binary.BigEndian.AppendUint64(append(b, goes), r.end)
	}
	return append(b, r.value...)
}

func (r record) live(now time.Time) bool { return r.end == 0 || stamp(now) < r.end }

func (r record) copy() []byte { return append([]byte{}, r.value...) }

func (r record) ttl(now time.Time) time.Duration {
	if r.end == 0 {
		return 0
	}
	return time.Duration(r.end - stamp(now)) //nolint:gosec // live: the end is ahead, by what was an int64
}

// stamp is a time as stored. Before 1970 there is no store.
func stamp(t time.Time) uint64 { return uint64(max(t.UnixNano(), 0)) } //nolint:gosec // not negative

// read returns the record under a key, unless it has expired.
func read(tx *bbolt.Tx, key string, now time.Time) (r record, ok bool, err error) {
	name, rest := split(key)
	bucket := tx.Bucket([]byte(name))
	if bucket == nil {
		return record{}, false, nil
	}
	b := bucket.Get(inside(rest))
	if b == nil {
		return record{}, false, nil
	}
	r, err = parse(b)
	return r, err == nil && r.live(now), err
}

// span is a range of keys, from <= key < to, and how it is walked.
type span struct {
	from, to string
	query    store.Query
	now      time.Time
}

// list returns the entries that q asks for.
func list(tx *bbolt.Tx, q store.Query, now time.Time) ([]store.Entry, error) {
	from, to, err := q.Span()
	if err != nil || from >= to {
		return nil, err
	}
	s := span{from, to, q, now}
	name, _ := split(q.Prefix)
	if strings.Count(name, "/") == 2 {
		return s.within(tx, name, q.Max())
	}
	// Nearly all queries are for one kind. One for a whole partition has two
	// sides, each in order: the keys of one slash, and the kinds one by one.
	short, err := s.within(tx, name, q.Max())
	if err != nil {
		return nil, err
	}
	var long []store.Entry
	names := kinds(tx, store.Partition(q.Prefix))
	if q.Reverse {
		slices.Reverse(names)
	}
	for _, name := range names {
		if len(long) == q.Max() {
			break
		}
		some, err := s.within(tx, name, q.Max()-len(long))
		if err != nil {
			return nil, err
		}
		long = append(long, some...)
	}
	return s.merge(short, long), nil
}

// merge joins two lists that are in order.
func (s span) merge(a, b []store.Entry) []store.Entry {
	if len(a) == 0 || len(b) == 0 {
		return append(a, b...)
	}
	all := make([]store.Entry, 0, min(len(a)+len(b), s.query.Max()))
	for len(all) < s.query.Max() && len(a)+len(b) > 0 {
		if len(b) == 0 || len(a) > 0 && (a[0].Key < b[0].Key) != s.query.Reverse {
			all, a = append(all, a[0]), a[1:]
		} else {
			all, b = append(all, b[0]), b[1:]
		}
	}
	return all
}

// within returns up to limit entries of one bucket.
func (s span) within(tx *bbolt.Tx, name string, limit int) ([]store.Entry, error) {
	bucket := tx.Bucket([]byte(name))
	if bucket == nil {
		return nil, nil
	}
	from, to, some := s.bounds(name)
	if !some {
		return nil, nil
	}
	c := bucket.Cursor()
	step := c.Next
	var k, v []byte
	if s.query.Reverse {
		step = c.Prev
		k, v = before(c, to)
	} else {
		k, v = c.Seek(from)
	}
	var entries []store.Entry
	for ; k != nil && len(entries) < limit; k, v = step() {
		if (s.query.Reverse && string(k) < string(from)) || (!s.query.Reverse && to != nil && string(k) >= string(to)) {
			break
		}
		r, err := parse(v)
		if err != nil {
			return nil, err
		}
		if !r.live(s.now) {
			continue
		}
		e := store.Entry{Key: name + string(outside(k)), TTL: r.ttl(s.now)}
		if !s.query.KeysOnly {
			e.Value = r.copy()
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// bounds are those of the span inside a bucket: from <= key < to, with a nil
// to for no upper one. Some is false where the bucket has none of it.
func (s span) bounds(name string) (from, to []byte, some bool) {
	switch {
	case strings.HasPrefix(s.from, name):
		from = inside(s.from[len(name):])
	case s.from > name:
		return nil, nil, false
	}
	switch {
	case strings.HasPrefix(s.to, name):
		to = inside(s.to[len(name):])
	case s.to < name:
		return nil, nil, false
	}
	return from, to, true
}

// before is the last key before to; a nil to is behind all.
func before(c *bbolt.Cursor, to []byte) (k, v []byte) {
	if to != nil {
		if k, _ := c.Seek(to); k != nil {
			return c.Prev()
		}
	}
	return c.Last()
}

// partitions returns those that hold a key that has not expired.
func partitions(tx *bbolt.Tx, now time.Time) ([]string, error) {
	var names []string
	for _, name := range partitionNames(tx) {
		first, err := list(tx, store.Query{Prefix: name + "/", Limit: 1, KeysOnly: true}, now)
		if err != nil {
			return nil, err
		}
		if len(first) > 0 {
			names = append(names, name)
		}
	}
	return names, nil
}
