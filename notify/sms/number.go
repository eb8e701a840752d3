package sms

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Number is a number in E.164. It must come with its country ("+1 514
// 555-0100"): which country a bare one is of, nobody can tell. The digit that
// is dialled inside the country only ("+44 (0)20 ...") is left out.
func Number(text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", errors.New("there is no mobile number")
	}
	rest, ok := strings.CutPrefix(text, "+")
	if !ok {
		return "", fmt.Errorf("the number %q needs its country in front: +15145550100", text)
	}
	digits, ok := digitsOf(rest)
	if !ok {
		return "", fmt.Errorf("%q is no telephone number", text)
	}
	for code := range strings.SplitSeq(countries, " ") {
		c := countryOf(code)
		national, ok := strings.CutPrefix(digits, c.code)
		if !ok {
			continue
		}
		if national, ok = c.national(national); ok {
			return "+" + c.code + national, nil
		}
		break // no code is the beginning of another
	}
	return "", fmt.Errorf("%q is no telephone number", text)
}

// separators are what people put between digits.
const separators = " -./()\u00a0\u202f\u2009\u2010\u2011\u2012\u2013"

// digitsOf are the digits of a number; false where there is something in it
// that is in no number.
func digitsOf(text string) (string, bool) {
	if len(text) > 40 || !utf8.ValidString(text) {
		return "", false
	}
	var digits []byte
	for _, r := range text {
		switch {
		case r >= '0' && r <= '9':
			digits = append(digits, byte(r))
		case !strings.ContainsRune(separators, r):
			return "", false
		}
	}
	return string(digits), true
}

// country is what a number with this code looks like.
type country struct {
	code    string
	lengths uint32 // a bit for each possible number of digits behind the code
	trunk   string // what is dialled before it inside the country
}

func (c country) possible(national string) bool {
	return len(national) < 32 && c.lengths&(1<<len(national)) != 0
}

// national is the part behind the code, without the trunk prefix.
func (c country) national(digits string) (string, bool) {
	rest, trunk := strings.CutPrefix(digits, c.trunk)
	trunk = trunk && c.trunk != "" && c.possible(rest)
	// A trunk prefix of 0 begins no number there; one of 1 or 8 may.
	if trunk && (c.trunk[0] == '0' || !c.possible(digits)) {
		return rest, true
	}
	return digits, c.possible(digits)
}

// countryOf reads one entry of countries.
func countryOf(entry string) country {
	parts := strings.Split(entry+":", ":")
	c := country{code: parts[0], trunk: parts[2]}
	for lengths := range strings.SplitSeq(parts[1], ",") {
		from, to, ranged := strings.Cut(lengths, "-")
		if !ranged {
			to = from
		}
		least, _ := strconv.Atoi(from) // ours, and tested
		most, _ := strconv.Atoi(to)
		for n := least; n <= most; n++ {
			c.lengths |= 1 << n
		}
	}
	return c
}

// countries are the calling codes with how many digits stand behind them and
// the trunk prefix, if there is one: from the metadata of libphonenumber, of
// which this is all that is needed here. Loaded whole, as its library for Go
// does when the program starts, the metadata are 26,000 pieces of memory that
// the collector of garbage looks at again and again.
const countries = "" +
	"1:10:1 7:10,14:8 20:8-10:0 27:5-10:0 30:10-12 31:5-11:0 32:8-9:0 33:9:0 34:9 36:8-9:06 39:6-12 40:6,9:0 41:9,12:0 43:4-13:0 44:7,9-10:0 45:8 " +
	"46:6-10,12:0 47:5,8 48:6-10 49:4-15:0 51:8-9:0 52:10 53:6-8,10:0 54:10-11:0 55:8-11:0 56:9-11 57:8,10-11:0 58:10:0 60:8-10:0 61:5-10,12:0 62:7-17:0 " +
	"63:6,8-13:0 64:5-10:0 65:8,10-11 66:8-10,13:0 81:8-17:0 82:5-6,8-14:0 84:7-10:0 86:7-12:0 90:7,10,12-13:0 91:8-13:0 92:8-12:0 93:9:0 94:9:0 95:6-10:0 " +
	"98:4-7,10:0 211:9:0 212:9:0 213:8-9:0 216:8 218:9:0 220:7 221:9 222:8 223:8 224:8-9 225:10 226:8 227:8 228:8 229:8,10 230:7-8,10 231:7-9:0 232:8:0 " +
	"233:8-9:0 234:10-14:0 235:8 236:8 237:8-9 238:7 239:7 240:9 241:7-8 242:9 243:7-10:0 244:9 245:7,9 246:7 247:5-6 248:7 249:9:0 250:8-9:0 251:9:0 " +
	"252:6-9:0 253:8 254:7-10:0 255:9:0 256:9:0 257:8 258:8-9 260:9:0 261:9:0 262:9:0 263:5-10:0 264:8-9:0 265:7,9:0 266:8 267:7-8,10 268:8-9 269:7 " +
	"290:4-5 291:7:0 297:7 298:6 299:6 350:8 351:9 352:4-11 353:7-10:0 354:7,9 355:6-9:0 356:8 357:8 358:5-12:0 359:6-9,12:0 370:8:0 371:8 372:7-8,10 " +
	"373:8:0 374:8:0 375:6-11:8 376:6,8-9 377:8-9:0 378:8,10 380:9-10:0 381:6-12:0 382:8-9:0 383:8-12:0 385:7-9:0 386:5-8:0 387:8-9:0 389:8:0 420:9-12 " +
	"421:6-7,9:0 423:7,9:0 500:5 501:7,11 502:8,11 503:7-8,11 504:8,11 505:8 506:8,10 507:7-8,10-11 508:6,9:0 509:8 590:9:0 591:8-9:0 592:7 593:8-11:0 " +
	"594:9:0 595:6-11:0 596:9:0 597:6-7 598:4-13:0 599:7-8 670:7-8 672:6 673:7 674:7 675:7-8 676:5,7 677:5,7 678:5,7 679:7,11 680:7 681:6,9 682:5 683:4,7 " +
	"685:5-7,10 686:5,8:0 687:6 688:5-7 689:6,8-9 690:4-7 691:7 692:7:1 800:8 808:8 850:8,10:0 852:5-9,11 853:7-8 855:8-10:0 856:8-10:0 870:9,12 878:12 " +
	"880:6-10:0 881:9-10 882:7-12 883:8-12 886:7-11:0 888:11 960:7,10 961:7-8:0 962:8-9:0 963:8-9:0 964:8-10:0 965:7-8 966:9-10:0 967:7-9:0 968:7-9 " +
	"970:8-10:0 971:5-12:0 972:7-12:0 973:8 974:7-9,11 975:7-8 976:8-10:0 977:8,10-11:0 979:9 992:9 993:8:8 994:9:0 995:9:0 996:9-10:0 998:9"
