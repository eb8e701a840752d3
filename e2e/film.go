package e2e

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"io"
	"slices"

	"github.com/chromedp/chromedp"
)

// Film is pictures of a page, one after the other, for the documentation.
type Film struct {
	frames []*image.RGBA
	delays []int
}

// Take adds a picture of the page as it is, shown for so many hundredths of a
// second.
func (f *Film) Take(b *Browser, hundredths int) {
	b.t.Helper()
	picture, err := png.Decode(bytes.NewReader(ask(b, "taking a picture", chromedp.FullScreenshot(100))))
	if err != nil {
		b.t.Fatalf("reading a picture: %v", err)
	}
	bounds := picture.Bounds()
	if len(f.frames) > 0 {
		bounds = f.frames[0].Bounds() // a page may grow; its top stays in the picture
	}
	frame := image.NewRGBA(bounds)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			frame.Set(x, y, picture.At(x, min(y, picture.Bounds().Max.Y-1)))
		}
	}
	f.frames, f.delays = append(f.frames, frame), append(f.delays, hundredths)
}

// Len counts the pictures.
func (f *Film) Len() int { return len(f.frames) }

// WriteGIF writes the film, which begins again at its end. Each picture holds
// what changed since the one before, so that it is small.
func (f *Film) WriteGIF(w io.Writer) error {
	colors := f.palette()
	clear := uint8(len(colors)) //nolint:gosec // 255 at most
	near := map[color.RGBA]uint8{}
	index := func(c color.RGBA) uint8 {
		i, ok := near[c]
		if !ok {
			i = uint8(colors.Index(c)) //nolint:gosec // 254 at most
			near[c] = i
		}
		return i
	}
	out := gif.GIF{}
	for n, frame := range f.frames {
		box := frame.Bounds()
		if n > 0 {
			if box = changed(f.frames[n-1], frame); box.Empty() {
				out.Delay[len(out.Delay)-1] += f.delays[n]
				continue
			}
		}
		part := image.NewPaletted(box, append(slices.Clone(colors), color.RGBA{}))
		for y := box.Min.Y; y < box.Max.Y; y++ {
			for x := box.Min.X; x < box.Max.X; x++ {
				c := frame.RGBAAt(x, y)
				if n > 0 && f.frames[n-1].RGBAAt(x, y) == c {
					part.SetColorIndex(x, y, clear)
					continue
				}
				part.SetColorIndex(x, y, index(c))
			}
		}
		out.Image, out.Delay = append(out.Image, part), append(out.Delay, f.delays[n])
		out.Disposal = append(out.Disposal, gif.DisposalNone)
	}
	return gif.EncodeAll(w, &out)
}

// palette is the 255 colours that the pictures use most: pages have few.
func (f *Film) palette() color.Palette {
	counts := map[color.RGBA]int{}
	for _, frame := range f.frames {
		for y := frame.Rect.Min.Y; y < frame.Rect.Max.Y; y++ {
			for x := frame.Rect.Min.X; x < frame.Rect.Max.X; x++ {
				counts[frame.RGBAAt(x, y)]++
			}
		}
	}
	var all []color.RGBA
	for c := range counts {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b color.RGBA) int {
		return cmp.Or(counts[b]-counts[a], cmp.Compare(uint32(a.R)<<16|uint32(a.G)<<8|uint32(a.B), uint32(b.R)<<16|uint32(b.G)<<8|uint32(b.B)))
	})
	var colors color.Palette
	for _, c := range all[:min(255, len(all))] {
		colors = append(colors, c)
	}
	return colors
}

// changed is the smallest box around what two pictures do not share.
func changed(a, b *image.RGBA) image.Rectangle {
	var box image.Rectangle
	for y := b.Rect.Min.Y; y < b.Rect.Max.Y; y++ {
		for x := b.Rect.Min.X; x < b.Rect.Max.X; x++ {
			if a.RGBAAt(x, y) != b.RGBAAt(x, y) {
				box = box.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return box
}
