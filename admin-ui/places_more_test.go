package adminui_test

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
)

func (h *house) named() map[string][]string {
	h.t.Helper()
	list, err := h.books.Networks.All(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	all := map[string][]string{}
	for _, n := range list {
		slices.Sort(n.Prefixes)
		all[n.Name] = n.Prefixes
	}
	return all
}

func TestANetworkIsNamedFromAConnection(t *testing.T) {
	h := build(t, fixture.Marie, fixture.Paul)
	c := h.connection("one", func(c *books.Connection) {
		c.Place = access.Place{Address: netip.MustParseAddr("203.0.113.9"), Country: "CA"}
	})
	path := "/explain/register/" + c.ID
	if a := h.signIn(fixture.Paul.Email).get(path); strings.Contains(a.body, "Call this network") {
		t.Error("an admin of one application names a network of all")
	}
	b := h.signIn(fixture.Marie.Email)
	if a := b.get(path); !strings.Contains(a.body, "Call this network") || !strings.Contains(a.body, `value="203.0.113.0/24"`) {
		t.Fatalf("the connection's page: %s", a.body)
	}
	if a := b.post("/places", "name", "Office", "prefix", "203.0.113.0/24", "back", path); a.Header.Get("Location") != path+"?done=place.named" {
		t.Errorf("naming: %d %s", a.StatusCode, a.Header.Get("Location"))
	}
	// The second line of the same office.
	if a := b.post("/places", "name", "Office", "prefix", "198.51.100.0/24"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("the same name again: %d %s", a.StatusCode, a.body)
	}
	if got := h.named(); len(got) != 1 || !slices.Equal(got["Office"], []string{"198.51.100.0/24", "203.0.113.0/24"}) {
		t.Errorf("named: %v", got)
	}
}

func TestAPlaceIsRenamedWithItsRulesAndMergedWithAnother(t *testing.T) {
	h := build(t, fixture.Marie)
	b := h.signIn(fixture.Marie.Email)
	b.post("/places", "name", "Ofice", "prefix", "203.0.113.0/24")
	b.post("/places", "name", "Annex", "prefix", "198.51.100.0/24")
	rule, err := h.gate.AddRule(t.Context(), access.Rule{Application: "register", Place: access.PlaceKey{Name: "Ofice"}, Effect: access.Allow}, gate.By{Who: fixture.Marie.Email})
	if err != nil {
		t.Fatal(err)
	}
	id := func(name string) string {
		list, err := h.books.Networks.All(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range list {
			if n.Name == name {
				return n.ID
			}
		}
		t.Fatalf("no network %s", name)
		return ""
	}
	if a := b.get("/places"); !strings.Contains(a.body, "/rules?q=Ofice") {
		t.Error("the place does not lead to the rules that name it")
	}
	if a := b.post("/places/edit/"+id("Ofice"), "name", "Office", "prefix", "203.0.113.0/24, 203.0.114.0/24"); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("renaming: %d %s", a.StatusCode, a.body)
	}
	if now, err := h.books.Rules.Find(t.Context(), "register", rule.ID); err != nil || now.Place.Name != "Office" {
		t.Errorf("the rule did not follow: %+v, %v", now.Place, err)
	}
	for name, pairs := range map[string][]string{
		"no network":      {"name", "Office", "prefix", "nowhere"},
		"half the world":  {"name", "Office", "prefix", "0.0.0.0/0"},
		"no name":         {"name", "", "prefix", "203.0.113.0/24"},
		"another's range": {"name", "Office", "prefix", "198.51.100.0/24"},
	} {
		if a := b.post("/places/edit/"+id("Office"), pairs...); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, `role="alert"`) {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
	}
	if a := b.post("/places/edit/"+id("Annex"), "name", "Office", "prefix", "198.51.100.0/24"); a.StatusCode != http.StatusSeeOther || !strings.Contains(a.Header.Get("Location"), "merged") {
		t.Fatalf("merging: %d %s", a.StatusCode, a.Header.Get("Location"))
	}
	if got := h.named(); len(got) != 1 || !slices.Equal(got["Office"], []string{"198.51.100.0/24", "203.0.113.0/24", "203.0.114.0/24"}) {
		t.Errorf("named: %v", got)
	}
}

func TestARuleStaysWithTheHomeThatItIsAbout(t *testing.T) {
	h := build(t, fixture.Marie)
	b := h.signIn(fixture.Marie.Email)
	b.get("/places")
	b.post("/places", "name", "Home", "prefix", "203.0.113.0/24", "user", "julie")
	b.post("/places", "name", "Home", "prefix", "198.51.100.0/24", "user", "samuel")
	rules := map[string]string{}
	for _, user := range []string{"julie", "samuel", ""} {
		r, err := h.gate.AddRule(t.Context(), access.Rule{Application: "register", User: user, Place: access.PlaceKey{Name: "Home"}, Effect: access.Allow}, gate.By{Who: fixture.Marie.Email})
		if err != nil {
			t.Fatal(err)
		}
		rules[user] = r.ID
	}
	rename := func(user, name string) {
		t.Helper()
		list, err := h.books.Networks.All(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range list {
			if n.User == user {
				if a := b.post("/places/edit/"+n.ID, "name", name, "prefix", n.Prefixes[0]); a.StatusCode != http.StatusSeeOther {
					t.Fatalf("renaming: %d %s", a.StatusCode, a.body)
				}
			}
		}
	}
	about := func(want map[string]string) {
		t.Helper()
		for user, place := range want {
			if r, err := h.books.Rules.Find(t.Context(), "register", rules[user]); err != nil || r.Place.Name != place {
				t.Errorf("the rule of %q is about %q, not %q: %v", user, r.Place.Name, place, err)
			}
		}
	}
	rename("julie", "Flat")
	about(map[string]string{"julie": "Flat", "samuel": "Home", "": "Home"})
	rename("samuel", "House") // nothing is called Home any more
	about(map[string]string{"julie": "Flat", "samuel": "House", "": "House"})
}

func TestADotOnTheMapLeadsToItsPeople(t *testing.T) {
	h := build(t, fixture.Marie)
	h.connection("one", func(c *books.Connection) {
		c.Place = access.Place{City: "Lyon", Country: "FR", Located: true, Latitude: 45.76, Longitude: 4.84}
	})
	b := h.signIn(fixture.Marie.Email)
	for _, path := range []string{"/places", "/places?map=near"} {
		if a := b.get(path); !strings.Contains(a.body, `<a class="spot spot-in" href="/connections?app=register&amp;place=Lyon`) && !strings.Contains(a.body, `<a class="spot spot-wait" href="/connections?app=register&amp;place=Lyon`) {
			t.Errorf("%s: no dot that leads to Lyon", path)
		}
	}
}
