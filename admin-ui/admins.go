package adminui

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/passkey"
)

// adminsPage lists the admins.
type adminsPage struct {
	frame
	Admins []adminLine
}

type adminLine struct {
	Who, Email, Mobile, Looks string
	Fixed, You                bool
	Href                      string
}

// whole refuses admins of some applications: whom they add would see more than
// they do (threat L23).
func whole(h handler) handler {
	return func(v *visit) error {
		if !v.all() {
			return errNotHere
		}
		return h(v)
	}
}

func showAdmins(v *visit) error {
	f, err := v.frame("admins", nil, nil, "admins")
	if err != nil {
		return err
	}
	page := adminsPage{frame: f}
	for _, a := range v.Admins() {
		line := adminLine{
			Who: lang.Inert(a.Name, 120), Email: a.Email, Mobile: a.Mobile, Fixed: a.Fixed,
			You: canonical(a.Email) == canonical(v.admin.Email), Href: "/admins/" + url.PathEscape(a.Email), Looks: v.looksAfter(a),
		}
		if line.Who == "" {
			line.Who = a.Email
		}
		page.Admins = append(page.Admins, line)
	}
	sortBy(page.Admins, func(l adminLine) string { return strings.ToLower(l.Who) })
	return v.show(http.StatusOK, "admins", page)
}

func (v *visit) looksAfter(a books.Admin) string {
	if len(a.Applications) == 0 {
		return v.say.Text("console.role.all")
	}
	var names []string
	for _, id := range a.Applications {
		names = append(names, v.name(id))
	}
	return v.say.List(names)
}

// adminPage is the form about one admin.
type adminPage struct {
	frame
	New  bool
	Whom books.Admin
	// Before is the e-mail the record has.
	Before      string
	Fixed, Last bool
	// Seen is what the form is filled in from.
	Seen         string
	You          bool
	Languages2   []choice
	Applications []choice
	Error        string
	Action       string
	Told         told
	Keys         keysCard
}

func (v *visit) adminForm(status int, a books.Admin, before, problem string) error {
	f, err := v.frame("admins", []string{"passkeys.css"}, []string{passkey.Script})
	if err != nil {
		return err
	}
	page := adminPage{
		frame: f, New: before == "", Whom: a, Before: before, Fixed: a.Fixed, Error: problem,
		You: before != "" && before == canonical(v.admin.Email), Action: "/admins/new", Last: v.lastOne(a),
		Told: v.toldOf(a),
	}
	if before != "" {
		page.Action = "/admins/" + url.PathEscape(before)
	}
	if !page.New {
		if stored, err := v.Books.Admins.Get(v.ctx(), before); err == nil {
			page.Seen = v.seen(string(books.Encode(stored)))
		} else if !isNotFound(err) {
			return err
		}
		if page.Keys, err = v.keysOf(before); err != nil {
			return err
		}
	}
	for _, tag := range lang.Tags() {
		page.Languages2 = append(page.Languages2, choice{tag, lang.For(tag).Text("language." + tag), tag == a.Language})
	}
	for _, id := range v.applications() {
		page.Applications = append(page.Applications, choice{id, v.name(id), slices.Contains(a.Applications, id)})
	}
	return v.show(status, "admin", page)
}

func showNewAdmin(v *visit) error {
	return v.adminForm(http.StatusOK, books.Admin{Language: v.say.Tag()}, "", "")
}

func showAdmin(v *visit) error {
	a, ok := v.Console.admin(v.r.PathValue("email"))
	if !ok {
		return errNotHere
	}
	return v.adminForm(http.StatusOK, a, canonical(a.Email), "")
}

// saveAdmin adds an admin or changes one.
func saveAdmin(v *visit) error {
	before := canonical(v.r.PathValue("email"))
	a := books.Admin{Created: v.now}
	what := "admin.add"
	if before != "" {
		stored, err := v.Books.Admins.Get(v.ctx(), before)
		if err != nil {
			return err // not found too: the configuration's cannot be changed here
		}
		if err := v.meanwhile("", "admin.edit", before, string(books.Encode(stored))); err != nil {
			return err
		}
		a, what = stored, "admin.edit"
	}
	typed := readAdmin(v.r)
	a.Name, a.Email, a.Mobile = typed.Name, typed.Email, typed.Mobile
	if tag := v.r.PostFormValue("language"); slices.Contains(lang.Tags(), tag) {
		a.Language = tag
	}
	v.readTold(&a)
	a.Applications = nil
	for _, id := range v.r.PostForm["applications"] {
		if id, err := v.application(id); err == nil {
			a.Applications = append(a.Applications, id)
		}
	}
	problem := adminProblem(a, v.say)
	if other, taken := v.Console.admin(a.Email); problem == "" && taken && canonical(other.Email) != before {
		problem = v.say.Text("admin.bad.taken")
	}
	if problem == "" && !quietTimes(a) {
		problem = v.say.Text("admin.bad.quiet")
	}
	if problem == "" && before == canonical(v.admin.Email) && len(a.Applications) > 0 {
		problem = v.say.Text("admin.bad.self") // one would shut oneself out of this room
	}
	if problem != "" {
		return v.refused(problem, func() error { return v.adminForm(http.StatusUnprocessableEntity, a, before, problem) })
	}
	if before != a.Email {
		// Of an admin of that address who is no more, and whom nobody removed
		// here: one of the Caddyfile. Theirs are not for who comes after them.
		if _, err := v.keys.RemoveAll(v.ctx(), adminKeys(a.Email)); err != nil {
			return err
		}
	}
	by := v.by()
	err := v.Books.Admins.Save(v.ctx(), a, before, v.wholeFixed(), books.Entry{
		At: v.now, Who: by.Who, From: by.From, Via: by.Via, What: what, Subject: a.Email,
		Detail: map[string]string{"applications": strings.Join(a.Applications, " ")},
	})
	if errors.Is(err, books.ErrLastAdmin) {
		problem = v.say.Text("admin.bad.last")
		return v.refused(problem, func() error { return v.adminForm(http.StatusUnprocessableEntity, a, before, problem) })
	}
	if err != nil {
		return err
	}
	if before != "" && before != a.Email {
		if err := v.keys.Move(v.ctx(), adminKeys(before), a.Email); err != nil {
			return err
		}
		if err := v.followAdmin(before, a.Email); err != nil {
			return err
		}
	}
	return v.seeOther("/admins?done=" + what)
}

// followAdmin ends the sessions of an admin whose e-mail changed, but for
// one's own, which goes on under the new one.
func (v *visit) followAdmin(before, email string) error {
	if v.session.Email == before {
		secret, err := v.sessions.pass(v.ctx(), v.secret, v.session, email)
		if err != nil {
			return err
		}
		v.giveSession(secret)
	}
	_, err := v.sessions.end(v.ctx(), before, func(session) bool { return true })
	return err
}

// quietTimes reports whether quiet hours are two times of day, or none.
func quietTimes(a books.Admin) bool {
	if a.QuietFrom == "" && a.QuietTo == "" {
		return true
	}
	for _, t := range []string{a.QuietFrom, a.QuietTo} {
		if _, err := time.Parse("15:04", t); err != nil {
			return false
		}
	}
	return true
}

// wholeFixed reports whether the configuration names an admin who looks after all
// applications: then the console may lose all of its own.
func (v *visit) wholeFixed() bool {
	return slices.ContainsFunc(v.Admins(), func(a books.Admin) bool { return a.Fixed && len(a.Applications) == 0 })
}

// lastOne reports whether an admin cannot be removed: nobody else looks after all
// applications, and so after the admins.
func (v *visit) lastOne(a books.Admin) bool {
	return !slices.ContainsFunc(v.Admins(), func(x books.Admin) bool {
		return canonical(x.Email) != canonical(a.Email) && (len(a.Applications) > 0 || len(x.Applications) == 0)
	})
}

// removeAdmin removes an admin whom the console made; the last one stays.
func removeAdmin(v *visit) error {
	email := canonical(v.r.PathValue("email"))
	by := v.by()
	err := v.Books.Admins.Remove(v.ctx(), email, v.wholeFixed(), books.Entry{
		At: v.now, Who: by.Who, From: by.From, Via: by.Via, What: "admin.remove", Subject: email,
	})
	if errors.Is(err, books.ErrLastAdmin) {
		return v.seeOther("/admins?done=admin.last")
	}
	if err != nil {
		return err
	}
	if _, err := v.keys.RemoveAll(v.ctx(), adminKeys(email)); err != nil {
		return err
	}
	if _, err := v.sessions.end(v.ctx(), email, func(session) bool { return true }); err != nil {
		return err
	}
	return v.seeOther("/admins?done=admin.remove")
}
