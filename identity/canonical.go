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
