package adminui

import (
	"errors"
	"net/http"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/passkey"
)

// atTheDoor is what challenges of the sign-in page are bound to: nobody yet.
const atTheDoor = "console"

// askForPasskey begins a sign-in with whichever admin's passkey. Nothing is
// kept of it, and it tells nothing of who has one (threats L17, L22).
func askForPasskey(v *visit) error {
	if v.passkeys == nil {
		return errNotHere
	}
	options, err := v.passkeys.Begin(atTheDoor)
	if err != nil {
		return err
	}
	return v.options(options)
}

// enterByPasskey opens a session for the admin whose passkey answered.
func enterByPasskey(v *visit) error {
	if v.passkeys == nil {
		return errNotHere
	}
	from := v.ClientAddress(v.r)
	if !v.limits.passkey.allow(from) {
		return v.keyRefused(http.StatusTooManyRequests, "passkey.too_many")
	}
	owner, k, err := v.passkeys.Check(v.ctx(), atTheDoor, []byte(v.r.PostFormValue("answer")), books.Entry{
		Who: "system", From: from, Via: "console",
	})
	switch {
	case errors.Is(err, passkey.ErrCopied):
		return v.keyRefused(http.StatusForbidden, "passkey.door.copied")
	case errors.Is(err, passkey.ErrLate):
		return v.keyRefused(http.StatusUnprocessableEntity, "passkey.door.late")
	case errors.Is(err, passkey.ErrRefused):
		v.Log.Warn("a passkey is refused at the console's door", "from", from, "error", err)
		return v.keyRefused(http.StatusForbidden, "passkey.door.refused")
	case err != nil:
		return err
	}
	// The passkey may have outlived its admin: one of the Caddyfile, for
	// instance. An operator without admins has none.
	admin, ok := v.Console.admin(owner.Name)
	if !ok || owner.Application != "" || canonical(admin.Email) != owner.Name {
		v.Log.Warn("a passkey is refused at the console's door: no such admin", "admin", owner.Name, "from", from)
		return v.keyRefused(http.StatusForbidden, "passkey.door.refused")
	}
	if err := v.enterAs(owner.Name, from, k.ID, map[string]string{"passkey": k.Name}); err != nil {
		return err
	}
	if to := local(v.r.PostFormValue("to")); to != "" {
		return v.seeOther(to)
	}
	return v.to("/")
}

// keyRefused shows the sign-in page again, with why.
func (v *visit) keyRefused(status int, key string) error {
	page := v.signInPage(local(v.r.PostFormValue("to")))
	page.KeyError = v.say.Text(key)
	return v.show(status, "sign-in", page)
}

// enterAs opens a session in this browser; one it has already ends: it may be
// another admin's. By is the passkey that opened it, if one did.
func (v *visit) enterAs(email, from, by string, detail map[string]string) error {
	if err := v.endOwn(); err != nil {
		return err
	}
	secret, s, err := v.sessions.open(v.ctx(), email, from, lang.Inert(v.r.UserAgent(), 200), by)
	if err != nil {
		return err
	}
	who := email
	if who == operator {
		who = "operator"
	}
	if detail == nil {
		detail = map[string]string{}
	}
	detail["session"] = s.ID
	err = v.Books.Audit.Append(v.ctx(), books.Entry{
		At: v.now, Who: who, From: from, Via: "console", What: "console.sign_in", Subject: who, Detail: detail,
	})
	if err != nil {
		return err
	}
	v.giveSession(secret)
	return nil
}
