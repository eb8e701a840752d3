package adminui

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/store"
)

// peopleRows is how many people a page of the list shows.
const peopleRows = 50

// peoplePage lists people, the last seen first.
type peoplePage struct {
	frame
	Search string
	People []personLine
	Count  int
	More   int
	// CountMore says that there are more than Count.
	CountMore bool
	// MayAdd says that the admin can add a person before they ever come.
	MayAdd bool
}

// personLine is one person of the list.
type personLine struct {
	ID, Who, Sub, Href string
	Seen               string
	Connections        int
	Treatment          gate.Treatment
}

// sighting is what the index of connections tells of one user.
type sighting struct {
	user string
	last time.Time
}

// peopleLook is how many lines of the index the list of people looks at.
const peopleLook = 10_000

// peopleUnseen is how many records of the book of users it looks at for people
// who are in none of those lines.
const peopleUnseen = 1000

// sightings are the users the admin may see, those last seen first in each
// application, and those who have no connection yet, for an admin of all
// applications.
func (v *visit) sightings() (map[string]*sighting, error) {
	all := map[string]*sighting{}
	for _, app := range v.applications() {
		looked := 0
		err := v.newest(app, time.Time{}, func(c books.Sighting) bool {
			s := all[c.User]
			if s == nil {
				s = &sighting{user: c.User}
				all[c.User] = s
			}
			if c.Last.After(s.last) {
				s.last = c.Last
			}
			looked++
			return looked < peopleLook
		})
		if err != nil {
			return nil, err
		}
		waiting, err := v.Approvals.Waiting(v.ctx(), app)
		if err != nil {
			return nil, err
		}
		for _, ask := range waiting {
			if user := ask.Person.User; user != "" && all[user] == nil {
				all[user] = &sighting{user: user, last: ask.Opened}
			}
		}
	}
	return all, nil
}

// unseen adds users of the book of users whom no application has seen lately,
// a bounded number of them; more says that there are others.
func (v *visit) unseen(all map[string]*sighting) (more bool, err error) {
	entries, err := v.Books.Store.Range(v.ctx(), store.Query{Prefix: books.Prefix("", "user"), Limit: peopleUnseen})
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		var u books.User
		if err := books.Decode(e.Value, &u); err != nil {
			return false, err
		}
		if all[u.User] == nil {
			all[u.User] = &sighting{user: u.User, last: u.Last}
		}
	}
	return len(entries) == peopleUnseen, nil
}

// byName adds the people a search names, wherever they are, and takes away
// whom it does not. An admin of some applications finds whom those have seen.
func (v *visit) byName(all map[string]*sighting, text string) (more bool, err error) {
	found, err := v.search(text, searchPeople, v.applications()...)
	if err != nil {
		return false, err
	}
	named := map[string]bool{}
	for _, user := range found.named {
		named[user] = true
		if all[user] != nil {
			continue
		}
		last, seen, err := v.lastSeen(user)
		if err != nil {
			return false, err
		}
		if seen || v.all() {
			all[user] = &sighting{user: user, last: last}
		}
	}
	few := len(all) <= peopleUnseen
	for user := range all {
		ok := named[user] || contains(text, user)
		if !ok && few { // then also by the middle of a name
			if ok, err = found.finds(user); err != nil {
				return false, err
			}
		}
		if !ok {
			delete(all, user)
		}
	}
	return found.many, nil
}

// lastSeen is when one of the admin's applications saw a user last, and whether
// one did.
func (v *visit) lastSeen(user string) (last time.Time, seen bool, err error) {
	for _, app := range v.applications() {
		list, err := v.Books.Connections.Of(v.ctx(), app, user, personConnections)
		if err != nil {
			return last, false, err
		}
		for _, c := range list {
			if seen = true; c.Last.After(last) {
				last = c.Last
			}
		}
	}
	return last, seen, nil
}

// connectionsOf counts a user's connections in the admin's applications,
// without reading them.
func (v *visit) connectionsOf(user string) (int, error) {
	n := 0
	for _, app := range v.applications() {
		entries, err := v.Books.Store.Range(v.ctx(), store.Query{
			Prefix: books.Prefix(app, "connection", user), Limit: personConnections, KeysOnly: true,
		})
		if err != nil {
			return 0, err
		}
		n += len(entries)
	}
	return n, nil
}

func showPeople(v *visit) error {
	f, err := v.frame("people", []string{"person.css"}, nil, "people", "connections")
	if err != nil {
		return err
	}
	page := peoplePage{frame: f, Search: strings.TrimSpace(v.r.URL.Query().Get("q")), MayAdd: v.all()}
	seen, err := v.sightings()
	switch {
	case err != nil:
	case page.Search != "":
		page.CountMore, err = v.byName(seen, page.Search)
	case v.all():
		page.CountMore, err = v.unseen(seen)
	}
	if err != nil {
		return err
	}
	var list []*sighting
	for _, s := range seen {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *sighting) int {
		if c := b.last.Compare(a.last); c != 0 {
			return c
		}
		return strings.Compare(a.user, b.user)
	})
	page.Count, page.More = len(list), max(len(list)-peopleRows, 0)
	names := v.people()
	for _, s := range list[:min(len(list), peopleRows)] {
		u, err := names.user(s.user)
		if err != nil {
			return err
		}
		line := personLine{ID: books.Key("", s.user), Who: lang.Inert(v.called(u), 120), Href: personHref(s.user)}
		if line.Connections, err = v.connectionsOf(s.user); err != nil {
			return err
		}
		line.Treatment, _ = gate.Treats(u, "")
		if u.Name != "" && u.Name != s.user {
			line.Sub = lang.Inert(s.user, 120)
		}
		if !s.last.IsZero() {
			line.Seen = v.when(s.last)
		}
		page.People = append(page.People, line)
	}
	return v.show(http.StatusOK, "people", page)
}

// addPerson keeps a record of somebody who has not come yet.
func addPerson(v *visit) error {
	if !v.all() {
		return errNotHere
	}
	user := strings.TrimSpace(v.r.PostFormValue("user"))
	if user == "" || len(user) > 200 || lang.Inert(user, 0) != user {
		return tell("people.bad.user")
	}
	return v.savePerson(user, "user.add", "/people/"+url.PathEscape(user)+"?done=person.added")
}

// savePerson keeps what a form says of a person.
func (v *visit) savePerson(user, what, to string) error {
	name, email := lang.Inert(v.r.PostFormValue("name"), 120), canonical(v.r.PostFormValue("email"))
	number := mobile(v.r.PostFormValue("mobile"))
	switch {
	case email != "" && !mailLike(email):
		return tell("admin.bad.email")
	case number == badMobile:
		return tell("admin.bad.mobile")
	}
	by := v.by()
	_, err := v.Books.Users.Update(v.ctx(), user, func(u *books.User) ([]store.Write, bool, error) {
		if err := v.meanwhile("", "user.edit", user, u.Name, u.Email, u.Mobile, u.Language); err != nil {
			return nil, false, err
		}
		u.Name, u.Email, u.Mobile = name, email, number
		if say := v.r.PostFormValue("language"); say == "" || slices.Contains(lang.Tags(), say) {
			u.Language = say
		}
		if u.Created.IsZero() {
			u.Created = v.now
		}
		return []store.Write{v.Books.Audit.Write(books.Entry{
			At: v.now, Who: by.Who, From: by.From, Via: by.Via, What: what, Subject: user,
		})}, true, nil
	})
	if err != nil {
		return err
	}
	return v.seeOther(to)
}
