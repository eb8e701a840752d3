package caddymodule

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/fingerprint"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store"
)

// states are the open stores of this process. A reload starts the new
// configuration before it stops the old one, and both use the same.
var states = caddy.NewUsagePool()

// state is what outlives a configuration: the open store, its books, the
// keys, and the gate's memory.
type state struct {
	key    string
	store  store.Store
	books  *books.Books
	gate   *gate.Gate
	reader *fingerprint.Reader
	ring   atomic.Pointer[seal.Ring]
	wrap   *seal.Ring
	marks  marks
	// log is that of the newest configuration.
	log atomic.Pointer[slog.Logger]

	cancel context.CancelFunc
	work   sync.WaitGroup
}

// acquire opens the store of an app, or joins the one that is open.
func acquire(ctx context.Context, a *App) (*state, error) {
	v, _, err := states.LoadOrNew(a.store.Key(), func() (caddy.Destructor, error) {
		return newState(ctx, a)
	})
	if err != nil {
		return nil, err
	}
	s := v.(*state)
	s.log.Store(a.log)
	return s, nil
}

func newState(ctx context.Context, a *App) (*state, error) {
	st, err := a.store.Open()
	if err != nil {
		return nil, err
	}
	s := &state{key: a.store.Key()}
	s.log.Store(a.log)
	st = store.Heed(st, s.wrote)
	s.store, s.books = st, books.New(st)
	if a.wrap != "" {
		sum := sha256.Sum256([]byte(a.wrap))
		if s.wrap, err = seal.NewRing(map[byte][]byte{0: sum[:]}, 0); err != nil {
			return nil, errors.Join(err, st.Close())
		}
	}
	newer, err := books.Agree(ctx, st)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	if newer {
		a.log.Info("a newer version of Cadenas shares the store, or did; this one keeps what it does not know of")
	}
	ring, err := books.Ring(ctx, st, s.wrap, time.Now())
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	s.ring.Store(ring)
	s.gate = gate.New(s.books, gate.Options{Log: a.log, Away: awayFor(a.store)})
	s.reader = &fingerprint.Reader{Jar: &fingerprint.Jar{Keys: s.keys}, Agents: fingerprint.NewAgents(), Ledger: s.newLedger()}
	background, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.work.Go(func() {
		if err := s.gate.Run(background); err != nil && background.Err() == nil {
			a.log.Error("the gate no longer hears of changes", "error", err)
		}
	})
	s.work.Go(func() { s.follow(background, a) })
	s.work.Go(func() { s.marks.run(background, s.books, a.log) })
	return s, nil
}

// awayFor is how long known connections go on without a store that can lose
// sight of its server.
func awayFor(o Opener) time.Duration {
	if o, ok := o.(interface{ AwayFor() time.Duration }); ok {
		return o.AwayFor()
	}
	return 0
}

// follow reads the ring anew when it was rotated, here or elsewhere, and takes
// over the generations of device cookies that other instances saw.
func (s *state) follow(ctx context.Context, a *App) {
	keys, devices := books.Key("", "keys"), books.Prefix("", "device")
	for e := range books.Watch(ctx, s.store, "") {
		gap := e.Err != nil
		if gap || strings.HasPrefix(e.Key, keys) {
			s.readRing(ctx, a)
		}
		if gap || e.Key == books.FormatKey() {
			s.readFormat(ctx, a)
		}
		switch {
		case gap:
			s.reader.Ledger.Forget()
		case e.Value != nil && strings.HasPrefix(e.Key, devices):
			var d books.Device
			if err := books.Decode(e.Value, &d); err != nil {
				a.log.Error("a device's record cannot be read", "key", e.Key, "error", err)
				continue
			}
			s.reader.Ledger.Learn(d.ID, fingerprint.Mark{Newest: d.Generation, Since: d.Rotated})
		}
	}
}

func (s *state) readRing(ctx context.Context, a *App) {
	ring, err := books.Ring(ctx, s.store, s.wrap, time.Now())
	if err != nil {
		if ctx.Err() == nil {
			a.log.Error("reading rotated keys", "error", err)
		}
		return
	}
	s.ring.Store(ring)
}

// readFormat closes the gate when a version whose records this one would
// misread has come to the store: until this process ends nothing is let in.
func (s *state) readFormat(ctx context.Context, a *App) {
	value, err := s.store.Get(ctx, books.FormatKey())
	if err != nil {
		return // away, or ending; what was agreed at the start still holds
	}
	if err := books.Readable(value); err != nil && s.gate.Shut(err) {
		a.log.Error("the gate is closed", "error", err)
	}
}

func (s *state) keys() *seal.Ring { return s.ring.Load() }

// release gives the state back; the last one closes the store.
func (s *state) release() error {
	_, err := states.Delete(s.key)
	return err
}

// Destruct writes what was seen and closes the store.
func (s *state) Destruct() error {
	s.cancel()
	s.work.Wait()
	if err := s.store.Close(); err != nil {
		return fmt.Errorf("closing the store: %w", err)
	}
	return nil
}

// devicesInMemory bounds the ledger of device cookies' generations.
const devicesInMemory = 200_000

// newLedger keeps the newest generation of each device's cookie in its
// record. Marks are written one after the other, off the request.
func (s *state) newLedger() *fingerprint.Ledger {
	load := func(ctx context.Context, device string) (fingerprint.Mark, error) {
		d, err := s.books.Devices.Get(ctx, device)
		if errors.Is(err, store.ErrNotFound) {
			return fingerprint.Mark{}, nil
		}
		return fingerprint.Mark{Newest: d.Generation, Since: d.Rotated}, err
	}
	newer := func(device string, m fingerprint.Mark) {
		if m.Newest == 0 {
			return // the first generation is nobody's copy; a device costs a record when it comes back a day later
		}
		s.marks.put(device, m)
	}
	return fingerprint.NewLedger(devicesInMemory, load, newer)
}
