package access

import (
	"fmt"
	"net/netip"
	"slices"
)

// Place is where a request came from, as far as it is known.
type Place struct {
	// Name is that of a named network ("Office"), empty elsewhere.
	Name string
	// NameFor is the user the name is for ("home" of one person); empty when
	// the name is for everybody.
	NameFor string
	// City and Region are names in English; Country is the ISO 3166-1
	// alpha-2 code.
	City, Region, Country string
	// Owner is the network owner ("Bell Canada").
	Owner string
	// Address is the client's, unmapped and without zone; invalid when it
	// could not be read.
	Address netip.Addr
	// Latitude and Longitude are degrees, meaningful when Located.
	Latitude, Longitude float64
	Located             bool
	// Private says that the address is a private, loopback or link-local one.
	Private bool
}

// PlaceKey is what is compared of a place. Every part that is set must be
// equal; the zero value means any place.
type PlaceKey struct {
	Name    string
	City    string
	Region  string
	Country string
	Owner   string
	// Prefix is a network prefix in text ("203.0.113.0/24"), or one address
	// as a full-length prefix.
	Prefix string
}

// Any reports whether the key leaves the place open.
func (k PlaceKey) Any() bool { return k == PlaceKey{} }

// Matches reports whether p satisfies every part that k names. A place that
// is unknown matches only the key that names nothing.
func (k PlaceKey) Matches(p Place) bool {
	if (k.Name != "" && k.Name != p.Name) || (k.City != "" && k.City != p.City) ||
		(k.Region != "" && k.Region != p.Region) || (k.Country != "" && k.Country != p.Country) ||
		(k.Owner != "" && k.Owner != p.Owner) {
		return false
	}
	if k.Prefix == "" {
		return true
	}
	prefix, err := parsePrefix(k.Prefix)
	return err == nil && prefix.Contains(p.Address.Unmap().WithZone(""))
}

// Check returns an error where the key's prefix is not a network.
func (k PlaceKey) Check() error {
	if k.Prefix == "" {
		return nil
	}
	_, err := parsePrefix(k.Prefix)
	return err
}

// parsePrefix reads a network, or an address as a full-length one. An
// IPv4-mapped network is that of IPv4, and host bits are dropped, so that one
// network has one spelling.
func parsePrefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a network like 203.0.113.0/24", text)
	}
	if a := p.Addr(); a.Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, fmt.Errorf("%q is wider than all of IPv4: write 0.0.0.0/0", text)
		}
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}

// For returns the place as it is for one user: a name given for somebody else
// is no name.
func (p Place) For(user string) Place {
	if p.NameFor != "" && p.NameFor != user {
		p.Name, p.NameFor = "", ""
	}
	return p
}

// Same is one way to tell whether two places are the same.
type Same string

// The ways of `same place`.
const (
	SameAddress Same = "address"
	SameNetwork Same = "network"
	SameCity    Same = "city"
	SameCountry Same = "country"
	SameOwner   Same = "owner"
)

// SamePlace is an application's `same place` list. Empty means the default: the
// network's name, else city with owner (the city alone where no file tells
// owners), else country with owner, else the prefix (a /24 of IPv4, a /56 of
// IPv6).
type SamePlace []Same

// Key returns what is compared of p, and false when the place is unknown: an
// unknown place equals nothing, not even another unknown one. A network that
// has a name is compared by it, except by address; a part of the list that is
// not known of p is replaced by the prefix, which is narrower.
func (s SamePlace) Key(p Place) (PlaceKey, bool) {
	if len(s) == 0 {
		return defaultKey(p)
	}
	var k PlaceKey
	whole, near := false, false // the address asked for; the prefix instead of a part
	for _, part := range s {
		known := false
		switch {
		case part == SameAddress:
			whole, known = true, true
		case p.Name != "" && slices.Contains(Sames, part):
			k.Name, known = p.Name, true
		case part == SameCity && p.City != "":
			k.City, k.Region, k.Country, known = p.City, p.Region, p.Country, true
		case part == SameCountry && p.Country != "":
			k.Country, known = p.Country, true
		case part == SameOwner && p.Owner != "":
			k.Owner, known = p.Owner, true
		}
		near = near || !known
	}
	switch {
	case whole:
		k.Prefix = prefixOf(p.Address, 32, 128)
	case near:
		k.Prefix = prefixOf(p.Address, 24, 56)
	}
	return k, k.Prefix != "" || (!whole && !near)
}

func defaultKey(p Place) (PlaceKey, bool) {
	switch {
	case p.Name != "":
		return PlaceKey{Name: p.Name}, true
	case p.City != "":
		return PlaceKey{City: p.City, Region: p.Region, Country: p.Country, Owner: p.Owner}, true
	case p.Country != "" && p.Owner != "":
		return PlaceKey{Country: p.Country, Owner: p.Owner}, true
	}
	text := prefixOf(p.Address, 24, 56)
	return PlaceKey{Prefix: text}, text != ""
}

// prefixOf is the network of a in text, "" for an address that is unknown.
// Providers hand one home a /56 of IPv6, so a rotating address stays inside.
func prefixOf(a netip.Addr, bits4, bits6 int) string {
	a = a.Unmap().WithZone("")
	if !a.IsValid() {
		return ""
	}
	bits := bits6
	if a.Is4() {
		bits = bits4
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}
