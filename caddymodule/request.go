package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/biopass"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/fingerprint"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/identity"
	"github.com/cadenas-gateway/cadenas/places"
)

// ownPath is where our own pages are on an application's host. Nothing below
// it can approve anything (threat L12).
const ownPath = "/.cadenas/"

// explainHeader is where the bearer of a token of `explain token` puts it;
// reasonHeader tells them the reason.
const (
	explainHeader = "Cadenas-Explain"
	reasonHeader  = "Cadenas-Reason"
)

// request is one request on its way through a site, in one piece of memory
// with its writers and its place among the requests under way.
type request struct {
	*site
	// watcher, sources and device are the site's at the moment: a login can be
	// taught while it works.
	*loginAtWork
	w       *guard
	r       *http.Request
	next    caddyhttp.Handler
	server  *caddyhttp.Server // nil where Caddy does not tell
	now     time.Time
	print   *fingerprint.Fingerprint // may be shared: see mine
	place   *access.Place            // may be shared: it is replaced, not changed
	located string                   // for whom: a place can have a name for one person
	edition places.Edition
	session *identity.Session // may be shared: it is replaced, not changed
	mode    identity.Mode
	exempt  bool        // by its path
	page    bool        // a person waits in front of it
	typed   bool        // a match of Biopass is what lets this in
	tell    bool        // the bearer is told reasons
	why     biopass.Why // why an allowed sign-in is followed by typing
	factor  string      // how the person confirmed, where no sign-in is watched

	known   *familiar // the same request before, as far as it is still good
	sum     uint64
	kept    *fingerprint.Kept // what the next one may go by
	cleaned *identity.Cleaned
	held    *identity.Held // what waits on the device, once it was read

	person  *access.Person // who was let in; nobody until then
	reviews uint64         // the gate's, before it was asked
	guard   guard
	wrapped identity.Writer
	socket  gate.Socket
	cancel  context.CancelCauseFunc // nil where what it came on ends it
}

// serve is the order of a request, as package identity and DESIGN have it.
func (s *site) serve(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	shown := s.handler.show(r)
	from := s.handler.hop(r)
	q := &request{
		site: s, loginAtWork: s.login.Load(), r: r, next: next, now: time.Now(), server: from.server,
		session: &noSession, person: &noSession.Person, place: &noPlace, reviews: s.run.state.gate.Reviews(),
	}
	q.look(from, &shown)
	q.guard.ResponseWriter = w
	q.w = &q.guard

	// The padlock's error is no way in: the mode is the strictest then, and
	// the gate is asked again below.
	closed, draining, err := s.lock.State(r.Context())
	q.exempt = s.handler.matcher.match(r)
	switch {
	case err != nil:
		q.mode = identity.Closed
	case draining && !closed:
		q.mode = identity.Drain
	case !closed:
		q.mode = identity.Open
	case q.exempt:
		q.mode = identity.Exempt
	}
	s.loose.look(s, from, r)
	q.clean(from, &shown)
	if q.session.Bad != nil {
		return caddyhttp.Error(http.StatusBadRequest, q.session.Bad)
	}
	if (err != nil || q.session.Err != nil) && q.mode == identity.Closed {
		return q.unavailable(errors.Join(err, q.session.Err))
	}
	if q.session.Foreign {
		q.noteForeign()
	}
	if strings.HasPrefix(r.URL.Path, ownPath) {
		return q.own()
	}
	if q.mode == identity.Closed && preflight(r) {
		barePreflight(r)
		return next.ServeHTTP(q.w, r)
	}
	if shown.mode == "" || shown.mode == "navigate" {
		q.page = fingerprint.Navigation(r) || formPost(r)
	}
	q.locate(q.session.Person.User)
	if (q.page || q.isLogin(r)) && q.print.Due(q.now) && q.mode != identity.Drain {
		q.w.add().cookie = s.reader.Issue(q.mine(), q.now)
	}
	if q.watcher == nil {
		return q.other()
	}
	if q.mode == identity.Closed {
		if done, long := q.watcher.Screen(r); long {
			err := q.other()
			if done() && err != nil { // a login stood behind the first part: it did not pass
				return caddyhttp.Error(http.StatusRequestEntityTooLarge, identity.ErrTooLarge)
			}
			return err
		}
	}
	switch q.watcher.Classify(r, q.session) {
	case identity.StepRelease:
		return q.release()
	case identity.StepLogin:
		return q.login()
	case identity.StepToken:
		if q.session.State == books.LoginBound {
			return q.token()
		}
	case identity.StepLogout, identity.StepPublic, identity.StepOther:
	}
	return q.other()
}

// clean takes off the request what else the backend must not read.
func (q *request) clean(from hop, shown *shown) {
	if shown.explain != "" {
		q.tell = q.mayBeTold(shown.explain)
	}
	for _, name := range q.handler.trusted {
		if key := http.CanonicalHeaderKey(name); len(q.r.Header[key]) > 0 && !q.handler.believesPeer(q.r, from) {
			delete(q.r.Header, key)
		}
	}
	q.cleanTrailers()
	if q.watcher != nil {
		q.cleanSession(shown)
		return
	}
	identity.StripOurCookies(q.r)
}

// noSession is the session where no login is watched, noPlace where nobody asked
// for it yet. Neither is changed.
var (
	noSession identity.Session
	noPlace   access.Place
)

// cleanSession takes off the request what is none of this device's sessions.
func (q *request) cleanSession(shown *shown) {
	if k := q.known; k != nil {
		if q.mode == identity.Closed && k.cleaned != nil && q.watcher.Recall(k.cleaned, q.r, shown.cookies, shown.token, q.now) {
			q.session = &k.cleaned.Session
			return
		}
		q.known, q.kept = nil, k.print
	}
	session, cleaned := q.watcher.CleanFor(q.r, q.print.Device.ID, q.mode)
	q.session, q.cleaned = &session, cleaned
}

// mine is the fingerprint to be changed: that of this request alone.
func (q *request) mine() *fingerprint.Fingerprint {
	mine := *q.print
	q.print = &mine
	return q.print
}

func (q *request) mayBeTold(token string) bool {
	until, err := q.run.state.keys().OpenText(token, "explain", q.name)
	if err != nil {
		return false
	}
	end, err := time.Parse(time.RFC3339, string(until))
	return err == nil && q.now.Before(end)
}

// formPost reports whether a person sent a form and looks at what comes back.
func formPost(r *http.Request) bool {
	if r.Method != http.MethodPost || r.Header.Get("Sec-Fetch-Mode") != "" {
		return false
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html") && r.Header.Get("X-Requested-With") == ""
}

// isLogin reports whether r is posted to the login, whose answer bears the
// device cookie whoever sent it.
func (l *loginAtWork) isLogin(r *http.Request) bool {
	return l.watcher != nil && r.Method == http.MethodPost && l.watcher.IsLoginPath(r)
}

// locate looks up where the request comes from, for a user.
func (q *request) locate(user string) {
	q.edition, q.located = q.run.app.places.Edition(), user
	if k := q.known; k != nil && k.user == user && k.edition == q.edition {
		q.place = &k.place
		return
	}
	q.placeFor(user)
}

// placeFor looks up where the request comes from as a user calls it.
func (q *request) placeFor(user string) {
	place := q.run.place(q.print.Address, user)
	q.place = &place
}

// token carries a request for a new token, once the gate allows its user.
func (q *request) token() error {
	person := q.session.Person
	q.inFull()
	q.placeFor(person.User)
	verdict, err := q.check(q.r.Context(), person)
	if err != nil {
		return q.unavailable(err)
	}
	q.note(&person, &verdict)
	if verdict.Answer != access.LetIn {
		return q.intercept(person, verdict, q.session.Login.ID)
	}
	return q.watcher.Token(q.w, q.r, *q.session, q.print.Device.ID, q.mode, q.pass)
}

// who is behind the request: the session's user, or whom the identity sources
// name, or the device.
func (q *request) who() (*access.Person, error) {
	if len(q.sources) == 0 && !q.session.Person.Nobody() {
		return &q.session.Person, nil
	}
	person, err := identity.First(q.r, q.session.Person, q.sources...)
	if err == nil && person.Nobody() && q.device {
		person = identity.DevicePerson(q.print.Device.ID)
	}
	return &person, err
}

// other is every request that is neither a login nor a release.
func (q *request) other() error {
	var err error
	ctx := q.r.Context()
	if q.session.State == books.LoginDeciding {
		session, err := q.watcher.Settle(q.r, q.print.Device.ID, q.mode, *q.session)
		if q.session = &session; err != nil {
			return q.unavailable(err)
		}
	}
	if q.watcher != nil && q.print.Device.ID != "" && (q.page || q.session.State == books.LoginHeld) && q.mode != identity.Open && q.mode != identity.Drain {
		if done, err := q.stillHeld(); done || err != nil {
			return err
		}
	}
	right := identity.RightForward
	if q.watcher != nil && q.session.Person.Nobody() {
		var session identity.Session
		session, right, err = q.watcher.Nobody(q.r, *q.session, q.print.Device, q.mode, q.pass)
		if q.session = &session; err != nil {
			return q.unavailable(err)
		}
	}
	if q.watcher != nil && q.watcher.Doubts(q.session, q.mode) {
		session, err := q.watcher.Recheck(q.r, *q.session, q.print.Device.ID, q.mode, q.pass)
		if q.session = &session; err != nil {
			return q.unavailable(err)
		}
	}
	person, err := q.who()
	if err != nil {
		return q.refused(err)
	}
	if person.User != q.located {
		q.locate(person.User)
	}
	if person.Nobody() {
		return q.nobody(right)
	}
	q.inFull()
	verdict, err := q.decided(ctx, person)
	if err == nil {
		verdict, err = q.confirm(ctx, *person, verdict)
	}
	if err != nil {
		return q.unavailable(err)
	}
	q.note(person, verdict)
	if verdict.Answer != access.LetIn {
		return q.intercept(*person, *verdict, q.session.Login.ID)
	}
	if q.page && q.session.Login.ID == "" && q.offer(*person, *verdict) {
		return nil
	}
	q.typed = verdict.Step == access.StepRule && verdict.Rule.Author == "biopass"
	return q.forward(person)
}
