package passkey_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/passkey"
	"github.com/cadenas-gateway/cadenas/passkey/passkeytest"
	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

const origin = "https://gate.example.com"

var (
	marie = passkey.Owner{Name: "marie@lucioles.example"}
	paul  = passkey.Owner{Name: "paul@lucioles.example"}
	julie = passkey.Owner{Application: "register", Name: "julie"}
)

// stand is a party with a clock one can turn.
type stand struct {
	*passkey.Party
	t    *testing.T
	st   store.Store
	ring *seal.Ring
	now  time.Time
}

func newStand(t *testing.T) *stand {
	t.Helper()
	ring, err := seal.NewRing(map[byte][]byte{1: seal.NewKey()}, 1)
	if err != nil {
		t.Fatal(err)
	}
	s := &stand{t: t, st: memory.New(), ring: ring, now: time.Now()}
	s.Party = s.at(origin)
	return s
}

// at is another party on the same store: another instance, or another host.
func (s *stand) at(address string) *passkey.Party {
	s.t.Helper()
	book := passkey.NewBook(s.st, func() time.Time { return s.now })
	p, err := passkey.NewParty(address, "Cadenas", book, func() *seal.Ring { return s.ring })
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

var note = books.Entry{Who: "somebody", Via: "console"}

// made returns a value that cannot fail here.
func made[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (s *stand) bytes(b []byte, err error) []byte {
	s.t.Helper()
	return made[[]byte](s.t)(b, err)
}

// register makes a passkey for an owner.
func (s *stand) register(o passkey.Owner) (*passkeytest.Authenticator, passkey.Passkey) {
	s.t.Helper()
	s.now = s.now.Add(time.Second) // lines of the audit are sorted by time
	a := made[*passkeytest.Authenticator](s.t)(passkeytest.New(origin))
	answer := s.bytes(a.Make(s.bytes(s.BeginAdd(s.t.Context(), o, "Somebody", "session"))))
	return a, made[passkey.Passkey](s.t)(s.Add(s.t.Context(), o, "session", "Phone", answer, note))
}

// signIn answers with an authenticator at the console's door.
func (s *stand) signIn(a *passkeytest.Authenticator) (passkey.Owner, error) {
	s.t.Helper()
	s.now = s.now.Add(time.Second)
	o, _, err := s.Check(s.t.Context(), "door", s.bytes(a.Answer(s.bytes(s.Begin("door")))), note)
	return o, err
}

func (s *stand) audit(application string) []string {
	s.t.Helper()
	list := made[[]books.Entry](s.t)(books.New(s.st).Audit.Newest(s.t.Context(), application, "", 20))
	var what []string
	for _, e := range list {
		what = append(what, e.What+" "+e.Subject)
	}
	return what
}

func TestAPasskeySignsItsOwnerIn(t *testing.T) {
	s := newStand(t)
	a, _ := s.register(marie)
	b, _ := s.register(paul)
	for range 3 {
		if o, err := s.signIn(a); err != nil || o != marie {
			t.Fatalf("Marie's: %v, %v", o, err)
		}
		if o, err := s.signIn(b); err != nil || o != paul {
			t.Fatalf("Paul's: %v, %v", o, err)
		}
	}
	list := made[[]passkey.Passkey](t)(s.Of(t.Context(), marie))
	if len(list) != 1 || list[0].Name != "Phone" || list[0].Used.IsZero() || !list[0].Copied.IsZero() || list[0].Host != "gate.example.com" {
		t.Errorf("kept: %+v", list)
	}
	if got := s.audit(""); len(got) != 2 || got[1] != "passkey.add marie@lucioles.example" {
		t.Errorf("audit: %v", got)
	}
}

func TestAnswersThatProveNothing(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(s *stand, a *passkeytest.Authenticator, k passkey.Passkey)
		want error
	}{
		{"of a page on another origin", func(_ *stand, a *passkeytest.Authenticator, _ passkey.Passkey) {
			a.Origin = "https://gate.example.com.evil.example"
		}, passkey.ErrRefused},
		{"of the same host on another port", func(_ *stand, a *passkeytest.Authenticator, _ passkey.Passkey) { a.Origin = origin + ":8443" }, passkey.ErrRefused},
		{"of the same host without encryption", func(_ *stand, a *passkeytest.Authenticator, _ passkey.Passkey) { a.Origin = "http://gate.example.com" }, passkey.ErrRefused},
		{"of the application beside it", func(_ *stand, a *passkeytest.Authenticator, _ passkey.Passkey) { a.Origin = "https://app.example.com" }, passkey.ErrRefused},
		{"signed for another host", func(_ *stand, a *passkeytest.Authenticator, _ passkey.Passkey) { a.Host = "example.com" }, passkey.ErrRefused},
		{"of a person who was not verified", func(_ *stand, a *passkeytest.Authenticator, _ passkey.Passkey) { a.Unverified = true }, passkey.ErrRefused},
		{"signed with another key", func(s *stand, a *passkeytest.Authenticator, _ passkey.Passkey) {
			if err := a.Forge(); err != nil {
				s.t.Fatal(err)
			}
		}, passkey.ErrRefused},
		{"of a passkey that was removed", func(s *stand, _ *passkeytest.Authenticator, k passkey.Passkey) {
			made[passkey.Passkey](s.t)(s.Remove(s.t.Context(), marie, k.ID, note))
		}, passkey.ErrRefused},
		{"of an owner who was removed", func(s *stand, _ *passkeytest.Authenticator, _ passkey.Passkey) {
			made[int](s.t)(s.RemoveAll(s.t.Context(), marie))
		}, passkey.ErrRefused},
		{"with a counter that stands still", func(_ *stand, a *passkeytest.Authenticator, _ passkey.Passkey) { a.Count-- }, passkey.ErrCopied},
	} {
		s := newStand(t)
		a, k := s.register(marie)
		c.do(s, a, k)
		if o, err := s.signIn(a); !errors.Is(err, c.want) {
			t.Errorf("an answer %s: %v, %v", c.name, o, err)
		}
	}
}

func TestANewPasskeyWantsTheSameProofs(t *testing.T) {
	for name, spoil := range map[string]func(a *passkeytest.Authenticator){
		"a page on another origin":      func(a *passkeytest.Authenticator) { a.Origin = "https://evil.example" },
		"another host":                  func(a *passkeytest.Authenticator) { a.Host = "example.com" },
		"a person who was not verified": func(a *passkeytest.Authenticator) { a.Unverified = true },
	} {
		s := newStand(t)
		a := made[*passkeytest.Authenticator](t)(passkeytest.New(origin))
		spoil(a)
		answer := s.bytes(a.Make(s.bytes(s.BeginAdd(t.Context(), marie, "Marie", "session"))))
		if _, err := s.Add(t.Context(), marie, "session", "x", answer, note); !errors.Is(err, passkey.ErrRefused) {
			t.Errorf("from %s: %v", name, err)
		}
		if list := made[[]passkey.Passkey](t)(s.Of(t.Context(), marie)); len(list) != 0 {
			t.Errorf("from %s: %v is kept", name, list)
		}
	}
}

func TestAChallengeIsAnsweredOnce(t *testing.T) {
	s := newStand(t)
	a, _ := s.register(marie)
	a.Count, a.Still = 0, true // like most phones: no counter that would tell
	answer := s.bytes(a.Answer(s.bytes(s.Begin("door"))))
	other := s.at(origin) // another instance on the same store
	if _, _, err := other.Check(t.Context(), "door", answer, note); err == nil {
		t.Fatal("a counter that falls back to none is a copy")
	}
	b := made[*passkeytest.Authenticator](t)(passkeytest.New(origin))
	b.Count, b.Still = 0, true
	options := s.bytes(s.BeginAdd(t.Context(), paul, "Paul", "session"))
	answer = s.bytes(b.Make(options))
	if _, err := other.Add(t.Context(), paul, "session", "x", answer, note); err != nil {
		t.Fatalf("a challenge made here and answered there: %v", err)
	}
	if _, err := s.Add(t.Context(), paul, "session", "x", answer, note); !errors.Is(err, passkey.ErrLate) {
		t.Errorf("the same new passkey again: %v", err)
	}
	answer = s.bytes(b.Answer(s.bytes(s.Begin("door"))))
	if o, _, err := other.Check(t.Context(), "door", answer, note); err != nil || o != paul {
		t.Fatalf("the first answer: %v, %v", o, err)
	}
	for range 2 {
		if _, _, err := s.Check(t.Context(), "door", answer, note); !errors.Is(err, passkey.ErrLate) {
			t.Errorf("the same answer again: %v", err)
		}
	}
}

func TestOfTwoWhoSendOneAnswerAtOnceOneIsIn(t *testing.T) {
	s := newStand(t)
	a, _ := s.register(marie)
	answer := s.bytes(a.Answer(s.bytes(s.Begin("door"))))
	var mu sync.Mutex
	var group sync.WaitGroup
	in := 0
	for range 8 {
		group.Go(func() {
			if _, _, err := s.Check(context.Background(), "door", answer, note); err == nil {
				mu.Lock()
				in++
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if in != 1 {
		t.Errorf("%d got in", in)
	}
}

func TestChallengesForSomethingElse(t *testing.T) {
	s := newStand(t)
	a, _ := s.register(marie)
	b, _ := s.register(julie)
	ctx := t.Context()
	late := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, passkey.ErrLate) {
			t.Errorf("%s: %v", what, err)
		}
	}
	answer := s.bytes(a.Answer(s.bytes(s.Begin("door"))))
	_, _, err := s.Check(ctx, "another door", answer, note)
	late("a challenge of another door", err)
	_, err = s.CheckFor(ctx, julie, "door", answer, note)
	late("a challenge for an admin, by a user", err)
	answer = s.bytes(b.Answer(s.bytes(s.BeginFor(ctx, julie, "errand"))))
	_, _, err = s.Check(ctx, "errand", answer, note)
	late("a challenge for a user, at the console's door", err)
	_, err = s.CheckFor(ctx, passkey.Owner{Application: "register", Name: "fatou"}, "errand", answer, note)
	late("a challenge for another user", err)
	_, err = s.CheckFor(ctx, passkey.Owner{Application: "pay", Name: "julie"}, "errand", answer, note)
	late("a challenge for the same name in another application", err)
	other := s.at("https://other.example.com")
	b.Origin, b.Host = "https://other.example.com", "other.example.com"
	_, err = other.CheckFor(ctx, julie, "errand", s.bytes(b.Answer(s.bytes(s.BeginFor(ctx, julie, "errand")))), note)
	late("a challenge of another host", err)
	made := s.bytes(s.BeginAdd(ctx, marie, "Marie", "one session"))
	n, err := passkeytest.New(origin)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Add(ctx, marie, "another session", "x", s.bytes(n.Make(made)), note)
	late("a new passkey in another session", err)
	_, err = s.Add(ctx, paul, "one session", "x", s.bytes(n.Make(made)), note)
	late("a new passkey for another admin", err)
	options := s.bytes(s.Begin("door"))
	s.now = s.now.Add(passkey.ChallengeLife + time.Second)
	_, _, err = s.Check(ctx, "door", s.bytes(a.Answer(options)), note)
	late("a challenge after five minutes", err)
	forged, err := json.Marshal(map[string]any{"challenge": strings.Repeat("A", 86), "rpId": "gate.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = s.Check(ctx, "door", s.bytes(a.Answer(forged)), note)
	late("a challenge that we never made", err)
}

func TestAUsersPasskeyIsTheirsAtThatHostOnly(t *testing.T) {
	s := newStand(t)
	a, _ := s.register(julie)
	ctx := t.Context()
	if k, err := s.CheckFor(ctx, julie, "e", s.bytes(a.Answer(s.bytes(s.BeginFor(ctx, julie, "e")))), note); err != nil || k.Name != "Phone" {
		t.Fatalf("Julie's: %v, %v", k, err)
	}
	for _, o := range []passkey.Owner{{Application: "pay", Name: "julie"}, {Application: "register", Name: "Julie"}, {Name: "julie"}} {
		if _, err := s.BeginFor(ctx, o, "e"); !errors.Is(err, passkey.ErrNone) {
			t.Errorf("%+v has one: %v", o, err)
		}
	}
	other := s.at("https://other.example.com")
	if _, err := other.BeginFor(ctx, julie, "e"); !errors.Is(err, passkey.ErrNone) {
		t.Errorf("on another host: %v", err)
	}
	if o, err := s.signIn(a); !errors.Is(err, passkey.ErrRefused) {
		t.Errorf("a user's passkey at the console's door: %v, %v", o, err)
	}
	// Somebody else's credential, in answer to what Julie was asked.
	thief, _ := s.register(passkey.Owner{Application: "register", Name: "eve"})
	if _, err := s.CheckFor(ctx, julie, "e", s.bytes(thief.Answer(s.bytes(s.BeginFor(ctx, julie, "e")))), note); !errors.Is(err, passkey.ErrRefused) {
		t.Errorf("another user's passkey: %v", err)
	}
}

func TestACopiedPasskeyIsSeen(t *testing.T) {
	s := newStand(t)
	a, k := s.register(marie)
	thief := a.Copy()
	for range 3 {
		if _, err := s.signIn(a); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.signIn(thief); !errors.Is(err, passkey.ErrCopied) {
		t.Fatalf("the copy: %v", err)
	}
	if got := s.audit(""); len(got) == 0 || got[0] != "passkey.copied marie@lucioles.example" {
		t.Errorf("audit: %v", got)
	}
	list := made[[]passkey.Passkey](t)(s.Of(t.Context(), marie))
	if len(list) != 1 || list[0].ID != k.ID || list[0].Copied.IsZero() {
		t.Errorf("kept: %+v", list)
	}
	if _, err := s.signIn(a); err != nil {
		t.Errorf("its owner goes on: %v", err)
	}
}

func TestNamesAndOwnersChange(t *testing.T) {
	s := newStand(t)
	ctx := t.Context()
	a, k := s.register(marie)
	if err := s.Rename(ctx, marie, k.ID, "Téléphone", note); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"another's":  s.Rename(ctx, paul, k.ID, "x", note),
		"no such ID": s.Rename(ctx, marie, "x", "x", note),
	} {
		if !errors.Is(err, passkey.ErrNone) {
			t.Errorf("renaming %s: %v", what, err)
		}
	}
	if _, err := s.Remove(ctx, paul, k.ID, note); !errors.Is(err, passkey.ErrNone) {
		t.Errorf("removing another's: %v", err)
	}
	if err := s.Move(ctx, marie, "marie.roy@lucioles.example"); err != nil {
		t.Fatal(err)
	}
	if o, err := s.signIn(a); err != nil || o.Name != "marie.roy@lucioles.example" {
		t.Errorf("after the e-mail changed: %v, %v", o, err)
	}
	_, _ = s.register(paul)
	if err := s.Move(ctx, paul, "marie.roy@lucioles.example"); err == nil {
		t.Error("two admins became one")
	}
	for range passkey.MaxOf - 1 {
		_, _ = s.register(paul)
	}
	if _, err := s.BeginAdd(ctx, paul, "Paul", "session"); !errors.Is(err, passkey.ErrTooMany) {
		t.Errorf("one more than there may be: %v", err)
	}
}

func TestAddressesWherePasskeysCannotBe(t *testing.T) {
	s := newStand(t)
	for _, c := range []struct {
		address string
		want    bool
	}{
		{"https://gate.example.com", true},
		{"https://gate.example.com:8443", true},
		{"http://console.localhost:2080", true},
		{"http://localhost:80", true},
		{"http://gate.example.com", false},
		{"https://192.0.2.7", false},
		{"https://[2001:db8::1]", false},
		{"", false},
		{"gate.example.com", false},
	} {
		_, err := passkey.NewParty(c.address, "Cadenas", s.Book, func() *seal.Ring { return s.ring })
		if (err == nil) != c.want || (err != nil && !errors.Is(err, passkey.ErrAddress)) {
			t.Errorf("%q: %v", c.address, err)
		}
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	s := newStand(t)
	_, _ = s.register(marie)
	for _, bad := range []string{"", "{}", "null", "[]", `{"id":"AA","rawId":"AA","type":"public-key","response":{}}`, strings.Repeat("[", 10_000), "\xff"} {
		if _, _, err := s.Check(t.Context(), "door", []byte(bad), note); !errors.Is(err, passkey.ErrRefused) {
			t.Errorf("%.40q signs in: %v", bad, err)
		}
		if _, err := s.Add(t.Context(), marie, "session", "x", []byte(bad), note); !errors.Is(err, passkey.ErrRefused) {
			t.Errorf("%.40q is kept: %v", bad, err)
		}
	}
}
