package adminui_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
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
		User: "julie", Application: "register", First: h.now, Last: h.now, Count: 1,
		Device:  access.Device{ID: "device-" + id, Kind: access.Tablet, Label: "Android tablet"},
		Browser: access.Browser{Family: "Chrome", Platform: "Android"},
		Place:   access.Place{Name: "Office"},
	}
	if change != nil {
		change(&c)
	}
	c.ID = books.NewConnectionID(h.now, c.User)
	h.put(append(h.books.Connections.Put(c), h.books.Connections.Recorded(c.Application, h.now))...)
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
	name := map[string]string{}
	for i := range 70 {
		c := h.connection(fmt.Sprintf("c%02d", i), func(c *books.Connection) {
			c.User, c.Last, c.Count = fmt.Sprint("user", i%7), h.now.Add(-time.Duration(i)*time.Minute), uint64(i) //nolint:gosec // small
			c.Browser.Family = []string{"Chrome", "Safari"}[i%2]
			c.Place = access.Place{City: []string{"Laval", "Lyon"}[i%2], Country: []string{"CA", "FR"}[i%2]}
			c.Device.Kind = access.Kinds[i%4]
		})
		name[c.ID] = fmt.Sprintf("c%02d", i)
	}
	h.put(h.books.Users.Put(books.User{User: "user3", Name: "Zoé Ångström"}, books.User{})...)
	allowed := access.Rule{ID: "r", User: "user0", Application: "register", Effect: access.Allow, Place: access.PlaceKey{City: "Laval"}}
	h.put(h.books.Rules.Put(allowed)...)
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
		for _, m := range regexp.MustCompile(`id="c-([^"]+)"`).FindAllStringSubmatch(b.get("/connections?app=register&window=all"+query).body, -1) {
			list = append(list, name[m[1]])
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
	old := h.connection("old", func(c *books.Connection) { c.User, c.Adopted = "samuel", true })
	b := h.signIn(fixture.Marie.Email)
	preview := b.get("/padlock/register/close")
	for _, want := range []string{"1 person would be stopped", "samuel", "for the first time", `value="` + old.ID + `"`, "sign-in never seen"} {
		if !strings.Contains(preview.body, want) {
			t.Errorf("the preview lacks %q", want)
		}
	}
	if a := b.post("/padlock/register/close", "also", old.ID); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("closing: %d", a.StatusCode)
	}
	old, err := h.books.Connections.Get(t.Context(), "register", old.ID)
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
	a := b.post("/columns/move", "app", "register", "move", "in", "out", one.ID, "back", "/columns?app=register")
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
	b.post("/columns/move", "app", "register", "move", "out", "in", two.ID)
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

func TestAnUndoLeavesWhatAnotherAdminHasChangedSince(t *testing.T) {
	paul := fixture.Paul
	paul.Applications = nil
	h := build(t, fixture.Marie, paul)
	h.close("register")
	one, two, three := h.connection("one", nil), h.connection("two", nil), h.connection("three", nil)
	for _, c := range []books.Connection{one, two, three} {
		if _, err := h.gate.Authorise(t.Context(), c, gate.By{Who: "first@example.com"}); err != nil {
			t.Fatal(err)
		}
	}
	h.pass(time.Second)
	marie, other := h.signIn(fixture.Marie.Email), h.signIn(paul.Email)
	a := marie.post("/columns/move", "app", "register", "move", "out", "in", one.ID, "in", two.ID, "in", three.ID)
	undo := regexp.MustCompile(`name="undo" value="([^"]+)"`).FindStringSubmatch(marie.get(a.Header.Get("Location")).body)
	if undo == nil {
		t.Fatal("no offer to undo")
	}
	// Paul lets one in again, for his part; of another he forgets the device.
	h.pass(time.Second)
	other.get("/columns")
	other.post("/columns/move", "app", "register", "move", "in", "out", one.ID)
	if a := other.post("/people/julie/devices/device-three/forget"); a.StatusCode != http.StatusSeeOther {
		t.Fatal(a.StatusCode)
	}
	marie.get("/columns")
	a = marie.post("/columns/undo", "app", "register", "undo", undo[1])
	said := marie.get(a.Header.Get("Location")).body
	if !strings.Contains(said, "Taken back.") || !strings.Contains(said, "1 stays: Paul Lefebvre has changed it since.") || !strings.Contains(said, "1 stays: it has been changed since.") {
		t.Errorf("the page does not say what stayed, and why: %s %s", a.Header.Get("Location"), regexp.MustCompile(`(?s)data-toast.*?</div>`).FindString(said))
	}
	r, err := h.books.Rules.Of(t.Context(), "register", "julie")
	if err != nil {
		t.Fatal(err)
	}
	authors := map[string]string{}
	for _, rule := range r {
		authors[rule.Device] = rule.Author
	}
	want := map[string]string{"device-one": paul.Email, "device-two": "first@example.com"}
	if !maps.Equal(authors, want) {
		t.Errorf("the rules are by %v, not by %v", authors, want)
	}
	if a := marie.post("/columns/undo", "app", "register", "undo", undo[1]); !strings.Contains(a.Header.Get("Location"), "undo.late") {
		t.Errorf("undone twice: %s", a.Header.Get("Location"))
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
	if n := strings.Count(a.body, `name="out" value="0`); n != 12 {
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
	hers := h.connection("hers", nil)
	other := h.connection("others", func(c *books.Connection) { c.User = "samuel" })
	b := h.signIn(fixture.Marie.Email)
	a := b.get("/columns?app=register&person=julie")
	if !strings.Contains(a.body, `value="`+hers.ID+`"`) || strings.Contains(a.body, `value="`+other.ID+`"`) {
		t.Error("only hers are shown")
	}
	b.post("/columns/move", "app", "register", "person", "julie", "move", "all-in")
	if h.answer(other) == access.LetIn {
		t.Error("all of one person moves nobody else's")
	}
}
