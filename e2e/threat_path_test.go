package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"
)

// mutations are ways to write the path of a secret page so that it begins
// like an exempt one, or reads like another. Hundreds: every trick at every
// place it fits.
func mutations() []string {
	ups := []string{
		"..", ".", "...", "..;", "..;/", "..;x=1", ".;", "..%00", "..%09", "..%20", "%20..", ".. ", "..\\", "..%5c", "..%5C",
		"%2e%2e", "%2E%2e", ".%2e", "%2e.", "%252e%252e", "%25%32%65%25%32%65", "%c0%ae%c0%ae", "%uff0e%uff0e", "%2e%2e%3b", "..%3b", "..%23", "..%3f", "..?", "..#",
	}
	separators := []string{"/", "//", "///", "/./", "\\", "%2f", "%2F", "%5c", "%5C", "%252f", "%255c", "/%2f", "%2f/", "/;/", "/;x=1/", "/%3b/", "%3b/", "/%00/", "/%20/", "%c0%af", "%e2%88%95", "/.;/"}
	endings := []string{"", "/", ".", "%2e", "%00", "%20", ";", ";x", ";.html", "%3b", "?", "#", "%23", "%3f", "~", "%0a", "%0d%0a", "%09", "::$DATA", "%3a%3a$DATA", "/.", "/..", "/%2e", ".html", "%ff"}
	var all []string
	for _, up := range ups {
		for _, first := range separators {
			for _, second := range []string{"/", "%2f", "\\"} {
				all = append(all, "/parents"+first+up+second+"admin")
			}
			all = append(all, "/parents/x"+first+up+first+up+"/admin")
		}
	}
	for _, begin := range []string{
		"", "/", "//", "/.", "/./", "/%2e/", "/;", "/;/", "/x/..", "/x/%2e%2e", "\\", "/\\", "%2f", "/%2f", "/%00", "/%09", "/%20", "/.%2f",
		"/parents/..", "/admin/..", "/admin/..;", "/admin/%2e%2e", "/admin%2f..",
	} {
		for _, name := range []string{
			"parents", "PARENTS", "Parents", "%70arents", "p%61rents", "parent%73", "%2570arents", "parents.", "parents%2e", "parents;x", "parents%00", "parents%20",
			"parent\u017f", "parent%c5%bf",
		} {
			all = append(all, begin+"/"+name+"/admin", begin+"/admin/"+name+"/x")
		}
		for _, end := range endings {
			all = append(all, begin+"/parents/admin"+end, begin+"/admin"+end)
		}
	}
	for _, end := range endings {
		all = append(all, "/parents/"+end, "/parents/photos"+end, "/parents"+end, "/parentsadmin"+end, "/admin"+end, "/admin?/parents/"+end, "/admin?x=/parents/x", "/admin;/parents/x"+end, "/admin#/parents/x")
	}
	return append(all, "*", "http://app.localhost/parents/../admin", "http://other.localhost/parents/photos", "/parents/photos", "//app.localhost/parents/photos", "")
}

// readings are what backends make of a path: as it stands, decoded once or
// twice or three times, with backslashes and overlong escapes, parameters,
// NULs, case, repeated slashes and dots taken as some of them take them.
func readings(target string) []string {
	p := target
	if u, err := url.Parse(target); err == nil && u.IsAbs() {
		p = strings.TrimPrefix(target, u.Scheme+"://"+u.Host)
	}
	p, _, _ = strings.Cut(p, "?")
	p, _, _ = strings.Cut(p, "#")
	seen := map[string]bool{p: true}
	folds := []func(string) string{
		lenient,
		func(s string) string { return strings.ReplaceAll(s, "\\", "/") },
		func(s string) string {
			var kept []string
			for part := range strings.SplitSeq(s, "/") {
				part, _, _ = strings.Cut(part, ";")
				kept = append(kept, part)
			}
			return strings.Join(kept, "/")
		},
		func(s string) string { s, _, _ = strings.Cut(s, "\x00"); return s },
		func(s string) string { s, _, _ = strings.Cut(s, "?"); s, _, _ = strings.Cut(s, "#"); return s },
		func(s string) string {
			return strings.NewReplacer("\xc0\xae", ".", "\xc0\xaf", "/", "∕", "/", "．", ".").Replace(s)
		},
		func(s string) string {
			for strings.Contains(s, "//") {
				s = strings.ReplaceAll(s, "//", "/")
			}
			return s
		},
		func(s string) string {
			var kept []string
			for part := range strings.SplitSeq(s, "/") {
				if trimmed := strings.TrimRight(part, ". \t\r\n\x00"); trimmed != "" {
					part = trimmed
				}
				kept = append(kept, part)
			}
			return strings.Join(kept, "/")
		},
		func(s string) string { return path.Clean("/" + s) },
	}
	// To a fixed point: whatever order a backend folds in is among these.
	for queue := []string{p}; len(queue) > 0 && len(seen) < 4000; {
		s := queue[0]
		queue = queue[1:]
		for _, fold := range folds {
			if next := fold(s); !seen[next] {
				seen[next] = true
				queue = append(queue, next)
			}
		}
	}
	var all []string
	for s := range seen {
		all = append(all, s)
	}
	return all
}

// lenient decodes escapes once; a bad one stands for itself.
func lenient(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := url.PathUnescape(s[i : i+3]); err == nil {
				b.WriteString(c)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// outside reports whether any reading of a path leaves what is exempt.
func outside(target string) (string, bool) {
	for _, reading := range readings(target) {
		clean := path.Clean("/" + reading)
		if clean != "/parents" && !strings.HasPrefix(clean, "/parents/") {
			return reading, true
		}
	}
	return "", false
}

// L5: the path that is judged exempt is the path that the backend gets,
// however anybody reads it. The visitor is nobody the gate lets in, so what
// reaches the backend was judged exempt.
func TestThreat_L5_NoReadingOfAnExemptPathIsAProtectedOne(t *testing.T) {
	t.Parallel()
	backend := record(t, nil)
	site := NewSite(t, "app.localhost")
	StartCaddy(t, fmt.Sprintf(`{
		auto_https off
	}
	%s {
		cadenas {
			identity header X-Who
			padlock closed
			exempt path /parents/*
		}
		reverse_proxy %s
	}`, site, backend.Address))

	line := pipe{t: t, port: site.Port}
	reached, tried := 0, map[string]bool{}
	for _, target := range mutations() {
		if tried[target] {
			continue
		}
		tried[target] = true
		a, err := line.ask(say("GET "+target+" HTTP/1.1", site.host(), "X-Who: stranger"))
		seen := backend.take()
		if len(seen) == 0 {
			if err == nil && strings.Contains(a.Text(), protected) {
				t.Errorf("%q: the content without a request", target)
			}
			continue
		}
		reached++
		if reading, out := outside(seen[0].URI); out {
			t.Errorf("%q reached the backend as %q, which some read as %q", target, seen[0].URI, reading)
		}
	}
	if len(tried) < 1000 || reached == 0 {
		t.Errorf("%d paths tried, %d reached the backend: the test tests nothing", len(tried), reached)
	}
	t.Logf("%d paths tried, %d judged exempt", len(tried), reached)
}

// pipe is a connection that is kept while it can be.
type pipe struct {
	t      testing.TB
	port   int
	socket net.Conn
	from   *bufio.Reader
}

func (p *pipe) ask(text string) (*Answer, error) {
	p.t.Helper()
	for try := 0; ; try++ {
		if p.socket == nil {
			socket, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", p.port), patience)
			if err != nil {
				p.t.Fatal(err)
			}
			p.t.Cleanup(func() { _ = socket.Close() })
			p.socket, p.from, try = socket, bufio.NewReader(socket), 1
		}
		_ = p.socket.SetDeadline(time.Now().Add(patience))
		_, err := io.WriteString(p.socket, text)
		var a *Answer
		if err == nil {
			a, _, err = hear(p.t, p.from, text)
		}
		if err != nil || a.Header.Get("Connection") == "close" || a.Status == http.StatusBadRequest {
			_ = p.socket.Close()
			p.socket = nil
		}
		if err == nil || try > 0 {
			return a, err
		}
	}
}

// L7: nothing that a client can add changes the decision.
func TestThreat_L7_NoHeaderQueryOrMethodChangesTheDecision(t *testing.T) {
	t.Parallel()
	backend := record(t, nil)
	site := NewSite(t, "app.localhost")
	form := site.As("form.localhost")
	StartCaddy(t, fmt.Sprintf(`{
		auto_https off
	}
	%s {
		cadenas sso {
			identity header X-Who
			padlock closed
			exempt path /parents/*
		}
		reverse_proxy %s
	}
	%s {
		cadenas form {
			login /login {
				success status 303
			}
			padlock closed
			exempt path /parents/*
		}
		reverse_proxy %s
	}`, site, backend.Address, form, backend.Address))

	headers := []string{
		"X-Original-URL: /parents/photos", "X-Rewrite-URL: /parents/photos", "X-Forwarded-Uri: /parents/photos", "X-Forwarded-Path: /parents/photos",
		"X-Original-URI: /parents/photos", "X-Forwarded-Prefix: /parents", "X-Forwarded-Host: other.localhost", "X-Forwarded-Method: OPTIONS",
		"X-Forwarded-Proto: https", "X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "Forwarded: for=127.0.0.1;host=other",
		"X-HTTP-Method-Override: OPTIONS", "X-HTTP-Method: OPTIONS", "X-Method-Override: GET",
		"User-Agent: ELB-HealthChecker/2.0", "User-Agent: GoogleHC/1.0", "User-Agent: kube-probe/1.31", "User-Agent: Googlebot/2.1 (+http://www.google.com/bot.html)",
		"User-Agent:", "X-Requested-With: XMLHttpRequest", "Upgrade-Insecure-Requests: 1", "Purpose: prefetch", "X-Moz: prefetch", "Sec-Purpose: prefetch;prerender",
		"X-Cadenas: off", "Cadenas-Explain: x", "Cadenas-Reason: allow", "X-Forwarded-User: admin", "Authorization: Basic YWRtaW46YWRtaW4=", "Accept: text/event-stream",
		"Origin: http://app.localhost", "Access-Control-Request-Method: POST", "Sec-Fetch-Mode: navigate", "Service-Worker: script",
		"Connection: close, X-Who", "Max-Forwards: 0", "X-Debug: 1", "Via: 1.1 proxy", "Range: bytes=0-", "If-None-Match: *", "Expect: 100-continue",
	}
	queries := []string{"", "?bypass=1", "?cadenas=off", "?_method=OPTIONS", "?path=/parents/x", "?debug=true", "?/parents/x", "?user=admin&password=x"}
	methods := []string{
		"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "SEARCH", "get", "Get", "XGET", "ACL", "LOCK", "PRI",
	}
	try := func(where Site, line string, with ...string) {
		t.Helper()
		a, _, err := speak(t, where.Port, say(line, where.host(), append(with, "Connection: close")...))
		seen := backend.take()
		if len(seen) > 0 {
			t.Errorf("%s with %q reached the backend: %d", line, with, a.Status)
		}
		if err == nil && (a.Status < 300 || strings.Contains(a.Text(), protected)) {
			t.Errorf("%s with %q: %d", line, with, a.Status)
		}
	}
	for _, method := range methods {
		for _, who := range []string{"X-Who: stranger", "X-Nobody: 1"} {
			try(site, method+" /admin HTTP/1.1", who)
			try(site, method+" /admin HTTP/1.0", who)
		}
	}
	for _, header := range headers {
		for _, method := range []string{"GET", "POST", "OPTIONS"} {
			try(site, method+" /admin HTTP/1.1", "X-Who: stranger", header)
		}
	}
	for _, query := range queries {
		try(site, "GET /admin"+query+" HTTP/1.1", "X-Who: stranger")
		try(site, "OPTIONS /admin"+query+" HTTP/1.1", "X-Who: stranger")
	}
	// At a form, nobody's GET goes on without credentials; all else is refused.
	for _, header := range append(headers, "X-Who: admin") {
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"} {
			try(form, method+" /admin HTTP/1.1", header)
		}
	}

	// A true preflight goes on, and carries nothing that says who asks; one
	// that would be something else to a backend is no preflight.
	preflight := []string{"Origin: http://elsewhere.localhost", "Access-Control-Request-Method: PUT", "Cookie: sid=1; theme=dark", "Authorization: Bearer x", "X-Auth-Token: x"}
	a, _, err := speak(t, site.Port, say("OPTIONS /admin HTTP/1.1", site.host(), append(preflight, "X-Who: stranger", "X_Who: stranger")...))
	if err != nil || a.Status != http.StatusOK {
		t.Errorf("a preflight: %v %v", a, err)
	}
	for _, seen := range backend.take() {
		for _, name := range []string{"X-Who", "Cookie", "Authorization", "X-Auth-Token"} {
			if got := seen.folded(name); len(got) > 0 {
				t.Errorf("a preflight carries %s %q", name, got)
			}
		}
	}
	for _, trick := range []string{
		"X-HTTP-Method-Override: DELETE", "X-HTTP-Method: DELETE", "X-Method-Override: DELETE", "X_HTTP_Method_Override: DELETE", "X.HTTP.Method.Override: DELETE",
		"X-Original-URL: /admin/delete", "X-Rewrite-URL: /admin/delete", "X-Forwarded-Method: DELETE", "X-Forwarded-Uri: /admin/delete", "Content-Type: application/json",
	} {
		for _, where := range []Site{site, form} {
			_, _, _ = speak(t, where.Port, say("OPTIONS /admin HTTP/1.1", where.host(), append(preflight, "X-Who: stranger", trick)...))
			name, _, _ := strings.Cut(trick, ":")
			for _, seen := range backend.take() {
				if got := seen.folded(name); len(got) > 0 || seen.Method != "OPTIONS" || seen.URI != "/admin" {
					t.Errorf("a preflight with %q reached the backend as %s %s with %q", trick, seen.Method, seen.URI, got)
				}
			}
		}
	}
	for _, body := range []string{"Content-Length: 14\r\n\r\n_method=DELETE", "Transfer-Encoding: chunked\r\n\r\ne\r\n_method=DELETE\r\n0"} {
		_, _, _ = speak(t, site.Port, "OPTIONS /admin HTTP/1.1\r\nHost: "+site.host()+"\r\n"+strings.Join(append(preflight, "X-Who: stranger", body), "\r\n")+"\r\n\r\n")
		if seen := backend.take(); len(seen) > 0 {
			t.Errorf("a preflight with a body reached the backend")
		}
	}
}

// L6: the host that is judged is the host that is meant: whatever is written
// as the host leads to a site that guards, or to none.
func TestThreat_L6_NoSpellingOfTheHostGoesRoundTheGate(t *testing.T) {
	t.Parallel()
	backend := record(t, nil)
	site := NewSite(t, "app.localhost")
	open := site.As("open.localhost")
	StartCaddy(t, fmt.Sprintf(`{
		auto_https off
	}
	%s {
		cadenas {
			identity header X-Who
			padlock closed
		}
		reverse_proxy %s
	}
	%s {
		respond "OPEN SITE"
	}
	http://:%d {
		respond "NO SITE" 404
	}`, site, backend.Address, open, site.Port))
	port := fmt.Sprint(site.Port)
	for what, text := range map[string]string{
		"as it is":                       say("GET / HTTP/1.1", "app.localhost:"+port),
		"in capitals":                    say("GET / HTTP/1.1", "APP.LocalHost:"+port),
		"with a dot at the end":          say("GET / HTTP/1.1", "app.localhost.:"+port),
		"with two dots":                  say("GET / HTTP/1.1", "app.localhost..:"+port),
		"without a port":                 say("GET / HTTP/1.1", "app.localhost"),
		"with another port":              say("GET / HTTP/1.1", "app.localhost:1"),
		"with no number of a port":       say("GET / HTTP/1.1", "app.localhost:"),
		"with a port that is none":       say("GET / HTTP/1.1", "app.localhost:x"),
		"with a user":                    say("GET / HTTP/1.1", "marie@app.localhost:"+port),
		"with a path":                    say("GET / HTTP/1.1", "app.localhost:"+port+"/x"),
		"in brackets":                    say("GET / HTTP/1.1", "[app.localhost]:"+port),
		"escaped":                        say("GET / HTTP/1.1", "%61pp.localhost:"+port),
		"with a space":                   say("GET / HTTP/1.1", "app.localhost :"+port),
		"with a tab":                     say("GET / HTTP/1.1", "\tapp.localhost:"+port),
		"with a comma":                   say("GET / HTTP/1.1", "open.localhost, app.localhost:"+port),
		"with NUL":                       say("GET / HTTP/1.1", "app.localhost\x00.open.localhost"),
		"in full width":                  say("GET / HTTP/1.1", "ａpp.localhost:"+port),
		"by address":                     say("GET / HTTP/1.1", "127.0.0.1:"+port),
		"empty":                          say("GET / HTTP/1.1", ""),
		"missing":                        "GET / HTTP/1.1\r\n\r\n",
		"missing, HTTP/1.0":              "GET / HTTP/1.0\r\n\r\n",
		"absolute, and another Host":     say("GET http://app.localhost:"+port+"/ HTTP/1.1", "open.localhost:"+port),
		"absolute, and Host is ours":     say("GET http://open.localhost:"+port+"/ HTTP/1.1", "app.localhost:"+port),
		"absolute by https":              say("GET https://app.localhost:"+port+"/ HTTP/1.1", "app.localhost:"+port),
		"absolute with a user":           say("GET http://marie@app.localhost:"+port+"/ HTTP/1.1", "app.localhost:"+port),
		"absolute in capitals":           say("GET HTTP://APP.LOCALHOST:"+port+"/ HTTP/1.1", "open.localhost:"+port),
		"two Hosts":                      say("GET / HTTP/1.1", "open.localhost:"+port, "Host: app.localhost:"+port),
		"two Hosts, ours first":          say("GET / HTTP/1.1", "app.localhost:"+port, "Host: open.localhost:"+port),
		"a Host folded":                  "GET / HTTP/1.1\r\nHost: open.localhost\r\n app.localhost\r\n\r\n",
		"a Host with a space in front":   "GET / HTTP/1.1\r\nHost : app.localhost\r\n\r\n",
		"X-Forwarded-Host":               say("GET / HTTP/1.1", "app.localhost:"+port, "X-Forwarded-Host: open.localhost", "Forwarded: host=open.localhost"),
		"X-Forwarded-Host of ours":       say("GET / HTTP/1.1", "open.localhost:"+port, "X-Forwarded-Host: app.localhost", "Forwarded: host=app.localhost"),
		"X-Host and X-Original-Host":     say("GET / HTTP/1.1", "open.localhost:"+port, "X-Host: app.localhost", "X-Original-Host: app.localhost", "X-HTTP-Host-Override: app.localhost"),
		"CONNECT":                        say("CONNECT app.localhost:"+port+" HTTP/1.1", "app.localhost:"+port),
		"an asterisk":                    say("OPTIONS * HTTP/1.1", "app.localhost:"+port),
		"a request line without version": "GET /\r\n\r\n",
	} {
		text = strings.Replace(text, "\r\n\r\n", "\r\nX-Who: stranger\r\nConnection: close\r\n\r\n", 1)
		a, _, err := speak(t, site.Port, text)
		if seen := backend.take(); len(seen) > 0 {
			t.Errorf("%s: reached the backend as %s %s", what, seen[0].Host, seen[0].URI)
		}
		if err == nil && strings.Contains(a.Text(), protected) {
			t.Errorf("%s: %d with the content", what, a.Status)
		}
		if what == "as it is" && (err != nil || a.Status != http.StatusForbidden) {
			t.Errorf("%s: %v %v", what, a, err)
		}
	}
}

// L6 over TLS: a name asked for in the handshake opens no other site.
func TestThreat_L6_TheNameInTheHandshakeOpensNoOtherSite(t *testing.T) {
	t.Parallel()
	backend := record(t, nil)
	site := NewSite(t, "app.localhost")
	site.Scheme = "https"
	open := site.As("open.localhost")
	c := StartCaddy(t, fmt.Sprintf(`{
		skip_install_trust
		auto_https disable_redirects
	}
	%s {
		tls internal
		cadenas {
			identity header X-Who
			padlock closed
		}
		reverse_proxy %s
	}
	%s {
		tls internal
		respond "OPEN SITE"
	}`, site, backend.Address, open))
	for _, name := range []string{"app.localhost", "open.localhost"} {
		for _, host := range []string{"app.localhost", "open.localhost", "APP.localhost.", "app.localhost:443"} {
			client := http2Client(t, c, site.As(name))
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, site.As(name).URL("/"), nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = host
			r.Header.Set("X-Who", "stranger")
			r.Header.Set("X-Forwarded-Host", "open.localhost")
			response, err := client.Do(r)
			if err != nil {
				continue
			}
			body, _ := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if seen := backend.take(); len(seen) > 0 || strings.Contains(string(body), protected) {
				t.Errorf("%s in the handshake and Host %s: %d, %d reached the backend", name, host, response.StatusCode, len(seen))
			}
		}
	}
}
