package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/e2e"
)

// manual is the page that shows the pictures, and album their folder.
const manual, album = "../../docs/console.md", "../../docs/pictures"

// pictured are the pictures of the manual, and where each is taken.
var pictured = map[string]struct {
	path string
	view e2e.View
}{
	"console-requests":    {"/requests", e2e.View{Size: e2e.Phone, Language: "fr-CA"}},
	"console-connections": {"/connections?app=register", e2e.View{Language: "en"}},
	"console-columns":     {"/columns?app=register", e2e.View{Language: "en"}},
	"console-person":      {"/people/julie.tremblay@lucioles.example", e2e.View{Size: e2e.Phone, Language: "en", Dark: true}},
}

// TestTheManualShowsThePicturesThatAreMade holds the manual to its pictures.
// DOCS_PICTURES=1 takes them anew.
func TestTheManualShowsThePicturesThatAreMade(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, m := range regexp.MustCompile(`\]\(pictures/([a-z-]+)\.png\)`).FindAllStringSubmatch(string(text), -1) {
		shown[m[1]] = true
		if _, ok := pictured[m[1]]; !ok {
			t.Errorf("the manual shows %s, which no test takes", m[1])
		}
	}
	for name := range pictured {
		if !shown[name] {
			t.Errorf("the manual does not show %s", name)
		}
		if info, err := os.Stat(filepath.Join(album, name+".png")); err != nil || info.Size() < 10_000 {
			t.Errorf("the picture %s: %v", name, err)
		}
	}
	if os.Getenv("DOCS_PICTURES") == "" {
		return
	}
	s, address := serve(t, options{connections: 9, requests: 2})
	for name, one := range pictured {
		b := e2e.OpenBrowser(t, one.view)
		signIn(t, s, b, fixture.Marie.Email)
		b.Open(address + one.path)
		b.Await("the live part", `!document.querySelector("[data-live-state][hidden]")`)
		if err := os.WriteFile(filepath.Join(album, name+".png"), b.Screen(), 0o644); err != nil { //nolint:gosec // for everybody to read
			t.Fatal(err)
		}
	}
}
