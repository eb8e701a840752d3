package gate_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

func recorded(t *testing.T, b *books.Books, id string, change func(*books.Connection)) books.Connection {
	t.Helper()
	now := time.Now()
	c := books.Connection{
		User: "julie", Application: "register", First: now, Last: now, Count: 1,
		Device:  access.Device{ID: "dev-" + id, Kind: access.Tablet},
		Browser: access.Browser{Family: "Chrome", Platform: "Android"},
		Place:   access.Place{Name: "Laval centre", Address: netip.MustParseAddr("203.0.113.9")},
	}
	if change != nil {
		change(&c)
	}
	c.ID = books.NewConnectionID(now, c.User)
	put(t, b, b.Connections.Put(c)...)
	return c
}

func TestMovingOneConnection(t *testing.T) {
	ctx := context.Background()
	by := gate.By{Who: "marie@example.com", Via: "console"}
	b := books.New(memory.New())
	g := gate.New(b, gate.Options{})
	closed := true
	g.Configure(gate.Application{Name: "register", Pinned: &closed})
	c := recorded(t, b, "one", nil)
	judge := func() access.Answer {
		v, err := g.Explain(ctx, c.Visit(), gate.Circumstance{})
		if err != nil {
			t.Fatal(err)
		}
		return v.Answer
	}

	if got := judge(); got != access.Approval {
		t.Fatalf("before: %s", got)
	}
	in, err := g.Authorise(ctx, c, by)
	if err != nil || judge() != access.LetIn {
		t.Fatalf("authorised: %v, %s", err, judge())
	}
	if _, err := g.Authorise(ctx, c, by); err != nil || judge() != access.LetIn {
		t.Fatalf("authorised twice: %v, %s", err, judge())
	}
	if _, err := g.Withdraw(ctx, c, by); err != nil || judge() != access.Approval {
		t.Fatalf("withdrawn waits again: %v, %s", err, judge())
	}
	if err := g.TakeBack(ctx, gate.Move{Application: "register", Connection: c.ID, Ended: in.Made}, "julie", by); err != nil || judge() != access.LetIn {
		t.Fatalf("taken back: %v, %s", err, judge())
	}

	broad := access.Rule{ID: "broad", User: "julie", Application: "register", Device: c.Device.ID, Effect: access.Allow, Author: "marie@example.com"}
	put(t, b, b.Rules.Put(broad)...)
	g.Configure(gate.Application{Name: "register", Pinned: &closed})
	m, err := g.Withdraw(ctx, c, by)
	if err != nil || judge() != access.Deny {
		t.Fatalf("withdrawn under a broader rule is refused: %v, %s", err, judge())
	}
	if err := g.TakeBack(ctx, m, "julie", by); err != nil || judge() != access.LetIn {
		t.Fatalf("taken back under a broader rule: %v, %s", err, judge())
	}
	entries, err := b.Audit.Newest(ctx, "register", "", 50)
	if err != nil || len(entries) != 6 || entries[0].Who != "marie@example.com" {
		t.Fatalf("each move is in the audit with its author: %d, %v", len(entries), err)
	}
}

func TestMovesThatCannotBeMade(t *testing.T) {
	ctx := context.Background()
	by := gate.By{Who: "marie@example.com"}
	for _, c := range []struct {
		name   string
		change func(*books.Connection)
		treat  gate.Treatment
		want   error
	}{
		{"a connection without device would open to any device", func(c *books.Connection) { c.Device.ID = "" }, "", gate.ErrInexact},
		{"a connection from an unknown place would open to any place", func(c *books.Connection) { c.Place = access.Place{} }, "", gate.ErrInexact},
		{"a connection without browser would open to any browser", func(c *books.Connection) { c.Browser = access.Browser{} }, "", gate.ErrInexact},
		{"a locked user stays out", nil, gate.TreatLocked, gate.ErrLocked},
	} {
		b := books.New(memory.New())
		g := gate.New(b, gate.Options{})
		g.Configure(gate.Application{Name: "register"})
		conn := recorded(t, b, "one", c.change)
		if c.treat != "" {
			if _, err := g.Treat(ctx, "julie", "", c.treat, "", by); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := g.Authorise(ctx, conn, by); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

func TestTreatingAUser(t *testing.T) {
	ctx := context.Background()
	by := gate.By{Who: "marie@example.com"}
	b := books.New(memory.New())
	g := gate.New(b, gate.Options{})
	closed := true
	g.Configure(gate.Application{Name: "register", Pinned: &closed})
	c := recorded(t, b, "one", nil)
	for _, step := range []struct {
		scope string
		t     gate.Treatment
		want  access.Answer
	}{
		{"", gate.TreatFullAccess, access.LetIn},
		{"", gate.TreatLocked, access.Deny},
		{"", gate.TreatByRules, access.Approval},
		{"register", gate.TreatLocked, access.Deny},
		{"other", gate.TreatFullAccess, access.Deny},
		{"register", gate.TreatByRules, access.Approval},
		{"register", gate.TreatFullAccess, access.LetIn},
	} {
		u, err := g.Treat(ctx, "julie", step.scope, step.t, "", by)
		if err != nil {
			t.Fatal(err)
		}
		v, err := g.Explain(ctx, c.Visit(), gate.Circumstance{})
		if err != nil || v.Answer != step.want {
			t.Errorf("%s in %q: %s, %v", step.t, step.scope, v.Answer, err)
		}
		if got, _ := gate.Treats(u, step.scope); got != step.t {
			t.Errorf("%s in %q reads back as %s", step.t, step.scope, got)
		}
	}
	if _, err := g.Withdraw(ctx, c, by); !errors.Is(err, gate.ErrAlwaysIn) {
		t.Errorf("withdrawing under full access: %v", err)
	}
	if _, err := g.Treat(ctx, "julie", "", "sacked", "", by); err == nil {
		t.Error("a word that is no treatment is taken")
	}
}

func put(t *testing.T, b *books.Books, writes ...store.Write) {
	t.Helper()
	if err := b.Store.Apply(context.Background(), store.Batch{Writes: writes}); err != nil {
		t.Fatal(err)
	}
}
