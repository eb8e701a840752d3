package adminui

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/places"
)

// placeRows is how many places without a name the room lists.
const placeRows = 40

// placesPage is the world, the networks that have a name, and those that could.
type placesPage struct {
	frame
	Map      *mapView
	Named    []namedPlace
	Seen     []seenPlace
	MayName  bool
	Error    string
	Name     string
	Prefix   string
	User     string
	Unnamed  int
	OpenForm bool
}

// namedPlace is one network with a name.
type namedPlace struct {
	ID, Name, For, Prefixes, By string
	// Fixed says that the configuration names it.
	Fixed bool
	// Uses is how many connections of 30 days came from there, Rules how many
	// rules name it.
	Uses, Rules int
	Href        string
}

// seenPlace is a place that people came from, and has no name.
type seenPlace struct {
	ID                string
	Where, Network    string
	People, Times     int
	Seen              string
	Prefix            string
	Href              string
	last              time.Time
	users             map[string]struct{}
	at                access.Place
	in, wait, refused int
}

// today is a connection with its place told anew, so that old entries show a
// name given since.
func (v *visit) today(c books.Connection) books.Connection {
	if v.Place == nil || !c.Place.Address.IsValid() {
		return c
	}
	now := v.Place(c.Place.Address, c.User)
	if now.Name != "" || c.Place.Name != "" {
		c.Place.Name, c.Place.NameFor = now.Name, now.NameFor
	}
	return c
}

func showPlaces(v *visit) error { return v.places(http.StatusOK, placesPage{}) }

func (v *visit) places(status int, page placesPage) error {
	f, err := v.frame("places", []string{"map.css", "person.css"}, nil, "places", "connections")
	if err != nil {
		return err
	}
	page.frame, page.MayName = f, v.all()
	seen, named, err := v.whereFrom()
	if err != nil {
		return err
	}
	if page.Named, err = v.namedPlaces(named); err != nil {
		return err
	}
	var dots []personPlace
	for _, s := range seen {
		side := "in"
		switch {
		case s.refused > 0 && s.in == 0:
			side = "out"
		case s.in == 0:
			side = "wait"
		}
		dots = append(dots, personPlace{Number: len(s.users), Where: s.Where, Side: side, at: s.at})
	}
	page.Map = worldOf(dots)
	for _, s := range seen {
		if s.at.Name != "" {
			continue
		}
		if page.Unnamed++; len(page.Seen) < placeRows {
			page.Seen = append(page.Seen, *s)
		}
	}
	return v.show(status, "places", page)
}

// whereFrom gathers the places of 30 days, those most people came from first,
// and how often each name was come from; of a large application, those of the
// connections last seen.
func (v *visit) whereFrom() ([]*seenPlace, map[string]int, error) {
	found, named := map[string]*seenPlace{}, map[string]int{}
	for _, app := range v.applications() {
		scanned := 0
		err := v.eachConnection(gridQuery{Application: app, Window: "30"}, func(c books.Connection) bool {
			scanned++
			if c.Place.Name != "" {
				named[c.Place.Name]++
			}
			where, network := v.say.PlaceLines(placeParts(c.Place))
			s := found[where+"\x00"+network]
			if s == nil {
				if len(found) >= tallyWords {
					return scanned < gridLook
				}
				s = &seenPlace{Where: where, Network: network, users: map[string]struct{}{}}
				found[where+"\x00"+network] = s
			}
			s.note(c, app)
			return scanned < gridLook
		})
		if err != nil {
			return nil, nil, err
		}
	}
	var list []*seenPlace
	for _, s := range found {
		s.People, s.Seen = len(s.users), v.when(s.last)
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *seenPlace) int {
		if a.People != b.People {
			return b.People - a.People
		}
		return strings.Compare(a.Where+a.Network, b.Where+b.Network)
	})
	for i, s := range list {
		s.ID = itoa(i)
	}
	return list, named, nil
}

func (s *seenPlace) note(c books.Connection, app string) {
	s.users[c.User] = struct{}{}
	s.Times++
	answer := c.Answer
	if c.Shadow != "" {
		answer = c.Shadow
	}
	switch answer {
	case access.LetIn:
		s.in++
	case access.Deny:
		s.refused++
	case access.Approval, access.Biopass:
		s.wait++
	}
	if c.Last.After(s.last) {
		s.last, s.at, s.Prefix = c.Last, c.Place, around(c.Place.Address)
		s.Href = (gridQuery{Application: app, Window: "30", Sort: "last", Place: placeWord(c.Place)}).with()
	}
}

// around is the network that a name would be given to: a /24, a /56.
func around(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	bits := 24
	if a.Is6() {
		bits = 56
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}

func (v *visit) namedPlaces(uses map[string]int) ([]namedPlace, error) {
	rules, err := v.rulesByPlace()
	if err != nil {
		return nil, err
	}
	var list []namedPlace
	add := func(p namedPlace, prefixes []string) {
		p.Prefixes = strings.Join(prefixes, ", ")
		p.Uses, p.Rules = uses[p.Name], rules[p.Name]
		p.Href = "/connections?" + url.Values{"place": {p.Name}, "window": {"30"}}.Encode()
		list = append(list, p)
	}
	if v.Networks != nil {
		for _, n := range v.Networks() {
			var prefixes []string
			for _, p := range n.Prefixes {
				prefixes = append(prefixes, p.String())
			}
			add(namedPlace{Name: n.Name, For: n.User, Fixed: true}, prefixes)
		}
	}
	kept, err := v.Books.Networks.All(v.ctx())
	if err != nil {
		return nil, err
	}
	for _, n := range kept {
		if n.User != "" {
			if ok, err := v.mayKnow(n.User); err != nil || !ok {
				if err != nil {
					return nil, err
				}
				continue
			}
		}
		add(namedPlace{ID: n.ID, Name: n.Name, For: n.User, By: v.author(n.By)}, n.Prefixes)
	}
	sortBy(list, func(p namedPlace) string { return strings.ToLower(p.Name) })
	return list, nil
}

func (v *visit) rulesByPlace() (map[string]int, error) {
	count := map[string]int{}
	for _, app := range append(v.applications(), "") {
		rules, err := v.Books.Rules.All(v.ctx(), app)
		if err != nil {
			return nil, err
		}
		for _, r := range rules {
			if r.Place.Name != "" && !r.Ended(v.now) {
				count[r.Place.Name]++
			}
		}
	}
	return count, nil
}

// The widest networks that can be given a name: wider ones are half the world,
// and a rule about the name would be about everybody.
const widest4, widest6 = 8, 20

// namePlace gives a network a name.
func namePlace(v *visit) error {
	form := placesPage{
		Name: lang.Inert(v.r.PostFormValue("name"), 80), Prefix: strings.TrimSpace(v.r.PostFormValue("prefix")),
		User: strings.TrimSpace(v.r.PostFormValue("user")), OpenForm: true,
	}
	again := func(key string, pairs ...any) error {
		form.Error = v.say.Text(key, pairs...)
		return v.refused(form.Error, func() error { return v.places(http.StatusUnprocessableEntity, form) })
	}
	if form.Name == "" {
		return again("places.bad.name")
	}
	var prefixes []string
	var parsed []netip.Prefix
	for _, text := range strings.FieldsFunc(form.Prefix, func(r rune) bool { return r == ',' || r == ' ' || r == ';' || r == '\n' }) {
		p, err := places.ParsePrefix(text)
		if err != nil {
			return again("places.bad.prefix", "text", text)
		}
		if (p.Addr().Is4() && p.Bits() < widest4) || (p.Addr().Is6() && p.Bits() < widest6) {
			return again("places.bad.wide", "text", text)
		}
		prefixes, parsed = append(prefixes, p.String()), append(parsed, p)
	}
	if len(prefixes) == 0 || len(prefixes) > 100 {
		return again("places.bad.prefix", "text", form.Prefix)
	}
	all, err := v.networks()
	if err != nil {
		return err
	}
	// The table that tells places is built from all of them: what it refuses
	// (two names for one network) is refused here, not found out later.
	if _, err := places.Open(places.Config{Networks: append(all, places.Network{Name: form.Name, Prefixes: parsed, User: form.User})}); err != nil {
		return again("places.bad.clash")
	}
	by := v.by()
	err = v.Books.Networks.Save(v.ctx(), books.Network{
		ID: books.NewID(v.now), Name: form.Name, User: form.User, Prefixes: prefixes, By: by.Who, Created: v.now,
	}, books.Entry{
		At: v.now, Who: by.Who, From: by.From, Via: by.Via, What: "place.name", Subject: form.Name,
		Detail: map[string]string{"prefixes": strings.Join(prefixes, " "), "user": form.User},
	})
	if err != nil {
		return err
	}
	return v.seeOther("/places?done=place.named")
}

// networks are all that have a name: the configuration's and the console's.
func (v *visit) networks() ([]places.Network, error) {
	var all []places.Network
	if v.Networks != nil {
		all = append(all, v.Networks()...)
	}
	kept, err := v.Books.Networks.All(v.ctx())
	if err != nil {
		return nil, err
	}
	for _, n := range kept {
		one := places.Network{Name: n.Name, User: n.User}
		for _, text := range n.Prefixes {
			p, err := places.ParsePrefix(text)
			if err != nil {
				return nil, err
			}
			one.Prefixes = append(one.Prefixes, p)
		}
		all = append(all, one)
	}
	return all, nil
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
