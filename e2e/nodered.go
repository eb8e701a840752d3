package e2e

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// NodeRED is Node-RED as npm installs it: its login answers a script with a
// token, and there is no cookie.
type NodeRED struct{}

// Name is a word for logs.
func (NodeRED) Name() string { return "Node-RED" }

// Start runs Node-RED with accounts of its own.
func (NodeRED) Start(t testing.TB) string {
	t.Helper()
	cache, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	modules := filepath.Join(cache, "node-red", "node_modules")
	program := filepath.Join(modules, "node-red", "red.js")
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("Node-RED is not in %s: ./test.sh puts it there by npm (install npm)", modules)
	}
	// Node-RED 5 wants Node 22: the npm package carries one.
	node := filepath.Join(modules, "node", "bin", "node")
	if _, err := os.Stat(node); err != nil {
		node = need(t, "install Node.js 22 or newer", "node")
	}
	home := t.TempDir()
	address := fmt.Sprintf("127.0.0.1:%d", FreePort(t))
	_, port, _ := strings.Cut(address, ":")
	var users strings.Builder
	for _, account := range Accounts {
		fmt.Fprintf(&users, "{username:%q, password:%q, permissions:'*'},", account.User, hashed(t, account.Password))
	}
	writeFile(t, filepath.Join(home, "settings.js"), `module.exports = {
	uiHost: '127.0.0.1', uiPort: `+port+`, flowFile: 'flows.json',
	credentialSecret: false,
	adminAuth: { type: 'credentials', users: [`+users.String()+`] },
	telemetry: { enabled: false, updateNotification: false },
	diagnostics: { enabled: false }, externalModules: { autoInstall: false },
	logging: { console: { level: 'info', metrics: false, audit: false } },
	editorTheme: { tours: false, palette: { editable: false } },
};
`)
	cmd := exec.Command(node, program, "--settings", filepath.Join(home, "settings.js"), "--userDir", home)
	cmd.Dir = home
	cmd.Env = append(os.Environ(), "HOME="+home, "NODE_ENV=production")
	p := start(t, "Node-RED", newLog(), cmd)
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("the end of Node-RED's log:\n%s", p.log.tail(15))
		}
	})
	awaitListener(t, address, p)
	// It listens before its editor answers.
	client := NewClient(t)
	Eventually(t, func() error {
		if a := client.Fetch("GET", "http://"+address+"/auth/login", "", nil); a.Status != 200 {
			return fmt.Errorf("Node-RED answers %d", a.Status) //nolint:staticcheck // a name
		}
		return nil
	})
	return address
}

// Login names the field and the token.
func (NodeRED) Login() string {
	return "login /auth/token {\nuser username\ntoken access_token\nwhoami /settings user.username\nlogout /auth/revoke\n}\n"
}

// SignIn asks for a token as the editor does.
func (NodeRED) SignIn(c *Client, site Site, user, password string) *Answer {
	c.t.Helper()
	c.Open(site.URL("/"))
	return c.Fetch("POST", site.URL("/auth/token"), "application/x-www-form-urlencoded; charset=UTF-8", []byte(url.Values{
		"client_id": {"node-red-editor"}, "grant_type": {"password"}, "scope": {""},
		"username": {user}, "password": {password},
	}.Encode()))
}

// Accepted is 200 and a token.
func (NodeRED) Accepted(a *Answer) bool {
	return a.Status == 200 && strings.Contains(a.Text(), `"access_token"`)
}

// Keep takes the token.
func (NodeRED) Keep(c *Client, a *Answer) {
	var granted struct {
		Token string `json:"access_token"`
	}
	a.JSON(&granted)
	c.Bearer = granted.Token
}

// Who asks /settings, which tells the user.
func (NodeRED) Who(c *Client, site Site) string {
	c.t.Helper()
	r := c.Request("GET", site.URL("/settings"), nil)
	r.Header.Set("Accept", "application/json")
	a := c.Do(r)
	if a.Status != 200 {
		return ""
	}
	var settings struct {
		User struct{ Username string }
	}
	a.JSON(&settings)
	return settings.User.Username
}

// Path is what only those who are signed in may read.
func (NodeRED) Path() string { return "/flows" }
