// Package memory is a store that lives and ends with the process: for tests,
// and for a look at the gate that leaves nothing behind.
package memory

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/fanout"
)

// Store implements store.Store. Its clock is the time package's, so that
// testing/synctest drives its TTLs.
type Store struct {
	now        func() time.Time
	mu         sync.RWMutex
	closed     bool
	partitions map[string]*partition
	watches    fanout.Fanout
}

// partition keeps its keys sorted beside the map: an insertion moves keys
// about, a range is a slice of them.
type partition struct {
	keys   []string
	values map[string]item
	// written counts the writes since expired keys were last swept.
	written int
}

type item struct {
	value []byte
	end   time.Time // zero: never
}

func (it item) live(now time.Time) bool { return it.end.IsZero() || now.Before(it.end) }

// New returns an empty store.
func New() *Store { return NewAt(time.Now) }

// NewAt is New with another clock than the machine's, for what has a time to
// live.
func NewAt(now func() time.Time) *Store {
	return &Store{now: now, partitions: make(map[string]*partition)}
}

// Get returns the value under a key, or store.ErrNotFound.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	if err := mayBegin(ctx, store.CheckKey(key)); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	it, ok := s.partitions[store.Partition(key)].get(key, s.now())
	if !ok {
		return nil, store.ErrNotFound
	}
	return bytes.Clone(it.value), nil
}

// Range returns the entries of a query in order.
func (s *Store) Range(ctx context.Context, q store.Query) ([]store.Entry, error) {
	from, to, err := q.Span()
	if err := mayBegin(ctx, err); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	p := s.partitions[store.Partition(q.Prefix)]
	if p == nil || from >= to {
		return nil, nil
	}
	first, _ := slices.BinarySearch(p.keys, from)
	last, _ := slices.BinarySearch(p.keys, to)
	now := s.now()
	var entries []store.Entry
	for n := range last - first {
		if len(entries) == q.Max() {
			break
		}
		i := first + n
		if q.Reverse {
			i = last - 1 - n
		}
		it, ok := p.get(p.keys[i], now)
		if !ok {
			continue
		}
		e := store.Entry{Key: p.keys[i]}
		if !q.KeysOnly {
			e.Value = bytes.Clone(it.value)
		}
		if !it.end.IsZero() {
			e.TTL = it.end.Sub(now)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// Apply carries a batch out, or returns store.ErrConflict and changes nothing.
func (s *Store) Apply(ctx context.Context, b store.Batch) error {
	if err := mayBegin(ctx, store.CheckBatch(b)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	now := s.now()
	for _, c := range b.Checks {
		it, ok := s.partitions[store.Partition(c.Key)].get(c.Key, now)
		if ok != (c.Value != nil) || ok && !bytes.Equal(it.value, c.Value) {
			return store.ErrConflict
		}
	}
	if len(b.Writes) == 0 {
		return nil
	}
	name := store.Partition(b.Writes[0].Key)
	p := s.partitions[name]
	if p == nil {
		p = &partition{values: make(map[string]item)}
		s.partitions[name] = p
	}
	var events []store.Event
	for _, w := range b.Writes {
		value := bytes.Clone(w.Value)
		if !w.Quiet {
			events = append(events, store.Event{Key: w.Key, Value: value})
		}
		p.put(w, value, now)
	}
	p.sweep(now)
	// Under the lock, so that events come in the order of the writes.
	s.watches.Send(events...)
	return nil
}

// Watch sends each event whose key starts with prefix.
func (s *Store) Watch(ctx context.Context, prefix string) (<-chan store.Event, error) {
	return s.watches.Watch(ctx, prefix)
}

// Partitions returns the partitions that hold at least one key.
func (s *Store) Partitions(ctx context.Context) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	now := s.now()
	for name, p := range s.partitions {
		p.drop(now)
		if len(p.keys) == 0 {
			delete(s.partitions, name)
		}
	}
	return slices.Sorted(maps.Keys(s.partitions)), nil
}

// Close ends watches and forgets everything.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.partitions = nil
	s.mu.Unlock()
	s.watches.Close()
	return nil
}

func (p *partition) get(key string, now time.Time) (item, bool) {
	if p == nil {
		return item{}, false
	}
	it, ok := p.values[key]
	return it, ok && it.live(now)
}

func (p *partition) put(w store.Write, value []byte, now time.Time) {
	p.written++
	i, found := slices.BinarySearch(p.keys, w.Key)
	if w.Value == nil {
		if found {
			p.keys = slices.Delete(p.keys, i, i+1)
			delete(p.values, w.Key)
		}
		return
	}
	if !found {
		p.keys = slices.Insert(p.keys, i, w.Key)
	}
	it := item{value: value}
	if w.TTL > 0 {
		it.end = now.Add(w.TTL)
	}
	p.values[w.Key] = it
}

// sweep drops expired keys now and then: once for as many writes as there are
// keys, so that its cost is spread evenly.
func (p *partition) sweep(now time.Time) {
	if p.written > len(p.keys)+64 {
		p.drop(now)
	}
}

func (p *partition) drop(now time.Time) {
	p.written = 0
	p.keys = slices.DeleteFunc(p.keys, func(k string) bool {
		if p.values[k].live(now) {
			return false
		}
		delete(p.values, k)
		return true
	})
}

// mayBegin returns why a call cannot begin: what is wrong with its words, else
// that its context has ended.
func mayBegin(ctx context.Context, err error) error {
	if err != nil {
		return err
	}
	return ctx.Err()
}
