package adminui_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store"
)

func (h *house) put(writes ...store.Write) {
	h.t.Helper()
	if err := h.st.Apply(context.Background(), store.Batch{Writes: writes}); err != nil {
		h.t.Fatal(err)
	}
}

// connection is one of Julie's in the register.
func (h *house) connection(id string, change func(*books.Connection)) books.Connection {
	c := books.Connection{
		ID: id, User: "julie", Application: "register", First: h.now, Last: h.now, Count: 1,
		Device:  access.Device{ID: "device-" + id, Kind: access.Tablet, Label: "Android tablet"},
		Browser: access.Browser{Family: "Chrome", Platform: "Android"},
		Place:   access.Place{Name: "Office"},
	}
	if change != nil {
		change(&c)
	}
	h.put(h.books.Connections.Put(c)...)
	return c
}

func (h *house) close(app string) {
	h.t.Helper()
	if _, err := h.books.Padlocks.Update(context.Background(), app, func(p *books.Padlock) ([]store.Write, bool, error) {
		p.Closed, p.FirstClosed = true, h.now
		return nil, true, nil
	}); err != nil {
		h.t.Fatal(err)
	}
	h.gate.Configure(gate.Application{Name: app})
}

func (h *house) answer(c books.Connection) access.Answer {
	h.t.Helper()
	h.gate.Configure(gate.Application{Name: c.Application}) // forget what was remembered
	v, err := h.gate.Explain(context.Background(), c.Visit(), gate.Circumstance{})
	if err != nil {
		h.t.Fatal(err)
	}
	return v.Answer
}

func (h *house) lastAudit(app string) books.Entry {
	h.t.Helper()
	list, err := h.books.Audit.Newest(context.Background(), app, "", 1)
	if err != nil || len(list) == 0 {
		h.t.Fatalf("the audit of %q: %v, %v", app, list, err)
	}
	return list[0]
}

func TestC16_WhoWaitsIsDecidedInOneGesture(t *testing.T) {
	h := build(t, fixture.Marie, fixture.Paul)
	asks := h.fill(3, 3)
	b := h.signIn(fixture.Marie.Email)
	page := b.get("/requests")
	for _, want := range []string{"3 people wait", "Julie Tremblay-Archambault", "Fatou Diallo", "nouvelle tablette"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the room lacks %q", want)
		}
	}
	ask := asks[0]
	path := "/requests/" + ask.Application + "/" + ask.ID
	wrong := "10"
	if ask.Number == wrong {
		wrong = "11"
	}
	if a := b.post(path, "decision", "approve", "version", "1", "number", wrong, "width", "device", "end", "week"); a.StatusCode != http.StatusUnprocessableEntity ||
		!strings.Contains(a.body, "That is not the number") || !strings.Contains(a.body, `value="device" data-says=`) {
		t.Errorf("a wrong number: %d", a.StatusCode)
	}
	if a := b.post(path, "decision", "approve", "version", "1", "width", "connection", "end", "none"); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("neither number nor tick: %d", a.StatusCode)
	}
	if a := b.post(path, "decision", "approve", "version", "1", "number", ask.Number, "width", "device", "end", "week"); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("the number: %d %s", a.StatusCode, a.body)
	}
	now, err := h.asks.Get(t.Context(), ask.Application, ask.ID)
	if err != nil || now.State != approvals.Approved || now.Decision.By != fixture.Marie.Email || now.Decision.Width != approvals.WidthDevice || now.Decision.Via != approvals.ViaConsole {
		t.Errorf("decided: %+v, %v", now.Decision, err)
	}
	if days := now.Decision.Until.Sub(h.now).Hours() / 24; days < 6.9 || days > 7.1 {
		t.Errorf("until %v", now.Decision.Until)
	}
	second := h.signIn(fixture.Paul.Email)
	if a := second.post(path, "decision", "refuse", "version", "1"); a.Header.Get("Location") != "/requests?done=request.decided" {
		t.Errorf("the second admin: %d %s", a.StatusCode, a.Header.Get("Location"))
	}
	if a := second.get("/requests?done=request.decided"); !strings.Contains(a.body, "Decided by <bdi>Marie Roy</bdi>") {
		t.Error("the second admin sees who decided")
	}
	if a := b.post("/requests/"+asks[1].Application+"/"+asks[1].ID, "decision", "refuse", "version", "1"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("refusing takes one press: %d", a.StatusCode)
	}
	if now, err := h.asks.Get(t.Context(), asks[1].Application, asks[1].ID); err != nil || now.State != approvals.Refused {
		t.Errorf("refused: %s, %v", now.State, err)
	}
}

func TestThreat_L10_TheNumberIsNowhereInTheConsole(t *testing.T) {
	h := build(t, fixture.Marie)
	// Every number is 73: two digits are too few to search for by chance.
	asks := h.fill(0, 2)
	for _, a := range asks {
		if _, err := books.Update(t.Context(), h.st, books.Key(a.Application, "ask", a.ID), func(a *approvals.AccessRequest) ([]store.Write, bool, error) {
			a.Number = "number-73"
			return nil, true, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	b := h.signIn(fixture.Marie.Email)
	for _, path := range []string{"/requests", "/activity", "/activity.json", "/messages", "/people/" + asks[0].Person.User} {
		if a := b.get(path); strings.Contains(a.body, "number-73") {
			t.Errorf("%s shows the number", path)
		}
	}
}

func TestThreat_L24_NobodyLetsThemselfIn(t *testing.T) {
	me := fixture.Marie
	me.Users = map[string]string{"register": "julie.tremblay@lucioles.example"}
	h := build(t, me)
	ask := h.fill(0, 1)[0]
	b := h.signIn(me.Email)
	if a := b.get("/requests"); strings.Contains(a.body, `value="approve"`) || !strings.Contains(a.body, "your own request") {
		t.Error("one's own request has no button")
	}
	b.post("/requests/register/"+ask.ID, "decision", "approve", "version", "1", "number", ask.Number, "width", "connection", "end", "none")
	if now, err := h.asks.Get(t.Context(), "register", ask.ID); err != nil || !now.State.Open() {
		t.Errorf("%s, %v", now.State, err)
	}
}

func TestC14_TheGridLooksBackAsFarAsAsked(t *testing.T) {
	h := build(t, fixture.Marie)
	for i, age := range []time.Duration{0, 3 * 24 * time.Hour, 20 * 24 * time.Hour, 200 * 24 * time.Hour} {
		h.connection(fmt.Sprint("c", i), func(c *books.Connection) {
			c.Last, c.First = h.now.Add(-age), h.now.Add(-age)
			c.Place.Name = fmt.Sprint("Place ", i)
		})
	}
	b := h.signIn(fixture.Marie.Email)
	for window, want := range map[string]int{"today": 1, "7": 2, "30": 3, "all": 4} {
		a := b.get("/connections?app=register&window=" + window)
		if got := strings.Count(a.body, `id="c-`); got != want {
			t.Errorf("%s shows %d connections, not %d", window, got, want)
		}
	}
}

func TestTheGridSearchesFiltersSortsAndPages(t *testing.T) {
	h := build(t, fixture.Marie)
	h.close("register")
	for i := range 70 {
		h.connection(fmt.Sprintf("c%02d", i), func(c *books.Connection) {
			c.User, c.Last, c.Count = fmt.Sprint("user", i%7), h.now.Add(-time.Duration(i)*time.Minute), uint64(i) //nolint:gosec // small
			c.Browser.Family = []string{"Chrome", "Safari"}[i%2]
			c.Place = access.Place{City: []string{"Laval", "Lyon"}[i%2], Country: []string{"CA", "FR"}[i%2]}
			c.Device.Kind = access.Kinds[i%4]
		})
	}
	h.put(store.Write{Key: h.books.Users.Key("user3"), Value: books.Encode(books.User{User: "user3", Name: "Zoé Ångström"})})
	allowed := access.Rule{ID: "r", User: "user0", Application: "register", Effect: access.Allow, Place: access.PlaceKey{City: "Laval"}}
	h.put(h.books.Rules.Put(allowed))
	b := h.signIn(fixture.Marie.Email)
	count := regexp.MustCompile(`id="grid-count"[^>]*>([\d,]+)`)
	for query, want := range map[string]string{
		"":                        "70",
		"&q=laval":                "35",
		"&q=zoé+ÅNGSTRÖM":         "10",
		"&q=zoé+lyon":             "5",
		"&q=nothing":              "0",
		"&browser=Safari":         "35",
		"&place=Lyon&kind=tablet": "18",
		"&kind=tablet":            "18",
		"&person=user3":           "10",
		"&state=in":               "5",
		"&state=out":              "65",
		"&state=refused":          "0",
		"&kind=nonsense":          "70",
	} {
		a := b.get("/connections?app=register&window=all" + query)
		if m := count.FindStringSubmatch(a.body); m == nil || m[1] != want {
			t.Errorf("%q finds %v, not %s", query, m, want)
		}
	}
	ids := func(query string) []string {
		var list []string
		for _, m := range regexp.MustCompile(`id="c-(c\d\d)"`).FindAllStringSubmatch(b.get("/connections?app=register&window=all"+query).body, -1) {
			list = append(list, m[1])
		}
		return list
	}
	if got := ids(""); len(got) != 30 || got[0] != "c00" || got[29] != "c29" {
		t.Errorf("the first page: %v", got)
	}
	if got := ids("&page=3"); len(got) != 10 || got[9] != "c69" {
		t.Errorf("the last page: %v", got)
	}
	if got := ids("&sort=count"); got[0] != "c69" {
		t.Errorf("most often first: %v", got)
	}
	if got := ids("&page=9"); len(got) != 0 {
		t.Errorf("behind the last page: %v", got)
	}
}

func TestC15_ThePadlockIsTurnedWithAPreviewByName(t *testing.T) {
	h := build(t, fixture.Marie)
	known := h.connection("known", nil)
	h.connection("old", func(c *books.Connection) { c.User, c.Adopted = "samuel", true })
	b := h.signIn(fixture.Marie.Email)
	preview := b.get("/padlock/register/close")
	for _, want := range []string{"1 person would be stopped", "samuel", "for the first time", `value="old"`, "sign-in never seen"} {
		if !strings.Contains(preview.body, want) {
			t.Errorf("the preview lacks %q", want)
		}
	}
	if a := b.post("/padlock/register/close", "also", "old"); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("closing: %d", a.StatusCode)
	}
	old, err := h.books.Connections.Get(t.Context(), "register", "old")
	if err != nil {
		t.Fatal(err)
	}
	if h.answer(known) != access.LetIn || h.answer(old) != access.LetIn {
		t.Errorf("known %s, ticked %s", h.answer(known), h.answer(old))
	}
	if e := h.lastAudit("register"); e.What != "padlock.close" || e.Who != fixture.Marie.Email {
		t.Errorf("audit: %+v", e)
	}
	if a := b.get("/connections?app=register"); !strings.Contains(a.body, "The padlock is closed.") || !strings.Contains(a.body, "Closed by <bdi>Marie Roy</bdi>") {
		t.Error("the grid says that it is closed, and by whom")
	}
	if a := b.post("/padlock/register/open"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("opening: %d", a.StatusCode)
	}
	if closed, err := h.gate.Closed(t.Context(), "register"); err != nil || closed {
		t.Errorf("closed %v, %v", closed, err)
	}
}

func TestAPadlockThatCannotBeTurned(t *testing.T) {
	h := build(t, fixture.Marie)
	b := h.signIn(fixture.Marie.Email)
	pinned := true
	h.gate.Configure(gate.Application{Name: "register", Pinned: &pinned})
	h.gate.Configure(gate.Application{Name: "pay", CanClose: func() error { return fmt.Errorf("the login of pay is not known") }})
	if a := b.get("/connections?app=register"); strings.Contains(a.body, "/padlock/register/") || !strings.Contains(a.body, "The configuration holds it so.") {
		t.Error("a pinned padlock has no switch and says why")
	}
	if a := b.post("/padlock/register/open"); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("turning it all the same: %d", a.StatusCode)
	}
	if a := b.get("/connections?app=pay"); strings.Contains(a.body, "/padlock/pay/") || !strings.Contains(a.body, "the login of pay is not known") {
		t.Error("a padlock that cannot close yet says why")
	}
	if a := b.post("/padlock/pay/close"); a.StatusCode != http.StatusConflict {
		t.Errorf("closing it all the same: %d", a.StatusCode)
	}
	if closed, err := h.gate.Closed(t.Context(), "pay"); err != nil || closed {
		t.Errorf("closed %v, %v", closed, err)
	}
}

func TestC18_ArrowsMoveConnections(t *testing.T) {
	h := build(t, fixture.Marie)
	h.close("register")
	one := h.connection("one", nil)
	two := h.connection("two", func(c *books.Connection) { c.User = "samuel"; c.Place.Name = "Home" })
	b := h.signIn(fixture.Marie.Email)
	page := b.get("/columns?app=register")
	if strings.Count(page.body, `name="out" value=`) != 2 || strings.Count(page.body, `name="in" value=`) != 0 {
		t.Fatal("both stand on the left")
	}
	a := b.post("/columns/move", "app", "register", "move", "in", "out", "one", "back", "/columns?app=register")
	if a.StatusCode != http.StatusSeeOther || h.answer(one) != access.LetIn || h.answer(two) != access.Approval {
		t.Fatalf("one moved: %d, %s, %s", a.StatusCode, h.answer(one), h.answer(two))
	}
	after := b.get(a.Header.Get("Location"))
	if !strings.Contains(after.body, "1 connection authorised.") || strings.Count(after.body, `name="in" value=`) != 1 {
		t.Error("the page says what moved")
	}
	undo := regexp.MustCompile(`name="undo" value="([^"]+)"`).FindStringSubmatch(after.body)
	if undo == nil {
		t.Fatal("no offer to undo")
	}
	if a := b.post("/columns/undo", "app", "register", "undo", undo[1]); a.StatusCode != http.StatusSeeOther || h.answer(one) != access.Approval {
		t.Errorf("undone: %d, %s", a.StatusCode, h.answer(one))
	}
	if a := b.post("/columns/undo", "app", "register", "undo", undo[1]); !strings.Contains(a.Header.Get("Location"), "undo.late") {
		t.Errorf("undone twice: %s", a.Header.Get("Location"))
	}
	b.post("/columns/move", "app", "register", "move", "all-in")
	if h.answer(one) != access.LetIn || h.answer(two) != access.LetIn {
		t.Errorf("all to the right: %s, %s", h.answer(one), h.answer(two))
	}
	b.post("/columns/move", "app", "register", "move", "out", "in", "two")
	if h.answer(one) != access.LetIn || h.answer(two) != access.Approval {
		t.Errorf("two back to the left: %s, %s", h.answer(one), h.answer(two))
	}
	b.post("/columns/move", "app", "register", "move", "all-out")
	if h.answer(one) == access.LetIn || h.answer(two) == access.LetIn {
		t.Errorf("all to the left: %s, %s", h.answer(one), h.answer(two))
	}
	if e := h.lastAudit("register"); e.Who != fixture.Marie.Email || !strings.HasPrefix(e.What, "connection.") {
		t.Errorf("audit: %+v", e)
	}
}

func TestC18_MoreThanTenAreShownFirst(t *testing.T) {
	h := build(t, fixture.Marie)
	h.close("register")
	var list []books.Connection
	for i := range 12 {
		list = append(list, h.connection(fmt.Sprintf("c%02d", i), nil))
	}
	b := h.signIn(fixture.Marie.Email)
	a := b.post("/columns/move", "app", "register", "move", "all-in")
	if a.StatusCode != http.StatusOK || !strings.Contains(a.body, "Authorise 12 connections?") || h.answer(list[0]) == access.LetIn {
		t.Fatalf("asked first: %d", a.StatusCode)
	}
	if n := strings.Count(a.body, `name="out" value="c`); n != 12 {
		t.Errorf("%d are listed", n)
	}
	ids := []string{"app", "register", "move", "in", "sure", "1"}
	for _, c := range list[1:] {
		ids = append(ids, "out", c.ID)
	}
	if a := b.post("/columns/move", ids...); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("carried out: %d", a.StatusCode)
	}
	if h.answer(list[0]) == access.LetIn || h.answer(list[11]) != access.LetIn {
		t.Error("what was unticked stays")
	}
}

func TestC19_TheColumnsOfOnePerson(t *testing.T) {
	h := build(t, fixture.Marie)
	h.close("register")
	h.connection("hers", nil)
	other := h.connection("others", func(c *books.Connection) { c.User = "samuel" })
	b := h.signIn(fixture.Marie.Email)
	a := b.get("/columns?app=register&person=julie")
	if !strings.Contains(a.body, `value="hers"`) || strings.Contains(a.body, `value="others"`) {
		t.Error("only hers are shown")
	}
	b.post("/columns/move", "app", "register", "person", "julie", "move", "all-in")
	if h.answer(other) == access.LetIn {
		t.Error("all of one person moves nobody else's")
	}
}

func TestC5_OnePersonIsLockedOrGivenFullAccess(t *testing.T) {
	h := build(t, fixture.Marie)
	h.close("register")
	c := h.connection("one", nil)
	b := h.signIn(fixture.Marie.Email)
	for _, step := range []struct {
		path, field, value string
		want               access.Answer
	}{
		{"treat", "treatment", "full-access", access.LetIn},
		{"treat", "treatment", "locked", access.Deny},
		{"treat", "treatment", "by-rules", access.Approval},
		{"exempt", "exempt", "1", access.LetIn},
		{"exempt", "exempt", "", access.Approval},
	} {
		if a := b.post("/people/julie/"+step.path, step.field, step.value); a.StatusCode != http.StatusSeeOther || h.answer(c) != step.want {
			t.Errorf("%s %s: %d, %s", step.path, step.value, a.StatusCode, h.answer(c))
		}
	}
	if a := b.post("/people/julie/treat", "treatment", "sacked"); a.StatusCode != http.StatusBadRequest {
		t.Errorf("a word that is none: %d", a.StatusCode)
	}
	page := b.get("/people/julie")
	if !strings.Contains(page.body, "Marie Roy</bdi></b> gave full access to") {
		t.Error("the history says who did it")
	}
}

func TestADeviceIsNamedAndForgotten(t *testing.T) {
	h := build(t, fixture.Marie)
	h.close("register")
	c := h.connection("one", nil)
	b := h.signIn(fixture.Marie.Email)
	b.post("/columns/move", "app", "register", "move", "in", "out", "one")
	if a := b.post("/people/julie/devices/"+c.Device.ID+"/name", "name", "La tablette des poupons"); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("naming: %d", a.StatusCode)
	}
	if a := b.get("/connections?app=register"); !strings.Contains(a.body, "La tablette des poupons") {
		t.Error("old entries show the name")
	}
	if h.answer(c) != access.LetIn {
		t.Error("a name changes no verdict")
	}
	if a := b.post("/people/julie/devices/" + c.Device.ID + "/forget"); a.StatusCode != http.StatusSeeOther || h.answer(c) != access.Approval {
		t.Errorf("forgotten: %d, %s", a.StatusCode, h.answer(c))
	}
	if a := b.post("/people/julie/devices/" + c.Device.ID + "/forget"); a.StatusCode != http.StatusNotFound {
		t.Errorf("forgotten twice: %d", a.StatusCode)
	}
}

func TestC7_AdminsAreAddedEditedAndRemovedButTheLast(t *testing.T) {
	h := build(t)
	if err := h.books.Admins.Save(t.Context(), fixture.Marie, "", books.Entry{What: "admin.add"}); err != nil {
		t.Fatal(err)
	}
	b := h.signIn(fixture.Marie.Email)
	b.get("/admins")
	if a := b.post("/admins/marie@lucioles.example/remove"); a.Header.Get("Location") != "/admins?done=admin.last" || !b.signedIn() {
		t.Errorf("the last one stays: %s", a.Header.Get("Location"))
	}
	for _, bad := range [][]string{
		{"name", "", "email", "x@example.com"}, {"name", "X", "email", "x"}, {"name", "X", "email", "a@b@c"},
		{"name", "X", "email", "MARIE@lucioles.example"}, {"name", "X", "email", "x@example.com", "mobile", "call me"},
		{"name", "X", "email", "x@example.com", "quiet-from", "22:00"},
	} {
		if a := b.post("/admins/new", bad...); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%v: %d", bad, a.StatusCode)
		}
	}
	if a := b.post("/admins/new", "name", "Paul", "email", "Paul@Lucioles.example", "mobile", "(438) 555-0111", "applications", "register", "applications", "nonsense", "language", "fr", "quiet-from", "22:00", "quiet-to", "06:00"); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("adding: %d %s", a.StatusCode, a.body)
	}
	paul, err := h.books.Admins.Get(t.Context(), "paul@lucioles.example")
	if err != nil || paul.Mobile != "+14385550111" || !slices.Equal(paul.Applications, []string{"register"}) || paul.Language != "fr" || paul.QuietTo != "06:00" {
		t.Errorf("kept: %+v, %v", paul, err)
	}
	his := h.signIn("paul@lucioles.example")
	if a := b.post("/admins/paul@lucioles.example", "name", "Paul L.", "email", "pl@lucioles.example"); a.StatusCode != http.StatusSeeOther || his.signedIn() {
		t.Errorf("a new e-mail ends the sessions of the old: %d", a.StatusCode)
	}
	if a := b.post("/admins/marie@lucioles.example", "name", "Marie", "email", "marie.roy@lucioles.example"); a.StatusCode != http.StatusSeeOther || !b.signedIn() {
		t.Errorf("one's own new e-mail keeps one signed in: %d", a.StatusCode)
	}
	b.get("/admins")
	his = h.signIn("pl@lucioles.example")
	if a := b.post("/admins/pl@lucioles.example/remove"); a.StatusCode != http.StatusSeeOther || his.signedIn() {
		t.Errorf("removed and signed out: %d", a.StatusCode)
	}
	if a := b.post("/admins/marie.roy@lucioles.example", "name", "Marie", "email", "marie.roy@lucioles.example", "applications", "register"); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("nobody shuts themself out of this room: %d", a.StatusCode)
	}
}

func TestRulesAreBuiltTriedMadeAndEnded(t *testing.T) {
	h := build(t, fixture.Marie)
	h.close("register")
	phone := h.connection("phone", func(c *books.Connection) { c.Device.Kind = access.Phone })
	h.put(h.books.Rules.Put(access.Rule{ID: "all", User: "julie", Application: "register", Effect: access.Allow}))
	b := h.signIn(fixture.Marie.Email)
	b.get("/rules/new")
	fields := []string{"effect", "refuse", "whose", "", "application", "register", "kind", "phone", "place", "name", "place-text", "Office", "note", "no phones here"}
	a := b.post("/rules/new", append(fields, "step", "look")...)
	text := strings.NewReplacer("<bdi>", "", "</bdi>", "").Replace(a.body)
	for _, want := range []string{"Refuse everybody, on a phone, from Office, in Registre des présences.", "it would have touched 1 connection", "julie"} {
		if !strings.Contains(text, want) {
			t.Errorf("the form lacks %q", want)
		}
	}
	if h.answer(phone) != access.LetIn {
		t.Error("looking makes no rule")
	}
	if a := b.post("/rules/new", append(fields, "step", "make")...); a.StatusCode != http.StatusSeeOther || h.answer(phone) != access.Deny {
		t.Fatalf("made: %d, %s", a.StatusCode, h.answer(phone))
	}
	list := b.get("/rules")
	if !strings.Contains(list.body, "Refuse everybody, on a phone, from Office") || !strings.Contains(list.body, "no phones here") || !strings.Contains(list.body, "By Marie Roy") {
		t.Error("the list says the rule, its author and note")
	}
	e := h.lastAudit("register")
	if e.What != "rule.add" || e.Detail["kind"] != "phone" {
		t.Errorf("audit: %+v", e)
	}
	if a := b.post("/rules/end", "application", "register", "rule", e.Subject); a.StatusCode != http.StatusSeeOther || h.answer(phone) != access.LetIn {
		t.Errorf("ended: %d, %s", a.StatusCode, h.answer(phone))
	}
	for name, bad := range map[string][]string{
		"everybody everywhere": {"effect", "allow"},
		"everybody in one":     {"effect", "allow", "application", "register"},
		"no name":              {"effect", "allow", "whose", "user"},
		"no place":             {"effect", "refuse", "kind", "phone", "place", "city"},
		"no country":           {"effect", "refuse", "kind", "phone", "place", "country", "place-text", "Canada"},
		"no prefix":            {"effect", "refuse", "kind", "phone", "place", "prefix", "place-text", "nonsense"},
		"a past end":           {"effect", "refuse", "kind", "phone", "until", "2001-01-01"},
	} {
		if a := b.post("/rules/new", append(bad, "step", "make")...); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
	}
}

func TestX13_AConnectionIsExplained(t *testing.T) {
	h := build(t, fixture.Marie)
	c := h.connection("one", nil)
	b := h.signIn(fixture.Marie.Email)
	open := b.get("/explain/register/one")
	if !strings.Contains(open.body, "The padlock is open") || !strings.Contains(open.body, "padlock open; closed it would be approval") {
		t.Error("with the padlock open it says what a closed one would do")
	}
	h.close("register")
	closed := b.get("/explain/register/one")
	for _, want := range []string{"The person is not locked.", "No rule is about this connection.", "new device, place and browser"} {
		if !strings.Contains(closed.body, want) {
			t.Errorf("closed: it lacks %q", want)
		}
	}
	b.post("/columns/move", "app", "register", "move", "in", "out", c.ID)
	if a := b.get("/explain/register/one"); !strings.Contains(a.body, "A rule decides.") || !strings.Contains(a.body, "Let in <bdi>julie</bdi>") && !strings.Contains(a.body, "Let in julie") {
		t.Error("authorised: it names the rule")
	}
}

// stream reads the events of one browser.
func (b *browser) stream(ctx context.Context, server *httptest.Server) <-chan string {
	b.h.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/events", nil)
	if err != nil {
		b.h.t.Fatal(err)
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	res, err := server.Client().Do(r)
	if err != nil {
		b.h.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		b.h.t.Fatalf("the stream: %d", res.StatusCode)
	}
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		defer func() { _ = res.Body.Close() }()
		for scanner := bufio.NewScanner(res.Body); scanner.Scan(); {
			if data, ok := strings.CutPrefix(scanner.Text(), "data: "); ok {
				lines <- data
			}
		}
	}()
	return lines
}

func TestWhatChangesIsStreamed(t *testing.T) {
	h := build(t, fixture.Marie, fixture.Paul)
	server := httptest.NewServer(h.console)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	marie, paul := h.signIn(fixture.Marie.Email), h.signIn(fixture.Paul.Email)
	hers, his := marie.stream(ctx, server), paul.stream(ctx, server)
	secret := h.connection("pay", func(c *books.Connection) { c.Application = "pay" })
	type news struct {
		Topics  []string
		Waiting int
	}
	next := func(lines <-chan string) news {
		t.Helper()
		var n news
		select {
		case line, ok := <-lines:
			if !ok {
				t.Fatal("the stream ended")
			}
			if err := json.Unmarshal([]byte(line), &n); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(line, secret.User) {
				t.Errorf("the stream tells who: %s", line)
			}
		case <-ctx.Done():
			t.Fatal("no news")
		}
		return n
	}
	if n := next(hers); !slices.Contains(n.Topics, "connections") || n.Waiting != 0 {
		t.Errorf("hers: %+v", n)
	}
	h.fill(0, 1)
	if n := next(hers); !slices.Contains(n.Topics, "requests") || n.Waiting != 1 {
		t.Errorf("hers: %+v", n)
	}
	// Threat L23: of the pay Paul heard nothing; his first news is the request
	// in the register.
	if n := next(his); !slices.Contains(n.Topics, "requests") || n.Waiting != 1 {
		t.Errorf("his: %+v", n)
	}
	marie.get("/account")
	if a := marie.post("/sign-out"); a.StatusCode != http.StatusSeeOther {
		t.Fatal(a.StatusCode)
	}
	for line := range hers { // ends: the write that ended the session wakes the stream
		t.Logf("after the sign-out: %s", line)
	}
	if ctx.Err() != nil {
		t.Error("the stream outlives its session")
	}
}

func TestEveryPageIsWellFormed(t *testing.T) {
	h := build(t, fixture.Marie)
	h.fill(20, 5)
	b := h.signIn(fixture.Marie.Email)
	c, err := h.books.Connections.Of(t.Context(), "register", "hostile", 1)
	if err != nil || len(c) == 0 {
		t.Fatal(err)
	}
	for _, path := range []string{
		"/sign-in", "/requests", "/connections?app=register", "/people", "/people/hostile", "/columns?app=register", "/rules", "/rules/new",
		"/activity", "/messages", "/admins", "/admins/new", "/settings", "/more", "/account", "/padlock/register/close", "/padlock/register/open",
		"/explain/register/" + c[0].ID, "/no/such/page",
	} {
		body := b.get(path).body
		if problem := malformed(body); problem != "" {
			t.Errorf("%s: %s", path, problem)
		}
		ids := map[string]bool{}
		for _, m := range regexp.MustCompile(`\sid="([^"]*)"`).FindAllStringSubmatch(body, -1) {
			if ids[m[1]] {
				t.Errorf("%s: two elements have the id %q", path, m[1])
			}
			ids[m[1]] = true
		}
		for _, m := range regexp.MustCompile(`\s(?:for|aria-labelledby|aria-describedby)="([^"]*)"`).FindAllStringSubmatch(body, -1) {
			for _, id := range strings.Fields(m[1]) {
				if !ids[id] {
					t.Errorf("%s: nothing has the id %q", path, id)
				}
			}
		}
		for _, bad := range []string{" style=", " onclick=", "<script>", "javascript:", "ZgotmplZ"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s holds %q", path, bad)
			}
		}
	}
}

var tag = regexp.MustCompile(`<(/?)([a-zA-Z][a-zA-Z0-9-]*)((?:[^>"']|"[^"]*"|'[^']*')*?)(/?)>`)

// malformed says what is wrong with the nesting of a page, or "".
func malformed(page string) string {
	void := []string{"meta", "link", "input", "br", "hr", "img", "source", "wbr"}
	var open []string
	for _, m := range tag.FindAllStringSubmatch(page, -1) {
		name := strings.ToLower(m[2])
		switch {
		case slices.Contains(void, name) || m[4] == "/":
		case m[1] == "":
			open = append(open, name)
		case len(open) == 0 || open[len(open)-1] != name:
			return fmt.Sprintf("</%s> closes %v", name, open[max(len(open)-3, 0):])
		default:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		return fmt.Sprintf("not closed: %v", open)
	}
	return ""
}

func TestTheConsoleInstalls(t *testing.T) {
	h := build(t, fixture.Marie)
	b := h.signIn(fixture.Marie.Email)
	a := b.get("/manifest.webmanifest")
	var m struct {
		Display string
		Icons   []struct{ Src string }
	}
	if err := json.Unmarshal([]byte(a.body), &m); err != nil || m.Display != "standalone" || len(m.Icons) == 0 {
		t.Fatalf("the manifest: %v %s", err, a.body)
	}
	for _, icon := range m.Icons {
		if got := b.get(icon.Src); got.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", icon.Src, got.StatusCode)
		}
	}
	if w := b.get("/worker.js"); w.StatusCode != http.StatusOK || !strings.HasPrefix(w.Header.Get("Content-Type"), "text/javascript") || w.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("the worker: %d %v", w.StatusCode, w.Header)
	}
	if !strings.Contains(b.get("/requests").Header.Get("Content-Security-Policy"), "manifest-src 'self'") {
		t.Error("the policy allows no manifest")
	}
}

func TestALinkFromAnotherSiteGoesOnFromHere(t *testing.T) {
	h := build(t, fixture.Marie)
	r := httptest.NewRequest(http.MethodGet, host+"/requests?open=x", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	a := h.browser().send(r) // a Strict cookie does not come along
	if a.StatusCode != http.StatusOK || !strings.Contains(a.body, `href="/requests?open=x"`) {
		t.Errorf("got %d", a.StatusCode)
	}
	again := h.browser().get("/requests?open=x")
	if want := "/sign-in?to=" + url.QueryEscape("/requests?open=x"); again.Header.Get("Location") != want {
		t.Errorf("from here without a session: %s", again.Header.Get("Location"))
	}
}

func TestX16_APassIsGivenByPhone(t *testing.T) {
	h := build(t, fixture.Marie)
	h.connection("one", nil)
	b := h.signIn(fixture.Marie.Email)
	b.get("/people/julie")
	a := b.post("/people/julie/pass", "application", "register")
	code := regexp.MustCompile(`pass-code[^>]*>([^<]+)<`).FindStringSubmatch(a.body)
	if a.StatusCode != http.StatusOK || code == nil {
		t.Fatalf("got %d", a.StatusCode)
	}
	ask, _, err := h.asks.Open(t.Context(), approvals.Ask{
		Application: "register", Person: access.Person{User: "julie"}, Device: access.Device{ID: "new", Kind: access.Phone},
		Browser: access.Browser{Family: "Safari"}, Place: access.Place{Name: "Home"}, New: []access.Part{access.PartDevice}, Asked: access.Approval,
	})
	if err != nil {
		t.Fatal(err)
	}
	if now, err := h.asks.UsePass(t.Context(), "register", ask.ID, code[1]); err != nil || now.State != approvals.Approved {
		t.Errorf("used: %s, %v", now.State, err)
	}
	if list := b.get("/activity.json"); strings.Contains(list.body, code[1]) {
		t.Error("the audit holds the code")
	}
}

func TestWhatNoChannelCarriesIsReadHere(t *testing.T) {
	h := build(t, fixture.Marie, fixture.Paul)
	ask := h.fill(0, 1)[0]
	book := approvals.NewSentBook(h.books, func() *seal.Ring { return h.ring }, h.clock)
	for i, n := range []approvals.Notice{
		{Kind: approvals.NoticeOpened, To: approvals.Recipient{Email: fixture.Marie.Email, Admin: true}, Application: "register", ApplicationName: "Registre", Ask: ask, Link: host + "/decide/marie-token"},
		{Kind: approvals.NoticeOpened, To: approvals.Recipient{Email: fixture.Paul.Email, Admin: true}, Application: "register", ApplicationName: "Registre", Ask: ask, Link: host + "/decide/paul-token"},
		{Kind: approvals.NoticeSignIn, To: approvals.Recipient{Email: fixture.Paul.Email, Admin: true}, Link: host + "/enter/paul-link"},
		{Kind: approvals.NoticeSignIn, To: approvals.Recipient{Email: fixture.Marie.Email, Admin: true}, Link: host + "/enter/marie-link"},
	} {
		n.ID, n.Created = books.NewID(h.now)+fmt.Sprint(i), h.now
		if err := book.Keep(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	a := h.signIn(fixture.Marie.Email).get("/messages")
	for _, want := range []string{"Julie Tremblay-Archambault", `href="/decide/marie-token"`, `href="/enter/marie-link"`, "No channel is configured"} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the room lacks %q", want)
		}
	}
	if strings.Contains(a.body, "paul-token") || strings.Contains(a.body, "paul-link") || strings.Contains(a.body, ask.Number+"<") {
		t.Error("what opens in another's name is shown")
	}
	b := h.signIn(fixture.Paul.Email).get("/messages")
	if strings.Contains(b.body, "marie-link") || strings.Contains(b.body, "marie-token") || !strings.Contains(b.body, "paul-token") {
		t.Error("Paul sees his own, and not Marie's")
	}
}

func TestC3_ANetworkIsNamedFromTheConsole(t *testing.T) {
	h := build(t, fixture.Marie, fixture.Paul)
	h.connection("one", func(c *books.Connection) {
		c.Place = access.Place{City: "Laval", Country: "CA", Address: netip.MustParseAddr("203.0.113.9"), Located: true, Latitude: 45.5, Longitude: -73.7}
	})
	b := h.signIn(fixture.Marie.Email)
	page := b.get("/places")
	if !strings.Contains(page.body, "Laval, Canada") || !strings.Contains(page.body, `value="203.0.113.0/24"`) || !strings.Contains(page.body, "<svg class=\"world\"") {
		t.Error("the room lists the place and offers its network")
	}
	for name, bad := range map[string][2]string{
		"no name": {"", "203.0.113.0/24"}, "no network": {"Office", "nonsense"}, "nothing": {"Office", ""},
		"half the world": {"Office", "0.0.0.0/1"}, "bits behind its length": {"Office", "203.0.113.9/24"},
	} {
		if a := b.post("/places", "name", bad[0], "prefix", bad[1]); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
	}
	if a := b.post("/places", "name", "Office", "prefix", "203.0.113.0/24, 2001:db8:7::/48"); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("naming: %d", a.StatusCode)
	}
	if a := b.post("/places", "name", "Warehouse", "prefix", "203.0.113.0/24"); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a second name for it: %d", a.StatusCode)
	}
	list, err := h.books.Networks.All(t.Context())
	if err != nil || len(list) != 1 || list[0].Name != "Office" || len(list[0].Prefixes) != 2 {
		t.Fatalf("kept: %+v, %v", list, err)
	}
	if a := h.signIn(fixture.Paul.Email); a.get("/places").StatusCode != http.StatusOK || a.post("/places", "name", "X", "prefix", "192.0.2.0/24").StatusCode != http.StatusNotFound {
		t.Error("an admin of one application reads names and gives none")
	}
	h.pass(time.Second)
	if a := b.post("/places/remove", "network", list[0].ID); a.StatusCode != http.StatusSeeOther {
		t.Errorf("removing: %d", a.StatusCode)
	}
	if e := h.lastAudit(""); e.What != "place.unname" || e.Subject != "Office" {
		t.Errorf("audit: %+v", e)
	}
}
