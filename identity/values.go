package identity

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store"
)

// values is the map that stamps cannot replace: keyed hash of a session
// value or token to what became of it. It serves backends that keep the same
// value through a sign-in (the browser then still shows the stamp from
// before), bearer tokens, and values that were ended without having a login
// of their own.
type values struct {
	application string
	st          store.Store
	ring        func() *seal.Ring
	clock       func() time.Time
	life        time.Duration // see valueLife

	memory *otter.Cache[string, *value]
	key    atomic.Pointer[sync.Pool] // of hash.Hash, once the key is read

	mu    sync.Mutex
	epoch uint64
}

// fate is what became of a value.
type fate byte

const (
	// fateNone: nothing is known of it.
	fateNone fate = 0
	// fateLogin: it belongs to a login.
	fateLogin fate = 'l'
	// fateEnded: it is worth nothing.
	fateEnded fate = 'e'
	// fateUnproved: a sign-in in it could not be judged, padlock open.
	fateUnproved fate = 'u'
	// fateNobody: it is too long to bear a stamp; nobody signed in.
	fateNobody fate = 'n'
)

// record is a row of the map as it is stored.
type record struct {
	Fate   fate   `cbor:"1,keyasint"`
	Login  string `cbor:"2,keyasint,omitempty"`
	Device string `cbor:"3,keyasint,omitempty"`
	// Day is when the row was written, in days since 1970.
	Day int64 `cbor:"4,keyasint,omitempty"`
}

// value is a row in memory.
type value struct {
	record
	since time.Time
	used  atomic.Bool
}

// valueLife is how long a row lives unless its login is used: longer than
// any stamp from before it, so that a value whose row is gone is not taken
// for nobody's again, and longer than a login that nobody uses.
func valueLife(idle time.Duration) time.Duration { return max(nobodyLife, idle) + 24*time.Hour }

func newValues(application string, st store.Store, ring func() *seal.Ring, clock func() time.Time, life time.Duration) (*values, error) {
	memory, err := otter.New(&otter.Options[string, *value]{MaximumSize: remembered})
	if err != nil {
		return nil, fmt.Errorf("making the memory of session values: %w", err)
	}
	return &values{application: application, st: st, ring: ring, clock: clock, life: life, memory: memory}, nil
}

// hash is the keyed hash of a value under a cookie's folded name, or of a
// token under "". The key is made at first need and kept sealed.
func (v *values) hash(ctx context.Context, name, val string) (string, error) {
	pool := v.key.Load()
	if pool == nil {
		key, err := v.readKey(ctx)
		if err != nil {
			return "", err
		}
		pool = &sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}
		v.key.Store(pool)
	}
	h := pool.Get().(hash.Hash)
	defer pool.Put(h)
	h.Reset()
	var room [96]byte
	b := append(appendFolded(room[:0], name), '=')
	b = append(b, val...)
	h.Write(b) // a hash never fails
	return base64.RawURLEncoding.EncodeToString(h.Sum(room[:0])[:18]), nil
}

const hashKeyPurpose = "session hash key"

func (v *values) readKey(ctx context.Context) ([]byte, error) {
	at := books.Key(v.application, "login-key")
	box, err := v.st.Get(ctx, at)
	if errors.Is(err, store.ErrNotFound) {
		fresh := make([]byte, sha256.Size)
		rand.Read(fresh) // never fails since Go 1.24
		box = v.ring().Seal(nil, fresh, hashKeyPurpose, v.application)
		err = v.st.Apply(ctx, store.Batch{
			Checks: []store.Check{{Key: at}},
			Writes: []store.Write{{Key: at, Value: box}},
		})
		if errors.Is(err, store.ErrConflict) { // another instance was first
			box, err = v.st.Get(ctx, at)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the key of session hashes: %w", err)
	}
	key, err := v.ring().Open(nil, box, hashKeyPurpose, v.application)
	if err != nil {
		return nil, fmt.Errorf("opening the key of session hashes: %w", err)
	}
	if !v.ring().Newest(box) {
		// Sealed anew, so that it outlives the key it was sealed with. What
		// fails here is tried again by the next process.
		_ = v.st.Apply(ctx, store.Batch{
			Checks: []store.Check{{Key: at, Value: box}},
			Writes: []store.Write{{Key: at, Value: v.ring().Seal(nil, key, hashKeyPurpose, v.application)}},
		})
	}
	return key, nil
}

func (v *values) at(hashed string) string { return books.Key(v.application, "session", hashed) }

// get tells what became of a value. That nothing is known of it is never
// remembered: the next instant another instance may know.
func (v *values) get(ctx context.Context, hashed string, now time.Time) (*value, error) {
	old, remembered := v.memory.GetIfPresent(hashed)
	if remembered && now.Sub(old.since) < freshFor {
		return old, nil
	}
	v.mu.Lock()
	epoch := v.epoch
	v.mu.Unlock()
	kept, err := books.Get[record](ctx, v.st, v.at(hashed))
	if errors.Is(err, store.ErrNotFound) {
		v.forget(hashed)
		return &value{}, nil
	}
	if err != nil && remembered && now.Sub(old.since) < 2*freshFor {
		return old, nil // as with logins
	}
	if err != nil {
		return nil, fmt.Errorf("reading what became of a session: %w", err)
	}
	val := &value{record: kept, since: now}
	v.mu.Lock()
	if v.epoch == epoch {
		v.memory.Set(hashed, val)
	}
	v.mu.Unlock()
	return val, nil
}

func (v *values) forget(hashed string) {
	v.mu.Lock()
	v.epoch++
	v.memory.Invalidate(hashed)
	v.mu.Unlock()
}

func (v *values) forgetAll() {
	v.mu.Lock()
	v.epoch++
	v.memory.InvalidateAll()
	v.mu.Unlock()
}

// put is the write of a row.
func (v *values) put(hashed string, f fate, login, device string) store.Write {
	return store.Write{Key: v.at(hashed), Value: books.Encode(record{f, login, device, v.clock().Unix() / 86400}), TTL: v.life}
}

// drop is the write that forgets a row.
func (v *values) drop(hashed string) store.Write { return store.Write{Key: v.at(hashed)} }

// check is the precondition that a row is as it was read.
func (v *values) check(hashed string, was *value) store.Check {
	if was == nil || was.Fate == fateNone {
		return store.Check{Key: v.at(hashed)}
	}
	return store.Check{Key: v.at(hashed), Value: books.Encode(was.record)}
}

// touch keeps the rows of values in use from going: a row a day.
func (v *values) touch(ctx context.Context, alive func(login string) bool) error {
	var failed error
	today := v.clock().Unix() / 86400
	for hashed, val := range v.memory.All() {
		if val.Fate != fateLogin || val.Day >= today || !val.used.Load() || !alive(val.Login) {
			continue
		}
		err := v.st.Apply(ctx, store.Batch{
			Checks: []store.Check{v.check(hashed, val)},
			Writes: []store.Write{v.put(hashed, val.Fate, val.Login, val.Device)},
		})
		if err != nil && !errors.Is(err, store.ErrConflict) {
			failed = fmt.Errorf("writing the last use of sessions: %w", err)
		}
		v.forget(hashed)
	}
	return failed
}

func (val *value) use() {
	if !val.used.Load() {
		val.used.Store(true)
	}
}
