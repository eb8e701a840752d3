package identity

import (
	"crypto/tls"
	"net/http/httptest"
	"testing"
)

// Laravel answers a form that it refuses with the way back, as the Referer
// says it, and a new session each time: whoever guesses a password chooses it.
func TestThreat_L26_TheWayBackThatABrowserNamesProvesNoSignIn(t *testing.T) {
	set := []string{"laravel_session=new; Path=/; HttpOnly"}
	for _, c := range []struct {
		name, referer, location string
		want                    proof
	}{
		{"back where it came from", "http://shop.example/basket", "http://shop.example/basket", proofNone},
		{"the same, spelt otherwise", "http://shop.example/basket", "/Basket/?x=1", proofNone},
		{"to another's site that it names", "https://elsewhere.example/x", "https://elsewhere.example/x", proofNone},
		{"one that cannot be read", "http://shop.example/%zz", "/home", proofNone},
		{"from the login to a page", "http://shop.example/login", "/home", proofSigned},
		{"from nowhere to a page", "", "/home", proofSigned},
		{"from a page to another", "http://shop.example/basket", "/home", proofSigned},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := said{status: 302, cookies: set, location: c.location}.exchange(map[string]string{"laravel_session": "old"})
			x.referer = c.referer
			if f := judge(x); f.proof != c.want {
				t.Errorf("%v: %s", f.proof, f.reason)
			}
		})
	}
}

func TestALoginComesFromItsOwnPageWhereTheBrowserDoesNotSay(t *testing.T) {
	for _, c := range []struct {
		name    string
		given   []string
		origin  string
		secure  bool
		rules   []Success
		becomes string
	}{
		{"none", nil, "", false, nil, "http://shop.example/login"},
		{"none, over https", nil, "", true, nil, "https://shop.example/login"},
		{"none, behind a proxy that ends TLS", nil, "https://shop.example", false, nil, "https://shop.example/login"},
		{"none, and another's origin", nil, "https://elsewhere.example", false, nil, "http://shop.example/login"},
		{"a path alone", []string{"/basket"}, "", false, nil, "http://shop.example/login"},
		{"a word that backends make a path of", []string{"javascript:home"}, "", false, nil, "http://shop.example/login"},
		{"two", []string{"http://shop.example/a", "http://shop.example/b"}, "", false, nil, "http://shop.example/login"},
		{"a page", []string{"http://shop.example/basket"}, "", false, nil, "http://shop.example/basket"},
		{"none, where the configuration tells", nil, "", false, []Success{{"status", []string{"303"}}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/login", nil)
			r.Host = "shop.example"
			if r.Header["Referer"] = c.given; c.given == nil {
				delete(r.Header, "Referer")
			}
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			if c.secure {
				r.TLS = &tls.ConnectionState{}
			}
			(&Watcher{cfg: Config{Success: c.rules}}).sureReferer(r)
			if got := r.Header.Get("Referer"); got != c.becomes || len(r.Header["Referer"]) > 1 {
				t.Errorf("%q", r.Header["Referer"])
			}
		})
	}
}
