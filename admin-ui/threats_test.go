package adminui_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// changes are forms that would change something, one for each room.
func changes(ask string) []struct {
	path  string
	pairs []string
} {
	return []struct {
		path  string
		pairs []string
	}{
		{"/requests/register/" + ask, []string{"decision", "approve", "version", "1", "sure", "1", "width", "full", "end", "none"}},
		{"/padlock/register/close", nil},
		{"/padlock/register/open", nil},
		{"/columns/move", []string{"app", "register", "move", "all-in", "sure", "1"}},
		{"/people/fatou@lucioles.example/treat", []string{"treatment", "full-access"}},
		{"/people/fatou@lucioles.example/exempt", []string{"exempt", "1"}},
		{"/rules/new", []string{"effect", "allow", "whose", "user", "user", "fatou@lucioles.example", "step", "make"}},
		{"/admins/new", []string{"name", "Eve", "email", "eve@example.com"}},
		{"/people", []string{"user", "eve"}},
		{"/sign-out/elsewhere", nil},
		{"/sign-out", nil},
	}
}

// written is everything that the store holds but what reading alone writes.
func (h *house) written() string {
	h.t.Helper()
	var b strings.Builder
	for _, app := range []string{"", "register", "pay", "files"} {
		entries, err := h.st.Range(h.t.Context(), store.Query{Prefix: books.Partition(app) + "/", Limit: 100_000})
		if err != nil {
			h.t.Fatal(err)
		}
		for _, e := range entries {
			b.WriteString(e.Key)
			b.Write(e.Value)
		}
	}
	return b.String()
}

func TestThreat_L11_FormsFromElsewhereChangeNothing(t *testing.T) {
	for _, from := range []struct {
		name    string
		headers []string
		token   bool
	}{
		{"another site", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, true},
		{"a sibling subdomain, which is same-site", []string{"Sec-Fetch-Site", "same-site", "Origin", "https://app.example.com"}, true},
		{"a sibling in a browser without Sec-Fetch-Site", []string{"Origin", "https://app.example.com"}, true},
		{"the same host on another port", []string{"Origin", "https://gate.example.com:8443"}, true},
		{"a sandboxed frame", []string{"Origin", "null"}, true},
		{"this origin, without the token", []string{"Sec-Fetch-Site", "same-origin", "Origin", host}, false},
		{"nowhere, without the token", nil, false},
	} {
		h := build(t, fixture.Marie)
		asks := h.fill(12, 1)
		b := h.signIn(fixture.Marie.Email)
		before := h.written()
		for _, change := range changes(asks[0].ID) {
			token := ""
			if from.token {
				token = b.token
			}
			r := form(change.path, token, change.pairs...)
			for i := 0; i+1 < len(from.headers); i += 2 {
				r.Header.Set(from.headers[i], from.headers[i+1])
			}
			if a := b.send(r); a.StatusCode != http.StatusForbidden {
				t.Errorf("from %s, %s: %d", from.name, change.path, a.StatusCode)
			}
		}
		if h.written() != before {
			t.Errorf("from %s: something was written", from.name)
		}
	}
}

func TestThreat_L11_AnotherSessionsTokenIsWorthNothing(t *testing.T) {
	h := build(t, fixture.Marie, fixture.Paul)
	h.fill(2, 0)
	b, other := h.signIn(fixture.Marie.Email), h.signIn(fixture.Paul.Email)
	b.token = other.token
	if a := b.post("/padlock/register/close"); a.StatusCode != http.StatusForbidden {
		t.Errorf("got %d", a.StatusCode)
	}
}

func TestThreat_L11_ReadingChangesNothing(t *testing.T) {
	h := build(t, fixture.Marie)
	asks := h.fill(12, 1)
	b := h.signIn(fixture.Marie.Email)
	before := h.written()
	for _, change := range changes(asks[0].ID) {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			r := httptest.NewRequest(method, host+change.path+"?token="+b.token, nil)
			b.send(r)
		}
	}
	if h.written() != before {
		t.Error("something was written")
	}
}

func TestThreat_L11_PagesAreNotFramedNorKept(t *testing.T) {
	h := build(t, fixture.Marie)
	h.fill(2, 1)
	b := h.signIn(fixture.Marie.Email)
	stranger := h.browser()
	for _, c := range []struct {
		who  *browser
		path string
	}{{stranger, "/sign-in"}, {stranger, "/enter/x"}, {b, "/requests"}, {b, "/connections"}, {b, "/padlock/register/close"}, {b, "/no/such/room"}, {b, "/people/x"}} {
		a := c.who.get(c.path)
		policy := a.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy lacks %s: %s", c.path, want, policy)
			}
		}
		if strings.Contains(policy, "unsafe") || a.Header.Get("X-Frame-Options") != "DENY" || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: headers %v", c.path, a.Header)
		}
	}
}

func TestThreat_L11_TheCookieStaysHere(t *testing.T) {
	h := build(t, fixture.Marie)
	link, err := h.console.Link(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	a := h.browser().post(strings.TrimPrefix(link, host))
	for _, c := range a.Cookies() {
		if c.MaxAge < 0 {
			continue
		}
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("%s", c.Raw)
		}
	}
}

func TestThreat_L9_ATossedCookieSignsNobodyIn(t *testing.T) {
	h := build(t, fixture.Marie)
	b := h.signIn(fixture.Marie.Email)
	good := b.cookies["__Host-cadenas-console"]
	tossed := h.browser()
	tossed.cookies["cadenas-console"] = good // a sibling can write this name
	if tossed.signedIn() {
		t.Error("a cookie without the prefix opens a console on https")
	}
	r := httptest.NewRequest(http.MethodGet, host+"/requests", nil)
	r.Header.Set("Cookie", "__Host-cadenas-console=planted; __Host-cadenas-console="+good)
	if a := h.browser().send(r); a.StatusCode != http.StatusOK {
		t.Errorf("a planted cookie beside the good one signs out: %d", a.StatusCode)
	}
}

func TestThreat_L12_TheConsoleApprovesNothingFromAnApplicationsOrigin(t *testing.T) {
	h := build(t, fixture.Marie)
	asks := h.fill(1, 1)
	b := h.signIn(fixture.Marie.Email)
	for _, origin := range []string{"https://app.example.com", "https://gate.example.com.evil.example", "http://gate.example.com"} {
		r := form("/requests/register/"+asks[0].ID, b.token, "decision", "approve", "version", "1", "sure", "1", "end", "none", "width", "connection")
		r.Header.Set("Origin", origin)
		if a := b.send(r); a.StatusCode == http.StatusSeeOther {
			t.Errorf("from %s: %d", origin, a.StatusCode)
		}
		// Nor can it read what stands here.
		r = httptest.NewRequest(http.MethodGet, host+"/requests", nil)
		r.Header.Set("Origin", origin)
		r.Header.Set("Sec-Fetch-Site", "same-site")
		a := b.send(r)
		if a.Header.Get("Access-Control-Allow-Origin") != "" || a.Header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
			t.Errorf("from %s: headers %v", origin, a.Header)
		}
	}
	ask, err := h.asks.Get(t.Context(), "register", asks[0].ID)
	if err != nil || !ask.State.Open() {
		t.Errorf("the request: %s, %v", ask.State, err)
	}
}

func TestThreat_L13_TheWayBackStaysOnThisHost(t *testing.T) {
	h := build(t, fixture.Marie)
	h.fill(3, 0)
	b := h.signIn(fixture.Marie.Email)
	for _, to := range []string{
		"https://evil.example/", "//evil.example/", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", "/%5cevil.example\\x",
		"///evil.example", "/\t/evil.example", "https:evil.example", "@evil.example", ".evil.example", "http:/\\evil.example",
		"data:text/html,x", "/\r\nSet-Cookie: a=b", "//evil.example@gate.example.com/", "/x\x00", "ftp://x",
	} {
		a := b.post("/rules/end", "application", "", "rule", "none", "back", to)
		location := a.Header.Get("Location")
		if !strings.HasPrefix(location, "/") || strings.HasPrefix(location, "//") || strings.ContainsAny(location, "\\\r\n") {
			t.Errorf("%q leads to %q", to, location)
		}
		stranger := h.browser()
		stranger.post("/sign-in", "email", "marie@lucioles.example", "to", to)
		h.console.Wait()
		if a := stranger.post(h.lastMail()); a.StatusCode == http.StatusSeeOther {
			if location := a.Header.Get("Location"); !strings.HasPrefix(location, "/") || strings.HasPrefix(location, "//") || strings.Contains(location, "\\") {
				t.Errorf("signing in with %q leads to %q", to, location)
			}
		}
		h.pass(3600e9)
		b.get("/connections")
	}
}

func TestThreat_L14_WhatStrangersTypeIsInert(t *testing.T) {
	h := build(t, fixture.Marie)
	nasty := `=cmd|'/c calc'!A1<script>alert(1)</script>{env.HOME}"onload="x` + "\u202eevil\r\nX: y"
	u := books.User{User: "u" + nasty, Name: nasty, Email: nasty}
	c := books.Connection{
		ID: books.NewConnectionID(h.now, u.User), User: u.User, Application: "register", First: h.now, Last: h.now, Count: 1,
		Device:  access.Device{ID: "d", Kind: access.Other, Label: nasty},
		Browser: access.Browser{Family: nasty, Platform: nasty},
		Place:   access.Place{City: nasty, Country: "CA", Owner: nasty},
	}
	writes := append(h.books.Connections.Put(c), h.books.Audit.Write(books.Entry{
		At: h.now, Who: nasty, What: nasty, Application: "register", Subject: nasty, From: nasty, Via: nasty, Detail: map[string]string{nasty: nasty},
	}))
	if err := h.st.Apply(t.Context(), store.Batch{Writes: writes}); err != nil {
		t.Fatal(err)
	}
	if err := h.st.Apply(t.Context(), store.Batch{Writes: []store.Write{{Key: h.books.Users.Key(u.User), Value: books.Encode(u)}}}); err != nil {
		t.Fatal(err)
	}
	b := h.signIn(fixture.Marie.Email)
	for _, path := range []string{"/connections?app=register", "/people", "/columns?app=register", "/activity", "/padlock/register/close"} {
		a := b.get(path)
		if a.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d", path, a.StatusCode)
		}
		for _, live := range []string{"<script>alert", `"onload="`, "\u202e", "\r\nX:"} {
			if strings.Contains(a.body, live) {
				t.Errorf("%s: %q is live", path, live)
			}
		}
		if !strings.HasPrefix(path, "/padlock") && !strings.Contains(a.body, "{env.HOME}") {
			t.Errorf("%s: a placeholder is not shown as it is", path)
		}
	}
	table := b.get("/activity.csv").body
	for line := range strings.SplitSeq(table, "\r\n") {
		for _, cell := range strings.Split(line, ",") {
			if cell = strings.Trim(cell, `"`); cell != "" && strings.ContainsAny(cell[:1], "=+-@") {
				t.Errorf("a spreadsheet runs %q", cell)
			}
		}
	}
	if strings.Contains(table, "\u202e") {
		t.Error("the table holds a bidi override")
	}
}

func TestThreat_L23_AnAdminOfOneApplicationSeesNoOther(t *testing.T) {
	h := build(t, fixture.Marie, fixture.Paul) // Paul looks after the register
	asks := h.fill(24, 8)                      // every fourth asks for the pay
	secret := books.Connection{
		ID: books.NewConnectionID(h.now, "only.in.pay@lucioles.example"), User: "only.in.pay@lucioles.example", Application: "pay", First: h.now, Last: h.now,
		Device: access.Device{ID: "pay-device", Label: "Mac"}, Browser: access.Browser{Family: "Safari"}, Place: access.Place{Name: "Office"},
	}
	rule := access.Rule{ID: "r-pay", User: secret.User, Application: "pay", Device: "pay-device", Effect: access.Allow, Author: "marie@lucioles.example", Created: h.now}
	everywhere := access.Rule{ID: "r-all", User: "nobody.else@lucioles.example", Effect: access.Allow, Author: "marie@lucioles.example", Created: h.now}
	for _, writes := range [][]store.Write{
		append(append(h.books.Connections.Put(secret), h.books.Rules.Put(rule)...), h.books.Audit.Write(books.Entry{At: h.now, Who: "marie@lucioles.example", What: "approve", Application: "pay", Subject: secret.User})),
		h.books.Rules.Put(everywhere),
	} {
		if err := h.st.Apply(t.Context(), store.Batch{Writes: writes}); err != nil {
			t.Fatal(err)
		}
	}
	var payAsk string
	for _, a := range asks {
		if a.Application == "pay" {
			payAsk = a.ID
		}
	}
	h.put(h.books.Users.Put(books.User{User: secret.User, Name: "Solange Bellerose", Email: "sb@example.com"}, books.User{})...)
	if err := h.books.Networks.Save(t.Context(), books.Network{ID: "n1", Name: "Solange's home", User: secret.User, Prefixes: []string{"198.51.100.0/24"}}, books.Entry{What: "place.name"}); err != nil {
		t.Fatal(err)
	}
	b := h.signIn(fixture.Paul.Email)
	// An address or a form can name anybody: it tells nothing of them.
	named := "user=" + secret.User + "&whose=user&effect=refuse"
	for _, path := range []string{
		"/connections?person=" + secret.User, "/columns?person=" + secret.User, "/rules/new?" + named, "/connections?q=solange", "/people?q=solange",
		"/columns?q=solange", "/rules?q=solange", "/activity?q=solange", "/devices?view=all&q=solange", "/places",
		"/explain?app=register&user=" + secret.User, "/connections.csv?app=register&person=" + secret.User, "/connections.json?app=register&q=solange",
	} {
		if a := b.get(path); strings.Contains(a.body, "Bellerose") || strings.Contains(a.body, "sb@example.com") || strings.Contains(a.body, "Solange&#39;s home") {
			t.Errorf("%s tells who somebody of another application is", path)
		}
	}
	b.get("/rules/new")
	if a := b.post("/rules/new", "effect", "refuse", "whose", "user", "user", secret.User, "application", "register"); a.StatusCode != http.StatusOK || strings.Contains(a.body, "Bellerose") {
		t.Errorf("a rule that is tried tells who somebody of another application is: %d", a.StatusCode)
	}
	for _, path := range []string{
		"/requests", "/connections", "/people", "/columns", "/rules", "/activity", "/activity.csv", "/activity.json", "/messages", "/more", "/account", "/rules/new", "/places",
	} {
		a := b.get(path)
		if a.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", path, a.StatusCode)
		}
		for _, hidden := range []string{"Paie et horaires", "only.in.pay", "nobody.else", "r-pay", `value="pay"`} {
			if strings.Contains(a.body, hidden) {
				t.Errorf("%s shows %q", path, hidden)
			}
		}
	}
	for _, path := range []string{
		"/connections?app=pay", "/connections?app=regist", "/connections?app=REGISTER", "/connections?app=register/../pay", "/columns?app=pay",
		"/padlock/pay/close", "/padlock/pay/open", "/padlock/%70ay/close", "/explain/pay/" + secret.ID, "/explain/register/" + secret.ID,
		"/people/only.in.pay@lucioles.example", "/admins", "/admins/new", "/admins/marie@lucioles.example", "/settings", "/activity?app=pay", "/activity.csv?app=pay", "/rules?app=pay",
		"/activity.json?app=pay", "/connections.csv?app=pay", "/connections.json?app=pay", "/explain?app=pay", "/teach/pay",
		"/rules/edit?app=pay&rule=r-pay", "/rules/edit?app=&rule=r-all", "/rules/edit?app=register&rule=r-pay",
		"/people/only.in.pay@lucioles.example/biopass.json",
	} {
		if a := b.get(path); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.StatusCode)
		}
	}
	b.get("/connections")
	before := h.written()
	for _, change := range []struct {
		path  string
		pairs []string
	}{
		{"/requests/pay/" + payAsk, []string{"decision", "approve", "version", "1", "sure", "1", "end", "none"}},
		{"/padlock/pay/close", nil},
		{"/padlock/pay/open", nil},
		{"/columns/move", []string{"app", "pay", "move", "in", "out", secret.ID}},
		{"/columns/undo", []string{"app", "pay", "undo", "x"}},
		{"/people/only.in.pay@lucioles.example/treat", []string{"application", "register", "treatment", "locked"}},
		{"/people/fatou@lucioles.example/treat", []string{"application", "pay", "treatment", "locked"}},
		{"/people/fatou@lucioles.example/treat", []string{"application", "", "treatment", "locked"}},
		{"/people/fatou@lucioles.example/exempt", []string{"application", "", "exempt", "1"}},
		{"/people/fatou@lucioles.example/edit", []string{"name", "x"}},
		{"/people/fatou@lucioles.example/devices/pay-device/forget", nil},
		{"/people/fatou@lucioles.example/devices/pay-device/name", []string{"name", "x"}},
		{"/people", []string{"user", "x"}},
		{"/rules/end", []string{"application", "pay", "rule", "r-pay"}},
		{"/rules/end", []string{"application", "", "rule", "r-all"}},
		{"/rules/new", []string{"effect", "allow", "whose", "user", "user", "x", "application", "pay", "step", "make"}},
		{"/rules/new", []string{"effect", "allow", "whose", "user", "user", "x", "application", "", "step", "make"}},
		{"/admins/new", []string{"name", "Eve", "email", "eve@example.com"}},
		{"/admins/marie@lucioles.example/remove", nil},
		{"/people/only.in.pay@lucioles.example/pass", []string{"application", "register"}},
		{"/people/fatou@lucioles.example/pass", []string{"application", "pay"}},
		{"/people/fatou@lucioles.example/remove", nil},
		{"/devices/pay-device/name", []string{"name", "x"}},
		{"/devices/pay-device/allow", []string{"application", "register"}},
		{"/devices/pay-device/forget", nil},
		{"/rules/edit", []string{"app", "pay", "rule", "r-pay", "note", "x"}},
		{"/places", []string{"name", "x", "prefix", "192.0.2.0/24"}},
		{"/places/edit/n1", []string{"name", "x", "prefix", "192.0.2.0/24"}},
		{"/teach/pay", nil},
		{"/settings/backup", nil},
	} {
		if a := b.post(change.path, change.pairs...); a.StatusCode == http.StatusSeeOther || a.StatusCode == http.StatusOK {
			t.Errorf("%s %v: %d", change.path, change.pairs, a.StatusCode)
		}
	}
	if h.written() != before {
		t.Error("something of another application was written")
	}
}
