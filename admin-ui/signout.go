package adminui

import (
	"net/http"

	"github.com/cadenas-gateway/cadenas/books"
)

// endOwn ends the session of this browser, if it has one.
func (v *visit) endOwn() error {
	_, s, _, err := v.signedIn(v.r)
	if err != nil {
		return nil //nolint:nilerr // none that is good: nothing to end
	}
	_, err = v.sessions.end(v.ctx(), s.Email, func(other session) bool { return other.ID == s.ID })
	return err
}

// signOut ends this session.
func signOut(v *visit) error {
	_, err := v.sessions.end(v.ctx(), v.session.Email, func(s session) bool { return s.ID == v.session.ID })
	if err != nil {
		return err
	}
	if v.Teaching != nil {
		if err := v.Teaching.Lessons.StopOf(v.ctx(), v.session.ID, v.applications()); err != nil {
			return err
		}
	}
	if err := v.noteSignOut("console.sign_out"); err != nil {
		return err
	}
	v.setCookie(v.w, v.r, sessionCookie, "", 0, http.SameSiteStrictMode)
	v.w.Header().Set("Clear-Site-Data", `"cache"`)
	return v.to("/sign-in")
}

// signOutElsewhere ends the admin's other sessions, or one of them.
func signOutElsewhere(v *visit) error {
	only := v.r.PostFormValue("session")
	_, err := v.sessions.end(v.ctx(), v.session.Email, func(s session) bool {
		return s.ID != v.session.ID && (only == "" || s.ID == only)
	})
	if err != nil {
		return err
	}
	if err := v.noteSignOut("console.sign_out.elsewhere"); err != nil {
		return err
	}
	return v.to("/account")
}

func (v *visit) noteSignOut(what string) error {
	return v.Books.Audit.Append(v.ctx(), books.Entry{
		At: v.now, Who: v.by().Who, From: v.by().From, Via: "console", What: what, Subject: v.by().Who,
	})
}
