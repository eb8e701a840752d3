package places

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// record is what one entry of a file tells, in our words.
type record struct {
	city, region, country, owner string
	latitude, longitude          float64
	located                      bool
}

func (r *record) empty() bool { return *r == record{} }

// maxText bounds what is taken from a file; the longest real city has 58
// letters, the longest owner about 100.
const maxText = 120

// newRecord reads an entry. Two layouts are about: MaxMind's, with names by
// language (city.names.en, country.iso_code, location.latitude), which DB-IP's
// own files share; and flat ones (city, country_code, latitude), by which the
// free collections and some vendors write.
func newRecord(m map[string]any) record {
	r := record{
		city:    firstText(name(m["city"]), text(m["city_name"])),
		region:  firstText(subdivision(m["subdivisions"]), text(m["region"]), text(m["region_name"]), text(m["state1"]), text(m["state"]), text(m["stateprov"])),
		country: firstText(country(m["country"]), country(m["country_code"]), country(m["country_iso_code"]), country(m["registered_country"])),
		owner: firstText(text(m["autonomous_system_organization"]), text(m["as_organization"]), text(m["as_name"]), text(m["organization"]),
			text(m["isp"]), text(m["asn_name"])),
	}
	if traits, ok := m["traits"].(map[string]any); ok && r.owner == "" {
		r.owner = firstText(text(traits["autonomous_system_organization"]), text(traits["isp"]), text(traits["organization"]))
	}
	where := m
	if location, ok := m["location"].(map[string]any); ok {
		where = location
	}
	lat, okLat := number(where["latitude"], where["lat"])
	lon, okLon := number(where["longitude"], where["lng"], where["lon"])
	if okLat && okLon && math.Abs(lat) <= 90 && math.Abs(lon) <= 180 && (lat != 0 || lon != 0) {
		r.latitude, r.longitude, r.located = lat, lon, true
	}
	return r
}

// name is a name in English, from either layout.
func name(v any) string {
	if m, ok := v.(map[string]any); ok {
		names, _ := m["names"].(map[string]any)
		if english := text(names["en"]); english != "" {
			return english
		}
		return text(m["name"])
	}
	return text(v)
}

func subdivision(v any) string {
	if list, ok := v.([]any); ok && len(list) > 0 {
		return name(list[0])
	}
	return ""
}

// country is a code of two letters, or "".
func country(v any) string {
	if m, ok := v.(map[string]any); ok {
		v = m["iso_code"]
	}
	code := strings.ToUpper(text(v))
	if len(code) != 2 || code[0] < 'A' || code[0] > 'Z' || code[1] < 'A' || code[1] > 'Z' || code == "ZZ" || code == "XX" {
		return ""
	}
	return code
}

// text cleans what a file says: it ends up on pages and in mails (threat
// L14), so control and direction characters go, and a dash that stands for
// nothing is nothing.
func text(v any) string {
	s, ok := v.(string)
	if !ok || s == "" || s == "-" {
		return ""
	}
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Co) {
			return -1
		}
		return r
	}, s))
	if len(s) > maxText {
		cut := maxText
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = strings.TrimSpace(s[:cut])
	}
	return s
}

func firstText(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

func number(list ...any) (float64, bool) {
	for _, v := range list {
		var f float64
		switch n := v.(type) {
		case float64:
			f = n
		case float32:
			f = float64(n)
		case int32:
			f = float64(n)
		case uint64:
			f = float64(n)
		default:
			continue
		}
		if !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f, true
		}
	}
	return 0, false
}

// merge takes over from o what r lacks. City, region, country and point
// belong together: they are taken from the more detailed record, and
// completed only by one that does not contradict it.
func (r *record) merge(o *record) {
	if r.owner == "" {
		r.owner = o.owner
	}
	switch {
	case r.city == "" && o.city != "" && (r.country == "" || o.country == "" || r.country == o.country):
		owner := r.owner
		older := *r
		*r = *o
		r.owner = owner
		r.country = firstText(r.country, older.country)
		r.region = firstText(r.region, older.region)
	case r.country == "" && (r.city == "" || o.city == "" || r.city == o.city):
		r.country = o.country
	case o.country != "" && r.country != o.country:
		return
	}
	if r.region == "" && (r.city == o.city || r.city == "") {
		r.region = o.region
	}
	if !r.located && o.located && (r.city == o.city || r.city == "") {
		r.latitude, r.longitude, r.located = o.latitude, o.longitude, true
	}
}
