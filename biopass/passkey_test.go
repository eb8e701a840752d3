package biopass

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/passkey"
	"github.com/cadenas-gateway/cadenas/passkey/passkeytest"
	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store"
)

// newKeyScene is a scene whose application takes passkeys.
func newKeyScene(t *testing.T, mode Mode) *scene {
	t.Helper()
	s := newScene(t, always, Policy{}, mode)
	ring, err := seal.NewRing(map[byte][]byte{1: seal.NewKey()}, 1)
	if err != nil {
		t.Fatal(err)
	}
	party, err := passkey.NewParty("https://gate.example.com", "Shop", s.keyBook(), func() *seal.Ring { return ring })
	if err != nil {
		t.Fatal(err)
	}
	s.conf.Passkeys = func(string) *passkey.Party { return party }
	return s
}

func (s *scene) device() *passkeytest.Authenticator {
	s.t.Helper()
	a, err := passkeytest.New("https://gate.example.com")
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// options asks for what the device is asked, below the page.
func (s *scene) options(path string) []byte {
	s.t.Helper()
	w := s.do(http.MethodPost, path, "", nil)
	if w.Code != http.StatusOK {
		s.t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	return w.Body.Bytes()
}

// sends posts a device's answer, and returns what the person is told, "" where
// it was taken.
func (s *scene) sends(path string, answer []byte) string {
	s.t.Helper()
	w := s.do(http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(url.Values{"answer": {string(answer)}}.Encode()))
	to, err := url.Parse(w.Header().Get("Location"))
	if err != nil || w.Code != http.StatusSeeOther {
		s.t.Fatalf("%s: %d to %q", path, w.Code, w.Header().Get("Location"))
	}
	return to.Query().Get("said")
}

// adds lets the person of the errand that is open add a passkey.
func (s *scene) adds(a *passkeytest.Authenticator) string {
	s.t.Helper()
	answer, err := a.Make(s.options("/passkey/new/options"))
	if err != nil {
		s.t.Fatal(err)
	}
	return s.sends("/passkey/new", answer)
}

func (s *scene) stage(device string) Stage {
	s.t.Helper()
	e, _, err := s.Errand(s.t.Context(), shop, device)
	if err != nil {
		s.t.Fatal(err)
	}
	return e.Stage
}

func TestAPasskeyTakesThePlaceOfTyping(t *testing.T) {
	s := newKeyScene(t, Always)
	a := s.device()
	s.begin(julie(WhyEnrol, "l1"))
	if said := s.adds(a); said != "" || s.stage("desk") != Enrolled {
		t.Fatalf("adding one: %q, %q", said, s.stage("desk"))
	}
	if why, other, err := s.SignedIn(t.Context(), shop, "julie", access.Device{ID: "phone", Kind: access.Phone}, true); why != WhyAlways || other || err != nil {
		t.Fatalf("on a phone, where each sign-in is confirmed: %q %v %v", why, other, err)
	}
	s.now = s.now.Add(1e9)
	s.begin(julie(WhyAlways, "l2"))
	answer, err := a.Answer(s.options("/passkey/options"))
	if err != nil {
		t.Fatal(err)
	}
	if said := s.sends("/passkey", answer); said != "" || s.stage("desk") != Passed || len(s.granted) != 1 {
		t.Fatalf("using it: %q, %q, %d grants", said, s.stage("desk"), len(s.granted))
	}
	if f, err := s.Factor(t.Context(), shop, "desk"); f != "passkey" || err != nil {
		t.Errorf("the factor is %q, %v", f, err)
	}
	if cleared, typed, err := s.Cleared(t.Context(), shop, "desk", "julie", "l2"); !cleared || !typed || err != nil {
		t.Errorf("the sign-in: %v %v %v", cleared, typed, err)
	}
	if said := s.sends("/passkey", answer); said != "late" || len(s.granted) != 1 {
		t.Errorf("the same answer again: %q, %d grants", said, len(s.granted))
	}
}

func TestWhenAPasskeyIsNotTaken(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(s *scene)
		want string
	}{
		{"its owner is locked", func(s *scene) {
			_, err := s.conf.Books.Users.Update(t.Context(), "julie", func(u *books.User) ([]store.Write, bool, error) {
				u.Locked = map[string]books.Mark{shop: {By: "marie"}}
				return nil, true, nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}, "refused"},
		{"it was removed", func(s *scene) {
			if _, err := s.Erase(t.Context(), shop, "julie", books.Entry{Who: "marie", Via: "console"}); err != nil {
				t.Fatal(err)
			}
		}, "refused"},
		{"another sign-in came on that device", func(s *scene) { s.begin(julie(WhyAlways, "l3")) }, "late"},
		{"somebody else signs in on that device", func(s *scene) {
			e := julie(WhyAlways, "l2")
			e.Person = access.Person{User: "eve"}
			s.begin(e)
		}, "late"},
		{"it takes longer than a challenge lives", func(s *scene) { s.now = s.now.Add(passkey.ChallengeLife + 1e9) }, "late"},
		{"the application takes none any more", func(s *scene) { s.conf.Passkeys = nil }, "late"},
	} {
		s := newKeyScene(t, Always)
		a := s.device()
		s.begin(julie(WhyEnrol, "l1"))
		s.adds(a)
		s.begin(julie(WhyAlways, "l2"))
		answer, err := a.Answer(s.options("/passkey/options"))
		if err != nil {
			t.Fatal(err)
		}
		c.do(s)
		if said := s.sends("/passkey", answer); said != c.want || len(s.granted) != 0 {
			t.Errorf("where %s: %q, %d grants", c.name, said, len(s.granted))
		}
	}
}

func TestAPasskeyIsNotAddedInThePlaceOfProvingOneself(t *testing.T) {
	s := newKeyScene(t, Always)
	a := s.device()
	e := s.begin(julie(WhyAlways, "l1")) // Julie is asked to confirm
	if w := s.do(http.MethodPost, "/passkey/new/options", "", nil); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("the options: %d", w.Code)
	}
	made, err := a.Make([]byte(`{"challenge":"AAAA","rp":{"id":"gate.example.com"},"user":{"id":"AAAA"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if said := s.sends("/passkey/new", made); said != "late" || s.stage(e.Device.ID) != Open {
		t.Errorf("adding: %q, %q", said, s.stage(e.Device.ID))
	}
	for name, c := range map[string]struct {
		confirmed bool
		ready     bool
		want      bool
	}{
		"a first one, where one is let in":               {want: true},
		"a further one, by the password alone":           {ready: true},
		"a further one, where the sign-in was confirmed": {ready: true, confirmed: true, want: true},
	} {
		s := newKeyScene(t, Always)
		if c.ready {
			s.begin(julie(WhyEnrol, "l1"))
			s.adds(s.device())
		}
		if may, err := s.MayAddKey(t.Context(), shop, "julie", c.confirmed); may != c.want || err != nil {
			t.Errorf("%s: %v, %v", name, may, err)
		}
	}
}
