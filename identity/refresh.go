package identity

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
)

// Token carries a request to a declared token path, which answers with a new
// token for an old one. The new one is part of the login, if it is one
// (StepToken). A token that is a JWT is adopted only if it names the login's
// user; another is kept from the browser, and the answer is 403 with nothing
// written (ErrDisagree). Ask the gate about s.Person before, as for any other
// request.
func (w *Watcher) Token(rw http.ResponseWriter, r *http.Request, s Session, deviceID string, mode Mode, next Next) error {
	if mode == Closed && (s.State == books.LoginHeld || s.State == books.LoginDeciding) {
		w.Strip(r)
		return ErrDisagree
	}
	out := r.WithContext(r.Context())
	out.Header = r.Header.Clone()
	out.Header.Set("Accept-Encoding", "identity")
	ans := newAnswer(maxAnswer)
	if mode.passes() {
		ans.overflow = func(a *answer) http.ResponseWriter {
			x := w.Wrap(rw, r, s, deviceID, mode)
			copyHeader(x.Header(), a.sent)
			x.WriteHeader(a.status)
			return x
		}
	}
	if err := next(ans, out); err != nil {
		return err
	}
	ans.finish()
	if ans.through != nil {
		return nil
	}
	x := exchange{status: ans.status, header: ans.sent, body: ans.body, tokenPath: w.cfg.Token, now: w.clock()}
	if token := x.token(); token != "" && ans.status < 300 {
		switch {
		case s.Login.ID == "" || s.Login.Device != deviceID:
			if mode == Closed {
				return ErrDisagree // a token for nobody we know
			}
		case !namesUser(token, s.Person):
			return ErrDisagree
		default:
			ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), storePatience)
			defer cancel()
			if err := errors.Join(
				w.mapValue(ctx, "", token, fateLogin, s.Login.ID, deviceID),
				w.mapValue(ctx, "device", deviceID, fateLogin, s.Login.ID, deviceID)); err != nil {
				return err
			}
		}
	}
	return w.write(rw, r, s, deviceID, mode, ans)
}

// namesUser reports whether a token may be the user's: one that is no JWT,
// or that names nobody, tells nothing against it.
func namesUser(token string, p access.Person) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return true
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return true
	}
	var claims map[string]any
	if json.Unmarshal(payload, &claims) != nil {
		return true
	}
	told := false
	for _, name := range []string{"preferred_username", "username", "user_name", "email", "sub", "upn", "name"} {
		text, ok := claims[name].(string)
		if !ok {
			continue
		}
		user, err := Canonical(text)
		if err == nil && strings.EqualFold(user, p.User) {
			return true
		}
		told = told || name != "sub" && name != "name"
	}
	return !told
}
