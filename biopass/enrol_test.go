package biopass

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// B5, B6: not known yet, five lines, and on.
func TestEnrolment(t *testing.T) {
	s := newScene(t, always, Policy{}, Optional)
	typist := newTypist(1)
	why, other, err := s.SignedIn(t.Context(), shop, "julie", julie("", "").Device, true)
	if why != WhyEnrol || other || err != nil {
		t.Fatalf("%q %v %v", why, other, err)
	}
	s.begin(julie(WhyEnrol, "l1"))
	if p := s.page(); !strings.Contains(p, "Let your typing be your key.") || !strings.Contains(p, "Julie Tremblay") || strings.Contains(p, "data-bio ") {
		t.Errorf("the first page is not the one that asks: %s", p)
	}
	if got, code := s.call("/words", nil); code != http.StatusUnprocessableEntity || got.Why != "late" {
		t.Errorf("before the consent there are words: %d %+v", code, got)
	}
	s.form("/consent", url.Values{"keyboard": {"My\u202e desk"}})
	if p := s.page(); !strings.Contains(p, "<span data-line>1</span> of 5") {
		t.Error(p)
	}
	for n := 1; n <= 4; n++ {
		if got := s.types(typist); got.State != "line" || got.Line != n+1 || got.Of != 5 {
			t.Fatalf("line %d: %+v", n, got)
		}
		if cleared, _, err := s.Cleared(t.Context(), shop, "desk", "julie", "l1"); cleared || err != nil {
			t.Fatalf("after %d lines it is over: %v", n, err)
		}
	}
	if got := s.types(typist); got.State != "done" {
		t.Fatalf("the last line: %+v", got)
	}
	if p := s.page(); !strings.Contains(p, "Your key is cut.") || !strings.Contains(p, `value="tick"`) || !strings.Contains(p, `action="https://shop.example.com/login"`) {
		t.Error(p)
	}
	cleared, typed, err := s.Cleared(t.Context(), shop, "desk", "julie", "l1")
	if !cleared || typed || err != nil {
		t.Errorf("the sign-in: cleared %v, typed %v, %v", cleared, typed, err)
	}
	if cleared, _, _ := s.Cleared(t.Context(), shop, "desk", "julie", "l2"); cleared {
		t.Error("another sign-in is cleared too")
	}
	if cleared, _, _ := s.Cleared(t.Context(), shop, "desk", "marie", "l1"); cleared {
		t.Error("another user is cleared too")
	}
	if why, _, _ := s.SignedIn(t.Context(), shop, "julie", julie("", "").Device, true); why != "" {
		t.Errorf("enrolment shows again: %s", why)
	}
	a, err := s.Account(t.Context(), shop, "julie")
	if err != nil || len(a.Keyboards) != 1 || a.Keyboards[0].Prints != 5 || a.Keyboards[0].Name != "My\uFFFD desk" || a.Consented.IsZero() {
		t.Errorf("%+v %v", a, err)
	}
	if len(s.granted) != 0 {
		t.Error("enrolment authorises nothing")
	}
}

// B7: an admin's link, single use, for the user it was made for.
func TestAnotherKeyboardByLink(t *testing.T) {
	s := newScene(t, always, Policy{}, Optional)
	s.enrols(newTypist(1), julie(WhyEnrol, "l1"))
	token, _, err := s.MakeLink(t.Context(), shop, "julie", "marie@example.com", "cli")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadLink(t.Context(), shop, "samuel", token); !errors.Is(err, ErrLink) {
		t.Errorf("another user's link: %v", err)
	}
	if _, err := s.ReadLink(t.Context(), "other", "julie", token); !errors.Is(err, ErrLink) {
		t.Errorf("another application's link: %v", err)
	}
	for range 2 { // looking uses nothing up
		if _, err := s.ReadLink(t.Context(), shop, "julie", token); err != nil {
			t.Fatal(err)
		}
	}
	e := julie(WhyLink, "")
	e.Device.ID, s.holder.DeviceID = "laptop", "laptop"
	if _, err := s.UseLink(t.Context(), e, token); err != nil {
		t.Fatal(err)
	}
	if _, err := s.UseLink(t.Context(), e, token); !errors.Is(err, ErrLink) {
		t.Errorf("a used link: %v", err)
	}
	s.form("/consent", url.Values{"keyboard": {"laptop"}})
	for range EnrolPrints {
		s.types(newTypist(2))
	}
	a, err := s.Account(t.Context(), shop, "julie")
	if err != nil || len(a.Keyboards) != 2 || a.Keyboards[1].Name != "laptop" {
		t.Errorf("%+v %v", a, err)
	}
	token, until, err := s.MakeLink(t.Context(), shop, "julie", "marie@example.com", "cli")
	if err != nil {
		t.Fatal(err)
	}
	s.now = until.Add(time.Second)
	if _, err := s.UseLink(t.Context(), e, token); !errors.Is(err, ErrLink) {
		t.Errorf("a link that is over: %v", err)
	}
}

// B15: a no costs nothing but the shortcut, and is not asked again.
func TestDeclining(t *testing.T) {
	for _, c := range []struct {
		mode  Mode
		to    string
		asked int
	}{{Optional, BasePath, 0}, {Required, "/.cadenas/wait", 1}, {Always, "/.cadenas/wait", 1}} {
		s := newScene(t, always, Policy{}, c.mode)
		s.begin(julie(WhyEnrol, "l1"))
		if to := s.form("/decline", nil); to != c.to || len(s.asked) != c.asked {
			t.Errorf("%s: it leads to %s, asked %d", c.mode, to, len(s.asked))
		}
		if cleared, _, _ := s.Cleared(t.Context(), shop, "desk", "julie", "l1"); cleared != (c.asked == 0) {
			t.Errorf("%s: cleared %v", c.mode, cleared)
		}
		why, other, err := s.SignedIn(t.Context(), shop, "julie", julie("", "").Device, true)
		if why == WhyEnrol || (c.mode == Always) != (why == WhyAlways && other) || err != nil {
			t.Errorf("%s: the next sign-in: %q %v %v", c.mode, why, other, err)
		}
	}
}

func TestEnrolmentCanBePutOffUntilADate(t *testing.T) {
	s := newScene(t, always, Policy{}, Required)
	s.app.SkipUntil = s.now.Add(24 * time.Hour)
	s.begin(julie(WhyEnrol, "l1"))
	if p := s.page(); !strings.Contains(p, "Not now") {
		t.Error(p)
	}
	s.form("/skip", nil)
	if cleared, typed, _ := s.Cleared(t.Context(), shop, "desk", "julie", "l1"); !cleared || typed {
		t.Errorf("cleared %v, typed %v", cleared, typed)
	}
	if why, _, _ := s.SignedIn(t.Context(), shop, "julie", julie("", "").Device, false); why != "" {
		t.Errorf("a script is stopped by an offer: %s", why)
	}
	s.now = s.app.SkipUntil
	if why, _, _ := s.SignedIn(t.Context(), shop, "julie", julie("", "").Device, false); why != WhyEnrol {
		t.Errorf("past the date: %q", why)
	}
	s.begin(julie(WhyEnrol, "l2"))
	if p := s.page(); strings.Contains(p, "Not now") {
		t.Error("past the date it can be put off")
	}
	s.form("/skip", nil)
	if cleared, _, _ := s.Cleared(t.Context(), shop, "desk", "julie", "l2"); cleared {
		t.Error("past the date it was put off")
	}
}
