package bolt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"go.etcd.io/bbolt"

	"github.com/cadenas-gateway/cadenas/store"
)

type counts struct {
	batches, commits, swept, sweepFailures atomic.Uint64
}

// Stats is what an operator may want to see of a store since it was opened.
type Stats struct {
	// Bytes is the size of the data in the file, Free the part of it that
	// holds nothing now and is used again before the file grows.
	Bytes, Free int64
	// Batches is how many batches were carried out, Commits how many
	// transactions they shared.
	Batches, Commits uint64
	// Swept is how many expired keys were removed, SweepFailures how often
	// that failed; the next write meets the same error.
	Swept, SweepFailures uint64
}

// Stats returns the figures of the store, or store.ErrClosed.
func (s *Store) Stats() (st Stats, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		st = Stats{
			Bytes:         tx.Size(),
			Free:          int64(s.db.Stats().FreePageN) * int64(s.db.Info().PageSize),
			Batches:       s.counts.batches.Load(),
			Commits:       s.counts.commits.Load(),
			Swept:         s.counts.swept.Load(),
			SweepFailures: s.counts.sweepFailures.Load(),
		}
		return nil
	})
	return st, err
}

// Size implements store.Sized: the file, and what is free in it.
func (s *Store) Size(context.Context) (store.Size, error) {
	st, err := s.Stats()
	return store.Size{Bytes: st.Bytes, Free: st.Free}, err
}

// Snapshot writes the store as it is at one moment to w: a file that Open
// opens. Writers go on meanwhile. It first goes to a file beside the store
// (mode 0600, removed afterwards), so that a slow w holds no transaction open:
// while one is, no page is used again and the file grows.
func (s *Store) Snapshot(ctx context.Context, w io.Writer) (err error) {
	f, err := os.CreateTemp(filepath.Dir(s.path), "."+filepath.Base(s.path)+".snapshot-*")
	if err != nil {
		return fmt.Errorf("making a snapshot of %s: %w", s.path, err)
	}
	defer func() {
		err = errors.Join(err, f.Close(), os.Remove(f.Name()))
	}()
	err = s.view(func(tx *bbolt.Tx) error {
		_, err := tx.WriteTo(until{ctx, f})
		return err
	})
	if err != nil {
		return fmt.Errorf("making a snapshot: %w", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("reading the snapshot of %s: %w", s.path, err)
	}
	if _, err := io.Copy(until{ctx, w}, f); err != nil {
		return fmt.Errorf("sending the snapshot of %s: %w", s.path, err)
	}
	return nil
}

// until is a writer that refuses once its context has ended.
type until struct {
	ctx context.Context
	w   io.Writer
}

func (u until) Write(b []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.w.Write(b)
}
