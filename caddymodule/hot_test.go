package caddymodule

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/identity"
	"github.com/cadenas-gateway/cadenas/store"
)

// Bars of the hot path, in allocations; its time is measured by the
// benchmarks below and by bench/, never asserted.
const (
	allocationsOfACheck   = 1 // none, as a rule
	allocationsOfARequest = 3 // the request; two to spare
)

const hotAgent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"

// hot is a site behind a closed padlock and a person who is known there: a
// watched login, a device cookie, a place from a geo file.
type hot struct {
	*site
	t       testing.TB
	cookies string
	r       *http.Request
	cookie  []string // r's own, to be put back after each request
	w       *silentWriter
}

// silentWriter is a response that goes nowhere and costs nothing.
type silentWriter struct{ h http.Header }

func (w *silentWriter) Header() http.Header         { return w.h }
func (w *silentWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w *silentWriter) WriteHeader(int)             {}

// geoFile is a file in which the address of these requests is in Laval.
func geoFile(t testing.TB) string {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Test-City", IncludeReservedNetworks: true, RecordSize: 24})
	if err != nil {
		t.Fatal(err)
	}
	_, network, err := net.ParseCIDR("198.51.100.0/24")
	if err != nil {
		t.Fatal(err)
	}
	err = tree.Insert(network, mmdbtype.Map{
		"city":     mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String("Laval")}},
		"country":  mmdbtype.Map{"iso_code": mmdbtype.String("CA")},
		"location": mmdbtype.Map{"latitude": mmdbtype.Float64(45.6), "longitude": mmdbtype.Float64(-73.7)},
	})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "city.mmdb")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newHot(t testing.TB) *hot {
	t.Helper()
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	config := fmt.Sprintf(`{
		"admin": {"disabled": true, "config": {"persist": false}},
		"logging": {"logs": {"default": {"level": "ERROR"}}},
		"apps": {
			"cadenas": {"store": {"backend": "memory"}, "places": [{"source": "mmdb", "files": [%q]}]},
			"http": {"servers": {"one": {"listen": ["127.0.0.1:0"], "automatic_https": {"disable": true}, "routes": [{"handle": [
				{"handler": "cadenas", "application": "app", "login": {"path": "/login", "user": "user", "success": [["status", "303"]], "logout": "/logout"}}
			]}]}}}
		}
	}`, geoFile(t))
	if err := caddy.Load([]byte(config), true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	run, err := current.Load().open()
	if err != nil {
		t.Fatal(err)
	}
	q := &hot{site: run.sites[0], t: t, w: &silentWriter{h: http.Header{}}}
	q.signIn()
	rule := access.Rule{ID: "r1", Application: "app", User: "marie", Effect: access.Allow, Created: time.Now()}
	let := store.Write{Key: q.run.state.books.Rules.Key(rule), Value: books.Encode(rule)}
	_, err = q.run.state.books.Padlocks.Update(t.Context(), "app", func(p *books.Padlock) ([]store.Write, bool, error) {
		p.Closed = true
		return []store.Write{let}, true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	q.configure(q.run.state.gate) // forgets what was decided while it was open
	q.request()
	return q
}

// signIn signs somebody in through the watched login, and keeps the cookies.
func (q *hot) signIn() {
	q.t.Helper()
	q.answer(http.MethodGet, "/", "", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	q.answer(http.MethodPost, "/login", "user=marie&password=x", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "sid=0123456789abcdef0123456789abcdef; Path=/; HttpOnly")
		w.Header().Set("Location", "/")
		w.WriteHeader(http.StatusSeeOther)
	})
	if !strings.Contains(q.cookies, "sid=") || !strings.Contains(q.cookies, "cadenas") {
		q.t.Fatalf("the sign-in left %q", q.cookies)
	}
}

// answer sends one request through the site and joins its cookies.
func (q *hot) answer(method, path, body string, backend func(http.ResponseWriter, *http.Request)) int {
	q.t.Helper()
	r := httptest.NewRequestWithContext(q.t.Context(), method, "https://app.example.com"+path, strings.NewReader(body))
	r.Header.Set("User-Agent", hotAgent)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if q.cookies != "" {
		r.Header.Set("Cookie", q.cookies)
	}
	w := httptest.NewRecorder()
	if err := q.serve(w, arrived(r, w), caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		backend(w, r)
		return nil
	})); err != nil {
		q.t.Fatal(err)
	}
	got := w.Result()
	defer got.Body.Close() //nolint:errcheck // a recorder's
	for _, c := range got.Cookies() {
		var kept []string
		for part := range strings.SplitSeq(q.cookies, "; ") {
			if part != "" && !strings.HasPrefix(part, c.Name+"=") {
				kept = append(kept, part)
			}
		}
		q.cookies = strings.Join(append(kept, c.Name+"="+c.Value), "; ")
	}
	return got.StatusCode
}

// arrived is a request as Caddy hands it to a handler.
func arrived(r *http.Request, w http.ResponseWriter) *http.Request {
	r.TLS = &tls.ConnectionState{}
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, new(caddyhttp.Server))
	caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, "198.51.100.7")
	return r
}

// request makes the request that is sent again and again: a script's, with
// the cookies and headers that Chrome sends.
func (q *hot) request() {
	r := httptest.NewRequestWithContext(q.t.Context(), http.MethodGet, "https://app.example.com/api/children?group=otters", nil)
	r.Header = http.Header{
		"User-Agent": {hotAgent}, "Accept": {"*/*"}, "Accept-Language": {"fr-CA,fr;q=0.9,en;q=0.8"}, "Accept-Encoding": {"gzip, deflate, br"},
		"Sec-Ch-Ua": {`"Chromium";v="156", "Google Chrome";v="156", "Not.A/Brand";v="99"`}, "Sec-Ch-Ua-Mobile": {"?0"}, "Sec-Ch-Ua-Platform": {`"Linux"`},
		"Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Site": {"same-origin"}, "Referer": {"https://app.example.com/"},
		"Cookie": {"theme=dark; " + q.cookies},
	}
	q.cookie = []string{r.Header["Cookie"][0]}
	conn, _ := net.Pipe()
	r = r.WithContext(onLine(r.Context(), conn)) // as a connection of a Caddy gives it
	q.r = arrived(r, q.w)
}

// again puts back what a request took off.
func (q *hot) again() {
	q.r.Header["Cookie"] = append(q.r.Header["Cookie"][:0], q.cookie...)
	clear(q.w.h)
}

// check is what it takes to know that a request may pass.
func (q *hot) check() access.Verdict {
	now := time.Now()
	shown, from := q.handler.show(q.r), q.handler.hop(q.r)
	one := request{site: q.site, loginAtWork: q.login.Load(), r: q.r, now: now, session: &noSession, mode: identity.Closed}
	one.look(from, &shown)
	one.clean(from, &shown)
	one.locate(one.session.Person.User)
	v, err := one.decided(q.r.Context(), &one.session.Person)
	if err != nil {
		q.t.Fatal(err)
	}
	return *v
}

var toBackend = caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
	w.WriteHeader(http.StatusOK)
	return r.Context().Err()
})

func TestAKnownRequestCostsFewAllocations(t *testing.T) {
	q := newHot(t)
	if v := q.check(); v.Answer != access.LetIn {
		t.Fatalf("the known connection is not let in: %s, %s", v.Answer, v.Reason())
	}
	reached := 0
	q.again()
	if err := q.serve(q.w, q.r, caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		reached++
		if got := r.Header.Get("Cookie"); got != "theme=dark; sid=0123456789abcdef0123456789abcdef" {
			t.Errorf("the backend sees the cookies %q", got)
		}
		return nil
	})); err != nil || reached != 1 {
		t.Fatalf("the known request came to the backend %d times: %v", reached, err)
	}
	check := testing.AllocsPerRun(200, func() { q.again(); q.check() })
	whole := testing.AllocsPerRun(200, func() { q.again(); _ = q.serve(q.w, q.r, toBackend) })
	t.Logf("a check: %.0f allocations, a whole request: %.0f", check, whole)
	if check > allocationsOfACheck {
		t.Errorf("a check of a known connection makes %.0f allocations, not %d", check, allocationsOfACheck)
	}
	if whole > allocationsOfARequest {
		t.Errorf("a known request makes %.0f allocations, not %d", whole, allocationsOfARequest)
	}
}

func BenchmarkCheckOfAKnownConnection(b *testing.B) {
	q := newHot(b)
	q.check()
	b.ReportAllocs()
	used := processorTime(b)
	for b.Loop() {
		q.again()
		q.check()
	}
	b.ReportMetric(float64(processorTime(b)-used)/float64(b.N), "cpu-ns/op")
}

// processorTime is what this process has used of processors: on a machine
// that others use as well it says more than the clock.
func processorTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func BenchmarkWholeShareOfAKnownRequest(b *testing.B) {
	q := newHot(b)
	b.ReportAllocs()
	used := processorTime(b)
	for b.Loop() {
		q.again()
		if err := q.serve(q.w, q.r, toBackend); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(processorTime(b)-used)/float64(b.N), "cpu-ns/op")
}
