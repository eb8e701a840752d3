package biopass

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
)

// B8: a match goes through, and authorises.
func TestAMatchGoesThrough(t *testing.T) {
	s := newScene(t, always, Policy{}, Optional)
	typist := newTypist(1)
	s.enrols(typist, julie(WhyEnrol, "l1"))
	s.now = s.now.Add(time.Hour)
	e := s.begin(julie(WhyPolicy, "l2"))
	if p := s.page(); !strings.Contains(p, "Type these four words.") || !strings.Contains(p, "Ask an admin instead") {
		t.Error(p)
	}
	if got := s.types(typist); got.State != "done" {
		t.Fatalf("%+v", got)
	}
	if len(s.granted) != 1 || s.granted[0].Login != "l2" || s.granted[0].Device.ID != "desk" {
		t.Errorf("granted: %+v", s.granted)
	}
	if cleared, typed, err := s.Cleared(t.Context(), shop, "desk", "julie", "l2"); !cleared || !typed || err != nil {
		t.Errorf("%v %v %v", cleared, typed, err)
	}
	if p := s.page(); !strings.Contains(p, "It is you.") {
		t.Error(p)
	}
	// A token's sign-in is done once more, and only once.
	if err := s.Repeat(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if cleared, _, _ := s.Cleared(t.Context(), shop, "desk", "julie", "l3"); !cleared {
		t.Error("the sign-in that had to be repeated is not cleared")
	}
	if cleared, _, _ := s.Cleared(t.Context(), shop, "desk", "julie", "l4"); cleared {
		t.Error("one more sign-in is cleared")
	}
}

// B11, B12: three tries, then approval.
func TestNoMatchThreeTimesLeadsToAnAdmin(t *testing.T) {
	s := newScene(t, never, Policy{}, Optional)
	s.enrols(newTypist(1), julie(WhyEnrol, "l1"))
	s.begin(julie(WhyPolicy, "l2"))
	for n := 2; n <= 3; n++ {
		if got := s.types(newTypist(9)); got.State != "again" {
			t.Fatalf("%+v", got)
		}
		if p := s.page(); !strings.Contains(p, "try other words") || !strings.Contains(p, "This is try "+string(rune('0'+n))+" of 3") {
			t.Error(p)
		}
	}
	// A reload, or another sign-in, is no new start.
	s.begin(julie(WhyPolicy, "l3"))
	if got := s.types(newTypist(9)); got.State != "stopped" {
		t.Fatalf("%+v", got)
	}
	if p := s.page(); !strings.Contains(p, "3\u00a0tries, so we stop here.") {
		t.Error(p)
	}
	if got, code := s.call("/words", nil); code != http.StatusUnprocessableEntity {
		t.Errorf("there are more words: %+v", got)
	}
	if to := s.form("/ask", nil); to != "/.cadenas/wait" || len(s.asked) != 1 {
		t.Errorf("asking leads to %s, asked %d", to, len(s.asked))
	}
	if len(s.granted) != 0 || len(s.locked) != 0 {
		t.Error("something was granted or locked")
	}
	// Spellings of the name share the count (threat L16), for a day.
	for _, user := range []string{"julie", "JULIE", "ju.lie"} {
		if able, err := s.Able(t.Context(), shop, user, julie("", "").Device); able || err != nil {
			t.Errorf("%s may try on: %v", user, err)
		}
	}
	if err := s.Forgive(t.Context(), shop, "julie"); err != nil {
		t.Fatal(err)
	}
	if able, err := s.Able(t.Context(), shop, "julie", julie("", "").Device); !able || err != nil {
		t.Errorf("after an admin let her in: %v %v", able, err)
	}
}

// B12: or the lock.
func TestNoMatchThreeTimesLocks(t *testing.T) {
	s := newScene(t, never, Policy{Lock: true, Attempts: 4}, Optional)
	s.enrols(newTypist(1), julie(WhyEnrol, "l1"))
	s.begin(julie(WhyPolicy, "l2"))
	for n, want := range []string{"again", "again", "again", "stopped"} {
		if got := s.types(newTypist(9)); got.State != want {
			t.Fatalf("try %d: %+v", n+1, got)
		}
	}
	if len(s.locked) != 1 || s.locked[0].Person.User != "julie" {
		t.Errorf("locked: %+v", s.locked)
	}
	if p := s.page(); !strings.Contains(p, "this account is now locked") || strings.Contains(p, "<form") {
		t.Error(p)
	}
}

// B13: a trial records, and begins again.
func TestATrialOnlyRecords(t *testing.T) {
	s := newScene(t, never, Policy{Lock: true, Trial: true}, Optional)
	s.enrols(newTypist(1), julie(WhyEnrol, "l1"))
	s.begin(julie(WhyPolicy, "l2"))
	for n := range 7 {
		if got := s.types(newTypist(9)); got.State != "again" {
			t.Fatalf("try %d: %+v", n+1, got)
		}
	}
	if len(s.locked) != 0 || len(s.granted) != 0 {
		t.Error("a trial locked or granted")
	}
	entries, err := s.conf.Books.Audit.Newest(t.Context(), shop, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	would := 0
	for _, e := range entries {
		if e.What == "biopass.trial" && e.Detail["would"] == "lock" {
			would++
		}
	}
	if would != 2 {
		t.Errorf("what would have happened is recorded %d times, want 2", would)
	}
}

func TestAPhoneIsNoDeadEnd(t *testing.T) {
	s := newScene(t, always, Policy{}, Always)
	phone := access.Device{ID: "phone", Kind: access.Phone}
	if able, _ := s.Able(t.Context(), shop, "julie", phone); able {
		t.Error("a phone is asked to type")
	}
	if why, other, _ := s.SignedIn(t.Context(), shop, "julie", phone, true); why != WhyAlways || !other {
		t.Errorf("%q %v", why, other)
	}
	e := julie(WhyPolicy, "l1")
	e.Device.Kind = access.Tablet
	s.begin(e)
	p := s.page()
	if !strings.Contains(p, "This needs a keyboard with keys.") || !strings.Contains(p, BasePath+"/ask") || !strings.Contains(p, "?keyboard=1") {
		t.Error(p)
	}
	if to := s.form("/ask", nil); to != "/.cadenas/wait" || len(s.asked) != 1 {
		t.Errorf("it leads to %s", to)
	}
}
