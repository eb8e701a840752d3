// Package bolt keeps a store in one file, for a gate of one instance. It
// needs no server and no care.
//
// Writes of many goroutines share one fsync: a single goroutine, the
// committer, takes all batches that wait, carries them out in one transaction
// and answers each when the disk has it. What was acknowledged survives
// kill -9 and a power cut as far as the disk keeps its word.
package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/fanout"
)

// ErrInUse says that the file is held by another process, or by another Open
// in this one.
var ErrInUse = errors.New("in use by another process; is another Caddy running on it?")

// ErrDamaged says that the file is no store, or has been truncated or
// overwritten from outside.
var ErrDamaged = errors.New("not a readable store; restore a backup, or move it away to begin anew")

// ErrFormat says that the file is a store of another version.
var ErrFormat = errors.New("the file is of another version of Cadenas")

// Options change how a store is opened; the zero value is what a gate uses.
type Options struct {
	// Wait is how long Open waits for another process to let the file go.
	// Default 5 seconds: longer than a graceful restart hands over.
	Wait time.Duration
	// Sweep is the time between two removals of expired keys. Default 1
	// minute. A key that has expired is not found in any case.
	Sweep time.Duration
	// Now is the clock of TTLs. Default time.Now.
	Now func() time.Time
}

// Store implements store.Store in one file.
type Store struct {
	path    string
	db      *bbolt.DB
	now     func() time.Time
	watches fanout.Fanout

	// asks leads to the committer, which ends when quit closes and then
	// closes done.
	asks chan *ask
	quit chan struct{}
	done chan struct{}

	// broken is set once a transaction has panicked: bbolt may still hold its
	// locks then, and nobody must wait for them.
	broken atomic.Bool

	warming  sync.WaitGroup
	closing  sync.Once
	closeErr error
	counts   counts
}

// Open opens the store at path, making it (mode 0600) and its folder (0700)
// where they are missing. The file holds what is sealed and, without a keys
// file, what it is sealed with: a mode that is wider is narrowed.
// It returns ErrInUse, ErrDamaged or the error of the file system, with path.
func Open(path string, o Options) (*Store, error) {
	if o.Wait <= 0 {
		o.Wait = 5 * time.Second
	}
	if o.Sweep <= 0 {
		o.Sweep = time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the store: %w", err)
	}
	_, statErr := os.Stat(path)
	db, file, err := openFile(path, o.Wait)
	if err != nil {
		return nil, fmt.Errorf("opening the store %s: %w", path, err)
	}
	s := &Store{
		path: path,
		db:   db,
		now:  o.Now,
		asks: make(chan *ask, maxGroup),
		quit: make(chan struct{}),
		done: make(chan struct{}),
	}
	if err := s.prepare(errors.Is(statErr, fs.ErrNotExist)); err != nil {
		return nil, errors.Join(fmt.Errorf("preparing the store %s: %w", path, err), db.Close())
	}
	go s.commit(o.Sweep)
	s.warming.Go(func() { s.warm(file) })
	return s, nil
}

// openFile also returns the file itself, which is the database's to close: some
// systems let a lock go when any handle of its file is closed.
func openFile(path string, wait time.Duration) (db *bbolt.DB, file *os.File, err error) {
	defer guard(&err)()
	o := &bbolt.Options{
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			f, err := os.OpenFile(name, flag, mode) //nolint:gosec // the store's own path and mode
			file = f
			return f, err
		},
		Timeout:      wait,
		FreelistType: bbolt.FreelistMapType,
	}
	if runtime.GOOS != "windows" {
		// A map that need not grow for long: growing waits for readers. It
		// takes address space only (on Windows it would take disk).
		o.InitialMmapSize = 256 << 20
	}
	db, err = bbolt.Open(path, 0o600, o)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, nil, fmt.Errorf("%w (waited %s)", ErrInUse, wait)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		return nil, nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return db, file, err
}

// prepare makes the buckets, and narrows the file's mode.
func (s *Store) prepare(created bool) error {
	info, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		if err := os.Chmod(s.path, 0o600); err != nil {
			return fmt.Errorf("narrowing its mode: %w", err)
		}
	}
	if err := s.update(makeBuckets); err != nil {
		return err
	}
	if created && runtime.GOOS != "windows" {
		// The file's name, too, has to survive a power cut.
		return syncFolder(filepath.Dir(s.path))
	}
	return nil
}

func syncFolder(path string) error {
	d, err := os.Open(path) //nolint:gosec // the folder of the file that was just opened
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Get returns the value under a key, or store.ErrNotFound.
func (s *Store) Get(ctx context.Context, key string) (value []byte, err error) {
	if err := store.CheckKey(key); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = s.view(func(tx *bbolt.Tx) error {
		r, ok, err := read(tx, key, s.now())
		if err != nil {
			return err
		}
		if !ok {
			return store.ErrNotFound
		}
		value = r.copy()
		return nil
	})
	return value, err
}

// Range returns the entries of a query in order.
func (s *Store) Range(ctx context.Context, q store.Query) (entries []store.Entry, err error) {
	if _, _, err := q.Span(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = s.view(func(tx *bbolt.Tx) error {
		entries, err = list(tx, q, s.now())
		return err
	})
	if err != nil {
		return nil, err
	}
	return entries, nil
}

// Ranges returns the entries of several queries, all of one moment.
func (s *Store) Ranges(ctx context.Context, queries []store.Query) (all [][]store.Entry, err error) {
	for _, q := range queries {
		if _, _, err := q.Span(); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	all = make([][]store.Entry, len(queries))
	err = s.view(func(tx *bbolt.Tx) (err error) {
		now := s.now()
		for i, q := range queries {
			if all[i], err = list(tx, q, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Watch sends each event whose key starts with prefix.
func (s *Store) Watch(ctx context.Context, prefix string) (<-chan store.Event, error) {
	return s.watches.Watch(ctx, prefix)
}

// Partitions returns the partitions that hold at least one key.
func (s *Store) Partitions(ctx context.Context) (names []string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = s.view(func(tx *bbolt.Tx) error {
		names, err = partitions(tx, s.now())
		return err
	})
	return names, err
}

// Close waits for the batch that is being written, ends watches and lets the
// file go.
func (s *Store) Close() error {
	s.closing.Do(func() {
		close(s.quit)
		<-s.done
		s.warming.Wait()
		s.watches.Close()
		if s.broken.Load() {
			s.closeErr = fmt.Errorf("closing the store %s: %w; the file is let go when the process ends", s.path, ErrDamaged)
			return
		}
		if err := s.db.Close(); err != nil {
			s.closeErr = fmt.Errorf("closing the store %s: %w", s.path, err)
		}
	})
	return s.closeErr
}

// view and update run a transaction and make sense of what goes wrong.
func (s *Store) view(do func(tx *bbolt.Tx) error) error {
	return s.run(func() error { return s.db.View(do) })
}

func (s *Store) update(do func(tx *bbolt.Tx) error) error {
	return s.run(func() error { return s.db.Update(do) })
}

func (s *Store) run(transaction func() error) (err error) {
	defer s.explain(&err)
	if s.broken.Load() {
		return ErrDamaged
	}
	panicked := true
	defer func() {
		if panicked {
			s.broken.Store(true)
		}
	}()
	defer guard(&err)()
	err = transaction()
	panicked = false
	return err
}

func (s *Store) explain(err *error) {
	switch {
	case *err == nil, errors.Is(*err, store.ErrNotFound):
	case errors.Is(*err, bolterrors.ErrDatabaseNotOpen):
		*err = store.ErrClosed
	default:
		*err = fmt.Errorf("store %s: %w", s.path, *err)
	}
}

// guard turns a panic into ErrDamaged: bbolt believes the pages it maps, and
// a file that was truncated under it faults. A gate that refuses is better
// than one that is gone (THREATS L4). Use: defer guard(&err)().
func guard(err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		if r := recover(); r != nil {
			*err = fmt.Errorf("%w: %v", ErrDamaged, r)
		}
	}
}
