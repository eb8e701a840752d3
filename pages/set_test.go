package pages_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/pages"
)

// Pages are parsed when they are first seen; their mistakes must not wait
// for that.
func TestAMistakeInAnyFileIsToldAtOnce(t *testing.T) {
	for name, file := range map[string]string{
		"a function that is not there": "{{nothing .A}}",
		"an open action":               "{{if .A}}x",
		"an end too many":              "{{end}}",
	} {
		for _, path := range []string{"a.html", "_a.html"} {
			if _, err := pages.New(fstest.MapFS{"b.html": {Data: []byte("b")}, path: {Data: []byte(file)}}); err == nil {
				t.Errorf("%s in %s is not told", name, path)
			}
		}
	}
}

func TestAPageHasWhatItsPartialsCall(t *testing.T) {
	set, err := pages.New(fstest.MapFS{
		"one.html": {Data: []byte(`{{define "inner"}}of one{{end}}{{with .A}}{{template "outer" .}}{{end}}`)},
		"two.html": {Data: []byte(`{{define "inner"}}of two{{end}}{{range .A}}{{else}}{{template "outer"}}{{end}}`)},
		"_p.html":  {Data: []byte(`{{define "inner"}}nothing{{end}}{{define "outer"}}<p>{{if true}}{{template "inner"}}{{end}}</p>{{end}}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"one": "<p>of one</p>", "two": "<p>of two</p>"} {
		var b strings.Builder
		data := map[string]any{"A": map[string]string{}}
		if name == "one" {
			data["A"] = "a"
		}
		if err := set.Render(&b, lang.For("fr"), name, data); err != nil || b.String() != want {
			t.Errorf("%s: %q, %v", name, b.String(), err)
		}
	}
}
