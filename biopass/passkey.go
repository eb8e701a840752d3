package biopass

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/pages"
	"github.com/cadenas-gateway/cadenas/passkey"
)

// WhyKey is a person who came to add a passkey, from what is kept of them.
const WhyKey Why = "passkey"

// party asks for the passkeys of an application's users; nil where they take
// the place of typing nowhere.
func (s *Service) party(application string) *passkey.Party {
	if s.conf.Passkeys == nil || s.Mode(application) == Off {
		return nil
	}
	return s.conf.Passkeys(application)
}

func ownerOf(application, user string) passkey.Owner {
	return passkey.Owner{Application: application, Name: user}
}

// hasKey reports whether a user has a passkey that counts here.
func (s *Service) hasKey(ctx context.Context, application, user string) (bool, error) {
	p := s.party(application)
	if p == nil {
		return false, nil
	}
	return p.Has(ctx, ownerOf(application, user), p.Host())
}

// Factor is what an errand was passed with: "biopass" by typing, "passkey" by
// one.
func (s *Service) Factor(ctx context.Context, application, device string) (string, error) {
	e, _, err := s.Errand(ctx, application, device)
	if e.Key {
		return "passkey", err
	}
	return "biopass", err
}

// Keys returns a user's passkeys in an application, whether more of them can be
// added, and whether passkeys are to be had there at all.
func (s *Service) Keys(ctx context.Context, application, user string) (list []passkey.Passkey, able bool, err error) {
	p := s.party(application)
	list, err = s.keyBook().Of(ctx, ownerOf(application, user))
	return list, p != nil && len(list) < passkey.MaxOf, err
}

func (s *Service) keyBook() *passkey.Book { return passkey.NewBook(s.st, s.conf.Clock) }

// MayAddKey reports whether a user may add a passkey where they are let in.
// Their first way of confirming a sign-in needs no more than that, as the first
// prints do; a further one wants a sign-in that was confirmed, or an admin's
// link: else whoever finds an open session makes themself a key to the rest.
func (s *Service) MayAddKey(ctx context.Context, application, user string, confirmed bool) (bool, error) {
	_, able, err := s.Keys(ctx, application, user)
	if err != nil || !able || confirmed {
		return able && err == nil, err
	}
	p, err := s.book.get(ctx, application, user)
	if err != nil || p.ready() {
		return false, err
	}
	has, err := s.hasKey(ctx, application, user)
	return err == nil && !has, err
}

// BeginKey opens the errand of a person who adds a passkey. The caller has
// asked MayAddKey.
func (s *Service) BeginKey(ctx context.Context, e Errand) (Errand, error) {
	e.Why, e.Login = WhyKey, ""
	return s.Begin(ctx, e)
}

// RemoveKey takes a user's passkey away. Note is who does it.
func (s *Service) RemoveKey(ctx context.Context, application, user, id string, note books.Entry) (passkey.Passkey, error) {
	return s.keyBook().Remove(ctx, ownerOf(application, user), id, note)
}

// RemoveKeys takes all of a user's passkeys away, with the user.
func (s *Service) RemoveKeys(ctx context.Context, application, user string) (int, error) {
	return s.keyBook().RemoveAll(ctx, ownerOf(application, user))
}

// bound is what a challenge of an errand belongs to: that sign-in on that
// device.
func (e Errand) bound() string {
	return strings.Join([]string{e.Device.ID, e.Login, string(e.Why), e.Made.UTC().Format("20060102T150405.000000")}, " ")
}

func (e Errand) note() books.Entry {
	return books.Entry{Who: "user:" + e.Person.User, From: e.Place.Address.String(), Via: "gate"}
}

// usable reports whether a passkey may be answered with now: never in the
// place of an enrolment, and not by a locked user.
func (e Errand) usable() bool {
	return e.purpose() == Verifying && slices.Contains([]Stage{Open, Asked, Stopped}, e.Stage)
}

// useKey takes the answer of a passkey in the place of typing.
func (s *Service) useKey(ctx context.Context, e Errand, answer []byte) error {
	p := s.party(e.Application)
	if p == nil || !e.usable() {
		return errGone
	}
	// The gate would refuse a locked user anyway; no rule is made for one.
	u, err := s.conf.Books.Users.Get(ctx, e.Person.User)
	if err != nil {
		return err
	}
	if u.IsLocked(e.Application) {
		return passkey.ErrRefused
	}
	k, err := p.CheckFor(ctx, ownerOf(e.Application, e.Person.User), e.bound(), answer, e.note())
	if err != nil {
		return err
	}
	if err := s.Forgive(ctx, e.Application, e.Person.User); err != nil {
		return err
	}
	if err := s.conf.Grant(ctx, e); err != nil {
		return err
	}
	s.audit(ctx, e, "biopass.passkey", map[string]string{"why": string(e.Why), "passkey": k.Name})
	_, err = s.change(ctx, e.Application, e.Device.ID, func(now *Errand) (bool, error) {
		if now.bound() != e.bound() || now.Person.User != e.Person.User {
			return false, errGone
		}
		now.Stage, now.Moved, now.Key = Passed, s.conf.Clock(), true
		return true, nil
	})
	if err != nil {
		return err
	}
	return s.confirm(ctx, e, "passkey")
}

// addable reports whether a passkey may be added in an errand.
func (s *Service) addable(e Errand) bool {
	return e.purpose() == Enrolling && e.Stage == Open && s.party(e.Application) != nil
}

// addKey keeps a new passkey, which ends an enrolment as five lines do.
func (s *Service) addKey(ctx context.Context, e Errand, name string, answer []byte) error {
	if !s.addable(e) {
		return errGone
	}
	_, err := s.party(e.Application).Add(ctx, ownerOf(e.Application, e.Person.User), e.bound(), name, answer, e.note())
	if err != nil {
		return err
	}
	_, err = s.change(ctx, e.Application, e.Device.ID, func(now *Errand) (bool, error) {
		if now.bound() != e.bound() || now.Person.User != e.Person.User {
			return false, errGone
		}
		now.Stage, now.Moved, now.Key = Enrolled, s.conf.Clock(), true
		return true, nil
	})
	if err != nil {
		return err
	}
	return s.confirm(ctx, e, "")
}

// keyOptions answers the page's script with what the browser asks the person's
// device.
func (h *handler) keyOptions(w http.ResponseWriter, r *http.Request, e Errand, fresh bool) error {
	p := h.s.party(e.Application)
	owner := ownerOf(e.Application, e.Person.User)
	var options []byte
	var err error
	switch {
	case p == nil, fresh && !h.s.addable(e), !fresh && !e.usable():
		err = passkey.ErrNone
	case fresh:
		shown := e.Person.Name
		if shown == "" {
			shown = e.Person.User
		}
		options, err = p.BeginAdd(r.Context(), owner, lang.Inert(shown, 0), e.bound())
	default:
		options, err = p.BeginFor(r.Context(), owner, e.bound())
	}
	if key := saidOf(err); key != "" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = w.Write([]byte(pages.Language(r, h.s.conf.Languages).Text("biopass.key.said." + key)))
		return nil
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(options) //nolint:gosec // JSON of ours, and the browser may have gone away
	return nil
}

// saidOf is the word for an error that a person is told; "" for the others.
func saidOf(err error) string {
	switch {
	case errors.Is(err, passkey.ErrLate), errors.Is(err, errGone):
		return "late"
	case errors.Is(err, passkey.ErrCopied):
		return "copied"
	case errors.Is(err, passkey.ErrRefused), errors.Is(err, passkey.ErrNone):
		return "refused"
	case errors.Is(err, passkey.ErrTooMany):
		return "full"
	}
	return ""
}

// keyForm takes a passkey's answer and leads back to the page.
func (h *handler) keyForm(w http.ResponseWriter, r *http.Request, e Errand, fresh bool) error {
	if err := r.ParseForm(); err != nil {
		h.say(w, r, http.StatusBadRequest, "trouble.form")
		return nil
	}
	answer := []byte(r.PostForm.Get("answer"))
	var err error
	if fresh {
		c := pages.Language(r, h.s.conf.Languages)
		name := strings.TrimSpace(lang.Inert(r.PostForm.Get("name"), 0))
		if name == "" || utf8.RuneCountInString(name) > passkey.MaxName {
			name = keyboardName(c, e.Device)
		}
		err = h.s.addKey(r.Context(), e, name, answer)
	} else {
		err = h.s.useKey(r.Context(), e, answer)
	}
	to := BasePath
	if key := saidOf(err); key != "" {
		h.s.conf.Log.Warn("a passkey is refused", "application", e.Application, "user", e.Person.User, "new", fresh, "error", err)
		to += "?" + url.Values{"said": {key}}.Encode()
		err = nil
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// keyScene says what the page offers of passkeys, and makes it the scene where
// there is nothing else.
func (s *Service) keyScene(r *http.Request, c *lang.Catalogue, e Errand, v *view) error {
	var err error
	if e.usable() {
		v.Key, err = s.hasKey(r.Context(), e.Application, e.Person.User)
	}
	v.KeyNew = s.addable(e)
	v.KeyName, v.Back = keyboardName(c, e.Device), local(e.Origin+e.Back, "/")
	if v.Key || v.KeyNew {
		v.Scripts = append(v.Scripts, passkey.Script)
	}
	if said := "biopass.key.said." + r.URL.Query().Get("said"); c.Has(said) {
		v.KeySaid = c.Text(said)
	}
	return err
}
