package adminui

import (
	"net/netip"
	"strings"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/places"
)

// sentence says a rule: "Refuse everybody, on a phone, from Laval centre, in
// Presence Register". What a rule leaves open is left out.
func (v *visit) sentence(r access.Rule, names *people, devices *deviceNames) (string, error) {
	who := v.say.Text("rule.everybody")
	switch {
	case r.User != "":
		u, err := names.user(r.User)
		if err != nil {
			return "", err
		}
		who = v.called(u)
	case r.Group != "":
		who = v.say.Text("rule.group", "group", r.Group)
	}
	parts := []string{v.say.Text("rule."+string(r.Effect), "who", who)}
	switch {
	case r.Device != "":
		name, err := devices.ofRule(r)
		if err != nil {
			return "", err
		}
		parts = append(parts, v.say.Text("rule.device", "device", name))
	case r.Kind != "":
		parts = append(parts, v.say.Text("rule.kind."+string(r.Kind)))
	}
	if !r.Place.Any() {
		parts = append(parts, v.say.Text("rule.place", "place", v.placeKey(r.Place)))
	}
	if !r.Browser.Any() {
		name := v.say.Browser(r.Browser.Family, r.Browser.Platform)
		if r.Browser.Version != "" {
			name += " " + lang.Inert(r.Browser.Version, 20)
		}
		parts = append(parts, v.say.Text("rule.browser", "browser", name))
	}
	if r.Application != "" {
		parts = append(parts, v.say.Text("rule.application", "application", v.name(r.Application)))
	}
	if !r.Until.IsZero() {
		parts = append(parts, v.say.Until(r.Until, v.now))
	}
	return strings.Join(parts, ", ") + ".", nil
}

// placeKey says what a rule compares of a place; a prefix only where nothing
// else names it (row C3).
func (v *visit) placeKey(k access.PlaceKey) string {
	words := v.say.Place(lang.PlaceParts{Name: k.Name, City: k.City, Region: k.Region, Country: k.Country, Owner: k.Owner, Address: k.Prefix, Private: localNetwork(k.Prefix)})
	if k.Name == "" && k.City == "" && k.Country == "" && k.Owner != "" {
		return v.say.Text("place.network", "owner", k.Owner)
	}
	return words
}

// localNetwork reports whether a rule's network is one that no file of places
// knows, as the connections from there say it.
func localNetwork(prefix string) bool {
	p, err := netip.ParsePrefix(prefix)
	return err == nil && places.PrivateKind(p.Addr()) != ""
}

// ruleLine is one rule in the list.
type ruleLine struct {
	Application, ID string
	Sentence        string
	Allow           bool
	By, When        string
	Note            string
	Ended           bool
	// Use says what fits it, Edit is its page; both only in the list of rules.
	Use, Edit string
	// Token and Back are for the form that ends it.
	Token, Back string
}

func (v *visit) ruleLine(r access.Rule, names *people, devices *deviceNames) (ruleLine, error) {
	line := ruleLine{
		Application: r.Application, ID: r.ID, Allow: r.Effect == access.Allow, Note: r.Note, Ended: r.Ended(v.now),
		By: v.maker(r.Author), Token: v.session.Form, Back: v.here(),
	}
	if !r.Created.IsZero() {
		line.When = v.say.When(r.Created, v.now)
	}
	var err error
	line.Sentence, err = v.sentence(r, names, devices)
	return line, err
}

// maker says who made a rule: an admin's name, or how it came about.
func (v *visit) maker(author string) string {
	if key := "author." + author; v.say.Has(key) {
		return v.say.Text(key)
	}
	return v.say.Text("rule.by", "who", v.author(author))
}
