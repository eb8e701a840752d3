package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// forgeries are the ways in which a form of another site arrives: what its
// browser says of it. Cookies come along as if they were not SameSite.
var forgeries = map[string]http.Header{
	"another site":              {"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}},
	"a sibling subdomain":       {"Sec-Fetch-Site": {"same-site"}, "Origin": {"http://app.localhost"}},
	"a sibling, without Origin": {"Sec-Fetch-Site": {"same-site"}},
	"an old browser elsewhere":  {"Origin": {"https://evil.example"}},
	"a sandboxed frame":         {"Origin": {"null"}, "Sec-Fetch-Site": {"cross-site"}},
	"a sandboxed frame, old":    {"Origin": {"null"}},
	"the same host, not secure": {"Origin": {"http://console.localhost:1"}},
	"a host that begins alike":  {"Origin": {"http://console.localhost.evil.example"}},
}

// forge sends a form with the headers of a forgery.
func (c *Client) forge(address string, fields url.Values, how http.Header) *Answer {
	c.t.Helper()
	r := c.Request(http.MethodPost, address, strings.NewReader(fields.Encode()))
	r.Header = how.Clone()
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html")
	return c.Do(r)
}

// L11: forms of elsewhere do nothing in the console, on the page behind a
// mail's link, and on the waiting page; and nothing of ours is framed.
func TestThreat_L11_FormsFromElsewhereDoNothing(t *testing.T) {
	t.Parallel()
	g := StartGate(t, &Demo{}, GateOptions{Cadenas: ""})
	g.App.SignIn(NewClient(t), g.Site, "samuel", Accounts[2].Password)
	g.ClosePadlock()
	julie, page, request := g.wait("julie", Accounts[1].Password)
	link := linkTo(t, g, "paul@example.com", 0)
	paul := NewClient(t)
	g.enter(paul, "paul@example.com")
	room := paul.Visit(g.Console.URL("/requests")).Expect(http.StatusOK)
	form := room.sheet("/requests/attendance/"+request.ID).with("number", page.Number()).with("decision", "approve").with("sure", "1")
	token := form.Fields.Get("token")
	if token == "" {
		t.Fatal("the form carries no token")
	}
	mailed := NewClient(t).Visit(link)
	decide := mailed.sheet("").with("number", page.Number()).with("decision", "approve")

	state := func() string {
		admins := paul.Visit(g.Console.URL("/admins")).Expect(http.StatusOK).Text()
		// When she was first and last seen is written a moment after she came.
		var her struct{ Name, Email, Mobile, Locked, FullAccess, Exempt any }
		if err := json.Unmarshal([]byte(g.Must("user", "julie", "--json")), &her); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(len(g.Requests()), g.Must("padlock"), g.Must("rules", "--json"), her, strings.Contains(admins, "evil@example.com"))
	}
	before := state()
	for how, header := range forgeries {
		for what, x := range map[string]struct {
			c    *Client
			to   string
			form url.Values
		}{
			"a decision, with the right token": {paul, g.Console.URL("/requests/attendance/" + request.ID), form.Fields},
			"opening the padlock":              {paul, g.Console.URL("/padlock/attendance/open"), url.Values{"token": {token}}},
			"full access":                      {paul, g.Console.URL("/people/julie/treat"), url.Values{"token": {token}, "treat": {"full-access"}, "way": {"full-access"}}},
			"a new admin":                      {paul, g.Console.URL("/admins/new"), url.Values{"token": {token}, "name": {"E"}, "email": {"evil@example.com"}}},
			"a decision by a mail's link":      {NewClient(t), link, decide.Fields},
			"taking the request back":          {julie, g.Console.URL("/.cadenas/wait/cancel"), url.Values{}},
			"a note":                           {julie, g.Console.URL("/.cadenas/wait/note"), url.Values{"note": {"forged"}}},
		} {
			if a := x.c.forge(x.to, x.form, header); a.Status < 400 {
				t.Errorf("%s from %s: %d to %q", what, how, a.Status, a.Location())
			}
		}
	}
	// From the console's own pages, but without the session's token.
	for _, path := range []string{
		"/requests/attendance/" + request.ID, "/padlock/attendance/open", "/people/julie/treat", "/people", "/columns/move", "/rules/new", "/admins/new",
		"/admins/paul@example.com/remove", "/people/julie/exempt", "/rules/end",
	} {
		for _, wrong := range []string{"", "x", token[:len(token)-1], page.Number()} {
			fields := url.Values{"decision": {"approve"}, "number": {page.Number()}, "sure": {"1"}, "treat": {"full-access"}, "way": {"full-access"}, "name": {"E"}, "email": {"evil@example.com"}, "user": {"julie"}}
			if wrong != "" {
				fields.Set("token", wrong)
			}
			if a := paul.Submit(g.Console.URL(path), fields); a.Status < 400 && !strings.HasPrefix(a.Location(), "/sign-in") {
				t.Errorf("POST %s with token %q: %d to %q", path, wrong, a.Status, a.Location())
			}
		}
	}
	if after := state(); after != before {
		t.Errorf("something changed:\n%s\n%s", before, after)
	}
	if strings.Contains(g.Must("requests", "--json"), "forged") {
		t.Error("a forged note stands")
	}

	// Cookies and frames.
	for _, cookie := range consoleCookies(t, g) {
		if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || cookie.Domain != "" {
			t.Errorf("the console's session: %s", cookie.Raw)
		}
	}
	for what, a := range map[string]*Answer{"the console": room, "a mail's link": mailed, "the waiting page": page, "the page at the application": julie.Visit(g.Site.URL("/"))} {
		if policy := a.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors 'none'") || !strings.Contains(policy, "default-src 'none'") ||
			strings.Contains(policy, "unsafe") {
			t.Errorf("%s: %q", what, policy)
		}
		if a.Header.Get("X-Frame-Options") != "DENY" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", what, a.Header)
		}
		if got := a.Header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s may be read by %s", what, got)
		}
		for _, bad := range []string{"<script>", "onclick=", "onload=", "style=\"", "javascript:"} {
			if strings.Contains(a.Text(), bad) {
				t.Errorf("%s has %s in line", what, bad)
			}
		}
	}
}

// consoleCookies are the cookies of a sign-in to the console.
func consoleCookies(t *testing.T, g *Gate) []*http.Cookie {
	t.Helper()
	c := NewClient(t)
	page := c.Visit(g.ConsoleLink("paul@example.com"))
	in := c.press(page, page.sheet(""))
	if len(in.Cookies) == 0 {
		t.Fatal("no cookie")
	}
	var set []*http.Cookie
	for _, cookie := range in.Cookies {
		if cookie.MaxAge >= 0 {
			set = append(set, cookie)
		}
	}
	return set
}

// L12: what the application's own scripts can read on the application's host
// holds no number and no way to approve; the console answers nobody's script.
func TestThreat_L12_TheApplicationsOriginHoldsNoSecret(t *testing.T) {
	t.Parallel()
	g := StartGate(t, &Demo{}, GateOptions{NoMail: true, Site: "padlock closed"})
	c, page, request := g.wait("julie", Accounts[1].Password)
	number := page.Number()
	for _, path := range []string{"/", "/anything", "/.cadenas/wait", "/.cadenas/wait/state", "/.cadenas/device", "/.cadenas/"} {
		for _, a := range []*Answer{c.Visit(g.Site.URL(path)), c.Fetch("GET", g.Site.URL(path), "", nil)} {
			if strings.Contains(a.Text(), ">"+number+"<") || strings.Contains(a.Text(), `"`+number+`"`) || strings.Contains(a.Text(), request.ID) {
				t.Errorf("%s tells the number or the request (%d)", path, a.Status)
			}
		}
	}
	// The gate's host is read by no other origin, with and without cookies.
	for _, path := range []string{"/.cadenas/wait", "/.cadenas/wait/state", "/requests", "/sign-in"} {
		for _, method := range []string{"GET", "OPTIONS"} {
			r := c.Request(method, g.Console.URL(path), nil)
			r.Header.Set("Origin", g.Site.String())
			r.Header.Set("Sec-Fetch-Site", "same-site")
			r.Header.Set("Sec-Fetch-Mode", "cors")
			r.Header.Set("Access-Control-Request-Method", "POST")
			if a := c.Do(r); a.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s %s may be read by the application: %v", method, path, a.Header)
			}
		}
	}
	// The console is not on the application's host, nor the other way round.
	if a := c.Visit(g.Site.URL("/sign-in")); a.Status == http.StatusOK && strings.Contains(a.Text(), "cadenas") {
		t.Error("the console answers on the application's host")
	}
	if a := c.Visit(g.Console.URL("/api/me")); a.Status == http.StatusOK {
		t.Error("the application answers on the console's host")
	}
}

// L13: whatever is given as a place to return to, nobody is led elsewhere.
func TestThreat_L13_NobodyIsLedElsewhere(t *testing.T) {
	t.Parallel()
	elsewhere := []string{
		"//evil.example/", "///evil.example", `/\evil.example`, `\\evil.example`, `/\/evil.example`, "https://evil.example/", "http:evil.example", "https:/evil.example",
		"javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "//evil.example%2f..", "/%09/evil.example", "/\t/evil.example", "/%0d%0aLocation:%20https://evil.example",
		"http://console.localhost@evil.example/", "//console.localhost@evil.example", "/%5cevil.example", "/..//evil.example", "/.//evil.example", "%2f%2fevil.example", "/%2fevil.example", "?//evil.example", "http://evil.example\\@console.localhost",
		" //evil.example", "\x01//evil.example", "/\u200b/evil.example", "ｈttps://evil.example",
	}
	leads := func(t *testing.T, a *Answer, what string) {
		t.Helper()
		check := func(where, to string) {
			u, err := url.Parse(strings.TrimSpace(to))
			if err != nil || strings.HasPrefix(strings.ReplaceAll(to, "\\", "/"), "//") || (u.Host != "" && !strings.HasSuffix(u.Hostname(), ".localhost")) ||
				(u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https") || strings.ContainsAny(to, "\r\n\t\\") {
				t.Errorf("%s: %s leads to %q", what, where, to)
			}
		}
		if to := a.Location(); to != "" {
			check("Location", to)
		}
		if _, to, ok := strings.Cut(a.Header.Get("Refresh"), "url="); ok {
			check("Refresh", to)
		}
		for _, attribute := range []string{`href="`, `action="`, `content="0;url=`, `formaction="`} {
			for rest := a.Text(); ; {
				_, after, ok := strings.Cut(rest, attribute)
				if !ok {
					break
				}
				to, more, _ := strings.Cut(after, `"`)
				check(attribute, strings.NewReplacer("&amp;", "&", "&#34;", `"`).Replace(to))
				rest = more
			}
		}
	}
	t.Run("the waiting page in place", func(t *testing.T) {
		g := StartGate(t, &Demo{}, GateOptions{NoMail: true, NoConsole: true, Site: "padlock closed"})
		c, _, _ := g.wait("julie", Accounts[1].Password)
		for _, approved := range []bool{false, true} {
			if approved {
				g.Approve("julie")
			}
			for _, to := range elsewhere {
				for _, target := range []string{to, "/?to=" + url.QueryEscape(to), "/.cadenas/wait?back=" + url.QueryEscape(to) + "&said=" + url.QueryEscape(to)} {
					if !strings.HasPrefix(target, "/") || strings.ContainsAny(target, " \t\x01") {
						continue
					}
					a, _, err := speak(t, g.Site.Port, say("GET "+target+" HTTP/1.1", g.Site.host(), "User-Agent: "+ChromeLinux, "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document",
						"Cookie: "+cookieLine(c, g.Site), "Connection: close", "Referer: "+to))
					if err == nil {
						leads(t, a, target)
					}
				}
			}
		}
	})
	t.Run("the gate's own host", func(t *testing.T) {
		g := StartGate(t, &Demo{}, GateOptions{NoMail: true, Site: "padlock closed"})
		c, page, _ := g.wait("julie", Accounts[1].Password)
		leads(t, page, "the page itself")
		lead := c.Visit(g.Site.URL("//evil.example/x"))
		leads(t, lead, "the page that leads there")
		leads(t, c.Waiting(lead), "the page that it leads to")
		_, ticket, _ := strings.Cut(lead.Header.Get("Refresh"), "t=")
		if ticket == "" {
			t.Fatalf("no ticket: %v", lead.Header)
		}
		for _, forged := range []string{"", "x", ticket[:len(ticket)-2], ticket + "AA", strings.ToUpper(ticket), ticket[2:]} {
			if a := NewClient(t).Visit(g.Console.URL("/.cadenas/wait?t=" + forged)); a.Status == http.StatusSeeOther {
				t.Errorf("the ticket %q is taken", forged)
			}
		}
		for _, to := range elsewhere {
			admin := NewClient(t)
			leads(t, admin.Visit(g.Console.URL("/sign-in?to="+url.QueryEscape(to))), "to="+to)
			leads(t, admin.Visit(g.Console.URL("/.cadenas/wait?said="+url.QueryEscape(to))), "said="+to)
			sent := admin.Submit(g.Console.URL("/sign-in"), url.Values{"email": {"nobody@example.com"}, "to": {to}})
			leads(t, sent, "sent to="+to)
		}
	})
}

// cookieLine is the Cookie header a client sends to a site.
func cookieLine(c *Client, site Site) string {
	c.t.Helper()
	u, err := url.Parse(site.URL("/"))
	if err != nil {
		c.t.Fatal(err)
	}
	var parts []string
	for _, cookie := range c.Jar.Cookies(u) {
		parts = append(parts, cookie.Name+"="+cookie.Value)
	}
	return strings.Join(parts, "; ")
}
