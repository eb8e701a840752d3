package adminui

import (
	"net/url"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/pages"
)

// five is a connection in words and icons, as rows and entries show it.
type five struct {
	Who, Href               string
	DeviceIcon, Device      string
	BrowserIcon, Browser    string
	Where, Network, PlaceTo string
}

// five says a connection. Devices are named by what an admin calls them where
// there is a name.
func (v *visit) five(c books.Connection, u books.User, names *deviceNames) (five, error) {
	label, err := names.label(c.Device)
	if err != nil {
		return five{}, err
	}
	where, network := v.say.PlaceLines(placeParts(v.today(c).Place))
	href := personHref(c.User)
	return five{
		Who: lang.Inert(v.called(u), 120), Href: href,
		DeviceIcon: pages.DeviceIcon(string(c.Device.Kind)), Device: v.say.Device(string(c.Device.Kind), label),
		BrowserIcon: pages.BrowserIcon(c.Browser.Family), Browser: v.say.Browser(c.Browser.Family, c.Browser.Platform),
		Where: where, Network: network, PlaceTo: href + "#places",
	}, nil
}

func personHref(user string) string { return "/people/" + url.PathEscape(user) }

// placeParts is a place as the catalogues take it.
func placeParts(p access.Place) lang.PlaceParts {
	parts := lang.PlaceParts{
		Name: p.Name, City: p.City, Region: p.Region, Country: p.Country, Owner: p.Owner, Private: p.Private,
	}
	if p.Address.IsValid() {
		parts.Address = p.Address.String()
	}
	return parts
}

// deviceNames looks up what admins call devices, each once for a page.
type deviceNames struct {
	v     *visit
	known map[string]books.Device
}

func (v *visit) deviceNames() *deviceNames {
	return &deviceNames{v: v, known: map[string]books.Device{}}
}

func (n *deviceNames) get(id string) (books.Device, error) {
	if id == "" {
		return books.Device{}, nil
	}
	if d, ok := n.known[id]; ok {
		return d, nil
	}
	d, err := n.v.Books.Devices.Get(n.v.ctx(), id)
	if err != nil && !isNotFound(err) {
		return d, err
	}
	if len(n.known) >= namesKept {
		clear(n.known)
	}
	n.known[id] = d
	return d, nil
}

func (n *deviceNames) label(d access.Device) (string, error) {
	named, err := n.get(d.ID)
	if err != nil {
		return "", err
	}
	if named.Name != "" {
		return named.Name, nil
	}
	return d.Label, nil
}

// ofRule is a rule's device in words: its name, else what it said of itself
// when the rule's person came with it.
func (n *deviceNames) ofRule(r access.Rule) (string, error) {
	d, err := n.get(r.Device)
	if err != nil || d.Name != "" {
		return d.Name, err
	}
	if d.Label == "" && r.User != "" && r.Application != "" {
		list, err := n.v.Books.Connections.Of(n.v.ctx(), r.Application, r.User, personConnections)
		if err != nil {
			return "", err
		}
		for _, c := range list {
			if c.Device.ID == r.Device {
				d.Kind, d.Label = c.Device.Kind, c.Device.Label
				n.known[r.Device] = d
				break
			}
		}
	}
	return n.v.say.Device(string(d.Kind), d.Label), nil
}

// standing is how a connection stands, in shape, colour and words.
type standing struct {
	State pages.State
	Pins  pages.Pins
	Why   string
	// Side is "in" for what is authorised, "out" for the rest, whatever the
	// padlock.
	Side string
}

// standing says a verdict. With the padlock open it says what a closed one
// would do, which is what the reader wants to know.
func (v *visit) standing(verdict access.Verdict, waiting bool) standing {
	shown := verdict
	if verdict.Step == access.StepPadlock && verdict.Shadow != nil {
		shown = *verdict.Shadow
	}
	s := standing{Pins: pages.PinsOf(partNames(shown.New)...), Why: v.reason(shown), Side: "out"}
	if shown.Answer == access.LetIn {
		s.Side = "in"
	}
	s.State.Answer = string(shown.Answer)
	switch {
	case verdict.Step == access.StepPadlock && shown.Answer != access.LetIn:
		s.State.Answer = "recorded"
		s.Why = v.say.Text("state.would."+string(shown.Answer), "why", s.Why)
	case shown.Answer == access.Approval && !waiting:
		s.State.Word = v.say.Text("state.unasked")
	}
	return s
}

// reason says why a verdict is what it is.
func (v *visit) reason(verdict access.Verdict) string {
	return v.say.Reason(string(verdict.Step), v.author(verdict.Rule.Author), partNames(verdict.New)...)
}

func partNames(parts []access.Part) []string {
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = string(p)
	}
	return names
}

// dayStart is midnight of a moment's day, in the server's zone.
func dayStart(t time.Time) time.Time {
	t = t.Local()
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
}
