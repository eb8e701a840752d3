package adminui

import (
	"math"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/books"
)

// knownLimit is how many connections of a person are looked at for what is
// known of them.
const knownLimit = 200

// tooFast is the speed, in kilometres an hour, that nobody travels at; and
// tooFar the distance, in kilometres, below which the data is too coarse to
// say.
const (
	tooFast = 900
	tooFar  = 500
)

// tellKnown adds to a card what is known of the person's connections: since
// when the device comes, when they were last seen and where, and whether they
// could have travelled.
func (v *visit) tellKnown(ask approvals.AccessRequest, card *askCard) error {
	if ask.Person.User == "" {
		return nil
	}
	list, err := v.Books.Connections.Of(v.ctx(), ask.Application, ask.Person.User, knownLimit)
	if err != nil {
		return err
	}
	var last, device, place books.Connection
	for _, c := range list {
		if c.Last.After(ask.Opened) || c.Answer != access.LetIn {
			continue // their own asking, or never let in: says nothing about them
		}
		if c.Last.After(last.Last) {
			last = c
		}
		if ask.Device.ID != "" && c.Device.ID == ask.Device.ID && c.Last.After(device.Last) {
			device = c
		}
		if samePlace(c.Place, ask.Place) && c.Last.After(place.Last) {
			place = c
		}
	}
	if last.ID == "" {
		card.Known = append(card.Known, v.say.Text("requests.known.never", "application", card.Application))
		return nil
	}
	card.Known = append(card.Known, v.knownFacts(last, device, place)...)
	if km, hours, far := travelled(last, ask.Place, ask.Opened); far {
		where, _ := v.say.PlaceLines(placeParts(ask.Place))
		before, _ := v.say.PlaceLines(placeParts(last.Place))
		card.Alarm = v.say.Text("requests.far", "place", where, "km", int(km), "before", before, "time", v.say.Duration(hours))
	}
	return nil
}

// knownFacts says when they were last let in, on this device and from this
// place, each visit once: where two of the three are one, one sentence says so.
// Device and place have no identifier where there was none.
func (v *visit) knownFacts(last, device, place books.Connection) []string {
	when := func(c books.Connection) string { return v.say.When(c.Last, v.now) }
	where, _ := v.say.PlaceLines(placeParts(last.Place))
	with := v.say.Device(string(last.Device.Kind), last.Device.Label)
	var facts []string
	switch {
	case device.ID != "" && device.ID == place.ID:
		return []string{v.say.Text("requests.known.both", "when", when(device))}
	case device.ID == last.ID && place.ID == "":
		return []string{v.say.Text("requests.known.device.at", "when", when(device), "place", where)}
	case place.ID == last.ID && device.ID == "":
		return []string{v.say.Text("requests.known.place.on", "when", when(place), "device", with)}
	}
	if device.ID != "" {
		facts = append(facts, v.say.Text("requests.known.device", "when", when(device)))
	}
	if place.ID != "" {
		facts = append(facts, v.say.Text("requests.known.place", "when", when(place)))
	}
	if device.ID == "" || place.ID == "" {
		facts = append(facts, v.say.Text("requests.known.last", "place", where, "when", when(last), "device", with))
	}
	return facts
}

// samePlace is the reader's notion, not the rule's: one name, else one city.
func samePlace(a, b access.Place) bool {
	if a.Name != "" || b.Name != "" {
		return a.Name == b.Name
	}
	return a.City != "" && a.City == b.City && a.Country == b.Country
}

// travelled tells the distance in kilometres from a connection to a place, the
// time for it, and whether nobody travels that fast.
func travelled(from books.Connection, to access.Place, at time.Time) (km float64, in time.Duration, tooFastFor bool) {
	if !from.Place.Located || !to.Located {
		return 0, 0, false
	}
	km = distance(from.Place, to)
	km = math.Round(km/100) * 100
	in = at.Sub(from.Last)
	return km, in.Round(time.Minute), km >= tooFar && in >= 0 && km > tooFast*in.Hours()
}

// distance is the great-circle distance in kilometres (the haversine formula
// on a sphere of 6,371 km).
func distance(a, b access.Place) float64 {
	rad := func(d float64) float64 { return d * math.Pi / 180 }
	dLat, dLon := rad(b.Latitude-a.Latitude), rad(b.Longitude-a.Longitude)
	h := math.Pow(math.Sin(dLat/2), 2) + math.Cos(rad(a.Latitude))*math.Cos(rad(b.Latitude))*math.Pow(math.Sin(dLon/2), 2)
	return 2 * 6371 * math.Asin(math.Min(1, math.Sqrt(h)))
}
