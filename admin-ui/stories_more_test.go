package adminui_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/store"
)

func (h *house) keep(list ...books.Connection) {
	h.t.Helper()
	for _, c := range list {
		if err := h.st.Apply(h.t.Context(), store.Batch{Writes: h.books.Connections.Put(c)}); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *house) plain(user, device string) books.Connection {
	return books.Connection{
		ID: books.NewConnectionID(h.now.Add(-time.Hour), user), User: user, Application: "register", First: h.now.Add(-time.Hour), Last: h.now.Add(-time.Minute), Count: 1,
		Device:  access.Device{ID: device, Kind: access.Tablet, Label: "Android tablet"},
		Browser: access.Browser{Family: "Chrome", Platform: "Android"}, Place: access.Place{City: "Laval", Country: "CA"}, Answer: access.LetIn,
	}
}

func TestThreat_L14_WhatIsFilteredIsExportedWithoutFormulas(t *testing.T) {
	h := build(t, fixture.Marie, fixture.Paul)
	evil := h.plain("=cmd()", "d1")
	evil.Place.City = "@SUM(1)"
	h.keep(evil, h.plain("fatou", "d2"))
	b := h.signIn(fixture.Paul.Email)
	a := b.get("/connections.csv?app=register&window=all")
	text, marked := strings.CutPrefix(a.body, "\ufeff")
	if !marked {
		t.Error("Excel takes the table for another encoding, and shows accents as two letters")
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatalf("%v: %s", err, a.body)
	}
	if rows[0][4] != "Kind of device" || rows[1][4] != "Tablet" || rows[1][12] == "allow" {
		t.Errorf("the table speaks to programs: %q, %q", rows[0], rows[1])
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@") {
				t.Errorf("a formula: %q", cell)
			}
		}
	}
	if a := b.get("/connections.json?app=register&window=all&q=fatou"); strings.Count(a.body, "\n") != 1 || !strings.Contains(a.body, `"user":"fatou"`) {
		t.Errorf("filtered: %s", a.body)
	}
	for _, path := range []string{"/connections.csv?app=pay", "/connections.json?app=pay"} { // threat L23
		if a := b.get(path); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s of another's application: %d", path, a.StatusCode)
		}
	}
}

func TestAPersonIsRemovedWithAllThatTheyMay(t *testing.T) {
	h := build(t, fixture.Marie, fixture.Paul)
	ctx := t.Context()
	h.keep(h.plain("julie", "d1"), h.plain("fatou", "d1"))
	login := books.Login{ID: "l1", Application: "register", State: books.LoginBound, Person: access.Person{User: "julie"}}
	writes := append(h.books.Logins.Put(login, 0), h.books.Rules.Put(access.Rule{ID: "r1", User: "julie", Application: "register", Effect: access.Allow})...)
	if err := h.st.Apply(ctx, store.Batch{Writes: writes}); err != nil {
		t.Fatal(err)
	}
	if a := h.signIn(fixture.Paul.Email).post("/people/julie/remove", "sure", "1"); a.StatusCode != http.StatusNotFound {
		t.Errorf("an admin of one application removed a person of all: %d", a.StatusCode)
	}
	b := h.signIn(fixture.Marie.Email)
	if a := b.post("/people/julie/remove"); a.StatusCode != http.StatusOK || !strings.Contains(a.body, "Remove for good") {
		t.Fatalf("asked first: %d %s", a.StatusCode, a.body)
	}
	if _, err := h.books.Logins.Get(ctx, "register", "l1"); err != nil {
		t.Fatalf("removed before it was sure: %v", err)
	}
	if a := b.post("/people/julie/remove", "sure", "1"); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	if _, err := h.books.Logins.Get(ctx, "register", "l1"); err == nil {
		t.Error("the login goes on")
	}
	if rules, err := h.books.Rules.All(ctx, "register"); err != nil || len(rules) != 0 {
		t.Errorf("rules: %v %v", rules, err)
	}
	if a := b.get("/connections?app=register&window=all"); strings.Contains(a.body, "/people/julie") || !strings.Contains(a.body, "/people/fatou") {
		t.Error("the grid shows who was removed, or not who stays")
	}
	if a := b.get("/activity"); !strings.Contains(a.body, "removed") {
		t.Error("the activity does not say so")
	}
}

func TestASharedTabletIsNamedAllowedAndForgotten(t *testing.T) {
	h := build(t, fixture.Marie, fixture.Paul)
	h.close("register")
	julie, fatou := h.plain("julie", "tablet"), h.plain("fatou", "tablet")
	h.keep(julie, fatou, h.plain("samuel", "own"))
	b := h.signIn(fixture.Paul.Email)
	if a := b.get("/devices"); !strings.Contains(a.body, "d-tablet") || strings.Contains(a.body, "d-own") {
		t.Fatalf("shared devices: %s", a.body)
	}
	if a := b.post("/devices/tablet/name", "name", "Tablette du local"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("naming: %d", a.StatusCode)
	}
	if a := b.get("/devices"); !strings.Contains(a.body, "Tablette du local") {
		t.Error("the name is not shown")
	}
	if a := b.post("/devices/tablet/allow", "application", "pay"); a.StatusCode != http.StatusNotFound {
		t.Errorf("allowed in another's application: %d", a.StatusCode)
	}
	if a := b.post("/devices/tablet/allow", "application", "register"); a.StatusCode != http.StatusSeeOther || h.answer(fatou) != access.LetIn {
		t.Errorf("allowed for everybody: %d, %v", a.StatusCode, h.answer(fatou))
	}
	// Forgotten for one person, everybody is let in on it still, and it is said.
	if a := b.post("/people/julie/devices/tablet/forget"); !strings.Contains(b.get(a.Header.Get("Location")).body, "Everybody is still let in on it") {
		t.Errorf("forgetting for one: %s", a.Header.Get("Location"))
	}
	if a := b.post("/devices/tablet/forget"); a.StatusCode != http.StatusSeeOther || h.answer(fatou) == access.LetIn {
		t.Errorf("forgetting: %d, and it is answered %v", a.StatusCode, h.answer(fatou))
	}
	if a := b.get("/devices?view=all"); strings.Contains(a.body, "d-tablet") {
		t.Error("still there")
	}
}

func TestTheBackupIsForAdminsOfAllAndSaysSo(t *testing.T) {
	h := build(t, fixture.Marie, fixture.Paul)
	h.keep(h.plain("julie", "d1"))
	if a := h.signIn(fixture.Paul.Email).post("/settings/backup"); a.StatusCode != http.StatusNotFound {
		t.Errorf("an admin of one application: %d", a.StatusCode)
	}
	b := h.signIn(fixture.Marie.Email)
	a := b.post("/settings/backup")
	if a.StatusCode != http.StatusOK || !strings.Contains(a.Header.Get("Content-Disposition"), ".backup") || !strings.Contains(a.body, "cadenas backup 2") {
		t.Errorf("%d %v", a.StatusCode, a.Header)
	}
	if a := b.get("/activity"); !strings.Contains(a.body, "downloaded a backup") {
		t.Error("the activity does not say so")
	}
}

func TestATypedVisitIsExplainedAndNotRecorded(t *testing.T) {
	h := build(t, fixture.Marie, fixture.Paul)
	h.close("register")
	b := h.signIn(fixture.Marie.Email)
	if a := b.get("/explain?app=register&user=julie&address=203.0.113.9"); a.StatusCode != http.StatusOK || !strings.Contains(a.body, `id="verdict"`) {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if a := b.get("/explain?app=register&user=julie&address=home"); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("no address: %d", a.StatusCode)
	}
	if a := h.signIn(fixture.Paul.Email).get("/explain?app=pay&user=julie"); a.StatusCode != http.StatusNotFound {
		t.Errorf("another's application: %d", a.StatusCode)
	}
	if list, err := h.books.Connections.Of(t.Context(), "register", "julie", 10); err != nil || len(list) != 0 {
		t.Errorf("recorded: %v %v", list, err)
	}
}

func TestDevicesThatNobodyUsesAreFoundBehindManyConnections(t *testing.T) {
	h := build(t, fixture.Marie)
	h.close("register")
	seen := func(user, device string, days int) books.Connection {
		c := h.plain(user, device)
		c.Last = h.now.AddDate(0, 0, -days)
		c.ID = books.NewConnectionID(c.Last, user)
		return c
	}
	for i := range 4100 { // more than the room looks at
		h.keep(seen(fmt.Sprint("user", i), "busy", 1))
	}
	forgotten := seen("julie", "forgotten", 70)
	h.keep(forgotten, seen("samuel", "again", 80), seen("samuel", "again", 20))
	if _, err := h.gate.Authorise(t.Context(), forgotten, gate.By{Who: fixture.Marie.Email}); err != nil {
		t.Fatal(err)
	}
	b := h.signIn(fixture.Marie.Email)
	a := b.get("/devices?view=unused")
	if !strings.Contains(a.body, "d-forgotten") || strings.Contains(a.body, "d-again") || strings.Contains(a.body, "d-busy") {
		t.Error("what is unused is not what is shown")
	}
	if a := b.post("/devices/forgotten/forget"); a.StatusCode != http.StatusSeeOther || h.answer(forgotten) == access.LetIn {
		t.Errorf("forgetting: %d, and it is answered %v", a.StatusCode, h.answer(forgotten))
	}
}
