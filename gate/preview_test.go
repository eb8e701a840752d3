package gate_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

// pick is one of a list.
func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// crowd fills books with made-up people, what they did, and rules of all kinds
// about them; it returns the connections.
func crowd(t *testing.T, b *books.Books, r *rand.Rand, now time.Time) []books.Connection {
	t.Helper()
	put := func(writes []store.Write) {
		t.Helper()
		if err := b.Store.Apply(t.Context(), store.Batch{Writes: writes}); err != nil {
			t.Fatal(err)
		}
	}
	users := []string{"", "ab", "ab-c", "ab/c", "julie", "marc", "zoé roy", "%"}
	place := func() access.Place {
		p := access.Place{Address: netip.AddrFrom4([4]byte{203, 0, byte(r.IntN(3)), 7})}
		switch r.IntN(4) {
		case 0:
			p.City, p.Country = pick(r, "Laval", "Lyon"), "CA"
		case 1:
			p.Name, p.NameFor = "home", pick(r, "", "julie", "marc")
		case 2:
			p = access.Place{}
		}
		return p
	}
	browser := func() access.Browser { return access.Browser{Family: pick(r, "Chrome", "Safari", ""), Platform: "iOS"} }
	var all []books.Connection
	for i := range 60 {
		at := now.Add(-time.Duration(r.IntN(45*24)) * time.Hour).Truncate(time.Second)
		user := pick(r, users...)
		c := books.Connection{
			ID: books.NewConnectionID(at.Add(time.Duration(i)*time.Millisecond), user), User: user, Application: "register",
			First: at, Last: at, Count: 1, Adopted: r.IntN(6) == 0,
			Device: access.Device{ID: pick(r, "d1", "d2", "d3", ""), Kind: pick(r, access.Kinds...)}, Browser: browser(), Place: place(),
		}
		put(b.Connections.Put(c))
		all = append(all, c)
	}
	for i := range r.IntN(12) {
		rule := access.Rule{
			ID: fmt.Sprint("r", i), Effect: pick(r, access.Allow, access.Refuse), Application: pick(r, "register", ""), Created: now,
			User: pick(r, users...), Device: pick(r, "d1", "d2", ""), Until: pick(r, time.Time{}, now.Add(-time.Hour), now.Add(time.Hour)),
		}
		if rule.User == "" {
			rule.Group = pick(r, "", "staff")
		}
		if rule.Device == "" {
			rule.Kind = pick(r, "", access.Phone)
		}
		if r.IntN(2) == 0 {
			rule.Place = access.PlaceKey{Name: pick(r, "", "home"), Country: pick(r, "", "CA")}
		}
		if r.IntN(3) == 0 {
			rule.Browser = access.BrowserKey{Family: "Chrome"}
		}
		put(b.Rules.Put(rule))
	}
	for _, user := range users[1:] {
		u, mark := books.User{User: user, Name: user, Last: now.AddDate(0, 0, -r.IntN(90))}, map[string]books.Mark{"register": {At: now}}
		switch r.IntN(8) {
		case 0:
			u.Locked = mark
		case 1:
			u.FullAccess = mark
		case 2:
			u.Exempt = mark
		}
		put(b.Users.Put(u, books.User{}))
		if r.IntN(2) == 0 {
			put([]store.Write{b.Groups.Put("register", user, []string{"staff"})})
		}
	}
	return all
}

// X6: whom the preview names is whom the gate then stops, and no other.
func TestThePreviewAnswersAsTheGateDoesOnceThePadlockIsClosed(t *testing.T) {
	now := time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		b := books.New(memory.New())
		g := gate.New(b, gate.Options{Clock: func() time.Time { return now }, PerPerson: pick(r, 3, 500)})
		g.Configure(gate.Application{Name: "register", Policy: access.Policy{
			Device: pick(r, access.Answers...), Place: pick(r, access.Answers...), Browser: pick(r, "", access.LetIn), Combination: pick(r, "", access.LetIn),
		}, Exempts: func(user string, groups []string) bool {
			return user == "marc" && slices.Contains(groups, "staff")
		}})
		all := crowd(t, b, r, now)
		if seed%3 == 0 { // a later closing
			if _, err := b.Padlocks.Update(t.Context(), "register", func(p *books.Padlock) ([]store.Write, bool, error) {
				p.FirstClosed = now.AddDate(-1, 0, 0)
				return nil, true, nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		told := map[string]bool{}
		p, err := g.Preview(t.Context(), "register", func(s gate.Stopped) {
			for _, c := range s.Connections {
				told[c.ID] = true
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		done, err := g.Close(t.Context(), "register", gate.By{Who: "marie"})
		if err != nil {
			t.Fatal(err)
		}
		if done.Imported != p.Imported || done.Connections() != p.Connections() || len(told) != p.Connections() {
			t.Errorf("seed %d: foretold %d and %d (%d), done %d and %d", seed, p.Imported, p.Connections(), len(told), done.Imported, done.Connections())
		}
		x := g.Explainer()
		for _, c := range all {
			if !c.Last.After(now.AddDate(0, 0, -gate.ImportDays)) {
				continue
			}
			v, err := x.Explain(t.Context(), c.Visit(), gate.Circumstance{})
			if err != nil {
				t.Fatal(err)
			}
			if stops := v.Answer != access.LetIn; stops != told[c.ID] {
				t.Errorf("seed %d, %q, %+v: the preview stops it: %v; the gate: %s", seed, c.User, c.Visit(), told[c.ID], v.Reason())
			}
		}
	}
}

func TestAPreviewHoldsNoMoreThanItShows(t *testing.T) {
	now := time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)
	b := books.New(memory.New())
	g := gate.New(b, gate.Options{Clock: func() time.Time { return now }})
	g.Configure(gate.Application{Name: "register"})
	people, each := gate.PreviewPeople+50, gate.PreviewConnections+5
	for i := range people {
		user := fmt.Sprintf("user%03d", i)
		for n := range each {
			at := now.Add(-time.Duration(n) * time.Hour)
			c := books.Connection{ID: books.NewConnectionID(at, user), User: user, Application: "register", First: at, Last: at, Adopted: true}
			if err := b.Store.Apply(t.Context(), store.Batch{Writes: b.Connections.Put(c)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	p, err := g.Preview(t.Context(), "register")
	if err != nil {
		t.Fatal(err)
	}
	held := 0
	for _, s := range p.Stop {
		held += len(s.Connections)
	}
	if len(p.Stop) != people || p.Connections() != people*each || held != gate.PreviewPeople*gate.PreviewConnections {
		t.Errorf("%d people, %d connections, %d held", len(p.Stop), p.Connections(), held)
	}
}
