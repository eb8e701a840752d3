package biopass

import (
	"errors"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
)

var byJulie = books.Entry{Who: "user:julie", From: "203.0.113.7", Via: "gate"}

// twoKeyboards is a scene in which Julie has typed on two.
func twoKeyboards(t *testing.T) (s *scene, desk, laptop AccountKeyboard) {
	t.Helper()
	s = newScene(t, always, Policy{}, Optional)
	s.enrols(newTypist(1), julie(WhyEnrol, "l1"))
	token, _, err := s.MakeLink(t.Context(), shop, "julie", "marie@example.com", "cli")
	if err != nil {
		t.Fatal(err)
	}
	e := julie(WhyLink, "")
	e.Device.ID, s.holder.DeviceID = "laptop", "laptop"
	if _, err := s.UseLink(t.Context(), e, token); err != nil {
		t.Fatal(err)
	}
	s.form("/consent", url.Values{"keyboard": {"Laptop"}})
	for range EnrolPrints {
		s.types(newTypist(2))
	}
	s.now = s.now.Add(time.Second) // the audit sorts by time
	a := s.account()
	if len(a.Keyboards) != 2 {
		t.Fatalf("%+v", a)
	}
	return s, a.Keyboards[0], a.Keyboards[1]
}

func (s *scene) account() Account {
	s.t.Helper()
	a, err := s.Account(s.t.Context(), shop, "julie")
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// last is the newest entry of the audit.
func (s *scene) last() books.Entry {
	s.t.Helper()
	list, err := s.conf.Books.Audit.Newest(s.t.Context(), shop, "", 1)
	if err != nil || len(list) != 1 {
		s.t.Fatal(list, err)
	}
	return list[0]
}

func TestOneKeyboardIsErasedAndTheOtherStays(t *testing.T) {
	s, desk, laptop := twoKeyboards(t)
	before := s.account()
	s.now = s.now.Add(time.Hour)
	name, err := s.EraseKeyboard(t.Context(), shop, "julie", desk.ID, byJulie)
	if err != nil || name != desk.Name {
		t.Fatal(name, err)
	}
	a := s.account()
	if len(a.Keyboards) != 1 || a.Keyboards[0] != laptop || a.Consented != before.Consented {
		t.Errorf("%+v", a)
	}
	if a.Forgotten != before.Forgotten {
		t.Error("erasing prolongs how long the rest is kept")
	}
	if e := s.last(); e.What != "biopass.keyboard.erase" || e.Who != "user:julie" || e.From != "203.0.113.7" || e.Subject != "julie" || e.Detail["keyboard"] != desk.Name {
		t.Errorf("the audit: %+v", e)
	}
	if _, err := s.EraseKeyboard(t.Context(), shop, "julie", desk.ID, byJulie); !errors.Is(err, ErrNoKeyboard) {
		t.Errorf("once more: %v", err)
	}
	if _, err := s.EraseKeyboard(t.Context(), shop, "samuel", laptop.ID, byJulie); !errors.Is(err, ErrNoKeyboard) {
		t.Errorf("of somebody else: %v", err)
	}
	if _, err := s.EraseKeyboard(t.Context(), "other", "julie", laptop.ID, byJulie); !errors.Is(err, ErrNoKeyboard) {
		t.Errorf("in another application: %v", err)
	}
}

func TestTheLastKeyboardErasedIsAskedForAgain(t *testing.T) {
	s := newScene(t, always, Policy{}, Always)
	e := julie(WhyEnrol, "l1")
	s.enrols(newTypist(1), e)
	if why, other, err := s.SignedIn(t.Context(), shop, "julie", e.Device, true); why != WhyAlways || other || err != nil {
		t.Fatal(why, other, err)
	}
	if _, err := s.EraseKeyboard(t.Context(), shop, "julie", s.account().Keyboards[0].ID, byJulie); err != nil {
		t.Fatal(err)
	}
	if a := s.account(); len(a.Keyboards) != 0 || a.Consented.IsZero() || !a.Kept() {
		t.Errorf("%+v", a)
	}
	if why, other, err := s.SignedIn(t.Context(), shop, "julie", e.Device, true); why != WhyEnrol || other || err != nil {
		t.Errorf("%q %v %v", why, other, err)
	}
	if able, err := s.Able(t.Context(), shop, "julie", e.Device); able || err != nil {
		t.Errorf("able to type against nothing: %v %v", able, err)
	}
	w := httptest.NewRecorder()
	if err := WritePrints(w, httptest.NewRequest("GET", PrintsPath, nil), lang.For("en"), PrintsPage{Application: "Shop", Account: s.account()}); err != nil || !strings.Contains(w.Body.String(), "No prints are kept, only that you agreed, on") {
		t.Errorf("%v %s", err, w.Body)
	}
}

func TestAKeyboardIsRenamed(t *testing.T) {
	s, desk, laptop := twoKeyboards(t)
	before, now, err := s.RenameKeyboard(t.Context(), shop, "julie", laptop.ID, "  Home\u202e ", byJulie)
	if err != nil || before != "Laptop" || now != "Home\ufffd" {
		t.Fatalf("%q %q %v", before, now, err)
	}
	if a := s.account(); a.Keyboards[0] != desk || a.Keyboards[1].Name != now || a.Keyboards[1].Prints != EnrolPrints {
		t.Errorf("%+v", a)
	}
	if e := s.last(); e.What != "biopass.keyboard.rename" || e.Detail["keyboard"] != now || e.Detail["before"] != "Laptop" {
		t.Errorf("the audit: %+v", e)
	}
	for name, want := range map[string]error{" \t": ErrNoName, "": ErrNoName} {
		if _, _, err := s.RenameKeyboard(t.Context(), shop, "julie", laptop.ID, name, byJulie); !errors.Is(err, want) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, _, err := s.RenameKeyboard(t.Context(), shop, "julie", "none", "Home", byJulie); !errors.Is(err, ErrNoKeyboard) {
		t.Error(err)
	}
	if _, now, _ := s.RenameKeyboard(t.Context(), shop, "julie", laptop.ID, strings.Repeat("é", 200), byJulie); len([]rune(now)) != MaxKeyboardName {
		t.Errorf("%d characters", len([]rune(now)))
	}
}

func TestAWordMeansAKeyboardByIdentifierOrByName(t *testing.T) {
	a := Account{Keyboards: []AccountKeyboard{{ID: "a1", Name: "Desk"}, {ID: "a2", Name: "desk"}, {ID: "a3", Name: "a1"}}}
	for word, want := range map[string]int{"a1": 1, "a3": 1, "DESK": 2, "none": 0, "": 0} {
		if got := a.Called(word); len(got) != want {
			t.Errorf("%q: %+v", word, got)
		}
	}
	if got := a.Called("a1"); got[0].Name != "Desk" {
		t.Error("a name stands before an identifier")
	}
}

func TestBeforeErasingThePageAsks(t *testing.T) {
	k := AccountKeyboard{ID: "k1", Name: "Home \u202e laptop", Prints: 5}
	for name, c := range map[string]struct {
		page     ErasePage
		language string
		want     []string
	}{
		"one of several": {ErasePage{Application: "Shop", Keyboard: &k}, "en", []string{"Erase “<bdi>Home \ufffd laptop</bdi>”?", "Its 5\u00a0prints go for good.", "Your other keyboards stay.", `name="keyboard" value="k1"`}},
		"the only one":   {ErasePage{Application: "Shop", Keyboard: &k, Last: true}, "fr", []string{"C’est le seul", "Ses 5\u00a0empreintes"}},
		"all of it":      {ErasePage{Application: "Shop"}, "en", []string{"Erase all that Biopass keeps of you?", `name="all" value="1"`}},
	} {
		w := httptest.NewRecorder()
		if err := WriteErase(w, httptest.NewRequest("GET", PrintsPath+"/erase?keyboard=k1", nil), lang.For(c.language), c.page); err != nil {
			t.Fatal(err)
		}
		for _, want := range append(c.want, `method="post" action="/.cadenas/biopass/prints/erase"`) {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s lacks %q\n%s", name, want, w.Body)
			}
		}
	}
}
