package adminui_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/seal"
)

func TestC5_OnePersonIsLockedOrGivenFullAccess(t *testing.T) {
	h := build(t, fixture.Marie)
	h.close("register")
	c := h.connection("one", nil)
	b := h.signIn(fixture.Marie.Email)
	for _, step := range []struct {
		path, field, value string
		want               access.Answer
	}{
		{"treat", "treatment", "full-access", access.LetIn},
		{"treat", "treatment", "locked", access.Deny},
		{"treat", "treatment", "by-rules", access.Approval},
		{"exempt", "exempt", "1", access.LetIn},
		{"exempt", "exempt", "", access.Approval},
	} {
		if a := b.post("/people/julie/"+step.path, step.field, step.value); a.StatusCode != http.StatusSeeOther || h.answer(c) != step.want {
			t.Errorf("%s %s: %d, %s", step.path, step.value, a.StatusCode, h.answer(c))
		}
	}
	if a := b.post("/people/julie/treat", "treatment", "sacked"); a.StatusCode != http.StatusBadRequest {
		t.Errorf("a word that is none: %d", a.StatusCode)
	}
	page := b.get("/people/julie")
	if !strings.Contains(page.body, "Marie Roy</bdi></b> gave full access to") {
		t.Error("the history says who did it")
	}
}

func TestADeviceIsNamedAndForgotten(t *testing.T) {
	h := build(t, fixture.Marie)
	h.close("register")
	c := h.connection("one", nil)
	b := h.signIn(fixture.Marie.Email)
	b.post("/columns/move", "app", "register", "move", "in", "out", c.ID)
	if a := b.post("/people/julie/devices/"+c.Device.ID+"/name", "name", "La tablette des poupons"); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("naming: %d", a.StatusCode)
	}
	if a := b.get("/connections?app=register"); !strings.Contains(a.body, "La tablette des poupons") {
		t.Error("old entries show the name")
	}
	if h.answer(c) != access.LetIn {
		t.Error("a name changes no verdict")
	}
	if a := b.post("/people/julie/devices/" + c.Device.ID + "/forget"); a.StatusCode != http.StatusSeeOther || h.answer(c) != access.Approval {
		t.Errorf("forgotten: %d, %s", a.StatusCode, h.answer(c))
	}
	if a := b.post("/people/julie/devices/" + c.Device.ID + "/forget"); a.StatusCode != http.StatusNotFound {
		t.Errorf("forgotten twice: %d", a.StatusCode)
	}
}

func TestC7_AdminsAreAddedEditedAndRemovedButTheLast(t *testing.T) {
	h := build(t)
	if err := h.books.Admins.Save(t.Context(), fixture.Marie, "", false, books.Entry{What: "admin.add"}); err != nil {
		t.Fatal(err)
	}
	b := h.signIn(fixture.Marie.Email)
	b.get("/admins")
	if a := b.post("/admins/marie@lucioles.example/remove"); a.Header.Get("Location") != "/admins?done=admin.last" || !b.signedIn() {
		t.Errorf("the last one stays: %s", a.Header.Get("Location"))
	}
	for _, bad := range [][]string{
		{"name", "", "email", "x@example.com"},
		{"name", "X", "email", "x"},
		{"name", "X", "email", "a@b@c"},
		{"name", "X", "email", "MARIE@lucioles.example"},
		{"name", "X", "email", "x@example.com", "mobile", "call me"},
		{"name", "X", "email", "x@example.com", "quiet-from", "22:00"},
	} {
		if a := b.post("/admins/new", bad...); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%v: %d", bad, a.StatusCode)
		}
	}
	if a := b.post("/admins/new", "name", "Paul", "email", "Paul@Lucioles.example", "mobile", "(438) 555-0111", "applications", "register", "applications", "nonsense", "language", "fr", "quiet-from", "22:00", "quiet-to", "06:00"); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("adding: %d %s", a.StatusCode, a.body)
	}
	paul, err := h.books.Admins.Get(t.Context(), "paul@lucioles.example")
	if err != nil || paul.Mobile != "+14385550111" || !slices.Equal(paul.Applications, []string{"register"}) || paul.Language != "fr" || paul.QuietTo != "06:00" {
		t.Errorf("kept: %+v, %v", paul, err)
	}
	his := h.signIn("paul@lucioles.example")
	if a := b.post("/admins/paul@lucioles.example", "name", "Paul L.", "email", "pl@lucioles.example"); a.StatusCode != http.StatusSeeOther || his.signedIn() {
		t.Errorf("a new e-mail ends the sessions of the old: %d", a.StatusCode)
	}
	if a := b.post("/admins/marie@lucioles.example", "name", "Marie", "email", "marie.roy@lucioles.example"); a.StatusCode != http.StatusSeeOther || !b.signedIn() {
		t.Errorf("one's own new e-mail keeps one signed in: %d", a.StatusCode)
	}
	b.get("/admins")
	his = h.signIn("pl@lucioles.example")
	if a := b.post("/admins/pl@lucioles.example/remove"); a.StatusCode != http.StatusSeeOther || his.signedIn() {
		t.Errorf("removed and signed out: %d", a.StatusCode)
	}
	if a := b.post("/admins/marie.roy@lucioles.example", "name", "Marie", "email", "marie.roy@lucioles.example", "applications", "register"); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("nobody shuts themself out of this room: %d", a.StatusCode)
	}
}

func TestRulesAreBuiltTriedMadeAndEnded(t *testing.T) {
	h := build(t, fixture.Marie)
	h.close("register")
	phone := h.connection("phone", func(c *books.Connection) { c.Device.Kind = access.Phone })
	h.put(h.books.Rules.Put(access.Rule{ID: "all", User: "julie", Application: "register", Effect: access.Allow})...)
	b := h.signIn(fixture.Marie.Email)
	b.get("/rules/new")
	fields := []string{"effect", "refuse", "whose", "", "application", "register", "kind", "phone", "place", "name", "place-text", "Office", "note", "no phones here"}
	a := b.post("/rules/new", append(fields, "step", "look")...)
	text := strings.NewReplacer("<bdi>", "", "</bdi>", "").Replace(a.body)
	for _, want := range []string{"Refuse everybody, on a phone, from Office, in Registre des présences.", "it would have touched 1 connection", "julie"} {
		if !strings.Contains(text, want) {
			t.Errorf("the form lacks %q", want)
		}
	}
	if h.answer(phone) != access.LetIn {
		t.Error("looking makes no rule")
	}
	if a := b.post("/rules/new", append(fields, "step", "make")...); a.StatusCode != http.StatusSeeOther || h.answer(phone) != access.Deny {
		t.Fatalf("made: %d, %s", a.StatusCode, h.answer(phone))
	}
	list := b.get("/rules")
	if !strings.Contains(list.body, "Refuse everybody, on a phone, from Office") || !strings.Contains(list.body, "no phones here") || !strings.Contains(list.body, "By Marie Roy") {
		t.Error("the list says the rule, its author and note")
	}
	e := h.lastAudit("register")
	if e.What != "rule.add" || e.Detail["kind"] != "phone" {
		t.Errorf("audit: %+v", e)
	}
	if a := b.post("/rules/end", "application", "register", "rule", e.Subject); a.StatusCode != http.StatusSeeOther || h.answer(phone) != access.LetIn {
		t.Errorf("ended: %d, %s", a.StatusCode, h.answer(phone))
	}
	for name, bad := range map[string][]string{
		"everybody everywhere": {"effect", "allow"},
		"everybody in one":     {"effect", "allow", "application", "register"},
		"no name":              {"effect", "allow", "whose", "user"},
		"no place":             {"effect", "refuse", "kind", "phone", "place", "city"},
		"no country":           {"effect", "refuse", "kind", "phone", "place", "country", "place-text", "Canada"},
		"no prefix":            {"effect", "refuse", "kind", "phone", "place", "prefix", "place-text", "nonsense"},
		"a past end":           {"effect", "refuse", "kind", "phone", "until", "2001-01-01"},
	} {
		if a := b.post("/rules/new", append(bad, "step", "make")...); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
	}
}

func TestX13_AConnectionIsExplained(t *testing.T) {
	h := build(t, fixture.Marie)
	c := h.connection("one", nil)
	b := h.signIn(fixture.Marie.Email)
	open := b.get("/explain/register/" + c.ID)
	if !strings.Contains(open.body, "The padlock is open") || !strings.Contains(open.body, "padlock open; closed it would be approval") {
		t.Error("with the padlock open it says what a closed one would do")
	}
	h.close("register")
	closed := b.get("/explain/register/" + c.ID)
	for _, want := range []string{"The person is not locked.", "No rule is about this connection.", "new device, place and browser"} {
		if !strings.Contains(closed.body, want) {
			t.Errorf("closed: it lacks %q", want)
		}
	}
	b.post("/columns/move", "app", "register", "move", "in", "out", c.ID)
	if a := b.get("/explain/register/" + c.ID); !strings.Contains(a.body, "A rule decides.") || !strings.Contains(a.body, "Let in <bdi>julie</bdi>") && !strings.Contains(a.body, "Let in julie") {
		t.Error("authorised: it names the rule")
	}
}

// stream reads the events of one browser.
func (b *browser) stream(ctx context.Context, server *httptest.Server) <-chan string {
	b.h.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/events", nil)
	if err != nil {
		b.h.t.Fatal(err)
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	res, err := server.Client().Do(r)
	if err != nil {
		b.h.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		b.h.t.Fatalf("the stream: %d", res.StatusCode)
	}
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		defer func() { _ = res.Body.Close() }()
		for scanner := bufio.NewScanner(res.Body); scanner.Scan(); {
			if data, ok := strings.CutPrefix(scanner.Text(), "data: "); ok {
				lines <- data
			}
		}
	}()
	return lines
}

func TestWhatChangesIsStreamed(t *testing.T) {
	h := build(t, fixture.Marie, fixture.Paul)
	server := httptest.NewServer(h.console)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	marie, paul := h.signIn(fixture.Marie.Email), h.signIn(fixture.Paul.Email)
	hers, his := marie.stream(ctx, server), paul.stream(ctx, server)
	secret := h.connection("pay", func(c *books.Connection) { c.Application = "pay" })
	type news struct {
		Topics  []string
		Waiting int
	}
	next := func(lines <-chan string) news {
		t.Helper()
		var n news
		select {
		case line, ok := <-lines:
			if !ok {
				t.Fatal("the stream ended")
			}
			if err := json.Unmarshal([]byte(line), &n); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(line, secret.User) {
				t.Errorf("the stream tells who: %s", line)
			}
		case <-ctx.Done():
			t.Fatal("no news")
		}
		return n
	}
	if n := next(hers); !slices.Contains(n.Topics, "connections") || n.Waiting != 0 {
		t.Errorf("hers: %+v", n)
	}
	h.fill(0, 1)
	if n := next(hers); !slices.Contains(n.Topics, "requests") || n.Waiting != 1 {
		t.Errorf("hers: %+v", n)
	}
	// Threat L23: of the pay Paul heard nothing; his first news is the request
	// in the register.
	if n := next(his); !slices.Contains(n.Topics, "requests") || n.Waiting != 1 {
		t.Errorf("his: %+v", n)
	}
	// Signing out everywhere else cuts the streams there.
	elsewhere := h.signIn(fixture.Paul.Email)
	elsewhere.get("/account")
	if a := elsewhere.post("/sign-out/elsewhere"); a.StatusCode != http.StatusSeeOther {
		t.Fatal(a.StatusCode)
	}
	for range his { // ends: the write that ended the session wakes the stream
	}
	if ctx.Err() != nil {
		t.Error("signed out from elsewhere, and the stream goes on")
	}
	marie.get("/account")
	if a := marie.post("/sign-out"); a.StatusCode != http.StatusSeeOther {
		t.Fatal(a.StatusCode)
	}
	for line := range hers { // ends: the write that ended the session wakes the stream
		t.Logf("after the sign-out: %s", line)
	}
	if ctx.Err() != nil {
		t.Error("the stream outlives its session")
	}
}

func TestEveryPageIsWellFormed(t *testing.T) {
	h := build(t, fixture.Marie)
	h.fill(20, 5)
	b := h.signIn(fixture.Marie.Email)
	c, err := h.books.Connections.Of(t.Context(), "register", "hostile", 1)
	if err != nil || len(c) == 0 {
		t.Fatal(err)
	}
	for _, path := range []string{
		"/sign-in", "/requests", "/connections?app=register", "/people", "/people/hostile", "/columns?app=register", "/rules", "/rules/new",
		"/activity", "/messages", "/admins", "/admins/new", "/settings", "/more", "/account", "/padlock/register/close", "/padlock/register/open",
		"/explain/register/" + c[0].ID, "/no/such/page",
	} {
		body := b.get(path).body
		if problem := malformed(body); problem != "" {
			t.Errorf("%s: %s", path, problem)
		}
		ids := map[string]bool{}
		for _, m := range regexp.MustCompile(`\sid="([^"]*)"`).FindAllStringSubmatch(body, -1) {
			if ids[m[1]] {
				t.Errorf("%s: two elements have the id %q", path, m[1])
			}
			ids[m[1]] = true
		}
		for _, m := range regexp.MustCompile(`\s(?:for|aria-labelledby|aria-describedby)="([^"]*)"`).FindAllStringSubmatch(body, -1) {
			for _, id := range strings.Fields(m[1]) {
				if !ids[id] {
					t.Errorf("%s: nothing has the id %q", path, id)
				}
			}
		}
		for _, bad := range []string{" style=", " onclick=", "<script>", "javascript:", "ZgotmplZ"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s holds %q", path, bad)
			}
		}
	}
}

var tag = regexp.MustCompile(`<(/?)([a-zA-Z][a-zA-Z0-9-]*)((?:[^>"']|"[^"]*"|'[^']*')*?)(/?)>`)

// malformed says what is wrong with the nesting of a page, or "".
func malformed(page string) string {
	void := []string{"meta", "link", "input", "br", "hr", "img", "source", "wbr"}
	var open []string
	for _, m := range tag.FindAllStringSubmatch(page, -1) {
		name := strings.ToLower(m[2])
		switch {
		case slices.Contains(void, name) || m[4] == "/":
		case m[1] == "":
			open = append(open, name)
		case len(open) == 0 || open[len(open)-1] != name:
			return fmt.Sprintf("</%s> closes %v", name, open[max(len(open)-3, 0):])
		default:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		return fmt.Sprintf("not closed: %v", open)
	}
	return ""
}

func TestTheConsoleInstalls(t *testing.T) {
	h := build(t, fixture.Marie)
	b := h.signIn(fixture.Marie.Email)
	a := b.get("/manifest.webmanifest")
	var m struct {
		Display string
		Icons   []struct{ Src string }
	}
	if err := json.Unmarshal([]byte(a.body), &m); err != nil || m.Display != "standalone" || len(m.Icons) == 0 {
		t.Fatalf("the manifest: %v %s", err, a.body)
	}
	for _, icon := range m.Icons {
		if got := b.get(icon.Src); got.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", icon.Src, got.StatusCode)
		}
	}
	if w := b.get("/worker.js"); w.StatusCode != http.StatusOK || !strings.HasPrefix(w.Header.Get("Content-Type"), "text/javascript") || w.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("the worker: %d %v", w.StatusCode, w.Header)
	}
	if !strings.Contains(b.get("/requests").Header.Get("Content-Security-Policy"), "manifest-src 'self'") {
		t.Error("the policy allows no manifest")
	}
}

func TestALinkFromAnotherSiteGoesOnFromHere(t *testing.T) {
	h := build(t, fixture.Marie)
	r := httptest.NewRequest(http.MethodGet, host+"/requests?open=x", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	a := h.browser().send(r) // a Strict cookie does not come along
	if a.StatusCode != http.StatusOK || !strings.Contains(a.body, `href="/requests?open=x"`) {
		t.Errorf("got %d", a.StatusCode)
	}
	again := h.browser().get("/requests?open=x")
	if want := "/sign-in?to=" + url.QueryEscape("/requests?open=x"); again.Header.Get("Location") != want {
		t.Errorf("from here without a session: %s", again.Header.Get("Location"))
	}
}

func TestX16_APassIsGivenByPhone(t *testing.T) {
	h := build(t, fixture.Marie)
	h.connection("one", nil)
	b := h.signIn(fixture.Marie.Email)
	b.get("/people/julie")
	a := b.post("/people/julie/pass", "application", "register")
	code := regexp.MustCompile(`pass-code[^>]*>([^<]+)<`).FindStringSubmatch(a.body)
	if a.StatusCode != http.StatusOK || code == nil {
		t.Fatalf("got %d", a.StatusCode)
	}
	ask, _, err := h.asks.Open(t.Context(), approvals.Ask{
		Application: "register", Person: access.Person{User: "julie"}, Device: access.Device{ID: "new", Kind: access.Phone},
		Browser: access.Browser{Family: "Safari"}, Place: access.Place{Name: "Home"}, New: []access.Part{access.PartDevice}, Asked: access.Approval,
	})
	if err != nil {
		t.Fatal(err)
	}
	if now, err := h.asks.UsePass(t.Context(), "register", ask.ID, code[1]); err != nil || now.State != approvals.Approved {
		t.Errorf("used: %s, %v", now.State, err)
	}
	if list := b.get("/activity.json"); strings.Contains(list.body, code[1]) {
		t.Error("the audit holds the code")
	}
}

func TestWhatNoChannelCarriesIsReadHere(t *testing.T) {
	h := build(t, fixture.Marie, fixture.Paul)
	ask := h.fill(0, 1)[0]
	book := approvals.NewSentBook(h.books, func() *seal.Ring { return h.ring }, h.clock)
	for i, n := range []approvals.Notice{
		{Kind: approvals.NoticeOpened, To: approvals.Recipient{Email: fixture.Marie.Email, Admin: true}, Application: "register", ApplicationName: "Registre", Ask: ask, Link: host + "/decide/marie-token"},
		{Kind: approvals.NoticeOpened, To: approvals.Recipient{Email: fixture.Paul.Email, Admin: true}, Application: "register", ApplicationName: "Registre", Ask: ask, Link: host + "/decide/paul-token"},
		{Kind: approvals.NoticeSignIn, To: approvals.Recipient{Email: fixture.Paul.Email, Admin: true}, Link: host + "/enter/paul-link"},
		{Kind: approvals.NoticeSignIn, To: approvals.Recipient{Email: fixture.Marie.Email, Admin: true}, Link: host + "/enter/marie-link"},
	} {
		n.ID, n.Created = books.NewID(h.now)+fmt.Sprint(i), h.now
		if err := book.Keep(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	a := h.signIn(fixture.Marie.Email).get("/messages")
	for _, want := range []string{"Julie Tremblay-Archambault", `href="/decide/marie-token"`, `href="/enter/marie-link"`, "No channel is configured"} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the room lacks %q", want)
		}
	}
	if strings.Contains(a.body, "paul-token") || strings.Contains(a.body, "paul-link") || strings.Contains(a.body, ask.Number+"<") {
		t.Error("what opens in another's name is shown")
	}
	b := h.signIn(fixture.Paul.Email).get("/messages")
	if strings.Contains(b.body, "marie-link") || strings.Contains(b.body, "marie-token") || !strings.Contains(b.body, "paul-token") {
		t.Error("Paul sees his own, and not Marie's")
	}
}

func TestC3_ANetworkIsNamedFromTheConsole(t *testing.T) {
	h := build(t, fixture.Marie, fixture.Paul)
	h.connection("one", func(c *books.Connection) {
		c.Place = access.Place{City: "Laval", Country: "CA", Address: netip.MustParseAddr("203.0.113.9"), Located: true, Latitude: 45.5, Longitude: -73.7}
	})
	b := h.signIn(fixture.Marie.Email)
	page := b.get("/places")
	if !strings.Contains(page.body, "Laval, Canada") || !strings.Contains(page.body, `value="203.0.113.0/24"`) || !strings.Contains(page.body, "<svg class=\"world\"") {
		t.Error("the room lists the place and offers its network")
	}
	for name, bad := range map[string][2]string{
		"no name": {"", "203.0.113.0/24"}, "no network": {"Office", "nonsense"}, "nothing": {"Office", ""},
		"half the world": {"Office", "0.0.0.0/1"}, "bits behind its length": {"Office", "203.0.113.9/24"},
	} {
		if a := b.post("/places", "name", bad[0], "prefix", bad[1]); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
	}
	if a := b.post("/places", "name", "Office", "prefix", "203.0.113.0/24, 2001:db8:7::/48"); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("naming: %d", a.StatusCode)
	}
	if a := b.post("/places", "name", "Warehouse", "prefix", "203.0.113.0/24"); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a second name for it: %d", a.StatusCode)
	}
	list, err := h.books.Networks.All(t.Context())
	if err != nil || len(list) != 1 || list[0].Name != "Office" || len(list[0].Prefixes) != 2 {
		t.Fatalf("kept: %+v, %v", list, err)
	}
	if a := h.signIn(fixture.Paul.Email); a.get("/places").StatusCode != http.StatusOK || a.post("/places", "name", "X", "prefix", "192.0.2.0/24").StatusCode != http.StatusNotFound {
		t.Error("an admin of one application reads names and gives none")
	}
	h.pass(time.Second)
	if a := b.post("/places/remove", "network", list[0].ID); a.StatusCode != http.StatusSeeOther {
		t.Errorf("removing: %d", a.StatusCode)
	}
	if e := h.lastAudit(""); e.What != "place.unname" || e.Subject != "Office" {
		t.Errorf("audit: %+v", e)
	}
}
