package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/cadenas-gateway/cadenas/store"
)

func TestAFileOfAnotherVersionSaysSo(t *testing.T) {
	for written, says := range map[string]string{
		"1":  "before the first release",
		"3":  "use the version of Cadenas that wrote it, or a newer one",
		"2x": "use the version of Cadenas that wrote it, or a newer one",
	} {
		path := filepath.Join(t.TempDir(), "cadenas.db")
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bbolt.Tx) error {
			meta, err := tx.CreateBucket(bucketMeta)
			if err != nil {
				return err
			}
			return meta.Put(keyFormat, []byte(written))
		})
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		_, err = Open(path, Options{})
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), path) {
			t.Errorf("format %s: got %v, want ErrFormat, the path and %q", written, err, says)
		}
	}
}

// TestPagesAreAsFullAsTheOrderOfKeysAllows is what the size of a file rests on.
func TestPagesAreAsFullAsTheOrderOfKeysAllows(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same pages each time
	for name, c := range map[string]struct {
		key  func(i int) string
		full float64
	}{
		"keys in the order of time":           {func(i int) string { return fmt.Sprintf("%08d", i) }, 0.9},
		"keys that come anywhere":             {func(int) string { return fmt.Sprintf("%016x", random.Uint64()) }, 0.62},
		"keys of time, each with its own end": {func(i int) string { return fmt.Sprintf("%08d%016x", i, random.Uint64()) }, 0.9},
	} {
		t.Run(name, func(t *testing.T) {
			st, err := Open(filepath.Join(t.TempDir(), "cadenas.db"), Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close() //nolint:errcheck // read only by now
			for i := 0; i < 20_000; {
				var b store.Batch
				for range 500 {
					b.Writes = append(b.Writes, store.Write{Key: "app/kind/" + c.key(i), Value: make([]byte, 60)})
					i++
				}
				if err := st.Apply(t.Context(), b); err != nil {
					t.Fatal(err)
				}
			}
			err = st.view(func(tx *bbolt.Tx) error {
				s := tx.Bucket([]byte("app/kind/")).Stats()
				if got := float64(s.LeafInuse) / float64(s.LeafAlloc); got < c.full {
					t.Errorf("pages are full to %.2f, want %.2f", got, c.full)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestARecordThatIsNoneIsAnError(t *testing.T) {
	for name, b := range map[string][]byte{
		"nothing": {}, "of another kind": {2, 1, 2, 3}, "an end cut short": append([]byte{goes}, 1, 2, 3),
	} {
		if _, err := parse(b); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: got %v, want ErrDamaged", name, err)
		}
	}
	end := binary.BigEndian.AppendUint64([]byte{goes}, stamp(time.Now()))
	if r, err := parse(end); err != nil || len(r.value) != 0 || r.end == 0 {
		t.Errorf("an empty value with an end: %+v, %v", r, err)
	}
}
