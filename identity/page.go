package identity

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// userInPath stands for the name that was typed, in the path of `success
// page`.
const userInPath = "{user}"

// page is the path of `success page`, empty without one.
func (c Config) page() string {
	for _, rule := range c.Success {
		if rule.Kind == "page" {
			return rule.Args[0]
		}
	}
	return ""
}

// pagePath puts the name that was typed into the path of `success page`,
// escaped for where it stands: a person may type anything.
func pagePath(page, user string) string {
	path, query, asks := strings.Cut(page, "?")
	path = strings.ReplaceAll(path, userInPath, url.PathEscape(user))
	if asks {
		path += "?" + strings.ReplaceAll(query, userInPath, url.QueryEscape(user))
	}
	return path
}

// provePage asks for the page that only those who signed in can see: for
// backends that answer a right password and a wrong one alike (Adminer), and
// have no page that names the user.
func (w *Watcher) provePage(ctx context.Context, r *http.Request, s Session, ans *answer, page, user string, f finding, next Next) finding {
	if !s.Person.Nobody() && (s.Person.User == user || !strings.Contains(page, userInPath)) {
		// The session may show the page since before this login.
		return finding{proofNone, "somebody was in before, so the page tells nothing", ""}
	}
	path := pagePath(page, user)
	a, err := w.probe(ctx, r, path, "text/html,*/*;q=0.8", w.carry(sent(r), ans.sent.Values("Set-Cookie"), path), f.token, next)
	if err != nil {
		return finding{proofNone, "the page did not answer", ""}
	}
	ans.join(a.sent.Values("Set-Cookie"))
	switch {
	case a.status >= 500:
		return finding{proofNone, "the page failed", ""}
	case w.asksSecond(r, path, a):
		return finding{proofHalf, "the page leads to the second step", ""}
	case a.status != http.StatusOK:
		return finding{proofFailed, "the page is not shown", ""}
	}
	return finding{proofSigned, "the page is shown", f.token}
}

// sent are the cookies that the login went to the backend with. A page may
// need more of them than the session (Adminer's key, beside its session).
func sent(r *http.Request) []pair {
	var list []pair
	for _, header := range r.Header["Cookie"] {
		cookiePairs(header, func(name, value, _ string, ok bool) {
			if ok && !OurCookie(name) {
				list = append(list, pair{name, value})
			}
		})
	}
	return list
}

// join adds the cookies that a probe of ours was given to a login's answer:
// the backend may have given the session a new value, and without it the held
// answer would release a dead one.
func (a *answer) join(cookies []string) {
	if len(cookies) > 0 {
		a.sent["Set-Cookie"] = append(a.sent["Set-Cookie"], cookies...)
	}
}
