package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// odd are texts that parsers trip over.
func odd(chance *rand.Rand) string {
	texts := []string{
		"", " ", "\t", "\x00", "a\x00b", "\xff\xfe", "caf\xe9", "\u202eabc", strings.Repeat("A", 64<<10), strings.Repeat("x;", 5000), strings.Repeat("=", 3000), "%00%0d%0a", "{env.HOME}",
		"~", "a~b", "a~" + strings.Repeat("A", 66), "~~~~", "~" + strings.Repeat("-_", 40), `"`, `"a`, `a"b"c`, ",", ";", "a,b;c", "[::1]%eth0", "-1", "99999999999999999999", "null", "true", "\u200b",
		"Mozilla/5.0 (" + strings.Repeat("(", 2000), strings.Repeat("Chrome/1 ", 3000), "😀", strings.Repeat("😀", 4000), "../../etc/passwd", "'; DROP TABLE", "<script>", "\x1b[31m", strings.Repeat("é", 30000),
	}
	return texts[chance.IntN(len(texts))]
}

// L4: no surprise in a request becomes an allowance. Nobody is known here, so
// nothing may reach the backend with somebody's right.
func TestThreat_L4_NoSurpriseBecomesAnAllowance(t *testing.T) {
	t.Parallel()
	const session = "goodsession0123456789" // what the backend takes for somebody's
	backend := record(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(fmt.Sprint(r.Header["Cookie"], r.Header["Authorization"], r.Header["X-Auth-Token"], r.Trailer, r.URL), session) || r.Header.Get("X-Who") != "" {
			_, _ = io.WriteString(w, protected)
			return
		}
		http.Redirect(w, r, "/login", http.StatusFound)
	}))
	site := NewSite(t, "app.localhost")
	form := site.As("form.localhost")
	g := &Gate{Name: "sso", Site: site}
	g.Caddy = StartCaddy(t, fmt.Sprintf(`{
		auto_https off
		servers {
			trusted_proxies static 127.0.0.1/32
			trusted_proxies_strict
		}
		cadenas {
			place Office 127.0.0.1
		}
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
				user user
				success status 303
			}
			public /login /assets/*
			padlock closed
		}
		reverse_proxy %s
	}`, site, backend.Address, form, backend.Address))
	g.Must("rules", "add", "--user", "julie", "--app", "sso", "--effect", "allow") // somebody is known; not us

	seed := rand.Uint64() //nolint:gosec // any number
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 4)) //nolint:gosec // texts, not secrets
	line := &pipe{t: t, port: site.Port}
	names := []string{
		"User-Agent", "Cookie", "X-Forwarded-For", "Accept", "Accept-Language", "Sec-CH-UA", "Sec-CH-UA-Platform", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Origin", "Referer", "Authorization",
		"X-Auth-Token", "Content-Type", "If-None-Match", "Cadenas-Explain", "X-Requested-With", "Forwarded", "Sec-CH-UA-Mobile", "Sec-CH-UA-Model", "X-Forwarded-Proto",
	}
	cookies := []string{"sid=", "__Host-cadenas=", "cadenas=", "PHPSESSID=", "session=", "laravel_session=", "JSESSIONID=", "laravel.session=", " sid =", "SID=", "s%69d=", "sid[0]="}
	methods := []string{"GET", "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PROPFIND"}
	paths := []string{"/", "/login", "/admin", "/login?user=julie", "/assets/../admin", "/assets/%2e%2e/admin", "/.cadenas/wait", "/.cadenas/device", "/.cadenas/wait/state", "/;jsessionid=" + session, "/?PHPSESSID=" + session, "/?x=1&s%69d=" + session}
	reached := 0
	for range 1500 {
		where := []Site{site, form}[chance.IntN(2)]
		var headers []string
		for range 1 + chance.IntN(5) {
			name := names[chance.IntN(len(names))]
			value := odd(chance)
			if name == "Cookie" {
				var parts []string
				for range 1 + chance.IntN(6) {
					part := cookies[chance.IntN(len(cookies))]
					switch chance.IntN(3) {
					case 0:
						part += session
					case 1:
						part += strings.ReplaceAll(odd(chance), ";", "") + session // a semicolon ends the cookie
					default:
						part += odd(chance)
					}
					parts = append(parts, part)
				}
				value = strings.Join(parts, "; ")
				if len(value) > 200<<10 {
					value = value[:200<<10]
				}
			}
			if name == "Authorization" {
				value = []string{"Bearer ", "Basic ", ""}[chance.IntN(3)] + session + odd(chance)
			}
			headers = append(headers, name+": "+strings.NewReplacer("\r", "", "\n", "").Replace(value))
		}
		if where == site && chance.IntN(2) == 0 {
			headers = append(headers, "X-Who: stranger"+odd(chance))
		}
		text := say(methods[chance.IntN(len(methods))]+" "+paths[chance.IntN(len(paths))]+" HTTP/1.1", where.host(), headers...)
		a, err := line.ask(text)
		seen := backend.take()
		reached += len(seen)
		if err == nil && strings.Contains(a.Text(), protected) {
			t.Errorf("let in (%d): %.600q", a.Status, text)
		}
		for _, x := range seen {
			if where == site {
				t.Errorf("reached the backend: %.600q", text)
			}
			if strings.Contains(x.URI+strings.Join(x.Header["Cookie"], "; ")+strings.Join(x.Header["Authorization"], "")+strings.Join(x.Header["X-Auth-Token"], ""), session) {
				t.Errorf("the backend sees a session that nobody was given: %q of %.600q", x.Header, text)
			}
		}
	}
	if reached == 0 {
		t.Error("nothing reached the backend bare: the test tests nothing")
	}
	for _, e := range g.Log.Entries() {
		if strings.Contains(strings.ToLower(e.Message()+e.Field("error")), "panic") {
			t.Errorf("a panic: %v", e)
		}
	}
}

// L4: a store that is taken away under the running gate, and a geo file that
// breaks, let nobody in.
func TestThreat_L4_WhatBreaksUnderneathLetsNobodyIn(t *testing.T) {
	t.Parallel()
	geo := filepath.Join(t.TempDir(), "geo.mmdb")
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Test-City", IncludeReservedNetworks: true, RecordSize: 28})
	if err != nil {
		t.Fatal(err)
	}
	_, network, err := net.ParseCIDR("203.0.113.0/24")
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Insert(network, mmdbtype.Map{"country_code": mmdbtype.String("CA"), "city": mmdbtype.String("Laval")}); err != nil {
		t.Fatal(err)
	}
	whole, err := os.Create(geo)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.WriteTo(whole); err != nil {
		t.Fatal(err)
	}
	if err := whole.Close(); err != nil {
		t.Fatal(err)
	}
	backend := record(t, nil)
	site := NewSite(t, "app.localhost")
	text := fmt.Sprintf("{\nauto_https off\ncadenas {\nplaces %s\nplace Office 127.0.0.1\n}\n}\n%s {\ncadenas sso {\nidentity header X-Who\npadlock closed\n}\nreverse_proxy %s\n}\n", geo, site, backend.Address)
	g := &Gate{Name: "sso", Site: site}
	g.Caddy = StartCaddy(t, text)
	g.Must("rules", "add", "--user", "julie", "--app", "sso", "--effect", "allow")
	ask := func(who string) int {
		c := NewClient(t)
		c.Header.Set("X-Who", who)
		return c.Fetch("GET", site.URL("/"), "", nil).Status
	}
	if status := ask("julie"); status != http.StatusOK {
		t.Fatalf("Julie: %d", status)
	}
	strangers := func(what string) {
		t.Helper()
		for i := range 20 {
			if status := ask(fmt.Sprintf("stranger%d", i)); status < 400 {
				t.Errorf("%s: a stranger got %d", what, status)
			}
		}
	}
	for what, content := range map[string]string{"nonsense": strings.Repeat("nonsense", 1000), "nothing": "", "half a file": "\xab\xcd\xefMaxMind.com"} {
		if err := os.WriteFile(geo, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		strangers("the geo file is " + what)
		if err := g.TryReload(text); err == nil {
			t.Errorf("a configuration with a geo file that is %s was taken", what)
		} else if !strings.Contains(err.Error(), geo) {
			t.Errorf("the error does not name the file: %v", err)
		}
		strangers("after the refused reload, the geo file " + what)
	}
	backend.take()

	// The file of the store, emptied under the running gate. It is not to be
	// saved; but nobody comes in.
	if err := os.Truncate(filepath.Join(g.Data, "cadenas", "cadenas.db"), 0); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		c := NewClient(t)
		c.Header.Set("X-Who", fmt.Sprintf("stranger%d", i))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, site.URL("/"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if response, err := c.Try(r); err == nil {
			_ = response.Body.Close()
			if response.StatusCode < 400 {
				t.Errorf("the store is gone: a stranger got %d", response.StatusCode)
			}
		}
	}
	if seen := backend.take(); len(seen) > 0 {
		t.Errorf("the store is gone: %d reached the backend", len(seen))
	}
	if g.process.running() {
		g.Kill() // it cannot be expected to end well
	}
	g.process = nil
}
