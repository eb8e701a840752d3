package adminui

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/pages"
	"github.com/cadenas-gateway/cadenas/store"
)

// visit is one request to the console, with who makes it.
type visit struct {
	*Console
	w   http.ResponseWriter
	r   *http.Request
	now time.Time
	say *lang.Catalogue
	// admin and session are set behind the sign-in.
	admin   books.Admin
	session session
	secret  string
	// desk is who acts where no browser does: see Desk.
	desk *gate.By
	// explainer gives the verdicts of the page, see judge.
	explainer *gate.Explainer
	// whoAsks are the users who wait, once they were asked for, see asks.
	whoAsks map[string]bool
}

// handler answers one visit. What it returns as an error becomes a page: see
// fail.
type handler func(v *visit) error

// Errors that become a page of their own.
var (
	errNotHere   = errors.New("no such page, or not for this admin")
	errForged    = errors.New("the request does not come from a page of the console")
	errBadWords  = errors.New("the form cannot be read")
	errTooManyOf = errors.New("too many at once")
)

// said is an error whose words are a message of the catalogue: the person can
// do something about it. It is shown in the room itself.
type said struct {
	key   string
	pairs []any
}

func (s *said) Error() string { return "the console says: " + s.key }

func tell(key string, pairs ...any) error { return &said{key, pairs} }

// ctx is the request's context.
func (v *visit) ctx() context.Context { return v.r.Context() }

// by is who does what this visit asks for, for the audit.
func (v *visit) by() gate.By {
	if v.desk != nil {
		return *v.desk
	}
	who := v.admin.Email
	if v.session.Email == operator {
		who = "system"
	}
	return gate.By{Who: who, From: v.ClientAddress(v.r), Via: "console"}
}

// applications are those the admin looks after, in the order pages show them:
// by name. Identifiers are compared whole (threat L23).
func (v *visit) applications() []string {
	var list []string
	for _, id := range v.Gate.Applications() {
		if v.admin.LooksAfter(id) {
			list = append(list, id)
		}
	}
	sortBy(list, func(id string) string { return strings.ToLower(v.name(id)) })
	return list
}

// application returns the one a request names, or errNotHere where there is
// none or the admin does not look after it: the two look the same from outside
// (threat L23).
func (v *visit) application(id string) (string, error) {
	for _, mine := range v.applications() {
		if mine == id {
			return id, nil
		}
	}
	return "", errNotHere
}

// all reports whether the admin looks after every application.
func (v *visit) all() bool { return len(v.admin.Applications) == 0 }

// live reports whether a page fetches itself anew: that is no use by a person.
func (v *visit) live() bool {
	return v.r.Header.Get("X-Cadenas-Live") != "" || v.r.URL.Path == eventsPath
}

// show writes a page of the console.
func (v *visit) show(status int, page string, data any) error {
	return templateSet().Write(v.w, v.r, v.say, status, page, data, pages.Installable())
}

// to redirects to a place of the console after a form; it is a constant of
// ours with parts escaped for a query.
func (v *visit) to(format string, parts ...any) error {
	for i, p := range parts {
		if s, ok := p.(string); ok {
			parts[i] = url.QueryEscape(s)
		}
	}
	return v.seeOther(fmt.Sprintf(format, parts...))
}

// seeOther redirects after a form to an address of ours.
func (v *visit) seeOther(to string) error {
	v.w.Header().Set("Cache-Control", "no-store")
	http.Redirect(v.w, v.r, to, http.StatusSeeOther) //nolint:gosec // a path of ours, or one that local let by (threat L13)
	return nil
}

// pathPart escapes one part of a path.
func pathPart(s string) string { return url.PathEscape(s) }

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }

// back redirects to where a form was, when it says so and that is a place of
// ours, else to the place given.
func (v *visit) back(otherwise string) error { return v.seeOther(v.backTo(otherwise)) }

// backTo is where back leads.
func (v *visit) backTo(otherwise string) string {
	if to := local(v.r.PostFormValue("back")); to != "" {
		return to
	}
	return otherwise
}

// local returns an address on this host, or "" for anything else (threat L13):
// a path that begins with one slash, and no word a browser reads as another.
func local(to string) string {
	if len(to) > 1000 || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t\x00") {
		return ""
	}
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.HasPrefix(u.Path, "//") {
		return ""
	}
	return u.RequestURI()
}

// fail answers for a handler that returned an error. A person sees a sentence
// and a code; the log line has the code too.
func (v *visit) fail(err error) {
	status, key := http.StatusInternalServerError, "console.error.broken"
	var s *said
	switch {
	case errors.As(err, &s):
		v.problem(http.StatusUnprocessableEntity, v.say.Text(s.key, s.pairs...), "")
		return
	case errors.Is(err, errNotHere), errors.Is(err, store.ErrNotFound):
		status, key = http.StatusNotFound, "console.error.not_here"
	case errors.Is(err, errForged):
		status, key = http.StatusForbidden, "console.error.forged"
	case errors.Is(err, errBadWords):
		status, key = http.StatusBadRequest, "console.error.bad_words"
	case errors.Is(err, errTooManyOf):
		status, key = http.StatusTooManyRequests, "console.error.too_many"
	case errors.Is(err, context.Canceled) && v.ctx().Err() != nil:
		return // the person went away
	default:
		words, ok := v.alarm()
		if !ok && unreached(err) { // the gate gives it a moment before it calls that away
			words, ok = v.say.Text("console.store.silent"), true
		}
		if ok {
			v.Log.Warn("the console cannot answer while the store is in trouble", "error", err, "path", v.r.URL.Path)
			v.w.Header().Set("Retry-After", "5")
			v.problem(http.StatusServiceUnavailable, words, "")
			return
		}
	}
	code := ""
	if status == http.StatusInternalServerError {
		code = books.NewID(v.now)[:10]
		v.Log.Error("the console cannot answer", "error", err, "code", code, "path", v.r.URL.Path)
	}
	v.problem(status, v.say.Text(key), code)
}

// unreached reports whether err is that of a store that a connection could not
// be had to.
func unreached(err error) bool {
	var op *net.OpError
	return errors.As(err, &op)
}

// problem is a bare page with one sentence.
func (v *visit) problem(status int, sentence, code string) {
	page := struct {
		pages.Door
		Sentence string
	}{Door: pages.Door{Reference: code, Languages: v.Languages}, Sentence: sentence}
	if err := v.show(status, "problem", page); err != nil {
		v.Log.Error("the console's error page cannot be written", "error", err)
	}
}
