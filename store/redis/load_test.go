package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/store"
)

// load is work that goes on while a server dies: each handle counts by
// batches with a check, and reads what must be there.
type load struct {
	t       *testing.T
	handles []store.Store
	stop    func()

	mu sync.Mutex
	// counted are what each counter was when its last batch was acknowledged,
	// unknown how many batches had no answer that says what became of them.
	counted, unknown []int
	// promised are what the counters were before a replica had all of it.
	promised []int
	read     int
}

// work puts a load on handles of one store until the test ends or check is
// called.
func work(t *testing.T, handles ...store.Store) *load {
	t.Helper()
	l := &load{t: t, handles: handles, counted: make([]int, len(handles)), unknown: make([]int, len(handles)), promised: make([]int, len(handles))}
	put(t, handles[0], "load/stays", "v")
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for i, st := range handles {
		running.Go(func() {
			for ctx.Err() == nil {
				l.count(ctx, i, st)
			}
		})
		running.Go(func() {
			for ctx.Err() == nil {
				l.look(ctx, st)
			}
		})
	}
	l.stop = func() { cancel(); running.Wait() }
	t.Cleanup(l.stop)
	return l
}

// count adds one to a counter of its own, where it has not changed.
func (l *load) count(ctx context.Context, i int, st store.Store) {
	key := fmt.Sprintf("load/counter-%d", i)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	old, err := st.Get(ctx, key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return
	}
	n, _ := strconv.Atoi(string(old))
	err = st.Apply(ctx, store.Batch{
		Checks: []store.Check{{Key: key, Value: old}},
		Writes: []store.Write{{Key: key, Value: []byte(strconv.Itoa(n + 1))}},
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if n < l.promised[i] {
		l.t.Errorf("%s is %d; a replica had it at %d", key, n, l.promised[i])
	}
	switch {
	case err == nil:
		l.counted[i] = n + 1
	case !errors.Is(err, store.ErrConflict):
		l.unknown[i]++
	case l.unknown[i] == 0: // else one of those came late
		l.t.Errorf("%s has one writer, and a batch of it met a conflict at %d", key, n)
	}
}

// promise notes what must not be lost from now on, once keep has returned.
func (l *load) promise(keep func()) {
	l.mu.Lock()
	now := append([]int(nil), l.counted...)
	l.mu.Unlock()
	keep()
	l.mu.Lock()
	l.promised = now
	l.mu.Unlock()
}

// look asks several queries at once: an answer has what was written before, or
// is an error. Nothing found would be taken for a person without rules.
func (l *load) look(ctx context.Context, st store.Store) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	all, err := store.Ranges(ctx, st, store.Query{Prefix: "load/none/"}, store.One("load/stays"), store.Query{Prefix: "load/", Limit: 10})
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.read++
	if len(all) != 3 || len(all[0]) != 0 || len(all[1]) != 1 || string(all[1][0].Value) != "v" || len(all[2]) == 0 {
		l.t.Errorf("an answer without an error has %v", all)
	}
}

// enough waits until everybody has done some more.
func (l *load) enough(n int) {
	l.t.Helper()
	l.mu.Lock()
	read, counted := l.read, append([]int(nil), l.counted...)
	l.mu.Unlock()
	eventually(l.t, func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		for i := range counted {
			if l.counted[i] < counted[i]+n || l.read < read+n {
				return fmt.Errorf("counted %v after %v, read %d after %d", l.counted, counted, l.read, read)
			}
		}
		return nil
	})
}

// check ends the load and sees that no batch that was acknowledged is lost, and
// none was carried out twice.
func (l *load) check(st store.Store) {
	l.t.Helper()
	l.stop()
	for i := range l.handles {
		value, err := st.Get(l.t.Context(), fmt.Sprintf("load/counter-%d", i))
		if err != nil {
			l.t.Fatal(err)
		}
		if n, _ := strconv.Atoi(string(value)); n < l.counted[i] || n > l.counted[i]+l.unknown[i] {
			l.t.Errorf("counter %d is %d; %d was acknowledged, %d batches have no answer", i, n, l.counted[i], l.unknown[i])
		}
	}
}
