package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/bolt"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

func fill(t *testing.T, st store.Store) (n int) {
	t.Helper()
	for _, p := range []string{"app", "é{}%", "books"} {
		var b store.Batch
		for i := range 1300 {
			b.Writes = append(b.Writes, store.Write{Key: fmt.Sprintf("%s/%d", p, i), Value: []byte{byte(i), 0, 255}})
		}
		b.Writes = append(b.Writes,
			store.Write{Key: p + "/empty", Value: []byte{}},
			store.Write{Key: p + "/large", Value: bytes.Repeat([]byte("v"), 3<<20)},
			store.Write{Key: p + "/ticket", Value: []byte("v"), TTL: time.Hour},
			store.Write{Key: p + "/\xff\xff", Value: []byte("last")},
		)
		if err := st.Apply(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		n += len(b.Writes)
	}
	return n
}

func TestACopyIsTheSameAndKeepsTheTimeThatIsLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cadenas.db")
	synctest.Test(t, func(t *testing.T) {
		from := memory.New()
		defer closed(t, from)
		filled := fill(t, from)
		time.Sleep(20 * time.Minute)

		to, err := bolt.Open(path, bolt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer closed(t, to)
		n, err := store.Copy(t.Context(), from, to)
		if err != nil || n != filled {
			t.Fatalf("copied %d of %d: %v", n, filled, err)
		}
		back := memory.New()
		defer closed(t, back)
		if n, err = store.Copy(t.Context(), to, back); err != nil || n != filled {
			t.Fatalf("copied %d of %d back: %v", n, filled, err)
		}
		for key, want := range map[string][]byte{"app/empty": {}, "é{}%/7": {7, 0, 255}, "books/\xff\xff": []byte("last")} {
			if got, err := back.Get(t.Context(), key); err != nil || got == nil || !bytes.Equal(got, want) {
				t.Errorf("%q: got %q and %v, want %q", key, got, err, want)
			}
		}
		for _, st := range []store.Store{to, back} {
			entries, err := st.Range(t.Context(), store.Query{Prefix: "app/ticket"})
			if err != nil || len(entries) != 1 || entries[0].TTL != 40*time.Minute {
				t.Errorf("the ticket: %+v, %v; want 40 minutes left", entries, err)
			}
		}
	})
}

func TestACopyGoesIntoAnEmptyStoreOnly(t *testing.T) {
	from, to := memory.New(), memory.New()
	fill(t, from)
	put(t, to, "other/k", "v")
	if n, err := store.Copy(t.Context(), from, to); !errors.Is(err, store.ErrNotEmpty) || n != 0 {
		t.Errorf("got %d and %v, want ErrNotEmpty", n, err)
	}
	if _, err := to.Get(t.Context(), "app/1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("something was copied: %v", err)
	}
}

func TestACopyOfNothingIsNothing(t *testing.T) {
	if n, err := store.Copy(t.Context(), memory.New(), memory.New()); n != 0 || err != nil {
		t.Errorf("got %d and %v", n, err)
	}
}

// spoiled is a store that does something else when it is written to.
type spoiled struct {
	store.Store
	apply func(to store.Store, b store.Batch) error
}

func (s spoiled) Apply(_ context.Context, b store.Batch) error { return s.apply(s.Store, b) }

func TestACopyThatDiffersIsNoticed(t *testing.T) {
	ctx := t.Context()
	for name, apply := range map[string]func(to store.Store, b store.Batch) error{
		"a value changed": func(to store.Store, b store.Batch) error {
			b.Writes[0].Value = []byte("changed")
			return to.Apply(ctx, b)
		},
		"an entry missing": func(to store.Store, b store.Batch) error {
			return to.Apply(ctx, store.Batch{Writes: b.Writes[:len(b.Writes)-1]})
		},
		"an entry more": func(to store.Store, b store.Batch) error {
			b.Writes = append(b.Writes, store.Write{Key: store.Partition(b.Writes[0].Key) + "/more", Value: []byte("v")})
			return to.Apply(ctx, b)
		},
		"a partition more": func(to store.Store, b store.Batch) error {
			return errors.Join(to.Apply(ctx, b), to.Apply(ctx, store.Batch{Writes: []store.Write{{Key: "more/k", Value: []byte("v")}}}))
		},
		"nothing written": func(store.Store, store.Batch) error { return nil },
		"everything for good": func(to store.Store, b store.Batch) error {
			for i := range b.Writes {
				b.Writes[i].TTL = 0
			}
			return to.Apply(ctx, b)
		},
	} {
		from := memory.New()
		fill(t, from)
		if _, err := store.Copy(ctx, from, spoiled{memory.New(), apply}); !errors.Is(err, store.ErrDiffers) {
			t.Errorf("%s: got %v, want ErrDiffers", name, err)
		}
	}
	full := errors.New("disk full")
	from := memory.New()
	fill(t, from)
	n, err := store.Copy(ctx, from, spoiled{memory.New(), func(store.Store, store.Batch) error { return full }})
	if !errors.Is(err, full) || n != 0 {
		t.Errorf("got %d and %v, want the target's error", n, err)
	}
}

func closed(t *testing.T, st store.Store) {
	t.Helper()
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}

func put(t *testing.T, st store.Store, key, value string) {
	t.Helper()
	if err := st.Apply(t.Context(), store.Batch{Writes: []store.Write{{Key: key, Value: []byte(value)}}}); err != nil {
		t.Fatal(err)
	}
}
