// Package worldmap draws where a place is, on the outlines of the world: for
// mails, which show no page of ours and ask no other server for a picture.
package worldmap

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"regexp"
	"slices"
	"strconv"
	"sync"
)

// Files holds land.svg, the outlines of land: Natural Earth's 1:110m land,
// public domain, in an equirectangular projection, 1,000 wide and 500 high
// for the whole world.
//
//go:embed land.svg
var Files embed.FS

// The picture is twice as large as it is shown, for dense screens.
const (
	// Width and Height are what it is shown with, in CSS pixels.
	Width, Height = 520, 140
	dense         = 2
	pixelsX       = Width * dense
	pixelsY       = Height * dense
	// around is how much of the world is shown, in units of land.svg: half a
	// continent. Where somebody lives to the street is nobody's business.
	around = 170.0
	// lines are drawn for each row of pixels: its edges become soft.
	lines = 4
)

// The colours read on a light and on a dark ground: what is no land is not
// painted at all.
var (
	land = color.NRGBA{0x86, 0x94, 0x8b, 0x8c}
	ring = color.NRGBA{0x1c, 0x15, 0x03, 0xff}
	dot  = color.NRGBA{0xdc, 0xa6, 0x3c, 0xff}
)

type point struct{ x, y float64 }

var number = regexp.MustCompile(`[MLZ]|-?\d+(?:\.\d+)?`)

// outlines are the closed lines of land.svg.
var outlines = sync.OnceValues(func() ([][]point, error) {
	raw, err := Files.ReadFile("land.svg")
	if err != nil {
		return nil, err
	}
	_, path, _ := bytes.Cut(raw, []byte(` d="`))
	path, _, ok := bytes.Cut(path, []byte(`"`))
	if !ok {
		return nil, fmt.Errorf("land.svg has no path")
	}
	var all [][]point
	var line []point
	var x float64
	second := false
	for _, word := range number.FindAll(path, -1) {
		switch word[0] {
		case 'M', 'Z':
			if len(line) > 2 {
				all = append(all, line)
			}
			line, second = nil, false
		case 'L':
		default:
			n, err := strconv.ParseFloat(string(word), 64)
			if err != nil {
				return nil, fmt.Errorf("land.svg: %w", err)
			}
			if second {
				line = append(line, point{x, n})
			}
			x, second = n, !second
		}
	}
	return all, nil
})

// PNG is a picture of the land around a place, with a dot on it. Latitude and
// longitude are in degrees; an error says that they are none.
func PNG(latitude, longitude float64) ([]byte, error) {
	if math.IsNaN(latitude+longitude) || math.Abs(latitude) > 90 || math.Abs(longitude) > 180 {
		return nil, fmt.Errorf("%v, %v is no place on the earth", latitude, longitude)
	}
	all, err := outlines()
	if err != nil {
		return nil, err
	}
	scale := pixelsX / around
	at := point{(longitude + 180) / 0.36, (90 - latitude) / 0.36}
	high := around * pixelsY / pixelsX
	left, top := at.x-around/2, min(max(at.y-high/2, 0), 500-high)
	cover := make([]float64, pixelsX*pixelsY)
	// The world goes round: what lies beyond the edge is drawn from the other.
	for _, turn := range []float64{-1000, 0, 1000} {
		fill(cover, all, left+turn, top, scale)
	}
	picture := image.NewNRGBA(image.Rect(0, 0, pixelsX, pixelsY))
	for i, c := range cover {
		shade := land
		shade.A = uint8(math.Round(min(c, 1) * float64(land.A)))
		picture.SetNRGBA(i%pixelsX, i/pixelsX, shade)
	}
	mark(picture, (at.x-left)*scale, (at.y-top)*scale)
	var out bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestCompression}
	if err := enc.Encode(&out, picture); err != nil {
		return nil, fmt.Errorf("drawing a map: %w", err)
	}
	return out.Bytes(), nil
}

// fill adds to each pixel how much of it lies inside the outlines, by the
// even-odd rule.
func fill(cover []float64, all [][]point, left, top, scale float64) {
	crossings := make([][]float64, pixelsY*lines)
	for _, outline := range all {
		for i, a := range outline {
			b := outline[(i+1)%len(outline)]
			ax, ay, bx, by := (a.x-left)*scale, (a.y-top)*scale*lines, (b.x-left)*scale, (b.y-top)*scale*lines
			if ay > by {
				ax, ay, bx, by = bx, by, ax, ay
			}
			for row := max(int(math.Ceil(ay-0.5)), 0); row < len(crossings) && float64(row)+0.5 < by; row++ {
				crossings[row] = append(crossings[row], ax+(bx-ax)*(float64(row)+0.5-ay)/(by-ay))
			}
		}
	}
	for row, xs := range crossings {
		slices.SortFunc(xs, cmp.Compare[float64])
		pixels := cover[row/lines*pixelsX:][:pixelsX]
		for i := 0; i+1 < len(xs); i += 2 {
			from, to := max(xs[i], 0), min(xs[i+1], pixelsX)
			for x := int(from); x < pixelsX && float64(x) < to; x++ {
				pixels[x] += (min(to, float64(x+1)) - max(from, float64(x))) / lines
			}
		}
	}
}

// mark draws the dot with a ring around it, soft at its edges.
func mark(picture *image.NRGBA, x, y float64) {
	const inner, outer = 6.5 * dense, 9 * dense
	for py := int(y - outer - 1); py <= int(y+outer+1); py++ {
		for px := int(x - outer - 1); px <= int(x+outer+1); px++ {
			if !(image.Point{px, py}.In(picture.Rect)) {
				continue
			}
			away := math.Hypot(float64(px)+0.5-x, float64(py)+0.5-y)
			over(picture, px, py, ring, outer+0.5-away)
			over(picture, px, py, dot, inner+0.5-away)
		}
	}
}

// over paints a colour over a pixel, by as much as it covers it.
func over(picture *image.NRGBA, x, y int, c color.NRGBA, part float64) {
	part = min(max(part, 0), 1)
	if part == 0 {
		return
	}
	under := picture.NRGBAAt(x, y)
	alpha := part + float64(under.A)/255*(1-part)
	mix := func(a, b uint8) uint8 {
		return uint8(math.Round((float64(a)*part + float64(b)*float64(under.A)/255*(1-part)) / alpha))
	}
	picture.SetNRGBA(x, y, color.NRGBA{mix(c.R, under.R), mix(c.G, under.G), mix(c.B, under.B), uint8(math.Round(alpha * 255))})
}
