package access

import (
	"net/netip"
	"strings"
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
	prefix, err := netip.ParsePrefix(k.Prefix)
	return err == nil && p.Address.IsValid() && prefix.Contains(p.Address)
}

// String is the key in one line, for logs and the command line:
// "name=Office", "city=Laval region=Quebec country=CA owner=Bell Canada".
func (k PlaceKey) String() string {
	var parts []string
	for _, f := range []struct{ name, value string }{
		{"name", k.Name}, {"city", k.City}, {"region", k.Region}, {"country", k.Country},
		{"owner", k.Owner}, {"prefix", k.Prefix},
	} {
		if f.value != "" {
			parts = append(parts, f.name+"="+f.value)
		}
	}
	return strings.Join(parts, " ")
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
// network's name, else city with owner, else country with owner, else the
// prefix (a /24 of IPv4, a /56 of IPv6).
type SamePlace []Same

// Key returns what is compared of p, and false when the place is unknown: an
// unknown place equals nothing, not even another unknown one.
func (s SamePlace) Key(p Place) (PlaceKey, bool) {
	if len(s) == 0 {
		return defaultKey(p)
	}
	var k PlaceKey
	for _, part := range s {
		switch part {
		case SameAddress:
			k.Prefix = prefixOf(p.Address, 32, 128)
			if k.Prefix == "" {
				return PlaceKey{}, false
			}
		case SameNetwork:
			if p.Name != "" {
				k.Name = p.Name
			} else if k.Prefix == "" {
				if k.Prefix = prefixOf(p.Address, 24, 56); k.Prefix == "" {
					return PlaceKey{}, false
				}
			}
		case SameCity:
			if p.Name != "" {
				k.Name = p.Name
			} else if p.City == "" {
				return prefixKey(p)
			} else {
				k.City, k.Region, k.Country = p.City, p.Region, p.Country
			}
		case SameCountry:
			if p.Name != "" {
				k.Name = p.Name
			} else if p.Country == "" {
				return prefixKey(p)
			} else {
				k.Country = p.Country
			}
		case SameOwner:
			if p.Name != "" {
				k.Name = p.Name
			} else if p.Owner == "" {
				return prefixKey(p)
			} else {
				k.Owner = p.Owner
			}
		}
	}
	return k, !k.Any()
}

func defaultKey(p Place) (PlaceKey, bool) {
	switch {
	case p.Name != "":
		return PlaceKey{Name: p.Name}, true
	case p.City != "":
		return PlaceKey{City: p.City, Region: p.Region, Country: p.Country, Owner: p.Owner}, true
	case p.Country != "":
		return PlaceKey{Country: p.Country, Owner: p.Owner}, true
	}
	return prefixKey(p)
}

func prefixKey(p Place) (PlaceKey, bool) {
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
