//go:build unix

package bolt_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/bolt"
)

// A child is this test binary run again as one of these.
var children = map[string]func(path string) error{
	"write until killed":       writeUntilKilled,
	"write until disk is full": writeUntilFull,
}

const childVariable = "CADENAS_BOLT_TEST_CHILD"

func TestMain(m *testing.M) {
	if child := children[os.Getenv(childVariable)]; child != nil {
		if err := child(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func childProcess(t *testing.T, name, path string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, path)
	cmd.Env = append(os.Environ(), childVariable+"="+name)
	cmd.Stderr = os.Stderr
	return cmd
}

const (
	crashWriters = 8
	crashKeys    = 5 // in each batch
)

// writeUntilKilled lets several writers put numbered batches and acknowledge
// each on standard output. A batch puts its number under several keys and
// checks the one before it.
func writeUntilKilled(path string) error {
	st, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		return err
	}
	failed := make(chan error, crashWriters)
	for w := range crashWriters {
		go func() { failed <- writeNumbers(st, w) }()
	}
	return <-failed
}

func writeNumbers(st store.Store, w int) error {
	ctx := context.Background()
	last := fmt.Sprintf("app/%d/last", w)
	old, err := st.Get(ctx, last)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	n, _ := strconv.Atoi(string(old))
	for {
		n++
		v := []byte(strconv.Itoa(n))
		b := store.Batch{
			Checks: []store.Check{{Key: last, Value: old}},
			Writes: []store.Write{{Key: last, Value: v}},
		}
		for i := range crashKeys {
			b.Writes = append(b.Writes, store.Write{Key: fmt.Sprintf("app/%d/%06d/%d", w, n, i), Value: v})
		}
		if err := st.Apply(ctx, b); err != nil {
			return err
		}
		if _, err := fmt.Printf("%d %d\n", w, n); err != nil {
			return err
		}
		old = v
	}
}

func TestKill9LosesNoAcknowledgedBatchAndTearsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cadenas.db")
	acknowledged := make(map[int]int)
	for round := range 8 {
		lines := 1 + random(t, 400)
		killed(t, path, lines, acknowledged)
		st := open(t, path)
		for w := range crashWriters {
			checkNumbers(t, st, round, w, acknowledged[w])
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killed runs a child, kills it after so many lines, and notes what it
// acknowledged until the end.
func killed(t *testing.T, path string, lines int, acknowledged map[int]int) {
	t.Helper()
	cmd := childProcess(t, "write until killed", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	scan := bufio.NewScanner(out)
	for n := 0; scan.Scan(); n++ {
		var w, batch int
		if _, err := fmt.Sscanf(scan.Text(), "%d %d", &w, &batch); err != nil {
			break // the last line may be torn, that is no acknowledgement
		}
		acknowledged[w] = batch
		if n == lines {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the child ended by itself: %v", err)
	}
}

func checkNumbers(t *testing.T, st store.Store, round, w, acknowledged int) {
	t.Helper()
	v, err := st.Get(t.Context(), fmt.Sprintf("app/%d/last", w))
	if errors.Is(err, store.ErrNotFound) && acknowledged == 0 {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	last, err := strconv.Atoi(string(v))
	if err != nil || last < acknowledged {
		t.Errorf("round %d, writer %d: batch %d was acknowledged, %q is the last", round, w, acknowledged, v)
	}
	found := 0
	q := store.Query{Prefix: fmt.Sprintf("app/%d/0", w)}
	for {
		entries, err := st.Range(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 {
			break
		}
		for _, e := range entries {
			batch := 1 + found/crashKeys
			if e.Key != fmt.Sprintf("app/%d/%06d/%d", w, batch, found%crashKeys) || string(e.Value) != strconv.Itoa(batch) {
				t.Fatalf("round %d, writer %d: %q = %q where key %d of batch %d belongs", round, w, e.Key, e.Value, found%crashKeys, batch)
			}
			found++
		}
		q.After = entries[len(entries)-1].Key
	}
	if found != last*crashKeys {
		t.Errorf("round %d, writer %d: %d keys of %d batches", round, w, found, last)
	}
}

func random(t *testing.T, n int64) int {
	t.Helper()
	r, err := rand.Int(rand.Reader, big.NewInt(n))
	if err != nil {
		t.Fatal(err)
	}
	return int(r.Int64())
}

// writeUntilFull fills a disk that has room for a few megabytes, as a limit on
// the size of files makes it look, and then lives on.
func writeUntilFull(path string) error {
	st, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 4 << 20, Max: 4 << 20}); err != nil {
		return err
	}
	ctx := context.Background()
	value := make([]byte, 100<<10)
	written := 0
	for ; err == nil && written < 1000; written++ {
		err = st.Apply(ctx, store.Batch{Writes: []store.Write{{Key: fmt.Sprintf("app/%03d", written), Value: value}}})
	}
	if err == nil {
		return errors.New("the disk never became full")
	}
	if !errors.Is(err, syscall.EFBIG) || !strings.Contains(err.Error(), path) {
		return fmt.Errorf("the error does not say why and where: %w", err)
	}
	written-- // the last one failed
	// Many at once get the same answer, and reading goes on.
	var wg sync.WaitGroup
	answers := make(chan error, 20)
	for i := range 20 {
		wg.Go(func() {
			answers <- st.Apply(ctx, store.Batch{Writes: []store.Write{{Key: fmt.Sprintf("more/%d", i), Value: make([]byte, 4<<20)}}})
		})
	}
	wg.Wait()
	for range 20 {
		if err := <-answers; err == nil {
			return errors.New("a write was acknowledged on a full disk")
		}
	}
	entries, err := st.Range(ctx, store.Query{Prefix: "app/", KeysOnly: true})
	if err != nil || len(entries) != written {
		return fmt.Errorf("%d entries are read of %d written: %w", len(entries), written, err)
	}
	// Room that is made is used again.
	if err := st.Apply(ctx, store.Batch{Writes: []store.Write{{Key: "app/000", Value: []byte("small")}}}); err != nil {
		return fmt.Errorf("a small write in place of a large one: %w", err)
	}
	return st.Close()
}

func TestAFullDiskIsAnErrorThatPasses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cadenas.db")
	if out, err := childProcess(t, "write until disk is full", path).Output(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	st := open(t, path)
	want(t, st, "app/000", "small")
	if got, err := st.Partitions(t.Context()); err != nil || len(got) != 1 {
		t.Errorf("partitions %q and %v: something of what failed is there", got, err)
	}
}
