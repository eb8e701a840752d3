package caddymodule

import (
	"fmt"
	"net/http"
	"path"
	"strings"
)

// exemptPaths are the paths that never wait: whole ones, and beginnings that
// end in "/*" or "*".
type exemptPaths struct {
	whole    map[string]bool
	prefixes []string
}

func newExemptPaths(e *Exempt) (exemptPaths, error) {
	m := exemptPaths{whole: map[string]bool{}}
	if e == nil {
		return m, nil
	}
	for _, p := range e.Path {
		if !strings.HasPrefix(p, "/") || strings.Contains(strings.TrimSuffix(p, "*"), "*") {
			return m, fmt.Errorf("exempt path %q: write a path that begins with /, with at most one * at its end", p)
		}
		if rest, ok := strings.CutSuffix(p, "*"); ok {
			m.prefixes = append(m.prefixes, rest)
		} else {
			m.whole[p] = true
		}
	}
	return m, nil
}

// match reports whether a request's path is exempt. A path that some backend
// could read as another one is not: encoded separators, dot segments, double
// slashes, parameters, backslashes, control characters (threat L5). Headers
// that name another path change nothing (L7).
func (m exemptPaths) match(r *http.Request) bool {
	if len(m.whole) == 0 && len(m.prefixes) == 0 {
		return false
	}
	p := r.URL.Path
	if ambiguous(p) || ambiguous(r.URL.EscapedPath()) || strings.ContainsRune(r.URL.EscapedPath(), '%') {
		return false
	}
	if m.whole[p] {
		return true
	}
	for _, prefix := range m.prefixes {
		if strings.HasPrefix(p, prefix) {
			return true
		}
	}
	return false
}

func ambiguous(p string) bool {
	if !strings.HasPrefix(p, "/") || strings.ContainsAny(p, "\\;#?") || strings.Contains(p, "//") {
		return true
	}
	for i := range len(p) {
		if p[i] < 0x21 || p[i] > 0x7e {
			return true
		}
	}
	clean := path.Clean(p)
	if strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	if clean != p {
		return true
	}
	for seg := range strings.SplitSeq(p, "/") {
		if strings.HasSuffix(seg, ".") { // trailing dots vanish on some file systems
			return true
		}
	}
	return false
}
