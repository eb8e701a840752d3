package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

const (
	// remembered bounds the logins held in memory.
	remembered = 50_000
	// freshFor is how long memory is believed without a word from the store:
	// an event that was lost costs no more than this.
	freshFor = 10 * time.Minute
	// touchEvery is how coarsely the last use is written; more finely where
	// logins end soon.
	touchEvery = time.Hour
	// loginsPerUser is the cap on a user's logins in one application; the
	// oldest end first.
	loginsPerUser = 100
)

// logins is the allow-list with a bounded memory before it. A bound login is
// read from memory without a lock.
type logins struct {
	application string
	books       *books.Books
	idle        time.Duration // how long one lives that nobody uses
	clock       func() time.Time

	rows *otter.Cache[string, *row]

	// mu orders "read from the store, then remember" against "forget": a row
	// that ended between the two is not remembered.
	mu    sync.Mutex
	epoch uint64
}

// row is a login in memory.
type row struct {
	login books.Login
	raw   []byte // as stored, for preconditions
	since time.Time
	used  atomic.Int64 // unix seconds
	// gone says that it left memory: ended, changed, or crowded out.
	gone atomic.Bool
}

func newLogins(application string, b *books.Books, clock func() time.Time, idle time.Duration) (*logins, error) {
	rows, err := otter.New(&otter.Options[string, *row]{
		MaximumSize:      remembered,
		OnAtomicDeletion: func(e otter.DeletionEvent[string, *row]) { e.Value.gone.Store(true) },
	})
	if err != nil {
		return nil, fmt.Errorf("making the memory of logins: %w", err)
	}
	return &logins{application: application, books: b, idle: idle, clock: clock, rows: rows}, nil
}

// put are the writes that keep a login.
func (l *logins) put(login books.Login) []store.Write { return l.books.Logins.Put(login, l.idle) }

func (l *logins) key(id string) string { return l.books.Logins.Key(l.application, id) }

// get returns a login from memory or the store; false where it has none. A
// store that does not answer leaves what is in memory good for as long again:
// how long people go on without it is the gate's to say (threat L21).
func (l *logins) get(ctx context.Context, id string, now time.Time) (*row, bool, error) {
	r, remembered := l.rows.GetIfPresent(id)
	if remembered && now.Sub(r.since) < freshFor {
		return r, true, nil
	}
	fresh, ok, err := l.read(ctx, id, now)
	if err != nil && remembered && now.Sub(r.since) < 2*freshFor {
		return r, true, nil
	}
	return fresh, ok, err
}

// read returns a login from the store.
func (l *logins) read(ctx context.Context, id string, now time.Time) (*row, bool, error) {
	id = strings.Clone(id) // it may lie in scratch memory: see stamp.login
	l.mu.Lock()
	epoch := l.epoch
	l.mu.Unlock()
	raw, err := l.books.Store.Get(ctx, l.key(id))
	if errors.Is(err, store.ErrNotFound) {
		l.forget(id)
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading a login: %w", err)
	}
	r := &row{raw: raw, since: now}
	if err := books.Decode(raw, &r.login); err != nil {
		return nil, false, err
	}
	// The store says which application and login this is; a row that says
	// otherwise is not believed.
	if r.login.ID != id || r.login.Application != l.application {
		return nil, false, fmt.Errorf("login %s: its row is another's", id)
	}
	r.used.Store(r.login.Last.Unix())
	l.mu.Lock()
	if l.epoch == epoch {
		l.rows.Set(id, r)
	}
	l.mu.Unlock()
	return r, true, nil
}

// use notes that a login was used, coarsely.
func (r *row) use(now time.Time) {
	if s := now.Unix(); s-r.used.Load() >= 60 {
		r.used.Store(s)
	}
}

func (l *logins) forget(id string) {
	l.mu.Lock()
	l.epoch++
	l.rows.Invalidate(id)
	l.mu.Unlock()
}

func (l *logins) forgetAll() {
	l.mu.Lock()
	l.epoch++
	l.rows.InvalidateAll()
	l.mu.Unlock()
}

// apply carries out a batch and forgets the logins it touched, whatever came
// of it: after an error nobody knows what the store holds.
func (l *logins) apply(ctx context.Context, b store.Batch, ids ...string) error {
	err := l.books.Store.Apply(ctx, b)
	for _, id := range ids {
		l.forget(id)
	}
	return err
}

// end deletes a login, with more writes of the application.
func (l *logins) end(ctx context.Context, login books.Login, more ...store.Write) error {
	writes := append(l.books.Logins.Delete(login), more...)
	if err := l.apply(ctx, store.Batch{Writes: writes}, login.ID); err != nil {
		return fmt.Errorf("ending a login: %w", err)
	}
	return nil
}

// crowd returns the deletions that bring a user's logins under the cap, with
// room for one more.
func (l *logins) crowd(ctx context.Context, user string) ([]store.Write, []string, error) {
	// Their identifiers are enough, and in the order of time: to read a
	// hundred rows was most of what a login cost.
	ids, err := l.books.Logins.IDs(ctx, l.application, user)
	if err != nil {
		return nil, nil, fmt.Errorf("reading a user's logins: %w", err)
	}
	ids = ids[:max(0, len(ids)-loginsPerUser+1)]
	var writes []store.Write
	for _, id := range ids {
		writes = append(writes, l.books.Logins.Delete(books.Login{ID: id, Application: l.application, Person: access.Person{User: user}})...)
	}
	return writes, ids, nil
}

// touch writes the last use of the logins that were used since it was last
// written, and so keeps them from ending idle. It never brings back a row
// that has ended.
func (l *logins) touch(ctx context.Context) error {
	var failed error
	every := min(touchEvery, l.idle/8)
	for id, r := range l.rows.All() {
		used := time.Unix(r.used.Load(), 0)
		if used.Sub(r.login.Last) < every {
			continue
		}
		login := r.login
		login.Last = used
		err := l.apply(ctx, store.Batch{
			Checks: []store.Check{{Key: l.key(id), Value: r.raw}},
			Writes: l.put(login),
		}, id)
		if err != nil && !errors.Is(err, store.ErrConflict) {
			failed = fmt.Errorf("writing the last use of logins: %w", err)
		}
	}
	return failed
}
