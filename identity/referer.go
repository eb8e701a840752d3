package identity

import (
	"net/http"
	"net/url"
	"strings"
)

// Frameworks send a form that they refuse back to where it came from, and
// believe the Referer of it (Laravel's redirect()->back(), which falls back on
// the page that the session saw last). Whoever types a wrong password chooses
// it then, and an answer that "leads elsewhere" proves nothing (X1).

// leadsWhereItCame reports whether a redirect goes where the request said that
// it came from.
func (x exchange) leadsWhereItCame() bool {
	if x.referer == "" || x.status < 300 || x.status > 399 {
		return false
	}
	to, err := x.asked.Parse(x.header.Get("Location"))
	if err != nil {
		return true
	}
	from, err := x.asked.Parse(x.referer)
	if err != nil {
		return true
	}
	return parseTarget(from.Path).loosely(to.Path)
}

// sureReferer makes a login of which only the answer will tell come from the
// login's own page, where the browser does not say in good form whence: an
// answer to a wrong password then leads back to the login, as it does for
// those who typed it there.
func (w *Watcher) sureReferer(out *http.Request) {
	if len(w.cfg.Success) > 0 || w.cfg.Whoami.Path != "" {
		return // something else tells
	}
	if given := out.Header["Referer"]; len(given) == 1 {
		from, err := url.Parse(given[0])
		if err == nil && from.Host != "" && from.User == nil && (from.Scheme == "https" || from.Scheme == "http") {
			return
		}
	}
	origin := out.Header.Get("Origin")
	if own, err := url.Parse(origin); err != nil || own.Host == "" || !strings.EqualFold(own.Host, out.Host) {
		origin = "http://" + out.Host
		if out.TLS != nil {
			origin = "https://" + out.Host
		}
	}
	out.Header["Referer"] = []string{origin + out.URL.EscapedPath()}
}
