package adminui_test

import (
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
)

// waits opens the request of one of the recorded connections.
func (h *house) waits(c books.Connection, change func(*approvals.Ask)) approvals.AccessRequest {
	h.t.Helper()
	a := approvals.Ask{
		Application: c.Application, Person: access.Person{User: c.User, Source: "login"}, Device: c.Device, Browser: c.Browser, Place: c.Place,
		New: []access.Part{access.PartDevice}, Asked: access.Approval, Language: "fr",
	}
	if change != nil {
		change(&a)
	}
	ask, _, err := h.asks.Open(h.t.Context(), a)
	if err != nil {
		h.t.Fatal(err)
	}
	return ask
}

func (h *house) settled(ask approvals.AccessRequest) approvals.AccessRequest {
	h.t.Helper()
	if _, err := h.asks.Settle(h.t.Context(), ask.Application); err != nil {
		h.t.Fatal(err)
	}
	now, err := h.asks.Get(h.t.Context(), ask.Application, ask.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	return now
}

func TestWhateverLetsSomebodyInAnswersTheirRequest(t *testing.T) {
	for _, c := range []struct {
		name string
		ask  func(*approvals.Ask)
		do   func(h *house, b *browser, c books.Connection)
		want approvals.State
		by   string
	}{
		{"an arrow in the columns", nil, func(_ *house, b *browser, c books.Connection) {
			b.post("/columns/move", "app", "register", "move", "in", "out", c.ID)
		}, approvals.Approved, fixture.Marie.Email},
		{"the undo of a withdrawal", nil, func(h *house, b *browser, c books.Connection) {
			b.post("/columns/move", "app", "register", "move", "in", "out", c.ID)
			h.pass(time.Second)
			a := b.post("/columns/move", "app", "register", "move", "out", "in", c.ID)
			b.post("/columns/undo", "app", "register", "undo", a.Header.Get("Location")[len("/columns?app=register&moved="):])
		}, approvals.Approved, fixture.Marie.Email},
		{"full access", nil, func(_ *house, b *browser, _ books.Connection) {
			b.post("/people/julie/treat", "treatment", "full-access")
		}, approvals.Approved, "system"},
		{"a rule about a place", nil, func(_ *house, b *browser, _ books.Connection) {
			b.post("/rules/new", "effect", "allow", "application", "register", "place", "name", "place-text", "Office", "step", "make")
		}, approvals.Approved, fixture.Marie.Email},
		{"an open padlock", nil, func(_ *house, b *browser, _ books.Connection) { b.post("/padlock/register/open") }, approvals.Approved, "system"},
		{"a rule about somebody else", nil, func(_ *house, b *browser, _ books.Connection) {
			b.post("/rules/new", "effect", "allow", "whose", "user", "user", "fatou", "application", "register", "step", "make")
		}, approvals.Waiting, ""},
		{"nothing, for who is to type a Biopass", func(a *approvals.Ask) { a.Asked = access.Biopass }, func(_ *house, b *browser, _ books.Connection) {
			b.post("/people/julie/treat", "treatment", "full-access")
		}, approvals.Waiting, ""},
		{"nothing, for a known connection whose typing failed", func(a *approvals.Ask) { a.New = nil }, func(_ *house, b *browser, _ books.Connection) {
			b.post("/people/julie/treat", "treatment", "full-access")
		}, approvals.Waiting, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := build(t, fixture.Marie)
			h.close("register")
			julie := h.connection("one", nil)
			ask := h.waits(julie, c.ask)
			if now := h.settled(ask); now.State != approvals.Waiting {
				t.Fatalf("before anything was done: %s", now.State)
			}
			b := h.signIn(fixture.Marie.Email)
			c.do(h, b, julie)
			if now := h.settled(ask); now.State != c.want || now.Decision.By != c.by {
				t.Errorf("the request: %s by %q", now.State, now.Decision.By)
			}
		})
	}
}

func TestThreat_L24_TheAuditNamesWhoseRuleLetSomebodyIn(t *testing.T) {
	h := build(t, fixture.Marie)
	h.close("register")
	julie := h.connection("one", nil)
	ask := h.waits(julie, nil)
	if _, err := h.gate.Authorise(t.Context(), julie, gate.By{Who: fixture.Marie.Email}); err != nil {
		t.Fatal(err)
	}
	h.pass(time.Second)
	h.settled(ask)
	if e := h.lastAudit("register"); e.What != "approve" || e.Who != fixture.Marie.Email || e.Detail["because"] != "rule" {
		t.Errorf("the audit: %+v", e)
	}
}

func TestTheRequestsOfWhoIsRemovedEnd(t *testing.T) {
	h := build(t, fixture.Marie)
	h.close("register")
	ask := h.waits(h.connection("one", nil), nil)
	other := h.waits(h.connection("two", func(c *books.Connection) { c.User = "fatou" }), nil)
	b := h.signIn(fixture.Marie.Email)
	b.post("/people/julie/remove", "sure", "1")
	if now, err := h.asks.Get(t.Context(), "register", ask.ID); err != nil || now.State != approvals.Expired {
		t.Errorf("hers: %s, %v", now.State, err)
	}
	if now, err := h.asks.Get(t.Context(), "register", other.ID); err != nil || now.State != approvals.Waiting {
		t.Errorf("another's: %s, %v", now.State, err)
	}
}
