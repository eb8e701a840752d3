package e2e

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"
	"sync"
)

// axeCore is axe-core 4.14.1, unchanged but for gzip; its licence, the Mozilla
// Public License 2.0, lies beside it. No binary of ours holds it.
//
//go:embed testdata/axe.min.js.gz
var axeCore []byte

var axeScript = sync.OnceValues(func() (string, error) {
	r, err := gzip.NewReader(bytes.NewReader(axeCore))
	if err != nil {
		return "", err
	}
	script, err := io.ReadAll(r)
	return string(script), err
})

// Axe runs axe-core over the page and fails the test with all that it finds:
// WCAG 2.2 A and AA (of which it leaves the size
// of targets out unless told), and its good practices. Where says what was looked at.
// The script comes in from outside the page, so its Content-Security-Policy
// stays as strict as it is.
func (b *Browser) Axe(where string) {
	b.t.Helper()
	script, err := axeScript()
	if err != nil {
		b.t.Fatal(err)
	}
	if !Eval[bool](b, "!!window.axe") {
		Eval[bool](b, script+"; true")
	}
	found := Eval[[]string](b, `axe.run(document, {resultTypes: ["violations"], rules: {"target-size": {enabled: true}}}).then((r) => r.violations.flatMap((v) => v.nodes.map((n) =>
		v.id + ": " + n.html.slice(0, 160) + " " + (n.any[0]?.message ?? n.all[0]?.message ?? n.none[0]?.message ?? v.help))))`)
	for _, f := range found {
		b.t.Errorf("%s, %s: axe: %s", where, b.view.Name(), f)
	}
}
