package identity_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cadenas-gateway/cadenas/identity"
)

// twoSteps gives the gateway a backend that asks for a code after the
// password, in the shape that several have in common: the answer to the
// password leads to the step's page, a wrong code shows it again.
type twoSteps struct {
	g *gateway
	// pending is whose code is asked for, by session.
	pending map[string]string
	// keeps: the session keeps its value through both steps.
	keeps bool
	// guard: the password signs in, and every page leads to the step until it
	// was passed.
	guard bool
}

const code = "246810"

func newTwoSteps(t *testing.T, cfg identity.Config) *twoSteps {
	t.Helper()
	b := &twoSteps{g: newGateway(t, cfg), pending: map[string]string{}}
	b.g.backend.answer = b.answer
	return b
}

func (b *twoSteps) answer(w http.ResponseWriter, r *http.Request) bool {
	sid := ""
	if c, err := r.Cookie("sid"); err == nil {
		sid = c.Value
	}
	form, _ := url.ParseQuery(string(b.g.backend.last().body))
	lead := func(to string) bool {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
		return true
	}
	next := func(user, waits string) {
		if !b.keeps || b.g.backend.sessions[sid] == "" && sid == "" {
			sid = b.g.backend.begin("")
			b.g.backend.setSession(w, sid)
		}
		b.g.backend.sessions[sid], b.pending[sid] = user, waits
	}
	switch user := form.Get("user"); {
	case r.URL.Path == "/login" && r.Method == http.MethodPost:
		if passwords[user] == "" || passwords[user] != form.Get("pass") {
			return false
		}
		next("", user)
		if b.guard {
			return lead("/home")
		}
		return lead("/login/code?next=%2Fhome")
	case r.URL.Path == "/login/code" && r.Method == http.MethodPost:
		switch waits := b.pending[sid]; {
		case waits == "":
			return lead("/login")
		case form.Get("code") != code:
			return lead("/login/code?wrong=1")
		default:
			next(waits, "")
		}
		return lead("/home")
	case r.URL.Path == "/login/code":
		fmt.Fprint(w, `<form method="post"><input name=code></form>`)
		return true
	case r.URL.Path == "/account":
		if b.guard && b.pending[sid] != "" {
			return lead("/login/code")
		}
		if b.g.backend.sessions[sid] == "" {
			return lead("/login")
		}
	case r.URL.Path == "/forget" && r.Method == http.MethodPost:
		delete(b.pending, sid)
		fmt.Fprint(w, "forgotten")
		return true
	default:
		return false
	}
	fmt.Fprint(w, "account")
	return true
}

// secondRules are the ways in which a login block may say what success is.
var secondRules = map[string]func(*identity.Config){
	"found out":         func(*identity.Config) {},
	"by a status":       func(c *identity.Config) { c.Success = rules("status", "302") },
	"by where it leads": func(c *identity.Config) { c.Success = rules("location", "/home") },
	"by a page":         func(c *identity.Config) { c.Success = rules("page", "/account") },
	"by whoami":         func(c *identity.Config) { c.Whoami = identity.Whoami{Path: "/me", JSON: "user.name"} },
	"by a page and whoami": func(c *identity.Config) {
		c.Success = rules("page", "/account")
		c.Whoami = identity.Whoami{Path: "/me", JSON: "user.name"}
	},
}

func rules(kind string, args ...string) []identity.Success {
	return []identity.Success{{Kind: kind, Args: args}}
}

func secondConfig() identity.Config {
	cfg := config()
	cfg.Second = []string{"/login/code"}
	return cfg
}

func sendCode(b *browser, text string) *http.Response {
	return b.post("/login/code", url.Values{"code": {text}})
}

func TestASecondStepOfTheBackendsOwnSignsIn(t *testing.T) {
	for name, rule := range secondRules {
		for _, mode := range []identity.Mode{identity.Closed, identity.Open} {
			for _, keeps := range []bool{false, true} {
				if keeps && strings.Contains(name, "found out") {
					continue // a session that does not change shows nothing by itself
				}
				story := fmt.Sprintf("%s, mode %d, keeps its session %v", name, mode, keeps)
				bubble(t, story, func(t *testing.T) {
					cfg := secondConfig()
					rule(&cfg)
					two := newTwoSteps(t, cfg)
					two.keeps = keeps
					g := two.g
					g.turn(mode)
					b := g.browser("laptop")
					b.get("/login")
					status(t, "the password", b.signIn("ann", passwords["ann"]), http.StatusFound)
					if g.attempt.Outcome != identity.OutcomeSecond || !g.attempt.Person.Nobody() {
						t.Fatalf("after the password alone: %+v", g.attempt)
					}
					if len(g.asked) > 0 || strings.Contains(g.dump(), "login-of") {
						t.Fatalf("the password alone linked somebody: %v", g.asked)
					}
					if mode == identity.Closed && strings.Contains(text(b.get("/home")), "ann") {
						t.Fatal("in with the password alone")
					}
					status(t, "the page of the step", b.get("/login/code"), http.StatusOK)
					sendCode(b, "000000")
					if g.attempt.Outcome == identity.OutcomeReleased || g.attempt.Outcome == identity.OutcomeHeld || len(g.asked) > 0 {
						t.Fatalf("after a wrong code: %+v", g.attempt)
					}
					b.get("/login/code")
					resp := sendCode(b, code)
					if g.attempt.Person.User != "ann" {
						t.Fatalf("after the code: %+v", g.attempt)
					}
					if mode == identity.Closed {
						status(t, "on a device nobody knows", resp, http.StatusForbidden)
						if strings.Contains(text(b.get("/home")), "ann") {
							t.Fatal("in while it waits")
						}
						b.allow("ann")
						resp = b.release()
					}
					status(t, "signed in", resp, http.StatusFound)
					if got := text(b.get("/home")); got != "hello ann" || g.session.Person.User != "ann" {
						t.Fatalf("after it: %q, %+v", got, g.session.Person)
					}
				})
			}
		}
	}
}

// Some backends sign in with the password, and lead every page to the step.
func TestAPageThatLeadsToASecondStepSignsNobodyIn(t *testing.T) {
	cfg := secondConfig()
	cfg.Success = rules("page", "/account")
	two := newTwoSteps(t, cfg)
	two.guard = true
	b := two.g.browser("laptop")
	b.allow("ann")
	b.get("/login")
	b.signIn("ann", passwords["ann"])
	if two.g.attempt.Outcome != identity.OutcomeSecond {
		t.Fatalf("after the password alone: %+v", two.g.attempt)
	}
	status(t, "the code", sendCode(b, code), http.StatusFound)
	if got := text(b.get("/home")); got != "hello ann" {
		t.Fatalf("after it: %q", got)
	}
}

// What a claim must not be turned into: another's sign-in, or one's own
// without the second step.
func TestThreat_X1_AClaimIsNoSignIn(t *testing.T) {
	const forgets = "/forget"
	tests := map[string]func(t *testing.T, two *twoSteps, b *browser){
		"the backend has forgotten who is to pass the step": func(t *testing.T, two *twoSteps, b *browser) {
			b.post(forgets, nil)
			sendCode(b, code)
		},
		"another name with a wrong password was typed meanwhile": func(t *testing.T, two *twoSteps, b *browser) {
			b.signIn("bob", "wrong")
			for sid := range two.pending { // a backend that asks bob now all the same
				two.pending[sid] = "bob"
			}
			sendCode(b, code)
		},
		"the claim is over": func(t *testing.T, two *twoSteps, b *browser) {
			now := two.g.clock()
			two.g.clock = func() time.Time { return now.Add(16 * time.Minute) }
			two.g.reload()
			sendCode(b, code)
		},
		"a second session of the same name stands beside it": func(t *testing.T, two *twoSteps, b *browser) {
			eve := two.g.browser("laptop")
			eve.jar["__Host-cadenas"] = b.jar["__Host-cadenas"]
			eve.get("/login")
			eve.signIn("eve", passwords["eve"])
			b.jar["sid"] = eve.jar["sid"] + "; sid=" + b.jar["sid"]
			sendCode(b, code)
		},
		"it was copied to another device": func(t *testing.T, two *twoSteps, b *browser) {
			thief := two.g.browser("phone")
			thief.get("/login")
			thief.jar["sid"] = b.jar["sid"]
			sendCode(thief, code)
		},
		"the padlock was closed after the password": func(t *testing.T, two *twoSteps, b *browser) {
			two.g.turn(identity.Open)
			b.get("/login")
			b.signIn("ann", passwords["ann"])
			two.g.turn(identity.Closed)
			sendCode(b, code)
		},
	}
	for name, play := range tests {
		bubble(t, name, func(t *testing.T) {
			cfg := secondConfig()
			cfg.Success = rules("status", "302")
			cfg.Public = []string{forgets}
			two := newTwoSteps(t, cfg)
			two.keeps = true
			b := two.g.browser("laptop")
			b.get("/login")
			b.allow("ann")
			b.signIn("ann", passwords["ann"])
			if two.g.attempt.Outcome != identity.OutcomeSecond {
				t.Fatalf("the password: %+v", two.g.attempt)
			}
			play(t, two, b)
			for _, user := range two.g.asked {
				if user == "ann" {
					t.Errorf("the gate was asked about ann: %+v", two.g.attempt)
				}
			}
			if strings.Contains(text(b.get("/home")), "ann") {
				t.Error("in as ann")
			}
		})
	}
}

// bubble runs a story in which time passes by itself.
func bubble(t *testing.T, name string, story func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, story) })
}

// The presets that know a second step, against a backend that answers as
// their applications' sources say.
func TestPresetsWithASecondStepSignInAfterItOnly(t *testing.T) {
	tried := 0
	for _, p := range identity.Presets() {
		if len(p.Words.Second) == 0 {
			continue
		}
		tried++
		bubble(t, p.Name, func(t *testing.T) {
			cfg := identity.Config{Application: "shop"}.With(p.Words)
			g := newGateway(t, cfg)
			session, proof, page := "app_session", "", ""
			if names := p.Words.Session; len(names) > 0 {
				session = strings.ReplaceAll(names[0], "*", "")
			}
			for _, s := range p.Words.Success {
				switch s.Kind {
				case "cookie":
					proof = s.Args[0]
				case "page":
					page = s.Args[0]
				}
			}
			step := strings.ReplaceAll(p.Words.Second[len(p.Words.Second)-1], "*", "totp")
			waits := map[string]string{}
			g.backend.answer = func(w http.ResponseWriter, r *http.Request) bool {
				sid := ""
				if c, err := r.Cookie(session); err == nil {
					sid = c.Value
				}
				form, _ := url.ParseQuery(string(g.backend.last().body))
				begin := func(user, waiting, to string) {
					id := g.backend.begin(user)
					waits[id] = waiting
					w.Header().Add("Set-Cookie", session+"="+id+"; Path=/; HttpOnly")
					w.Header().Set("Location", to)
					w.WriteHeader(http.StatusFound)
				}
				switch user := form.Get(p.Words.User); {
				case r.Method == http.MethodPost && r.URL.Path == p.Words.Path && passwords[user] == form.Get("password"):
					begin("", user, strings.ReplaceAll(p.Words.Second[0], "*", "totp")+"?redirect=%2F")
				case r.Method == http.MethodPost && r.URL.Path == step && form.Get("code") == code:
					if proof != "" {
						w.Header().Add("Set-Cookie", proof+"=0123456789abcdef; Path=/; HttpOnly")
					}
					begin(waits[sid], "", "/")
				case r.Method == http.MethodPost:
					w.Header().Set("Location", strings.ReplaceAll(p.Words.Second[0], "*", "totp"))
					w.WriteHeader(http.StatusFound)
				case r.URL.Path == page && g.backend.sessions[sid] == "":
					w.WriteHeader(http.StatusForbidden)
				default:
					fmt.Fprint(w, "hello "+g.backend.sessions[sid])
				}
				return true
			}
			b := g.browser("laptop")
			b.allow("ann")
			b.get(p.Words.Path)
			b.post(p.Words.Path, url.Values{p.Words.User: {"ann"}, "password": {passwords["ann"]}})
			if g.attempt.Outcome != identity.OutcomeSecond || len(g.asked) > 0 {
				t.Fatalf("the password: %+v, asked %v", g.attempt, g.asked)
			}
			b.post(step, url.Values{"code": {"000000"}})
			if len(g.asked) > 0 {
				t.Fatalf("a wrong code: %+v", g.attempt)
			}
			b.post(step, url.Values{"code": {code}})
			if g.attempt.Outcome != identity.OutcomeReleased || g.attempt.Person.User != "ann" {
				t.Fatalf("the code: %+v", g.attempt)
			}
			if got := text(b.get("/home")); got != "hello ann" {
				t.Errorf("after it: %q", got)
			}
		})
	}
	if tried < 6 {
		t.Errorf("%d presets know a second step", tried)
	}
}

// WordPress' plugins sign in with the password and take it back at once.
func TestASessionThatIsSetAndTakenBackSignsNobodyIn(t *testing.T) {
	p, _ := identity.PresetNamed("wordpress")
	g := newGateway(t, identity.Config{Application: "shop"}.With(p.Words))
	g.backend.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		for _, value := range []string{"ann%7C1790000000%7Ctoken; Path=/; HttpOnly", "%20; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"} {
			w.Header().Add("Set-Cookie", "wordpress_logged_in_0123456789abcdef0123456789abcdef="+value)
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<form action="/wp-login.php?action=validate_2fa" method="post"><input name="authcode"></form>`)
		return true
	}
	b := g.browser("laptop")
	b.get("/wp-login.php")
	b.post("/wp-login.php", url.Values{"log": {"ann"}, "pwd": {"right"}})
	if g.attempt.Outcome != identity.OutcomeFailed || len(g.asked) > 0 {
		t.Errorf("the password: %+v, asked %v", g.attempt, g.asked)
	}
}
