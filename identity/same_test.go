package identity_test

import (
	"net/http"
	"strings"
	"testing"
)

// Cookies that are the same for everybody are nobody's session: as one they
// would be taken from the first who signs in to the second.
func TestTrap_CookiesThatAreTheSameForEverybodyAreNoSessions(t *testing.T) {
	for name, constant := range map[string]string{
		"a flag that no script reads":    "nc_sameSiteCookielax=true; Path=/; HttpOnly",
		"a probe whether cookies are on": "wordpress_test_cookie=WP%20Cookie%20check; Path=/; HttpOnly",
	} {
		for _, names := range [][]string{nil, {"wordpress_*", "nc_*", "sid"}} {
			if names != nil && constant[0] == 'n' {
				continue // what is configured is believed
			}
			t.Run(name, func(t *testing.T) {
				cfg := config()
				cfg.Session = names
				g := newGateway(t, cfg)
				g.backend.answer = func(w http.ResponseWriter, r *http.Request) bool {
					if r.URL.Path == "/login" && r.Method == http.MethodGet {
						w.Header().Add("Set-Cookie", constant)
					}
					return false
				}
				ann, bob := g.browser("laptop"), g.browser("phone")
				key, rest, _ := strings.Cut(constant, "=")
				value, _, _ := strings.Cut(rest, ";")
				ann.get("/login")
				bob.get("/login")
				ann.allow("ann")
				ann.signIn("ann", passwords["ann"])
				bob.get("/login")
				if !strings.Contains(g.backend.last().cookie, key+"="+value) {
					t.Errorf("bob's was taken away: %q", g.backend.last().cookie)
				}
				bob.allow("bob")
				bob.signIn("bob", passwords["bob"])
				for user, b := range map[string]*browser{"ann": ann, "bob": bob} {
					if got := text(b.get("/home")); got != "hello "+user {
						t.Errorf("%s sees %q", user, got)
					}
					if g.session.Foreign {
						t.Errorf("%s's session counts as another device's", user)
					}
					if b.jar[key] != value {
						t.Errorf("the cookie went out as %q", b.jar[key])
					}
				}
			})
		}
	}
}
