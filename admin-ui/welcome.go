package adminui

import (
	"net/http"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/pages"
)

// welcomePage asks the operator to add themself.
type welcomePage struct {
	pages.Door
	Token               string
	Name, Email, Mobile string
	Error               string
	// Mail says that later links can be mailed.
	Mail bool
}

func showWelcome(v *visit) error {
	if v.session.Email != operator {
		return v.to("/")
	}
	return v.show(http.StatusOK, "welcome", welcomePage{Door: v.door("/welcome"), Token: v.session.Form, Mail: v.SendLink != nil})
}

// addFirstAdmin makes the operator the first admin.
func addFirstAdmin(v *visit) error {
	if v.session.Email != operator {
		return errNotHere
	}
	form := readAdmin(v.r)
	if problem := adminProblem(form, v.say); problem != "" {
		return v.show(http.StatusUnprocessableEntity, "welcome", welcomePage{
			Door: v.door("/welcome"), Token: v.session.Form, Mail: v.SendLink != nil,
			Name: form.Name, Email: form.Email, Mobile: form.Mobile, Error: problem,
		})
	}
	form.Language = v.say.Tag()
	form.Created = v.now
	// Of an admin of that address who was there before.
	if _, err := v.keys.RemoveAll(v.ctx(), adminKeys(form.Email)); err != nil {
		return err
	}
	err := v.Books.Admins.Save(v.ctx(), form, "", false, books.Entry{
		At: v.now, Who: "operator", From: v.by().From, Via: "console", What: "admin.first", Subject: form.Email,
	})
	if err != nil {
		return err
	}
	secret, err := v.sessions.pass(v.ctx(), v.secret, v.session, form.Email)
	if err != nil {
		return err
	}
	v.giveSession(secret)
	return v.to("/?done=admin.first")
}

// readAdmin reads the form about an admin.
func readAdmin(r *http.Request) books.Admin {
	return books.Admin{
		Name:   lang.Inert(r.PostFormValue("name"), 120),
		Email:  canonical(r.PostFormValue("email")),
		Mobile: mobile(r.PostFormValue("mobile")),
	}
}

// adminProblem says what is wrong with what was typed about an admin, or "".
func adminProblem(a books.Admin, say *lang.Catalogue) string {
	switch {
	case a.Name == "":
		return say.Text("admin.bad.name")
	case len(a.Email) > 254 || !mailLike(a.Email):
		return say.Text("admin.bad.email")
	case a.Mobile == badMobile:
		return say.Text("admin.bad.mobile")
	}
	return ""
}

// badMobile stands for a number that is none.
const badMobile = "?"

// mobile writes a mobile number as "+" and digits (E.164). Ten digits without
// a country are taken for North America's.
func mobile(typed string) string {
	var digits []byte
	plus := false
	for i, r := range lang.Inert(typed, 0) {
		switch {
		case r >= '0' && r <= '9':
			digits = append(digits, byte(r))
		case r == '+' && i == 0:
			plus = true
		case r == ' ' || r == '-' || r == '.' || r == '(' || r == ')' || r == '/' || r == '\u00a0' || r == '\u202f':
		default:
			return badMobile
		}
	}
	switch n := len(digits); {
	case n == 0 && !plus:
		return ""
	case !plus && n == 10:
		return "+1" + string(digits)
	case !plus && n == 11 && digits[0] == '1', plus && n >= 7 && n <= 15:
		return "+" + string(digits)
	}
	return badMobile
}
