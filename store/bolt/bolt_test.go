package bolt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/bolt"
	"github.com/cadenas-gateway/cadenas/store/storetest"
)

func TestBoltIsAStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		return open(t, filepath.Join(t.TempDir(), "cadenas.db"))
	})
}

func open(t *testing.T, path string) *bolt.Store {
	t.Helper()
	st, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, st) })
	return st
}

// closed closes a store, again where a test has done so before.
func closed(t *testing.T, st *bolt.Store) {
	t.Helper()
	if err := st.Close(); err != nil && !errors.Is(err, bolt.ErrDamaged) {
		t.Error(err)
	}
}

func put(key, value string) store.Batch {
	return store.Batch{Writes: []store.Write{{Key: key, Value: []byte(value)}}}
}

func apply(t *testing.T, st store.Store, b store.Batch) {
	t.Helper()
	if err := st.Apply(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, st store.Store, key, value string) {
	t.Helper()
	if got, err := st.Get(t.Context(), key); err != nil || string(got) != value {
		t.Errorf("%q: got %q and %v, want %q", key, got, err, value)
	}
}

func TestAStoreIsFoundAgainWhenItIsOpenedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "folder", "cadenas.db")
	st := open(t, path)
	apply(t, st, put("app/k", "v"))
	apply(t, st, store.Batch{Writes: []store.Write{{Key: "app/ttl", Value: []byte("v"), TTL: time.Hour}}})
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	st = open(t, path)
	want(t, st, "app/k", "v")
	entries, err := st.Range(t.Context(), store.Query{Prefix: "app/ttl"})
	if err != nil || len(entries) != 1 || entries[0].TTL <= 0 || entries[0].TTL > time.Hour {
		t.Errorf("what is left of an hour was lost: %+v, %v", entries, err)
	}
}

func TestOnlyTheOwnerMayReadTheFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // it has no such modes
	}
	path := filepath.Join(t.TempDir(), "folder", "cadenas.db")
	closed(t, open(t, path))
	mode := func(path string) os.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	if got := mode(path); got != 0o600 {
		t.Errorf("a new file has mode %o", got)
	}
	if got := mode(filepath.Dir(path)); got != 0o700 {
		t.Errorf("a new folder has mode %o", got)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	open(t, path)
	if got := mode(path); got != 0o600 {
		t.Errorf("a file that everybody could read has mode %o", got)
	}
}

func TestASecondOpenSaysWhoHoldsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cadenas.db")
	st := open(t, path)
	_, err := bolt.Open(path, bolt.Options{Wait: 50 * time.Millisecond})
	if !errors.Is(err, bolt.ErrInUse) || !strings.Contains(fmt.Sprint(err), path) || !strings.Contains(fmt.Sprint(err), "in use by another process") {
		t.Errorf("got %v, want ErrInUse with the path", err)
	}
	apply(t, st, put("app/k", "v"))
}

func TestWhatCannotBeOpenedSaysWhy(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, c := range map[string]struct {
		path string
		want string
	}{
		"a folder":              {dir, "is a directory"},
		"a path under a file":   {filepath.Join(file("plain", "x"), "cadenas.db"), "not a directory"},
		"some other file":       {file("other", strings.Repeat("no store ", 4000)), "not a readable store"},
		"a store cut to a stub": {file("stub", "\x00\x00\x00\x00"), "not a readable store"},
	} {
		st, err := bolt.Open(c.path, bolt.Options{Wait: time.Second})
		if err == nil {
			closed(t, st)
			t.Errorf("%s was opened", name)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %q does not say %q and the path", name, err, c.want)
		}
	}
}

func TestAFileTruncatedUnderAnOpenStoreIsAnErrorAndNoPanic(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // a mapped file cannot be truncated there
	}
	path := filepath.Join(t.TempDir(), "cadenas.db")
	st := open(t, path)
	for i := range 100 {
		apply(t, st, put(fmt.Sprintf("app/%03d", i), strings.Repeat("v", 1000)))
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Range(t.Context(), store.Query{Prefix: "app/"}); !errors.Is(err, bolt.ErrDamaged) {
		t.Errorf("range: got %v, want ErrDamaged", err)
	}
	for range 3 {
		if err := st.Apply(t.Context(), put("app/k", "v")); err == nil {
			t.Error("a write into a truncated file was acknowledged")
		}
	}
	// Whatever it says, it comes back.
	_ = st.Close()
}

func TestAStoreSaysHowMuchItHolds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cadenas.db")
	st := open(t, path)
	apply(t, st, put("app/a", "v"))
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	size, ok, err := store.SizeOf(t.Context(), store.Heed(st, nil))
	if err != nil || !ok || size.Bytes <= 0 || size.Bytes > info.Size() || size.Free > size.Bytes {
		t.Errorf("%+v, %v, %v; the file has %d", size, ok, err, info.Size())
	}
}

func TestManyWritersShareACommit(t *testing.T) {
	st := open(t, filepath.Join(t.TempDir(), "cadenas.db"))
	const writers, times = 50, 10
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range times {
				if err := st.Apply(t.Context(), put(fmt.Sprintf("app/%d/%d", w, i), "v")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	stats, err := st.Stats()
	if err != nil {
		t.Fatal(err)
	}
	if stats.Batches != writers*times || stats.Commits > stats.Batches/2 {
		t.Errorf("%d batches took %d commits", stats.Batches, stats.Commits)
	}
	entries, err := st.Range(t.Context(), store.Query{Prefix: "app/"})
	if err != nil || len(entries) != writers*times {
		t.Errorf("%d entries and %v, want %d", len(entries), err, writers*times)
	}
}

func TestExpiredKeysLeaveTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cadenas.db")
	synctest.Test(t, func(t *testing.T) {
		st, err := bolt.Open(path, bolt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer closed(t, st)
		var b store.Batch
		for i := range 2500 {
			b.Writes = append(b.Writes, store.Write{Key: fmt.Sprintf("app/%d", i), Value: []byte("v"), TTL: time.Minute})
		}
		apply(t, st, b)
		apply(t, st, put("app/1", "written again, to stay"))
		apply(t, st, store.Batch{Writes: []store.Write{{Key: "app/2", Value: []byte("v"), TTL: time.Hour}, {Key: "app/3"}}})

		time.Sleep(time.Minute - 1)
		if _, err := st.Get(t.Context(), "app/0"); err != nil {
			t.Errorf("before its end: %v", err)
		}
		time.Sleep(time.Nanosecond)
		if _, err := st.Get(t.Context(), "app/0"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("at its end: got %v, want ErrNotFound", err)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		stats, err := st.Stats()
		if err != nil {
			t.Fatal(err)
		}
		if stats.Swept != 2497 || stats.SweepFailures != 0 {
			t.Errorf("%d keys were removed and %d sweeps failed, want 2497 and 0", stats.Swept, stats.SweepFailures)
		}
		want(t, st, "app/1", "written again, to stay")
		want(t, st, "app/2", "v")
		time.Sleep(time.Hour)
		if _, err := st.Get(t.Context(), "app/2"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
	})
}

func TestASnapshotIsWholeWhileWritersGoOn(t *testing.T) {
	dir := t.TempDir()
	st := open(t, filepath.Join(dir, "cadenas.db"))
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				v := []byte(fmt.Sprint(i))
				// Both halves always say the same.
				err := st.Apply(ctx, store.Batch{Writes: []store.Write{
					{Key: fmt.Sprintf("app/%d/left", w), Value: v}, {Key: fmt.Sprintf("app/%d/right", w), Value: v},
				}})
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	var snapshots [3]bytes.Buffer
	for i := range snapshots {
		if err := st.Snapshot(t.Context(), &snapshots[i]); err != nil {
			t.Error(err)
		}
	}
	stop()
	wg.Wait()
	for i := range snapshots {
		path := filepath.Join(dir, fmt.Sprintf("copy-%d.db", i))
		if err := os.WriteFile(path, snapshots[i].Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		copied := open(t, path)
		entries, err := copied.Range(t.Context(), store.Query{Prefix: "app/"})
		if err != nil || len(entries)%2 != 0 {
			t.Fatalf("%d entries, %v", len(entries), err)
		}
		for j := 0; j < len(entries); j += 2 {
			if !bytes.Equal(entries[j].Value, entries[j+1].Value) {
				t.Errorf("snapshot %d: %q is %q and %q is %q", i, entries[j].Key, entries[j].Value, entries[j+1].Key, entries[j+1].Value)
			}
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(left) != 0 {
		t.Errorf("snapshots left %q behind, %v", left, err)
	}
}

func TestASnapshotThatIsGivenUpLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	st := open(t, filepath.Join(dir, "cadenas.db"))
	apply(t, st, put("app/k", "v"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := st.Snapshot(ctx, &bytes.Buffer{}); err == nil {
		t.Error("a snapshot was made after its context had ended")
	}
	closed(t, st)
	if err := st.Snapshot(t.Context(), &bytes.Buffer{}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(left) != 0 {
		t.Errorf("it left %q behind, %v", left, err)
	}
}

func TestCloseAnswersEveryWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cadenas.db")
	st := open(t, path)
	var mu sync.Mutex
	written := make(map[string]bool)
	var wg sync.WaitGroup
	begun := make(chan struct{}, 1000)
	for w := range 16 {
		wg.Go(func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("app/%d/%d", w, i)
				err := st.Apply(t.Context(), put(key, "v"))
				if errors.Is(err, store.ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				written[key] = true
				mu.Unlock()
				select {
				case begun <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 100 {
		<-begun
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	st = open(t, path)
	for key := range written {
		want(t, st, key, "v")
	}
}
