package e2e

import (
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/cadenas-gateway/cadenas/examples/demo/app"
)

// App is a real application with a login of its own, unchanged, to stand
// behind the gate.
type App interface {
	// Name is a word for logs and test names.
	Name() string
	// Start runs the application and returns its host:port.
	Start(t testing.TB) string
	// Login is what a site's cadenas block says of the application's login:
	// lines of a Caddyfile.
	Login() string
	// SignIn sends what the application's own form sends, and returns the
	// answer to the login request itself.
	SignIn(c *Client, site Site, user, password string) *Answer
	// Accepted reports whether an answer to SignIn is what the application
	// says to a right password. (Adminer says it to a wrong one too.)
	Accepted(a *Answer) bool
	// Keep lets the client keep what a right answer grants beside cookies: a
	// token.
	Keep(c *Client, a *Answer)
	// Who asks the application as whom it knows the client; empty for nobody.
	Who(c *Client, site Site) string
	// Path is a page for people who are signed in.
	Path() string
}

// Apps are all applications, the demonstration first.
func Apps() []App {
	return []App{
		&Demo{}, &Demo{Options: app.Options{KeepSession: true}}, &Demo{Options: app.Options{FormToken: true}},
		&Demo{Options: app.Options{Login: app.JSON}}, &Demo{Options: app.Options{Login: app.Token}},
		DokuWiki{},
		&Adminer{},
		NodeRED{},
	}
}

// Accounts are those that every application here knows.
var Accounts = app.Accounts

// hashed is a password as applications keep it; cheap, for tests.
func hashed(t testing.TB, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatalf("hashing a password: %v", err)
	}
	return string(hash)
}

// writeFile writes a file of a test's folder, making the folders above it.
func writeFile(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// between returns what stands between two texts, empty when they are not
// there.
func between(text, before, after string) string {
	_, rest, ok := strings.Cut(text, before)
	if !ok {
		return ""
	}
	found, _, ok := strings.Cut(rest, after)
	if !ok {
		return ""
	}
	return found
}

// Demo is the demonstration application, in the variant of its options.
type Demo struct {
	Options app.Options
}

// Name says the variant.
func (d *Demo) Name() string {
	name := "demo"
	if d.Options.Login != "" && d.Options.Login != app.Form {
		name += " with " + string(d.Options.Login)
	}
	if d.Options.KeepSession {
		name += " that keeps its session"
	}
	if d.Options.FormToken {
		name += " with a form token"
	}
	return name
}

// Start serves the application inside the test.
func (d *Demo) Start(t testing.TB) string {
	t.Helper()
	server := httptest.NewServer(app.New(d.Options))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.Listener.Addr().String()
}

// Login names the field and who is signed in; a token's place where there is
// one.
func (d *Demo) Login() string {
	token := ""
	if d.Options.Login == app.Token {
		token = "token access_token\n"
	}
	return "login /login {\nuser username\n" + token + "whoami /api/me user.name\nlogout /logout\n}\n"
}

// SignIn opens the form first, as a browser does.
func (d *Demo) SignIn(c *Client, site Site, user, password string) *Answer {
	c.t.Helper()
	page := c.Open(site.URL("/login"))
	if d.Options.Login == app.JSON || d.Options.Login == app.Token {
		return c.Fetch("POST", site.URL("/login"), "application/json",
			[]byte(`{"username":"`+user+`","password":"`+password+`"}`))
	}
	form := url.Values{"username": {user}, "password": {password}}
	if token := between(page.Text(), `name="token" value="`, `"`); token != "" {
		form.Set("token", token)
	}
	return c.Submit(site.URL("/login"), form)
}

// Accepted is a redirect to the register, or 200 and JSON.
func (d *Demo) Accepted(a *Answer) bool {
	if d.Options.Login == app.JSON || d.Options.Login == app.Token {
		return a.Status == 200 && a.Type() == "application/json"
	}
	return a.Status == 303 && a.Location() == "/"
}

// Keep takes the token.
func (d *Demo) Keep(c *Client, a *Answer) {
	if d.Options.Login == app.Token {
		var granted struct {
			Token string `json:"access_token"`
		}
		a.JSON(&granted)
		c.Bearer = granted.Token
	}
}

// Who asks /api/me.
func (d *Demo) Who(c *Client, site Site) string {
	c.t.Helper()
	a := c.Fetch("GET", site.URL("/api/me"), "", nil)
	if a.Status != 200 {
		return ""
	}
	var me struct {
		User struct{ Name string }
	}
	a.JSON(&me)
	return me.User.Name
}

// Path is the register; where the login is a token its page is for all, so
// the list of children.
func (d *Demo) Path() string {
	if d.Options.Login == app.Token {
		return "/api/present"
	}
	return "/"
}
