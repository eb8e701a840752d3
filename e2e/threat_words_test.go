package e2e

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// L14 on the wire: what a stranger can choose (a user name, a user agent, a
// note) is never expanded, rendered or run: not in the log, on pages, in
// mails, in exports, towards the backend.
func TestThreat_L14_WhatStrangersWriteIsInertEverywhere(t *testing.T) {
	t.Parallel()
	const canary = "expanded-by-somebody"
	secret := t.TempDir() + "/secret"
	writeFile(t, secret, canary)
	words := []string{
		"{env.CADENAS_CANARY}", "{$CADENAS_CANARY}", "{file." + secret + "}", "{http.request.header.X-Canary}", "{http.vars.canary}", "{{.Canary}}", "${CADENAS_CANARY}",
		"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "'-alert(1)-'", "=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "a\" onmouseover=\"x", "%0d%0aX-Injected: 1", "&lt;b&gt;",
	}
	backend := record(t, nil)
	site := NewSite(t, "app.localhost")
	console := site.As("console.localhost")
	g := &Gate{Name: "attendance", Site: site, Console: console, Mail: nil}
	ca := NewAuthority(t)
	g.Mail = StartMail(t, ca)
	g.Caddy = StartCaddy(t, fmt.Sprintf(`{
		auto_https off
		debug
		cadenas {
			console %s
			admin "Paul Martin" paul@example.com
			notify email %s {
				from gate@example.com
				username %s
				password %s
			}
		}
	}
	%s {
		log
		vars canary %s
		cadenas attendance {
			identity header X-Who
			padlock closed
			factors_header X-Factors
		}
		reverse_proxy %s {
			header_up X-User {http.cadenas.user}
		}
	}
	%s {
		cadenas_console
	}`, console, g.Mail.Addr, g.Mail.User, g.Mail.Password, site, canary, backend.Address, console), Trusting(ca), WithEnv("CADENAS_CANARY="+canary))

	var texts []string // all that anybody is shown
	keep := func(a *Answer) *Answer {
		texts = append(texts, a.Text(), fmt.Sprint(a.Header))
		return a
	}
	for _, word := range words {
		c := NewClient(t)
		c.Header.Set("X-Who", word)
		c.Header.Set("User-Agent", word+" Mozilla/5.0 "+word)
		c.Header.Set("X-Canary", canary)
		held := keep(c.Visit(site.URL("/?" + url.QueryEscape(word)))).Expect(http.StatusForbidden)
		page := keep(c.Waiting(held))
		c.Header.Del("X-Canary")
		keep(c.Submit(console.URL("/.cadenas/wait/note"), url.Values{"note": {word}}))
		keep(c.Visit(console.URL("/.cadenas/wait")))
		_ = page
	}
	requests := g.Requests()
	if len(requests) != len(words) {
		t.Fatalf("%d wait, not %d", len(requests), len(words))
	}
	paul := NewClient(t)
	g.enter(paul, "paul@example.com")
	for _, path := range []string{"/requests", "/connections", "/people", "/columns", "/rules", "/activity", "/activity.json", "/messages"} {
		keep(paul.Visit(console.URL(path)).Expect(http.StatusOK))
	}
	for _, r := range requests {
		g.Must("approve", r.ID)
	}
	// Let in, they reach the backend as who they are, letter for letter.
	for _, word := range words {
		c := NewClient(t)
		c.Header.Set("X-Who", word)
		keep(c.Visit(site.URL("/")))
	}
	for _, r := range requests {
		keep(paul.Visit(console.URL("/people/" + url.PathEscape(r.Person.User))))
	}
	sheetText := paul.Visit(console.URL("/activity.csv")).Expect(http.StatusOK)
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(sheetText.Text(), "\ufeff"))).ReadAll()
	if err != nil || len(rows) < len(words) {
		t.Fatalf("the sheet has %d rows: %v", len(rows), err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				t.Errorf("a cell of the sheet is a formula: %q", cell)
			}
		}
	}
	for _, mail := range g.Mail.Mails() {
		texts = append(texts, mail.HTML)
		if strings.Contains(mail.Text+mail.HTML+mail.Subject, canary) {
			t.Error("a mail expanded what a stranger wrote")
		}
		if len(mail.Header["X-Injected"]) > 0 {
			t.Errorf("a mail has a stranger's header: %v", mail.Header)
		}
	}
	for _, text := range texts {
		if strings.Contains(text, canary) {
			t.Errorf("expanded on a page: %.200s", text[max(0, strings.Index(text, canary)-80):])
		}
		for _, tag := range []string{"<script>alert(1)", "<img src=x", `" onmouseover="x`} {
			if strings.Contains(text, tag) && !json.Valid([]byte(text)) {
				t.Errorf("a page renders %q: %.200s", tag, text[max(0, strings.Index(text, tag)-100):])
			}
		}
	}
	for _, args := range [][]string{{"requests"}, {"connections"}, {"rules"}, {"activity"}, {"activity", "--json"}, {"connections", "--json"}} {
		if out := g.Must(args...); strings.Contains(out, canary) {
			t.Errorf("caddy cadenas %v expanded what a stranger wrote", args)
		}
	}
	for _, seen := range backend.take() {
		// The placeholder is expanded once: its value is what was written.
		if got := seen.Header.Get("X-User"); got != seen.Header.Get("X-Who") {
			t.Errorf("the backend is told of %q, who is %q", got, seen.Header.Get("X-Who"))
		}
	}
	for _, line := range g.Log.Lines() {
		if strings.Contains(line, canary) && !strings.Contains(line, `"X-Canary":["`+canary) && !strings.Contains(line, `"canary"`) {
			t.Errorf("the log expanded what a stranger wrote: %.300s", line)
		}
		if !json.Valid([]byte(line)) {
			t.Errorf("a line of the log is broken: %.300s", line)
		}
	}
}

// L25: names that look alike are not alike, and what cannot be told apart is
// refused at the edge.
func TestThreat_L25_NamesThatLookAlikeAreNotAlike(t *testing.T) {
	t.Parallel()
	backend := record(t, nil)
	site := NewSite(t, "app.localhost")
	console := site.As("console.localhost")
	g := &Gate{Name: "attendance", Site: site, Console: console}
	g.Caddy = StartCaddy(t, fmt.Sprintf("{\nauto_https off\ncadenas {\nconsole %s\nadmin \"Paul Martin\" paul@example.com\nplace Office 127.0.0.1\n}\n}\n"+
		"%s {\ncadenas attendance {\nidentity header X-Who\npadlock closed\n}\nreverse_proxy %s\n}\n%s {\ncadenas_console\n}\n", console, site, backend.Address, console))
	marie := NewClient(t)
	visit := func(name string) *Answer {
		t.Helper()
		r := navigation(marie.Request("GET", site.URL("/"), nil), "none")
		r.Header["X-Who"] = []string{name}
		return marie.Do(r)
	}
	visit("marie@example.com").Expect(http.StatusForbidden)
	g.Approve("marie@example.com", "--width", "device")
	visit("marie@example.com").Expect(http.StatusOK)
	visit("  marie@example.com ").Expect(http.StatusOK) // spaces at its ends are no part of a name
	backend.take()
	for what, name := range map[string]string{
		"a Cyrillic a":              "m\u0430rie@example.com",
		"a Greek omicron":           "marie@example.c\u03bfm",
		"full width":                "\uff4darie@example.com",
		"capitals":                  "Marie@Example.com",
		"two ats":                   "marie@example.com@evil.example",
		"an at in quotes":           "\"marie@example.com\"@evil.example",
		"a comment":                 "marie@example.com (x)",
		"a name before":             "Marie <marie@example.com>",
		"a list":                    "marie@example.com,evil@example.com",
		"a plus":                    "marie+x@example.com",
		"a dot at the end":          "marie@example.com.",
		"a NUL escaped":             "marie@example.com%00",
		"a zero-width space":        "marie\u200b@example.com",
		"a soft hyphen":             "marie\u00ad@example.com",
		"a word joiner":             "marie\u2060@example.com",
		"right to left":             "\u202emoc.elpmaxe@eiram",
		"a byte order mark":         "\ufeffmarie@example.com",
		"a combining mark":          "marie\u0301@example.com",
		"a tag character":           "marie\U000e0041@example.com",
		"a Hangul filler":           "marie\u3164@example.com",
		"a variation selector":      "marie\ufe0f@example.com",
		"bytes that are no UTF-8":   "marie\xff@example.com",
		"the same in Latin-1":       "mari\xe9@example.com",
		"a name of ours":            "device:abc",
		"a name of ours in capital": "DEVICE:abc",
		"a slash":                   "marie@example.com/admin",
		"a very long one":           strings.Repeat("marie", 60) + "@example.com",
	} {
		a := visit(name)
		if seen := backend.take(); len(seen) > 0 || a.Status == http.StatusOK {
			t.Errorf("%s (%q): %d, let in as Marie", what, name, a.Status)
		}
	}
	// Composed and decomposed are one name.
	visit("ren\u00e9").Expect(http.StatusForbidden)
	g.Approve("ren\u00e9", "--width", "device")
	visit("rene\u0301").Expect(http.StatusOK)

	// Whoever decides is told that letters of two alphabets stand in a name.
	paul := NewClient(t)
	g.enter(paul, "paul@example.com")
	room := paul.Visit(console.URL("/requests")).Expect(http.StatusOK).Text()
	if !strings.Contains(room, "m\u0430rie@example.com") || !strings.Contains(room, "several alphabets") {
		t.Error("the console does not tell of a name in two alphabets")
	}
}
