package app

import (
	"crypto/rand"
	"net/http"
	"strings"
)

// cookieName is the name of the session cookie.
const cookieName = "sid"

// start opens a session and returns its value.
func (s *sessions) start(user string) string {
	value := strings.ToLower(rand.Text())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = make(map[string]session)
	}
	s.open[value] = session{user: user, token: rand.Text()}
	return value
}

func (s *sessions) get(value string) (session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.open[value]
	return found, ok
}

// rename gives an open session a user, its value unchanged.
func (s *sessions) rename(value, user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.open[value]
	found.user = user
	s.open[value] = found
}

func (s *sessions) end(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, value)
}

// carried returns the value of the session a request bears, open or not.
func (a *application) carried(r *http.Request) string {
	if a.options.Login == Token {
		if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
			return token
		}
		// A WebSocket or an event stream of a browser cannot set a header.
		return r.URL.Query().Get("access_token")
	}
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// who returns the account that a request's session belongs to.
func (a *application) who(r *http.Request) (Account, bool) {
	found, ok := a.sessions.get(a.carried(r))
	if !ok || found.user == "" {
		return Account{}, false
	}
	return a.account(found.user)
}

func setCookie(w http.ResponseWriter, value string) {
	//nolint:gosec // not Secure: the demonstration is served over http on one machine
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func clearCookie(w http.ResponseWriter) {
	//nolint:gosec // as in setCookie
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: "", Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
