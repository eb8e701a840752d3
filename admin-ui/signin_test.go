package adminui_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	adminui "github.com/cadenas-gateway/cadenas/admin-ui"
	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

var codeShown = regexp.MustCompile(`<p class="code"[^>]*>(\d{6})</p>`)

// ask asks for a mailed link and returns the mail and the code shown.
func (b *browser) ask(email string) (answer, string) {
	b.h.t.Helper()
	a := b.post("/sign-in", "email", email)
	b.h.console.Wait()
	m := codeShown.FindStringSubmatch(a.body)
	if m == nil {
		return a, ""
	}
	return a, m[1]
}

func (h *house) lastMail() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.mails) == 0 {
		return ""
	}
	return strings.TrimPrefix(h.mails[len(h.mails)-1].url, host)
}

func (b *browser) signedIn() bool { return b.get("/requests").StatusCode == http.StatusOK }

func TestALinkSignsInOnce(t *testing.T) {
	h := build(t, fixture.Marie)
	link, err := h.console.Link(context.Background(), "MARIE@lucioles.example")
	if err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(link, host)
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodGet} {
		b := h.browser()
		a := b.send(httptest.NewRequest(method, link, nil))
		if a.StatusCode != http.StatusOK || len(b.cookies) != 0 {
			t.Fatalf("%s opens the page and signs nobody in: %d, %v", method, a.StatusCode, b.cookies)
		}
	}
	first, second := h.browser(), h.browser()
	if a := first.post(path); a.StatusCode != http.StatusSeeOther || !first.signedIn() {
		t.Fatalf("the first press: %d", a.StatusCode)
	}
	if a := second.post(path); a.StatusCode != http.StatusGone || second.signedIn() {
		t.Fatalf("the second press: %d", a.StatusCode)
	}
	if a := second.get(path); a.StatusCode != http.StatusGone {
		t.Fatalf("a used link says so: %d", a.StatusCode)
	}
}

func TestALinkIsTooOldAfterFifteenMinutes(t *testing.T) {
	h := build(t, fixture.Marie)
	link, err := h.console.Link(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	h.pass(15*time.Minute + time.Second)
	b := h.browser()
	if a := b.post(strings.TrimPrefix(link, host)); a.StatusCode != http.StatusGone || b.signedIn() {
		t.Fatalf("got %d", a.StatusCode)
	}
}

func TestLinksForNobody(t *testing.T) {
	h := build(t, fixture.Marie, fixture.Paul)
	for _, email := range []string{"", "nobody@example.com", "marie@lucioles.example.evil.example", "@"} {
		if link, err := h.console.Link(context.Background(), email); err == nil {
			t.Errorf("a link for %q: %s", email, link)
		}
	}
	b := h.browser()
	for _, token := range []string{"x", strings.Repeat("A", 43), "../welcome", "%00"} {
		if a := b.post("/enter/" + token); a.StatusCode == http.StatusSeeOther && a.Header.Get("Location") != "/sign-in" || b.signedIn() {
			t.Errorf("token %q: %d", token, a.StatusCode)
		}
	}
}

func TestAMailedLinkIsForTheBrowserThatAsked(t *testing.T) {
	h := build(t, fixture.Marie)
	asked := h.browser()
	_, code := asked.ask("marie@lucioles.example")
	path := h.lastMail()
	if path == "" || code == "" {
		t.Fatalf("no mail %q or no code %q", path, code)
	}
	// A scanner that opens the mail and presses the only button, again and
	// again, burns nothing.
	for range 3 {
		scanner := h.browser()
		scanner.get(path)
		if a := scanner.post(path); a.StatusCode != http.StatusUnprocessableEntity || scanner.signedIn() {
			t.Fatalf("the scanner: %d", a.StatusCode)
		}
	}
	phone := h.browser()
	if a := phone.get(path); !strings.Contains(a.body, `name="code"`) {
		t.Fatal("another browser is asked for the code")
	}
	wrong := "111111"
	if code == wrong {
		wrong = "222222"
	}
	if a := phone.post(path, "code", wrong); a.StatusCode != http.StatusUnprocessableEntity || phone.signedIn() {
		t.Fatalf("a wrong code: %d", a.StatusCode)
	}
	if a := phone.post(path, "code", code[:3]+" "+code[3:]); a.StatusCode != http.StatusSeeOther || !phone.signedIn() {
		t.Fatalf("the code, with a space: %d", a.StatusCode)
	}

	_, _ = asked.ask("marie@lucioles.example")
	if a := asked.get(h.lastMail()); strings.Contains(a.body, `name="code"`) {
		t.Fatal("the browser that asked needs no code")
	}
	if a := asked.post(h.lastMail()); a.StatusCode != http.StatusSeeOther || !asked.signedIn() {
		t.Fatalf("one press there: %d", a.StatusCode)
	}
}

func TestFiveWrongCodesVoidALink(t *testing.T) {
	h := build(t, fixture.Marie)
	_, code := h.browser().ask("marie@lucioles.example")
	thief := h.browser()
	for i := range 5 {
		guess := "100000"
		if code == guess {
			guess = "100001"
		}
		a := thief.post(h.lastMail(), "code", guess)
		if want := map[bool]int{true: http.StatusGone, false: http.StatusUnprocessableEntity}[i == 4]; a.StatusCode != want {
			t.Fatalf("guess %d: %d", i+1, a.StatusCode)
		}
	}
	if a := thief.post(h.lastMail(), "code", code); a.StatusCode != http.StatusGone || thief.signedIn() {
		t.Fatalf("the right code afterwards: %d", a.StatusCode)
	}
}

func TestThreat_L17_AskingForALinkTellsNothing(t *testing.T) {
	h := build(t, fixture.Marie)
	one, _ := h.browser().ask("marie@lucioles.example")
	other, _ := h.browser().ask("maria@lucioles.example")
	plain := func(a answer, email string) string {
		return strings.ReplaceAll(codeShown.ReplaceAllString(a.body, ""), email, "")
	}
	if one.StatusCode != other.StatusCode || plain(one, "marie@lucioles.example") != plain(other, "maria@lucioles.example") {
		t.Error("an admin's address and a stranger's are answered differently")
	}
	if len(h.mails) != 1 || h.mails[0].to != "marie@lucioles.example" {
		t.Errorf("mails: %v", h.mails)
	}
}

func TestLinksAreMailedSparingly(t *testing.T) {
	h := build(t, fixture.Marie)
	b := h.browser()
	refused := 0
	for range 12 {
		if a, _ := b.ask("marie@lucioles.example"); a.StatusCode == http.StatusTooManyRequests {
			refused++
		}
	}
	if len(h.mails) != 5 || refused != 2 {
		t.Errorf("%d mails went out to one admin, %d asks were refused", len(h.mails), refused)
	}
	h.pass(time.Hour)
	if a, _ := b.ask("marie@lucioles.example"); a.StatusCode != http.StatusOK || len(h.mails) != 6 {
		t.Errorf("an hour later: %d, %d mails", a.StatusCode, len(h.mails))
	}
	for _, bad := range []string{"", "marie", "a@b@lucioles.example", "marie@lucioles.example\r\nBcc: x@example.com", "<x>@y", strings.Repeat("x", 300) + "@y"} {
		if a, _ := b.ask(bad); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%q: %d", bad, a.StatusCode)
		}
	}
}

func TestSessionsEndWhenTheConfigurationSays(t *testing.T) {
	for _, c := range []struct {
		name string
		use  time.Duration // between two uses
		uses int
		want bool
	}{
		{"used within half an hour, and for less than two hours", 29 * time.Minute, 4, true},
		{"half an hour without use ends it", 30*time.Minute + time.Second, 1, false},
		{"two hours end it, used or not", 20*time.Minute + time.Second, 6, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := build(t, fixture.Marie)
			var err error
			h.console, err = adminui.New(adminui.Deps{
				Books: h.books, Gate: h.gate, Approvals: h.asks, URL: host, Clock: h.clock,
				Admins:      func() []books.Admin { return []books.Admin{fixture.Marie} },
				SessionIdle: 30 * time.Minute, SessionLife: 2 * time.Hour,
			})
			if err != nil {
				t.Fatal(err)
			}
			b := h.signIn(fixture.Marie.Email)
			if a := b.get("/account"); !strings.Contains(a.body, "30 minutes") || !strings.Contains(a.body, "2 hours") {
				t.Error("the account does not say when it ends")
			}
			for range c.uses {
				h.pass(c.use)
				b.get("/connections")
			}
			if in := b.get("/connections").StatusCode == http.StatusOK; in != c.want {
				t.Errorf("signed in: %v", in)
			}
		})
	}
}

func TestSessions(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		name string
		do   func(h *house, b *browser)
		want bool
	}{
		{"a session lasts while it is used", func(h *house, b *browser) {
			for range 20 {
				h.pass(7 * time.Hour)
				b.get("/connections")
			}
		}, true},
		{"eight hours without use end it", func(h *house, _ *browser) { h.pass(8*time.Hour + time.Second) }, false},
		{"a page that fetches itself is no use", func(h *house, b *browser) {
			for range 9 {
				h.pass(time.Hour)
				r := httptest.NewRequest(http.MethodGet, host+"/connections", nil)
				r.Header.Set("X-Cadenas-Live", "1")
				b.send(r)
			}
		}, false},
		{"thirty days end it, used or not", func(h *house, b *browser) {
			for range 30 * 4 {
				h.pass(6*time.Hour + time.Second)
				b.get("/connections")
			}
		}, false},
		{"signing out ends it", func(_ *house, b *browser) { b.post("/sign-out") }, false},
		{"its admin's removal ends it", func(h *house, _ *browser) {
			h.mu.Lock()
			h.admins = h.admins[1:]
			h.mu.Unlock()
		}, false},
		{"a clock set back far ends it", func(h *house, _ *browser) { h.pass(-2 * day) }, false},
	} {
		h := build(t, fixture.Marie, fixture.Paul)
		b := h.signIn(fixture.Marie.Email)
		kept := h.browser()
		for name, value := range b.cookies {
			kept.cookies[name] = value
		}
		c.do(h, b)
		if got := b.signedIn(); got != c.want {
			t.Errorf("%s: signed in %v", c.name, got)
		}
		if !c.want && kept.signedIn() {
			t.Errorf("%s: a copy of the cookie still opens", c.name)
		}
	}
}

func TestASessionsSecretTurns(t *testing.T) {
	h := build(t, fixture.Marie)
	b := h.signIn(fixture.Marie.Email)
	const name = "__Host-cadenas-console"
	old := b.cookies[name]
	token := b.token
	h.pass(time.Hour + time.Second)
	b.get("/connections")
	fresh := b.cookies[name]
	if fresh == old {
		t.Fatal("after an hour of use the secret is another")
	}
	// The answer with the new one may be lost: the old one is good until the
	// new one comes back, and for the requests sent beside it.
	lost := h.browser()
	lost.cookies[name] = old
	if !lost.signedIn() {
		t.Fatal("the old secret is good until the new one is used")
	}
	b.get("/connections")
	late := h.browser()
	late.cookies[name] = old
	if !late.signedIn() {
		t.Fatal("the old secret is good for half a minute beside the new one")
	}
	h.pass(31 * time.Second)
	late.cookies[name] = old
	if late.signedIn() {
		t.Fatal("then it is not")
	}
	if b.token != token {
		t.Error("forms that are open when the secret turns can still be sent")
	}
}

func TestSigningOutElsewhere(t *testing.T) {
	h := build(t, fixture.Marie, fixture.Paul)
	here, there, other := h.signIn(fixture.Marie.Email), h.signIn(fixture.Marie.Email), h.signIn(fixture.Paul.Email)
	here.get("/account")
	if a := here.post("/sign-out/elsewhere"); a.StatusCode != http.StatusSeeOther {
		t.Fatal(a.StatusCode)
	}
	if !here.signedIn() || there.signedIn() || !other.signedIn() {
		t.Errorf("here %v, there %v, another admin %v", here.signedIn(), there.signedIn(), other.signedIn())
	}
}

func TestTheFirstAdmin(t *testing.T) {
	h := build(t)
	h.fill(3, 1)
	link, err := h.console.Link(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	spare, err := h.console.Link(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	b := h.browser()
	if a := b.post(strings.TrimPrefix(link, host)); a.Header.Get("Location") != "/welcome" {
		t.Fatalf("the operator is asked who they are: %s", a.Header.Get("Location"))
	}
	for _, room := range []string{"/requests", "/connections", "/columns", "/activity", "/admins", "/events"} {
		if a := b.get(room); a.Header.Get("Location") != "/welcome" {
			t.Errorf("the operator sees no room before that: %s %d", room, a.StatusCode)
		}
	}
	r := httptest.NewRequest(http.MethodGet, host+"/decide/x", nil)
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	if admin, ok := h.console.Session(r); ok {
		t.Errorf("the operator decides nothing: %v", admin)
	}
	b.get("/welcome")
	if a := b.post("/welcome", "name", "Marie Roy", "email", "nonsense"); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("an address that is none: %d", a.StatusCode)
	}
	if a := b.post("/welcome", "name", "Marie Roy", "email", "Marie@Lucioles.example", "mobile", "514 555-0100"); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("adding oneself: %d %s", a.StatusCode, a.body)
	}
	if !b.signedIn() {
		t.Fatal("the operator goes on as the admin they made")
	}
	made, err := h.books.Admins.Get(context.Background(), "marie@lucioles.example")
	if err != nil || made.Mobile != "+15145550100" || made.Name != "Marie Roy" {
		t.Errorf("kept: %+v, %v", made, err)
	}
	late := h.browser()
	if a := late.post(strings.TrimPrefix(spare, host)); a.StatusCode != http.StatusGone || late.signedIn() {
		t.Errorf("another operator's link is void once there is an admin: %d", a.StatusCode)
	}
}

func TestNothingInTheStoreOpensTheConsole(t *testing.T) {
	h := build(t, fixture.Marie)
	b := h.signIn(fixture.Marie.Email)
	link, err := h.console.Link(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{strings.TrimPrefix(link, host+"/enter/")}
	for _, value := range b.cookies {
		secrets = append(secrets, value)
	}
	entries, err := h.st.Range(context.Background(), store.Query{Prefix: books.Partition("") + "/", Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		for _, secret := range secrets {
			if strings.Contains(e.Key, secret) || strings.Contains(string(e.Value), secret) {
				t.Errorf("%s holds a secret", e.Key)
			}
		}
	}
	if strings.Contains(h.log.String(), secrets[0]) {
		t.Error("the log holds a link")
	}
}

// C7, X14: an admin reads their own language whatever the browser's, until they
// choose another one in it.
func TestThePagesAreInTheAdminsLanguage(t *testing.T) {
	french := fixture.Marie
	french.Language = "fr"
	h := build(t, french, fixture.Paul)
	b := h.signIn(french.Email) // by a browser that asks for English
	if a := b.get("/people"); !strings.Contains(a.body, `<html lang="fr`) || !strings.Contains(a.body, "0 personne<") {
		t.Error("the page is not in the admin's language, or 0 is a plural in French")
	}
	a := b.get("/people?cadenas_lang=en")
	if !strings.Contains(a.body, `<html lang="en`) || !strings.Contains(a.body, "0 people") {
		t.Error("the choice of another language is not followed")
	}
	if a := b.get("/people"); !strings.Contains(a.body, `<html lang="en`) {
		t.Error("the choice of another language is not kept")
	}
}
