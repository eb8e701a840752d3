package adminui_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/gate"
)

var seenField = regexp.MustCompile(`name="seen" value="([^"]+)"`)

// Two admins open one form. What the first saved is not taken back by the second,
// who is told who it was.
func TestWhatAnotherAdminSavedMeanwhileIsNotTakenBack(t *testing.T) {
	const nadia = "nadia@lucioles.example"
	paul := fixture.Paul
	paul.Applications, paul.Fixed = nil, true
	h := build(t, fixture.Marie, paul)
	h.connection("one", nil)
	h.kept(nadia, nil)
	marie, other := h.signIn(fixture.Marie.Email), h.signIn(paul.Email)
	marie.get("/places")
	marie.post("/places", "name", "Office", "prefix", "203.0.113.0/24")
	networks, err := h.books.Networks.All(t.Context())
	if err != nil || len(networks) != 1 {
		t.Fatal(err, networks)
	}
	rule, err := h.gate.AddRule(t.Context(), access.Rule{Application: "register", User: "julie", Effect: access.Refuse}, gate.By{Who: fixture.Marie.Email})
	if err != nil {
		t.Fatal(err)
	}
	h.pass(time.Second)
	for _, c := range []struct {
		page, form    string
		first, second []string
		now           func() string
		want          string
	}{
		{
			"/people/julie", "/people/julie/edit",
			[]string{"name", "Julie T.", "email", "new@example.com"},
			[]string{"name", "Julie T.", "mobile", "+15145550122"},
			func() string {
				u, _ := h.books.Users.Get(t.Context(), "julie")
				return u.Email + " " + u.Mobile
			}, "new@example.com ",
		},
		{
			"/admins/" + nadia, "/admins/" + nadia,
			[]string{"name", "Nadia", "email", nadia, "applications", "register"},
			[]string{"name", "Nadia B.", "email", nadia},
			func() string {
				a, _ := h.books.Admins.Get(t.Context(), nadia)
				return a.Name + " " + strings.Join(a.Applications, " ")
			}, "Nadia register",
		},
		{
			"/places", "/places/edit/" + networks[0].ID,
			[]string{"name", "Office", "prefix", "203.0.113.0/24, 198.51.100.0/24"},
			[]string{"name", "Bureau", "prefix", "203.0.113.0/24"},
			func() string {
				n, _ := h.books.Networks.Get(t.Context(), networks[0].ID)
				slices.Sort(n.Prefixes)
				return n.Name + " " + strings.Join(n.Prefixes, " ")
			}, "Office 198.51.100.0/24 203.0.113.0/24",
		},
		{
			"/rules/edit?app=register&rule=" + url.QueryEscape(rule.ID), "/rules/edit",
			[]string{"app", "register", "rule", rule.ID, "until", h.now.AddDate(0, 0, 5).Format("2006-01-02"), "note", "strike"},
			[]string{"app", "register", "rule", rule.ID, "until", "", "note", "holidays"},
			func() string {
				r, _ := h.books.Rules.Find(t.Context(), "register", rule.ID)
				return r.Note
			}, "strike",
		},
	} {
		hers := seenField.FindStringSubmatch(marie.get(c.page).body)
		his := seenField.FindStringSubmatch(other.get(c.page).body)
		if hers == nil || his == nil {
			t.Errorf("%s: the form does not say what it was filled in from", c.page)
			continue
		}
		if a := other.post(c.form, append(c.first, "seen", his[1])...); a.StatusCode != http.StatusSeeOther {
			t.Fatalf("%s: the first: %d %s", c.form, a.StatusCode, a.body)
		}
		if a := marie.post(c.form, append(c.second, "seen", hers[1])...); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, "Paul Lefebvre has changed this since you opened it.") {
			t.Errorf("%s: the second: %d", c.form, a.StatusCode)
		}
		if got := c.now(); got != c.want {
			t.Errorf("%s: there is %q, not %q", c.form, got, c.want)
		}
		// Seen anew, it can be changed.
		again := seenField.FindStringSubmatch(marie.get(c.page).body)
		if a := marie.post(c.form, append(c.second, "seen", again[1])...); a.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: looked at again: %d", c.form, a.StatusCode)
		}
	}
}
