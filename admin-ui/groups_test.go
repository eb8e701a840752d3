package adminui_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/gate"
)

// Every room says the same of a connection that a rule about its user's group
// lets in.
func TestARuleAboutAGroupShowsInEveryRoom(t *testing.T) {
	h := build(t, fixture.Marie)
	h.close("register")
	c := h.connection("one", nil)
	h.put(h.books.Groups.Put("register", "julie", []string{"cooks", "staff"}))
	b := h.signIn(fixture.Marie.Email)

	look := b.post("/rules/new", "effect", "allow", "whose", "group", "group", "staff", "application", "register", "step", "look").body
	if !strings.Contains(look, "it would have touched 1 connection: <bdi>julie</bdi>") {
		t.Errorf("trying the rule: %s", look)
	}
	if !strings.Contains(look, `<option value="staff">`) {
		t.Error("the form does not offer the groups there are")
	}
	if _, err := h.gate.AddRule(t.Context(), access.Rule{Application: "register", Group: "staff", Effect: access.Allow}, gate.By{Who: fixture.Marie.Email}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/connections?app=register&window=all&state=in": c.ID,
		"/explain/register/" + c.ID:                     "the group staff",
		"/explain?app=register&user=julie":              "rule",
		"/rules?app=register":                           "Fits 1 connection",
		"/people/julie":                                 "cooks and staff",
	} {
		if a := b.get(path); a.StatusCode != http.StatusOK || !strings.Contains(a.body, want) {
			t.Errorf("%s lacks %q: %d %s", path, want, a.StatusCode, a.body)
		}
	}
	columns := b.get("/columns?app=register").body
	if in := strings.Index(columns, c.ID); in < strings.Index(columns, `id="list-in"`) {
		t.Error("the columns have her on the left")
	}
}
