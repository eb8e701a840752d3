package e2e

import (
	"bytes"
	"image/gif"
	"os"
	"testing"
)

// The film in docs/biopass.md, of pictures of a real browser: real keys turn
// words green and cut the key; then the words are typed once more as their
// owner, since keys sent by a test have no rhythm of hers, and the page says
// so. BIOPASS_FILM names the file to write.
func TestAFilmOfFourWordsBeingTyped(t *testing.T) {
	t.Parallel()
	owner, _ := twoTypists(t)
	g := StartGate(t, &Demo{}, asksBiopass(""))
	desk := julieIsKnown(g, View{})
	desk.enrols(g, owner)

	b := OpenBrowser(t, View{Size: Size{"film", 860, 760, 1, false, ChromeLinux, "", "Linux"}, Motion: true})
	signIn(b, g.Site, 1)
	words := b.wordsAsked()
	b.Click("[data-typed]")
	var film Film
	film.Take(b, 90)
	text := words[0] + " " + words[1] + " " + words[2] + " " + words[3]
	for i, r := range text[:len(text)-1] {
		if i == 3 { // a slip, red until it is put right
			b.hands("q")
			film.Take(b, 45)
			b.hands("\b")
		}
		b.hands(string(r))
		if i%2 == 0 {
			film.Take(b, 14)
		}
	}
	b.Await("three words right", `document.querySelectorAll(".word.right").length === 3`)
	film.Take(b, 60)
	if got := b.types(owner); got != "done" {
		t.Fatal(got)
	}
	b.Reload()
	b.See("h1")
	film.Take(b, 220)

	var out bytes.Buffer
	if err := film.WriteGIF(&out); err != nil {
		t.Fatal(err)
	}
	read, err := gif.DecodeAll(bytes.NewReader(out.Bytes()))
	if err != nil || len(read.Image) < 15 {
		t.Fatalf("%v: %d pictures that differ", err, len(read.Image))
	}
	if out.Len() > 400<<10 {
		t.Errorf("%d kB are too many for a page", out.Len()>>10)
	}
	if name := os.Getenv("BIOPASS_FILM"); name != "" {
		if err := os.WriteFile(name, out.Bytes(), 0o644); err != nil { //nolint:gosec // a picture for everybody
			t.Fatal(err)
		}
	}
}
