package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/examples/demo/app"
)

// byToken reports whether an application's login answers with a token: then
// nothing is released, and the person signs in again once approved (X2).
func byToken(a App) bool {
	if d, ok := a.(*Demo); ok {
		return d.Options.Login == app.Token
	}
	_, ok := a.(NodeRED)
	return ok
}

// refusedByTheGate fails the test unless an answer is the gate's: 403, and a
// page or problem+json as the login was sent (X9).
func refusedByTheGate(t *testing.T, a App, got *Answer) {
	t.Helper()
	if got.Status != http.StatusForbidden || a.Accepted(got) {
		t.Fatalf("the gate did not hold it: %d\n%.800s", got.Status, got.Body)
	}
	if !strings.Contains(got.Header.Get("Cache-Control"), "no-store") {
		t.Errorf("Cache-Control: %q", got.Header.Get("Cache-Control"))
	}
	for _, cookie := range got.Cookies {
		if !strings.Contains(strings.ToLower(cookie.Name), "cadenas") {
			t.Errorf("the page carries the backend's cookie %s", cookie.Name)
		}
	}
}

// The login story: X1 to X3 against every application, as it comes from its
// package.
func TestEveryApplicationsLoginIsLearntHeldAndReleased(t *testing.T) {
	t.Parallel()
	password := Accounts[1].Password
	for _, a := range Apps() {
		t.Run(a.Name(), func(t *testing.T) {
			g := StartGate(t, a, GateOptions{NoMail: true})
			site := g.Site
			known, stranger, thief := NewClient(t), NewClient(t), NewClient(t)

			// The padlock is open. A wrong password teaches nothing.
			a.SignIn(thief, site, "samuel", "not his password")
			if who := a.Who(thief, site); who != "" {
				t.Fatalf("a wrong password signed in %q", who)
			}
			first := a.SignIn(known, site, "julie", password)
			if !a.Accepted(first) {
				t.Fatalf("with the padlock open: %d\n%.800s", first.Status, first.Body)
			}
			a.Keep(known, first)
			if who := a.Who(known, site); who != "julie" {
				t.Fatalf("with the padlock open the application knows Julie as %q", who)
			}
			Eventually(t, func() error { return whether(g.knows("julie"), "Julie's connection is not recorded") })
			if g.knows("samuel") {
				t.Error("a wrong password made a connection")
			}

			// It closes. Whoever was there goes on.
			g.ClosePadlock()
			if who := a.Who(known, site); who != "julie" {
				t.Errorf("after the closing the application knows Julie as %q", who)
			}

			// Another device: a wrong password is the application's to refuse.
			wrong := a.SignIn(stranger, site, "julie", "not her password")
			if a.Accepted(wrong) {
				if _, tells := a.(*Adminer); !tells {
					t.Errorf("a wrong password: %d", wrong.Status)
				}
			}
			if waiting := g.Requests(); len(waiting) != 0 {
				t.Fatalf("a wrong password opened %+v", waiting)
			}

			// The right one waits.
			held := a.SignIn(stranger, site, "julie", password)
			refusedByTheGate(t, a, held)
			if who := a.Who(stranger, site); who != "" {
				t.Errorf("before the approval the application knows the stranger as %q", who)
			}
			waiting := g.Requests()
			if len(waiting) != 1 || waiting[0].Person.User != "julie" {
				t.Fatalf("who waits: %+v", waiting)
			}

			// A session that is stolen from the known device is worth nothing.
			thief.Bearer = known.Bearer
			if !byToken(a) {
				thief.Steal(known, site.URL(a.Path()))
			}
			if who := a.Who(thief, site); who != "" {
				t.Errorf("the stolen session signed in %q", who)
			}
			if who := a.Who(known, site); who != "julie" {
				t.Errorf("after the theft the application knows Julie as %q", who)
			}

			// Approved: what was held is released to that device, once.
			g.Approve("julie")
			if byToken(a) {
				again := a.SignIn(stranger, site, "julie", password)
				if !a.Accepted(again) {
					t.Fatalf("approved, signed in again: %d\n%.800s", again.Status, again.Body)
				}
				a.Keep(stranger, again)
			} else {
				page := stranger.Waiting(stranger.Visit(site.URL(a.Path())))
				released := stranger.Release(page)
				if !a.Accepted(released) && released.Status != http.StatusSeeOther {
					t.Fatalf("released: %d\n%.800s", released.Status, released.Body)
				}
			}
			if who := a.Who(stranger, site); who != "julie" {
				t.Errorf("after the approval the application knows her as %q", who)
			}
			stranger.Open(site.URL(a.Path())).Expect(http.StatusOK)
		})
	}
}

// whether is nil when a thing is true.
func whether(yes bool, otherwise string) error {
	if yes {
		return nil
	}
	return &notYet{otherwise}
}

type notYet struct{ what string }

func (e *notYet) Error() string { return e.what }
