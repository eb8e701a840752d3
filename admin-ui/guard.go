package adminui

import (
	"errors"
	"net/http"
	"strings"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/pages"
)

// maxForm bounds what a form of ours may send, in bytes.
const maxForm = 256 << 10

// maxCookies is how many cookies of our name are looked at: more than one
// comes from a neighbour on the domain who tosses them (threat L9).
const maxCookies = 4

// cookieName is the session cookie's name. On https it has the prefix that no
// neighbour can write. On plain http, which is for a first run on one's own
// machine, browsers refuse that prefix.
func (c *Console) cookieName(r *http.Request, name string) string {
	if c.secure(r) {
		return "__Host-" + name
	}
	return name
}

const (
	sessionCookie = "cadenas-console"
	askedCookie   = "cadenas-console-asked"
)

func (c *Console) secure(r *http.Request) bool {
	return strings.HasPrefix(c.URL, "https://") || r.TLS != nil
}

// setCookie gives a cookie of ours; value "" takes it away.
func (c *Console) setCookie(w http.ResponseWriter, r *http.Request, name, value string, seconds int, same http.SameSite) {
	if value == "" {
		seconds = -1
	}
	//nolint:gosec // Secure unless the console is served over plain http
	http.SetCookie(w, &http.Cookie{
		Name: c.cookieName(r, name), Value: value, Path: "/", MaxAge: seconds,
		Secure: c.secure(r), HttpOnly: true, SameSite: same,
	})
}

// cookies are the values of a cookie of ours, a few at most.
func (c *Console) cookies(r *http.Request, name string) []string {
	var values []string
	for _, cookie := range r.CookiesNamed(c.cookieName(r, name)) {
		if values = append(values, cookie.Value); len(values) == maxCookies {
			break
		}
	}
	return values
}

// signedIn finds who is behind a request. Not signed in is errNoSession; any
// other error is no session either.
func (c *Console) signedIn(r *http.Request) (books.Admin, session, string, error) {
	for _, secret := range c.cookies(r, sessionCookie) {
		s, err := c.sessions.find(r.Context(), secret)
		if errors.Is(err, errNoSession) {
			continue
		}
		if err != nil {
			return books.Admin{}, session{}, "", err
		}
		if s.Email == operator {
			// The operator's session ends with the first admin: it was lent to
			// make that one.
			if len(c.Admins()) > 0 {
				continue
			}
			return books.Admin{Email: "system"}, s, secret, nil
		}
		if admin, ok := c.admin(s.Email); ok {
			return admin, s, secret, nil
		}
		// One who was added this very moment is in the book before the
		// configuration's list has them.
		admin, err := c.Books.Admins.Get(r.Context(), s.Email)
		if err == nil {
			return admin, s, secret, nil
		}
		if !isNotFound(err) {
			return books.Admin{}, session{}, "", err
		}
	}
	return books.Admin{}, session{}, "", errNoSession
}

// Session tells the signed-in admin of a request. While there is no admin it
// tells nobody: the operator's session decides nothing.
func (c *Console) Session(r *http.Request) (books.Admin, bool) {
	admin, s, secret, err := c.signedIn(r)
	if err != nil {
		if !errors.Is(err, errNoSession) {
			c.Log.Error("a console session cannot be read", "error", err)
		}
		return books.Admin{}, false
	}
	if s.Email == operator {
		return books.Admin{}, false
	}
	if _, err := c.sessions.used(r.Context(), secret, s, false); err != nil {
		c.Log.Error("the use of a console session cannot be noted", "error", err)
	}
	return admin, true
}

// begin makes the visit of a request and checks what does not depend on who
// makes it. A form must come from a page of this very origin: a sibling
// subdomain is same-site and is refused too (threat L11).
func (c *Console) begin(w http.ResponseWriter, r *http.Request) (*visit, error) {
	v := &visit{Console: c, w: w, r: r, now: c.Clock(), say: pages.Language(r, c.Languages)}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return v, nil
	}
	// Check compares hosts; a page of the same host that came unencrypted may
	// be somebody's on the way.
	if err := c.origin.Check(r); err != nil || (c.secure(r) && strings.HasPrefix(r.Header.Get("Origin"), "http://")) {
		return v, errForged
	}
	limit := int64(maxForm)
	if r.URL.Path == restorePath { // read once it is known who sends it
		limit = maxBackup
	}
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	if err := r.ParseForm(); err != nil {
		return v, errBadWords
	}
	return v, nil
}

// open wraps a handler that anybody may reach.
func (c *Console) open(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := c.begin(w, r)
		if err == nil {
			err = h(v)
		}
		if err != nil {
			v.fail(err)
		}
	})
}

// closed wraps a handler for signed-in admins. Forms carry the session's
// token besides what begin checks.
func (c *Console) closed(h handler) http.Handler { return c.behind(h, false) }

// lent wraps a handler that the operator may reach as well.
func (c *Console) lent(h handler) http.Handler { return c.behind(h, true) }

func (c *Console) behind(h handler, operatorToo bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := c.begin(w, r)
		if err != nil {
			v.fail(err)
			return
		}
		if err := v.enter(operatorToo, h); err != nil {
			v.fail(err)
		}
	})
}

func (v *visit) enter(operatorToo bool, h handler) error {
	var err error
	v.admin, v.session, v.secret, err = v.signedIn(v.r)
	read := v.r.Method == http.MethodGet || v.r.Method == http.MethodHead
	switch {
	case errors.Is(err, errNoSession) && v.live():
		v.w.Header().Set("Cache-Control", "no-store")
		v.w.WriteHeader(http.StatusUnauthorized)
		return nil
	case errors.Is(err, errNoSession) && read:
		return v.toSignIn()
	case errors.Is(err, errNoSession):
		return v.to("/sign-in?ended=1")
	case err != nil:
		return err
	}
	if !read && !same(v.r.FormValue("token"), v.session.Form) {
		return errForged
	}
	if v.session.Email == operator && !operatorToo {
		return v.to("/welcome")
	}
	v.say = v.language()
	if !v.live() {
		next, err := v.sessions.used(v.ctx(), v.secret, v.session, read)
		if err != nil {
			return err
		}
		if next != v.secret {
			v.giveSession(next)
		}
	}
	return h(v)
}

// giveSession sets the session cookie. Strict: no other site's link or form
// comes with it (threat L11); links in mails lead to pages that ask for it
// anew or to the decide page, which has its own token.
func (v *visit) giveSession(secret string) {
	v.secret = secret
	v.setCookie(v.w, v.r, sessionCookie, secret, int(v.sessions.life.Seconds()), http.SameSiteStrictMode)
}

// language is what the address or the cookie asks for, else the admin's own.
func (v *visit) language() *lang.Catalogue {
	if _, err := v.r.Cookie(pages.LangCookie); err == nil || v.r.URL.Query().Get(pages.LangQuery) != "" || v.admin.Language == "" {
		return pages.Language(v.r, v.Languages)
	}
	return lang.For(lang.Choose(v.admin.Language, v.r.Header.Get("Accept-Language"), v.Languages))
}
