package adminui_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/passkey"
	"github.com/cadenas-gateway/cadenas/passkey/passkeytest"
	"github.com/cadenas-gateway/cadenas/seal"
)

var keyHref = regexp.MustCompile(`action="([^"]*/passkeys/[^"/]+)/remove"`)

// addKey adds a passkey to the account of a browser's admin, and returns its
// holder and where its forms go.
func (b *browser) addKey(name string) (*passkeytest.Authenticator, string) {
	b.h.t.Helper()
	a, err := passkeytest.New(host)
	if err != nil {
		b.h.t.Fatal(err)
	}
	made, err := a.Make([]byte(b.post("/account/passkeys/options").body))
	if err != nil {
		b.h.t.Fatal(err)
	}
	if to := b.post("/account/passkeys", "name", name, "answer", string(made)); to.Header.Get("Location") != "/account?done=passkey.add" {
		b.h.t.Fatalf("adding a passkey: %d %s", to.StatusCode, to.body)
	}
	all := keyHref.FindAllStringSubmatch(b.get("/account").body, -1)
	if len(all) == 0 {
		b.h.t.Fatal("the account does not show the passkey")
	}
	return a, all[len(all)-1][1]
}

// enterBy signs a new browser in with a passkey.
func (h *house) enterBy(a *passkeytest.Authenticator) (*browser, answer) {
	h.t.Helper()
	b := h.browser()
	proof, err := a.Answer([]byte(b.post("/sign-in/options").body))
	if err != nil {
		h.t.Fatal(err)
	}
	return b, b.post("/sign-in/passkey", "answer", string(proof), "to", "/people")
}

func TestAPasskeyOpensTheConsole(t *testing.T) {
	h := build(t, fixture.Marie, fixture.Paul)
	a, _ := h.signIn(fixture.Marie.Email).addKey("Téléphone")
	b, to := h.enterBy(a)
	if to.StatusCode != http.StatusSeeOther || to.Header.Get("Location") != "/people" || !b.signedIn() {
		t.Fatalf("got %d to %q", to.StatusCode, to.Header.Get("Location"))
	}
	if page := b.get("/account"); !strings.Contains(page.body, fixture.Marie.Email) || !strings.Contains(page.body, "Téléphone") {
		t.Error("it opens its owner's account")
	}
	for _, bad := range []string{"//evil.example", "https://evil.example", `/\evil.example`} {
		door := h.browser()
		proof, err := a.Answer([]byte(door.post("/sign-in/options").body))
		if err != nil {
			t.Fatal(err)
		}
		if to := door.post("/sign-in/passkey", "answer", string(proof), "to", bad).Header.Get("Location"); to != "/" {
			t.Errorf("%s leads to %s", bad, to)
		}
	}
}

func TestWhenAPasskeyStopsOpeningTheConsole(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(h *house, marie *browser, href string)
	}{
		{"its owner removes it", func(_ *house, marie *browser, href string) { marie.post(href + "/remove") }},
		{"another admin removes it", func(h *house, _ *browser, href string) {
			other := h.signIn("sam@lucioles.example")
			page := other.get("/admins/" + fixture.Marie.Email)
			m := keyHref.FindStringSubmatch(page.body)
			if m == nil {
				t.Fatalf("Sam does not see Marie's passkey: %s", page.body)
			}
			other.post(m[1] + "/remove")
		}},
		{"its admin is no longer one", func(h *house, _ *browser, _ string) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.admins = h.admins[1:]
		}},
	} {
		h := build(t, fixture.Marie, books.Admin{Email: "sam@lucioles.example", Name: "Sam"})
		marie := h.signIn(fixture.Marie.Email)
		a, href := marie.addKey("Phone")
		opened, _ := h.enterBy(a)
		if !opened.signedIn() {
			t.Fatal("it opens nothing at all")
		}
		c.do(h, marie, href)
		if b, to := h.enterBy(a); b.signedIn() || to.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", c.name, to.StatusCode)
		}
		if opened.signedIn() {
			t.Errorf("%s: what it had opened stays open", c.name)
		}
	}
}

func TestAPasskeyFollowsItsAdminAndGoesWithThem(t *testing.T) {
	fixed := fixture.Marie
	fixed.Fixed = true
	h := build(t, fixed)
	m := h.signIn(fixture.Marie.Email)
	m.get("/admins/new")
	if a := m.post("/admins/new", "name", "Sam", "email", "sam@lucioles.example"); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("adding Sam: %d %s", a.StatusCode, a.body)
	}
	key, _ := h.signIn("sam@lucioles.example").addKey("Phone")
	if a := m.post("/admins/sam@lucioles.example", "name", "Sam", "email", "samuel@lucioles.example"); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("Sam's e-mail: %d %s", a.StatusCode, a.body)
	}
	b, _ := h.enterBy(key)
	if !b.signedIn() || !strings.Contains(b.get("/account").body, "samuel@lucioles.example") {
		t.Fatal("the passkey follows its admin to another e-mail")
	}
	m.post("/admins/samuel@lucioles.example/remove")
	if b, to := h.enterBy(key); b.signedIn() {
		t.Errorf("a removed admin's passkey: %d", to.StatusCode)
	}
	// Somebody else of that address later.
	m.post("/admins/new", "name", "Sam the second", "email", "samuel@lucioles.example")
	if b, to := h.enterBy(key); b.signedIn() {
		t.Errorf("a removed admin's passkey opens for who comes after: %d", to.StatusCode)
	}
}

func TestThreat_L8_ChallengesOfTheDoorAndOfTheAccountDoNotMix(t *testing.T) {
	h := build(t, fixture.Marie, fixture.Paul)
	marie, paul := h.signIn(fixture.Marie.Email), h.signIn(fixture.Paul.Email)
	a, err := passkeytest.New(host)
	if err != nil {
		t.Fatal(err)
	}
	made, err := a.Make([]byte(marie.post("/account/passkeys/options").body))
	if err != nil {
		t.Fatal(err)
	}
	if to := paul.post("/account/passkeys", "name", "x", "answer", string(made)); to.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("another admin keeps it: %d", to.StatusCode)
	}
	second := h.signIn(fixture.Marie.Email)
	if to := second.post("/account/passkeys", "name", "x", "answer", string(made)); to.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("another session keeps it: %d", to.StatusCode)
	}
	h.pass(6 * time.Minute)
	if to := marie.post("/account/passkeys", "name", "x", "answer", string(made)); to.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("it is kept after six minutes: %d", to.StatusCode)
	}
	// Nobody who is not signed in gets as far as asking.
	if to := h.browser().post("/account/passkeys/options"); to.StatusCode == http.StatusOK {
		t.Errorf("a stranger: %d %s", to.StatusCode, to.body)
	}
	// An admin of one application sees and removes nobody else's.
	_, href := marie.addKey("Phone")
	id := href[strings.LastIndex(href, "/"):]
	for _, path := range []string{"/admins/" + fixture.Marie.Email + "/passkeys" + id + "/remove", "/account/passkeys" + id + "/remove", "/account/passkeys" + id + "/name"} {
		if to := paul.post(path, "name", "x"); to.StatusCode != http.StatusNotFound {
			t.Errorf("Paul at %s: %d", path, to.StatusCode)
		}
	}
}

func TestThreat_L22_AskingAtTheDoorKeepsNothing(t *testing.T) {
	h := build(t, fixture.Marie)
	before := h.written()
	b := h.browser()
	for range 50 {
		b.post("/sign-in/options")
	}
	if h.written() != before {
		t.Error("something was written")
	}
	refused := 0
	for range 70 {
		if a := b.post("/sign-in/passkey", "answer", "{}"); a.StatusCode == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused != 10 {
		t.Errorf("%d of 70 answers were too many", refused)
	}
	if h.written() != before {
		t.Error("something was written")
	}
}

func TestAnAdminRemovesThePasskeyOfAPerson(t *testing.T) {
	h := build(t, fixture.Marie, books.Admin{Email: "sam@lucioles.example", Name: "Sam", Applications: []string{"files"}})
	h.fill(3, 0)
	const julie = "julie.tremblay@lucioles.example"
	owner := passkey.Owner{Application: "register", Name: julie}
	party, err := passkey.NewParty(host, "Registre", passkey.NewBook(h.st, h.clock), func() *seal.Ring { return h.ring })
	if err != nil {
		t.Fatal(err)
	}
	a, err := passkeytest.New(host)
	if err != nil {
		t.Fatal(err)
	}
	options, err := party.BeginAdd(t.Context(), owner, "Julie", "errand")
	if err != nil {
		t.Fatal(err)
	}
	made, err := a.Make(options)
	if err != nil {
		t.Fatal(err)
	}
	k, err := party.Add(t.Context(), owner, "errand", "Téléphone de Julie", made, books.Entry{Who: "user:" + julie, Via: "gate"})
	if err != nil {
		t.Fatal(err)
	}
	path := "/people/" + julie + "/biopass/passkey/" + k.ID + "/remove"
	if a := h.signIn("sam@lucioles.example").post(path, "application", "register"); a.StatusCode != http.StatusNotFound {
		t.Errorf("an admin of another application: %d", a.StatusCode)
	}
	b := h.signIn(fixture.Marie.Email)
	if page := b.get("/people/" + julie); !strings.Contains(page.body, "Téléphone de Julie") || !strings.Contains(page.body, path) {
		t.Error("the person's page does not show it")
	}
	if page := b.get("/people/" + julie + "/biopass.json"); !strings.Contains(page.body, "Téléphone de Julie") {
		t.Errorf("the export lacks it: %s", page.body)
	}
	if a := b.post(path, "application", "register"); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("removing it: %d %s", a.StatusCode, a.body)
	}
	if list, err := party.Of(t.Context(), owner); err != nil || len(list) != 0 {
		t.Errorf("it is there still: %v, %v", list, err)
	}
	if a := b.post(path, "application", "register"); a.StatusCode != http.StatusNotFound {
		t.Errorf("removing it twice: %d", a.StatusCode)
	}
}
