package adminui

import (
	"errors"
	"net/http"

	"github.com/cadenas-gateway/cadenas/pages"
)

// enterPage is what a sign-in link opens: a page with one button.
type enterPage struct {
	pages.Door
	Action string
	// Name is whom the link signs in, empty for the operator.
	Name string
	// Good says that the link can be used; AskCode that this browser is not
	// the one that asked for it.
	Good, AskCode bool
	Error         string
}

// asking returns the cookie of the browser that asked for a mail.
func (v *visit) asking() string {
	for _, value := range v.cookies(v.r, askedCookie) {
		return value
	}
	return ""
}

// showLink shows the button and changes nothing: mail scanners and previews
// open links too (threat L10).
func showLink(v *visit) error {
	token := v.r.PathValue("token")
	l, err := v.links.look(v.ctx(), token)
	if err != nil && !errors.Is(err, errLink) {
		return err
	}
	return v.showEnter(http.StatusOK, token, l, err == nil, "")
}

func (v *visit) showEnter(status int, token string, l link, good bool, problem string) error {
	page := enterPage{Door: v.door(""), Action: "/enter/" + token, Good: good, Error: problem}
	if good {
		if admin, ok := v.Console.admin(l.Email); ok {
			page.Name = admin.Name
		}
		page.AskCode = l.Code != "" && !same(hashed(v.asking()), l.Browser)
		page.Here = page.Action
	} else if status == http.StatusOK {
		status = http.StatusGone
	}
	return v.show(status, "enter", page)
}

// useLink uses the link up and opens a session.
func useLink(v *visit) error {
	token := v.r.PathValue("token")
	l, err := v.links.use(v.ctx(), token, v.asking(), v.r.PostFormValue("code"))
	switch {
	case errors.Is(err, errCode):
		l, err := v.links.look(v.ctx(), token)
		if err != nil {
			return v.showEnter(http.StatusGone, token, l, false, "")
		}
		return v.showEnter(http.StatusUnprocessableEntity, token, l, true,
			v.say.Text("enter.bad_code", "count", codeTries-l.Wrong))
	case errors.Is(err, errLink):
		return v.showEnter(http.StatusGone, token, link{}, false, "")
	case err != nil:
		return err
	}
	if l.Email == operator {
		if len(v.Admins()) > 0 {
			return v.showEnter(http.StatusGone, token, link{}, false, "")
		}
	} else if _, ok := v.Console.admin(l.Email); !ok {
		return v.showEnter(http.StatusGone, token, link{}, false, "")
	}
	if err := v.enterAs(l.Email, v.ClientAddress(v.r), "", nil); err != nil {
		return err
	}
	v.setCookie(v.w, v.r, askedCookie, "", 0, http.SameSiteLaxMode)
	if l.Email == operator {
		return v.to("/welcome")
	}
	if to := local(l.To); to != "" {
		return v.seeOther(to)
	}
	return v.to("/")
}
