package pages

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/cadenas-gateway/cadenas/lang"
)

// CSP is the policy of every page: nothing but what stands on its own host, no
// inline script or style, no frame around it, forms to itself only (threats
// L11, L14).
const CSP = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// LangCookie remembers the language a person chose; LangQuery is how they
// choose it. Both are our names: the backend has queries of its own, and the
// gate takes the cookie off.
const (
	LangCookie = "cadenas_lang"
	LangQuery  = "cadenas_lang"
)

// Option changes how a page is written.
type Option func(*writing)

type writing struct {
	forms       []string
	installable bool
	keep        *Drawn
}

// Drawn is a page as it was written, to be written again to whoever it was
// drawn for.
type Drawn struct {
	status   int
	language *lang.Catalogue
	policy   string
	body     []byte
}

// Keep keeps what is written.
func Keep(into *Drawn) Option { return func(o *writing) { o.keep = into } }

// Empty reports whether nothing was kept.
func (d Drawn) Empty() bool { return d.body == nil }

// FormsTo lets the page's forms post to these origins too ("https://app.example.com").
// The release form needs it where the waiting page stands on another host than
// the login, and where the released answer redirects to another host: Chromium
// holds redirects of a form against form-action. What is not an http or https
// origin is left out.
func FormsTo(origins ...string) Option {
	return func(o *writing) {
		for _, origin := range origins {
			u, err := url.Parse(origin)
			if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || strings.ContainsAny(u.Host, "; ,'\"") {
				continue
			}
			if clean := u.Scheme + "://" + u.Host; !slices.Contains(o.forms, clean) {
				o.forms = append(o.forms, clean)
			}
		}
	}
}

// Installable allows the page a manifest and a service worker of its host: the
// console.
func Installable() Option { return func(o *writing) { o.installable = true } }

func (o writing) policy() string {
	policy := CSP
	if len(o.forms) > 0 {
		policy = strings.Replace(policy, "form-action 'self'", "form-action 'self' "+strings.Join(o.forms, " "), 1)
	}
	if o.installable {
		policy += "; manifest-src 'self'; worker-src 'self'"
	}
	return policy
}

// Write answers with one page. It renders before it writes anything, so that a
// page is whole or an error: then the answer is a bare 500 and the error is
// returned for the log. A page is never stored and never framed (threats L11,
// L19).
func (s *Set) Write(w http.ResponseWriter, r *http.Request, c *lang.Catalogue, status int, name string, data any, options ...Option) error {
	var o writing
	for _, option := range options {
		option(&o)
	}
	var page bytes.Buffer
	if err := s.Render(&page, c, name, data); err != nil {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "internal error", http.StatusInternalServerError)
		return err
	}
	d := Drawn{status: status, language: c, policy: o.policy(), body: page.Bytes()}
	if o.keep != nil {
		*o.keep = d
	}
	d.Write(w, r)
	return nil
}

// Write answers with the page.
func (d Drawn) Write(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	// same-origin, not no-referrer: with that the forms' Origin would be "null"
	// and look like a forgery (threat L11).
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Content-Security-Policy", d.policy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Robots-Tag", "noindex, nofollow")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Add("Vary", "Cookie, Accept-Language")
	for _, stale := range []string{"ETag", "Last-Modified", "Content-Encoding", "Content-Range", "Accept-Ranges"} {
		h.Del(stale)
	}
	if asked := r.URL.Query().Get(LangQuery); asked == d.language.Tag() {
		//nolint:gosec // Secure unless the page is served over plain http
		http.SetCookie(w, &http.Cookie{
			Name: LangCookie, Value: asked, Path: "/", MaxAge: 365 * 24 * 60 * 60,
			Secure: r.TLS != nil, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		})
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", d.language.HTML())
	h.Set("Content-Length", strconv.Itoa(len(d.body)))
	w.WriteHeader(d.status)
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(d.body) // the person went away: nobody left to tell
}

// Language returns the catalogue a request is answered in: what its query asks
// for, what its cookie remembers, what its browser prefers. allowed is the
// configuration's `languages`.
func Language(r *http.Request, allowed []string) *lang.Catalogue {
	asked := r.URL.Query().Get(LangQuery)
	if asked == "" {
		if cookie, err := r.Cookie(LangCookie); err == nil {
			asked = cookie.Value
		}
	}
	return lang.For(lang.Choose(asked, r.Header.Get("Accept-Language"), allowed))
}

// others lists the offered languages that the page is not in.
func others(c *lang.Catalogue, offered []string) []string {
	var rest []string
	for _, tag := range offered {
		if tag = lang.For(tag).Tag(); tag != c.Tag() && !slices.Contains(rest, tag) {
			rest = append(rest, tag)
		}
	}
	return rest
}

// langHref is the address here, in another language.
func langHref(here, tag string) (string, error) {
	u, err := url.Parse(here)
	if err != nil {
		return "", err
	}
	q := u.Query()
	q.Set(LangQuery, tag)
	u.RawQuery = q.Encode()
	return u.String(), nil
}
