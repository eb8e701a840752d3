package redis

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cadenas-gateway/cadenas/store"
)

const (
	// pause is how long a reader waits for an event before it asks the server
	// for a sign of life. A gate takes a store that is silent for four times as
	// long for one that is away.
	pause = 500 * time.Millisecond
	// many is how many events a reader takes at once.
	many = 512
	// none is the id before the first event.
	none = "0-0"
)

// reader follows the event stream of one partition for all watches of it.
type reader struct {
	partition string
	keys      partitionKeys
	// ready closes once the reader knows where it begins, or err says why it
	// does not.
	ready chan struct{}
	err   error
	// last is the id of the last event that was handed on.
	last string
	// heard is when the reader last knew that it had seen everything: a whole
	// time.Time, because one without its monotonic reading would look fresh
	// after the clock was set back (THREATS L4).
	heard atomic.Pointer[time.Time]
}

// Watch sends each event whose key starts with prefix, whichever instance
// wrote it. It returns an error when the server cannot be reached now; once it
// runs, a server that goes away and comes back means a gap at worst.
func (s *Store) Watch(ctx context.Context, prefix string) (<-chan store.Event, error) {
	if err := s.mayBegin(ctx, store.CheckKey(prefix)); err != nil {
		return nil, err
	}
	ours, cancel := context.WithCancel(ctx)
	// First in the fanout, then look for the reader: it does not retire while
	// anybody is there.
	events, err := s.watches.Watch(ours, prefix)
	if err != nil {
		cancel()
		return nil, err
	}
	r := s.readerOf(store.Partition(prefix))
	select {
	case <-r.ready:
		err = r.err
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		cancel()
		return nil, s.explain("watching", err)
	}
	context.AfterFunc(ctx, cancel)
	return events, nil
}

func (s *Store) readerOf(partition string) *reader {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.readers[partition]
	if r == nil {
		r = &reader{partition: partition, keys: s.keys(partition), ready: make(chan struct{})}
		now := time.Now()
		r.heard.Store(&now)
		s.readers[partition] = r
		s.reading.Go(func() { s.read(r) })
	}
	return r
}

// retire takes a reader away that nobody needs.
func (s *Store) retire(r *reader) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() == nil && r.err == nil && s.watches.Watched(r.partition) {
		return false
	}
	delete(s.readers, r.partition)
	return true
}

// Heard returns the last moment at which all watches were known to be up to
// date.
func (s *Store) Heard() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	oldest := time.Now()
	for _, r := range s.readers {
		if h := r.heard.Load(); h.Before(oldest) {
			oldest = *h
		}
	}
	return oldest
}

// read is a reader's life.
func (s *Store) read(r *reader) {
	r.last, r.err = s.head(r)
	if r.err != nil {
		s.retire(r)
		close(r.ready)
		return
	}
	close(r.ready)
	failures := 0
	for !s.retire(r) {
		asked := time.Now()
		n, err := s.take(r)
		if err == nil && n == 0 {
			err = s.compare(r)
		}
		if err != nil {
			failures++
			lookAgain(s.ctx, s.watcher)
			s.rest(failures)
			continue
		}
		failures = 0
		if n < many {
			r.heard.Store(&asked)
		}
	}
}

// take waits for events and hands them on; none is no error.
func (s *Store) take(r *reader) (int, error) {
	streams, err := s.watcher.XRead(s.ctx, &redis.XReadArgs{
		Streams: []string{r.keys.events, r.last}, Count: many, Block: pause,
	}).Result()
	if errors.Is(err, redis.Nil) || err == nil && len(streams) == 0 {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	messages := streams[0].Messages
	events := make([]store.Event, 0, len(messages))
	for _, m := range messages {
		if after, _ := m.Values["after"].(string); after != r.last {
			// Trimmed past us, or another history since a failover.
			s.watches.Send(events...)
			s.watches.Gap(r.partition)
			events = events[len(events):]
		}
		r.last = m.ID
		key, _ := m.Values["key"].(string)
		if store.Partition(key) != r.partition {
			// Not written by us. Whoever caches must not rely on it.
			s.watches.Gap(r.partition)
			continue
		}
		ev := store.Event{Key: key}
		if v, ok := m.Values["value"].(string); ok {
			ev.Value = []byte(v)
		}
		events = append(events, ev)
	}
	s.watches.Send(events...)
	return len(messages), nil
}

// compare sees whether a silent stream is still the one that was read: after
// a failover that lost events, or a server that came back empty, the newest
// event lies before the last one seen.
func (s *Store) compare(r *reader) error {
	head, err := s.head(r)
	if err != nil {
		return err
	}
	if before(head, r.last) {
		s.watches.Gap(r.partition)
		r.last = head
	}
	return nil
}

func (s *Store) head(r *reader) (string, error) {
	head, err := s.watcher.Get(s.ctx, r.keys.head).Result()
	if errors.Is(err, redis.Nil) {
		return none, nil
	}
	return head, err
}

// rest waits longer with each failure in a row, up to a second.
func (s *Store) rest(failures int) {
	t := time.NewTimer(min(time.Second, 50*time.Millisecond<<min(failures, 5)))
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.ctx.Done():
	}
}

// before compares two ids of a stream: milliseconds, a dash, a number.
func before(a, b string) bool {
	am, an := parseID(a)
	bm, bn := parseID(b)
	return cmp.Or(cmp.Compare(am, bm), cmp.Compare(an, bn)) < 0
}

func parseID(id string) (ms, n uint64) {
	m, k, _ := strings.Cut(id, "-")
	// What does not parse is 0: before everything, which makes a gap.
	ms, _ = strconv.ParseUint(m, 10, 64)
	n, _ = strconv.ParseUint(k, 10, 64)
	return ms, n
}
