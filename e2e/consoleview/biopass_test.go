package main

import (
	"testing"

	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/e2e"
)

// What Biopass keeps of a person, the link for another keyboard, and erasing.
func TestBiopassOnThePageOfAPerson(t *testing.T) {
	t.Parallel()
	s, address := serve(t, options{connections: 20})
	for _, view := range look() {
		b := e2e.OpenBrowser(t, view)
		signIn(t, s, b, fixture.Marie.Email)
		person := address + "/people/julie.tremblay@lucioles.example"
		b.Open(person)
		b.See("#h-biopass")
		b.See(".typing > li")
		b.Fits()
		b.Axe("person")
		e2e.Eval[bool](b, `(document.querySelector("#h-biopass").scrollIntoView(), true)`)
		picture(b, "biopass-person")
		b.Go("form[action$='/biopass/link'] button")
		b.See("input[readonly]")
		b.Fits()
		b.Axe("link")
		picture(b, "biopass-link")
		b.Open(person)
		b.Click(".typing details summary")
		b.Axe("keyboard")
		picture(b, "biopass-keyboard")
		b.Go(".typing form[action$='/biopass/erase'] button")
		b.See("form[action$='/biopass/erase'] button")
		b.Fits()
		b.Axe("erase a keyboard")
		picture(b, "biopass-erase-keyboard")
		b.Open(person)
		b.Go(".row > form[action$='/biopass/erase'] button")
		b.See("form[action$='/biopass/erase'] button")
		b.Fits()
		b.Axe("erase")
		picture(b, "biopass-erase")
	}
}
