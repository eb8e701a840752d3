package sms

import (
	"strings"
	"unicode"
	"unicode/utf16"

	"golang.org/x/text/unicode/norm"
)

// The alphabet of GSM 03.38: what is not in it makes the whole text UCS-2,
// with 70 characters where there were 160.
const (
	gsmBasic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüàÆæßÉ"
	// Each of these takes two places.
	gsmDouble = "^{}\\[~]|€"
)

// Segments tells how a text goes over the air: whether all of it is in the GSM
// alphabet, and in how many messages (160 characters or 70 in one, 153 or 67
// in each of several).
func Segments(text string) (gsm bool, count int) {
	septets := 0
	for _, r := range text {
		switch {
		case strings.ContainsRune(gsmBasic, r):
			septets++
		case strings.ContainsRune(gsmDouble, r):
			septets += 2
		default:
			return false, messages(len(utf16.Encode([]rune(text))), 70, 67)
		}
	}
	return true, messages(septets, 160, 153)
}

func messages(length, one, each int) int {
	if length <= one {
		return 1
	}
	return (length + each - 1) / each
}

// typographic is what a text message says with plainer signs.
var typographic = strings.NewReplacer(
	"\u00a0", " ", "\u202f", " ", "\u2009", " ", "’", "'", "‘", "'", "“", `"`, "”", `"`, "« ", `"`, " »", `"`, "«", `"`, "»", `"`,
	"…", "...", "–", "-", "—", "-", "·", "-", "œ", "oe", "Œ", "OE", "\u2068", "", "\u2069", "",
)

// Plain says a text in the GSM alphabet where nothing but signs and accents
// has to go for it: "Côté" becomes "Coté". What then still does not fit, as
// Cyrillic, stays as it was written.
func Plain(text string) string {
	text = typographic.Replace(text)
	if gsm, _ := Segments(text); gsm {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if strings.ContainsRune(gsmBasic, r) || strings.ContainsRune(gsmDouble, r) {
			b.WriteRune(r)
			continue
		}
		for _, part := range norm.NFD.String(string(r)) {
			if !unicode.Is(unicode.Mn, part) {
				b.WriteRune(part)
			}
		}
	}
	if gsm, _ := Segments(b.String()); gsm {
		return b.String()
	}
	return text
}
