package adminui

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	// worldLeft to worldTall are the whole world but the ice, in units of the
	// map (see map.go); a closer look has the same shape.
	worldTop, worldWide, worldShape = 15.0, 1000.0, 0.4
	// zoomMost is the closest look: a 16th of the world, a few countries. Where
	// somebody lives to the street is nobody's business.
	zoomMost = 4
	// dotNames is how many places of one dot its title names.
	dotNames = 3
)

// worldMap is the world, or a part of it, with who came from where.
type worldMap struct {
	Box string
	// Sets are the same dots for each width that the map is drawn with: what
	// lies apart on a desk is one on a phone.
	Sets []worldSet
	// Nearer and Farther lead to the next look; empty for none.
	Nearer, Farther string
	lens            lens
}

// worldSet are the dots for one width.
type worldSet struct {
	For  string // wide, mid or narrow
	Dots []worldDot
}

// worldDot is one place, or several that would cover each other.
type worldDot struct {
	X, Y, R, Hit     string
	BoxX, BoxY, Size string
	Round            string
	// Flag is the side of the square that tells of a refusal; empty for none.
	Flag, FlagX, FlagY string
	LabelY, Text       string
	Label, Side, Title string
	// Href leads to who came from there, or closer to several places.
	Href string
}

// lens is the part of the map that is looked at.
type lens struct{ left, top, width float64 }

func (l lens) box() string {
	return fmt.Sprintf("%.1f %.1f %.1f %.1f", l.left, l.top, l.width, l.width*worldShape)
}

func (l lens) middle() (x, y float64) { return l.left + l.width/2, l.top + l.width*worldShape/2 }

func (l lens) holds(x, y float64) bool {
	return x >= l.left && x <= l.left+l.width && y >= l.top && y <= l.top+l.width*worldShape
}

// zoom is how many times the world was halved to get here.
func (l lens) zoom() int { return int(math.Round(math.Log2(worldWide / l.width))) }

// lensAt is a look at a point; zoom 0 is the whole world.
func lensAt(x, y float64, zoom int) lens {
	if zoom <= 0 {
		return lens{0, worldTop, worldWide}
	}
	return lensOf(x, y, worldWide/math.Exp2(float64(min(zoom, zoomMost))))
}

func lensOf(x, y, width float64) lens {
	high := width * worldShape
	return lens{min(max(x-width/2, 0), worldWide-width), min(max(y-high/2, 0), 500-high), width}
}

// lensAsked is what an address asks for: map=near is a look that just holds all
// places; lat, lon and zoom say where else. Anything else is the world.
func lensAsked(q url.Values, list []*seenPlace) lens {
	if q.Get("map") == "near" {
		return lensNear(list)
	}
	lat, err := strconv.ParseFloat(q.Get("lat"), 64)
	lon, err2 := strconv.ParseFloat(q.Get("lon"), 64)
	zoom, err3 := strconv.Atoi(q.Get("zoom"))
	if err != nil || err2 != nil || err3 != nil || !(math.Abs(lat) <= 90 && math.Abs(lon) <= 180) {
		return lensAt(0, 0, 0)
	}
	return lensAt((lon+180)/0.36, (90-lat)/0.36, zoom)
}

// lensNear holds all places, with some land around them.
func lensNear(list []*seenPlace) lens {
	minX, minY, maxX, maxY := worldWide, 500.0, 0.0, 0.0
	for _, p := range list {
		if x, y, ok := p.point(); ok {
			minX, maxX, minY, maxY = min(minX, x), max(maxX, x), min(minY, y), max(maxY, y)
		}
	}
	if minX > maxX {
		return lensAt(0, 0, 0)
	}
	width := max((maxX-minX)*1.35, (maxY-minY)*1.35/worldShape, worldWide/math.Exp2(zoomMost-1))
	if width >= worldWide {
		return lensAt(0, 0, 0)
	}
	return lensOf((minX+maxX)/2, (minY+maxY)/2, width)
}

// point is where a place lies on the map, where that is known.
func (s *seenPlace) point() (x, y float64, known bool) {
	return (s.at.Longitude + 180) / 0.36, (90 - s.at.Latitude) / 0.36, s.at.Located
}

// side says how those who came from a place were answered.
func (s *seenPlace) side() string {
	switch {
	case s.in > 0:
		return "in"
	case s.refused > 0:
		return "out"
	}
	return "wait"
}

// look is the address of a look at the map.
func look(x, y float64, zoom int) string {
	if zoom <= 0 {
		return "/places"
	}
	return fmt.Sprintf("/places?lat=%.2f&lon=%.2f&zoom=%d", 90-y*0.36, x*0.36-180, min(zoom, zoomMost))
}

// world draws what the lens shows; nil where no place can be put on a map.
func (v *visit) world(list []*seenPlace, l lens) *worldMap {
	if !slices.ContainsFunc(list, func(s *seenPlace) bool { return s.at.Located }) {
		return nil
	}
	m := &worldMap{Box: l.box(), lens: l}
	x, y := l.middle()
	if l.width >= worldWide {
		x, y = lensNear(list).middle()
	}
	zoom := int(math.Floor(math.Log2(worldWide/l.width) + 0.01))
	if zoom < zoomMost {
		m.Nearer = look(x, y, zoom+1)
	}
	if l.width < worldWide {
		m.Farther = look(x, y, l.zoom()-1)
	}
	// A unit is about a pixel of the map as a desk, a tablet and a phone draw it;
	// what a thumb presses lies farther apart.
	for _, set := range []struct {
		name        string
		unit, apart float64
	}{{"wide", 1, 24}, {"mid", 1.7, 30}, {"narrow", 2.9, 44}} {
		unit := set.unit * l.width / worldWide
		found := worldSet{For: set.name}
		for _, s := range spotsOf(list, l, unit, set.apart*unit) {
			found.Dots = append(found.Dots, v.worldDot(s, l, unit, set.apart/2*unit))
		}
		m.Sets = append(m.Sets, found)
	}
	return m
}

// spot is one dot before it is drawn: at the place most people came from.
type spot struct {
	x, y, r float64
	places  []*seenPlace
	users   map[string]struct{}
}

func (s *spot) join(other *spot, unit float64) {
	s.places = append(s.places, other.places...)
	for u := range other.users {
		s.users[u] = struct{}{}
	}
	s.size(unit)
}

// size is by the people, from what a pointer hits up to what still shows the
// land.
func (s *spot) size(unit float64) { s.r = min(9.5+2.5*math.Sqrt(float64(len(s.users))), 24) * unit }

// spotsOf puts places on the map, those that would cover each other as one. The
// list begins with the place that most people came from.
func spotsOf(list []*seenPlace, l lens, unit, apart float64) []*spot {
	var spots []*spot
	cells := map[[2]int]*spot{}
	for _, p := range list {
		x, y, known := p.point()
		if !known || !l.holds(x, y) {
			continue
		}
		one := &spot{x: x, y: y, places: []*seenPlace{p}, users: map[string]struct{}{}}
		for u := range p.users {
			one.users[u] = struct{}{}
		}
		one.size(unit)
		// Cells keep the pairs few, however many places there are.
		cell := [2]int{int(x / apart), int(y / apart)}
		if cells[cell] != nil {
			cells[cell].join(one, unit)
			continue
		}
		cells[cell] = one
		spots = append(spots, one)
	}
	for again := true; again; {
		again = false
		for i := 0; i < len(spots); i++ {
			for j := i + 1; j < len(spots); j++ {
				a, b := spots[i], spots[j]
				if math.Hypot(a.x-b.x, a.y-b.y) < max(a.r+b.r, apart) {
					a.join(b, unit)
					spots = slices.Delete(spots, j, j+1)
					again = true
					j--
				}
			}
		}
	}
	return spots
}

// worldDot draws a spot. Of several places it shows how most of the people are
// answered, and a small square where others are refused: none is hidden.
func (v *visit) worldDot(s *spot, l lens, unit, hit float64) worldDot {
	num := func(f float64) string { return fmt.Sprintf("%.2f", f) }
	text := min(s.r, 13*unit)
	d := worldDot{
		X: num(s.x), Y: num(s.y), R: num(s.r), Size: num(2 * s.r), BoxX: num(s.x - s.r), BoxY: num(s.y - s.r),
		Hit: num(max(s.r, hit)), Round: num(3 * unit), Text: num(text), LabelY: num(s.y + text*0.36),
		Label: v.say.Number(int64(len(s.users))), Side: s.places[0].side(), Href: s.places[0].Href,
	}
	var names []string
	sides, refused := map[string]int{}, 0
	minX, minY, maxX, maxY := s.x, s.y, s.x, s.y
	for _, p := range s.places {
		if sides[p.side()] += len(p.users); p.side() == "out" {
			refused++
		}
		if len(names) < dotNames && !slices.Contains(names, p.Where) {
			names = append(names, p.Where)
		}
		x, y, _ := p.point()
		minX, maxX, minY, maxY = min(minX, x), max(maxX, x), min(minY, y), max(maxY, y)
	}
	for _, side := range []string{"out", "wait", "in"} {
		if sides[side] > sides[d.Side] {
			d.Side = side
		}
	}
	where := v.say.List(names)
	if more := len(s.places) - len(names); more > 0 {
		where = v.say.Text("places.dot.more", "places", strings.Join(names, ", "), "count", more)
	}
	d.Title = v.say.Text("places.dot", "place", where, "people", v.say.Text("people.count", "count", len(s.users)))
	if refused > 0 && d.Side != "out" {
		side := 9 * unit
		d.Flag, d.FlagX, d.FlagY = num(side), num(s.x+s.r*0.7-side/2), num(s.y-s.r*0.7-side/2)
		d.Title = v.say.Text("places.dot.out", "dot", d.Title, "count", refused)
	}
	if len(s.places) > 1 {
		d.Href = closer(minX, minY, maxX, maxY, l)
	}
	return d
}

// closer leads to where several places lie apart, or, where no look is close
// enough for that, to the list of them.
func closer(minX, minY, maxX, maxY float64, l lens) string {
	x, y := (minX+maxX)/2, (minY+maxY)/2
	wide := max(maxX-minX, (maxY-minY)/worldShape)
	zoom := l.zoom() + 1
	for zoom < zoomMost && wide < worldWide/math.Exp2(float64(zoom))/6 {
		zoom++
	}
	if zoom > zoomMost {
		return look(x, y, zoomMost) + "#seen"
	}
	return look(x, y, zoom)
}
