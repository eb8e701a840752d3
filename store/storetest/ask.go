package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/store"
)

// The words the tests are written in: each fails the test where the store
// does not answer as expected.

func apply(t *testing.T, st store.Store, b store.Batch) {
	t.Helper()
	if err := st.Apply(t.Context(), b); err != nil {
		t.Fatalf("apply: %v", err)
	}
}

func put(t *testing.T, st store.Store, key, value string) {
	t.Helper()
	apply(t, st, store.Batch{Writes: []store.Write{{Key: key, Value: []byte(value)}}})
}

func want(t *testing.T, st store.Store, key, value string) {
	t.Helper()
	got, err := st.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("%q: %v", key, err)
	}
	if got == nil || string(got) != value {
		t.Errorf("%q: got %q (nil: %t), want %q", key, got, got == nil, value)
	}
}

func missing(t *testing.T, st store.Store, key string) {
	t.Helper()
	if got, err := st.Get(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%q: got %q and %v, want ErrNotFound", key, got, err)
	}
}

// gone waits until a key has expired.
func gone(t *testing.T, st store.Store, key string) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-again.C {
		_, err := st.Get(t.Context(), key)
		if errors.Is(err, store.ErrNotFound) {
			return
		}
		if err != nil {
			t.Fatalf("%q: %v", key, err)
		}
	}
	t.Fatalf("%q is still there", key)
}

func list(t *testing.T, st store.Store, q store.Query) []store.Entry {
	t.Helper()
	entries, err := st.Range(t.Context(), q)
	if err != nil {
		t.Fatalf("range %+v: %v", q, err)
	}
	return entries
}

func keys(entries []store.Entry) []string {
	var ks []string
	for _, e := range entries {
		ks = append(ks, e.Key)
	}
	return ks
}
