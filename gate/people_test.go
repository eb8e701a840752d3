package gate

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

// crowded is a gate with memory for few people, behind a closed padlock.
func crowded(t *testing.T, bytes int) *Gate {
	t.Helper()
	g := New(books.New(memory.New()), Options{Memory: bytes})
	closed := true
	g.Configure(Application{Name: "app", Pinned: &closed})
	return g
}

func comes(t *testing.T, g *Gate, user string, address byte) access.Answer {
	t.Helper()
	v, err := g.Check(t.Context(), access.Visit{
		User: user, Application: "app", Device: access.Device{ID: "device of " + user, Kind: access.Phone},
		Browser: access.Browser{Family: "Safari", Platform: "iOS"}, Place: access.Place{City: "Laval", Country: "CA", Address: netip.AddrFrom4([4]byte{198, 51, 100, address})},
	}, Circumstance{})
	if err != nil {
		t.Fatal(err)
	}
	return v.Answer
}

// inMemory counts who of some people is in memory.
func inMemory(g *Gate, name string, n int) (kept int) {
	g.people.known.CleanUp()
	g.people.strangers.CleanUp()
	for i := range n {
		if g.people.look(personKey{"app", fmt.Sprintf(name, i)}) != nil {
			kept++
		}
	}
	return kept
}

func TestThreat_L22_AFloodOfNewPeoplePushesNobodyOutWhoIsKnown(t *testing.T) {
	const known = 300
	g := crowded(t, 2*known*newcomer)
	var writes []store.Write
	for i := range known {
		r := access.Rule{ID: "r", Application: "app", User: fmt.Sprintf("known-%d", i), Effect: access.Allow}
		writes = append(writes, g.books.Rules.Put(r)...)
	}
	if err := g.books.Store.Apply(t.Context(), store.Batch{Writes: writes}); err != nil {
		t.Fatal(err)
	}
	for i := range known {
		if got := comes(t, g, fmt.Sprintf("known-%d", i), 1); got != access.LetIn {
			t.Fatalf("somebody known gets %s", got)
		}
	}
	for i := range 50 * known {
		if got := comes(t, g, fmt.Sprintf("stranger-%d", i%(20*known)), 1); got == access.LetIn {
			t.Fatal("a stranger is let in")
		}
		if i%1000 == 0 {
			if err := g.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if kept := inMemory(g, "known-%d", known); kept != known {
		t.Errorf("after a flood of strangers %d of %d known people are in memory", kept, known)
	}
	if strangers := inMemory(g, "stranger-%d", 20*known); strangers == 0 || strangers > known {
		t.Errorf("%d strangers are in memory", strangers)
	}
}

func TestWithThePadlockOpenWhoCameBeforeIsPushedOutByNobodyNew(t *testing.T) {
	const known = 300
	g := crowded(t, 2*known*newcomer)
	open := false
	g.Configure(Application{Name: "app", Pinned: &open})
	for range 2 { // they come, and come again another day
		for i := range known {
			comes(t, g, fmt.Sprintf("known-%d", i), 1)
		}
		if err := g.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		g.people.strangers.InvalidateAll()
	}
	for i := range 20 * known {
		comes(t, g, fmt.Sprintf("new-%d", i), 1)
	}
	if kept := inMemory(g, "known-%d", known); kept != known {
		t.Errorf("after %d new people %d of %d who came before are in memory", 20*known, kept, known)
	}
}

func TestAPromotionBringsNobodyBackWhoWasForgotten(t *testing.T) {
	g := crowded(t, 0)
	key := personKey{"app", "marie"}
	for name, leave := range map[string]func(p *person){
		"before":        func(p *person) { g.people.drop(key); g.people.promote(p) },
		"after":         func(p *person) { g.people.promote(p); g.people.drop(key) },
		"with all":      func(p *person) { g.people.promote(p); g.people.dropAll() },
		"crowded out":   func(p *person) { g.people.strangers.Invalidate(key); g.people.promote(p) },
		"never was one": func(*person) { g.people.promote(&person{key: key}); g.people.drop(key) },
	} {
		p := g.people.get(key)
		leave(p)
		if g.people.look(key) != nil || !p.gone.Load() {
			t.Errorf("forgotten %s: in memory %t, gone %t", name, g.people.look(key) != nil, p.gone.Load())
		}
	}
	p := g.people.get(key)
	g.people.promote(p)
	if p.gone.Load() || g.people.look(key) != p || g.people.get(key) != p {
		t.Error("who was promoted is not in memory")
	}
	if _, twice := g.people.strangers.GetEntryQuietly(key); twice {
		t.Error("who was promoted is among the strangers too")
	}
}

func TestThreat_L22_PeopleInMemoryAreBoundedInBytes(t *testing.T) {
	const bytes = 1 << 20
	g := crowded(t, bytes)
	total := func() (sum uint64) {
		g.people.known.CleanUp()
		g.people.strangers.CleanUp()
		for _, p := range g.people.all() {
			sum += uint64(p.bytes())
		}
		return sum
	}
	for i := range 3000 {
		comes(t, g, fmt.Sprintf("person-%d", i), 1)
	}
	if sum := total(); sum > bytes/strangersShare*11/10 || sum < bytes/strangersShare/2 {
		t.Errorf("3,000 strangers take %d bytes of %d", sum, bytes)
	}
	if err := g.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Few people who have much: each comes from many addresses, and has many
	// rules.
	const heavy = 60
	for i := range heavy {
		user := fmt.Sprintf("person-%d", i)
		var writes []store.Write
		for n := range 40 {
			r := access.Rule{ID: fmt.Sprint(n), Application: "app", User: user, Effect: access.Allow, Until: time.Now().Add(time.Hour)}
			writes = append(writes, g.books.Rules.Put(r)...)
		}
		if err := g.books.Store.Apply(t.Context(), store.Batch{Writes: writes}); err != nil {
			t.Fatal(err)
		}
		g.Forget("app", user)
		for a := range 40 {
			comes(t, g, user, byte(a))
		}
	}
	if sum := total(); sum > bytes*11/10 || sum < bytes/4 {
		t.Errorf("%d people who have much take %d bytes of %d", heavy, sum, bytes)
	}
	if n := inMemory(g, "person-%d", heavy); n == 0 || n == heavy {
		t.Errorf("%d of %d people who have much are in memory", n, heavy)
	}
}

func TestAPersonWithManyVerdictsFindsEach(t *testing.T) {
	g := crowded(t, 0)
	for range 2 {
		for a := range entriesPerPerson {
			comes(t, g, "marie", byte(a))
		}
		p := g.people.look(personKey{"app", "marie"})
		if n := len(p.entries.Load().list); n != entriesPerPerson {
			t.Fatalf("%d verdicts are remembered of %d", n, entriesPerPerson)
		}
	}
	p := g.people.look(personKey{"app", "marie"})
	before := p.entries.Load()
	comes(t, g, "marie", 7)
	if p.entries.Load() != before {
		t.Error("a verdict that is remembered was made anew")
	}
	comes(t, g, "marie", entriesPerPerson)
	if n := len(p.entries.Load().list); n != 1 {
		t.Errorf("one more than is kept: %d are remembered", n)
	}
}

// Somebody may be crowded out of memory while a request of theirs goes on.
func TestThreat_L20_ARuleThatEndsCutsWhoIsNoLongerInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := crowded(t, 0)
		rule := access.Rule{ID: "r", Application: "app", User: "marie", Effect: access.Allow, Until: time.Now().Add(time.Minute)}
		if err := g.books.Store.Apply(t.Context(), store.Batch{Writes: g.books.Rules.Put(rule)}); err != nil {
			t.Fatal(err)
		}
		if got := comes(t, g, "marie", 1); got != access.LetIn {
			t.Fatalf("marie gets %s", got)
		}
		ctx, socket := g.Watch(t.Context(), "app", "marie", "", func(context.Context) bool { return comes(t, g, "marie", 1) == access.LetIn })
		defer socket.Close()
		g.Forget("app", "marie")
		time.Sleep(59 * time.Second)
		g.recheckEnding(t.Context())
		if ctx.Err() != nil {
			t.Fatal("cut too early")
		}
		time.Sleep(2 * time.Second)
		g.recheckEnding(t.Context())
		if ctx.Err() == nil {
			t.Error("the request outlives its rule")
		}
	})
}
