package pages_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/pages"
)

// What is filled in once must be what is filled in each time, wherever it
// stands; a call with an argument of the page's own says what a function
// without one says.
func TestWordsFilledInOnceAreTheSame(t *testing.T) {
	for _, c := range []struct{ name, once, each string }{
		{"in text", `<p>{{t "page.skip"}}</p>`, `<p>{{t .Skip}}</p>`},
		{"in an attribute", `<p title="{{t "page.skip"}}" id=x></p>`, `<p title="{{t .Skip}}" id=x></p>`},
		{"in an attribute without quotes", `<p title={{t "page.skip"}}></p>`, `<p title={{t .Skip}}></p>`},
		{"in a title", `<title>{{plain "page.skip"}}</title>`, `<title>{{plain .Skip}}</title>`},
		{"in a text area", `<textarea>{{plain "page.skip"}}</textarea>`, `<textarea>{{plain .Skip}}</textarea>`},
		{"in an address", `<a href="/{{plain "page.skip"}}"></a>`, `<a href="/{{plain .Skip}}"></a>`},
		{"a hole filled with words", `<p>{{t "page.powered" "application" "<b>&\"'"}}</p>`, `<p>{{t "page.powered" "application" .Odd}}</p>`},
		{"a hole filled in an attribute", `<p title="{{t "page.powered" "application" "<b>&\"'"}}"></p>`, `<p title="{{t "page.powered" "application" .Odd}}"></p>`},
		{"a drawing", `<p>{{icon "logo" "mark"}}</p>`, `<p>{{icon .Logo "mark"}}</p>`},
		{"one side of a choice", `{{if .Skip}}<p>{{t "page.skip"}}</p>{{else}}{{t "page.powered_plain"}}{{end}}`, `<p>{{t .Skip}}</p>`},
		{"the other side", `{{if .None}}x{{else}}<p>{{t "page.skip"}} {{t "page.skip"}}</p>{{end}}`, `<p>{{t .Skip}} {{t .Skip}}</p>`},
		{"in a list", `{{range .List}}<i>{{t "page.skip"}}{{.}}</i>{{end}}`, `{{range .List}}<i>{{t $.Skip}}{{.}}</i>{{end}}`},
		{"in a part of its own", `{{define "part"}}<p>{{t "page.skip"}}</p>{{end}}{{template "part"}}`, `<p>{{t .Skip}}</p>`},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, err := pages.New(fstest.MapFS{"once.html": {Data: []byte(c.once)}, "each.html": {Data: []byte(c.each)}})
			if err != nil {
				t.Fatal(err)
			}
			data := map[string]any{"Skip": "page.skip", "Odd": `<b>&"'`, "Logo": "logo", "None": "", "List": []string{"a", "b"}}
			for _, tag := range lang.Tags() {
				var got [3]string
				for i, name := range []string{"once", "once", "each"} {
					var b strings.Builder
					if err := set.Render(&b, lang.For(tag), name, data); err != nil {
						t.Fatal(err)
					}
					got[i] = b.String()
				}
				if got[0] != got[2] || got[1] != got[2] || got[2] == "" {
					t.Errorf("%s: once %q, again %q, each time %q", tag, got[0], got[1], got[2])
				}
			}
		})
	}
}
