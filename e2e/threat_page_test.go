package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/cadenas-gateway/cadenas/identity"
)

// greedy is a shared cache that keeps whatever it is not forbidden to keep:
// every answer to GET without no-store or private, of whatever status, one
// for each value of the headers that Vary names.
type greedy struct {
	to   string // host:port
	mu   sync.Mutex
	kept []stored
}

type stored struct {
	key    string
	asked  http.Header
	status int
	header http.Header
	body   string
}

func (g *greedy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := r.Host + r.URL.RequestURI()
	if r.Method == http.MethodGet {
		g.mu.Lock()
		for _, s := range g.kept {
			same := s.key == key
			for _, line := range s.header.Values("Vary") {
				for name := range strings.SplitSeq(line, ",") {
					name = http.CanonicalHeaderKey(strings.TrimSpace(name))
					same = same && name != "*" && fmt.Sprint(s.asked[name]) == fmt.Sprint(r.Header[name])
				}
			}
			if same {
				g.mu.Unlock()
				g.write(w, s)
				return
			}
		}
		g.mu.Unlock()
	}
	out := r.Clone(r.Context())
	out.URL = &url.URL{Scheme: "http", Host: g.to, Opaque: r.URL.RequestURI()}
	out.RequestURI = ""
	response, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	body, _ := io.ReadAll(response.Body)
	_ = response.Body.Close()
	s := stored{key, r.Header.Clone(), response.StatusCode, response.Header, string(body)}
	control := strings.ToLower(strings.Join(response.Header.Values("Cache-Control"), ","))
	if r.Method == http.MethodGet && !strings.Contains(control, "no-store") && !strings.Contains(control, "private") {
		g.mu.Lock()
		g.kept = append(g.kept, s)
		g.mu.Unlock()
	}
	g.write(w, s)
}

func (g *greedy) write(w http.ResponseWriter, s stored) {
	for name, values := range s.header {
		w.Header()[name] = values
	}
	w.WriteHeader(s.status)
	_, _ = io.WriteString(w, s.body)
}

// L19: pages of ours are never taken for content, and never kept by a shared
// cache, however greedy; nor is a device's cookie.
func TestThreat_L19_OurPagesAreNeitherContentNorCached(t *testing.T) {
	t.Parallel()
	// A backend that says nothing of caching, and shows who asks.
	backend := record(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"content"`)
		w.Header().Set("Last-Modified", "Mon, 02 Nov 2026 08:00:00 GMT")
		w.Header().Set("Cache-Control", "public, max-age=3600")
		w.Header().Set("Vary", "X-Who")
		_, _ = fmt.Fprintf(w, "%s for %s", protected, r.Header.Get("X-Who"))
	}))
	site := NewSite(t, "app.localhost")
	g := &Gate{Name: "attendance", Site: site}
	g.Caddy = StartCaddy(t, fmt.Sprintf("{\nauto_https off\ncadenas {\nplace Office 127.0.0.1\n}\n}\n%s {\nencode\ncadenas attendance {\nidentity header X-Who\npadlock closed\n}\nreverse_proxy %s\n}\n", site, backend.Address))
	cache := &greedy{to: fmt.Sprintf("127.0.0.1:%d", site.Port)}
	server := httptest.NewServer(cache)
	t.Cleanup(server.Close)
	var port int
	if _, err := fmt.Sscanf(server.URL, "http://127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	through := site
	through.Port = port
	// The cache speaks to the gate under the name it was asked for.
	client := func(user string) *Client {
		c := NewClient(t)
		c.Header.Set("X-Who", user)
		return c
	}
	julie, stranger := client("julie"), client("stranger")
	julie.Visit(through.URL("/")).Expect(http.StatusForbidden)
	g.Approve("julie")

	for range 2 {
		for _, path := range []string{"/", "/page", "/image.png", "/api/data"} {
			for _, navigates := range []bool{true, false} {
				ask := func(c *Client) *Answer {
					if navigates {
						return c.Visit(through.URL(path))
					}
					return c.Fetch("GET", through.URL(path), "", nil)
				}
				if a := ask(stranger); a.Status != http.StatusForbidden || strings.Contains(a.Text(), protected) {
					t.Errorf("%s to a stranger: %d %.80s", path, a.Status, a.Body)
				}
				if a := ask(julie); a.Status != http.StatusOK || a.Text() != protected+" for julie" {
					t.Errorf("%s to Julie: %d %.80s", path, a.Status, a.Body)
				}
				if a := ask(client("nobody")); a.Status != http.StatusForbidden {
					t.Errorf("%s to nobody: %d %.80s", path, a.Status, a.Body)
				}
			}
		}
	}
	cache.mu.Lock()
	defer cache.mu.Unlock()
	content := 0
	for _, s := range cache.kept {
		if s.status != http.StatusOK || !strings.Contains(s.body, protected) {
			t.Errorf("the cache keeps %d of %s: %.200s", s.status, s.key, s.body)
		}
		for _, line := range s.header.Values("Set-Cookie") {
			if name, _, _ := strings.Cut(line, "="); identity.OurCookie(name) {
				t.Errorf("the cache keeps the device cookie of %s: strangers become one device", s.key)
			}
		}
		content++
	}
	if content == 0 {
		t.Error("nothing was cached: the test tests nothing")
	}
}

// L19 and X9: whatever the request, a refusal is 403 and no-store, a page for
// people and problem+json for all else; conditions and ranges do not make it
// 304 or 206.
func TestThreat_L19_ARefusalIsOneWhateverIsAsked(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"in place", "on the gate's host"} {
		t.Run(place, func(t *testing.T) {
			backend := record(t, nil)
			site := NewSite(t, "app.localhost")
			console := site.As("console.localhost")
			global, more := "", ""
			if place != "in place" {
				global, more = "console "+console.String(), fmt.Sprintf("%s {\ncadenas_console\n}\n", console)
			}
			StartCaddy(t, fmt.Sprintf("{\nauto_https off\ncadenas {\n%s\n}\n}\n%s {\nencode\nheader /static/* Cache-Control \"public, max-age=31536000, immutable\"\ncadenas {\nidentity header X-Who\npadlock closed\n}\nreverse_proxy %s\n}\n%s", global, site, backend.Address, more))
			c := NewClient(t)
			c.Header.Set("X-Who", "stranger")
			conditions := []http.Header{
				{},
				{"If-None-Match": {"*"}},
				{"If-None-Match": {`"content"`}},
				{"If-Modified-Since": {"Mon, 02 Nov 2026 08:00:00 GMT"}},
				{"Range": {"bytes=0-9"}},
				{"If-Range": {`"content"`}, "Range": {"bytes=0-"}},
				{"Cache-Control": {"only-if-cached, max-stale=100000"}},
				{"Accept-Encoding": {"gzip, zstd, br"}},
				{"Prefer": {"return=minimal"}},
				{"TE": {"trailers"}},
			}
			kinds := map[string]http.Header{
				"a page":          {"Accept": {"text/html"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}},
				"an old browser":  {"Accept": {"text/html,application/xhtml+xml"}},
				"fetch":           {"Accept": {"*/*"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}},
				"fetch for HTML":  {"Accept": {"text/html"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}},
				"XMLHttpRequest":  {"Accept": {"text/html"}, "X-Requested-With": {"XMLHttpRequest"}},
				"JSON":            {"Accept": {"application/json"}},
				"an image":        {"Accept": {"image/avif,image/webp"}, "Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Dest": {"image"}},
				"a script":        {"Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Dest": {"script"}},
				"an event stream": {"Accept": {"text/event-stream"}},
				"a WebSocket":     {"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-WebSocket-Version": {"13"}, "Sec-WebSocket-Key": {"MDEyMzQ1Njc4OWFiY2RlZg=="}},
				"curl":            {"Accept": {"*/*"}, "User-Agent": {"curl/8.5.0"}},
				"gRPC":            {"Content-Type": {"application/grpc"}, "TE": {"trailers"}},
			}
			for kind, headers := range kinds {
				for _, condition := range conditions {
					for _, method := range []string{"GET", "HEAD", "POST"} {
						r := c.Request(method, site.URL("/static/app.html"), nil)
						for _, h := range []http.Header{headers, condition} {
							for name, values := range h {
								r.Header[name] = values
							}
						}
						a := c.Do(r)
						what := fmt.Sprintf("%s of %s with %v", method, kind, condition)
						if a.Status != http.StatusForbidden {
							t.Errorf("%s: %d", what, a.Status)
						}
						if got := a.Header.Values("Cache-Control"); len(got) != 1 || !strings.Contains(got[0], "no-store") || strings.Contains(got[0], "public") {
							t.Errorf("%s: Cache-Control %q", what, got)
						}
						if a.Location() != "" || a.Header.Get("ETag") != "" || a.Header.Get("Last-Modified") != "" || a.Header.Get("Content-Range") != "" {
							t.Errorf("%s: looks like content: %v", what, a.Header)
						}
						page := kind == "a page" || kind == "an old browser"
						if page && a.Type() != "text/html" {
							t.Errorf("%s: %s", what, a.Type())
						}
						if !page {
							if a.Type() != "application/problem+json" {
								t.Errorf("%s: %s", what, a.Type())
							}
							if method != http.MethodHead && a.Header.Get("Content-Encoding") == "" && !json.Valid(a.Body) {
								t.Errorf("%s: %.200s", what, a.Body)
							}
						}
						if method == http.MethodHead && len(a.Body) > 0 {
							t.Errorf("%s: a body", what)
						}
					}
				}
			}
			if seen := backend.take(); len(seen) > 0 {
				t.Errorf("%d reached the backend", len(seen))
			}
		})
	}
}
