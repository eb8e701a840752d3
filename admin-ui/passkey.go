package adminui

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/passkey"
)

// keysCard is the part of a page about an admin's passkeys.
type keysCard struct {
	// Able says that passkeys can be had at the console's address at all.
	Able bool
	// Own says that they are the reader's: only they can add and rename them.
	Own  bool
	Full bool
	// Suggested is a name for the next one.
	Suggested string
	Keys      []keyLine
}

type keyLine struct {
	ID, Name, Added, Used, Copied string
	// Href is where its forms go.
	Href string
}

// adminKeys is whose an admin's passkeys are.
func adminKeys(email string) passkey.Owner { return passkey.Owner{Name: canonical(email)} }

// keysOf is the card of an admin's passkeys.
func (v *visit) keysOf(email string) (keysCard, error) {
	card := keysCard{Able: v.passkeys != nil, Own: canonical(email) == canonical(v.admin.Email)}
	list, err := v.keys.Of(v.ctx(), adminKeys(email))
	if err != nil {
		return card, err
	}
	base := "/account/passkeys/"
	if !card.Own {
		base = "/admins/" + url.PathEscape(canonical(email)) + "/passkeys/"
	}
	card.Keys = v.keyLines(list, base)
	card.Full = len(list) >= passkey.MaxOf
	card.Suggested = v.thisDevice()
	return card, nil
}

// keyLines are passkeys for people; base is where their forms are.
func (v *visit) keyLines(list []passkey.Passkey, base string) []keyLine {
	var lines []keyLine
	for _, k := range list {
		line := keyLine{ID: k.ID, Name: lang.Inert(k.Name, 0), Added: v.say.When(k.Created, v.now), Href: base + url.PathEscape(k.ID)}
		if !k.Used.IsZero() {
			line.Used = v.when(k.Used)
		}
		if !k.Copied.IsZero() {
			line.Copied = v.say.When(k.Copied, v.now)
		}
		lines = append(lines, line)
	}
	return lines
}

// removePersonsKey removes a passkey with which a user of an application
// confirms sign-ins.
func removePersonsKey(v *visit) error {
	user, app, err := v.biopassOf()
	if err != nil {
		return err
	}
	_, err = v.Biopass.RemoveKey(v.ctx(), app, user, v.r.PathValue("id"), v.note())
	if errors.Is(err, passkey.ErrNone) {
		return errNotHere
	}
	if err != nil {
		return err
	}
	return v.seeOther(personHref(user) + "?done=passkey.removed")
}

// thisDevice names the device of the request, for a passkey made on it.
func (v *visit) thisDevice() string {
	if v.Recognise == nil {
		return ""
	}
	device, _ := v.Recognise(v.ctx(), v.r.UserAgent())
	return lang.Inert(v.say.Device(string(device.Kind), device.Label), passkey.MaxName)
}

// plainly answers a script with a sentence that it shows.
func (v *visit) plainly(status int, sentence string) error {
	v.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	v.w.Header().Set("X-Content-Type-Options", "nosniff")
	v.w.Header().Set("Cache-Control", "no-store")
	v.w.WriteHeader(status)
	_, _ = v.w.Write([]byte(sentence)) //nolint:gosec // plain text by its type, and never sniffed; an error: nobody left to tell
	return nil
}

// options answers a script with what the browser asks the person's device.
func (v *visit) options(options []byte) error {
	v.w.Header().Set("Content-Type", "application/json")
	v.w.Header().Set("X-Content-Type-Options", "nosniff")
	v.w.Header().Set("Cache-Control", "no-store")
	_, _ = v.w.Write(options) //nolint:gosec // JSON of ours, and the person may have gone away
	return nil
}

// askForKey begins a passkey of the admin's own. The challenge belongs to this
// session: no other can answer it.
func askForKey(v *visit) error {
	if v.passkeys == nil {
		return errNotHere
	}
	options, err := v.passkeys.BeginAdd(v.ctx(), adminKeys(v.admin.Email), v.admin.Name, v.session.ID)
	if errors.Is(err, passkey.ErrTooMany) {
		return v.plainly(http.StatusUnprocessableEntity, v.say.Text("passkey.full", "count", passkey.MaxOf))
	}
	if err != nil {
		return err
	}
	return v.options(options)
}

// addKey keeps a passkey of the admin's own.
func addKey(v *visit) error {
	if v.passkeys == nil {
		return errNotHere
	}
	name, err := v.keyName()
	if err != nil {
		return err
	}
	_, err = v.passkeys.Add(v.ctx(), adminKeys(v.admin.Email), v.session.ID, name, []byte(v.r.PostFormValue("answer")), v.note())
	switch {
	case errors.Is(err, passkey.ErrLate):
		return tell("passkey.late")
	case errors.Is(err, passkey.ErrTooMany):
		return tell("passkey.full", "count", passkey.MaxOf)
	case errors.Is(err, passkey.ErrRefused):
		v.Log.Warn("a new passkey is refused", "admin", v.admin.Email, "error", err)
		return tell("passkey.refused")
	case err != nil:
		return err
	}
	return v.seeOther("/account?done=passkey.add")
}

// keyName reads what a passkey is to be called.
func (v *visit) keyName() (string, error) {
	name := strings.TrimSpace(lang.Inert(v.r.PostFormValue("name"), 0))
	if name == "" {
		name = v.thisDevice()
	}
	if name == "" {
		name = v.say.Text("passkey.nameless")
	}
	if utf8.RuneCountInString(name) > passkey.MaxName {
		return "", tell("passkey.name.long", "count", passkey.MaxName)
	}
	return name, nil
}

// note is who does something about a passkey, for the audit.
func (v *visit) note() books.Entry {
	by := v.by()
	return books.Entry{Who: by.Who, From: by.From, Via: by.Via}
}

func renameKey(v *visit) error {
	name, err := v.keyName()
	if err != nil {
		return err
	}
	err = v.keys.Rename(v.ctx(), adminKeys(v.admin.Email), v.r.PathValue("id"), name, v.note())
	if errors.Is(err, passkey.ErrNone) {
		return errNotHere
	}
	if err != nil {
		return err
	}
	return v.seeOther("/account?done=passkey.rename")
}

// removeOwnKey removes one of the admin's own passkeys, and ends the sessions
// it opened, but for this one: whoever holds a lost phone is out.
func removeOwnKey(v *visit) error {
	if err := v.removeKey(canonical(v.admin.Email)); err != nil {
		return err
	}
	return v.seeOther("/account?done=passkey.remove")
}

// removeKeyOf removes a passkey of another admin: their phone is lost, and so
// is their way in.
func removeKeyOf(v *visit) error {
	admin, ok := v.Console.admin(v.r.PathValue("email"))
	if !ok {
		return errNotHere
	}
	if err := v.removeKey(canonical(admin.Email)); err != nil {
		return err
	}
	return v.seeOther("/admins/" + url.PathEscape(canonical(admin.Email)) + "?done=passkey.remove")
}

func (v *visit) removeKey(email string) error {
	_, err := v.RemovePasskey(v.ctx(), email, v.r.PathValue("id"), v.note(), v.session.ID)
	if errors.Is(err, passkey.ErrNone) {
		return errNotHere
	}
	return err
}
