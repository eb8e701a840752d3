package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/cadenas-gateway/cadenas/store"
)

// What the file looks like:
//
//	format               1
//	data/<partition>/    key -> 8 bytes end, then the value
//	ends/                8 bytes end, then the key -> nothing
//
// An end is a time in Unix nanoseconds, big endian, 0 for never; ends is the
// index by which expired keys are found.
var (
	bucketData = []byte("data")
	bucketEnds = []byte("ends")
	bucketMeta = []byte("meta")
	keyFormat  = []byte("format")
)

const (
	format    = "1"
	endLength = 8
	// fillPercent is how full bbolt leaves a page that it splits. Most keys
	// come in the order of time and are never followed by one before them, so
	// the half that bbolt leaves free by default would stay free.
	fillPercent = 0.9
)

func makeBuckets(tx *bbolt.Tx) error {
	for _, name := range [][]byte{bucketData, bucketEnds, bucketMeta} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	meta := tx.Bucket(bucketMeta)
	switch got := string(meta.Get(keyFormat)); got {
	case format:
		return nil
	case "":
		return meta.Put(keyFormat, []byte(format))
	default:
		return fmt.Errorf("its format is %q, this version reads %q: use the version that wrote it", got, format)
	}
}

// record is what lies under a key; value belongs to the transaction.
type record struct {
	end   uint64
	value []byte
}

var errRecord = errors.New("a record is too short")

func parse(b []byte) (record, error) {
	if len(b) < endLength {
		return record{}, fmt.Errorf("%w: %w", ErrDamaged, errRecord)
	}
	return record{end: binary.BigEndian.Uint64(b), value: b[endLength:]}, nil
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
	p := tx.Bucket(bucketData).Bucket([]byte(store.Partition(key)))
	if p == nil {
		return record{}, false, nil
	}
	b := p.Get([]byte(key))
	if b == nil {
		return record{}, false, nil
	}
	r, err = parse(b)
	return r, err == nil && r.live(now), err
}

// list returns the entries that q asks for.
func list(tx *bbolt.Tx, q store.Query, now time.Time) ([]store.Entry, error) {
	from, to, err := q.Span()
	if err != nil {
		return nil, err
	}
	p := tx.Bucket(bucketData).Bucket([]byte(store.Partition(q.Prefix)))
	if p == nil || from >= to {
		return nil, nil
	}
	c := p.Cursor()
	step := c.Next
	k, v := c.Seek([]byte(from))
	if q.Reverse {
		step = c.Prev
		if k, _ = c.Seek([]byte(to)); k == nil {
			k, v = c.Last()
		} else {
			k, v = c.Prev()
		}
	}
	var entries []store.Entry
	for ; k != nil && string(k) >= from && string(k) < to && len(entries) < q.Max(); k, v = step() {
		r, err := parse(v)
		if err != nil {
			return nil, err
		}
		if !r.live(now) {
			continue
		}
		e := store.Entry{Key: string(k), TTL: r.ttl(now)}
		if !q.KeysOnly {
			e.Value = r.copy()
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func partitions(tx *bbolt.Tx, now time.Time) ([]string, error) {
	var names []string
	err := tx.Bucket(bucketData).ForEachBucket(func(name []byte) error {
		first, err := list(tx, store.Query{Prefix: string(name) + "/", Limit: 1, KeysOnly: true}, now)
		if err == nil && len(first) > 0 {
			names = append(names, string(name))
		}
		return err
	})
	return names, err
}

// write carries out one write of a batch whose checks hold.
func write(tx *bbolt.Tx, w store.Write, now time.Time) error {
	data, ends := tx.Bucket(bucketData), tx.Bucket(bucketEnds)
	name := []byte(store.Partition(w.Key))
	p := data.Bucket(name)
	if p == nil {
		if w.Value == nil {
			return nil
		}
		var err error
		if p, err = data.CreateBucket(name); err != nil {
			return err
		}
	}
	p.FillPercent = fillPercent
	key := []byte(w.Key)
	if old := p.Get(key); old != nil {
		r, err := parse(old)
		if err != nil {
			return err
		}
		if r.end != 0 {
			if err := ends.Delete(endKey(r.end, key)); err != nil {
				return err
			}
		}
	}
	if w.Value == nil {
		return p.Delete(key)
	}
	var end uint64
	if w.TTL > 0 {
		end = stamp(now.Add(w.TTL))
		if err := ends.Put(endKey(end, key), nil); err != nil {
			return err
		}
	}
	return p.Put(key, append(binary.BigEndian.AppendUint64(make([]byte, 0, endLength+len(w.Value)), end), w.Value...))
}

func endKey(end uint64, key []byte) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, endLength+len(key)), end), key...)
}

// removeExpired removes up to n keys whose time is over, the oldest first, and
// returns how many entries of the index it took away.
func removeExpired(tx *bbolt.Tx, n int, now time.Time) (int, error) {
	var over [][]byte
	ends := tx.Bucket(bucketEnds)
	c := ends.Cursor()
	for k, _ := c.First(); len(k) >= endLength && len(over) < n; k, _ = c.Next() {
		if binary.BigEndian.Uint64(k) > stamp(now) {
			break
		}
		over = append(over, bytes.Clone(k))
	}
	for _, k := range over {
		if err := ends.Delete(k); err != nil {
			return 0, err
		}
		key := k[endLength:]
		p := tx.Bucket(bucketData).Bucket([]byte(store.Partition(string(key))))
		if p == nil {
			continue
		}
		// The record decides, never the index alone: what was written since
		// stays.
		if b := p.Get(key); len(b) < endLength || !bytes.Equal(b[:endLength], k[:endLength]) {
			continue
		}
		if err := p.Delete(key); err != nil {
			return 0, err
		}
	}
	return len(over), nil
}
