package adminui

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/places"
)

// The widest networks that can be given a name: wider ones are half the world,
// and a rule about the name would be about everybody.
const widest4, widest6 = 8, 20

// readPrefixes reads the networks of a form. The error is a said one.
func readPrefixes(typed string) (prefixes []string, parsed []netip.Prefix, err error) {
	for _, text := range strings.FieldsFunc(typed, func(r rune) bool { return r == ',' || r == ' ' || r == ';' || r == '\n' || r == '\r' }) {
		p, err := places.ParsePrefix(text)
		if err != nil {
			return nil, nil, tell("places.bad.prefix", "text", text)
		}
		if (p.Addr().Is4() && p.Bits() < widest4) || (p.Addr().Is6() && p.Bits() < widest6) {
			return nil, nil, tell("places.bad.wide", "text", text)
		}
		if !slices.Contains(prefixes, p.String()) {
			prefixes, parsed = append(prefixes, p.String()), append(parsed, p)
		}
	}
	if len(prefixes) == 0 || len(prefixes) > 100 {
		return nil, nil, tell("places.bad.prefix", "text", typed)
	}
	return prefixes, parsed, nil
}

// namePlace gives a network a name. A name that there is already gets the
// network besides: two lines of an office are one place.
func namePlace(v *visit) error {
	form := placesPage{
		Name: lang.Inert(v.r.PostFormValue("name"), 80), Prefix: strings.TrimSpace(v.r.PostFormValue("prefix")),
		User: strings.TrimSpace(v.r.PostFormValue("user")), OpenForm: true,
	}
	if form.Name == "" {
		return v.placeAgain(form, tell("places.bad.name"))
	}
	prefixes, _, err := readPrefixes(form.Prefix)
	if err != nil {
		return v.placeAgain(form, err)
	}
	kept, err := v.Books.Networks.All(v.ctx())
	if err != nil {
		return err
	}
	for _, n := range kept {
		if n.Name == form.Name && n.User == form.User {
			all := n.Prefixes
			for _, p := range prefixes {
				if !slices.Contains(all, p) {
					all = append(all, p)
				}
			}
			form.OpenForm, form.Edited = false, n.ID
			return v.savePlace(form, n, n.Name, all, "place.named")
		}
	}
	return v.savePlace(form, books.Network{ID: books.NewID(v.now), User: form.User, Created: v.now}, form.Name, prefixes, "place.named")
}

// editPlace gives a network another name, or a name other networks. The rules
// that name it follow.
func editPlace(v *visit) error {
	n, err := v.Books.Networks.Get(v.ctx(), v.r.PathValue("network"))
	if err != nil {
		return err
	}
	if err := v.meanwhile("", "place.name", n.Name, append([]string{n.Name}, n.Prefixes...)...); err != nil {
		return err
	}
	form := placesPage{
		Name: lang.Inert(v.r.PostFormValue("name"), 80), Prefix: strings.TrimSpace(v.r.PostFormValue("prefix")), User: n.User, Edited: n.ID,
	}
	if form.Name == "" {
		return v.placeAgain(form, tell("places.bad.name"))
	}
	prefixes, _, err := readPrefixes(form.Prefix)
	if err != nil {
		return v.placeAgain(form, err)
	}
	return v.savePlace(form, n, form.Name, prefixes, "place.saved")
}

// placeAgain shows the room with what was typed and what is wrong with it.
func (v *visit) placeAgain(form placesPage, err error) error {
	var s *said
	if !errors.As(err, &s) {
		return err
	}
	form.Error = v.say.Text(s.key, s.pairs...)
	return v.refused(form.Error, func() error { return v.places(http.StatusUnprocessableEntity, form) })
}

// savePlace keeps a network under a name. A name that another network of the
// same kind has already takes these in: the two become one.
func (v *visit) savePlace(form placesPage, n books.Network, name string, prefixes []string, done string) error {
	kept, err := v.Books.Networks.All(v.ctx())
	if err != nil {
		return err
	}
	before, other := n.Name, books.Network{}
	for _, k := range kept {
		if k.ID != n.ID && k.Name == name && k.User == n.User {
			other = k
			for _, p := range k.Prefixes {
				if !slices.Contains(prefixes, p) {
					prefixes = append(prefixes, p)
				}
			}
		}
	}
	if err := v.clashes(prefixes, name, n.User, n.ID, other.ID); err != nil {
		return v.placeAgain(form, err)
	}
	if err := v.ownPlace(name, n.User, parsed(prefixes)); err != nil {
		return v.placeAgain(form, err)
	}
	by := v.by()
	n.Name, n.Prefixes, n.By = name, prefixes, by.Who
	entry := books.Entry{
		At: v.now, Who: by.Who, From: by.From, Via: by.Via, What: "place.name", Subject: name,
		Detail: map[string]string{"prefixes": strings.Join(prefixes, " "), "user": n.User},
	}
	if before != "" && before != name {
		entry.Detail["before"] = before
	}
	if other.ID != "" {
		gone := entry
		gone.What, gone.Detail = "place.merge", map[string]string{"prefixes": strings.Join(other.Prefixes, " ")}
		done = "place.merged"
		err = v.Books.Networks.Merge(v.ctx(), n, other.ID, entry, gone)
	} else {
		err = v.Books.Networks.Save(v.ctx(), n, entry)
	}
	if err != nil {
		return err
	}
	if before != "" && before != name {
		if err := v.renameInRules(before, name, n.User); err != nil {
			return err
		}
	}
	return v.backDone("/places", done)
}

// clashes asks the table that tells places whether it can be built with these:
// what it refuses (two names for one network) is refused here, not found out
// later. The records named by without are left out.
func (v *visit) clashes(prefixes []string, name, user string, without ...string) error {
	all, err := v.networks(without...)
	if err != nil {
		return err
	}
	one := places.Network{Name: name, User: user}
	for _, text := range prefixes {
		p, err := places.ParsePrefix(text)
		if err != nil {
			return tell("places.bad.prefix", "text", text)
		}
		one.Prefixes = append(one.Prefixes, p)
	}
	if _, err := places.Open(places.Config{Networks: append(all, one)}); err != nil {
		return tell("places.bad.clash")
	}
	return nil
}

// parsed are networks that clashes could read.
func parsed(prefixes []string) []netip.Prefix {
	var list []netip.Prefix
	for _, text := range prefixes {
		if p, err := places.ParsePrefix(text); err == nil {
			list = append(list, p)
		}
	}
	return list
}

// renameInRules lets the rules about a place follow its new name, application
// by application. User is whose place alone it is, "" for everybody's. A rule
// stays where a network that its people may come from is still called as before:
// somebody else's home, or an office that the configuration names.
func (v *visit) renameInRules(before, name, user string) error {
	all, err := v.networks()
	if err != nil {
		return err
	}
	about := func(r access.Rule, user string) bool { return user == "" || r.User == "" || r.User == user }
	for _, app := range append(v.Gate.Applications(), "") {
		err := v.Books.Rules.Change(v.ctx(), app, func(r *access.Rule) bool {
			still := func(n places.Network) bool { return n.Name == before && about(*r, n.User) }
			if r.Place.Name != before || !about(*r, user) || slices.ContainsFunc(all, still) {
				return false
			}
			r.Place.Name = name
			return true
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// unnamePlace takes a name away. Rules that name it match nothing any more.
func unnamePlace(v *visit) error {
	n, err := v.Books.Networks.Get(v.ctx(), v.r.PostFormValue("network"))
	if err != nil {
		return err
	}
	by := v.by()
	err = v.Books.Networks.Remove(v.ctx(), n.ID, books.Entry{
		At: v.now, Who: by.Who, From: by.From, Via: by.Via, What: "place.unname", Subject: n.Name,
		Detail: map[string]string{"prefixes": strings.Join(n.Prefixes, " ")},
	})
	if err != nil {
		return err
	}
	return v.seeOther("/places?done=place.unnamed")
}
