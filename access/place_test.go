package access_test

import (
	"testing"

	"github.com/cadenas-gateway/cadenas/access"
)

func TestSamePlaceKey(t *testing.T) {
	cityOnly := access.Place{City: "Laval", Country: "CA", Address: addr("198.51.100.20")}
	countryOnly := access.Place{Country: "CA", Address: addr("198.51.100.20")}
	bare := access.Place{Address: addr("198.51.100.20")}
	six := access.Place{Address: addr("2001:db8:7:55:aaaa::1")}
	for _, c := range []struct {
		name string
		by   access.SamePlace
		in   access.Place
		want string // "unknown" when the place cannot be compared
	}{
		{"a named network is its name", nil, centre, "name=Laval centre"},
		{"elsewhere the city with the owner", nil, home, "city=Laval region=Quebec country=CA owner=Bell Canada"},
		{"the city alone where no owner is known", nil, cityOnly, "city=Laval country=CA"},
		{"a whole country is no place: the prefix", nil, countryOnly, "prefix=198.51.100.0/24"},
		{"without any file the prefix", nil, bare, "prefix=198.51.100.0/24"},
		{"an IPv6 home is a /56, so that a rotating address is not news", nil, six, "prefix=2001:db8:7::/56"},
		{"what is not known at all has no key", nil, adrift, "unknown"},
		{"by address a name does not widen", access.SamePlace{access.SameAddress}, centre, "prefix=203.0.113.7/32"},
		{"by address an IPv6 address is compared whole", access.SamePlace{access.SameAddress}, six, "prefix=2001:db8:7:55:aaaa::1/128"},
		{"by network the name", access.SamePlace{access.SameNetwork}, centre, "name=Laval centre"},
		{"by network the prefix where there is no name", access.SamePlace{access.SameNetwork}, home, "prefix=198.51.100.0/24"},
		{"by city", access.SamePlace{access.SameCity}, home, "city=Laval region=Quebec country=CA"},
		{"by city the prefix where there is none", access.SamePlace{access.SameCity}, countryOnly, "prefix=198.51.100.0/24"},
		{"by country", access.SamePlace{access.SameCountry}, home, "country=CA"},
		{"by owner", access.SamePlace{access.SameOwner}, home, "owner=Bell Canada"},
		{"by country and owner together", access.SamePlace{access.SameCountry, access.SameOwner}, home, "country=CA owner=Bell Canada"},
		{"by city and owner, the owner unknown: the prefix beside the city", access.SamePlace{access.SameCity, access.SameOwner}, cityOnly, "city=Laval country=CA prefix=198.51.100.0/24"},
		{"by address and city, the city unknown: still the whole address", access.SamePlace{access.SameAddress, access.SameCity}, bare, "prefix=198.51.100.20/32"},
		{"by city, address unknown, city known", access.SamePlace{access.SameCity}, access.Place{City: "Laval"}, "city=Laval"},
		{"by country, nothing known", access.SamePlace{access.SameCountry}, access.Place{City: "Laval"}, "unknown"},
		{"by a word that is none, narrower", access.SamePlace{"planet"}, home, "prefix=198.51.100.0/24"},
	} {
		t.Run(c.name, func(t *testing.T) {
			key, ok := c.by.Key(c.in)
			got := key.String()
			if !ok {
				got = "unknown"
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestPlaceKeyMatches(t *testing.T) {
	for _, c := range []struct {
		name, key string
		place     access.Place
		want      bool
	}{
		{"any place is anywhere", "any", abroad, true},
		{"any place is nowhere known too", "any", adrift, true},
		{"a prefix holds its addresses", "prefix=203.0.113.0/24", centre, true},
		{"and no others", "prefix=203.0.113.0/29", access.Place{Address: addr("203.0.113.8")}, false},
		{"a mapped address is inside", "prefix=203.0.113.0/24", access.Place{Address: addr("::ffff:203.0.113.7")}, true},
		{"a mapped prefix is that of IPv4", "prefix=::ffff:203.0.113.0/120", centre, true},
		{"a zone changes nothing", "prefix=fe80::/10", access.Place{Address: addr("fe80::1%eth0")}, true},
		{"an unknown address is in no network", "prefix=0.0.0.0/0", adrift, false},
		{"every part that is named must be equal", "city=Laval country=FR", home, false},
		{"parts are compared whole", "city=Lav", home, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			key, err := access.ParsePlaceKey(c.key)
			if err != nil {
				t.Fatal(err)
			}
			if got := key.Matches(c.place); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
