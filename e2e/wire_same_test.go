package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/cadenas-gateway/cadenas/identity"
)

// twins are the same application three times on one Caddy: without the gate,
// with a watched login and the padlock open, and closed for somebody known.
type twins struct {
	t       *testing.T
	backend *recorder
	bare    Site
	gated   map[string]Site
	// client speaks one version of HTTP.
	client *http.Client
	// who is the user that a header makes the gate know.
	who string
}

// startTwins starts them over https with HTTP/1.1 or HTTP/2, or in the clear
// as HTTP/1.1 or h2c.
func startTwins(t *testing.T, how string) *twins {
	t.Helper()
	tw := &twins{t: t, backend: record(t, manyKinds()), bare: NewSite(t, "bare.localhost"), who: "julie"}
	tls := ""
	if strings.HasPrefix(how, "https") {
		tw.bare.Scheme, tls = "https", "tls internal"
	}
	tw.gated = map[string]Site{"padlock open": tw.bare.As("open.localhost"), "known, padlock closed": tw.bare.As("known.localhost")}
	encode := "encode gzip zstd {\nminimum_length 256\n}"
	c := StartCaddy(t, fmt.Sprintf(`{
		skip_install_trust
		auto_https disable_redirects
		servers {
			protocols h1 h2 h2c
			max_header_size 256KiB
			enable_full_duplex
		}
	}
	%s {
		%s
		%s
		reverse_proxy %s
	}
	%s {
		%s
		%s
		cadenas open {
			login /login
		}
		reverse_proxy %s
	}
	%s {
		%s
		%s
		cadenas known {
			identity header X-Who
			padlock closed
		}
		reverse_proxy %s
	}`, tw.bare, tls, encode, tw.backend.Address, tw.gated["padlock open"], tls, encode, tw.backend.Address,
		tw.gated["known, padlock closed"], tls, encode, tw.backend.Address))
	g := &Gate{Caddy: c, Name: "known"}
	g.Must("rules", "add", "--user", tw.who, "--app", "known", "--effect", "allow")

	resolve := NewClient(t)
	transport := &http.Transport{DialContext: resolve.dial, DisableCompression: true, Protocols: new(http.Protocols), MaxResponseHeaderBytes: 1 << 20}
	switch how {
	case "http, HTTP/1.1", "https, HTTP/1.1":
		transport.Protocols.SetHTTP1(true)
	case "https, HTTP/2":
		transport.Protocols.SetHTTP2(true)
	case "h2c":
		transport.Protocols.SetUnencryptedHTTP2(true)
	}
	if tls != "" {
		for _, site := range []string{"bare", "open", "known"} {
			transport.TLSClientConfig = c.TLSOf(tw.bare.As(site + ".localhost"))
		}
	}
	t.Cleanup(transport.CloseIdleConnections)
	tw.client = &http.Client{Transport: transport, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return tw
}

// outcome is what a client got, and what the backend did.
type outcome struct {
	status  int
	proto   string
	header  http.Header
	body    string
	trailer http.Header
	interim []string
	failed  string
	arrived []arrival
}

// send makes one request to one of the sites.
func (tw *twins) send(site Site, make func(base string) *http.Request) (o outcome) {
	tw.t.Helper()
	r := make(site.String())
	r.Header.Set("X-Who", tw.who)
	if _, set := r.Header["User-Agent"]; !set {
		r.Header.Set("User-Agent", ChromeLinux)
	}
	var mu sync.Mutex
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		if code == http.StatusContinue { // Caddy's own, and at times the backend's
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		o.interim = append(o.interim, fmt.Sprint(code, h))
		return nil
	}}))
	response, err := tw.client.Do(r)
	if err != nil {
		o.failed = "no answer"
	} else {
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			o.failed = "cut"
		}
		o.status, o.proto, o.header, o.body, o.trailer = response.StatusCode, response.Proto, response.Header, string(body), response.Trailer
		o.settle(tw.t)
	}
	o.arrived = tw.backend.take()
	return o
}

// settle takes out of an answer what differs each time: how it was packed, and
// the boundary between ranges. What comes with our cookie is private.
func (o *outcome) settle(t *testing.T) {
	t.Helper()
	if o.header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(strings.NewReader(o.body))
		if err != nil {
			t.Errorf("an answer is not gzip: %v", err)
			return
		}
		plain, err := io.ReadAll(z)
		if err != nil {
			t.Errorf("an answer is not gzip: %v", err)
		}
		o.body = string(plain)
	}
	if _, boundary, ok := strings.Cut(o.header.Get("Content-Type"), "boundary="); ok {
		o.body = strings.ReplaceAll(o.body, boundary, "BOUNDARY")
		o.header.Set("Content-Type", strings.ReplaceAll(o.header.Get("Content-Type"), boundary, "BOUNDARY"))
	}
	for _, line := range o.header.Values("Set-Cookie") {
		if name, _, _ := strings.Cut(line, "="); identity.OurCookie(name) && o.header.Get("Cache-Control") == "private" {
			o.header.Del("Cache-Control")
		}
	}
}

// plainHeader is a header without what may differ: the date, our cookie, and
// the stamps on sessions.
func plainHeader(h http.Header) map[string][]string {
	plain := map[string][]string{}
	for name, values := range h {
		if name == "Date" || name == "Alt-Svc" {
			continue
		}
		for _, v := range values {
			if name == "Set-Cookie" {
				cookie, _, _ := strings.Cut(v, "=")
				if identity.OurCookie(cookie) {
					continue
				}
				v = unstamped(v)
			}
			plain[name] = append(plain[name], v)
		}
	}
	return plain
}

// unstamped takes the stamp off a Set-Cookie line.
func unstamped(line string) string {
	value, rest, more := strings.Cut(line, ";")
	quote := ""
	if strings.HasSuffix(value, `"`) {
		value, quote = strings.TrimSuffix(value, `"`), `"`
	}
	if i := strings.LastIndexByte(value, '~'); i > 0 && len(value)-i > 40 {
		value = value[:i]
	}
	value += quote
	if more {
		value += ";" + rest
	}
	return value
}

// differences compares what came of the same request without and with the
// gate.
func differences(bare, gated outcome) (all []string) {
	differ := func(what string, a, b any) {
		if x, y := fmt.Sprintf("%q", a), fmt.Sprintf("%q", b); x != y {
			all = append(all, fmt.Sprintf("%s: %.600s, and with the gate %.600s", what, x, y))
		}
	}
	differ("failure", bare.failed, gated.failed)
	differ("status", bare.status, gated.status)
	differ("protocol", bare.proto, gated.proto)
	differ("body", bare.body, gated.body)
	headers := func(what string, a, b map[string][]string) {
		names := slices.Collect(maps.Keys(a))
		for name := range b {
			if _, ok := a[name]; !ok {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		for _, name := range names {
			differ(what+" "+name, a[name], b[name])
		}
	}
	headers("header", plainHeader(bare.header), plainHeader(gated.header))
	headers("trailer", plainHeader(bare.trailer), plainHeader(gated.trailer))
	differ("interim answers", bare.interim, gated.interim)
	differ("requests at the backend", len(bare.arrived), len(gated.arrived))
	if len(bare.arrived) == 1 && len(gated.arrived) == 1 {
		a, b := bare.arrived[0], gated.arrived[0]
		differ("method", a.Method, b.Method)
		differ("URI", a.URI, b.URI)
		differ("body at the backend", a.Body, b.Body)
		differ("length at the backend", a.Length, b.Length)
		differ("encoding at the backend", a.Encoding, b.Encoding)
		for _, h := range []http.Header{a.Header, b.Header} {
			delete(h, "X-Forwarded-Host")
		}
		headers("at the backend", a.Header, b.Header)
		headers("trailer at the backend", a.Trailer, b.Trailer)
	}
	return all
}

func TestWire_TheGateChangesNothingForThoseItLetsIn(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"http, HTTP/1.1", "https, HTTP/2", "h2c"} {
		t.Run(how, func(t *testing.T) {
			tw := startTwins(t, how)
			request := func(method, path string, body []byte, headers ...string) func(string) *http.Request {
				return func(base string) *http.Request {
					var from io.Reader
					if body != nil {
						from = bytes.NewReader(body)
					}
					r, err := http.NewRequestWithContext(t.Context(), method, base+path, from)
					if err != nil {
						t.Fatal(err)
					}
					for i := 0; i+1 < len(headers); i += 2 {
						r.Header.Add(headers[i], headers[i+1])
					}
					return r
				}
			}
			streamed := func(path string, body []byte, trailer http.Header) func(string) *http.Request {
				return func(base string) *http.Request {
					r := request("POST", path, nil)(base)
					r.Body, r.ContentLength, r.Trailer = io.NopCloser(bytes.NewReader(body)), -1, trailer.Clone()
					return r
				}
			}
			form := []byte("user=julie&password=x&a=%zz")
			cases := map[string]func(string) *http.Request{
				"a page":                     request("GET", "/plain", nil),
				"a page somebody looks at":   request("GET", "/plain", nil, "Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Cookie", "theme=dark; lang=fr"),
				"odd cookies":                request("GET", "/plain", nil, "Cookie", `a=1;b="x y"; c; =d; a=2;  e = f ;`),
				"a query of all kinds":       request("GET", "/any?a=b&c=%zz&d;e=f&g=%2F%3F&h=+%20&&", nil),
				"a path of all kinds":        request("GET", "/any/a%2Fb/%E2%82%AC/x;y=z/~/%7e/a+b/.well-known/x", nil),
				"HEAD":                       request("HEAD", "/plain", nil),
				"HEAD of a file":             request("HEAD", "/file", nil),
				"OPTIONS":                    request("OPTIONS", "/plain", nil, "Origin", "https://elsewhere.example"),
				"PROPFIND":                   request("PROPFIND", "/plain", []byte("<propfind/>"), "Depth", "1"),
				"a method of nobody's":       request("FROBNICATE", "/plain", nil),
				"PUT":                        request("PUT", "/echo", bytesOf(100_000)),
				"DELETE with a body":         request("DELETE", "/echo", []byte("body")),
				"PATCH":                      request("PATCH", "/echo", []byte(`{"a":1}`), "Content-Type", "application/json"),
				"POST of a form":             request("POST", "/echo", form, "Content-Type", "application/x-www-form-urlencoded"),
				"POST of nothing":            request("POST", "/echo", []byte{}),
				"POST that expects":          request("POST", "/echo", bytesOf(10_000), "Expect", "100-continue"),
				"POST of unknown length":     streamed("/echo", bytesOf(300_000), nil),
				"POST with trailers":         streamed("/echo", bytesOf(1000), http.Header{"X-Sum": {"sum"}, "X-Other": {"a", "b"}}),
				"POST packed":                request("POST", "/echo", []byte(packed("hello")), "Content-Encoding", "gzip"),
				"a form at the login's path": request("POST", "/login", []byte("nothing=here"), "Content-Type", "application/x-www-form-urlencoded"),
				"an upload at the login":     request("POST", "/login", bytesOf(100_000), "Content-Type", "application/octet-stream"),
				"early hints":                request("GET", "/early", nil),
				"trailers":                   request("GET", "/trailers", nil, "TE", "trailers"),
				"chunks":                     request("GET", "/chunks", nil),
				"events":                     request("GET", "/events", nil, "Accept", "text/event-stream"),
				"cookies":                    request("GET", "/cookies", nil),
				"large headers":              request("GET", "/large", nil, "X-Large", strings.Repeat("x", 60_000)),
				"a range":                    request("GET", "/file", nil, "Range", "bytes=100-199"),
				"several ranges":             request("GET", "/file", nil, "Range", "bytes=0-9,100-109"),
				"a range out of it":          request("GET", "/file", nil, "Range", "bytes=999999999-"),
				"a range if unchanged":       request("GET", "/file", nil, "Range", "bytes=0-9", "If-Range", `"v1"`),
				"a condition that holds":     request("GET", "/file", nil, "If-None-Match", `"v1"`),
				"a condition that does not":  request("GET", "/file", nil, "If-None-Match", `"v0"`),
				"a condition by time":        request("GET", "/file", nil, "If-Modified-Since", "Mon, 02 Nov 2026 08:00:00 GMT"),
				"packed by gzip":             request("GET", "/text", nil, "Accept-Encoding", "gzip"),
				"packed by zstd":             request("GET", "/text", nil, "Accept-Encoding", "zstd, gzip;q=0.5"),
				"a range of what is packed":  request("GET", "/file", nil, "Range", "bytes=0-99", "Accept-Encoding", "gzip"),
				"no user agent":              request("GET", "/plain", nil, "User-Agent", ""),
				"credentials":                request("GET", "/plain", nil, "Authorization", "Basic anVsaWU6eA=="),
				"a bearer token":             request("GET", "/plain", nil, "Authorization", "Bearer abc.def.ghi", "X-Auth-Token", "x"),
				"what others forwarded":      request("GET", "/plain", nil, "X-Forwarded-For", "203.0.113.7", "X-Forwarded-Proto", "https", "Forwarded", "for=x", "Via", "1.0 x"),
				"our paths' names elsewhere": request("GET", "/x/.cadenas/wait", nil),
			}
			for _, code := range []int{201, 204, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 410, 413, 418, 429, 500, 502, 503, 599} {
				cases[fmt.Sprintf("status %d", code)] = request("GET", fmt.Sprintf("/status/%d", code), nil)
			}
			for what, make := range cases {
				bare := tw.send(tw.bare, make)
				if bare.failed != "" {
					t.Errorf("%s: without the gate: %s", what, bare.failed)
				}
				for where, site := range tw.gated {
					for _, d := range differences(bare, tw.send(site, make)) {
						t.Errorf("%s, %s: %s", what, where, d)
					}
				}
			}
		})
	}
}

// What no client library sends: old versions, odd framing, pipelines.
func TestWire_OddRequestsAreAsWithoutTheGate(t *testing.T) {
	t.Parallel()
	tw := startTwins(t, "http, HTTP/1.1")
	head := func(site Site, line string, headers ...string) string {
		return say(line, site.host(), append(headers, "X-Who: "+tw.who, "User-Agent: "+ChromeLinux)...)
	}
	for what, text := range map[string]func(Site) string{
		"HTTP/1.0":             func(s Site) string { return head(s, "GET /plain HTTP/1.0") },
		"HTTP/1.0, kept alive": func(s Site) string { return head(s, "GET /chunks HTTP/1.0", "Connection: keep-alive") },
		"an absolute address":  func(s Site) string { return head(s, "GET "+s.URL("/plain?x")+" HTTP/1.1", "Connection: close") },
		"an asterisk":          func(s Site) string { return head(s, "OPTIONS * HTTP/1.1", "Connection: close") },
		"headers folded":       func(s Site) string { return head(s, "GET /plain HTTP/1.1", "X-Folded: a\r\n  b", "Connection: close") },
		"the same header twice": func(s Site) string {
			return head(s, "GET /plain HTTP/1.1", "X-A: 1", "x-a: 2", "X_a: 3", "Connection: close")
		},
		"two Cookie headers": func(s Site) string {
			return head(s, "GET /plain HTTP/1.1", "Cookie: a=1", "Cookie: b=2", "Connection: close")
		},
		"a body in chunks": func(s Site) string {
			return head(s, "POST /echo HTTP/1.1", "Transfer-Encoding: chunked", "Connection: close") + chunked("hello")
		},
		"chunks with extensions": func(s Site) string {
			return head(s, "POST /echo HTTP/1.1", "Transfer-Encoding: chunked", "Connection: close") + "5;x=y\r\nhello\r\n0;z\r\n\r\n"
		},
		"both lengths": func(s Site) string {
			return head(s, "POST /echo HTTP/1.1", "Transfer-Encoding: chunked", "Content-Length: 3", "Connection: close") + chunked("hello")
		},
		"a body on GET": func(s Site) string {
			return head(s, "GET /echo HTTP/1.1", "Content-Length: 5", "Connection: close") + "hello"
		},
		"a length that is wrong":       func(s Site) string { return head(s, "POST /echo HTTP/1.1", "Content-Length: x", "Connection: close") },
		"a header that is none":        func(s Site) string { return head(s, "GET /plain HTTP/1.1", "nonsense", "Connection: close") },
		"a query without a path":       func(s Site) string { return head(s, "GET ?x HTTP/1.1", "Connection: close") },
		"dots in the path":             func(s Site) string { return head(s, "GET /a/../plain HTTP/1.1", "Connection: close") },
		"slashes in the path":          func(s Site) string { return head(s, "GET //plain//x HTTP/1.1", "Connection: close") },
		"escapes that are none":        func(s Site) string { return head(s, "GET /%zz HTTP/1.1", "Connection: close") },
		"bytes that are no UTF-8":      func(s Site) string { return head(s, "GET /\xff HTTP/1.1", "X-Bytes: \xff\xfe", "Connection: close") },
		"an upgrade to something else": func(s Site) string { return head(s, "GET /plain HTTP/1.1", "Connection: Upgrade", "Upgrade: frob/1") },
		"an upgrade to h2c": func(s Site) string {
			return head(s, "GET /plain HTTP/1.1", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
		},
		"a range": func(s Site) string { return head(s, "GET /file HTTP/1.1", "Range: bytes=-5", "Connection: close") },
		"hints":   func(s Site) string { return head(s, "GET /early HTTP/1.1", "Connection: close") },
	} {
		ask := func(site Site) (o outcome) {
			a, interim, err := speak(t, site.Port, text(site))
			if err != nil {
				o.failed = "no answer"
			} else {
				o.status, o.header, o.body = a.Status, a.Header, string(a.Body)
			}
			o.interim = []string{fmt.Sprint(interim)}
			o.arrived = tw.backend.take()
			return o
		}
		bare := ask(tw.bare)
		for where, site := range tw.gated {
			for _, d := range differences(bare, ask(site)) {
				t.Errorf("%s, %s: %s", what, where, d)
			}
		}
	}
	// Three requests in one go are answered in their order.
	for where, site := range tw.gated {
		line := &pipe{t: t, port: site.Port}
		text := head(site, "GET /a HTTP/1.1") + head(site, "POST /b HTTP/1.1", "Content-Length: 2") + "xx" + head(site, "GET /c HTTP/1.1")
		first, err := line.ask(text)
		got := []string{}
		for a := first; err == nil && a != nil; {
			got = append(got, a.Text())
			if len(got) == 3 {
				break
			}
			a, _, err = hear(t, line.from, text)
		}
		if fmt.Sprint(got) != "[GET /a POST /b GET /c]" {
			t.Errorf("%s: a pipeline answered %q, %v", where, got, err)
		}
	}
}

// Streams come as they are sent, and sockets carry what they are given.
func TestWire_StreamsAndSocketsPassAtOnce(t *testing.T) {
	t.Parallel()
	step := make(chan struct{})
	backend := record(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/socket" {
			manyKinds().ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", map[string]string{"/events": "text/event-stream", "/lines": "application/x-ndjson"}[r.URL.Path])
		for i := range 3 {
			_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-step:
			case <-r.Context().Done():
				return
			}
		}
	}))
	site := NewSite(t, "app.localhost")
	g := &Gate{Name: "known"}
	g.Caddy = StartCaddy(t, fmt.Sprintf("{\nauto_https off\n}\n%s {\nencode\ncadenas known {\nidentity header X-Who\npadlock closed\n}\nreverse_proxy %s\n}\n", site, backend.Address))
	g.Must("rules", "add", "--user", "julie", "--app", "known", "--effect", "allow")
	c := NewClient(t)
	c.Header.Set("X-Who", "julie")
	for _, path := range []string{"/events", "/lines"} {
		r := c.Request("GET", site.URL(path), nil)
		r.Header.Set("Accept", "text/event-stream")
		response := c.Send(r)
		lines := bufio.NewReader(response.Body)
		for i := range 3 {
			// Each comes before the next is sent: nothing is held back.
			line, err := lines.ReadString('\n')
			if err != nil || line != fmt.Sprintf("data: %d\n", i) {
				t.Fatalf("%s: %q, %v", path, line, err)
			}
			_, _ = lines.ReadString('\n')
			step <- struct{}{}
		}
		if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
			t.Errorf("%s: ended with %q, %v", path, rest, err)
		}
		_ = response.Body.Close()
	}
	socket, _ := c.Socket(site.URL("/socket")) //nolint:bodyclose // a socket has none
	socket.SetReadLimit(1 << 20)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, size := range []int{0, 1, 125, 126, 65535, 65536, 500_000} {
		for _, kind := range []websocket.MessageType{websocket.MessageText, websocket.MessageBinary} {
			sent := bytesOf(size)
			if err := socket.Write(ctx, kind, sent); err != nil {
				t.Fatal(err)
			}
			got, message, err := socket.Read(ctx)
			if err != nil || got != kind || !bytes.Equal(message, sent) {
				t.Fatalf("%d bytes of kind %v: %d of %v, %v", size, kind, len(message), got, err)
			}
		}
	}
	_ = socket.Close(websocket.StatusNormalClosure, "bye")
}
