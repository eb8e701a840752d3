package adminui

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/lang"
)

// from is a place that people came from, each answered so.
func from(name string, lat, lon float64, side string, users ...string) *seenPlace {
	s := &seenPlace{Where: name, Href: "/connections?place=" + name, users: map[string]struct{}{}}
	s.at = access.Place{City: name, Located: true, Latitude: lat, Longitude: lon}
	for _, u := range users {
		s.users[u] = struct{}{}
	}
	switch side {
	case "in":
		s.in = 1
	case "out":
		s.refused = 1
	default:
		s.wait = 1
	}
	return s
}

func drawn(t *testing.T, query string, list ...*seenPlace) *worldMap {
	t.Helper()
	q, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return (&visit{say: lang.For("en")}).world(list, lensAsked(q, list))
}

func TestAMapOfTheWorld(t *testing.T) {
	laval := from("Laval", 45.57, -73.69, "in", "julie", "fatou", "marc")
	montreal := from("Montréal", 45.5, -73.57, "out", "julie", "samuel")
	lyon := from("Lyon", 45.76, 4.84, "wait", "liat")
	nowhere := &seenPlace{Where: "Unknown", users: map[string]struct{}{"x": {}}}

	if m := drawn(t, "", nowhere); m != nil {
		t.Errorf("a map without a place on it: %+v", m)
	}
	m := drawn(t, "", laval, montreal, lyon, nowhere)
	if len(m.Sets) != 3 || m.Farther != "" || m.Nearer == "" || m.Box != "0.0 15.0 1000.0 400.0" {
		t.Fatalf("the world: %+v", m)
	}
	for _, set := range m.Sets {
		if len(set.Dots) != 2 {
			t.Fatalf("%s: %d dots for two towns next to each other and one far away", set.For, len(set.Dots))
		}
		both, alone := set.Dots[0], set.Dots[1]
		if both.Label != "4" {
			t.Errorf("%s: somebody who came from both towns is counted twice, or not: %s", set.For, both.Label)
		}
		if both.Side != "in" || both.Flag == "" || strings.ReplaceAll(both.Title, "\u00a0", " ") != "Laval and Montréal: 4 people; refused from 1 place" {
			t.Errorf("%s: most get in and one town is refused: %+v", set.For, both)
		}
		if alone.Href != lyon.Href || alone.Side != "wait" || alone.Flag != "" {
			t.Errorf("%s: one place leads to its people: %+v", set.For, alone)
		}
	}
	// From look to look one comes to where the towns lie apart, or to their list.
	at, looks := m.Sets[0].Dots[0].Href, 0
	for ; looks < zoomMost+1; looks++ {
		u, err := url.Parse(at)
		if err != nil || u.Path != "/places" {
			t.Fatalf("leads to %s: %v", at, err)
		}
		if u.Fragment == "seen" {
			break
		}
		m = drawn(t, u.RawQuery, laval, montreal, lyon)
		at = m.Sets[0].Dots[0].Href
		if m.Farther == "" {
			t.Errorf("no way back from %s", u)
		}
		if len(m.Sets[0].Dots) != 1 {
			t.Errorf("%s shows what lies outside: %+v", u, m.Sets[0].Dots)
		}
	}
	if looks > zoomMost || m.Nearer != "" {
		t.Errorf("%d looks, and a nearer one at %q", looks, m.Nearer)
	}
}

func TestALookAtTheMapStaysOnIt(t *testing.T) {
	list := []*seenPlace{from("Laval", 45.57, -73.69, "in", "julie")}
	for query, want := range map[string]string{
		"":                             "0.0 15.0 1000.0 400.0",
		"lat=here&lon=0&zoom=2":        "0.0 15.0 1000.0 400.0",
		"lat=NaN&lon=0&zoom=2":         "0.0 15.0 1000.0 400.0",
		"lat=91&lon=0&zoom=2":          "0.0 15.0 1000.0 400.0",
		"lat=0&lon=0&zoom=-3":          "0.0 15.0 1000.0 400.0",
		"lat=0&lon=0&zoom=1":           "250.0 150.0 500.0 200.0",
		"lat=90&lon=-180&zoom=2":       "0.0 0.0 250.0 100.0",
		"lat=-90&lon=180&zoom=2":       "750.0 400.0 250.0 100.0",
		"lat=0&lon=0&zoom=99":          "468.8 237.5 62.5 25.0",
		"map=near":                     "232.8 98.4 125.0 50.0",
		"map=near&lat=0&lon=0&zoom=99": "232.8 98.4 125.0 50.0",
	} {
		if m := drawn(t, query, list...); m.Box != want {
			t.Errorf("%q shows %s, not %s", query, m.Box, want)
		}
	}
}

func TestDotsOfHundredsOfPlacesNeverCoverEachOther(t *testing.T) {
	var list []*seenPlace
	for i := range 900 {
		lat, lon := float64(i%30)*4-55, float64(i/30)*11.7-170
		list = append(list, from(fmt.Sprint("town ", i), lat, lon, []string{"in", "wait", "out"}[i%3], fmt.Sprint(i), fmt.Sprint(i/2)))
	}
	for _, query := range []string{"", "map=near", "lat=10&lon=20&zoom=1", "lat=10&lon=20&zoom=3"} {
		m := drawn(t, query, list...)
		for _, set := range m.Sets {
			for i, a := range set.Dots {
				for _, b := range set.Dots[:i] {
					if math.Hypot(num(t, a.X)-num(t, b.X), num(t, a.Y)-num(t, b.Y)) < num(t, a.R)+num(t, b.R)-0.05 {
						t.Fatalf("%q, %s: %s and %s", query, set.For, a.Title, b.Title)
					}
				}
			}
		}
	}
}

func num(t *testing.T, text string) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
