package identity

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxCookie is what Chromium takes of a cookie, name, value and attributes
// together, in bytes; beyond it drops the cookie without a word.
const maxCookie = 4096

// cookiePairs calls do with each part of a Cookie header: the name and value
// trimmed, and the part as it stands. A part without "=" has the whole of it
// as name and ok false.
func cookiePairs(header string, do func(name, value, part string, ok bool)) {
	for header != "" {
		var part string
		part, header, _ = strings.Cut(header, ";")
		part = trim(part)
		if part == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		do(trim(name), trim(value), part, ok)
	}
}

func trim(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// unquote takes the quotes off a value that some backends quote.
func unquote(value string) (inner string, quoted bool) {
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		return value[1 : len(value)-1], true
	}
	return value, false
}

// foldName is a cookie's or field's name as the most lenient backend reads
// it: lower case, escapes undone, "." and " " and "[" as "_" (PHP), spaces
// before it gone. Names that fold alike are one name here.
func foldName(name string) string {
	for i := 0; ; i++ {
		if i == len(name) {
			return name // most names: nothing to do, nothing allocated
		}
		if c := name[i]; c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-' {
			continue
		}
		break
	}
	var room [64]byte
	return string(appendFolded(room[:0], name))
}

func appendFolded(dst []byte, name string) []byte {
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c == '%' && i+2 < len(name) && isHex(name[i+1]) && isHex(name[i+2]) {
			c = unhex(name[i+1])<<4 | unhex(name[i+2])
			i += 2
		}
		switch {
		case c == 0:
			return dst // PHP's names end here
		case (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '+') && len(dst) == 0:
			continue
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c == '.' || c == ' ' || c == '[' || c == '+' || c == '\t' || c < ' ':
			c = '_'
		}
		dst = append(dst, c)
	}
	return dst
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// setCookie is one Set-Cookie line, taken apart as far as it matters.
type setCookie struct {
	line        string
	name, value string
	attributes  string // from the first ";" on
	httpOnly    bool
	secure      bool
	path        string
	domain      string
	sameSite    string
	cleared     bool
	maxAge      int // seconds; 0 where none is said
	persistent  bool
}

func parseSetCookie(line string, now time.Time) setCookie {
	pair, rest, more := strings.Cut(line, ";")
	c := setCookie{line: line}
	name, value, ok := strings.Cut(pair, "=")
	if !ok {
		name, value = "", name // browsers store a nameless cookie
	}
	c.name, c.value = trim(name), trim(value)
	if more {
		c.attributes = ";" + rest
	}
	var expires time.Time
	aged := false
	for attribute := range strings.SplitSeq(rest, ";") {
		key, val, _ := strings.Cut(attribute, "=")
		key, val = trim(key), trim(val)
		switch {
		case strings.EqualFold(key, "httponly"):
			c.httpOnly = true
		case strings.EqualFold(key, "secure"):
			c.secure = true
		case strings.EqualFold(key, "path"):
			c.path = val
		case strings.EqualFold(key, "domain"):
			c.domain = val
		case strings.EqualFold(key, "samesite"):
			c.sameSite = val
		case strings.EqualFold(key, "max-age"):
			if n, err := strconv.Atoi(val); err == nil {
				aged, c.maxAge, c.persistent = true, n, n > 0
			}
		case strings.EqualFold(key, "expires"):
			expires = cookieTime(val)
		}
	}
	if !aged && !expires.IsZero() {
		c.persistent = expires.After(now)
		c.maxAge = int(expires.Sub(now) / time.Second)
	}
	inner, _ := unquote(c.value)
	c.cleared = inner == "" || strings.EqualFold(inner, "deleted") || strings.EqualFold(inner, "deleteme") ||
		(aged && c.maxAge <= 0) || (!aged && !expires.IsZero() && !expires.After(now))
	return c
}

func cookieTime(text string) time.Time {
	for _, layout := range []string{
		http.TimeFormat, "Mon, 02-Jan-2006 15:04:05 MST", time.RFC850, time.ANSIC, time.RFC1123Z,
		"Mon, 2 Jan 2006 15:04:05 MST", "Mon, 02-Jan-06 15:04:05 MST",
	} {
		if t, err := time.Parse(layout, text); err == nil {
			return t
		}
	}
	return time.Time{}
}

// with returns the line with another value.
func (c setCookie) with(value string) string {
	return c.name + "=" + value + c.attributes
}

// OurCookie reports whether a cookie's name is one of ours: "cadenas" with
// anything after it, behind a __Host- or __Secure- prefix or none. Only the
// handler sets them, and no backend sees them.
func OurCookie(name string) bool {
	// The common name ends here, before anything is folded.
	if i := strings.IndexAny(name, "cC%_ .[+\t"); i < 0 {
		return false
	}
	var room [64]byte
	folded := appendFolded(room[:0], name)
	for _, prefix := range []string{"__host-", "__secure-"} {
		if len(folded) >= len(prefix) && string(folded[:len(prefix)]) == prefix {
			folded = folded[len(prefix):]
		}
	}
	const ours = "cadenas"
	return len(folded) >= len(ours) && string(folded[:len(ours)]) == ours
}

// StripOurCookies takes cookies with our names off a request, in place, for
// applications whose login is not watched (Watcher.Clean does it elsewhere).
func StripOurCookies(r *http.Request) {
	lines := r.Header["Cookie"]
	kept := lines[:0]
	for _, line := range lines {
		ours := false
		cookiePairs(line, func(name, _, _ string, _ bool) { ours = ours || OurCookie(name) })
		if ours {
			var parts []string
			cookiePairs(line, func(name, _, part string, _ bool) {
				if !OurCookie(name) {
					parts = append(parts, part)
				}
			})
			line = strings.Join(parts, "; ")
		}
		if line != "" {
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 {
		delete(r.Header, "Cookie")
		return
	}
	r.Header["Cookie"] = kept
}
