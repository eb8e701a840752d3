package adminui_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
)

func TestARefusalSaysWhomItDoesNotTouchAndWhy(t *testing.T) {
	h := build(t, fixture.Marie)
	h.close("register")
	julie, fatou := h.connection("one", nil), h.connection("two", func(c *books.Connection) { c.User = "fatou" })
	if _, err := h.gate.Authorise(t.Context(), julie, gate.By{Who: fixture.Marie.Email}); err != nil {
		t.Fatal(err)
	}
	b := h.signIn(fixture.Marie.Email)
	rule := []string{"effect", "refuse", "application", "register", "kind", "tablet"}
	a := b.post("/rules/new", append(rule, "step", "look")...)
	for _, want := range []string{
		"it would have touched 1 connection: <bdi>fatou</bdi>", "1 of them is answered otherwise", "1 connection fits too and is not touched",
		"A more precise rule lets it in:", "Let in julie, on the device",
	} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the preview lacks %q:\n%s", want, a.body)
		}
	}
	if a := b.post("/rules/new", append(rule, "step", "make")...); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("making it: %d", a.StatusCode)
	}
	// The preview was true.
	if h.answer(julie) != access.LetIn || h.answer(fatou) != access.Deny {
		t.Errorf("julie: %v, fatou: %v", h.answer(julie), h.answer(fatou))
	}
}

func TestAPreviewSaysThatFullAccessGoesBefore(t *testing.T) {
	h := build(t, fixture.Marie)
	h.close("register")
	julie := h.connection("one", nil)
	if _, err := h.gate.Treat(t.Context(), "julie", "", gate.TreatFullAccess, "", gate.By{Who: fixture.Marie.Email}); err != nil {
		t.Fatal(err)
	}
	a := h.signIn(fixture.Marie.Email).post("/rules/new", "effect", "refuse", "whose", "user", "user", "julie", "application", "register", "step", "look")
	if !strings.Contains(a.body, "touched nobody") || !strings.Contains(a.body, "fits too and is not touched") || !strings.Contains(a.body, "full access") {
		t.Errorf("the preview: %s", a.body)
	}
	if h.answer(julie) != access.LetIn {
		t.Error("looking changed something")
	}
}

func TestRulesThatNothingFitsAreFound(t *testing.T) {
	h := build(t, fixture.Marie)
	h.connection("one", nil)
	h.put(h.books.Groups.Put("register", "julie", []string{"staff"}))
	by := gate.By{Who: fixture.Marie.Email}
	for _, r := range []access.Rule{
		{Application: "register", User: "julie", Kind: access.Tablet, Effect: access.Allow, Note: "fits-julie"},
		{Application: "register", User: "julie", Kind: access.Phone, Effect: access.Refuse, Note: "never-julie"},
		{Application: "register", Kind: access.Tablet, Effect: access.Allow, Note: "fits-all"},
		{Application: "register", Place: access.PlaceKey{Name: "Ofice"}, Effect: access.Allow, Note: "misspelt"},
		{Application: "register", Group: "cooks", Effect: access.Allow, Note: "group-nobody"},
		{Application: "register", Group: "staff", Kind: access.Tablet, Effect: access.Allow, Note: "fits-group"},
	} {
		if _, err := h.gate.AddRule(t.Context(), r, by); err != nil {
			t.Fatal(err)
		}
	}
	b := h.signIn(fixture.Marie.Email)
	all, unused := b.get("/rules").body, b.get("/rules?unused=1").body
	for note, shown := range map[string]bool{"fits-julie": false, "never-julie": true, "fits-all": false, "misspelt": true, "group-nobody": true, "fits-group": false} {
		if !strings.Contains(all, note) {
			t.Errorf("the list of all lacks %s", note)
		}
		if strings.Contains(unused, note) != shown {
			t.Errorf("among those never matched, %s: %v", note, !shown)
		}
	}
	if !strings.Contains(all, "Fits 1 connection") || strings.Count(all, "No connection has fitted it") != 3 {
		t.Error("the list does not say what fits")
	}
}

func TestARuleGetsAnotherEnd(t *testing.T) {
	h := build(t, fixture.Marie, fixture.Paul)
	h.close("register")
	julie := h.connection("one", nil)
	r, err := h.gate.AddRule(t.Context(), access.Rule{Application: "register", User: "julie", Effect: access.Allow}, gate.By{Who: fixture.Marie.Email})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.gate.AddRule(t.Context(), access.Rule{User: "julie", Effect: access.Refuse}, gate.By{Who: fixture.Marie.Email}); err != nil {
		t.Fatal(err)
	}
	h.pass(time.Second)
	b := h.signIn(fixture.Paul.Email)
	if a := b.get("/rules/edit?app=register&rule=" + r.ID); a.StatusCode != http.StatusOK || !strings.Contains(a.body, "it decided about 1 connection") {
		t.Fatalf("the rule's page: %d %s", a.StatusCode, a.body)
	}
	if a := b.get("/rules/edit?rule=" + r.ID); a.StatusCode != http.StatusNotFound { // threat L23
		t.Errorf("a rule of all, for an admin of one: %d", a.StatusCode)
	}
	if a := b.post("/rules/edit", "app", "register", "rule", r.ID, "until", "2001-01-01"); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("an end that is past: %d", a.StatusCode)
	}
	day := h.now.AddDate(0, 0, 3).Format("2006-01-02")
	if a := b.post("/rules/edit", "app", "register", "rule", r.ID, "until", day, "note", "holidays"); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("saving: %d %s", a.StatusCode, a.body)
	}
	now, err := h.books.Rules.Find(t.Context(), "register", r.ID)
	if err != nil || now.Note != "holidays" || now.Until.AddDate(0, 0, -1).Format("2006-01-02") != day || now.Author != fixture.Marie.Email {
		t.Errorf("the rule: %+v, %v", now, err)
	}
	if e := h.lastAudit("register"); e.What != "rule.edit" || e.Who != fixture.Paul.Email {
		t.Errorf("the audit: %+v", e)
	}
	if h.answer(julie) != access.LetIn {
		t.Error("the rule no longer holds")
	}
	if a := b.get("/activity"); !strings.Contains(a.body, "The end before") || !strings.Contains(a.body, "no end") || !strings.Contains(a.body, "holidays") {
		t.Error("the activity does not say what was changed")
	}
	if a := b.get("/rules/edit?app=register&rule=" + r.ID); !strings.Contains(a.body, `value="`+day+`"`) || !strings.Contains(a.body, "/rules/new?") {
		t.Error("the form does not show the last day, or no way to another like it")
	}
}

func TestARuleWhoseEndIsTakenAwayStaysInTheList(t *testing.T) {
	h := build(t, fixture.Marie)
	h.close("register")
	julie := h.connection("one", nil)
	r, err := h.gate.AddRule(t.Context(), access.Rule{
		Application: "register", User: "julie", Device: julie.Device.ID, Effect: access.Allow, Until: h.now.Add(time.Hour),
	}, gate.By{Who: fixture.Marie.Email})
	if err != nil {
		t.Fatal(err)
	}
	b := h.signIn(fixture.Marie.Email)
	if a := b.post("/rules/edit", "app", "register", "rule", r.ID, "until", ""); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("saving: %d", a.StatusCode)
	}
	h.pass(2 * time.Hour)
	if a := b.get("/rules?app=register"); !strings.Contains(a.body, r.ID) || h.answer(julie) != access.LetIn {
		t.Errorf("a rule that holds (%v) has gone from the list", h.answer(julie))
	}
}
