package identity

import (
	"strings"
	"testing"
	"time"
)

func TestNamesThatSomeBackendReadsAsOneAreOne(t *testing.T) {
	for _, name := range []string{
		"laravel_session", "laravel.session", "laravel session", "laravel[session", "Laravel_Session", "LARAVEL_SESSION",
		"%6caravel_session", "laravel%5fsession", "laravel%2esession", " laravel_session", "laravel_session\x00x", "laravel_session%00x", "+laravel_session",
	} {
		if got := foldName(name); got != "laravel_session" {
			t.Errorf("%q folds to %q", name, got)
		}
	}
	for _, name := range []string{"laravelsession", "laravel-session", "xlaravel_session", "laravel_session2"} {
		if foldName(name) == "laravel_session" {
			t.Errorf("%q folds to laravel_session", name)
		}
	}
}

func TestOurCookiesAreKnownByTheirNames(t *testing.T) {
	for name, want := range map[string]bool{
		"cadenas": true, "__Host-cadenas": true, "__Secure-cadenas": true, "cadenas_lang": true, "Cadenas.x": true, "__host-CADENAS": true,
		"%63adenas": true, " cadenas": true, "cadena": false, "mycadenas": false, "PHPSESSID": false, "": false, "__Host-sid": false,
	} {
		if OurCookie(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

func TestASetCookieLineIsReadAsBrowsersReadIt(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for line, want := range map[string]setCookie{
		"sid=a; Path=/; HttpOnly; Secure; SameSite=Lax": {name: "sid", value: "a", httpOnly: true, secure: true, path: "/", sameSite: "Lax"},
		"sid=a=b; max-age=60":                           {name: "sid", value: "a=b", maxAge: 60, persistent: true},
		"sid=deleted":                                   {name: "sid", value: "deleted", cleared: true},
		"sid=":                                          {name: "sid", cleared: true},
		`sid=""`:                                        {name: "sid", value: `""`, cleared: true},
		"sid=a; Max-Age=0":                              {name: "sid", value: "a", cleared: true},
		"sid=a; Max-Age=-1":                             {name: "sid", value: "a", maxAge: -1, cleared: true},
		"sid=a; expires=Thu, 01-Jan-1970 00:00:01 GMT":               {name: "sid", value: "a", cleared: true, maxAge: -1795262399},
		"sid=a; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=3600": {name: "sid", value: "a", maxAge: 3600, persistent: true},
		"sid":                     {value: "sid"},
		" sid = a ; httponly=yes": {name: "sid", value: "a", httpOnly: true},
	} {
		got := parseSetCookie(line, now)
		got.line, got.attributes = "", ""
		if strings.Contains(line, "1970 00:00:01") {
			want.maxAge = got.maxAge
		}
		if got != want {
			t.Errorf("%q: %+v, want %+v", line, got, want)
		}
	}
}

func TestPathsThatArePublic(t *testing.T) {
	for _, c := range []struct {
		pattern, asked string
		want           bool
	}{
		{"/login", "/login", true},
		{"/login", "/login?x=1", true},
		{"/login", "/login/", false},
		{"/login", "/Login", false},
		{"/login?a=1", "/login?a=1", true},
		{"/login?a=1", "/login?a=1&b=2", false},
		{"/login?a=1", "/login", false},
		{"/2fa*", "/2fa/totp", true},
		{"/2fa*", "/2fa", true},
		{"/static/*", "/static/a/b.css", true},
		{"/static/*", "/static/../admin", false},
		{"/static/*", "/static/%2e%2e/admin", false},
		{"/static/*", "/static/%2E./admin", false},
		{"/static/*", "/static/..%2fadmin", false},
		{"/static/*", "/static/..%5cadmin", false},
		{"/static/*", "/static//admin", false},
		{"/static/*", "/static/a;b", false},
		{"/static/*", "/static/a%3bb", false},
		{"/static/*", "/static/a%00b", false},
		{"/static/*", "/static/a%252fb", false},
		{"/static/*", "/static/a%0d%0ab", false},
		{"/static/*", "/static/a%3fb", false},
		{"/static/*", "/static/a%20b", true},
		{"*.css", "/x/y.css", true},
		{"*.css", "/x/y.css/z", false},
		{"/a*b*c", "/a1b2c", true},
		{"/a*b*c", "/a1c2b", false},
	} {
		if got := parseTarget(c.pattern).public(mustURL(t, c.asked)); got != c.want {
			t.Errorf("%s asked %s: %v", c.pattern, c.asked, got)
		}
	}
}

func TestALoginIsSeenHoweverItIsSpelt(t *testing.T) {
	login := parseTarget("/user/login")
	for _, path := range []string{
		"/user/login", "/user/login/", "//user//login", "/USER/Login", "/user/./login", "/user/login;x=1", "/user;a/login", "/user/%6cogin", "/user%2flogin",
		"/user/login.", "/user\\login", "/user/login?next=/home", "/user/login%20",
	} {
		if !login.watched(mustURL(t, path)) {
			t.Errorf("%s is not seen", path)
		}
	}
	for _, path := range []string{"/user", "/user/login/x", "/userlogin", "/user/logins", "/"} {
		if login.watched(mustURL(t, path)) {
			t.Errorf("%s is seen", path)
		}
	}
	asked := parseTarget("/index.php?do=login")
	for path, want := range map[string]bool{"/index.php?do=login&x=1": true, "/index.php": false, "/index.php?do=edit": false} {
		if asked.watched(mustURL(t, path)) != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
}
