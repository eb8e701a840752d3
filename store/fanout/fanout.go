// Package fanout hands the events of a store to whoever watches, and waits for
// none of them: a receiver that falls behind is told so with store.ErrGap.
// The backends of store share it.
package fanout

import (
	"context"
	"strings"
	"sync"

	"github.com/cadenas-gateway/cadenas/store"
)

// Backlog is how many events wait for one receiver at most. One more, and all
// that wait are dropped for a single store.ErrGap.
const Backlog = 1024

// Fanout is one set of receivers. The zero value is ready.
type Fanout struct {
	mu     sync.Mutex
	closed bool
	// receivers by partition, so that a write costs nothing to those who
	// watch another one.
	receivers map[string]map[*receiver]struct{}
	running   sync.WaitGroup
}

// Watch returns a channel with each event sent from now on whose key starts
// with prefix. It closes when ctx ends or the fanout closes.
func (f *Fanout) Watch(ctx context.Context, prefix string) (<-chan store.Event, error) {
	if err := store.CheckKey(prefix); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, store.ErrClosed
	}
	r := &receiver{
		prefix: prefix,
		out:    make(chan store.Event),
		wake:   make(chan struct{}, 1),
		quit:   make(chan struct{}),
	}
	p := store.Partition(prefix)
	if f.receivers == nil {
		f.receivers = make(map[string]map[*receiver]struct{})
	}
	if f.receivers[p] == nil {
		f.receivers[p] = make(map[*receiver]struct{})
	}
	f.receivers[p][r] = struct{}{}
	f.running.Go(func() {
		r.pump(ctx)
		f.leave(p, r)
	})
	return r.out, nil
}

func (f *Fanout) leave(partition string, r *receiver) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.receivers[partition], r)
	if len(f.receivers[partition]) == 0 {
		delete(f.receivers, partition)
	}
}

// Send hands events of one partition over in their order. It does not wait
// for receivers; their bytes belong to the fanout from now on.
func (f *Fanout) Send(events ...store.Event) {
	if len(events) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for r := range f.receivers[store.Partition(events[0].Key)] {
		r.add(events)
	}
}

// Gap tells all receivers of a partition that events may be missing here.
func (f *Fanout) Gap(partition string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for r := range f.receivers[partition] {
		r.gap()
	}
}

// Watched tells whether anybody watches a partition.
func (f *Fanout) Watched(partition string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.receivers[partition]) > 0
}

// Close closes all channels and waits until they are. What waited in them is
// dropped. A second Close does nothing.
func (f *Fanout) Close() {
	f.mu.Lock()
	if !f.closed {
		f.closed = true
		for _, rs := range f.receivers {
			for r := range rs {
				close(r.quit)
			}
		}
	}
	f.mu.Unlock()
	f.running.Wait()
}

// receiver is one watch: a bounded queue and a goroutine that empties it into
// the channel.
type receiver struct {
	prefix string
	out    chan store.Event
	wake   chan struct{}
	quit   chan struct{}

	mu    sync.Mutex
	queue []store.Event
}

func (r *receiver) add(events []store.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ev := range events {
		if !strings.HasPrefix(ev.Key, r.prefix) {
			continue
		}
		if len(r.queue) >= Backlog {
			// What waits is old news to somebody who has to forget anyway.
			r.queue = append(r.queue[:0:0], store.Event{Err: store.ErrGap})
		}
		r.queue = append(r.queue, ev)
	}
	r.nudge()
}

func (r *receiver) gap() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue = append(r.queue[:0:0], store.Event{Err: store.ErrGap})
	r.nudge()
}

func (r *receiver) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// take returns the event that waits longest, or ok false.
func (r *receiver) take() (ev store.Event, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == 0 {
		return store.Event{}, false
	}
	ev = r.queue[0]
	r.queue[0] = store.Event{} // let go of the value
	r.queue = r.queue[1:]
	return ev, true
}

func (r *receiver) pump(ctx context.Context) {
	defer close(r.out)
	for {
		ev, ok := r.take()
		if !ok {
			select {
			case <-r.wake:
				continue
			case <-ctx.Done():
				return
			case <-r.quit:
				return
			}
		}
		select {
		case r.out <- ev:
		case <-ctx.Done():
			return
		case <-r.quit:
			return
		}
	}
}
