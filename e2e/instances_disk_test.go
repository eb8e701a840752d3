package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// L4, L21: the disk of the store is full. Who is known goes on, nobody else
// comes in, what an admin changes is refused in words, and all goes on by
// itself when there is room.
func TestThreat_L21_AFullDiskLetsNobodyNewIn(t *testing.T) {
	t.Parallel()
	disk := NewSmallDisk(t, 2<<20)
	g := StartGate(t, &Demo{}, GateOptions{NoMail: true, Cadenas: "store bolt " + disk.Dir + "/cadenas.db"}, disk.On())
	demo, password := g.App, Accounts[1].Password
	known := NewClient(t)
	if first := demo.SignIn(known, g.Site, "julie", password); !demo.Accepted(first) {
		t.Fatalf("with the padlock open: %d", first.Status)
	}
	Eventually(t, func() error { return whether(g.knows("julie"), "Julie is not recorded") })
	g.ClosePadlock()
	room := OpenBrowser(t, View{})
	room.Open(g.ConsoleLink("paul@example.com"))
	room.Go("form button")
	room.Open(g.Console.URL("/connections"))
	room.SeeText("julie")

	disk.Fill()
	refusals := 0
	for range 30 {
		stranger := NewClient(t)
		if got := demo.SignIn(stranger, g.Site, "samuel", Accounts[2].Password); demo.Accepted(got) || got.Status < 400 {
			t.Fatalf("a stranger with the right password gets %d", got.Status)
		} else if got.Status >= 500 {
			refusals++
		}
		if who := demo.Who(stranger, g.Site); who != "" {
			t.Fatalf("the stranger is in as %q", who)
		}
		if got := status(known, g.Site, "/api/me"); got != http.StatusOK {
			t.Fatalf("a known person gets %d", got)
		}
	}
	if refusals == 0 {
		t.Error("nothing was refused for want of room: the test tests nothing")
	}
	// An open room says so by itself, and goes on showing what there is.
	room.SeeText("The disk of the store is full")
	room.SeeText("julie")
	room.Fits()
	room.Axe("the console with a full disk")
	room.Shot("full")
	denied := g.Cadenas("rules", "add", "--app", g.Name, "--user", "samuel", "--effect", "allow", "--note", strings.Repeat("x", 4000))
	for i := 0; denied.Exit == 0 && i < 200; i++ {
		denied = g.Cadenas("rules", "add", "--app", g.Name, "--user", "samuel", "--effect", "allow", "--note", strings.Repeat("x", 4000))
	}
	if denied.Exit != 1 || !strings.Contains(denied.Stderr, "no space left") {
		t.Errorf("a rule for which there is no room: exit %d, %q", denied.Exit, denied.Stderr)
	}
	lock := g.Cadenas("user", "lock", "julie")
	if lock.Exit == 0 {
		if got := status(known, g.Site, "/api/me"); got == http.StatusOK {
			t.Error("the lock was acknowledged, and does nothing")
		}
		g.Must("user", "unlock", "julie")
	}

	disk.Free()
	Eventually(t, func() error {
		r := g.Cadenas("user", "lock", "julie")
		return whether(r.Exit == 0, r.Stderr)
	})
	if got := status(known, g.Site, "/api/me"); got != http.StatusForbidden {
		t.Errorf("there is room again, she is locked, and gets %d", got)
	}
	g.Must("user", "unlock", "julie")
	room.Await("the console without the alarm", `!document.body.innerText.includes("The disk of the store is full")`)
	room.Allow("503")
	stranger := NewClient(t)
	refusedByTheGate(t, demo, demo.SignIn(stranger, g.Site, "samuel", Accounts[2].Password))
}

// Starts that cannot be say why, and what to do.
func TestAStoreThatCannotBeUsedIsToldAtTheStart(t *testing.T) {
	t.Parallel()
	g := StartGate(t, &Demo{}, GateOptions{NoMail: true})
	file := filepath.Join(g.Data, "cadenas", "cadenas.db")
	o := GateOptions{NoMail: true, Cadenas: "store bolt " + file}
	for _, c := range []struct {
		name   string
		before func() (GateOptions, []Setting)
		want   []string
	}{
		{"a file that another Caddy holds", func() (GateOptions, []Setting) { return o, nil }, []string{file, "another Caddy"}},
		{"a folder that is none", func() (GateOptions, []Setting) {
			return GateOptions{NoMail: true, Cadenas: "store bolt " + file + "/deeper/cadenas.db"}, nil
		}, []string{"not a directory"}},
		{"a file that is no store", func() (GateOptions, []Setting) {
			other := filepath.Join(t.TempDir(), "other.db")
			if err := os.WriteFile(other, []byte(strings.Repeat("these are notes, not a store\n", 4000)), 0o600); err != nil {
				t.Fatal(err)
			}
			return GateOptions{NoMail: true, Cadenas: "store bolt " + other}, nil
		}, []string{"other.db", "not a readable store", "backup"}},
		{"a disk without room", func() (GateOptions, []Setting) {
			disk := NewSmallDisk(t, 8<<10)
			return GateOptions{NoMail: true, Cadenas: "store bolt " + disk.Dir + "/cadenas.db"}, []Setting{disk.On()}
		}, []string{"cadenas.db", "no space left"}},
		{"a file that may only be read", func() (GateOptions, []Setting) {
			disk := NewSmallDisk(t, 1<<20)
			disk.ReadOnly = true
			return GateOptions{NoMail: true, Cadenas: "store bolt " + disk.Dir + "/cadenas.db"}, []Setting{disk.On()}
		}, []string{"cadenas.db", "read-only"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, settings := c.before()
			other := &Gate{App: g.App, Name: g.Name, Backend: g.Backend, Site: NewSite(t, "app.localhost")}
			other.Console = other.Site.As("console.localhost")
			other.Caddy = NewCaddy(t, other.Text(o), settings...)
			if err := other.TryStart(); err == nil {
				t.Fatal("it started")
			}
			text := other.Log.Text()
			for _, word := range c.want {
				if !strings.Contains(text, word) {
					t.Errorf("the log does not say %q:\n%s", word, text[max(0, len(text)-1500):])
				}
			}
		})
	}
	if got := status(NewClient(t), g.Site, "/login"); got != http.StatusOK {
		t.Errorf("the Caddy that holds the file answers %d", got)
	}
}
