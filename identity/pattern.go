package identity

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// glob reports whether text is pattern, in which "*" stands for any text,
// none included.
func glob(pattern, text string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == text
	}
	if !strings.HasPrefix(text, head) {
		return false
	}
	text = text[len(head):]
	for {
		part, more, star := strings.Cut(rest, "*")
		if !star {
			return strings.HasSuffix(text, part)
		}
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text, rest = text[i+len(part):], more
	}
}

// target is a path with an optional query, as a person writes it.
type target struct {
	path  string
	query url.Values // nil: any query
	exact string     // the query as written, for Public
	asked bool       // a query was written
	loose []string   // the path's segments, folded
}

func parseTarget(text string) target {
	path, query, asked := strings.Cut(text, "?")
	t := target{path: path, exact: query, asked: asked, loose: looseSegments(path)}
	if asked {
		t.query, _ = url.ParseQuery(query)
	}
	return t
}

// public reports whether a request's path and query are the target's, byte
// for byte as they are forwarded. What some backend might read as another
// path is never public (threat L5).
func (t target) public(u *url.URL) bool {
	path := u.EscapedPath()
	if !plainPath(path) || !glob(t.path, path) {
		return false
	}
	return !t.asked || u.RawQuery == t.exact || (strings.Contains(t.exact, "*") && glob(t.exact, u.RawQuery))
}

// plainPath reports whether a path has one reading only: no escapes of
// separators, dots or controls, no dot segments, no empty segments, no
// parameters, no backslash.
func plainPath(escaped string) bool {
	if !strings.HasPrefix(escaped, "/") || strings.Contains(escaped, "//") || strings.ContainsAny(escaped, "\\;") {
		return false
	}
	for segment := range strings.SplitSeq(escaped[1:], "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	for i := 0; i+2 < len(escaped); i++ {
		if escaped[i] != '%' {
			continue
		}
		switch c := unhex(escaped[i+1])<<4 | unhex(escaped[i+2]); {
		case c < 0x20, c == 0x7f, c == '/', c == '\\', c == '.', c == ';', c == '%', c == '?', c == '#':
			return false
		}
	}
	return true
}

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 0
}

// watched reports whether a request might be read by some backend as one to
// the target. It errs the other way than public: seeing a login where there
// is none costs the reading of a body, missing one is a door.
func (t target) watched(u *url.URL) bool {
	if u.Path != t.path && !t.loosely(u.Path) {
		return false
	}
	if len(t.query) == 0 {
		return true
	}
	q, _ := url.ParseQuery(u.RawQuery)
	for name, values := range t.query {
		for _, v := range values {
			if !slices.Contains(q[name], v) {
				return false
			}
		}
	}
	return true
}

// loosely reports whether some backend reads path as the target's: it folds
// case, repeated and trailing slashes, dot segments, path parameters,
// backslashes and escapes. Every request passes here: the plain ones allocate
// nothing.
func (t target) loosely(path string) bool {
	if t.otherwise(path) {
		return false
	}
	if strings.ContainsAny(path, "%\\") {
		return slices.Equal(looseSegments(path), t.loose)
	}
	i := 0
	for segment := range strings.SplitSeq(path, "/") {
		segment, _, _ = strings.Cut(segment, ";")
		if segment = strings.TrimRight(segment, ". \x00"); segment == "" {
			continue
		}
		if i == len(t.loose) || !strings.EqualFold(segment, t.loose[i]) {
			return false
		}
		i++
	}
	return i == len(t.loose)
}

// otherwise reports that path has a first segment that begins with another
// letter or digit than the target's, whatever else is folded: most have.
func (t target) otherwise(path string) bool {
	if len(path) < 2 || path[0] != '/' {
		return false
	}
	c := path[1] | 0x20
	if (c < 'a' || c > 'z') && (path[1] < '0' || path[1] > '9') {
		return false
	}
	if len(t.loose) == 0 {
		return true
	}
	first := t.loose[0][0]
	return first < utf8.RuneSelf && first|0x20 != c
}

// looseSegments folds a path as loosely does. Going up is not followed: an
// empty segment is near enough.
func looseSegments(path string) []string {
	if p, err := url.PathUnescape(path); err == nil {
		path = p
	}
	path = strings.ToLower(strings.ReplaceAll(path, "\\", "/"))
	kept := []string{}
	for segment := range strings.SplitSeq(path, "/") {
		segment, _, _ = strings.Cut(segment, ";")
		if segment = strings.TrimRight(segment, ". \x00"); segment != "" {
			kept = append(kept, segment)
		}
	}
	return kept
}

// sessionInPath reports whether a path carries a session in itself
// (";jsessionid="), where no cookie would show it.
func sessionInPath(u *url.URL) bool {
	if strings.IndexByte(u.Path, ';') < 0 && !strings.Contains(u.RawPath, "%3") {
		return false
	}
	path := strings.ToLower(u.Path)
	if p, err := url.PathUnescape(path); err == nil {
		path = p
	}
	for part := range strings.SplitSeq(path, ";") {
		name, _, ok := strings.Cut(part, "=")
		if ok && sessionParameter(name) {
			return true
		}
	}
	return false
}

// sessionParameter reports whether a parameter's name, in lower case, is one
// that servers take a session from.
func sessionParameter(name string) bool {
	switch name {
	case "jsessionid", "phpsessid", "sid", "session", "sessionid", "session_id", "aspsessionid", "cfid", "cftoken":
		return true
	}
	return strings.HasSuffix(name, "sessionid") || strings.HasSuffix(name, "sessid")
}
