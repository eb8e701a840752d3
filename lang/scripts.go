package lang

import (
	"unicode"
	"unicode/utf8"
)

// MixedScripts reports whether a name mixes scripts as a forgery would
// ("аdmin" with a Cyrillic а), so that pages say it (threat L25). Han
// with the Japanese or Korean scripts is no mixture.
func MixedScripts(name string) bool {
	var seen string
	for _, r := range name {
		script := scriptOf(r)
		if script == "" || script == seen {
			continue
		}
		if seen != "" {
			return true
		}
		seen = script
	}
	return false
}

func scriptOf(r rune) string {
	if r < utf8.RuneSelf {
		if unicode.IsLetter(r) {
			return "Latin"
		}
		return ""
	}
	if !unicode.IsLetter(r) {
		return ""
	}
	if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Bopomofo) {
		return "CJK"
	}
	for _, s := range scripts {
		if unicode.Is(s.table, r) {
			return s.name
		}
	}
	return "other"
}

var scripts = []struct {
	name  string
	table *unicode.RangeTable
}{
	{"Latin", unicode.Latin},
	{"Cyrillic", unicode.Cyrillic},
	{"Greek", unicode.Greek},
	{"Armenian", unicode.Armenian},
	{"Hebrew", unicode.Hebrew},
	{"Arabic", unicode.Arabic},
	{"Cherokee", unicode.Cherokee},
	{"Coptic", unicode.Coptic},
}
