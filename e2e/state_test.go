package e2e

import (
	"bytes"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// X12: a power cut between the asking and the answer, and another after it.
func TestARequestAGrantAndAMailOutliveKill9(t *testing.T) {
	t.Parallel()
	g, c := known(t, &Demo{}, GateOptions{}, 1)
	g.Mail.Close() // the mail cannot go yet
	stranger := NewClient(t)
	held := g.App.SignIn(stranger, g.Site, "julie", Accounts[1].Password)
	refusedByTheGate(t, g.App, held)
	number := stranger.Waiting(held).Number()

	g.Kill()
	g.Mail.Open()
	g.Start()
	g.Mail.Await(t, "the mail from before the power cut", To("paul@example.com"), 0)
	if waiting := g.Requests(); len(waiting) != 1 || waiting[0].Person.User != "julie" {
		t.Fatalf("who waits: %+v", waiting)
	}
	page := stranger.Waiting(stranger.Visit(g.Site.URL("/")))
	if again := page.Number(); again != number {
		t.Errorf("the number was %s and is %s", number, again)
	}
	if who := g.App.Who(c, g.Site); who != "julie" {
		t.Errorf("whoever was in is known as %q", who)
	}

	g.Approve("julie")
	g.Kill()
	g.Start()
	released := stranger.Release(stranger.Waiting(stranger.Visit(g.Site.URL("/"))))
	if !g.App.Accepted(released) {
		t.Fatalf("released: %d\n%.500s", released.Status, released.Body)
	}
	g.Kill()
	g.Start()
	if who := g.App.Who(stranger, g.Site); who != "julie" {
		t.Errorf("after all that the application knows her as %q", who)
	}
}

func TestAReloadInTheMiddleLosesNothing(t *testing.T) {
	t.Parallel()
	g, c := known(t, &Demo{}, GateOptions{NoMail: true}, 1)
	stranger := NewClient(t)
	held := g.App.SignIn(stranger, g.Site, "julie", Accounts[1].Password)
	refusedByTheGate(t, g.App, held)
	g.Reload(g.Text(GateOptions{Site: "grant_for 24h\n"}))
	if who := g.App.Who(c, g.Site); who != "julie" {
		t.Errorf("whoever was in is known as %q", who)
	}
	g.Approve("julie")
	released := stranger.Release(stranger.Waiting(stranger.Visit(g.Site.URL("/"))))
	if !g.App.Accepted(released) {
		t.Fatalf("released: %d\n%.500s", released.Status, released.Body)
	}
	if err := g.TryReload(g.Text(GateOptions{Site: "nonsense\n"})); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("a Caddyfile with nonsense: %v", err)
	}
	if who := g.App.Who(stranger, g.Site); who != "julie" {
		t.Errorf("after a refused reload the application knows her as %q", who)
	}
}

// Threat L26: no password in the log at any level, in the store, in a notice.
func TestThreat_L26_NoPasswordIsLeftAnywhere(t *testing.T) {
	t.Parallel()
	right, wrong := Accounts[1].Password, "a-wrong-guess-8842"
	for _, a := range []App{&Demo{}, NodeRED{}, DokuWiki{}} {
		t.Run(a.Name(), func(t *testing.T) {
			g, _ := known(t, a, GateOptions{Global: "debug\nservers {\ntrace\n}\n"}, 1)
			stranger := NewClient(t)
			a.SignIn(stranger, g.Site, "julie", wrong)
			held := a.SignIn(stranger, g.Site, "julie", right)
			if held.Status != http.StatusForbidden {
				t.Fatalf("not held: %d", held.Status)
			}
			mail := g.Mail.Await(t, "the mail", To("paul@example.com"), 0)
			g.Approve("julie")
			everything := filepath.Join(t.TempDir(), "backup")
			g.Must("backup", everything)
			g.Must("export", everything+".json")
			activity := g.Must("activity", "--json") + g.Must("connections", "--json") + g.Must("user", "julie", "--json")
			g.Stop()

			places := map[string][]byte{
				"the log": []byte(g.Log.Text()), "the mail": mail.Raw, "the command line": []byte(activity),
				"what the stranger saw": held.Body,
			}
			for _, root := range []string{g.dir, filepath.Dir(everything)} {
				err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
					if err != nil || !d.Type().IsRegular() {
						return err
					}
					places[path], err = os.ReadFile(path)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			for place, content := range places {
				for _, secret := range []string{right, wrong} {
					if bytes.Contains(content, []byte(secret)) {
						t.Errorf("%s holds the password %s", place, secret)
					}
				}
			}
			if len(places) < 6 {
				t.Errorf("only %d places were searched", len(places))
			}
		})
	}
}

// X17: the gate can be taken away, and nobody is signed out.
func TestDrainedSessionsGoOnWithoutTheGate(t *testing.T) {
	t.Parallel()
	g, c := known(t, &Demo{}, GateOptions{NoMail: true}, 1)
	stamped := c.Cookie(g.Site.URL("/"), "sid")
	if !strings.Contains(stamped, "~") {
		t.Errorf("the session bears no stamp: %q", stamped)
	}
	g.OpenPadlock()
	g.Must("drain", g.Name)
	if who := g.App.Who(c, g.Site); who != "julie" {
		t.Errorf("while it drains the application knows her as %q", who)
	}
	if bare := c.Cookie(g.Site.URL("/"), "sid"); strings.Contains(bare, "~") {
		t.Errorf("the session still bears a stamp: %q", bare)
	}
	g.Reload("{\nauto_https off\n}\n" + g.Site.String() + " {\nreverse_proxy " + g.Backend + "\n}\n")
	if who := g.App.Who(c, g.Site); who != "julie" {
		t.Errorf("without the gate the application knows her as %q", who)
	}
}
