package biopass

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
)

func (s *scene) offered(e Errand) bool {
	s.t.Helper()
	due, err := s.Offer(s.t.Context(), shop, e.Person.User, e.Device)
	if err != nil {
		s.t.Fatal(err)
	}
	return due
}

// Where a header or a token names people there is no sign-in to hold back:
// enrolment stands before a page, and every way leads on from it.
func TestWithoutAWatchedSignInEnrolmentIsOfferedBeforeAPage(t *testing.T) {
	for _, c := range []struct {
		name   string
		mode   Mode
		way    string
		again  bool // it is offered again at once
		nextIn time.Duration
		later  bool // and after that long
	}{
		{"who says not now is asked again the next day", Optional, "/skip", false, laterFor, true},
		{"where it is required it cannot be put off", Required, "/skip", true, 0, true},
		{"who declines is not asked again", Optional, "/decline", false, laterFor, false},
		{"where it is required too", Required, "/decline", false, laterFor, false},
		{"nobody is asked who has nothing to wait for", Required, "/ask", true, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t, always, Policy{}, c.mode)
			e := julie(WhyEnrol, "")
			if !s.offered(e) {
				t.Fatal("it is not offered")
			}
			s.begin(e)
			if to := s.form(c.way, nil); to != BasePath {
				t.Errorf("it leads to %s", to)
			}
			if len(s.asked) != 0 {
				t.Error("an admin is asked about a connection that is allowed")
			}
			if s.offered(e) != c.again {
				t.Errorf("offered again at once: %v", !c.again)
			}
			s.now = s.now.Add(c.nextIn)
			if s.offered(e) != c.later {
				t.Errorf("offered later: %v", !c.later)
			}
		})
	}
}

func TestAnOfferEndsWithFivePrintsAndIsForKeyboardsOnly(t *testing.T) {
	s := newScene(t, always, Policy{}, Required)
	e := julie(WhyEnrol, "")
	phone := e
	phone.Device = access.Device{ID: "phone", Kind: access.Phone}
	if s.offered(phone) {
		t.Error("on a phone")
	}
	s.begin(e)
	if p := s.page(); !strings.Contains(p, "No, thank you") || strings.Contains(p, "Not now") {
		t.Error("a no costs nothing, and it cannot be put off")
	}
	s.form("/consent", url.Values{"keyboard": {"desk"}})
	typist := newTypist(1)
	for range EnrolPrints {
		s.types(typist)
	}
	if s.offered(e) {
		t.Error("with five prints it is offered again")
	}
	if why, _, _ := s.SignedIn(t.Context(), shop, "julie", e.Device, true); why != "" {
		t.Errorf("%s", why)
	}
}
