package lang

import (
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
	"golang.org/x/text/message"
)

// Number says an integer with the language's grouping: "27,545", "27 545".
func (c *Catalogue) Number(n int64) string {
	return message.NewPrinter(c.locale).Sprint(n)
}

// Bytes says a size in the language's units, a thousand of one being the next.
func (c *Catalogue) Bytes(n int64) string {
	switch {
	case n < 1_000_000:
		return c.Text("bytes.kb", "n", (n+999)/1000)
	case n < 1_000_000_000:
		return c.Text("bytes.mb", "n", (n+500_000)/1_000_000)
	}
	return c.Text("bytes.gb", "n", (n+500_000_000)/1_000_000_000)
}

// List joins items: "a", "a and b", "a, b and c". Items are made inert.
func (c *Catalogue) List(items []string) string {
	switch len(items) {
	case 0:
		return ""
	case 1:
		return Inert(items[0], 0)
	}
	last := len(items) - 1
	clean := make([]string, last)
	for i, item := range items[:last] {
		clean[i] = Inert(item, 0)
	}
	return c.Text("list.and", "items", strings.Join(clean, ", "), "last", items[last])
}

// Country names a country by its ISO 3166-1 alpha-2 code ("CA"). A code we do
// not know is given back as it is.
func (c *Catalogue) Country(code string) string {
	region, err := language.ParseRegion(code)
	if err != nil {
		return Inert(code, 0)
	}
	if name := display.Regions(c.locale).Name(region); name != "" {
		return name
	}
	return Inert(code, 0)
}

// PlaceParts is what is known of a place, in plain strings.
type PlaceParts struct {
	// Name is that of a named network; it comes first when there is one.
	Name string
	// City and Region are names as the geo data gives them, in English;
	// Country is an ISO 3166-1 alpha-2 code; Owner is the network's.
	City, Region, Country, Owner string
	// Address is shown only after words (row C3), and only when nothing but
	// it is known.
	Address string
	// Private says that the address is a private, loopback or link-local one.
	Private bool
}

// Place says a place in one line: "Laval centre", "Saint-Jérôme, Québec, Canada
// (réseau Bell Canada)", "unknown place (203.0.113.9)".
func (c *Catalogue) Place(p PlaceParts) string {
	where, network := c.PlaceLines(p)
	if network == "" {
		return where
	}
	return where + " (" + network + ")"
}

// PlaceLines says a place in two lines, the second of them may be empty: where
// it is, and whose network or which address.
func (c *Catalogue) PlaceLines(p PlaceParts) (where, network string) {
	if p.Owner != "" {
		network = c.Text("place.network", "owner", p.Owner)
	}
	switch {
	case p.Name != "":
		return Inert(p.Name, 0), ""
	case p.City != "" || p.Country != "":
		parts := []string{Inert(p.City, 0)}
		if region := c.region(p.Country, p.Region); region != parts[0] {
			parts = append(parts, region)
		}
		if p.Country != "" {
			parts = append(parts, c.Country(p.Country))
		}
		return strings.Join(full(parts), ", "), network
	case p.Private:
		where = c.Text("place.private")
	default:
		where = c.Text("place.unknown")
	}
	if network == "" {
		network = Inert(p.Address, 0)
	}
	return where, network
}

func full(parts []string) []string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return kept
}

// region names a region in the reader's language where the catalogue has it;
// geo data is in English.
func (c *Catalogue) region(country, name string) string {
	if key := "region." + strings.ToLower(country) + "." + slug(name); name != "" && c.Has(key) {
		return c.Text(key)
	}
	return Inert(name, 0)
}

// devicePrefix begins the user name of a device that stands for itself
// (identity.DevicePrefix).
const devicePrefix = "device:"

// Who is what to call a user: their name, else the user name; a device that
// stands for itself and has no name is "Unnamed device sYdP", not its identifier.
func (c *Catalogue) Who(name, user string) string {
	if name != "" {
		return name
	}
	if id, ok := strings.CutPrefix(user, devicePrefix); ok {
		return c.Text("user.device", "id", id[:min(len(id), 4)])
	}
	return user
}

// By names who decided or did something where that was no person: "the command
// line", "a pass code". Anybody else is as written. It stands within a sentence.
func (c *Catalogue) By(who string) string {
	if key := "by." + slug(who); who != "" && !strings.Contains(who, "@") && c.Has(key) {
		return c.Text(key)
	}
	return who
}

// Kind names a kind of device: "phone", "tablet", "computer", "other".
func (c *Catalogue) Kind(kind string) string {
	if key := "device.kind." + slug(kind); c.Has(key) {
		return c.Text(key)
	}
	return c.Text("device.kind.other")
}

// Device names a device by what it says of itself ("Android tablet"), in the
// reader's language where the catalogue has it, else by its kind.
func (c *Catalogue) Device(kind, label string) string {
	if label == "" {
		return c.Kind(kind)
	}
	if key := "device.label." + slug(label); c.Has(key) {
		return c.Text(key)
	}
	return Inert(label, 80)
}

// Browser names a browser: "Chrome on Android", "Installed app on iOS".
func (c *Catalogue) Browser(family, platform string) string {
	name := Inert(family, 80)
	if key := "browser.family." + slug(family); c.Has(key) {
		name = c.Text(key)
	}
	if name == "" {
		name = c.Text("browser.unknown")
	}
	if platform == "" || platform == "Other" { // "Other": a program that says nothing of it
		return name
	}
	return c.Text("browser.on", "family", name, "platform", Inert(platform, 80))
}

// slug is a name as a piece of a key: "Android tablet" is "android_tablet".
func slug(name string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}), "_")
}

// New says what is new about a connection from access.Part names: "new device
// and browser", "appareil et navigateur nouveaux". Nothing new is "".
func (c *Catalogue) New(parts ...string) string {
	if len(parts) == 0 {
		return ""
	}
	if len(parts) == 1 {
		return c.Text("new.one." + parts[0])
	}
	names := make([]string, len(parts))
	for i, part := range parts {
		names[i] = c.Text("part." + part)
	}
	return c.Text("new.several", "parts", c.List(names))
}

// Part names one of the five, or "combination".
func (c *Catalogue) Part(part string) string { return c.Text("part." + part) }

// Reason says why a verdict is what it is: step is an access.Step; author who
// made the rule that answered; parts what is new, for the step "policy".
func (c *Catalogue) Reason(step, author string, parts ...string) string {
	switch step {
	case "rule":
		if key := "author." + slug(author); c.Has(key) {
			return c.Text(key)
		}
		return c.Text("reason.rule", "author", author)
	case "policy":
		if len(parts) > 0 {
			return c.New(parts...)
		}
	}
	if key := "reason." + slug(step); c.Has(key) {
		return c.Text(key)
	}
	return c.Text("reason.none")
}
