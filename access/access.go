// Package access holds the words of the gate and its one rule: what a
// connection is, and what happens to it. It imports the standard library
// only, keeps no state and does no I/O.
package access

import (
	"strings"
	"time"
	"unicode"
)

// Kind is the kind of a device.
type Kind string

// The kinds of device. Other is the fallback for what cannot be told.
const (
	Phone    Kind = "phone"
	Tablet   Kind = "tablet"
	Computer Kind = "computer"
	Other    Kind = "other"
)

// Kinds lists all kinds, in the order pages show them.
var Kinds = []Kind{Phone, Tablet, Computer, Other}

// Device is the holder of one device cookie.
type Device struct {
	// ID is the random identifier in the device cookie; empty when the
	// request bore none that was ours.
	ID string
	// Kind is phone, tablet, computer or other.
	Kind Kind
	// Label is what the device says of itself in words ("iPhone", "Android
	// tablet", "Windows computer"), for people; never compared.
	Label string
}

// Browser is a family on a platform.
type Browser struct {
	// Family is "Chrome", "Safari", "Installed app" and so on.
	Family string
	// Platform is the operating system: "Windows", "iOS", "Android".
	Platform string
	// Version is the major version; compared only where `same browser
	// version` asks for it.
	Version string
}

// BrowserKey is what is compared of a browser. The zero value means "any" in
// a rule and "not told" in a visit.
type BrowserKey struct {
	Family, Platform, Version string
}

// SameBrowser says what makes two browsers the same one.
type SameBrowser string

// The ways to compare browsers. The zero value is SameFamily.
const (
	SameFamily  SameBrowser = "family"
	SameVersion SameBrowser = "version"
)

// Key returns what is compared of b under s.
func (s SameBrowser) Key(b Browser) BrowserKey {
	k := BrowserKey{Family: b.Family, Platform: b.Platform}
	if s == SameVersion {
		k.Version = b.Version
	}
	return k
}

// Any reports whether the key leaves the browser open.
func (k BrowserKey) Any() bool { return k == BrowserKey{} }

// Matches reports whether b satisfies every part that k names.
func (k BrowserKey) Matches(b Browser) bool {
	return (k.Family == "" || k.Family == b.Family) &&
		(k.Platform == "" || k.Platform == b.Platform) &&
		(k.Version == "" || k.Version == b.Version)
}

// Person is what an identity source tells of the one behind a request.
type Person struct {
	// User is the opaque, canonical name; empty for nobody.
	User string
	// Groups are those the identity source names.
	Groups []string
	// Name, Email and Mobile are for people to read and for notices; they
	// decide nothing.
	Name, Email, Mobile string
	// Source names the identity source that answered.
	Source string
}

// Nobody reports whether no user is known.
func (p Person) Nobody() bool { return p.User == "" }

// Visit is one request, as the rule sees it: the five, and the groups of the
// user.
type Visit struct {
	User        string
	Groups      []string
	Application string
	Device      Device
	Browser     Browser
	Place       Place
}

// Part is one of the things about a visit that can be new.
type Part string

// The parts. Combination means that all three are known, never together.
const (
	PartDevice      Part = "device"
	PartPlace       Part = "place"
	PartBrowser     Part = "browser"
	PartCombination Part = "combination"
)

// Effect is what a rule does.
type Effect string

// The two effects.
const (
	Allow  Effect = "allow"
	Refuse Effect = "refuse"
)

// Rule is a pattern over the five, any of them may be open, with an effect,
// an end and an author.
type Rule struct {
	ID string
	// User is one user; Group any member of a group. At most one is set;
	// neither means anybody.
	User, Group string
	// Application is one application; empty means all.
	Application string
	// Device is one device by identifier; Kind all devices of a kind. At
	// most one is set; neither means any device.
	Device string
	Kind   Kind
	// Place and Browser are compared part by part; the zero values mean any.
	Place   PlaceKey
	Browser BrowserKey

	Effect Effect
	// Until is when the rule ends; the zero time means it has no end.
	Until time.Time
	// Author is who made it: an admin's e-mail, "import", "biopass", "pass",
	// "self" or "caddyfile".
	Author  string
	Created time.Time
	// Note is the author's own word about it.
	Note string

	// newer is what a newer version stored in it and this one does not know.
	newer string
}

// Newer returns what a newer version stored in the rule and this one does not
// know. It may narrow the rule: while it is there, the rule allows nothing.
func (r Rule) Newer() string { return r.newer }

// KeepNewer keeps it, so that it is written again with the rule.
func (r *Rule) KeepNewer(fields string) { r.newer = fields }

// Ended reports whether the rule is over at now.
func (r Rule) Ended(now time.Time) bool { return !r.Until.IsZero() && !now.Before(r.Until) }

// Matches reports whether the visit satisfies every field the rule names.
func (r Rule) Matches(v Visit) bool { return r.matches(&v) }

// matches is Matches of what stays where it is: rules and visits are large.
func (r *Rule) matches(v *Visit) bool {
	if r.User != "" && r.User != v.User {
		return false
	}
	if r.Group != "" && !contains(v.Groups, r.Group) {
		return false
	}
	if r.Application != "" && r.Application != v.Application {
		return false
	}
	if r.Device != "" && r.Device != v.Device.ID {
		return false
	}
	if r.Kind != "" && r.Kind != v.Device.Kind {
		return false
	}
	if r.Effect != Allow && r.Place.Prefix != "" && r.Place.Check() != nil {
		// A refusal whose network cannot be read refuses everywhere: an error
		// never lets in.
		return r.Browser.Matches(v.Browser)
	}
	return r.Place.Matches(v.Place) && r.Browser.Matches(v.Browser)
}

// Weight counts the fields that are not "any", 0 to 5: the more, the more
// specific the rule.
func (r Rule) Weight() int {
	n := 0
	for _, named := range []bool{
		r.User != "" || r.Group != "", r.Application != "", r.Device != "" || r.Kind != "",
		!r.Place.Any(), !r.Browser.Any(),
	} {
		if named {
			n++
		}
	}
	return n
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// FoldUser is the form of a user name under which attempts are counted, so
// that spellings of one name share a counter (threat L16). Grants use the
// exact canonical name instead.
func FoldUser(user string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' || unicode.IsSpace(r) || unicode.In(r, unicode.Cf) {
			return -1
		}
		return r
	}, strings.ToLower(user))
}
