package e2e

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/examples/demo/app"
	"github.com/cadenas-gateway/cadenas/identity"
)

// unknown is an application whose login the Caddyfile says nothing about.
type unknown struct{ App }

// Login says nothing.
func (unknown) Login() string { return "" }

const mistyped = "Wr0ng-and-Never-Kept-7731"

// lesson is what the command line tells of a lesson.
type lesson struct {
	Step, Link, Lines      string
	Passed                 bool
	Wrong, Right           *identity.Exchange
	TriedWrong, TriedRight *identity.Tried
}

func (g *Gate) lesson(args ...string) lesson {
	g.t.Helper()
	var l lesson
	if err := json.Unmarshal([]byte(g.Must(append(append([]string{"login"}, args...), "--json")...)), &l); err != nil {
		g.t.Fatal(err)
	}
	return l
}

// signOut leaves an application, as its own pages do it.
func signOut(c *Client, a App, site Site) bool {
	switch a := a.(type) {
	case *Demo:
		if a.Options.Login != app.Token {
			c.Submit(site.URL("/logout"), nil)
			return true
		}
	case DokuWiki:
		page := c.Open(site.URL("/doku.php?id=start"))
		c.Open(site.URL("/doku.php?id=start&do=logout&sectok=" + between(page.Text(), `do=logout&amp;sectok=`, `"`)))
		return true
	}
	return false
}

// tellsApart closes the padlock and tries the login that the gate knows: a
// wrong password is nobody's, a right one is Julie's, who waits on a device
// nobody knows.
func tellsApart(t *testing.T, g *Gate, a App) {
	t.Helper()
	known := NewClient(t)
	answer := a.SignIn(known, g.Site, "julie", Accounts[1].Password)
	if !a.Accepted(answer) {
		t.Fatalf("with the padlock open: %d\n%.600s", answer.Status, answer.Body)
	}
	a.Keep(known, answer)
	if who := a.Who(known, g.Site); who != "julie" {
		t.Fatalf("with the padlock open the application knows Julie as %q", who)
	}
	Eventually(t, func() error { return whether(g.knows("julie"), "Julie's connection is not recorded") })
	g.ClosePadlock()
	if who := a.Who(known, g.Site); who != "julie" {
		t.Errorf("after the closing the application knows Julie as %q", who)
	}
	stranger := NewClient(t)
	a.SignIn(stranger, g.Site, "julie", mistyped)
	if waiting := g.Requests(); len(waiting) != 0 {
		t.Fatalf("a wrong password opened %+v", waiting)
	}
	refusedByTheGate(t, a, a.SignIn(stranger, g.Site, "julie", Accounts[1].Password))
	waiting := g.Requests()
	if len(waiting) != 1 {
		t.Fatalf("%d wait", len(waiting))
	}
}

// keptNowhere fails the test where one of the texts is in the log or in a
// file of Caddy's (threat L26).
func keptNowhere(t *testing.T, g *Gate, texts ...string) {
	t.Helper()
	places := map[string]string{"the log": g.Log.Text()}
	err := filepath.WalkDir(g.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		places[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(places) < 3 {
		t.Fatalf("only %d places were searched", len(places))
	}
	for where, text := range places {
		for _, secret := range texts {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds %q", where, secret)
			}
		}
	}
}

// The whole lesson by command line, against every application as it comes
// from its package; then the padlock closes over what was taught.
func TestEveryApplicationsLoginCanBeTaught(t *testing.T) {
	t.Parallel()
	for _, a := range Apps() {
		t.Run(a.Name(), func(t *testing.T) {
			g := StartGate(t, unknown{a}, GateOptions{NoMail: true})
			marie := NewClient(t)
			link := g.lesson("teach", g.Name).Link
			if !strings.Contains(link, "/.cadenas/teach/") {
				t.Fatalf("the link: %q", link)
			}
			link = g.Site.URL(link[strings.Index(link, "/.cadenas/"):])
			marie.Open(link).Expect(http.StatusOK)
			if step := g.lesson("lesson", g.Name).Step; step != "link" {
				t.Fatalf("a look at the link began the lesson: %s", step)
			}
			marie.Submit(link, nil).Expect(http.StatusSeeOther)
			NewClient(t).Submit(link, nil).Expect(http.StatusNotFound)

			// Somebody else's sign-in is none of the lesson's.
			a.SignIn(NewClient(t), g.Site, "samuel", "whatever")
			if step := g.lesson("lesson", g.Name).Step; step != "wrong" {
				t.Fatalf("another browser was watched: %s", step)
			}
			pair := func(what string) lesson {
				t.Helper()
				wrong := a.SignIn(marie, g.Site, "julie", mistyped)
				if a.Accepted(wrong) {
					marie.Follow(wrong)
				}
				a.Who(marie, g.Site)
				right := a.SignIn(marie, g.Site, "julie", Accounts[1].Password)
				if !a.Accepted(right) {
					t.Fatalf("%s, the right password: %d\n%.600s", what, right.Status, right.Body)
				}
				a.Keep(marie, right)
				if right.Location() != "" {
					marie.Follow(right)
				}
				if who := a.Who(marie, g.Site); who != "julie" {
					t.Fatalf("%s: the application knows Julie as %q", what, who)
				}
				return g.lesson("lesson", g.Name)
			}
			seen := pair("seen")
			if seen.Step != "leave" || seen.Wrong == nil || seen.Right == nil {
				t.Fatalf("what was seen: %+v", seen)
			}
			if !signOut(marie, a, g.Site) {
				g.lesson("again", g.Name, "skip")
			}
			marie.Bearer = ""
			if found := g.lesson("lesson", g.Name); found.Step != "found" {
				t.Fatalf("after the sign-out: %s", found.Step)
			}
			g.lesson("try", g.Name)
			tried := pair("tried")
			if !tried.Passed {
				t.Fatalf("not told apart by\n%s\nwrong %+v\nright %+v", tried.Lines, tried.TriedWrong, tried.TriedRight)
			}
			t.Logf("found:\n%s", tried.Lines)
			g.Must("login", "keep", g.Name)
			if told := g.Must("login", g.Name); !strings.Contains(told, "taught") || strings.Contains(told, "cannot be closed") {
				t.Errorf("the login is known as\n%s", told)
			}
			tellsApart(t, g, a)
			keptNowhere(t, g, mistyped, Accounts[1].Password)
		})
	}
}

// What was taught outlives the process, and the Caddyfile wins over it.
func TestATaughtLoginStaysUntilTheCaddyfileSaysSomething(t *testing.T) {
	t.Parallel()
	a := &Demo{}
	g := StartGate(t, unknown{a}, GateOptions{NoMail: true})
	g.Must("login", "preset", "grafana", "--keep", "--app", g.Name)
	g.Must("login", "forget", g.Name)
	if told := g.Must("login", g.Name); !strings.Contains(told, "the device alone") {
		t.Errorf("after it was forgotten:\n%s", told)
	}
	g.Must("login", "preset", "gitea", "--keep", "--app", g.Name)
	g.Restart()
	if told := g.Must("login", g.Name); !strings.Contains(told, "login /user/login") {
		t.Errorf("after a restart:\n%s", told)
	}
	g.Reload((&Gate{Caddy: g.Caddy, Backend: g.Backend, App: a, Name: g.Name, Site: g.Site, Console: g.Console}).Text(GateOptions{}))
	told := g.Must("login", g.Name)
	if !strings.Contains(told, "login /login") || !strings.Contains(told, "the Caddyfile's login") || strings.Contains(told, "/user/login") {
		t.Errorf("with a login in the Caddyfile:\n%s", told)
	}
	if r := g.Cadenas("login", "preset", "gitea", "--keep", "--app", g.Name); r.Exit != 2 {
		t.Errorf("a login at another path than the Caddyfile's was kept: %+v", r)
	}
	tellsApart(t, g, a)
	if r := g.Cadenas("login", "teach", g.Name); r.Exit != 1 || !strings.Contains(r.Stderr, "padlock is closed") {
		t.Errorf("a lesson with the padlock closed: %+v", r)
	}
}

// The presets of the applications that run here.
func TestPresetsHoldForTheApplicationsThatRunHere(t *testing.T) {
	t.Parallel()
	for preset, a := range map[string]App{"dokuwiki": DokuWiki{}, "adminer-sqlite": &Adminer{}, "node-red": NodeRED{}} {
		t.Run(preset, func(t *testing.T) {
			g := StartGate(t, unknown{a}, GateOptions{NoMail: true})
			g.Must("login", "preset", preset, "--keep", "--app", g.Name)
			tellsApart(t, g, a)
		})
	}
}

// The wizard, as Marie uses it: French, on a phone and at a desk, two tabs.
func TestALoginIsTaughtInTheConsole(t *testing.T) {
	t.Parallel()
	for _, view := range []View{{Size: Phone, Language: "fr-CA", Dark: true}, {Size: Desk, Language: "fr-CA"}} {
		t.Run(view.Name(), func(t *testing.T) {
			g := StartGate(t, unknown{&Demo{}}, GateOptions{NoMail: true})
			shot := func(b *Browser, name string) {
				b.Fits()
				b.Shot("teach-" + name)
			}
			console := OpenBrowser(t, view)
			console.Open(g.ConsoleLink("marie@example.com"))
			console.Go("main form button")
			console.Open(g.Console.URL("/teach"))
			console.SeeText("chaque appareil")
			shot(console, "list")
			console.Go("#logins a")
			shot(console, "begin")
			console.Go(`form[action="/teach/` + g.Name + `"] button`)
			console.SeeText("Ouvrir l’application")
			shot(console, "link")
			link := Eval[string](console, `document.querySelector("a[target=_blank]").href`)

			tab := console.Tab()
			tab.Allow("401|403|favicon")
			tab.Open(g.Site.URL(link[strings.Index(link, "/.cadenas/"):]))
			tab.SeeText("Montrer à Cadenas")
			shot(tab, "door")
			tab.Go("main form button")
			signIn := func(password string) {
				t.Helper()
				tab.Open(g.Site.URL("/login"))
				tab.Type("input[name=username]", "julie")
				tab.Type("input[name=password]", password)
				tab.Enter()
			}
			console.SeeText("un mauvais mot de passe")
			signIn(mistyped)
			console.SeeText("demande encore le mot de passe")
			shot(console, "wrong")
			signIn(Accounts[1].Password)
			tab.SeeText("Julie Tremblay")
			console.SeeText("puis déconnectez-vous")
			tab.Open(g.Site.URL("/api/me"))
			tab.Open(g.Site.URL("/"))
			tab.Go(`form[action="/logout"] button`)
			console.SeeText("Ce qui a été trouvé")
			console.SeeText("/api/me")
			shot(console, "found")
			console.Click("#correct summary")
			shot(console, "correct")
			console.Go("#words button.btn-key")
			console.SeeText("Pour l’essayer")
			signIn(mistyped)
			console.SeeText("Le mauvais mot de passe a été reconnu comme mauvais.")
			signIn(Accounts[1].Password)
			console.SeeText("Le bon mot de passe a été reconnu")
			shot(console, "tried")
			console.Go("#words button.btn-key")
			console.SeeText("C’est gardé")
			if lines := console.Text(".caddy-lines"); lines != "login /login {\n\tuser username\n\twhoami /api/me user.name\n\tlogout /logout\n}" {
				t.Errorf("the lines for the Caddyfile:\n%s", lines)
			}
			shot(console, "kept")
			console.Open(g.Console.URL("/padlock/" + g.Name + "/close"))
			if console.Has("button[disabled]") {
				t.Error("the padlock cannot close over a login that was taught")
			}
			tellsApart(t, g, &Demo{})
			console.Open(g.Console.URL("/teach/" + g.Name))
			console.SeeText("cadenas ouvert")
			shot(console, "closed")
			console.Open(g.Console.URL("/activity"))
			console.SeeText("a enseigné la connexion à")
			keptNowhere(t, g, mistyped, Accounts[1].Password)
		})
	}
}

// A wiki posts everything to one path: a long page passes with the padlock
// closed, and a login that stands behind one does not (L26).
func TestThreat_L26_ALongPageOfAWikiPassesAndALoginBehindItDoesNot(t *testing.T) {
	t.Parallel()
	a := DokuWiki{}
	g := StartGate(t, a, GateOptions{NoMail: true})
	julie := NewClient(t)
	a.SignIn(julie, g.Site, "julie", Accounts[1].Password)
	Eventually(t, func() error { return whether(g.knows("julie"), "Julie's connection is not recorded") })
	g.ClosePadlock()
	page := julie.Open(g.Site.URL("/doku.php?id=long&do=edit"))
	text := strings.Repeat("A line of the wiki; and = another. ", 60_000)
	form := func(last ...string) string {
		f := "sectok=" + between(page.Text(), `name="sectok" value="`, `"`) + "&id=long&prefix=.&suffix=&rev=0&summary=&do%5Bpreview%5D=1&wikitext=" + strings.ReplaceAll(text, " ", "+")
		return strings.Join(append([]string{f}, last...), "&")
	}
	send := func(c *Client, body string) *Answer {
		r := navigation(c.Request(http.MethodPost, g.Site.URL("/doku.php"), strings.NewReader(body)), "same-origin")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", origin(r.URL))
		return c.Do(r)
	}
	if got := send(julie, form()); got.Status != http.StatusOK || !strings.Contains(got.Text(), "and = another") {
		t.Errorf("a long page: %d\n%.300s", got.Status, got.Body)
	}
	for name, who := range map[string]*Client{"Julie": julie, "a stranger": NewClient(t)} {
		if got := send(who, form("do=login", "u=marie", "p="+Accounts[0].Password)); got.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s, with a login behind a long page: %d", name, got.Status)
		}
		if as := a.Who(who, g.Site); as == "marie" {
			t.Errorf("%s is in as %s", name, as)
		}
	}
	if waiting := g.Requests(); len(waiting) != 0 {
		t.Errorf("%d wait", len(waiting))
	}
}
