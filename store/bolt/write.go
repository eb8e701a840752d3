package bolt

import (
	"bytes"
	"encoding/binary"
	"time"

	"go.etcd.io/bbolt"

	"github.com/cadenas-gateway/cadenas/store"
)

// writing is one transaction of the committer.
type writing struct {
	tx   *bbolt.Tx
	ends *bbolt.Bucket
	now  time.Time
	// open are the buckets written to so far.
	open map[string]*filling
}

// filling is a bucket with how its pages are filled in this transaction.
type filling struct {
	*bbolt.Bucket
	decided bool
}

func newWriting(tx *bbolt.Tx, now time.Time) *writing {
	return &writing{tx: tx, ends: tx.Bucket(bucketEnds), now: now, open: map[string]*filling{}}
}

// bucket returns the bucket of a name, made where it is missing and create
// says so; else nil.
func (w *writing) bucket(name string, create bool) (*filling, error) {
	if f := w.open[name]; f != nil {
		return f, nil
	}
	b := w.tx.Bucket([]byte(name))
	if b == nil {
		if !create {
			return nil, nil
		}
		var err error
		if b, err = w.tx.CreateBucket([]byte(name)); err != nil {
			return nil, err
		}
	}
	f := &filling{Bucket: b}
	w.open[name] = f
	return f, nil
}

// How full bbolt leaves a page that it splits. Where new keys come behind all
// others (in the order of time) nothing will ever be put between, and what
// would be left free would stay free. Where they come anywhere, halves are
// best: pages are seven tenths full then, and a third full if split at nine
// tenths.
const (
	fillBehind   = 0.95
	fillAnywhere = 0.5
)

// fill decides, by the first new key of a transaction, how pages are split.
func (f *filling) fill(key []byte) {
	if f.decided {
		return
	}
	f.decided = true
	last, _ := f.Cursor().Last()
	f.FillPercent = fillAnywhere
	if bytes.Compare(key, last) > 0 {
		f.FillPercent = fillBehind
	}
}

// write carries out one write of a batch whose checks hold.
func (w *writing) write(one store.Write) error {
	name, rest := split(one.Key)
	f, err := w.bucket(name, one.Value != nil)
	if err != nil || f == nil {
		return err
	}
	key := inside(rest)
	old := f.Get(key)
	if old != nil {
		r, err := parse(old)
		if err != nil {
			return err
		}
		if r.end != 0 {
			if err := w.ends.Delete(endKey(r.end, one.Key)); err != nil {
				return err
			}
		}
	}
	if one.Value == nil {
		if old == nil {
			return nil
		}
		return f.Delete(key)
	}
	r := record{value: one.Value}
	if one.TTL > 0 {
		r.end = stamp(w.now.Add(one.TTL))
		if err := w.ends.Put(endKey(r.end, one.Key), nil); err != nil {
			return err
		}
	}
	if old == nil {
		f.fill(key)
	}
	return f.Put(key, r.bytes())
}

func endKey(end uint64, key string) []byte {
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
		name, rest := split(string(k[endLength:]))
		bucket := tx.Bucket([]byte(name))
		if bucket == nil {
			continue
		}
		// The record decides, never the index alone: what was written since
		// stays.
		b := bucket.Get(inside(rest))
		if b == nil {
			continue
		}
		if r, err := parse(b); err != nil || r.end != binary.BigEndian.Uint64(k) {
			continue
		}
		if err := bucket.Delete(inside(rest)); err != nil {
			return 0, err
		}
	}
	return len(over), nil
}
