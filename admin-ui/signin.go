package adminui

import (
	"context"
	"net/http"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/pages"
	"github.com/cadenas-gateway/cadenas/passkey"
)

// mailTime bounds the sending of one sign-in mail.
const mailTime = time.Minute

// signInPage is the page that asks for a link.
type signInPage struct {
	pages.Door
	// Mail says that links can be mailed at all.
	Mail bool
	// Ended says that a session ended while a form was open.
	Ended bool
	// To is where to go after the sign-in.
	To string
	// Sent says that the form was answered; Code is what the other browser
	// asks for, where the link is opened there.
	Sent  bool
	Code  string
	Email string
	Error string
	// Passkey says that a passkey can open the console; KeyError why the last
	// one did not.
	Passkey  bool
	KeyError string
}

// bouncePage leads on to an address of ours.
type bouncePage struct {
	pages.Door
	To string
}

func (v *visit) door(here string) pages.Door {
	return pages.Door{Here: here, Languages: v.Languages, Styles: []string{"console-door.css", "passkeys.css"}}
}

// toSignIn leads to the sign-in page and keeps where the person was going.
//
// A link in a mail or on another site brings no Strict cookie: whoever comes
// that way goes on from a page of ours first, which does bring it.
func (v *visit) toSignIn() error {
	to := local(v.r.URL.RequestURI())
	if v.r.Header.Get("Sec-Fetch-Site") == "cross-site" && v.r.Header.Get("Sec-Fetch-Mode") == "navigate" && to != "" {
		door := v.door("")
		door.Scripts = []string{"bounce.js"}
		return v.show(http.StatusOK, "bounce", bouncePage{door, to})
	}
	if to == "" || to == "/" {
		return v.to("/sign-in")
	}
	return v.to("/sign-in?to=%s", to)
}

func showSignIn(v *visit) error {
	if _, _, _, err := v.signedIn(v.r); err == nil {
		return v.to("/")
	}
	page := v.signInPage(local(v.r.URL.Query().Get("to")))
	page.Ended = v.r.URL.Query().Get("ended") != ""
	return v.show(http.StatusOK, "sign-in", page)
}

// signInPage is the page as it is first shown.
func (v *visit) signInPage(to string) signInPage {
	page := signInPage{Door: v.door("/sign-in"), Mail: v.SendLink != nil, Passkey: v.passkeys != nil, To: to}
	if page.Passkey {
		page.Scripts = []string{passkey.Script}
	}
	return page
}

// askForLink mails a link to the admin of an address. The answer is the same
// for whatever address, and takes as long: the mail goes out afterwards
// (threat L17).
func askForLink(v *visit) error {
	if v.SendLink == nil {
		return errNotHere
	}
	page := v.signInPage(local(v.r.PostFormValue("to")))
	email := canonical(v.r.PostFormValue("email"))
	if len(email) > 254 || !mailLike(email) {
		page.Error = v.say.Text("signin.bad_email")
		return v.show(http.StatusUnprocessableEntity, "sign-in", page)
	}
	if !v.limits.allow(v.ClientAddress(v.r)) {
		page.Error = v.say.Text("signin.too_many")
		return v.show(http.StatusTooManyRequests, "sign-in", page)
	}
	browser, code := newSecret(), newCode()
	admin, known := v.Console.admin(email)
	// Counted for strangers' addresses too, so that the count tells nothing.
	within := v.limits.admin.allow(email)
	if known && within {
		v.mail(admin, link{Email: canonical(admin.Email), Browser: hashed(browser), Code: code, To: page.To})
	}
	// Lax: the mail's link comes from another site, and must bring this one.
	v.setCookie(v.w, v.r, askedCookie, browser, int(linkLife.Seconds()), http.SameSiteLaxMode)
	page.Sent, page.Code, page.Email = true, code, email
	return v.show(http.StatusOK, "sign-in", page)
}

// mail makes the link and sends it, off the request.
func (v *visit) mail(admin books.Admin, l link) {
	c, from := v.Console, v.ClientAddress(v.r)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.ctx()), mailTime)
	c.mailing.Go(func() {
		defer cancel()
		token, err := c.links.add(ctx, l)
		if err == nil {
			err = c.SendLink(ctx, admin, c.enterURL(token))
		}
		if err != nil {
			c.Log.Error("a sign-in link cannot be sent", "admin", admin.Email, "error", err)
			return
		}
		err = c.Books.Audit.Append(ctx, books.Entry{
			At: c.Clock(), Who: "system", From: from, Via: "console", What: "console.link.mail", Subject: l.Email,
		})
		if err != nil {
			c.Log.Error("a sent sign-in link cannot be noted", "error", err)
		}
	})
}

// mailLike reports whether text can be an e-mail address at all. Whether it
// is one, only sending shows.
func mailLike(s string) bool {
	at := -1
	for i, r := range s {
		switch {
		case r == '@':
			if at >= 0 {
				return false // two: somebody wants it read as another (threat L25)
			}
			at = i
		case r <= ' ' || r == 0x7f || r == '<' || r == '>' || r == ',' || r == ';' || r == '"' || r == '\\':
			return false
		}
	}
	return at > 0 && at < len(s)-1
}
