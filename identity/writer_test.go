package identity_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/identity"
)

// Informational answers and upgrades pass stamped; ours are neither lost nor
// doubled; the backend's with our names are dropped.
func TestTrap_OneXXAndUpgradesAreStamped(t *testing.T) {
	g := newGateway(t, judgeable())
	signedIn(t, g)
	rw := &flow{header: http.Header{}}
	rw.header.Add("Set-Cookie", "__Host-cadenas=new; Path=/")
	x := g.w.Wrap(rw, httptest.NewRequest("GET", "/", nil), g.session, "laptop", identity.Closed)
	x.Header().Add("Set-Cookie", "sid=abc; Path=/; HttpOnly")
	x.Header().Add("Set-Cookie", "__Host-cadenas=forged; Path=/")
	x.Header().Add("Set-Cookie", "theme=dark")
	x.WriteHeader(http.StatusEarlyHints)
	clear(x.Header()) // as httputil.ReverseProxy does
	x.Header().Add("Set-Cookie", "sid=def; Path=/; HttpOnly")
	x.Header().Add("Set-Cookie", "cadenas=forged")
	x.WriteHeader(http.StatusSwitchingProtocols)
	if len(rw.sent) != 2 {
		t.Fatalf("%d answers", len(rw.sent))
	}
	for i, want := range []string{"sid=abc~", "sid=def~"} {
		lines := strings.Join(rw.sent[i], "\n")
		if !strings.Contains(lines, want) || strings.Contains(lines, "forged") || strings.Count(lines, "__Host-cadenas=new") != 1 {
			t.Errorf("answer %d:\n%s", i, lines)
		}
	}
	rw = &flow{header: http.Header{}}
	x = g.w.Wrap(rw, httptest.NewRequest("GET", "/", nil), g.session, "laptop", identity.Closed)
	x.Header().Add("Set-Cookie", "sid=abc; HttpOnly")
	x.WriteHeader(103)
	x.WriteHeader(200)
	if got := rw.sent[1][0]; strings.Count(got, "~") != 1 {
		t.Errorf("stamped twice: %q", got)
	}
}

func TestTheWayOutTouchesHeadersOnly(t *testing.T) {
	g := newGateway(t, judgeable())
	signedIn(t, g)
	wrap := func(mode identity.Mode) (*identity.Writer, *httptest.ResponseRecorder) {
		rec := httptest.NewRecorder()
		return g.w.Wrap(rec, httptest.NewRequest("GET", "/", nil), g.session, "laptop", mode), rec
	}
	x, rec := wrap(identity.Closed)
	x.Header().Add("Set-Cookie", `sid="quoted"; Path=/app; Expires=Wed, 21 Oct 2099 07:28:00 GMT; SameSite=Strict`)
	x.Header().Add("Set-Cookie", "sid=deleted; Path=/old; Max-Age=0")
	x.Header().Add("Set-Cookie", "theme=dark; Path=/")
	io.WriteString(x, "body")
	lines := rec.Result().Header.Values("Set-Cookie")
	if !strings.HasPrefix(lines[0], `sid="quoted~`) || !strings.HasSuffix(lines[0], `"; Path=/app; Expires=Wed, 21 Oct 2099 07:28:00 GMT; SameSite=Strict`) {
		t.Errorf("quoted: %q", lines[0])
	}
	if lines[1] != "sid=deleted; Path=/old; Max-Age=0" || lines[2] != "theme=dark; Path=/" {
		t.Errorf("the others: %q", lines[1:])
	}
	x, rec = wrap(identity.Closed)
	x.Header().Set("Set-Cookie", "sid=a")
	x.Finish()
	rec.WriteHeader(200)
	if !strings.Contains(rec.Result().Header.Get("Set-Cookie"), "~") {
		t.Error("an answer that writes nothing is not stamped")
	}
	x, rec = wrap(identity.Closed)
	x.Header().Set("Set-Cookie", "sid=a")
	x.Flush()
	if !strings.Contains(rec.Result().Header.Get("Set-Cookie"), "~") {
		t.Error("a flush goes out unstamped")
	}
	x, rec = wrap(identity.Closed)
	x.Header().Set("Set-Cookie", "sid=a")
	if n, err := x.ReadFrom(strings.NewReader("file")); n != 4 || err != nil || !strings.Contains(rec.Result().Header.Get("Set-Cookie"), "~") {
		t.Error("ReadFrom", n, err)
	}
	if x.Unwrap() != rec {
		t.Error("Unwrap")
	}
	if _, _, err := x.Hijack(); !errors.Is(err, http.ErrNotSupported) {
		t.Errorf("Hijack: %v", err)
	}
}

// Chromium drops a cookie over 4,096 bytes without a word.
func TestTrap_ASessionWithoutRoomForAStampIsToldByItsHash(t *testing.T) {
	g := newGateway(t, judgeable())
	b := signedIn(t, g)
	long := strings.Repeat("x", 4050)
	g.backend.sessions[long] = "ann"
	g.backend.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/long" {
			return false
		}
		w.Header().Add("Set-Cookie", "sid="+long+"; Path=/; HttpOnly")
		return true
	}
	b.get("/long")
	b.get("/long")
	if b.jar["sid"] != long {
		t.Fatal("it was stamped")
	}
	if got := text(b.get("/home")); got != "hello ann" {
		t.Fatalf("home says %q", got)
	}
	if strings.Count(g.log.String(), "no room for a stamp") != 1 {
		t.Errorf("the log:\n%s", g.log)
	}
	thief := g.browser("thief")
	thief.allow("ann")
	thief.jar["sid"] = long
	if strings.Contains(text(thief.get("/home")), "ann") {
		t.Fatal("the thief is in")
	}
}

// A cookie that scripts read is none of ours.
func TestCookiesThatScriptsReadAreLeftAlone(t *testing.T) {
	cfg := config()
	cfg.Session = nil
	g := newGateway(t, cfg)
	g.backend.answer = func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Add("Set-Cookie", "XSRF-TOKEN=abc; Path=/")
		w.Header().Add("Set-Cookie", "opaque=abcdefgh; Path=/; HttpOnly")
		w.Header().Add("Set-Cookie", "PHPSESSID=abc; Path=/")
		return false
	}
	b := g.browser("laptop")
	b.get("/login")
	if strings.Contains(b.jar["XSRF-TOKEN"], "~") || !strings.Contains(b.jar["opaque"], "~") || !strings.Contains(b.jar["PHPSESSID"], "~") {
		t.Fatalf("jar %v", b.jar)
	}
	// A restart knows the names.
	g.reload()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", "opaque=stolen; XSRF-TOKEN=abc")
	g.w.Clean(r, "laptop", identity.Closed)
	if got := r.Header.Get("Cookie"); got != "XSRF-TOKEN=abc" {
		t.Fatalf("after a restart: %q", got)
	}
}

// flow records the Set-Cookie lines of each header that goes out.
type flow struct {
	header http.Header
	sent   [][]string
	body   bytes.Buffer
}

func (f *flow) Header() http.Header { return f.header }
func (f *flow) WriteHeader(int) {
	f.sent = append(f.sent, append([]string(nil), f.header["Set-Cookie"]...))
}
func (f *flow) Write(p []byte) (int, error) { return f.body.Write(p) }
