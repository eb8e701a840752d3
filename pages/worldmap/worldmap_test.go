package worldmap

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"testing"
)

func draw(t *testing.T, latitude, longitude float64) image.Image {
	t.Helper()
	raw, err := PNG(latitude, longitude)
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) > 40<<10 {
		t.Errorf("%v, %v: %d bytes are much for a mail", latitude, longitude, len(raw))
	}
	picture, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if b := picture.Bounds(); b.Dx() != Width*dense || b.Dy() != Height*dense {
		t.Fatalf("%v", b)
	}
	return picture
}

// share is how much of a picture is land.
func share(picture image.Image) float64 {
	painted, all := 0, 0
	for y := range picture.Bounds().Dy() {
		for x := range picture.Bounds().Dx() {
			if _, _, _, a := picture.At(x, y).RGBA(); a > 0x4000 {
				painted++
			}
			all++
		}
	}
	return float64(painted) / float64(all)
}

func TestAPlaceIsADotOnTheLandAroundIt(t *testing.T) {
	for _, c := range []struct {
		name                string
		latitude, longitude float64
		least, most         float64
	}{
		{"Laval, with the ocean beside it", 45.6, -73.7, 0.4, 0.9},
		{"the middle of Asia is all land", 47, 88, 0.97, 1},
		{"the middle of the Pacific is none", -5, -135, 0, 0.02},
		{"Fiji, where the map ends", -17.7, 178, 0, 0.05},
		{"Chukotka, on the other side of that end", 66, -175, 0.2, 0.9},
		{"the South Pole", -90, 0, 0.6, 1},
		{"the North Pole", 90, 0, 0, 0.6},
	} {
		t.Run(c.name, func(t *testing.T) {
			picture := draw(t, c.latitude, c.longitude)
			if got := share(picture); got < c.least || got > c.most {
				t.Errorf("%.2f of it is land, not %.2f to %.2f", got, c.least, c.most)
			}
			found := false
			for y := range picture.Bounds().Dy() {
				for x := range picture.Bounds().Dx() {
					found = found || picture.At(x, y) == color.Color(dot)
				}
			}
			if !found {
				t.Error("there is no dot")
			}
		})
	}
}

// What is no land is not painted: on a dark ground a mail stays dark.
func TestTheSeaIsTheGroundOfTheMail(t *testing.T) {
	picture := draw(t, -5, -135)
	if _, _, _, a := picture.At(2, 2).RGBA(); a != 0 {
		t.Error("the sea is painted")
	}
}

func TestNoPlaceIsNoMap(t *testing.T) {
	for _, c := range [][2]float64{{91, 0}, {0, 181}, {math.NaN(), 0}, {0, math.Inf(1)}} {
		if _, err := PNG(c[0], c[1]); err == nil {
			t.Errorf("%v is drawn", c)
		}
	}
}
