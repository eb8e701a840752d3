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
	"github.com/cadenas-gateway/cadenas/places"
)

// placeRows is how many places without a name the room lists.
const placeRows = 40

// placesPage is the world, the networks that have a name, and those that could.
type placesPage struct {
	frame
	Map     *worldMap
	Named   []namedPlace
	Seen    []seenPlace
	MayName bool
	Error   string
	Name    string
	Prefix  string
	User    string
	// Unnamed is how many places without a name there are, More how many of
	// them the list leaves out.
	Unnamed, More int
	// Nobody says that nobody came from anywhere.
	Nobody bool
	// Zoomed says that the list holds only what the map shows.
	Zoomed   bool
	OpenForm bool
	// Views are the whole world and a closer look.
	Views []tab
	// Names are those given already: to give one again adds a network to it.
	Names []string
	// Edited is the network whose form was sent and could not be kept.
	Edited string
}

// namedPlace is one network with a name.
type namedPlace struct {
	ID, Name, For, Prefixes, By string
	// Seen is what its form is filled in from.
	Seen string
	// Fixed says that the configuration names it.
	Fixed bool
	// Uses is how many connections of 30 days came from there, Rules how many
	// rules name it.
	Uses, Rules int
	Href        string
	// RulesHref leads to the rules that name it.
	RulesHref string
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
	page.Nobody = len(seen) == 0
	q := v.r.URL.Query()
	near := q.Get("map") == "near"
	page.Map = v.world(seen, lensAsked(q, seen))
	zoomed := page.Map != nil && !near && page.Map.lens.width < worldWide
	page.Views = []tab{
		{v.say.Text("places.view.world"), "/places", !near && !zoomed},
		{v.say.Text("places.view.near"), "/places?map=near", near},
	}
	for _, n := range page.Named {
		if !n.Fixed && n.For == "" {
			page.Names = append(page.Names, n.Name)
		}
	}
	for _, s := range seen {
		if s.at.Name != "" {
			continue
		}
		if zoomed {
			page.Zoomed = true
			if x, y, known := s.point(); !known || !page.Map.lens.holds(x, y) {
				continue
			}
		}
		if page.Unnamed++; len(page.Seen) < placeRows {
			page.Seen = append(page.Seen, *s)
		}
	}
	page.More = page.Unnamed - len(page.Seen)
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
		p.RulesHref = "/rules?" + url.Values{"q": {p.Name}}.Encode()
		list = append(list, p)
	}
	// A name for one person is shown to who may know that person (threat L23).
	shown := func(user string) (bool, error) {
		if user == "" {
			return true, nil
		}
		return v.mayKnow(user)
	}
	if v.Networks != nil {
		for _, n := range v.Networks() {
			if ok, err := shown(n.User); err != nil {
				return nil, err
			} else if !ok {
				continue
			}
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
		if ok, err := shown(n.User); err != nil {
			return nil, err
		} else if ok {
			add(namedPlace{ID: n.ID, Seen: markOf(append([]string{n.Name}, n.Prefixes...)...), Name: n.Name, For: n.User, By: v.author(n.By)}, n.Prefixes)
		}
	}
	sortBy(list, func(p namedPlace) string { return strings.ToLower(p.Name) })
	return list, nil
}

// rulesByPlace counts the rules that name each place, in their index.
func (v *visit) rulesByPlace() (map[string]int, error) {
	count := map[string]int{}
	apps := v.applications()
	if v.all() { // rules about all applications are nobody else's (threat L23)
		apps = append(apps, "")
	}
	for _, app := range apps {
		err := v.Books.Rules.Newest(v.ctx(), app, func(m books.Made) bool {
			if m.Place != "" && !m.Ended(v.now) {
				count[m.Place]++
			}
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	return count, nil
}

// networks are all that have a name: the configuration's and the console's,
// those of some records left out.
func (v *visit) networks(without ...string) ([]places.Network, error) {
	var all []places.Network
	if v.Networks != nil {
		all = append(all, v.Networks()...)
	}
	kept, err := v.Books.Networks.All(v.ctx())
	if err != nil {
		return nil, err
	}
	for _, n := range kept {
		if slices.Contains(without, n.ID) {
			continue
		}
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
