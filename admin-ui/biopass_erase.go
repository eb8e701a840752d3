package adminui

import (
	"errors"
	"net/http"

	"github.com/cadenas-gateway/cadenas/biopass"
	"github.com/cadenas-gateway/cadenas/lang"
)

// biopassErasePage asks whether prints are to be erased.
type biopassErasePage struct {
	frame
	Who, Href string
	Card      biopassCard
	// Keyboard is the one that is to go; nil for all that is kept. Last says
	// that it is the only one.
	Keyboard *biopassKeyboard
	Last     bool
}

// eraseTyping erases what is kept of a person's typing in one application, or
// one keyboard of it. The first press shows what goes; the second does it.
func eraseTyping(v *visit) error {
	user, app, err := v.biopassOf()
	if err != nil {
		return err
	}
	id := v.r.PostFormValue("keyboard")
	if v.r.PostFormValue("sure") == "" {
		return v.askErase(user, app, id)
	}
	done := "biopass.erased"
	if id != "" {
		done = "biopass.keyboard.erased"
		_, err = v.Biopass.EraseKeyboard(v.ctx(), app, user, id, v.note())
	} else {
		_, err = v.Biopass.Erase(v.ctx(), app, user, v.note())
	}
	if errors.Is(err, biopass.ErrNoKeyboard) {
		return errNotHere
	}
	if err != nil {
		return err
	}
	return v.seeOther(personHref(user) + "?done=" + done)
}

// askErase shows what would go.
func (v *visit) askErase(user, app, id string) error {
	a, err := v.Biopass.Account(v.ctx(), app, user)
	if err != nil {
		return err
	}
	f, err := v.frame("people", []string{"person.css"}, nil)
	if err != nil {
		return err
	}
	u, err := v.Books.Users.Get(v.ctx(), user)
	if err != nil {
		return err
	}
	page := biopassErasePage{
		frame: f, Who: lang.Inert(v.called(u), 120), Href: personHref(user), Card: v.biopassCard(app, v.Biopass.Mode(app), a), Last: len(a.Keyboards) == 1,
	}
	for i, k := range page.Card.Keyboards {
		if id != "" && k.ID == id {
			page.Keyboard = &page.Card.Keyboards[i]
		}
	}
	if id != "" && page.Keyboard == nil {
		return errNotHere // erased meanwhile
	}
	return v.show(http.StatusOK, "biopass-erase", page)
}

// renameKeyboard calls one of a person's keyboards something else.
func renameKeyboard(v *visit) error {
	user, app, err := v.biopassOf()
	if err != nil {
		return err
	}
	_, _, err = v.Biopass.RenameKeyboard(v.ctx(), app, user, v.r.PostFormValue("keyboard"), v.r.PostFormValue("name"), v.note())
	switch {
	case errors.Is(err, biopass.ErrNoName):
		return tell("biopass.card.keyboard.unnamed")
	case errors.Is(err, biopass.ErrNoKeyboard):
		return errNotHere
	case err != nil:
		return err
	}
	return v.seeOther(personHref(user) + "?done=biopass.keyboard.renamed")
}
