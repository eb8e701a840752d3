package lang

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Inert makes text that came from outside (a user name, a note, a user agent,
// a city) harmless wherever a person reads it: page, mail and its subject,
// text message, push, terminal (threat L14).
//
// Control characters and line breaks become one space, so nothing ends a mail
// header or a terminal line. Characters that reorder what follows them (bidi
// embeddings, overrides, isolates) and invalid UTF-8 become U+FFFD, so that the
// reader sees that something was there; invisible marks, tag characters and
// zero-width spaces vanish. Joiners stay: Persian and emoji need them. Spaces
// at the ends are cut. With max > 0 the result has at most max characters, the
// last of them an ellipsis.
//
// It escapes nothing: HTML is html/template's work.
func Inert(s string, max int) string {
	var b strings.Builder
	b.Grow(min(len(s), 4096))
	count, space := 0, false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r) && r != '\u00a0' && r != '\u202f', unicode.IsControl(r):
			space = true
			continue
		case reorders(r):
			r = utf8.RuneError
		case vanishes(r):
			continue
		}
		need := 1
		if space && count > 0 {
			need = 2
		}
		if max > 0 && count+need > max {
			return cut(b.String(), max)
		}
		if need == 2 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
		count += need
		space = false
	}
	return b.String()
}

// cut leaves room for the ellipsis that tells of the cut.
func cut(s string, max int) string {
	runes := []rune(s)
	if len(runes) >= max {
		runes = runes[:max-1]
	}
	return strings.TrimRight(string(runes), " ") + "…"
}

func reorders(r rune) bool {
	return (r >= 0x202A && r <= 0x202E) || (r >= 0x2066 && r <= 0x2069)
}

func vanishes(r rune) bool {
	switch r {
	case 0x00AD, 0x061C, 0x180E, 0x200B, 0x200E, 0x200F, 0x2060, 0x206A, 0x206B, 0x206C, 0x206D, 0x206E, 0x206F, 0xFEFF, 0xFFF9, 0xFFFA, 0xFFFB:
		return true
	}
	return r >= 0xE0000 && r <= 0xE007F
}

// RunsOn reports whether a text is a list of parts in letters of both
// directions, like a place of which only the city is in the letters of its
// country. It runs from left to right as the two languages do; else a first
// part in Hebrew or Arabic would turn the list around.
func RunsOn(s string) bool {
	if !strings.Contains(s, ", ") {
		return false
	}
	latin, leftward := false, false
	for _, r := range s {
		latin = latin || unicode.Is(unicode.Latin, r)
		leftward = leftward || unicode.In(r, unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana, unicode.Nko)
	}
	return latin && leftward
}
