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
	X, Y, R string
	Label   string
	LabelY  string
	Size    string
	Side    string
	Title   string
}

// mapOf draws places; nil where none of them can be put on a map.
func mapOf(list []personPlace) *mapView {
	var m mapView
	minX, minY, maxX, maxY := 1000.0, 500.0, 0.0, 0.0
	type point struct {
		x, y   float64
		places []personPlace
	}
	var points []*point
	for _, p := range list {
		if !p.at.Located {
			continue
		}
		x, y := (p.at.Longitude+180)/0.36, (90-p.at.Latitude)/0.36
		minX, maxX, minY, maxY = min(minX, x), max(maxX, x), min(minY, y), max(maxY, y)
		points = append(points, &point{x, y, []personPlace{p}})
	}
	if len(points) == 0 {
		return nil
	}
	// Some land around them, twice as wide as high, and never closer than half a
	// continent: where somebody lives to the street is nobody's business.
	width := max((maxX-minX)*1.35, (maxY-minY)*1.35*2, 150)
	width = min(width, 1000)
	height := width / 2
	left := min(max((minX+maxX-width)/2, 0), 1000-width)
	top := min(max((minY+maxY-height)/2, 0), 500-height)
	m.Box = fmt.Sprintf("%.1f %.1f %.1f %.1f", left, top, width, height)
	unit := width / 520 // one pixel of the map as drawn, about
	near := 16 * unit
	var apart []*point
	for _, p := range points {
		joined := false
		for _, q := range apart {
			if math.Hypot(p.x-q.x, p.y-q.y) < near {
				q.places, joined = append(q.places, p.places...), true
				break
			}
		}
		if !joined {
			apart = append(apart, p)
		}
	}
	for _, p := range apart {
		d := mapDot{Side: p.places[0].Side, Title: p.places[0].Where, Label: fmt.Sprint(p.places[0].Number)}
		for _, x := range p.places[1:] {
			if x.Side == "out" || (x.Side == "wait" && d.Side == "in") {
				d.Side = x.Side
			}
			d.Title += ", " + x.Where
			d.Label = fmt.Sprintf("%d+", p.places[0].Number)
		}
		num := func(f float64) string { return fmt.Sprintf("%.2f", f) }
		d.X, d.Y, d.R, d.Size, d.LabelY = num(p.x), num(p.y), num(11*unit), num(12*unit), num(p.y+4.2*unit)
		m.Dots = append(m.Dots, d)
	}
	return &m
}
