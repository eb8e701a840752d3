package gate_test

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

var marie = gate.By{Who: "marie@example.com", From: "192.0.2.1", Via: "console"}

// counting counts what is read from a store, and fails when told to.
type counting struct {
	store.Store
	reads atomic.Int64
	fail  atomic.Bool
}

var errAway = errors.New("the store is away")

func (c *counting) Get(ctx context.Context, key string) ([]byte, error) {
	c.reads.Add(1)
	if c.fail.Load() {
		return nil, errAway
	}
	return c.Store.Get(ctx, key)
}

func (c *counting) Range(ctx context.Context, q store.Query) ([]store.Entry, error) {
	c.reads.Add(1)
	if c.fail.Load() {
		return nil, errAway
	}
	return c.Store.Range(ctx, q)
}

func (c *counting) Apply(ctx context.Context, b store.Batch) error {
	if c.fail.Load() {
		return errAway
	}
	return c.Store.Apply(ctx, b)
}

type house struct {
	*gate.Gate
	b  *books.Books
	st *counting
}

// open makes a gate that runs until the test ends, in the test's bubble.
func open(t *testing.T, apps ...gate.Application) *house {
	t.Helper()
	st := &counting{Store: memory.New()}
	b := books.New(st)
	g := gate.New(b, gate.Options{})
	for _, a := range apps {
		g.Configure(a)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	synctest.Wait()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &house{g, b, st}
}

func (h *house) check(t *testing.T, v access.Visit) access.Verdict {
	t.Helper()
	got, err := h.Check(t.Context(), v, gate.Circumstance{})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func julie(change ...func(*access.Visit)) access.Visit {
	v := access.Visit{
		User: "julie", Application: "register",
		Device:  access.Device{ID: "tablet-1", Kind: access.Tablet},
		Browser: access.Browser{Family: "Chrome", Platform: "Android"},
		Place:   access.Place{Name: "Laval centre", Address: netip.MustParseAddr("203.0.113.9")},
	}
	for _, c := range change {
		c(&v)
	}
	return v
}

func fromHome(v *access.Visit) {
	v.Place = access.Place{City: "Laval", Country: "CA", Owner: "Bell", Address: netip.MustParseAddr("198.51.100.7")}
}

func TestAKnownConnectionReadsNoStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, gate.Application{Name: "register"})
		h.check(t, julie())
		before := h.st.reads.Load()
		for range 100 {
			h.check(t, julie())
		}
		if read := h.st.reads.Load() - before; read != 0 {
			t.Errorf("a hundred checks of a known connection read the store %d times", read)
		}
	})
}

func TestFirstClosingLetsInWhoCameIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, gate.Application{Name: "register"})
		if v := h.check(t, julie()); v.Answer != access.LetIn || v.Step != access.StepPadlock || v.Shadow.Answer != access.Approval {
			t.Fatalf("open padlock: %+v", v)
		}
		_, err := h.Check(t.Context(), julie(func(v *access.Visit) { v.User = "ghost" }), gate.Circumstance{Adopted: true})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second) // of the bubble: the recorder writes each second
		synctest.Wait()

		p, err := h.Preview(t.Context(), "register")
		if err != nil {
			t.Fatal(err)
		}
		if !p.First || p.Imported != 1 {
			t.Errorf("first closing would import %d", p.Imported)
		}
		if len(p.Stop) != 1 || p.Stop[0].User != "ghost" || p.Connections() != 1 || p.Adopted != 1 {
			t.Errorf("would stop %v", p.Stop)
		}
		if _, err := h.Close(t.Context(), "register", marie); err != nil {
			t.Fatal(err)
		}
		if v := h.check(t, julie()); v.Answer != access.LetIn || v.Step != access.StepRule || v.Rule.Author != "import" {
			t.Errorf("imported connection: %+v", v)
		}
		if v := h.check(t, julie(fromHome)); v.Answer != access.Approval || len(v.New) != 1 || v.New[0] != access.PartPlace {
			t.Errorf("a new place: %+v", v)
		}
		if v := h.check(t, julie(func(v *access.Visit) { v.User = "ghost" })); v.Answer != access.Approval {
			t.Errorf("an adopted session was imported: %+v", v)
		}

		if err := h.OpenPadlock(t.Context(), "register", marie); err != nil {
			t.Fatal(err)
		}
		h.check(t, julie(fromHome))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if p, err = h.Close(t.Context(), "register", marie); err != nil || p.First || p.Imported != 0 {
			t.Errorf("a later closing imports nothing: %v %+v", err, p)
		}
		if v := h.check(t, julie(fromHome)); v.Answer != access.Approval {
			t.Errorf("seen while open, after the first closing: %+v", v)
		}
	})
}

func TestTheImportMakesNoRuleThatReachesFurther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, gate.Application{Name: "register"})
		nowhere := julie(func(v *access.Visit) { v.Place = access.Place{} })
		bare := julie(func(v *access.Visit) { v.User, v.Device.ID = "script", "" })
		h.check(t, nowhere)
		h.check(t, bare)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		p, err := h.Close(t.Context(), "register", marie)
		if err != nil || p.Imported != 0 || p.Connections() != 2 {
			t.Fatalf("%v: imports %d, stops %d", err, p.Imported, p.Connections())
		}
		for _, v := range []access.Visit{nowhere, bare, julie(), julie(fromHome)} {
			if got := h.check(t, v); got.Answer != access.Approval {
				t.Errorf("%+v: %s", v, got.Answer)
			}
		}
	})
}

func TestClosingCanLetSomeInFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, gate.Application{Name: "register"})
		if _, err := h.Close(t.Context(), "register", marie); err != nil {
			t.Fatal(err)
		}
		if err := h.OpenPadlock(t.Context(), "register", marie); err != nil {
			t.Fatal(err)
		}
		h.check(t, julie())
		time.Sleep(2 * time.Second)
		synctest.Wait()
		p, err := h.Preview(t.Context(), "register")
		if err != nil || len(p.Stop) != 1 {
			t.Fatalf("%v %+v", err, p)
		}
		if _, err := h.Close(t.Context(), "register", marie, p.Stop[0].Connections[0].ID); err != nil {
			t.Fatal(err)
		}
		if v := h.check(t, julie()); v.Answer != access.LetIn {
			t.Errorf("let in first: %+v", v)
		}
	})
}

func TestThreat_L20_RevocationCutsOpenSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := true
		h := open(t, gate.Application{Name: "register", Pinned: &closed})
		rule := access.Rule{ID: "r1", User: "julie", Application: "register", Effect: access.Allow, Author: "marie", Created: time.Now()}
		put(t, h.b, h.b.Rules.Put(rule)...)
		synctest.Wait()
		if v := h.check(t, julie()); v.Answer != access.LetIn {
			t.Fatalf("%+v", v)
		}
		ctx, socket := h.Watch(t.Context(), "register", "julie", "", func(ctx context.Context) bool {
			v, err := h.Explain(ctx, julie(), gate.Circumstance{})
			return err == nil && v.Answer == access.LetIn
		})
		defer socket.Close()
		other, otherSocket := h.Watch(t.Context(), "register", "samuel", "", func(context.Context) bool { return true })
		defer otherSocket.Close()

		put(t, h.b, h.b.Rules.Delete(rule)...)
		synctest.Wait()
		if !errors.Is(context.Cause(ctx), gate.ErrWithdrawn) {
			t.Errorf("the socket goes on: %v", context.Cause(ctx))
		}
		if other.Err() != nil {
			t.Error("somebody else's socket was cut")
		}
		if v := h.check(t, julie()); v.Answer != access.Approval {
			t.Errorf("after the revocation: %+v", v)
		}
	})
}

func TestARuleThatEndsByTheClockCutsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := true
		h := open(t, gate.Application{Name: "register", Pinned: &closed})
		put(t, h.b, h.b.Rules.Put(access.Rule{
			ID: "r1", User: "julie", Application: "register", Effect: access.Allow, Author: "marie", Until: time.Now().Add(time.Minute),
		})...)
		synctest.Wait()
		h.check(t, julie())
		ctx, socket := h.Watch(t.Context(), "register", "julie", "", func(ctx context.Context) bool {
			v, err := h.Explain(ctx, julie(), gate.Circumstance{})
			return err == nil && v.Answer == access.LetIn
		})
		defer socket.Close()
		time.Sleep(59 * time.Second)
		if ctx.Err() != nil {
			t.Fatal("cut too early")
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if ctx.Err() == nil {
			t.Error("the socket outlives its rule")
		}
		if v := h.check(t, julie()); v.Answer == access.LetIn {
			t.Errorf("the rule outlives its end: %+v", v)
		}
	})
}

func TestThreat_L4_AStoreThatIsAwayLetsNobodyUnknownIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, gate.Application{Name: "register"})
		h.check(t, julie())
		h.st.fail.Store(true)
		stranger := julie(func(v *access.Visit) { v.User = "stranger" })
		v, err := h.Check(t.Context(), stranger, gate.Circumstance{})
		if err == nil || v.Answer == access.LetIn {
			t.Errorf("stranger with the store away: %v, %v", v.Answer, err)
		}
		if v := h.check(t, julie()); v.Answer != access.LetIn {
			t.Errorf("a known connection goes on from memory: %v", v.Answer)
		}
		time.Sleep(3 * time.Second)
		h.st.fail.Store(false)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		list, err := h.b.Connections.Of(t.Context(), "register", "julie", 10)
		if err != nil || len(list) != 1 {
			t.Errorf("what was seen meanwhile was lost: %v %v", list, err)
		}
	})
}

func TestOneConnectionIsRecordedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, gate.Application{Name: "register"})
		for i := range 50 {
			h.check(t, julie(func(v *access.Visit) {
				v.Place.Address = netip.AddrFrom4([4]byte{203, 0, 113, byte(i)})
			}))
			time.Sleep(10 * time.Second)
		}
		time.Sleep(10 * time.Minute)
		h.check(t, julie())
		time.Sleep(2 * time.Second)
		synctest.Wait()
		list, err := h.b.Connections.Of(t.Context(), "register", "julie", 100)
		if err != nil || len(list) != 1 {
			t.Fatalf("one place by name, one device, one browser: %d connections, %v", len(list), err)
		}
		if c := list[0]; time.Since(c.Last) > time.Minute || c.First.Equal(c.Last) {
			t.Errorf("seen from %v to %v", c.First, c.Last)
		}
	})
}

func TestThreat_L22_AFloodOfBrowsersStaysBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &counting{Store: memory.New()}
		b := books.New(st)
		g := gate.New(b, gate.Options{PerPerson: 20})
		closed := true
		g.Configure(gate.Application{Name: "register", Pinned: &closed})
		put(t, b, b.Rules.Put(access.Rule{
			ID: "r", User: "julie", Application: "register", Device: "tablet-1", Browser: access.BrowserKey{Family: "Chrome"}, Effect: access.Allow, Author: "marie",
		})...)
		if _, err := g.Check(t.Context(), julie(), gate.Circumstance{}); err != nil {
			t.Fatal(err)
		}
		for i := range 1000 {
			v := julie(func(v *access.Visit) { v.Browser.Family = "Browser " + strconv.Itoa(i) })
			if _, err := g.Check(t.Context(), v, gate.Circumstance{}); err != nil {
				t.Fatal(err)
			}
			if err := g.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		list, err := b.Connections.Of(t.Context(), "register", "julie", 2000)
		if err != nil || len(list) > 21 {
			t.Errorf("%d connections of one person are kept, %v", len(list), err)
		}
		kept := false
		for _, c := range list {
			kept = kept || c.Browser.Family == "Chrome"
		}
		if !kept {
			t.Error("the connection that was let in made room for those that were not")
		}
	})
}

func TestAPinnedPadlockIsNotTurned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shut := false
		h := open(t, gate.Application{Name: "register", Pinned: &shut})
		if _, err := h.Close(t.Context(), "register", marie); !errors.Is(err, gate.ErrPinned) {
			t.Errorf("close: %v", err)
		}
		if err := h.OpenPadlock(t.Context(), "register", marie); !errors.Is(err, gate.ErrPinned) {
			t.Errorf("open: %v", err)
		}
	})
}

func TestAPadlockThatCannotBeClosedSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("the login's success cannot be told from its failure yet")
		h := open(t, gate.Application{Name: "register", CanClose: func() error { return why }})
		if _, err := h.Close(t.Context(), "register", marie); !errors.Is(err, why) {
			t.Errorf("close: %v", err)
		}
		if closed, err := h.Closed(t.Context(), "register"); closed || err != nil {
			t.Errorf("closed %v, %v", closed, err)
		}
	})
}

func BenchmarkCheckKnown(b *testing.B) {
	bk := books.New(memory.New())
	g := gate.New(bk, gate.Options{})
	closed := true
	g.Configure(gate.Application{Name: "register", Pinned: &closed})
	if err := bk.Store.Apply(b.Context(), store.Batch{Writes: bk.Rules.Put(access.Rule{
		ID: "r", User: "julie", Application: "register", Effect: access.Allow, Author: "marie",
	})}); err != nil {
		b.Fatal(err)
	}
	v := julie()
	b.ReportAllocs()
	for b.Loop() {
		if got, err := g.Check(b.Context(), v, gate.Circumstance{}); err != nil || got.Answer != access.LetIn {
			b.Fatal(got, err)
		}
	}
}

func BenchmarkWatchSocket(b *testing.B) {
	g := gate.New(books.New(memory.New()), gate.Options{})
	still := func(context.Context) bool { return true }
	b.ReportAllocs()
	for b.Loop() {
		_, s := g.Watch(b.Context(), "register", "julie", "", still)
		s.Close()
	}
}
