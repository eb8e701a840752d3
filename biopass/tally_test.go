package biopass

import (
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
)

func TestWhatCameOfTypingIsCounted(t *testing.T) {
	s := newScene(t, never, Policy{}, Optional)
	s.enrols(newTypist(1), julie(WhyEnrol, "l1"))
	before, err := s.Account(t.Context(), shop, "julie")
	if err != nil || before.Tally != (Tally{}) {
		t.Fatalf("enrolment counts: %+v %v", before.Tally, err)
	}
	s.now = s.now.Add(time.Hour)
	s.begin(julie(WhyAlways, "l2"))
	for range LeastAttempts {
		s.types(newTypist(9))
	}
	a, err := s.Account(t.Context(), shop, "julie")
	if err != nil || a.Tally.Missed != 3 || a.Tally.Stopped != 1 || a.Tally.Matched != 0 || !a.Tally.LastMissed.After(before.Last) {
		t.Errorf("%+v %v", a.Tally, err)
	}
	if a.Forgotten != before.Forgotten {
		t.Error("a stranger's failures prolong how long prints are kept")
	}
	if found, err := s.Erase(t.Context(), shop, "julie", books.Entry{Who: "user:julie", Via: "gate"}); !found || err != nil {
		t.Fatal(found, err)
	}
	if a, err := s.Account(t.Context(), shop, "julie"); err != nil || a.Kept() {
		t.Errorf("after the erasure: %+v %v", a, err)
	}
}

func TestATrialCountsWhatWouldHaveBeen(t *testing.T) {
	s := newScene(t, never, Policy{Trial: true}, Optional)
	owner := newTypist(1)
	s.enrols(owner, julie(WhyEnrol, "l1"))
	s.begin(julie(WhyAlways, "l2"))
	for range LeastAttempts {
		s.types(newTypist(9))
	}
	if a, err := s.Account(t.Context(), shop, "julie"); err != nil || a.Tally.TrialStopped != 1 || a.Tally.Stopped != 0 || a.Tally.Missed != 3 {
		t.Errorf("%+v %v", a.Tally, err)
	}
	s.conf.Model = model(t, always)
	s.types(owner)
	if a, err := s.Account(t.Context(), shop, "julie"); err != nil || a.Tally.TrialMatched != 1 || a.Tally.Matched != 1 || a.Tally.LastMatched.IsZero() {
		t.Errorf("%+v %v", a.Tally, err)
	}
}
