package bolt

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/store"
)

// Its file is read ahead through the handle that holds the lock.
func TestAStoreThatIsReadAheadIsWrittenClosedAndOpenedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "warm.db")
	for i := range 4 {
		s, err := Open(path, Options{Wait: time.Millisecond})
		if err != nil {
			t.Fatalf("opening it for the %d. time: %v", i+1, err)
		}
		if i%2 == 1 {
			s.warming.Wait()
		}
		key := fmt.Sprintf("app/%d", i)
		if err := s.Apply(t.Context(), store.Batch{Writes: []store.Write{{Key: key, Value: bytes.Repeat([]byte{1}, 3<<20)}}}); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, Options{Wait: time.Millisecond}); err == nil {
			t.Error("reading ahead let the lock go")
		}
		for n := range i + 1 {
			if _, err := s.Get(t.Context(), fmt.Sprintf("app/%d", n)); err != nil {
				t.Error(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
