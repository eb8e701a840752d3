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
	// ErrTooLarge says that a key or a value is over MaxKey or MaxValue;
	// nothing of the batch was written.
	ErrTooLarge = errors.New("key or value is too large")
	// ErrTTL says that a write has a negative TTL: whoever computed it from
	// an end must not write what has ended.
	ErrTTL = errors.New("negative time to live")
)

// What a store takes at most, in bytes. A key is bounded because parts of it
// are typed by strangers (user names, THREATS L22).
const (
	MaxKey   = 4 << 10
	MaxValue = 8 << 20
)

// Entry is one key with its value.
type Entry struct {
	Key   string
	Value []byte
	// TTL is what is left of the time the entry was written with; 0 where it
	// stays for good. An entry that is about to go has at least 1 ns.
	TTL time.Duration
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
	// TTL lets the key go after this time; 0 keeps it, and each write sets it
	// anew. An expired key is not found, not ranged over, fails no check that
	// wants it missing, and its removal need not be watched. It follows the
	// wall clock of the store and is housekeeping: what must not be believed
	// past its end says so in its value too.
	TTL time.Duration
	// Quiet writes are not sent to watches: what is written often, and nobody
	// waits for.
	Quiet bool
}

// Batch is applied whole or not at all. Its checks are held against what was
// there before its writes; writes to one key happen in their order.
type Batch struct {
	Checks []Check
	Writes []Write
}

// Event is one write that happened, on whichever instance.
type Event struct {
	Key string
	// Value is what was written; nil for a deletion. Several receivers share
	// the bytes: do not change them.
	Value []byte
	// Err is ErrGap where events before this one may be missing; Key is then
	// empty.
	Err error
}

// Store keeps bytes under keys. All methods may be called by several
// goroutines at once.
type Store interface {
	// Get returns the value under a key, or ErrNotFound. The caller owns the
	// bytes. An empty value is not nil.
	Get(ctx context.Context, key string) ([]byte, error)
	// Range returns the entries of a query in order, as they were at one
	// moment. The caller owns the bytes.
	Range(ctx context.Context, q Query) ([]Entry, error)
	// Apply carries a batch out, or returns ErrConflict, ErrPartition,
	// ErrTooLarge, ErrTTL or ErrClosed and changes nothing. When it returns
	// nil the batch is on disk (bolt) or acknowledged (redis). After any other
	// error (the disk, the network, the context) it may have happened or not,
	// whole in either case; a caller that has to know reads again.
	Apply(ctx context.Context, b Batch) error
	// Watch sends each event, but of quiet writes, whose key starts with prefix, which holds at
	// least a whole partition, in the order of the writes, from now until ctx
	// ends or the store closes, when the channel closes. A receiver that
	// falls behind gets ErrGap instead of holding up writers.
	Watch(ctx context.Context, prefix string) (<-chan Event, error)
	// Partitions returns the partitions that hold at least one key, in byte
	// order.
	Partitions(ctx context.Context) ([]string, error)
	// Close ends watches and releases the store. What comes after it returns
	// ErrClosed; a second Close returns nil.
	Close() error
}

// Remote is what a store can do that may lose sight of its server. A gate
// that caches trusts nothing once Heard lies too far back (THREATS L21).
type Remote interface {
	// Heard returns the last moment at which all watches of this handle were
	// known to be up to date; the present while nothing is watched.
	Heard() time.Time
}
