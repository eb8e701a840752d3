package adminui

import (
	"net/http"

	"github.com/cadenas-gateway/cadenas/lang"
)

// passPage shows a pass code, this once.
type passPage struct {
	frame
	Who, Href, Application string
	Code, Until            string
}

// givePass makes a code that lets a person in once, as a rule until midnight (row X16):
// to be read out by phone, or given beforehand.
func givePass(v *visit) error {
	user, err := v.person()
	if err != nil {
		return err
	}
	app, err := v.application(v.r.PostFormValue("application"))
	if err != nil {
		return err
	}
	if err := v.ownWaits(app, user); err != nil {
		return err
	}
	u, err := v.Books.Users.Get(v.ctx(), user)
	if err != nil {
		return err
	}
	by := v.by()
	code, until, err := v.Approvals.MakePass(v.ctx(), app, user, by.Who, by.From, by.Via)
	if err != nil {
		return err
	}
	f, err := v.frame("people", nil, nil)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "pass", passPage{
		frame: f, Who: lang.Inert(v.called(u), 120), Href: personHref(user), Application: v.name(app),
		Code: code, Until: v.say.When(until, v.now),
	})
}
