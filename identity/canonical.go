package identity

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxUser bounds a user's name, in bytes.
const maxUser = 256

// Canonical is the one form of a user name: spaces at its ends trimmed, NFC.
// Control characters, bidirectional controls, zero-width and other invisible
// characters are refused with ErrName, not stripped: a name that changes on
// the way here would no longer be the one the backend saw. So is what is
// empty, no UTF-8, longer than 256 bytes, or begins with DevicePrefix
// (threats L14, L25).
func Canonical(name string) (string, error) {
	if len(name) > 4*maxUser || !utf8.ValidString(name) {
		return "", ErrName
	}
	name = norm.NFC.String(strings.TrimSpace(name))
	if name == "" || len(name) > maxUser || strings.HasPrefix(strings.ToLower(name), DevicePrefix) {
		return "", ErrName
	}
	for _, r := range name {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Cs, unicode.Co) ||
			r == utf8.RuneError || invisible(r) {
			return "", ErrName
		}
	}
	return name, nil
}

// invisible reports letters that show as nothing, which category Cf misses.
func invisible(r rune) bool {
	switch r {
	case 0x034f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x3164, 0xffa0, 0x2800:
		return true
	}
	return r >= 0xfe00 && r <= 0xfe0f || r >= 0xe0100 && r <= 0xe01ef // variation selectors
}

// MixedScripts reports whether a name mixes scripts as a forgery would
// ("аdmin" with a Cyrillic а), so that pages can say it (threat L25). Han
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
