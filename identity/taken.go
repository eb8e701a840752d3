package identity

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

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

	mu     sync.Mutex
	loaded atomic.Bool
	some   atomic.Bool
	set    sync.Map
}

func (t *taken) at(hashed string) string { return books.Key(t.application, "taken", hashed) }

// put is the write that adds a value.
func (t *taken) put(hashed string) store.Write {
	return store.Write{Key: t.at(hashed), Value: []byte{1}, TTL: valueLife}
}

// add makes a value known here; the store's watch tells the others.
func (t *taken) add(hashed string) {
	t.set.Store(hashed, true)
	t.some.Store(true)
}

// load reads them all, once.
func (t *taken) load(ctx context.Context) error {
	if t.loaded.Load() {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.loaded.Load() {
		return nil
	}
	q := store.Query{Prefix: books.Prefix(t.application, "taken"), KeysOnly: true, Limit: 1000}
	for {
		entries, err := t.st.Range(ctx, q)
		if err != nil {
			return fmt.Errorf("reading the sessions that changed hands: %w", err)
		}
		for _, e := range entries {
			t.add(e.Key[len(q.Prefix):])
		}
		if len(entries) < q.Limit {
			t.loaded.Store(true)
			return nil
		}
		q.After = entries[len(entries)-1].Key
	}
}

// has reports whether a value is among them.
func (t *taken) has(hashed string) bool {
	_, ok := t.set.Load(hashed)
	return ok
}
