package adminui_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/biopass"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

// buildTyping is build with a store that has the house's clock: how long a line
// took is told by the store.
func buildTyping(t *testing.T, admins ...books.Admin) *house {
	t.Helper()
	var h *house
	st := memory.NewAt(func() time.Time {
		if h == nil {
			return time.Now()
		}
		return h.clock()
	})
	h = buildOn(t, st, admins...)
	return h
}

// types lets made-up hands type lines of an errand, and says what followed.
func (h *house) types(hands uint64, user, device string, why biopass.Why, lines int) biopass.Next {
	h.t.Helper()
	next, err := fixture.Type(h.t.Context(), h.typing, fixture.NewHands(hands), h.pass, user, device, why, lines)
	if err != nil || next.Refused != nil {
		h.t.Fatalf("%s typing: %v %v", user, err, next.Refused)
	}
	return next
}

func TestThePageOfAPersonSaysHowTheyStandWithBiopass(t *testing.T) {
	h := buildTyping(t, fixture.Marie)
	h.keep(h.plain("julie", "desk"))
	b := h.signIn(fixture.Marie.Email)
	if a := b.get("/people/julie"); !strings.Contains(a.body, "No prints yet.") {
		t.Error("before the first print")
	}
	if got := h.types(0, "julie", "desk", biopass.WhyEnrol, 5); got.Stage != biopass.Enrolled {
		t.Fatalf("not enrolled: %+v", got)
	}
	h.types(3, "julie", "strange", biopass.WhyAlways, 3) // somebody else's hands
	a := b.get("/people/julie")
	for _, want := range []string{"Agreed", "Windows computer", "5 prints", "No match yet", "0 matches, 3 lines that did not match, stopped 1 time", "Unless it is used before, all of it is erased on"} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, bad := range []string{"score", "threshold", "nats"} {
		if strings.Contains(strings.ToLower(a.body), bad) {
			t.Errorf("the page says %q", bad)
		}
	}
	if a := b.get("/activity?q=julie"); !strings.Contains(a.body, "did not type like themself") {
		t.Error("the activity is not in words")
	}
}

func TestAnAdminMakesALinkForAnotherKeyboard(t *testing.T) {
	h := buildTyping(t, fixture.Marie)
	h.keep(h.plain("julie", "desk"))
	julie := books.User{User: "julie", Name: "Julie Tremblay", Email: "julie@lucioles.example", Language: "fr"}
	h.put(store.Write{Key: h.books.Users.Key("julie"), Value: books.Encode(julie)})
	b := h.signIn(fixture.Marie.Email)
	b.get("/people/julie")
	a := b.post("/people/julie/biopass/link", "application", "register")
	_, rest, ok := strings.Cut(a.body, `value="https://register.example.com/.cadenas/biopass/link?k=`)
	if a.StatusCode != http.StatusOK || !ok {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	token, _, _ := strings.Cut(rest, `"`)
	if l, err := h.typing.ReadLink(t.Context(), "register", "julie", token); err != nil || l.By != fixture.Marie.Email {
		t.Errorf("the link: %+v %v", l, err)
	}
	if _, err := h.typing.ReadLink(t.Context(), "register", "fatou", token); err == nil {
		t.Error("it is good for somebody else")
	}
	if !strings.Contains(a.body, `href="mailto:julie@lucioles.example?`) || !strings.Contains(a.body, "Un%20autre%20clavier") {
		t.Error("no e-mail in her language can be written with it")
	}
	for _, app := range []string{"pay", "nowhere"} {
		if a := b.post("/people/julie/biopass/link", "application", app); a.StatusCode == http.StatusOK {
			t.Errorf("a link for %s", app)
		}
	}
}

func TestAnAdminExportsAndErasesWhatBiopassKeeps(t *testing.T) {
	h := buildTyping(t, fixture.Marie)
	h.keep(h.plain("julie", "desk"))
	h.types(0, "julie", "desk", biopass.WhyEnrol, 5)
	b := h.signIn(fixture.Marie.Email)
	a := b.get("/people/julie/biopass.json")
	var all []struct {
		Application, User string
		Keyboards         []struct {
			Name, Kind string
			Prints     int
			Made       time.Time
		}
	}
	if err := json.Unmarshal([]byte(a.body), &all); err != nil || len(all) != 1 || all[0].User != "julie" || len(all[0].Keyboards) != 1 || all[0].Keyboards[0].Prints != 5 || all[0].Keyboards[0].Made.IsZero() {
		t.Errorf("the export: %v %s", err, a.body)
	}
	if !strings.Contains(a.Header.Get("Content-Disposition"), "attachment") || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("it is no download: %v", a.Header)
	}
	b.get("/people/julie")
	if a := b.post("/people/julie/biopass/erase", "application", "register"); !strings.Contains(a.body, "Erase what Biopass keeps of") {
		t.Errorf("it does not ask first: %d", a.StatusCode)
	}
	if k, err := h.typing.Account(t.Context(), "register", "julie"); err != nil || len(k.Keyboards) != 1 {
		t.Fatalf("one press erased: %+v %v", k, err)
	}
	if a := b.post("/people/julie/biopass/erase", "application", "register", "sure", "1"); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("erasing: %d %s", a.StatusCode, a.body)
	}
	if k, err := h.typing.Account(t.Context(), "register", "julie"); err != nil || k.Kept() {
		t.Errorf("kept: %+v %v", k, err)
	}
	if a := b.get("/activity?q=julie"); !strings.Contains(a.body, "erased the Biopass prints of") {
		t.Error("the activity does not say who erased")
	}
}

func TestAnAdminRenamesAndErasesOneKeyboard(t *testing.T) {
	h := buildTyping(t, fixture.Marie)
	h.keep(h.plain("julie", "desk"))
	h.types(0, "julie", "desk", biopass.WhyEnrol, 5)
	kept := func() []biopass.AccountKeyboard {
		t.Helper()
		a, err := h.typing.Account(t.Context(), "register", "julie")
		if err != nil {
			t.Fatal(err)
		}
		return a.Keyboards
	}
	id := kept()[0].ID
	b := h.signIn(fixture.Marie.Email)
	if a := b.get("/people/julie"); !strings.Contains(a.body, `action="/people/julie/biopass/name"`) || !strings.Contains(a.body, `name="keyboard" value="`+id+`"`) {
		t.Error("the page offers no other name")
	}
	if a := b.post("/people/julie/biopass/name", "application", "register", "keyboard", id, "name", "Front desk"); a.StatusCode != http.StatusSeeOther || kept()[0].Name != "Front desk" {
		t.Errorf("renaming: %d %+v", a.StatusCode, kept())
	}
	if a := b.post("/people/julie/biopass/name", "application", "register", "keyboard", id, "name", " "); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, "A keyboard needs a name") {
		t.Errorf("no name: %d", a.StatusCode)
	}
	b.get("/people/julie")
	a := b.post("/people/julie/biopass/erase", "application", "register", "keyboard", id)
	if !strings.Contains(a.body, "Front desk") || !strings.Contains(a.body, "It is the only one") || len(kept()) != 1 {
		t.Errorf("it does not ask first: %d", a.StatusCode)
	}
	if a := b.post("/people/julie/biopass/erase", "application", "register", "keyboard", "none", "sure", "1"); a.StatusCode != http.StatusNotFound || len(kept()) != 1 {
		t.Errorf("another keyboard: %d", a.StatusCode)
	}
	if a := b.post("/people/julie/biopass/erase", "application", "register", "keyboard", id, "sure", "1"); a.StatusCode != http.StatusSeeOther || len(kept()) != 0 {
		t.Errorf("erasing: %d %+v", a.StatusCode, kept())
	}
	if k, err := h.typing.Account(t.Context(), "register", "julie"); err != nil || k.Consented.IsZero() {
		t.Error("the consent went too")
	}
	a = b.get("/activity?q=julie")
	for _, want := range []string{"erased a keyboard in Biopass of", "renamed a keyboard in Biopass of", "Front desk"} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the activity lacks %q", want)
		}
	}
}

func TestThreat_L23_AnAdminOfAnotherApplicationSeesNoPrints(t *testing.T) {
	h := buildTyping(t, fixture.Marie, books.Admin{Email: "pay@lucioles.example", Name: "Payroll", Applications: []string{"pay"}})
	one, two := h.plain("julie", "desk"), h.plain("julie", "desk")
	two.Application = "pay"
	h.keep(one, two)
	h.types(0, "julie", "desk", biopass.WhyEnrol, 5)
	b := h.signIn("pay@lucioles.example")
	if a := b.get("/people/julie"); a.StatusCode != http.StatusOK || strings.Contains(a.body, "prints") {
		t.Errorf("prints of the register: %d", a.StatusCode)
	}
	if a := b.get("/people/julie/biopass.json"); strings.TrimSpace(a.body) != "[]" {
		t.Errorf("the export: %s", a.body)
	}
	for _, what := range []string{"link", "erase", "name"} {
		if a := b.post("/people/julie/biopass/"+what, "application", "register", "sure", "1"); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", what, a.StatusCode)
		}
	}
}
