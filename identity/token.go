package identity

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
)

var tokenHeaders = TokenHeaders()

// TokenHeaders are where scripts put the token of a login. Only Authorization
// is watched before the login was seen to answer with one.
func TokenHeaders() []string {
	return []string{"Authorization", "X-Auth-Token", "X-Access-Token", "X-Token", "X-Api-Token"}
}

// tokens reports whether the login is known to answer with tokens.
func (w *Watcher) tokensKnown() bool { return w.cfg.Token != "" || w.names.known().Tokens }

// cleanTokens does with a bearer token what Clean does with a session.
func (w *Watcher) cleanTokens(r *http.Request, device string, mode Mode, s *Session) {
	if w.cfg.KeepAuthorization {
		return
	}
	known := w.tokensKnown()
	for _, header := range tokenHeaders {
		lines := r.Header[header]
		if len(lines) == 0 {
			continue
		}
		if header == "Authorization" {
			s.rawAuth = lines
		} else if !known {
			continue
		}
		j, mapped := w.judgeToken(r.Context(), header, lines, device, mode)
		if j.err != nil {
			s.Err = j.err
		}
		if j.foreign {
			s.Foreign = true
			if j.row != nil {
				s.ForeignLogin = j.row.login.ID
			}
		}
		switch {
		case mapped && !j.gone && j.row != nil && (mode != Closed || s.Login.ID == "" || s.Login.ID == j.row.login.ID || s.Person.User == j.row.login.Person.User):
			if strictness(j.state) > strictness(s.State) {
				s.State, s.Login, s.Person = j.state, j.row.login, j.row.login.Person
			}
			j.row.use(w.clock())
			s.Carried = true
			if mode == Closed && j.state != books.LoginBound {
				delete(r.Header, header)
			}
		case mode.passes():
			s.Carried, s.Unproved = true, s.Unproved || s.Login.ID == ""
		case !mapped && s.State == books.LoginBound && !known:
			// A key for some service beside the login's own session.
		case !mapped && header == "Authorization" && w.basicLogin(r):
			// The backend's own basic authentication: Login judges it.
		default:
			delete(r.Header, header)
		}
	}
	if mode == Closed && r.URL.RawQuery != "" {
		w.cleanQuery(r, device, known, s)
	}
}

// judgeToken looks a token up. Mapped says that it was found.
func (w *Watcher) judgeToken(ctx context.Context, header string, lines []string, device string, mode Mode) (judged, bool) {
	if len(lines) != 1 {
		return judged{gone: true}, false
	}
	token := bareToken(header, lines[0])
	if token == "" {
		return judged{gone: true}, false
	}
	now := w.clock()
	key := tokenKey(token, device)
	val, err := w.fate(ctx, key.name, key.value, now)
	if err != nil {
		return unreadable(err, mode), false
	}
	if val.Fate == fateNone {
		return judged{gone: true}, false
	}
	return w.judgeFate(ctx, val, device, mode, now), true
}

// bareToken takes the scheme off an Authorization header. Basic credentials
// are kept with theirs: the whole is the token.
func bareToken(header, line string) string {
	line = strings.TrimSpace(line)
	if header != "Authorization" {
		return line
	}
	scheme, rest, ok := strings.Cut(line, " ")
	if !ok {
		return line
	}
	if strings.EqualFold(scheme, "basic") {
		return "Basic " + strings.TrimSpace(rest)
	}
	return strings.TrimSpace(rest)
}

// tokenKey is what a token is looked up under. A token is given to one
// device; a password, as basic authentication sends it, is the same on all of
// a person's, and each is signed in by itself.
func tokenKey(token, device string) pair {
	if strings.HasPrefix(token, "Basic ") {
		return pair{"basic", device + " " + token}
	}
	return pair{"", token}
}

// basicLogin reports whether the request signs in with basic authentication
// of the backend's own. Any address may ask for it; a request with a body is
// none, for the body would have to be kept.
func (w *Watcher) basicLogin(r *http.Request) bool {
	if w.cfg.User != "basic" || r.ContentLength != 0 {
		return false
	}
	_, _, ok := r.BasicAuth()
	return ok
}

// deviceToken returns the login by token that is bound on a device: what a
// browser opens there as a WebSocket or an event stream can carry no header
// to say so itself.
func (w *Watcher) deviceToken(ctx context.Context, device string, now time.Time) (*row, error) {
	if device == "" || !w.tokensKnown() {
		return nil, nil //nolint:nilnil // nothing is not an error
	}
	val, err := w.fate(ctx, "device", device, now)
	if err != nil || val.Fate != fateLogin {
		return nil, err
	}
	r, ok, err := w.logins.get(ctx, val.Login, now)
	if err != nil || !ok || r.login.Device != device || r.login.State != books.LoginBound {
		return nil, err
	}
	return r, nil
}
