package fingerprint_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/fingerprint"
	"github.com/cadenas-gateway/cadenas/seal"
)

var (
	now      = time.Date(2026, 3, 2, 6, 30, 0, 0, time.UTC)
	firstKey = seal.NewKey()
	nextKey  = seal.NewKey()
)

func ring(t testing.TB, newest byte, keys map[byte][]byte) *seal.Ring {
	t.Helper()
	r, err := seal.NewRing(keys, newest)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newReader(t testing.TB) *fingerprint.Reader {
	r := ring(t, 1, map[byte][]byte{1: firstKey})
	return &fingerprint.Reader{
		Jar:    &fingerprint.Jar{Keys: func() *seal.Ring { return r }},
		Agents: fingerprint.NewAgents(),
		Ledger: fingerprint.NewLedger(100, nil, nil),
	}
}

const (
	chromeOnWindows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
	safariOnMac     = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15"
	braveHint       = `"Not;A=Brand";v="99", "Brave";v="139", "Chromium";v="139"`
)

var overTLS = fingerprint.Arrival{HTTPS: true, ClientIP: "203.0.113.7"}

func request(cookies ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://app.example.com/", nil)
	r.Header.Set("User-Agent", chromeOnWindows)
	if len(cookies) > 0 {
		r.Header["Cookie"] = cookies
	}
	return r
}

// pair is the name=value of a Set-Cookie line.
func pair(setCookie string) string { return strings.SplitN(setCookie, ";", 2)[0] }

// enrol gives a browser its first cookie.
func enrol(t testing.TB, rd *fingerprint.Reader, at time.Time) (cookie, device string) {
	t.Helper()
	f := rd.Read(request(), overTLS, at)
	if f.Device.ID != "" || !f.Due(at) {
		t.Fatalf("a browser without a cookie is %q, due %v", f.Device.ID, f.Due(at))
	}
	return pair(rd.Issue(&f, at)), f.Device.ID
}

func TestADeviceIsKnownAgain(t *testing.T) {
	rd := newReader(t)
	cookie, device := enrol(t, rd, now)
	if len(device) != 22 {
		t.Errorf("device %q", device)
	}
	f := rd.Read(request("a=b; "+cookie+"; c=d"), overTLS, now.Add(time.Hour))
	if f.Device.ID != device || f.Due(now.Add(time.Hour)) || f.Clone() {
		t.Errorf("got %q, due %v, clone %v", f.Device.ID, f.Due(now.Add(time.Hour)), f.Clone())
	}
	if f.Address.String() != "203.0.113.7" || f.Browser.Family != "Chrome" || f.Device.Kind != access.Computer || f.Device.Label != "Windows computer" {
		t.Errorf("got %+v", f)
	}
}

func TestSetCookieLine(t *testing.T) {
	rd := newReader(t)
	for _, c := range []struct {
		name, host string
		at         fingerprint.Arrival
		begins     string
		has, not   []string
	}{
		{"https", "app.example.com", fingerprint.Arrival{HTTPS: true}, "__Host-cadenas=", []string{"; Path=/;", "; Max-Age=34560000;", "; HttpOnly;", "; Secure;", "; SameSite=None"}, []string{"Domain"}},
		{"http on localhost", "app.localhost:8080", fingerprint.Arrival{}, "__Host-cadenas=", []string{"; Secure;", "; SameSite=None"}, []string{"Domain"}},
		{"http on localhost itself", "localhost", fingerprint.Arrival{}, "__Host-cadenas=", []string{"; Secure;"}, nil},
		{"http elsewhere", "app.example.com", fingerprint.Arrival{}, "cadenas=", []string{"; HttpOnly;", "; SameSite=Lax"}, []string{"Secure", "None", "Domain"}},
		{"http on an address", "127.0.0.1:8080", fingerprint.Arrival{}, "cadenas=", nil, []string{"Secure"}},
		{"a host that ends like localhost", "notlocalhost", fingerprint.Arrival{}, "cadenas=", nil, []string{"Secure"}},
		{"a cookie domain", "app.example.com", fingerprint.Arrival{HTTPS: true, Domain: "example.com"}, "__Secure-cadenas=", []string{"; Domain=example.com;", "; Secure;", "; SameSite=None"}, nil},
		{"a cookie domain over http", "app.example.com", fingerprint.Arrival{Domain: "example.com"}, "cadenas=", []string{"; Domain=example.com;", "; SameSite=Lax"}, []string{"Secure"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := request()
			r.Host = c.host
			f := rd.Read(r, c.at, now)
			line := rd.Issue(&f, now)
			if !strings.HasPrefix(line, c.begins) {
				t.Errorf("%s does not begin with %s", line, c.begins)
			}
			for _, s := range c.has {
				if !strings.Contains(line, s) {
					t.Errorf("%s lacks %s", line, s)
				}
			}
			for _, s := range c.not {
				if strings.Contains(line, s) {
					t.Errorf("%s has %s", line, s)
				}
			}
			if len(line) > 300 {
				t.Errorf("%d bytes", len(line))
			}
		})
	}
}

func TestACookieIsRenewed(t *testing.T) {
	rd := newReader(t)
	cookie, device := enrol(t, rd, now)
	later := now.Add(25 * time.Hour)
	f := rd.Read(request(cookie), overTLS, later)
	if !f.Due(later) {
		t.Fatal("a cookie of yesterday is not due")
	}
	renewed := pair(rd.Issue(&f, later))
	if f.Device.ID != device || f.Cookie.Generation != 1 || renewed == cookie {
		t.Errorf("device %q, generation %d", f.Device.ID, f.Cookie.Generation)
	}
	if f := rd.Read(request(renewed), overTLS, later); f.Due(later) || f.Device.ID != device {
		t.Errorf("the renewed cookie: due %v, device %q", f.Due(later), f.Device.ID)
	}
}

func TestACookieOfAnOlderKeyIsSealedAgain(t *testing.T) {
	rd := newReader(t)
	cookie, device := enrol(t, rd, now)
	both := ring(t, 2, map[byte][]byte{1: firstKey, 2: nextKey})
	rd.Jar.Keys = func() *seal.Ring { return both }
	f := rd.Read(request(cookie), overTLS, now)
	if f.Device.ID != device || !f.Due(now) {
		t.Fatalf("device %q, due %v", f.Device.ID, f.Due(now))
	}
	again := pair(rd.Issue(&f, now))
	if f.Cookie.Generation != 0 {
		t.Errorf("generation %d", f.Cookie.Generation)
	}
	only := ring(t, 2, map[byte][]byte{2: nextKey})
	rd.Jar.Keys = func() *seal.Ring { return only }
	if f := rd.Read(request(again), overTLS, now); f.Device.ID != device {
		t.Error("the cookie sealed again is not known")
	}
	if f := rd.Read(request(cookie), overTLS, now); f.Device.ID != "" {
		t.Error("a cookie of a key that was given up is known")
	}
}

func TestACookieEnds(t *testing.T) {
	rd := newReader(t)
	cookie, device := enrol(t, rd, now)
	if f := rd.Read(request(cookie), overTLS, now.Add(399*24*time.Hour)); f.Device.ID != device {
		t.Error("not known after 399 days")
	}
	if f := rd.Read(request(cookie), overTLS, now.Add(401*24*time.Hour)); f.Device.ID != "" {
		t.Error("known after 401 days")
	}
}

func TestTheClockSetBack(t *testing.T) {
	rd := newReader(t)
	cookie, device := enrol(t, rd, now)
	before := now.AddDate(-1, 0, 0)
	f := rd.Read(request(cookie), overTLS, before)
	if f.Device.ID != device || !f.Due(before) {
		t.Errorf("device %q, due %v", f.Device.ID, f.Due(before))
	}
}

// TestThreat_L9_CookieTossing: of several cookies of the name each is judged
// by its seal; the bad lock nobody out and let nobody in.
func TestThreat_L9_CookieTossing(t *testing.T) {
	rd := newReader(t)
	cookie, device := enrol(t, rd, now)
	f := rd.Read(request(cookie), overTLS, now.Add(25*time.Hour))
	newer := pair(rd.Issue(&f, now.Add(25*time.Hour)))
	value := strings.TrimPrefix(cookie, "__Host-cadenas=")
	forged := "__Host-cadenas=" + strings.Repeat("A", len(value))
	touched := "__Host-cadenas=" + "B" + value[1:]
	at := now.Add(26 * time.Hour)
	for _, c := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"a forged one first", []string{forged + "; " + cookie}, device},
		{"a forged one last", []string{cookie + "; " + forged}, device},
		{"on two lines, as HTTP/2 has them", []string{forged, cookie}, device},
		{"fifty forged ones first", []string{strings.Repeat(forged+"; ", 50) + cookie}, device},
		{"a thousand of the wrong length first", []string{strings.Repeat("__Host-cadenas=x; ", 1000) + cookie}, device},
		{"old and new", []string{cookie + "; " + newer}, device},
		{"only a forged one", []string{forged}, ""},
		{"one letter changed", []string{touched}, ""},
		{"cut", []string{cookie[:len(cookie)-1]}, ""},
		{"the name of plain http", []string{strings.Replace(cookie, "__Host-cadenas", "cadenas", 1)}, ""},
		{"the name of a cookie domain", []string{strings.Replace(cookie, "__Host-", "__Secure-", 1)}, ""},
		{"the name in other letters", []string{strings.Replace(cookie, "__Host-", "__host-", 1)}, ""},
		{"a longer name", []string{"x" + cookie, strings.Replace(cookie, "cadenas=", "cadenas2=", 1)}, ""},
		{"in quotes", []string{`__Host-cadenas="` + value + `"`}, ""},
		{"without a value", []string{"__Host-cadenas", "__Host-cadenas="}, ""},
		{"nothing", nil, ""},
		{"empty lines", []string{"", ";;;", " ; ; "}, ""},
		{"without spaces", []string{"a=b;" + cookie + ";c=d"}, device},
		{"spaces about", []string{"a=b;   " + cookie + "   ; c=d"}, device},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := rd.Read(request(c.lines...), overTLS, at)
			if f.Device.ID != c.want {
				t.Errorf("device %q, want %q", f.Device.ID, c.want)
			}
		})
	}
	if f := rd.Read(request(cookie+"; "+newer), overTLS, at); f.Cookie.Generation != 1 {
		t.Errorf("of old and new the generation is %d", f.Cookie.Generation)
	}
}

func TestWhatIsSealedForAnotherPurposeIsNoDevice(t *testing.T) {
	rd := newReader(t)
	cookie, _ := enrol(t, rd, now)
	r := rd.Jar.Keys()
	box, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(cookie, "__Host-cadenas="))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := r.Open(nil, box, "device")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"another purpose":    r.SealText(plain, "stamp"),
		"a context":          r.SealText(plain, "device", "sdg"),
		"another layout":     r.SealText(append([]byte{9}, plain[1:]...), "device"),
		"a byte too many":    r.SealText(append(plain[:len(plain):len(plain)], 0), "device"),
		"a length that lies": r.SealText(append(plain[:len(plain)-1:len(plain)-1], 200), "device"),
	} {
		if f := rd.Read(request("__Host-cadenas="+text), overTLS, now); f.Device.ID != "" {
			t.Errorf("%s: taken for device %s", name, f.Device.ID)
		}
	}
}

func TestOurs(t *testing.T) {
	for _, name := range []string{"__Host-cadenas", "__Secure-cadenas", "cadenas", "__host-CADENAS", " cadenas"} {
		if !fingerprint.Ours(name) {
			t.Errorf("%q is not ours", name)
		}
	}
	for _, name := range []string{"", "cadenas2", "xcadenas", "session"} {
		if fingerprint.Ours(name) {
			t.Errorf("%q is ours", name)
		}
	}
}

func TestWhatADeviceOnceShowedIsRemembered(t *testing.T) {
	rd := newReader(t)
	read := func(cookie, ua, hints string) fingerprint.Fingerprint {
		r := request(cookie)
		r.Header.Set("User-Agent", ua)
		if hints != "" {
			r.Header.Set("Sec-CH-UA", hints)
		}
		return rd.Read(r, overTLS, now)
	}
	f := read("", chromeOnWindows, braveHint)
	if f.Browser.Family != "Brave" {
		t.Fatalf("with hints %s", f.Browser.Family)
	}
	cookie := pair(rd.Issue(&f, now))

	if f = read(cookie, chromeOnWindows, ""); f.Browser.Family != "Brave" || f.Due(now) {
		t.Errorf("a WebSocket handshake has no hints: %s, due %v", f.Browser.Family, f.Due(now))
	}
	if f = read(cookie, safariOnMac, ""); f.Browser.Family != "Safari" {
		t.Errorf("the cookie in another browser: %s", f.Browser.Family)
	}
	f = read(cookie, chromeOnWindows, `"Chromium";v="140", "Google Chrome";v="140"`)
	if f.Browser.Family != "Chrome" || !f.Due(now) {
		t.Errorf("other hints: %s, due %v", f.Browser.Family, f.Due(now))
	}
	if f = read(pair(rd.Issue(&f, now)), chromeOnWindows, ""); f.Browser.Family != "Chrome" {
		t.Errorf("after that: %s", f.Browser.Family)
	}
}

func TestAnIPadThatSaysItIsAMac(t *testing.T) {
	rd := newReader(t)
	visit := func(cookie string) fingerprint.Fingerprint {
		r := request(cookie)
		r.Header.Set("User-Agent", safariOnMac)
		return rd.Read(r, overTLS, now)
	}
	f := visit("")
	if f.Remember(fingerprint.Report{TouchPoints: 5}) {
		t.Error("something is remembered of a device without a cookie")
	}
	rd.Issue(&f, now)
	browser := f.Browser
	if f.Device.Kind != access.Computer || f.Device.Label != "Mac" {
		t.Fatalf("before the report: %+v", f.Device)
	}
	if !f.Remember(fingerprint.Report{TouchPoints: 5}) || !f.Due(now) {
		t.Fatal("five touch points are not remembered")
	}
	cookie := pair(rd.Issue(&f, now))
	f = visit(cookie)
	if f.Device.Kind != access.Tablet || f.Device.Label != "iPad" || f.Browser != browser {
		t.Errorf("after the report: %+v, %+v", f.Device, f.Browser)
	}
	if f.Remember(fingerprint.Report{TouchPoints: 5}) {
		t.Error("the same report is news")
	}
	if f.Remember(fingerprint.Report{TouchPoints: 0}); f.Device.Label != "Mac" {
		t.Errorf("a Mac after all is %s", f.Device.Label)
	}
}

func TestTouchMakesNoTabletOfAWindowsComputer(t *testing.T) {
	rd := newReader(t)
	f := rd.Read(request(), overTLS, now)
	rd.Issue(&f, now)
	f.Remember(fingerprint.Report{TouchPoints: 10})
	if f.Device.Kind != access.Computer {
		t.Errorf("got %s", f.Device.Kind)
	}
}

func TestAnInstalledAppIsAFamilyOfItsOwn(t *testing.T) {
	rd := newReader(t)
	f := rd.Read(request(), overTLS, now)
	rd.Issue(&f, now)
	if !f.Remember(fingerprint.Report{Standalone: true}) || f.Browser.Family != "Installed app" {
		t.Fatalf("got %s", f.Browser.Family)
	}
	if f = rd.Read(request(pair(rd.Issue(&f, now))), overTLS, now); f.Browser.Family != "Installed app" || f.Browser.Platform != "Windows" {
		t.Errorf("later %+v", f.Browser)
	}
}

func TestMemoriesSurviveTheCookie(t *testing.T) {
	rd := newReader(t)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(-1, -1, 40)
		m := fingerprint.Memory{
			Touch: rapid.Bool().Draw(t, "touch"), Standalone: rapid.Bool().Draw(t, "standalone"),
			Family: text.Draw(t, "family"), Platform: text.Draw(t, "platform"),
			Kind: rapid.SampledFrom(append([]access.Kind{""}, access.Kinds...)).Draw(t, "kind"),
		}
		c := fingerprint.Cookie{
			ID:         base64.RawURLEncoding.EncodeToString(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")),
			Generation: rapid.Uint32().Draw(t, "generation"), Issued: time.Unix(now.Unix()-int64(rapid.IntRange(0, 399*86400).Draw(t, "age")), 0), Memory: m,
		}
		line := pair(rd.Jar.Header(c, "cadenas", ""))
		got, ok := rd.Jar.Find([]string{line}, "cadenas", now)
		if !ok || got != c {
			t.Fatalf("%+v came back %+v, %v", c, got, ok)
		}
	})
}

func TestNavigation(t *testing.T) {
	for _, c := range []struct {
		name, method string
		header       map[string]string
		want         bool
	}{
		{"a page", "GET", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, true},
		{"a form", "POST", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, true},
		{"a frame", "GET", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, true},
		{"an embedded object", "GET", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "object"}, false},
		{"a call that asks for HTML", "GET", map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "text/html"}, false},
		{"an image", "GET", map[string]string{"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image", "Accept": "image/*"}, false},
		{"a WebSocket", "GET", map[string]string{"Sec-Fetch-Mode": "websocket", "Upgrade": "websocket"}, false},
		{"an old browser's page", "GET", map[string]string{"Accept": "text/html,*/*"}, true},
		{"an old browser's call", "GET", map[string]string{"Accept": "text/html", "X-Requested-With": "XMLHttpRequest"}, false},
		{"an event stream", "GET", map[string]string{"Accept": "text/event-stream"}, false},
		{"curl", "GET", map[string]string{"Accept": "*/*"}, false},
		{"an old browser's form", "POST", map[string]string{"Accept": "text/html"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, "/", nil)
			for k, v := range c.header {
				r.Header.Set(k, v)
			}
			if got := fingerprint.Navigation(r); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func FuzzCookies(f *testing.F) {
	rd := newReader(f)
	cookie, device := enrol(f, rd, now)
	f.Add("__Host-cadenas=abc", "a=b")
	f.Add(strings.Repeat("A", 200), ";;;=;__Host-cadenas")
	f.Fuzz(func(t *testing.T, a, b string) {
		if got := rd.Read(request(a, b), overTLS, now); got.Device.ID != "" {
			t.Fatalf("%q, %q are device %s", a, b, got.Device.ID)
		}
		if got := rd.Read(request(a, b, cookie), overTLS, now); got.Device.ID != device && strings.Count(a+b, "__Host-cadenas=") < 64 {
			t.Fatalf("%q, %q hide the device", a, b)
		}
	})
}

// BenchmarkKnown is the fingerprint's part of a known visit: a cookie among
// others and a browser seen before.
func BenchmarkKnown(b *testing.B) {
	rd := newReader(b)
	cookie, _ := enrol(b, rd, now)
	r := request("_ga=GA1.2.123456789.1700000000; theme=dark; session=" + strings.Repeat("s", 90) + "; " + cookie)
	r.Header.Set("Sec-CH-UA", `"Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"`)
	b.ReportAllocs()
	for b.Loop() {
		if f := rd.Read(r, overTLS, now); f.Device.ID == "" {
			b.Fatal("not known")
		}
	}
}

func BenchmarkCookie(b *testing.B) {
	rd := newReader(b)
	cookie, _ := enrol(b, rd, now)
	lines := []string{"_ga=GA1.2.123456789.1700000000; theme=dark; session=" + strings.Repeat("s", 90) + "; " + cookie}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := rd.Jar.Find(lines, "__Host-cadenas", now); !ok {
			b.Fatal("not found")
		}
	}
}

func ExampleReader() {
	r, err := seal.NewRing(map[byte][]byte{1: seal.NewKey()}, 1)
	if err != nil {
		panic(err)
	}
	rd := &fingerprint.Reader{
		Jar:    &fingerprint.Jar{Keys: func() *seal.Ring { return r }},
		Agents: fingerprint.NewAgents(),
		Ledger: fingerprint.NewLedger(100_000, nil, nil),
	}
	f := rd.Read(request(), overTLS, now)
	fmt.Println(f.Device.Label, f.Browser.Family, f.Address, f.Due(now))
	// Output: Windows computer Chrome 203.0.113.7 true
}

// An identifier is typed on command lines.
func TestNoDeviceIsCalledLikeAFlag(t *testing.T) {
	rd := newReader(t)
	for range 500 { // one in 64 would be
		if _, device := enrol(t, rd, now); strings.HasPrefix(device, "-") {
			t.Fatalf("a device is called %s", device)
		}
	}
}
