package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// behindCaddy puts an application behind a plain reverse proxy.
func behindCaddy(t *testing.T, a App) Site {
	t.Helper()
	site := NewSite(t, "app.localhost")
	StartCaddy(t, fmt.Sprintf("%s {\n\treverse_proxy %s\n}\n", site, a.Start(t)))
	return site
}

func TestApplicationsTellARightPasswordFromAWrongOne(t *testing.T) {
	t.Parallel()
	for _, a := range Apps() {
		t.Run(a.Name(), func(t *testing.T) {
			site := behindCaddy(t, a)
			julie, thief := NewClient(t), NewClient(t)
			if who := a.Who(julie, site); who != "" {
				t.Fatalf("knows a stranger as %q", who)
			}

			wrong := a.SignIn(thief, site, "julie", "not her password")
			if _, tells := a.(*Adminer); a.Accepted(wrong) != tells {
				t.Errorf("a wrong password: %d to %q", wrong.Status, wrong.Location())
			}
			if who := a.Who(thief, site); who != "" {
				t.Errorf("a wrong password signed in %q", who)
			}

			right := a.SignIn(julie, site, "julie", Accounts[1].Password)
			if !a.Accepted(right) {
				t.Fatalf("a right password: %d\n%.500s", right.Status, right.Body)
			}
			a.Keep(julie, right)
			if who := a.Who(julie, site); who != "julie" {
				t.Errorf("knows Julie as %q", who)
			}
			julie.Open(site.URL(a.Path())).Expect(200)
			if who := a.Who(NewClient(t), site); who != "" {
				t.Errorf("knows another stranger as %q", who)
			}
		})
	}
}

func TestAdminerAnswersTheSameToAnyPassword(t *testing.T) {
	t.Parallel()
	a := &Adminer{}
	site := behindCaddy(t, a)
	c := NewClient(t)
	wrong := a.SignIn(c, site, "julie", "no")
	if wrong.Status != 302 || !strings.Contains(wrong.Location(), "username=julie") {
		t.Errorf("a wrong password: %d to %q", wrong.Status, wrong.Location())
	}
	if next := c.Follow(wrong); next.Status != 403 {
		t.Errorf("the page after it: %d", next.Status)
	}
}

func TestDokuWikiTakesTheSessionOfAWrongPasswordAway(t *testing.T) {
	t.Parallel()
	a := DokuWiki{}
	site := behindCaddy(t, a)
	wrong := a.SignIn(NewClient(t), site, "julie", "no")
	var deleted bool
	for _, cookie := range wrong.Cookies {
		deleted = deleted || strings.HasPrefix(cookie.Name, "DW") && cookie.Value == "deleted"
	}
	if wrong.Status != 403 || !deleted {
		t.Errorf("a wrong password: %d, %v", wrong.Status, wrong.Cookies)
	}
}
