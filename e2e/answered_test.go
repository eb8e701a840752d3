package e2e

import (
	"strings"
	"testing"
)

// Whatever lets somebody in answers their request: here a rule, written on the
// command line while they wait. They are in without signing in again.
func TestWhoeverARuleLetsInIsInWithoutSigningInAgain(t *testing.T) {
	t.Parallel()
	g, _ := known(t, &Demo{}, GateOptions{NoMail: true}, 1)
	b := OpenBrowser(t, View{Size: Phone, Language: "fr"})
	signIn(b, g.Site, 1)
	b.See("[data-wait] svg.token")
	if n := len(g.Requests()); n != 1 {
		t.Fatalf("%d wait", n)
	}
	g.Must("rules", "add", "--user", "julie", "--kind", "phone", "--effect", "allow")
	b.SeeText("Attendance register")
	b.SeeText("Julie Tremblay")
	if n := len(g.Requests()); n != 0 {
		t.Errorf("%d still wait", n)
	}
	if said := g.Must("activity"); !strings.Contains(said, "approve") {
		t.Errorf("the activity does not say so: %s", said)
	}
}

// A console that no site serves is refused, with what to write, and what runs
// goes on.
func TestAConsoleThatNoSiteServesIsRefused(t *testing.T) {
	t.Parallel()
	g := StartGate(t, &Demo{}, GateOptions{NoMail: true})
	before := g.Text(GateOptions{NoMail: true})
	err := g.TryReload(strings.Replace(before, "cadenas_console", "respond nothing", 1))
	if err == nil || !strings.Contains(err.Error(), "no site serves it") {
		t.Errorf("a console without a site: %v", err)
	}
	if said := g.Must("padlock"); !strings.Contains(said, g.Name) {
		t.Errorf("what ran does not go on: %s", said)
	}
}
