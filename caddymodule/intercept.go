package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/biopass"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/fingerprint"
	"github.com/cadenas-gateway/cadenas/identity"
	"github.com/cadenas-gateway/cadenas/pages"
)

// login carries a login POST.
func (q *request) login() error {
	attempt, err := q.watcher.Login(q.w, q.r, *q.session, q.print.Device, q.mode, q.pass, q.decide)
	switch {
	case errors.Is(err, identity.ErrTooLarge):
		return caddyhttp.Error(http.StatusRequestEntityTooLarge, err)
	case errors.Is(err, identity.ErrUnreadable):
		return caddyhttp.Error(http.StatusUnsupportedMediaType, err)
	case errors.Is(err, identity.ErrPath), errors.Is(err, identity.ErrName):
		return caddyhttp.Error(http.StatusBadRequest, err)
	case err != nil:
		var handled caddyhttp.HandlerError
		if errors.As(err, &handled) {
			return err // the backend's way failed, as it would without us
		}
		return q.unavailable(err)
	}
	countLogin(q.name, attempt.Outcome)
	if attempt.Verdict.Answer != "" {
		q.note(&attempt.Person, &attempt.Verdict)
	}
	if attempt.Outcome == identity.OutcomeHeld || attempt.Outcome == identity.OutcomeRefused {
		return q.hold(attempt)
	}
	if !attempt.Written {
		// It does not show whether somebody signed in, and the answer may be a
		// page for those who are in.
		return q.refused(errors.New("the sign-in could not be understood: " + attempt.Reason))
	}
	return nil
}

// decide is asked by the watcher about somebody who has just signed in, and
// before that about the one (l bound) who is signed in already.
func (q *request) decide(ctx context.Context, p access.Person, l books.Login) (access.Verdict, error) {
	q.inFull()
	q.placeFor(p.User)
	session := *q.session
	session.Login.Adopted = l.Adopted
	q.session = &session
	v, err := q.check(ctx, p)
	if err == nil {
		v, err = q.second(ctx, p, l, v)
	}
	if err == nil && v.Answer == access.LetIn && l.State != books.LoginBound && p.User != q.session.Person.User {
		q.rotate()
	}
	return v, err
}

// rotate hands out the device cookie's next generation with this answer: one
// that was planted or copied before is an old one soon (threat L9).
func (q *request) rotate() {
	if q.print.Device.ID != "" && q.mode != identity.Drain {
		q.w.add().cookie = q.reader.Rotate(q.mine(), q.now)
	}
}

// hold shows the page on which a signed-in person waits, or keeps a login by
// script open for a while.
func (q *request) hold(a identity.Attempt) error {
	if !a.Fetch {
		q.page = true
		return q.intercept(a.Person, a.Verdict, a.Login.ID)
	}
	if a.Outcome == identity.OutcomeHeld && q.handler.Hold > 0 && a.Verdict.Answer != access.Biopass {
		ask, err := q.open(a.Person, a.Verdict, a.Login.ID)
		if err != nil {
			return q.unavailable(err)
		}
		ctx, cancel := context.WithCancel(q.r.Context())
		defer cancel()
		decided := make(chan struct{}, 1)
		if ask.ID != "" {
			changes, err := q.run.approvals.Subscribe(ctx, q.name, ask.ID)
			if err != nil {
				return q.unavailable(err)
			}
			go func() {
				for range changes {
					select {
					case decided <- struct{}{}:
					default:
					}
				}
			}()
		}
		if a, err = q.watcher.Wait(q.w, q.r, a, decided, q.decide); err != nil {
			return q.unavailable(err)
		}
		if a.Outcome == identity.OutcomeReleased {
			return nil
		}
	}
	q.page = false
	return q.intercept(a.Person, a.Verdict, a.Login.ID)
}

// stillHeld shows the waiting page to a device on which a login waits; done
// says that the request was answered.
func (q *request) stillHeld() (done bool, err error) {
	held, ok, err := q.watcher.Held(q.r.Context(), q.print.Device.ID)
	if err != nil {
		return true, q.unavailable(err)
	}
	if !ok || (q.session.State != books.LoginHeld && !q.session.Person.Nobody()) {
		return false, nil
	}
	q.held = &held
	q.inFull()
	person := held.Login.Person
	q.placeFor(person.User)
	verdict, err := q.check(q.r.Context(), person)
	if err == nil {
		verdict, err = q.second(q.r.Context(), person, held.Login, verdict)
	}
	if err != nil {
		return true, q.unavailable(err)
	}
	q.note(&person, &verdict)
	if verdict.Answer == access.LetIn && q.page {
		if held.Token && q.session.State != books.LoginHeld {
			// Nothing is held for a browser to fetch: they sign in once more,
			// and the way to the application's own form is free.
			return false, nil
		}
		if answered, err := q.typedMeanwhile(person, held.Login.ID); answered || err != nil {
			return true, err
		}
		// Approved meanwhile: the page that fetches the held answer.
		return true, q.showWaiting(approvals.AccessRequest{}, person, held.Login.ID)
	}
	if q.sameAgain(verdict, held.Login.ID) {
		return true, nil
	}
	return true, q.intercept(person, verdict, held.Login.ID)
}

// intercept answers a request that was not let in: the waiting page where a
// person looks, problem+json elsewhere (X9).
func (q *request) intercept(p access.Person, v access.Verdict, login string) error {
	if v.Answer == access.Biopass {
		if answered, err := q.typing(p, v, login); err != nil {
			return q.unavailable(err)
		} else if answered {
			return nil
		}
		v.Answer = access.Approval // no prints, no keyboard, or every try spent
	}
	ask, err := q.open(p, v, login)
	if err != nil {
		return q.unavailable(err)
	}
	q.closing()
	if !q.page {
		return q.problem(approvals.Problem{
			Title: "Waiting for approval", Detail: "This connection is not authorised yet. Open the address in a browser window to see the waiting page.",
			Reference: ask.Reference,
		})
	}
	return q.showWaiting(ask, p, login)
}

// open opens or joins the access request of a person who must wait. One who
// is refused gets a request that nobody keeps: from outside both look alike
// (threat L17).
func (q *request) open(p access.Person, v access.Verdict, login string) (approvals.AccessRequest, error) {
	a := approvals.Ask{
		Application: q.name, Person: p, Device: q.print.Device, Browser: q.print.Browser, Place: *q.place,
		New: v.New, Asked: v.Answer, LoginID: login, Language: pages.Language(q.r, q.run.app.Languages).Tag(),
	}
	if v.Answer != access.Approval && v.Answer != access.Biopass {
		return q.run.approvals.Imitate(a), nil
	}
	ask, opened, err := q.run.approvals.Open(q.r.Context(), a)
	if errors.Is(err, approvals.ErrTooMany) {
		err = nil
	}
	if opened {
		countRequest(q.name)
	}
	return ask, err
}

// showWaiting answers with the waiting page, or, where the gate has a host of
// its own, with the small page that leads there.
func (q *request) showWaiting(ask approvals.AccessRequest, p access.Person, login string) error {
	c := pages.Language(q.r, q.run.app.Languages)
	status := http.StatusForbidden
	back := "/"
	if q.r.Method == http.MethodGet && !strings.HasPrefix(q.r.URL.Path, ownPath) {
		back = q.r.URL.RequestURI()
	}
	if q.gate != "" && !strings.EqualFold(q.gate, origin(q.r)) {
		t := ticket{
			Application: q.name, Device: q.print.Device.ID, Login: login, Origin: origin(q.r), Back: back, Ask: ask.ID, Until: q.now.Add(ticketLife),
		}
		if ask.ID == "" && ask.State != "" {
			t.MadeUp = madeUp(ask)
		}
		return approvals.WriteLead(q.w, q.r, c, status, approvals.LeadPage{
			Application: q.name, Languages: q.run.app.Languages, To: q.run.ticketURL(q.gate, t),
		})
	}
	if ask.ID == "" && ask.State == "" {
		found, err := q.run.approvals.ForHolder(q.r.Context(), q.name, q.print.Device.ID, login)
		if err != nil {
			return q.unavailable(err)
		}
		ask = found
	}
	page, err := q.waitingPage(q.r.Context(), ask, q.print.Device.ID, "", back, q.held)
	if err != nil {
		return q.unavailable(err)
	}
	if q.r.URL.Path == approvals.WaitPath {
		page.Said = q.r.URL.Query().Get("said")
	}
	var drawn pages.Drawn
	err = approvals.WriteWaiting(q.w, q.r, c, status, page, pages.Keep(&drawn))
	if q.held != nil && ask.State == approvals.Waiting {
		q.keepDrawn(drawn, login)
	}
	return err
}

// madeUp is what the gate's host must know to show the same made-up request.
// Groups, e-mail and mobile number are not shown.
func madeUp(ask approvals.AccessRequest) *approvals.Imitation {
	a := approvals.Ask{
		Application: ask.Application, Person: access.Person{User: ask.Person.User, Name: ask.Person.Name, Source: ask.Person.Source},
		Device: ask.Device, Browser: ask.Browser, Place: ask.Place, New: ask.New, Asked: ask.Asked, LoginID: ask.LoginID, Language: ask.Language,
	}
	return &approvals.Imitation{Ask: a, Reference: ask.Reference, Number: ask.Number, Opened: ask.Opened, Refused: ask.Last, Grouped: len(ask.Person.Groups) > 0}
}

// waitingPage joins a request with the answer that is held for its device.
// At is the application's origin where the page stands on another host; read
// is the answer that is held, where it was read before.
func (s *site) waitingPage(ctx context.Context, ask approvals.AccessRequest, device, at, back string, read *identity.Held) (approvals.WaitingPage, error) {
	page := approvals.WaitingPage{
		Ask: ask, Application: s.name, Languages: s.run.app.Languages, Continue: at + back, SignIn: at + "/",
		Limits: s.run.approvals.Limits(),
	}
	if ask.State == approvals.Waiting {
		can, err := s.run.biopass.CanStill(ctx, s.name, device, ask.Person.User, ask.LoginID)
		if err != nil {
			return page, err
		}
		if can {
			page.Biopass = biopass.BasePath
		}
	}
	if channel, hint, ok, err := s.run.approvals.CodeWay(ctx, ask); err != nil {
		return page, err
	} else if ok && ask.State.Open() {
		page.Code = &approvals.CodeSent{Channel: channel, Hint: hint, Life: page.Limits.Code}
	}
	w := s.watching()
	if w == nil || ask.LoginID == "" {
		return page, nil
	}
	var held identity.Held
	ok := read != nil
	if ok {
		held = *read
	} else {
		var err error
		if held, ok, err = w.Held(ctx, device); err != nil {
			return page, err
		}
	}
	switch {
	case ok && held.Token:
		page.SignInAgain = true
	case ok:
		page.Release = &approvals.Release{Action: at + held.Action, Ticket: held.Ticket, Redirects: held.Redirects}
	case ask.State == approvals.Approved && !w.Bound(ctx, ask.LoginID):
		page.SignInAgain, page.TooLate = true, true
	}
	return page, nil
}

// release answers the POST of a ticket.
func (q *request) release() error {
	// The page may have heard of the approval before the gate did.
	afresh := func(ctx context.Context, p access.Person, l books.Login) (access.Verdict, error) {
		q.run.state.gate.Forget(q.name, p.User)
		v, err := q.decide(ctx, p, l)
		if err == nil && v.Answer == access.LetIn {
			q.rotate()
		}
		return v, err
	}
	_, err := q.watcher.Release(q.w, q.r, q.print.Device.ID, afresh)
	switch {
	case err == nil:
		countLogin(q.name, identity.OutcomeReleased)
		return nil
	case errors.Is(err, identity.ErrTicket):
		return caddyhttp.Error(http.StatusBadRequest, err)
	case errors.Is(err, identity.ErrWaiting), errors.Is(err, identity.ErrTooLate), errors.Is(err, identity.ErrSignInAgain):
		return q.notReleased(err)
	}
	return q.unavailable(err)
}

func (q *request) notReleased(why error) error {
	ask, err := q.run.approvals.ForHolder(q.r.Context(), q.name, q.print.Device.ID, "")
	if err != nil && !errors.Is(err, approvals.ErrNotFound) {
		return q.unavailable(err)
	}
	page := approvals.WaitingPage{Ask: ask, Application: q.name, Languages: q.run.app.Languages, SignIn: "/", Limits: q.run.approvals.Limits()}
	if !errors.Is(why, identity.ErrWaiting) {
		page.Ask.State = approvals.Approved
		page.SignInAgain, page.TooLate = true, errors.Is(why, identity.ErrTooLate)
	}
	return approvals.WriteWaiting(q.w, q.r, pages.Language(q.r, q.run.app.Languages), http.StatusForbidden, page)
}

// own serves our own paths on the application's host.
func (q *request) own() error {
	path := q.r.URL.Path
	if q.r.Method == http.MethodPost {
		q.run.drawn.forget(q.name, q.print.Device.ID)
	}
	switch {
	case strings.HasPrefix(path, pages.AssetPath):
		pages.Assets().ServeHTTP(q.w, q.r)
		return nil
	case path == approvals.DevicePath:
		return q.report()
	case isBiopass(path):
		return q.ownTyping()
	case path == approvals.WaitPath && (q.r.Method == http.MethodGet || q.r.Method == http.MethodHead):
		return q.ownWaiting()
	case strings.HasPrefix(path, teachPath):
		return q.openLesson()
	case strings.HasPrefix(path, approvals.WaitPath+"/"):
		ctx := context.WithValue(q.r.Context(), holderKey{}, approvals.Holder{Application: q.name, DeviceID: q.print.Device.ID, Back: approvals.WaitPath})
		q.waiting.ServeHTTP(q.w, q.r.WithContext(ctx))
		return nil
	}
	return q.nothingHere()
}

func (q *request) nothingHere() error {
	return caddyhttp.Error(http.StatusNotFound, errors.New("no such page of cadenas"))
}

func (q *request) ownWaiting() error {
	ask, err := q.run.approvals.ForHolder(q.r.Context(), q.name, q.print.Device.ID, "")
	if errors.Is(err, approvals.ErrNotFound) || q.print.Device.ID == "" {
		http.Redirect(q.w, q.r, "/", http.StatusSeeOther)
		return nil
	}
	if err != nil {
		return q.unavailable(err)
	}
	return q.showWaiting(ask, ask.Person, ask.LoginID)
}

// report takes what a script of ours saw of the device.
func (q *request) report() error {
	if q.r.Method != http.MethodPost || q.r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		return caddyhttp.Error(http.StatusMethodNotAllowed, errors.New("use POST from our own page"))
	}
	var told struct {
		TouchPoints int    `json:"touch_points"`
		DisplayMode string `json:"display_mode"`
	}
	if err := json.NewDecoder(io.LimitReader(q.r.Body, 1024)).Decode(&told); err != nil {
		return caddyhttp.Error(http.StatusBadRequest, err)
	}
	installed := false
	switch told.DisplayMode {
	case "standalone", "minimal-ui", "window-controls-overlay":
		installed = true // "fullscreen" is also a tab after F11
	}
	if !q.mine().Remember(fingerprint.Report{TouchPoints: told.TouchPoints, Standalone: installed}) {
		q.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	q.w.add().cookie = q.reader.Issue(q.print, q.now)
	q.w.Header().Set("Content-Type", "application/json")
	_, err := io.WriteString(q.w, `{"changed":true}`)
	return err
}

// problem answers a request that cannot show a page (X9, RFC 9457).
func (q *request) problem(p approvals.Problem) error { return q.problemAt(approvals.WaitPath, p) }

// problemAt is problem, naming another page than the waiting page.
func (q *request) problemAt(path string, p approvals.Problem) error {
	p.Waiting = origin(q.r) + path
	allowOrigin(q.w.Header(), q.r)
	return approvals.WriteProblem(q.w, p)
}

// closing makes a refused upgrade close its socket: on HTTP/1.1 what was sent
// behind the upgrade would else be read as the next request (tried; L18).
func (q *request) closing() {
	if q.r.ProtoMajor == 1 && q.r.Header.Get("Upgrade") != "" {
		q.w.Header().Set("Connection", "close")
	}
}

// allowOrigin lets a script read why it was refused, on its own origin and on
// sibling hosts of it that send credentials; others learn nothing.
func allowOrigin(h http.Header, r *http.Request) {
	h.Add("Vary", "Origin")
	if o := r.Header.Get("Origin"); o != "" && o == origin(r) {
		h.Set("Access-Control-Allow-Origin", o)
		h.Set("Access-Control-Allow-Credentials", "true")
	}
}

type holderKey struct{}

// holderOf is the holder whom the handler found before its cookies were taken
// off the request.
func holderOf(r *http.Request) (approvals.Holder, bool) {
	h, ok := r.Context().Value(holderKey{}).(approvals.Holder)
	return h, ok && h.DeviceID != ""
}

// ticketLife is how long the way to the gate's host is open; the page there
// keeps its own cookie.
const ticketLife = 24 * time.Hour
