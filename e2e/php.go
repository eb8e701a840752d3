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

// debian returns the folder that a path of a Debian package is under: what
// ./test.sh unpacked for the tests, else the system itself.
func debian(t testing.TB, path, pkg string) string {
	t.Helper()
	roots := []string{"/"}
	if cache, err := cacheDir(); err == nil {
		roots = []string{filepath.Join(cache, "debian"), "/"}
	}
	for _, root := range roots {
		if _, err := os.Stat(filepath.Join(root, path)); err == nil {
			return root
		}
	}
	t.Fatalf("%s is not installed: install Debian's package %s (./test.sh does it)", path, pkg)
	return ""
}

// serve runs PHP's own web server over a folder and returns its host:port.
// One process serves one request at a time, and leaves no children behind.
func serve(t testing.TB, name, dir string, settings ...string) string {
	t.Helper()
	php := need(t, "install Debian's php-cli, php-sqlite3, php-xml and php-mbstring", "php8.2", "php")
	address := fmt.Sprintf("127.0.0.1:%d", FreePort(t))
	private := t.TempDir()
	args := []string{"-S", address, "-t", dir}
	for _, setting := range append(settings,
		"sys_temp_dir="+private, "session.save_path="+private, "display_errors=0", "log_errors=1", "error_log=/dev/stderr",
		"session.use_strict_mode=0") {
		args = append(args, "-d", setting)
	}
	cmd := exec.Command(php, args...)
	cmd.Dir = dir
	p := start(t, name, newLog(), cmd)
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("the end of %s's log:\n%s", name, p.log.tail(15))
		}
	})
	awaitListener(t, address, p)
	return address
}

// DokuWiki is Debian's DokuWiki: a form, a cookie with a hash in its name,
// 403 for a wrong password.
type DokuWiki struct{}

// Name is a word for logs.
func (DokuWiki) Name() string { return "DokuWiki" }

// Start runs the wiki with pages and users of its own.
func (DokuWiki) Start(t testing.TB) string {
	t.Helper()
	root := debian(t, "usr/share/dokuwiki/doku.php", "dokuwiki")
	home := t.TempDir()
	wiki := filepath.Join(home, "wiki")
	// The program, by links; Debian's own lead to absolute paths.
	for _, link := range []struct{ name, target string }{
		{"doku.php", "usr/share/dokuwiki/doku.php"},
		{"inc", "usr/share/dokuwiki/inc"},
		{"vendor", "usr/share/dokuwiki/vendor"},
		{"VERSION", "usr/share/dokuwiki/VERSION"},
		{"lib/exe", "usr/share/dokuwiki/lib/exe"},
		{"lib/images", "usr/share/dokuwiki/lib/images"},
		{"lib/scripts", "usr/share/dokuwiki/lib/scripts"},
		{"lib/styles", "usr/share/dokuwiki/lib/styles"},
		{"lib/plugins", "var/lib/dokuwiki/lib/plugins"},
		{"lib/tpl", "var/lib/dokuwiki/lib/tpl"},
	} {
		at := filepath.Join(wiki, link.name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(root, link.target), at); err != nil {
			t.Fatal(err)
		}
	}
	// The configuration as shipped, and what an installation adds.
	conf := filepath.Join(home, "conf")
	shipped, _ := filepath.Glob(filepath.Join(root, "etc/dokuwiki/*"))
	for _, file := range shipped {
		name := filepath.Base(file)
		if strings.HasPrefix(name, "local") || strings.Contains(name, "auth.php") {
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("reading DokuWiki's configuration: %v", err)
		}
		writeFile(t, filepath.Join(conf, name), string(content))
	}
	data := filepath.Join(home, "data")
	for _, dir := range []string{"attic", "cache", "index", "locks", "log", "media", "media_attic", "media_meta", "meta", "pages", "tmp"} {
		if err := os.MkdirAll(filepath.Join(data, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(conf, "local.php"), `<?php
$conf['title'] = 'Wiki of the centre';
$conf['useacl'] = 1;
$conf['superuser'] = '@admin';
$conf['savedir'] = '`+data+`';
$conf['updatecheck'] = 0;
`)
	writeFile(t, filepath.Join(conf, "acl.auth.php"), "*\t@ALL\t0\n*\t@user\t8\n")
	var users strings.Builder
	for _, account := range Accounts {
		fmt.Fprintf(&users, "%s:%s:%s:%s@example.com:user\n", account.User, hashed(t, account.Password), account.Name, account.User)
	}
	writeFile(t, filepath.Join(conf, "users.auth.php"), users.String())
	writeFile(t, filepath.Join(data, "pages", "start.txt"), "====== Staff only ======\n\nThe keys are in the blue box.\n")
	// Before DokuWiki's own preload, which Debian points at /etc.
	writeFile(t, filepath.Join(home, "before.php"), `<?php
define('DOKU_INC', '`+wiki+`/');
define('DOKU_CONF', '`+conf+`/');
define('DOKU_MAIN_CONF', '`+conf+`/');
`)
	return serve(t, "DokuWiki", wiki, "auto_prepend_file="+filepath.Join(home, "before.php"))
}

// Login names the form's field, and the cookie of a right password. The path
// is that of every page, so what is a login is told by the field, and that the
// answer leads back there tells nothing.
func (DokuWiki) Login() string {
	return "login /doku.php {\nuser u\nsession DW*\nsuccess cookie DW*\n}\n"
}

// SignIn posts the form at the foot of the login page.
func (DokuWiki) SignIn(c *Client, site Site, user, password string) *Answer {
	c.t.Helper()
	page := c.Open(site.URL("/doku.php?id=start&do=login"))
	return c.Submit(site.URL("/doku.php?id=start"), url.Values{
		"sectok": {between(page.Text(), `name="sectok" value="`, `"`)},
		"id":     {"start"}, "do": {"login"}, "u": {user}, "p": {password},
	})
}

// Accepted is 302 and the session's cookie.
func (DokuWiki) Accepted(a *Answer) bool {
	for _, cookie := range a.Cookies {
		if a.Status == 302 && strings.HasPrefix(cookie.Name, "DW") && cookie.Value != "deleted" && cookie.Value != "" {
			return true
		}
	}
	return false
}

// Keep has nothing to do: the session is a cookie.
func (DokuWiki) Keep(*Client, *Answer) {}

// Who reads the name in the page's head.
func (w DokuWiki) Who(c *Client, site Site) string {
	c.t.Helper()
	user := between(c.Open(site.URL(w.Path())).Text(), `<li class="user">`, `</li>`)
	return between(user, "(<bdi>", "</bdi>)")
}

// Path is the page that only staff can read.
func (DokuWiki) Path() string { return "/doku.php?id=start" }

// Adminer is Debian's Adminer over an SQLite file: the same redirect for a
// right and for a wrong password; only the next page tells.
type Adminer struct {
	database string
}

// Name is a word for logs.
func (*Adminer) Name() string { return "Adminer" }

// Start runs Adminer, with the accounts checked by a plugin of the kind it
// ships (SQLite itself has no users).
func (a *Adminer) Start(t testing.TB) string {
	t.Helper()
	root := debian(t, "usr/share/adminer/adminer.php", "adminer")
	home := t.TempDir()
	a.database = filepath.Join(home, "centre.sqlite")
	var users strings.Builder
	for _, account := range Accounts {
		fmt.Fprintf(&users, "'%s' => '%s',", account.User, hashed(t, account.Password))
	}
	share := filepath.Join(root, "usr/share/adminer")
	writeFile(t, filepath.Join(home, "web", "adminer.php"), `<?php
function adminer_object() {
	include_once '`+share+`/plugins/plugin.php';
	class Accounts {
		const KNOWN = [`+users.String()+`];
		function credentials() {
			$known = self::KNOWN[$_GET['username']] ?? '*';
			$password = get_password();
			return [SERVER, $_GET['username'], password_verify((string) $password, $known) ? '' : "wrong: $password"];
		}
		function login($login, $password) { return true; }
	}
	include_once '`+share+`/plugins/version-noverify.php';
	return new AdminerPlugin([new Accounts, new AdminerVersionNoverify]);
}
include '`+share+`/adminer.php';
`)
	php := need(t, "install Debian's php-cli and php-sqlite3", "php8.2", "php")
	create := exec.Command(php, "-r", `(new SQLite3($argv[1]))->exec("CREATE TABLE children (name TEXT)");`, "--", a.database)
	if out, err := create.CombinedOutput(); err != nil {
		t.Fatalf("making Adminer's database: %v\n%s", err, out)
	}
	return serve(t, "Adminer", filepath.Join(home, "web"))
}

// Login names the field, and the page that tells a right password from a
// wrong one.
func (*Adminer) Login() string {
	return "login /adminer.php {\nuser auth[username]\nsession adminer_sid\nsuccess page /adminer.php?sqlite=&username={user}\n}\n"
}

// SignIn posts the form.
func (a *Adminer) SignIn(c *Client, site Site, user, password string) *Answer {
	c.t.Helper()
	c.Open(site.URL("/adminer.php"))
	return c.Submit(site.URL("/adminer.php"), url.Values{
		"auth[driver]": {"sqlite"}, "auth[server]": {""}, "auth[username]": {user},
		"auth[password]": {password}, "auth[db]": {a.database},
	})
}

// Accepted is the redirect that Adminer answers to anything.
func (*Adminer) Accepted(a *Answer) bool {
	return a.Status == 302 && strings.Contains(a.Location(), "username=")
}

// Keep has nothing to do: the session is a cookie.
func (*Adminer) Keep(*Client, *Answer) {}

// Who reads the name beside the sign-out button. The page is one user's by
// its address, so each is tried.
func (a *Adminer) Who(c *Client, site Site) string {
	c.t.Helper()
	for _, account := range Accounts {
		page := c.Open(site.URL("/adminer.php?sqlite=&username=" + account.User + "&db=" + url.QueryEscape(a.database)))
		if page.Status == 200 && strings.Contains(page.Text(), `name="logout"`) {
			return account.User
		}
	}
	return ""
}

// Path is the list of tables, as Julie's.
func (a *Adminer) Path() string {
	return "/adminer.php?sqlite=&username=" + Accounts[1].User + "&db=" + url.QueryEscape(a.database)
}
