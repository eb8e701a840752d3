package identity

import (
	"net/http"
	"strings"

	"github.com/cadenas-gateway/cadenas/books"
)

const (
	// secretLength is how long a value of a query is, in bytes, that can be a
	// session or a token at all.
	secretLength = 16
	// maxQuery is how many values of a query are looked up; a query with more
	// is a flood (threat L22) and goes, in nobody's request.
	maxQuery = 64
)

// cleanQuery takes out of a query what bears credentials, as Clean does with
// cookies: tokens (where event streams and WebSockets put them, which can
// send no header) that are not this device's, whatever the parameter is
// called and however it is spelt; and, in nobody's request, what stands under
// the name of a session cookie, where some backends look for it too.
func (w *Watcher) cleanQuery(r *http.Request, device string, tokens bool, s *Session) {
	query := r.URL.RawQuery
	kept := make([]string, 0, 8)
	changed, looked := false, 0
	for part := range strings.SplitSeq(query, "&") {
		drop := false
		for one := range strings.SplitSeq(part, ";") { // some split there too
			if name, val, ok := strings.Cut(one, "="); ok {
				looked++
				drop = drop || w.badInQuery(r, name, val, device, tokens && looked <= maxQuery, s)
			}
		}
		if drop {
			changed = true
			continue
		}
		kept = append(kept, part)
	}
	if looked > maxQuery && s.Login.ID == "" {
		kept, changed = nil, true
	}
	if changed {
		r.URL.RawQuery = strings.Join(kept, "&")
		r.RequestURI = r.URL.RequestURI()
	}
}

// badInQuery judges one parameter. A token that is this device's makes the
// session its login's.
func (w *Watcher) badInQuery(r *http.Request, name, val, device string, tokens bool, s *Session) bool {
	name = strings.TrimRight(foldName(lenientUnescape(name)), "]_")
	val = lenientUnescape(val)
	if tokens && (len(val) >= secretLength || tokenParameter(name)) {
		j, mapped := w.judgeToken(r.Context(), "Authorization", []string{val}, device, Closed)
		if j.foreign {
			s.Foreign = true
			if j.row != nil {
				s.ForeignLogin = j.row.login.ID
			}
		}
		switch {
		case mapped && (j.gone || j.row == nil || j.state != books.LoginBound), j.err != nil:
			return true
		case mapped:
			s.Carried = true
			if s.Login.ID == "" {
				s.State, s.Login, s.Person = j.state, j.row.login, j.row.login.Person
			}
			return false
		case tokenParameter(name):
			return true
		}
	}
	return s.Login.ID == "" && len(val) >= secretLength && w.names.is([]byte(name))
}

// tokenParameter reports whether a parameter's folded name is one that
// backends take a token from: what stands there and is not this device's goes,
// known or not.
func tokenParameter(name string) bool {
	switch name {
	case "access_token", "token", "auth_token", "id_token", "accesstoken", "authtoken", "jwt", "bearer", "authorization":
		return true
	}
	return false
}
