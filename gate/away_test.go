package gate

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

// distant is a store whose server can be gone: then it answers nothing.
type distant struct {
	*memory.Store
	gone  bool
	heard time.Time
}

var errGone = errors.New("connection refused")

func (d *distant) Heard() time.Time {
	if !d.gone {
		d.heard = time.Now()
	}
	return d.heard
}

func (d *distant) Get(ctx context.Context, key string) ([]byte, error) {
	if d.gone {
		return nil, errGone
	}
	return d.Store.Get(ctx, key)
}

func (d *distant) Range(ctx context.Context, q store.Query) ([]store.Entry, error) {
	if d.gone {
		return nil, errGone
	}
	return d.Store.Range(ctx, q)
}

func TestKnownConnectionsGoOnWithoutTheStoreForASetTime(t *testing.T) {
	for name, test := range map[string]struct {
		away          time.Duration
		inside, after time.Duration
	}{
		"a minute":                         {time.Minute, 59 * time.Second, 61 * time.Second},
		"nothing closes at the next word":  {0, time.Second, 3 * time.Second},
		"an hour is an hour, not a minute": {time.Hour, 59 * time.Minute, 61 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				far := &distant{Store: memory.New()}
				defer far.Close() //nolint:errcheck // memory
				b := books.New(far)
				g := New(b, Options{Away: test.away})
				open := false
				g.Configure(Application{Name: "app", Pinned: &open})
				known := access.Visit{User: "marie", Application: "app", Device: access.Device{ID: "d1"}}
				check := func(v access.Visit) error {
					got, err := g.Check(t.Context(), v, Circumstance{})
					if err == nil && got.Answer != access.LetIn {
						return errors.New("answer " + string(got.Answer))
					}
					if err != nil && got.Answer == access.LetIn {
						t.Errorf("an error came with an allowance: %v", err)
					}
					return err
				}
				if err := check(known); err != nil {
					t.Fatal(err)
				}
				withdrawn, socket := g.Watch(t.Context(), "app", "marie", "", func(ctx context.Context) bool {
					_, err := g.Explain(ctx, known, Circumstance{})
					return err == nil
				})
				defer socket.Close()
				far.Heard()
				far.gone = true
				time.Sleep(test.inside)
				if err := check(known); err != nil {
					t.Errorf("after %s: %v", test.inside, err)
				}
				if err := check(access.Visit{User: "stranger", Application: "app"}); !errors.Is(err, errGone) {
					t.Errorf("a stranger got %v", err)
				}
				g.lookAway(t.Context())
				if withdrawn.Err() != nil {
					t.Error("a request under way was cut too early")
				}
				time.Sleep(test.after - test.inside)
				if err := check(known); !errors.Is(err, ErrAway) {
					t.Errorf("after %s: %v", test.after, err)
				}
				if _, err := g.Closed(t.Context(), "app"); !errors.Is(err, ErrAway) {
					t.Errorf("a pinned padlock: %v", err)
				}
				g.lookAway(t.Context())
				if !errors.Is(context.Cause(withdrawn), ErrWithdrawn) {
					t.Error("a request under way goes on although no revocation reaches it")
				}
				if _, closed := g.Away(); !closed && test.after > silent {
					t.Error("Away does not say that the gate is closed")
				}
				epoch := g.all.Load()
				far.gone = false
				if err := check(known); err != nil {
					t.Errorf("healed: %v", err)
				}
				if g.all.Load() == epoch {
					t.Error("what was in memory from before is still believed")
				}
			})
		})
	}
}

// Whoever knows a person's password can wait in their name, and is judged anew
// at each write: that must not take the person out of memory.
func TestSomebodyWhoWaitsDoesNotMakeTheKnownDependOnTheStore(t *testing.T) {
	far := &distant{Store: memory.New()}
	defer far.Close() //nolint:errcheck // memory
	b := books.New(far)
	g := New(b, Options{Away: time.Minute})
	closed := true
	g.Configure(Application{Name: "app", Pinned: &closed})
	rule := access.Rule{ID: "r1", Application: "app", User: "marie", Device: "d1", Effect: access.Allow}
	if err := far.Apply(t.Context(), store.Batch{Writes: b.Rules.Put(rule)}); err != nil {
		t.Fatal(err)
	}
	known := access.Visit{User: "marie", Application: "app", Device: access.Device{ID: "d1"}}
	waits := access.Visit{User: "marie", Application: "app", Device: access.Device{ID: "d2"}}
	if got, err := g.Check(t.Context(), known, Circumstance{}); err != nil || got.Answer != access.LetIn {
		t.Fatalf("the known device: %s %v", got.Answer, err)
	}
	if got, err := g.Anew(t.Context(), waits); err != nil || got.Answer == access.LetIn {
		t.Fatalf("the other device: %s %v", got.Answer, err)
	}
	far.Heard()
	far.gone = true
	if got, err := g.Anew(t.Context(), waits); !errors.Is(err, errGone) || got.Answer == access.LetIn {
		t.Errorf("the other device, without the store: %s %v", got.Answer, err)
	}
	if got, err := g.Check(t.Context(), known, Circumstance{}); err != nil || got.Answer != access.LetIn {
		t.Errorf("the known device, without the store: %s %v", got.Answer, err)
	}
}

func TestAGateThatIsShutLetsNobodyInAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &distant{Store: memory.New()}
		defer far.Close() //nolint:errcheck // memory
		g := New(books.New(far), Options{Away: time.Minute})
		open := false
		g.Configure(Application{Name: "app", Pinned: &open})
		known := access.Visit{User: "marie", Application: "app", Device: access.Device{ID: "d1"}}
		if _, err := g.Check(t.Context(), known, Circumstance{}); err != nil {
			t.Fatal(err)
		}
		ctx, socket := g.Watch(t.Context(), "app", "marie", "", func(ctx context.Context) bool {
			_, err := g.Explain(ctx, known, Circumstance{})
			return err == nil
		})
		defer socket.Close()
		why := errors.New("written by a newer version")
		if !g.Shut(why) || g.Shut(why) {
			t.Error("it is shut once")
		}
		if !errors.Is(context.Cause(ctx), ErrWithdrawn) {
			t.Error("a request under way goes on")
		}
		g.SetAway(time.Hour) // a reload
		for range 3 {
			if _, err := g.Check(t.Context(), known, Circumstance{}); !errors.Is(err, why) {
				t.Errorf("got %v", err)
			}
			time.Sleep(time.Minute)
		}
		if _, err := g.Closed(t.Context(), "app"); !errors.Is(err, why) {
			t.Errorf("the padlock: %v", err)
		}
	})
}
