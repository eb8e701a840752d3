package pages

import (
	"slices"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/lang"
)

// Door is what the layout "door" reads: pages embed it in their view.
type Door struct {
	// Application is the application's name for people; empty where it must not
	// or cannot be said.
	Application string
	// Reference is what a person reads out when they ask for help, and what
	// finds the log line.
	Reference string
	// Here is an address of this page for GET, on this host: the language links
	// lead there.
	Here string
	// Languages are those offered.
	Languages []string
	// Reload makes a browser without script load Here again after so many
	// seconds; 0 never.
	Reload int
	// Styles and Scripts are asset names beyond ui.css and door.css. Scripts
	// are modules.
	Styles, Scripts []string
}

// Console is what the layout "console" reads: the rooms' pages embed it.
type Console struct {
	// Admin and Role are who is signed in, for people.
	Admin, Role string
	// Account is the address of the admin's own page; empty for none.
	Account string
	// Rooms are the entries of the navigation, in order.
	Rooms []Room
	// SignOut is where the sign-out form posts; empty for no form.
	SignOut string
	// Here and Languages are as in Door.
	Here      string
	Languages []string
	// Styles and Scripts are asset names beyond ui.css and console.css.
	Styles, Scripts []string
	// Manifest is the address of the web app manifest; empty for none.
	Manifest string
	// Alarm is one sentence about what is wrong with the gate as a whole, at
	// the top of every room; empty while all is well.
	Alarm string
	// Zone says in whose time zone the page says times; it is shown where the
	// browser's is another. Offset is how many minutes that zone is ahead of UTC.
	Zone   string
	Offset int
}

// Room is one entry of the console's navigation.
type Room struct {
	// Key is the message that names it ("room.requests"); Icon one of icons.svg.
	Key, Icon string
	Href      string
	// Current marks the room one is in.
	Current bool
	// Count is shown in brass when it is not 0: what waits for a hand.
	Count int
	// Phone keeps it on the phone's bar, which has place for four; OnlyPhone
	// shows it nowhere else ("More").
	Phone, OnlyPhone bool
}

// Five is a connection as five pins, one above the other (partial "five").
type Five struct {
	// Labelled is the id of the heading that names the list.
	Labelled string
	Pins     []Pin
}

// Pin is one of the five. A known part meets the shear line, a new one crosses
// it.
type Pin struct {
	Icon string
	// What is the word for the part, Which the part, Sub a second line.
	What, Which, Sub string
	// Is says in a word how it stands ("new", "known").
	Is  string
	New bool
}

// Parts is a connection in plain words, to be drawn.
type Parts struct {
	// User is the name to show, UserSub the canonical name or e-mail when it is
	// another. You is set on the page of the person themself, who is shown their
	// name only.
	User, UserSub string
	You           bool
	// Unverified says that the name was only typed in, and nothing proves it.
	Unverified  bool
	Application string
	// Kind and Label are the device's, as lang.Device takes them.
	Kind, Label string
	Place       lang.PlaceParts
	// Family and Platform are the browser's.
	Family, Platform string
	// New holds the parts that are new: "device", "place", "browser", or
	// "combination" alone.
	New []string
	// Authorised, when set, is when what was new became known.
	Authorised time.Time
}

// Five draws the parts in a language.
func (p Parts) Five(c *lang.Catalogue, labelled string) Five {
	where, network := c.PlaceLines(p.Place)
	user := "user"
	if p.You {
		user, p.UserSub = "you", ""
	} else if lang.MixedScripts(p.User) { // threat L25
		p.UserSub = strings.TrimPrefix(p.UserSub+", "+c.Text("pin.mixed"), ", ")
	}
	pin := func(part, icon, which, sub string, isNew bool) Pin {
		name := Pin{Icon: icon, What: c.Text("pin." + part), Which: which, Sub: sub, New: isNew}
		switch {
		case isNew && !p.Authorised.IsZero() && part != user:
			name.Is, name.New = c.Text("pin.authorised", "when", c.Time(p.Authorised)), false
		case isNew:
			name.Is = c.Text("pin.new." + part)
		default:
			name.Is = c.Text("pin.known." + part)
		}
		return name
	}
	return Five{Labelled: labelled, Pins: []Pin{
		pin(user, "person", lang.Inert(p.User, 120), lang.Inert(p.UserSub, 120), p.Unverified),
		pin("application", "app", lang.Inert(p.Application, 120), "", false),
		pin("device", DeviceIcon(p.Kind), c.Device(p.Kind, p.Label), "", slices.Contains(p.New, "device")),
		pin("place", "pin", where, network, slices.Contains(p.New, "place")),
		pin("browser", BrowserIcon(p.Family), c.Browser(p.Family, p.Platform), "", slices.Contains(p.New, "browser")),
	}}
}

// DeviceIcon names the icon of a kind of device.
func DeviceIcon(kind string) string {
	switch kind {
	case "phone", "tablet", "computer":
		return kind
	}
	return "device-other"
}

// BrowserIcon names the icon of a browser family: an installed app and a web
// view are their own.
func BrowserIcon(family string) string {
	switch family {
	case "Installed app", "Web view":
		return "webview"
	}
	return "browser"
}

// Pins is a connection as five small pins in a row (partial "pins"): user,
// application, device, place, browser; true is new.
type Pins [5]bool

// PinsOf draws the new parts. A combination that is new lifts its three parts.
func PinsOf(parts ...string) Pins {
	combined := slices.Contains(parts, "combination")
	return Pins{
		false, false,
		combined || slices.Contains(parts, "device"),
		combined || slices.Contains(parts, "place"),
		combined || slices.Contains(parts, "browser"),
	}
}

// State is how a connection stands (partial "state"): shape, colour and word
// say the same.
type State struct {
	// Answer is "allow", "biopass", "approval", "refuse" or "recorded".
	Answer string
	// Word replaces the state's own word ("Authorised just now").
	Word string
}
