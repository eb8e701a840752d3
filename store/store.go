// Package store keeps bytes under keys. Its backends know nothing of what
// they keep: bolt for one instance, redis for several, memory for tests.
// One conformance suite, storetest, runs over all of them.
//
// A key is text whose part before the first slash is its partition; an
// atomic batch touches one partition only, which is what lets a cluster keep
// a partition on one node.
package store

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Errors that callers tell apart.
var (
	// ErrNotFound says that no value is under the key.
	ErrNotFound = errors.New("no such key")
	// ErrConflict says that a precondition of a batch did not hold; nothing
	// of the batch was written.
	ErrConflict = errors.New("precondition failed")
	// ErrPartition says that a batch touches more than one partition, or a
	// key has none.
	ErrPartition = errors.New("batch touches more than one partition")
	// ErrClosed says that the store was closed.
	ErrClosed = errors.New("store is closed")
	// ErrGap is sent on a watch that cannot resume where it left off: events
	// may be missing, so whoever caches must forget.
	ErrGap = errors.New("watch has a gap")
)

// Entry is one key with its value.
type Entry struct {
	Key   string
	Value []byte
}

// Query asks for a range of keys in byte order.
type Query struct {
	// Prefix bounds the range; it holds at least a whole partition ("app/").
	Prefix string
	// After starts behind this key (before it when Reverse), exclusive.
	After string
	// Limit is the greatest number of entries; 0 means 1,000.
	Limit int
	// Reverse walks from the last key to the first.
	Reverse bool
	// KeysOnly leaves the values out.
	KeysOnly bool
}

// Check is a precondition of a batch: the key holds exactly Value, or, with
// a nil Value, does not exist.
type Check struct {
	Key   string
	Value []byte
}

// Write puts Value under Key, or deletes Key when Value is nil.
type Write struct {
	Key   string
	Value []byte
	// TTL lets the key go after this time; 0 keeps it. An expired key is not
	// found, not ranged over, and its removal need not be watched.
	TTL time.Duration
}

// Batch is applied whole or not at all.
type Batch struct {
	Checks []Check
	Writes []Write
}

// Event is one write that happened, on whichever instance.
type Event struct {
	Key string
	// Value is what was written; nil for a deletion.
	Value []byte
	// Err is ErrGap where events before this one may be missing; Key is then
	// empty.
	Err error
}

// Store keeps bytes under keys. All methods may be called by several
// goroutines at once.
type Store interface {
	// Get returns the value under a key, or ErrNotFound. The caller owns the
	// bytes.
	Get(ctx context.Context, key string) ([]byte, error)
	// Range returns the entries of a query in order.
	Range(ctx context.Context, q Query) ([]Entry, error)
	// Apply carries a batch out, or returns ErrConflict or ErrPartition and
	// changes nothing. When it returns nil the batch is on disk (bolt) or
	// acknowledged (redis).
	Apply(ctx context.Context, b Batch) error
	// Watch sends each event whose key starts with prefix, in the order of
	// the writes, from now until ctx ends, when the channel closes. A
	// receiver that falls behind gets ErrGap instead of holding up writers.
	Watch(ctx context.Context, prefix string) (<-chan Event, error)
	// Close ends watches and releases the store.
	Close() error
}

// Partition returns the part of a key before the first slash, or "" where
// there is none.
func Partition(key string) string {
	p, _, ok := strings.Cut(key, "/")
	if !ok {
		return ""
	}
	return p
}

// CheckBatch returns ErrPartition unless all keys of b share one partition.
// Backends call it first.
func CheckBatch(b Batch) error {
	partition := ""
	for _, k := range keysOf(b) {
		p := Partition(k)
		if p == "" || (partition != "" && p != partition) {
			return ErrPartition
		}
		partition = p
	}
	return nil
}

func keysOf(b Batch) []string {
	keys := make([]string, 0, len(b.Checks)+len(b.Writes))
	for _, c := range b.Checks {
		keys = append(keys, c.Key)
	}
	for _, w := range b.Writes {
		keys = append(keys, w.Key)
	}
	return keys
}
