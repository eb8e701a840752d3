package lang

import (
	"regexp"
	"strings"
)

// NBSP is the space at which no line breaks.
const NBSP = "\u00a0"

var afterCount = regexp.MustCompile(`(\{(?:count|number|reference)\}) (\p{L})`)

// typography puts right what a catalogue's author writes with plain spaces. In
// French as written in Québec: a non-breaking space before a colon and inside
// guillemets, none before ? ! and ; (Office québécois de la langue française,
// "Espacement avant et après les principaux signes de ponctuation"). In both
// languages a number stays with its noun.
func typography(tag, s string) string {
	s = afterCount.ReplaceAllString(s, "$1"+NBSP+"$2")
	if tag != "fr" {
		return s
	}
	return strings.NewReplacer(
		" :", NBSP+":",
		"« ", "«"+NBSP, " »", NBSP+"»",
		" %", NBSP+"%", " $", NBSP+"$",
	).Replace(s)
}
