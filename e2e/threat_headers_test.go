package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// authority is a stand-in for an identity provider behind forward_auth: it
// names the user of the cookie "sso", and says nothing for nobody.
func authority(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie("sso"); err == nil {
			w.Header().Set("Remote-User", c.Value)
		}
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// aliases are the ways to write a header that some backend reads as name. A
// request line, the Host and an empty line stand around them.
func aliases(name string) map[string]string {
	under := strings.ReplaceAll(name, "-", "_")
	dotted := strings.ReplaceAll(name, "-", ".")
	first, rest, _ := strings.Cut(name, "-")
	return map[string]string{
		"as it is":                    name + ": admin\r\n",
		"in lower case":               strings.ToLower(name) + ": admin\r\n",
		"in upper case":               strings.ToUpper(name) + ": admin\r\n",
		"with underscores":            under + ": admin\r\n",
		"with underscores in capital": strings.ToUpper(under) + ": admin\r\n",
		"with dots":                   dotted + ": admin\r\n",
		"with both":                   first + "." + strings.ReplaceAll(rest, "-", "_") + ": admin\r\n",
		"twice":                       name + ": admin\r\n" + name + ": admin2\r\n",
		"twice, in two ways":          name + ": admin\r\n" + under + ": admin2\r\n",
		"empty":                       name + ":\r\n",
		"empty, then not":             name + ":\r\n" + strings.ToLower(name) + ": admin\r\n",
		"with a tab at the end":       name + ": admin\t\r\n",
		"with a tab in the name":      name + "\t: admin\r\n",
		"with a space in the name":    name + " : admin\r\n",
		"folded over two lines":       name + ":\r\n admin\r\n",
		"behind another, folded":      "X-Other: 1\r\n " + name + ": admin\r\n",
		"nominated in Connection":     "Connection: close, " + name + "\r\n",
		"nominated and sent":          "Connection: keep-alive, " + name + "\r\n" + name + ": admin\r\n",
		"nominated by an alias":       "Connection: close, " + under + "\r\n" + under + ": admin\r\n",
		"nominated with an upgrade":   "Connection: Upgrade, " + name + "\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n",
		"nominated twice":             "Connection: " + name + "\r\nConnection: close\r\n",
		"nominated for proxies":       "Proxy-Connection: " + name + "\r\n",
	}
}

// L1 and L2: the backend sees our identity and no other, however the client
// writes the header.
func TestThreat_L1_TheBackendSeesOnlyOurHeaders(t *testing.T) {
	t.Parallel()
	backend := record(t, nil)
	site := NewSite(t, "app.localhost")
	login := site.As("login.localhost")
	StartCaddy(t, fmt.Sprintf(`{
		auto_https off
	}
	%s {
		forward_auth %s {
			uri /
			copy_headers Remote-User
		}
		cadenas sso {
			identity header Remote-User
			factors_header Cadenas-Factors
			padlock open
		}
		reverse_proxy %s
	}
	%s {
		cadenas form {
			login /login
			factors_header Cadenas-Factors
			padlock open
		}
		reverse_proxy %s
	}`, site, authority(t), backend.Address, login, backend.Address))

	for _, c := range []struct {
		who    string
		site   Site
		cookie string
		want   map[string][]string
	}{
		{"somebody", site, "Cookie: sso=marie\r\n", map[string][]string{
			"Remote-User": {"marie"}, "Cadenas-Factors": {"header"}, "Cadenas-Explain": {}, "Cadenas-Reason": {},
		}},
		{"nobody", site, "", map[string][]string{"Remote-User": {}, "Cadenas-Factors": {}, "Cadenas-Explain": {}, "Cadenas-Reason": {}}},
		{"nobody at a login", login, "", map[string][]string{"Cadenas-Factors": {}, "Cadenas-Explain": {}, "Cadenas-Reason": {}}},
	} {
		for name, want := range c.want {
			for how, header := range aliases(name) {
				a, _, err := speak(t, c.site.Port, "GET /page HTTP/1.1\r\nHost: "+c.site.host()+"\r\n"+c.cookie+header+"\r\n")
				seen := backend.take()
				if err != nil || a.Status == http.StatusBadRequest {
					if len(seen) > 0 {
						t.Errorf("%s of %s %s: refused, and forwarded too", name, c.who, how)
					}
					continue
				}
				if len(seen) != 1 {
					t.Errorf("%s of %s %s: %d, %d requests forwarded", name, c.who, how, a.Status, len(seen))
					continue
				}
				if got := seen[0].folded(name); !slices.Equal(got, want) {
					t.Errorf("%s of %s %s: the backend sees %q, not %q", name, c.who, how, got, want)
				}
				if got := a.Header.Values("Cadenas-Reason"); len(got) > 0 {
					t.Errorf("%s of %s %s: reasons are told to anybody: %q", name, c.who, how, got)
				}
			}
			// In a trailer, announced or not; on a login's path too, where the
			// body is read before it is forwarded.
			for _, path := range []string{"/page", "/login"} {
				for _, announced := range []string{"", "Trailer: " + name + "\r\n"} {
					_, _, _ = speak(t, c.site.Port, "POST "+path+" HTTP/1.1\r\nHost: "+c.site.host()+"\r\n"+c.cookie+announced+
						"Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nuser=\r\n0\r\n"+name+": admin\r\n"+
						strings.ReplaceAll(name, "-", "_")+": admin\r\n\r\n")
					for _, seen := range backend.take() {
						if got := seen.folded(name); !slices.Equal(got, want) {
							t.Errorf("%s of %s in a trailer of %s (%q): the backend sees %q, not %q", name, c.who, path, announced, got, want)
						}
					}
				}
			}
		}
	}
}

// L1: where a header is believed as it comes, two of them are nobody's.
func TestThreat_L1_TwoValuesOfATrustedHeaderAreRefused(t *testing.T) {
	t.Parallel()
	backend := record(t, nil)
	site := NewSite(t, "app.localhost")
	StartCaddy(t, fmt.Sprintf("{\nauto_https off\n}\n%s {\ncadenas {\nidentity header Remote-User\npadlock closed\n}\nreverse_proxy %s\n}", site, backend.Address))
	for how, headers := range map[string][]string{
		"two users":               {"Remote-User: marie", "Remote-User: admin"},
		"one user twice":          {"Remote-User: marie", "Remote-User: marie"},
		"a user and an alias":     {"Remote_User: admin"},
		"only an alias with dots": {"Remote.User: admin"},
		"an empty one":            {"Remote-User:"},
		"a control character":     {"Remote-User: ma\x01rie"},
		"a name that is ours":     {"Remote-User: device:abc"},
		"invisible characters":    {"Remote-User: mar\u200bie"},
		"another direction":       {"Remote-User: \u202eeiram"},
	} {
		a, _, err := speak(t, site.Port, say("GET / HTTP/1.1", site.host(), headers...))
		if seen := backend.take(); len(seen) > 0 {
			t.Errorf("%s: reached the backend as %q", how, seen[0].folded("Remote-User"))
		}
		if err == nil && a.Status != http.StatusForbidden && a.Status != http.StatusBadRequest {
			t.Errorf("%s: %d", how, a.Status)
		}
	}
}

// L1 over HTTP/2, whose headers are all lower case and take another way in.
func TestThreat_L1_AliasesAreStrippedOverHTTP2(t *testing.T) {
	t.Parallel()
	backend := record(t, nil)
	site := NewSite(t, "app.localhost")
	site.Scheme = "https"
	c := StartCaddy(t, fmt.Sprintf(`{
		skip_install_trust
		auto_https disable_redirects
	}
	%s {
		tls internal
		forward_auth %s {
			uri /
			copy_headers Remote-User
		}
		cadenas sso {
			identity header Remote-User
			factors_header Cadenas-Factors
			padlock open
		}
		reverse_proxy %s
	}`, site, authority(t), backend.Address))
	client := http2Client(t, c, site)
	for _, cookie := range []string{"sso=marie", ""} {
		for _, name := range []string{"Remote-User", "Cadenas-Factors"} {
			for _, alias := range []string{name, strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(name, "-", ".")} {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, site.URL("/"), strings.NewReader("x"))
				if err != nil {
					t.Fatal(err)
				}
				r.Header[alias] = []string{"admin", ""}
				r.Trailer = http.Header{alias: {"admin"}}
				r.ContentLength = -1
				if cookie != "" {
					r.Header.Set("Cookie", cookie)
				}
				response, err := client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				_ = response.Body.Close()
				if response.ProtoMajor != 2 {
					t.Fatalf("spoken over %s", response.Proto)
				}
				want := []string{}
				if cookie != "" {
					want = []string{map[string]string{"Remote-User": "marie", "Cadenas-Factors": "header"}[name]}
				}
				if got := backend.one(t).folded(name); !slices.Equal(got, want) {
					t.Errorf("%s with %q: the backend sees %q, not %q", alias, cookie, got, want)
				}
			}
		}
	}
}

// http2Client speaks HTTP/2 to a site with Caddy's own certificate.
func http2Client(t *testing.T, c *Caddy, site Site) *http.Client {
	t.Helper()
	resolve := NewClient(t)
	transport := &http.Transport{DialContext: resolve.dial, TLSClientConfig: c.TLSOf(site), ForceAttemptHTTP2: true, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// L9: our cookies never reach the backend, and the backend cannot set them:
// not in an answer, not in a 103, not in a 101.
func TestThreat_L9_ABackendNeitherSeesNorSetsOurCookies(t *testing.T) {
	t.Parallel()
	backend := record(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"__Host-cadenas", "cadenas", "__Secure-cadenas", "CADENAS", " cadenas", "__host-Cadenas", "cadenas_wait", "__Host-cadenas_wait"} {
			w.Header().Add("Set-Cookie", name+"=planted; Path=/")
		}
		w.Header().Add("Set-Cookie", "theme=dark; Path=/")
		switch r.URL.Path {
		case "/early":
			w.WriteHeader(http.StatusEarlyHints)
		case "/ws":
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "websocket")
			w.WriteHeader(http.StatusSwitchingProtocols)
			return
		}
		_, _ = io.WriteString(w, protected)
	}))
	site := NewSite(t, "app.localhost")
	StartCaddy(t, fmt.Sprintf(`{
		auto_https off
	}
	%s {
		cadenas one {
			login /login
		}
		reverse_proxy %s
	}
	%s {
		cadenas two {
			identity header Remote-User
		}
		reverse_proxy %s
	}`, site, backend.Address, site.As("sso.localhost"), backend.Address))
	for _, s := range []Site{site, site.As("sso.localhost")} {
		for _, path := range []string{"/", "/early", "/ws"} {
			headers := []string{"Cookie: cadenas=a; __Host-cadenas=b; CADENAS=c; theme=light", "Cookie: __Secure-cadenas=d", "Sec-Fetch-Mode: navigate"}
			if path == "/ws" {
				headers = append(headers, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==")
			}
			a, _, err := speak(t, s.Port, say("GET "+path+" HTTP/1.1", s.host(), append(headers, "Connection: close")...))
			if err != nil {
				t.Fatalf("%s%s: %v", s, path, err)
			}
			for _, line := range a.Header.Values("Set-Cookie") {
				if strings.Contains(line, "planted") {
					t.Errorf("%s%s: the backend set %q", s, path, line)
				}
			}
			if !slices.ContainsFunc(a.Header.Values("Set-Cookie"), func(l string) bool { return strings.HasPrefix(l, "theme=dark") }) {
				t.Errorf("%s%s: a cookie of the backend's own is gone: %q", s, path, a.Header.Values("Set-Cookie"))
			}
			for _, seen := range backend.take() {
				if got := strings.Join(seen.Header.Values("Cookie"), "; "); got != "theme=light" {
					t.Errorf("%s%s: the backend sees %q", s, path, got)
				}
			}
		}
	}
}
