package pages

import (
	_ "embed"
	"fmt"
	"html/template"
	"regexp"
	"strings"
	"sync"
)

//go:embed icons.svg
var sprite string

type symbol struct{ box, body string }

var symbolOf = regexp.MustCompile(`(?s)<symbol id="([\w-]+)" viewBox="([\d. -]+)">(.*?)</symbol>`)

var symbols = sync.OnceValue(func() map[string]symbol {
	all := map[string]symbol{}
	for _, m := range symbolOf.FindAllStringSubmatch(sprite, -1) {
		all[m[1]] = symbol{box: m[2], body: m[3]}
	}
	return all
})

// Icon returns one icon of icons.svg as an inline drawing, hidden from screen
// readers: the word beside it says the same. class is "i" unless given ("i
// i-s"). An unknown name is an error, which stops the template.
//
// Inline rather than by <use>: no identifiers on the page, nothing to fetch,
// and a script may clone it.
func Icon(name string, class ...string) (template.HTML, error) {
	s, ok := symbols()[name]
	if !ok {
		return "", fmt.Errorf("no icon %q", name)
	}
	classes := "i"
	if len(class) > 0 {
		classes = template.HTMLEscapeString(strings.Join(class, " "))
	}
	return template.HTML(`<svg class="` + classes + `" viewBox="` + s.box + //nolint:gosec // all of it is ours or escaped
		`" aria-hidden="true" focusable="false">` + s.body + `</svg>`), nil
}
