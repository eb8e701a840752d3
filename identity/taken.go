package identity

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// taken are the session values that somebody signed into, or may have, while
// the padlock was open and the backend kept the value. Whoever else bears
// such a value with a stamp of an earlier login (they may have planted it)
// bears another user's session now, though that login is still bound. So for
// these, and for these only, the map of values is asked before the stamp is
// believed.
//
// They are few, and all in memory: where none is, the check is one load.
type taken struct {
	application string
	st          store.Store
	clock       func() time.Time
	life        time.Duration // see valueLife

	mu    sync.Mutex
	read  atomic.Int64 // when they were read, unix seconds; 0: not yet
	count atomic.Int64
	set   atomic.Pointer[sync.Map]
}

// takenFresh is how long they are believed complete; rows that expired in
// the store leave memory when they are read anew.
const takenFresh = 24 * time.Hour

func (t *taken) at(hashed string) string { return books.Key(t.application, "taken", hashed) }

// put is the write that adds a value, drop the one that takes it out.
func (t *taken) put(hashed string) store.Write {
	return store.Write{Key: t.at(hashed), Value: []byte{1}, TTL: t.life}
}

func (t *taken) drop(hashed string) store.Write { return store.Write{Key: t.at(hashed)} }

// note makes a value known here, or forgets it, once that is written; the
// store's watch tells the others.
func (t *taken) note(hashed string, is bool) {
	t.mu.Lock() // not while they are read
	defer t.mu.Unlock()
	set := t.set.Load()
	if set == nil {
		return // read from the store before it is needed
	}
	if !is {
		if _, was := set.LoadAndDelete(hashed); was {
			t.count.Add(-1)
		}
		return
	}
	if _, was := set.Swap(hashed, true); !was {
		t.count.Add(1)
	}
}

// none reports whether they are known and there is none.
func (t *taken) none(now time.Time) bool {
	read := t.read.Load()
	return read != 0 && now.Unix()-read < int64(takenFresh/time.Second) && !t.any()
}

func (t *taken) forget() { t.read.Store(0) }

// load reads them all, once in a while.
func (t *taken) load(ctx context.Context) error {
	if read := t.read.Load(); read != 0 && t.clock().Unix()-read < int64(takenFresh/time.Second) {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock().Unix()
	if read := t.read.Load(); read != 0 && now-read < int64(takenFresh/time.Second) {
		return nil
	}
	set, n := &sync.Map{}, int64(0)
	q := store.Query{Prefix: books.Prefix(t.application, "taken"), KeysOnly: true, Limit: 1000}
	for {
		entries, err := t.st.Range(ctx, q)
		if err != nil && t.set.Load() != nil {
			return nil // those known stand; the next request asks again
		}
		if err != nil {
			return fmt.Errorf("reading the sessions that changed hands: %w", err)
		}
		for _, e := range entries {
			set.Store(e.Key[len(q.Prefix):], true)
			n++
		}
		if len(entries) < q.Limit {
			break
		}
		q.After = entries[len(entries)-1].Key
	}
	t.set.Store(set)
	t.count.Store(n)
	t.read.Store(now)
	return nil
}

// any reports whether there is one at all.
func (t *taken) any() bool { return t.count.Load() > 0 }

// has reports whether a value is among them.
func (t *taken) has(hashed string) bool {
	set := t.set.Load()
	if set == nil {
		return false
	}
	_, ok := set.Load(hashed)
	return ok
}
