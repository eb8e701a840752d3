package adminui

import (
	"fmt"
	"math"
)

// The map is equirectangular, 1,000 wide and 500 high for the whole world:
// x = (longitude + 180) / 0.36, y = (90 - latitude) / 0.36.

// mapView is a part of the world with dots on it.
type mapView struct {
	// Box is the viewBox that holds all dots.
	Box  string
	Dots []mapDot
}

// mapDot is one or several places near each other.
type mapDot struct {
	X, Y, R             string
	BoxX, BoxY, Size    string
	Label, LabelY, Text string
	Side, Title         string
}

// mapOf draws places; nil where none of them can be put on a map.
func mapOf(list []personPlace) *mapView {
	var m mapView
	minX, minY, maxX, maxY := 1000.0, 500.0, 0.0, 0.0
	for _, p := range list {
		if p.at.Located {
			x, y := (p.at.Longitude+180)/0.36, (90-p.at.Latitude)/0.36
			minX, maxX, minY, maxY = min(minX, x), max(maxX, x), min(minY, y), max(maxY, y)
		}
	}
	// Some land around them, twice as wide as high, and never closer than half a
	// continent: where somebody lives to the street is nobody's business.
	width := min(max((maxX-minX)*1.35, (maxY-minY)*1.35*2, 150), 1000)
	height := width / 2
	left := min(max((minX+maxX-width)/2, 0), 1000-width)
	top := min(max((minY+maxY-height)/2, 0), 500-height)
	m.Box = fmt.Sprintf("%.1f %.1f %.1f %.1f", left, top, width, height)
	return m.dots(list, width/520, func(personPlace) float64 { return 11 }) // a unit is about a pixel as drawn
}

// dots puts places on the map, those that would cover each other as one.
func (m *mapView) dots(list []personPlace, unit float64, radius func(personPlace) float64) *mapView {
	type spot struct {
		x, y   float64
		places []personPlace
	}
	var apart []*spot
	for _, p := range list {
		if !p.at.Located {
			continue
		}
		x, y := (p.at.Longitude+180)/0.36, (90-p.at.Latitude)/0.36
		joined := false
		for _, q := range apart {
			if math.Hypot(x-q.x, y-q.y) < 16*unit {
				q.places, joined = append(q.places, p), true
				break
			}
		}
		if !joined {
			apart = append(apart, &spot{x, y, []personPlace{p}})
		}
	}
	if len(apart) == 0 {
		return nil
	}
	num := func(f float64) string { return fmt.Sprintf("%.2f", f) }
	for _, p := range apart {
		d := mapDot{Side: p.places[0].Side, Title: p.places[0].words(), Label: fmt.Sprint(p.places[0].Number)}
		r := radius(p.places[0]) * unit
		for _, x := range p.places[1:] {
			if x.Side == "out" || (x.Side == "wait" && d.Side == "in") {
				d.Side = x.Side
			}
			d.Title += ", " + x.words()
			d.Label = fmt.Sprintf("%d+", p.places[0].Number)
			r = max(r, radius(x)*unit)
		}
		text := min(r*1.1, 12*unit)
		d.X, d.Y, d.R, d.Size, d.Text = num(p.x), num(p.y), num(r), num(2*r), num(text)
		d.BoxX, d.BoxY, d.LabelY = num(p.x-r), num(p.y-r), num(p.y+text*0.36)
		m.Dots = append(m.Dots, d)
	}
	return m
}

// words are what a dot is called.
func (p personPlace) words() string {
	if p.Title != "" {
		return p.Title
	}
	return p.Where
}
