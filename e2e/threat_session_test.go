package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/examples/demo/app"
	"github.com/cadenas-gateway/cadenas/identity"
)

// spied is the demonstration application, and what reached it.
type spied struct {
	Demo
	*recorder
}

// Start serves the application behind a recorder.
func (s *spied) Start(t testing.TB) string {
	t.Helper()
	s.recorder = record(t, app.New(s.Options))
	return s.Address
}

// sessions are the values of the session cookie that arrived, on whatever way.
func sessions(seen []arrival) []string {
	var values []string
	for _, a := range seen {
		for _, c := range (&http.Request{Header: a.Header}).Cookies() {
			if c.Name == "sid" {
				values = append(values, c.Value)
			}
		}
	}
	return values
}

// ours is the client's device cookie.
func (c *Client) ours(site Site) *http.Cookie {
	c.t.Helper()
	u, err := url.Parse(site.URL("/"))
	if err != nil {
		c.t.Fatal(err)
	}
	for _, cookie := range c.Jar.Cookies(u) {
		if identity.OurCookie(cookie.Name) && strings.HasSuffix(strings.ToLower(cookie.Name), "cadenas") {
			return cookie
		}
	}
	return nil
}

// sends is a navigation with a Cookie header as it stands, whatever the jar
// holds.
func sends(t testing.TB, site Site, path, cookies string) *Answer {
	t.Helper()
	a, _, err := speak(t, site.Port, say("GET "+path+" HTTP/1.1", site.host(), "User-Agent: "+ChromeLinux, "Cookie: "+cookies, "Connection: close"))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return a
}

// doors are what one can call of the demonstration application.
var doors = []struct{ method, path string }{
	{"GET", "/"},
	{"GET", "/api/me"},
	{"GET", "/api/present"},
	{"GET", "/events"},
	{"GET", "/live"},
	{"GET", "/register.csv"},
	{"GET", "/download?size=10"},
	{"POST", "/present"},
	{"POST", "/upload"},
	{"POST", "/logout"},
	{"GET", "/logout"},
	{"HEAD", "/"},
	{"OPTIONS", "/"},
	{"PUT", "/api/me"},
	{"GET", "/style.css"},
	{"GET", "//api/me"},
	{"GET", "/API/me"},
	{"GET", "/%61pi/me"},
	{"GET", "/login/../api/me"},
	{"GET", "/login;x/../api/me"},
	{"GET", "/login%2f..%2fapi%2fme"},
	{"GET", "/.cadenas/../api/me"},
	{"GET", "/.cadenas/wait/../../api/me"},
	{"GET", "/.cadenas/%2e%2e/api/me"},
	{"GET", "/.cadenas"},
	{"GET", "/.CADENAS/api/me"},
}

// consoleDoors are pages and forms of the console's host.
var consoleDoors = []struct{ method, path string }{
	{"GET", "/"},
	{"GET", "/requests"},
	{"GET", "/connections"},
	{"GET", "/people"},
	{"GET", "/people/julie"},
	{"GET", "/columns"},
	{"GET", "/rules"},
	{"GET", "/rules/new"},
	{"GET", "/activity"},
	{"GET", "/activity.csv"},
	{"GET", "/activity.json"},
	{"GET", "/messages"},
	{"GET", "/admins"},
	{"GET", "/admins/new"},
	{"GET", "/settings"},
	{"GET", "/more"},
	{"GET", "/account"},
	{"GET", "/welcome"},
	{"GET", "/events"},
	{"GET", "/live"},
	{"GET", "/padlock/attendance/close"},
	{"GET", "/explain/attendance/x"},
	{"GET", "/decide/x"},
	{"GET", "/enter/x"},
	{"POST", "/requests/attendance/%s"},
	{"POST", "/people"},
	{"POST", "/people/julie/treat"},
	{"POST", "/people/julie/exempt"},
	{"POST", "/columns/move"},
	{"POST", "/rules/new"},
	{"POST", "/admins/new"},
	{"POST", "/admins/paul@example.com/remove"},
	{"POST", "/padlock/attendance/open"},
	{"POST", "/welcome"},
	{"POST", "/decide/%s"},
	{"POST", "/enter/x"},
	{"POST", "/sign-out"},
}

// L8: with a sign-in that is not finished, every other door acts as if nobody
// had signed in at all: the application's, our own paths, the console's.
func TestThreat_L8_AWaitingSignInOpensNoOtherDoor(t *testing.T) {
	t.Parallel()
	for _, options := range []app.Options{{}, {KeepSession: true}} {
		t.Run(fmt.Sprintf("keeps its session %v", options.KeepSession), func(t *testing.T) {
			demo := &spied{Demo: Demo{Options: options}}
			g := StartGate(t, demo, GateOptions{NoMail: true, Site: "padlock closed"})
			c := NewClient(t)
			form := demo.SignIn(c, g.Site, "julie", Accounts[1].Password)
			form.Expect(http.StatusForbidden)
			page := c.Waiting(form)
			waiting := g.Requests()
			if len(waiting) != 1 || page.Number() == "" {
				t.Fatalf("who waits: %+v", waiting)
			}
			// The session that the backend now knows as Julie's, where its value
			// did not change: the one that came with the sign-in.
			var julies []string
			for _, a := range demo.take() {
				if a.Method == http.MethodPost && options.KeepSession {
					julies = sessions([]arrival{a})
				}
			}

			for _, door := range doors {
				for _, navigates := range []bool{false, true} {
					r := c.Request(door.method, "http://app.localhost", nil)
					r.URL.Host = g.Site.host()
					path, query, _ := strings.Cut(door.path, "?")
					r.URL.Opaque, r.URL.RawQuery = path, query
					if navigates {
						navigation(r, "same-origin")
					}
					if door.path == "/live" {
						r.Header.Set("Connection", "Upgrade")
						r.Header.Set("Upgrade", "websocket")
						r.Header.Set("Sec-WebSocket-Version", "13")
						r.Header.Set("Sec-WebSocket-Key", "MDEyMzQ1Njc4OWFiY2RlZg==")
					}
					a := c.Do(r)
					for _, value := range sessions(demo.take()) {
						if slices.Contains(julies, value) {
							t.Errorf("%s %s: the held session reached the application", door.method, door.path)
						}
					}
					if strings.Contains(a.Text(), "Tremblay") || strings.Contains(a.Text(), `"here"`) || a.Status == http.StatusSwitchingProtocols {
						t.Errorf("%s %s: %d for somebody signed in", door.method, door.path, a.Status)
					}
				}
			}
			for _, door := range consoleDoors {
				path := strings.ReplaceAll(door.path, "%s", waiting[0].ID)
				var a *Answer
				if door.method == http.MethodPost {
					a = c.Submit(g.Console.URL(path), url.Values{
						"effect": {"allow"}, "decision": {"approve"}, "action": {"approve"}, "do": {"approve"}, "width": {"full"}, "treat": {"full-access"}, "user": {"julie"},
						"number": {page.Number()}, "name": {"Julie"}, "email": {"julie@example.com"},
					})
				} else {
					a = c.Visit(g.Console.URL(path))
				}
				switch a.Status {
				case http.StatusSeeOther, http.StatusFound, http.StatusForbidden, http.StatusNotFound, http.StatusGone, http.StatusMethodNotAllowed, http.StatusUnauthorized, http.StatusBadRequest, http.StatusUnprocessableEntity:
				default:
					t.Errorf("%s %s of the console: %d\n%.300s", door.method, path, a.Status, a.Body)
				}
				if to := a.Location(); a.Status < 400 && !strings.HasPrefix(to, "/sign-in") {
					t.Errorf("%s %s of the console leads to %q", door.method, path, to)
				}
			}
			if still := g.Requests(); len(still) != 1 || still[0].ID != waiting[0].ID {
				t.Errorf("who waits afterwards: %+v", still)
			}
			// And on the application's host there is nothing that decides.
			for _, path := range []string{"/requests/attendance/" + waiting[0].ID, "/decide/" + waiting[0].ID, "/.cadenas/decide/" + waiting[0].ID, "/.cadenas/approve", "/.cadenas/wait/approve"} {
				if a := c.Submit(g.Site.URL(path), url.Values{"effect": {"allow"}, "number": {page.Number()}}); a.Status < 400 {
					t.Errorf("POST %s: %d", path, a.Status)
				}
			}
			if len(g.Requests()) != 1 {
				t.Error("a form on the application's host decided")
			}
			if who := demo.Who(c, g.Site); who != "" {
				t.Errorf("the application knows the waiting client as %q", who)
			}
		})
	}
}

// L9: a session that somebody planted gains nothing when the one it was
// planted on signs in and is approved.
func TestThreat_L9_APlantedSessionGainsNothing(t *testing.T) {
	t.Parallel()
	for _, options := range []app.Options{{}, {KeepSession: true}} {
		for _, padlock := range []string{"open", "closed"} {
			t.Run(fmt.Sprintf("keeps its session %v, padlock %s", options.KeepSession, padlock), func(t *testing.T) {
				demo := &spied{Demo: Demo{Options: options}}
				g := StartGate(t, demo, GateOptions{NoMail: true, Site: "padlock " + padlock})
				attacker, victim := NewClient(t), NewClient(t)
				attacker.Open(g.Site.URL("/login"))
				victim.Open(g.Site.URL("/style.css"))
				victim.Steal(attacker, g.Site.URL("/"))

				answer := demo.SignIn(victim, g.Site, "julie", Accounts[1].Password)
				if padlock == "closed" {
					answer.Expect(http.StatusForbidden)
					g.Approve("julie")
					victim.Release(victim.Waiting(victim.Visit(g.Site.URL("/"))))
				}
				if who := demo.Who(victim, g.Site); who != "julie" {
					t.Errorf("the application knows the victim as %q", who)
				}
				demo.take()
				if who := demo.Who(attacker, g.Site); who != "" && padlock == "closed" {
					t.Errorf("the application knows who planted the session as %q", who)
				} else if who != "" && !options.KeepSession {
					t.Errorf("padlock open, and the application knows who planted the session as %q", who)
				}
			})
		}
	}
}

// L9 and X3: of two cookies of one name each is judged by its seal.
func TestThreat_L9_OfTwoCookiesEachIsJudgedByItsSeal(t *testing.T) {
	t.Parallel()
	demo := &spied{}
	g := StartGate(t, demo, GateOptions{NoMail: true, Site: "padlock closed"})
	julie, thief := NewClient(t), NewClient(t)
	demo.SignIn(julie, g.Site, "julie", Accounts[1].Password)
	g.Approve("julie")
	julie.Release(julie.Waiting(julie.Visit(g.Site.URL("/"))))
	thief.Open(g.Site.URL("/login"))
	good, device := "sid="+julie.Cookie(g.Site.URL("/"), "sid"), julie.ours(g.Site)
	bad := "sid=" + thief.Cookie(g.Site.URL("/"), "sid")
	stranger := thief.ours(g.Site)
	if device == nil || stranger == nil {
		t.Fatal("no device cookie")
	}
	mine, others := device.Name+"="+device.Value, stranger.Name+"="+stranger.Value
	value, stamp, _ := strings.Cut(strings.TrimPrefix(good, "sid="), "~")
	_, otherStamp, _ := strings.Cut(strings.TrimPrefix(bad, "sid="), "~")
	demo.take()

	for what, x := range map[string]struct {
		cookies string
		signed  bool
	}{
		"her own two":                                    {mine + "; " + good, true},
		"a session planted before hers":                  {mine + "; " + bad + "; " + good, true},
		"a session planted after hers":                   {mine + "; " + good + "; " + bad, true},
		"nonsense before hers":                           {mine + "; sid=x; " + good, true},
		"nonsense with a stamp's shape":                  {mine + "; sid=x~" + strings.Repeat("A", 66) + "; " + good, true},
		"a device cookie that is nonsense before":        {device.Name + "=x; " + mine + "; " + good, true},
		"a device cookie that is nonsense after":         {mine + "; " + device.Name + "=" + strings.Repeat("B", len(device.Value)) + "; " + good, true},
		"many of them":                                   {strings.Repeat("sid=x; ", 5) + strings.Repeat(device.Name+"=x; ", 3) + mine + "; " + good, true},
		"quoted":                                         {mine + "; sid=\"" + strings.TrimPrefix(good, "sid=") + "\"", true},
		"no device cookie":                               {good, false},
		"another's device cookie":                        {others + "; " + good, false},
		"the value without its stamp":                    {mine + "; sid=" + value, false},
		"the value with another's stamp":                 {mine + "; sid=" + value + "~" + otherStamp, false},
		"on another's device with another's stamp":       {others + "; sid=" + value + "~" + otherStamp, false},
		"on another's device, twice stamped":             {others + "; sid=" + value + "~" + stamp + "~" + otherStamp, false},
		"on another's device under another's name":       {others + "; SID=" + value + "; $sid=" + value, false},
		"on another's device, hidden behind a comma":     {others + "; theme=dark, sid=" + value, false},
		"on another's device, hidden behind a space":     {others + "; theme=dark sid=" + value, false},
		"on another's device, hidden in quotes":          {others + "; theme=\"dark; sid=" + value + "\"", false},
		"on another's device, hidden with a tab":         {others + "; theme=dark\tsid=" + value, false},
		"on another's device, with a space in the name":  {others + "; sid =" + value + "; sid= " + value, false},
		"on another's device, with brackets":             {others + "; sid[0]=" + value, false},
		"on another's device, escaped":                   {others + "; s%69d=" + value + "; %73id=" + value, false},
		"on another's device, without a name":            {others + "; =sid=" + value + "; " + value, false},
		"on another's device, with an attribute's shape": {others + "; $Version=1; sid=" + value + "; $Path=/", false},
	} {
		a := sends(t, g.Site, "/api/me", x.cookies)
		seen := demo.take()
		for _, got := range seen {
			if line := strings.Join(got.Header.Values("Cookie"), "; "); !x.signed && strings.Contains(line, value) {
				t.Errorf("%s: the application saw %q", what, line)
			}
			for _, stamp := range []string{"~", device.Value} {
				if line := strings.Join(got.Header.Values("Cookie"), "; "); strings.Contains(line, stamp) {
					t.Errorf("%s: the application saw our %q in %q", what, stamp, line)
				}
			}
		}
		if signed := a.Status == http.StatusOK && strings.Contains(a.Text(), "julie"); signed != x.signed {
			t.Errorf("%s: %d %.100s", what, a.Status, a.Body)
		}
	}
	if who := demo.Who(julie, g.Site); who != "julie" {
		t.Errorf("after all that the application knows Julie as %q", who)
	}
	if !strings.Contains(g.Must("activity", "--json"), "session.foreign") {
		t.Error("the activity does not say that a session came from another device")
	}
}

// L9: the names and attributes of our cookie, and its rotation at an approval
// and at a change of user: what was planted before is an old generation then.
func TestThreat_L9_OurCookieIsTheHostsOwnAndRotates(t *testing.T) {
	t.Parallel()
	demo := &spied{}
	g := StartGate(t, demo, GateOptions{NoMail: true, Site: "padlock closed"})
	c := NewClient(t)
	first := c.Open(g.Site.URL("/login"))
	check := func(a *Answer) string {
		t.Helper()
		cookie := a.Cookie("__Host-cadenas")
		if cookie == nil {
			t.Fatalf("%s: no __Host- cookie: %v", a.URL, a.Cookies)
		}
		if !cookie.Secure || !cookie.HttpOnly || cookie.Path != "/" || cookie.Domain != "" {
			t.Errorf("its attributes: %s", cookie.Raw)
		}
		if control := a.Header.Get("Cache-Control"); !strings.Contains(control, "private") && !strings.Contains(control, "no-store") {
			t.Errorf("a shared cache may keep it: %q", control)
		}
		return cookie.Value
	}
	before := check(first)
	demo.SignIn(c, g.Site, "julie", Accounts[1].Password).Expect(http.StatusForbidden)
	g.Approve("julie")
	released := c.Release(c.Waiting(c.Visit(g.Site.URL("/"))))
	if check(released) == before {
		t.Error("the same cookie after the approval")
	}
	after := c.ours(g.Site).Value
	if who := demo.Who(c, g.Site); who != "julie" {
		t.Fatalf("the application knows her as %q", who)
	}
	// Samuel signs in on the same browser.
	demo.SignIn(c, g.Site, "samuel", Accounts[2].Password).Expect(http.StatusForbidden)
	g.Approve("samuel")
	second := c.Release(c.Waiting(c.Visit(g.Site.URL("/"))))
	if check(second) == after {
		t.Error("the same cookie after a change of user")
	}
	if who := demo.Who(c, g.Site); who != "samuel" {
		t.Errorf("the application knows him as %q", who)
	}
}
