package identity

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
)

const (
	// maxWhoami bounds the whoami page, in bytes.
	maxWhoami = 256 << 10
	// whoamiTimeout bounds the call of it.
	whoamiTimeout = 10 * time.Second
)

// named is what whoami said of a session.
type named struct {
	user    string   // canonical; empty for nobody
	cookies []string // Set-Cookie lines of the probe: the session may have rotated
}

// whoami asks the backend who the user of a session is: with the session's
// cookies (and token) only, see probe. An error means that the backend did
// not tell.
func (w *Watcher) whoami(ctx context.Context, parent *http.Request, cookies []pair, token string, next Next) (named, error) {
	a, err := w.probe(ctx, parent, w.cfg.Whoami.Path, "application/json", cookies, token, next)
	if err != nil {
		return named{}, fmt.Errorf("asking whoami: %w", err)
	}
	return w.readWhoami(a)
}

// probe sends the backend a new request of our own, with a session's cookies
// and token only, through next, into our own writer. The path is configured:
// an answer's own Location is never followed, since an unapproved person chose
// it.
func (w *Watcher) probe(ctx context.Context, parent *http.Request, path, accept string, cookies []pair, token string, next Next) (*answer, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), whoamiTimeout)
	defer cancel()
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return nil, err
	}
	probe := (&http.Request{
		Method: http.MethodGet, URL: u, RequestURI: u.RequestURI(), Header: http.Header{},
		Proto: parent.Proto, ProtoMajor: parent.ProtoMajor, ProtoMinor: parent.ProtoMinor,
		Body: http.NoBody, Host: parent.Host, RemoteAddr: parent.RemoteAddr, TLS: parent.TLS,
	}).WithContext(ctx)
	// Backends that tie a session to the browser look at these.
	for _, name := range []string{"User-Agent", "Accept-Language", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"} {
		if v, ok := parent.Header[name]; ok {
			probe.Header[name] = append([]string(nil), v...)
		}
	}
	probe.Header.Set("Accept", accept)
	probe.Header.Set("Accept-Encoding", "identity")
	if len(cookies) > 0 {
		parts := make([]string, len(cookies))
		for i, c := range cookies {
			parts[i] = c.name + "=" + c.value
		}
		probe.Header.Set("Cookie", strings.Join(parts, "; "))
	}
	if token != "" {
		if !strings.HasPrefix(token, "Basic ") {
			token = "Bearer " + token
		}
		probe.Header.Set("Authorization", token)
	}
	a := newAnswer(maxWhoami)
	if w.deps.Probe != nil {
		probe = w.deps.Probe(probe, parent, a)
	}
	if err := next(a, probe); err != nil {
		return nil, err
	}
	a.finish()
	return a, ctx.Err()
}

var errWhoami = errors.New("whoami cannot be read")

func (w *Watcher) readWhoami(a *answer) (named, error) {
	n := named{cookies: a.sent.Values("Set-Cookie")}
	switch {
	case a.status >= 500, a.long:
		return n, fmt.Errorf("%w: status %d", errWhoami, a.status)
	case a.status != http.StatusOK:
		return n, nil
	}
	var document any
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.UseNumber()
	if err := d.Decode(&document); err != nil {
		if strings.Contains(strings.ToLower(a.sent.Get("Content-Type")), "html") {
			return n, nil // the login page, as a rule
		}
		return n, errWhoami
	}
	var text string
	switch v := member(document, w.cfg.Whoami.JSON).(type) {
	case string:
		text = v
	case json.Number:
		text = v.String()
	default:
		return n, nil
	}
	if strings.TrimSpace(text) == "" {
		return n, nil
	}
	user, err := Canonical(text)
	if err != nil {
		return n, fmt.Errorf("asking whoami: %w", err)
	}
	n.user = user
	return n, nil
}

// carry joins what an answer set to the cookies a request bore, as a browser
// would for the page at a path.
func (w *Watcher) carry(cookies []pair, lines []string, path string) []pair {
	out := append([]pair(nil), cookies...)
	now := w.clock()
	path, _, _ = strings.Cut(path, "?")
	for _, line := range lines {
		c := parseSetCookie(line, now)
		if c.name == "" || OurCookie(c.name) || !covers(c.path, path) {
			continue
		}
		kept := out[:0:len(out)]
		for _, old := range out {
			if old.name != c.name {
				kept = append(kept, old)
			}
		}
		out = kept
		if !c.cleared {
			out = append(out, pair{c.name, c.value})
		}
	}
	return out
}

// covers reports whether a cookie of a path goes to another path.
func covers(cookie, path string) bool {
	if cookie == "" || cookie[0] != '/' || cookie == "/" || cookie == path {
		return true
	}
	return strings.HasPrefix(path, strings.TrimSuffix(cookie, "/")+"/")
}

// sourceLogin is the source of a person who signed in under our eyes;
// sourceWhoami of one whom only whoami named.
const (
	sourceLogin  = "login"
	sourceWhoami = "whoami"
)

func person(user, source string) access.Person { return access.Person{User: user, Source: source} }
