package store

import (
	"fmt"
	"strings"
)

// Partition returns the part of a key before the first slash, or "" where
// there is none.
func Partition(key string) string {
	p, _, ok := strings.Cut(key, "/")
	if !ok {
		return ""
	}
	return p
}

// CheckKey returns ErrPartition for a key without a partition and ErrTooLarge
// for one over MaxKey. Backends call it first, for keys and for prefixes.
func CheckKey(key string) error {
	if len(key) > MaxKey {
		return fmt.Errorf("key of %d bytes: %w", len(key), ErrTooLarge)
	}
	if Partition(key) == "" {
		return fmt.Errorf("%q names no partition: %w", key, ErrPartition)
	}
	return nil
}

// CheckBatch returns ErrPartition unless all keys of b share one partition,
// ErrTooLarge where one of them or a value is over the limit, and ErrTTL.
// Backends call it first.
func CheckBatch(b Batch) error {
	partition := ""
	for _, k := range keysOf(b) {
		if err := CheckKey(k); err != nil {
			return err
		}
		p := Partition(k)
		if partition != "" && p != partition {
			return fmt.Errorf("%q and %q: %w", partition, p, ErrPartition)
		}
		partition = p
	}
	for _, w := range b.Writes {
		if len(w.Value) > MaxValue {
			return fmt.Errorf("value of %d bytes under %q: %w", len(w.Value), w.Key, ErrTooLarge)
		}
		if w.TTL < 0 {
			return fmt.Errorf("%s under %q: %w", w.TTL, w.Key, ErrTTL)
		}
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

// defaultLimit is how many entries a query without a limit returns at most.
const defaultLimit = 1000

// Max returns the greatest number of entries that q asks for.
func (q Query) Max() int {
	if q.Limit <= 0 {
		return defaultLimit
	}
	return q.Limit
}

// Span returns the keys that q asks for as from <= key < to in byte order,
// or ErrPartition where the prefix holds no whole partition. Nothing is asked
// for where from >= to.
func (q Query) Span() (from, to string, err error) {
	if err := CheckKey(q.Prefix); err != nil {
		return "", "", fmt.Errorf("prefix: %w", err)
	}
	from, to = q.Prefix, behind(q.Prefix)
	switch {
	case q.After == "":
	case q.Reverse:
		to = min(to, q.After)
	default:
		// The first key behind another one is that key and a zero byte.
		from = max(from, q.After+"\x00")
	}
	return from, to, nil
}

// behind returns the first text that is greater than all that start with
// prefix. A prefix of a store holds a slash, so there is always one.
func behind(prefix string) string {
	b := []byte(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 0xff {
			b[i]++
			return string(b[:i+1])
		}
	}
	return prefix
}
