package identity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// Login carries a login POST to the backend, judges the answer, asks decide
// where somebody signed in, and releases or holds the answer. Device must
// have an ID; where the request had none, make one and put its cookie into
// rw.Header() before. Where Attempt.Written is false nothing went to rw: show
// a page (see Outcome). An error is never a sign-in.
//
// The call has a context of its own: a client that hangs up in the middle
// would else leave a session behind that is signed in and that nobody
// judged.
func (w *Watcher) Login(rw http.ResponseWriter, r *http.Request, s Session, device access.Device, mode Mode, next Next, decide Decide) (Attempt, error) {
	a := Attempt{Fetch: fetched(r)}
	body := keep(r, w.cfg.MaxBody)
	defer body.wipe()
	typed, err := w.typed(r, s, body)
	if err != nil {
		return w.unreadable(a, err, rw, r, s, device.ID, mode, next)
	}
	if a.Fetch = a.Fetch || typed.script; device.ID == "" {
		return a, errors.New("carrying a login: the device has no identifier")
	}
	s = w.before(r, s, device.ID, mode, next)
	if s, err = w.stillAllowed(r, s, decide); err != nil {
		return a, err
	}
	t, s, err := w.begin(r, s, device.ID, mode)
	if err != nil {
		return a, err
	}
	defer t.abandon() // what panics is ended like what is aborted
	if typed.second && (t.prior == nil || t.prior.login.Typed != typed.user) {
		return a, errors.Join(ErrDeciding, t.restore()) // another tab was first
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), w.cfg.Timeout)
	defer cancel()
	ans, err := w.call(ctx, rw, r, s, device.ID, mode, next)
	a.Status = ans.status
	if ans.through != nil { // too long to be kept, padlock open: it went out
		a.Outcome, a.Reason, a.Written = OutcomeInconclusive, "the answer is too long to be judged", true
		return a, errors.Join(t.spoil(), err)
	}
	if err != nil || ctx.Err() != nil {
		a.Outcome, a.Reason = OutcomeAborted, "the backend did not answer"
		if ctx.Err() == nil {
			return a, errors.Join(t.spoil(), err)
		}
		return a, t.spoil()
	}
	f, who := w.prove(ctx, r, s, ans, typed, t, next)
	f, doubtful := w.overSomebody(f, s, typed, t, ans, mode)
	a.Reason = f.reason
	switch f.proof {
	case proofFailed:
		t.disclaim(typed)
		return w.failed(a, t, ans, rw, r, s, device.ID, mode)
	case proofHalf:
		return w.half(a, t, ans, typed, rw, r, s, device.ID, mode)
	case proofSigned:
		return w.signed(a, t, ans, f, who, typed, doubtful, rw, r, device, mode, decide)
	case proofNone, proofBroken:
	}
	return w.undecided(a, f, typed, t, ans, rw, r, s, device.ID, mode)
}

// before asks whoami, padlock open, whose session it is that a login carries:
// one that was copied here, or is from before the gate, may be somebody's
// already, and would else pass for signed in by whoever posts any password.
func (w *Watcher) before(r *http.Request, s Session, device string, mode Mode, next Next) Session {
	if !mode.passes() || !s.Unproved || !s.Carried || !s.Person.Nobody() {
		return s
	}
	known, err := w.discover(r, s, device, mode, next, true)
	if err != nil {
		s.murky = true
		return s
	}
	return known
}

// stillAllowed takes the session of a login that was bound here off a new
// login POST where its own user may no longer come in: a login path is no
// way for it to reach the backend.
func (w *Watcher) stillAllowed(r *http.Request, s Session, decide Decide) (Session, error) {
	if s.State != books.LoginBound {
		return s, nil
	}
	v, err := decide(r.Context(), s.Person, s.Login)
	if err != nil {
		w.Strip(r)
		return s, fmt.Errorf("asking the gate about the login that was there: %w", err)
	}
	if v.Answer == access.LetIn {
		return s, nil
	}
	w.Strip(r)
	// What the backend sets without having seen that session must not take
	// its place, where the login fails.
	return Session{State: books.LoginNobody, bare: true}, nil
}

// typed reads the user out of a login request.
func (w *Watcher) typed(r *http.Request, s Session, body *keptBody) (typedUser, error) {
	if body.err != nil {
		return typedUser{}, body.err
	}
	if w.passesSecond(r, &s, body) {
		return typedUser{user: s.claim.Typed, script: body.form.json || fetched(r), second: true}, nil
	}
	field := w.userField()
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		if field != "basic" {
			return typedUser{}, ErrPath // the name in the address
		}
	}
	t, err := readUser(r, body, field)
	if err == nil && t.user == "" {
		err = ErrUnreadable
	}
	return t, err
}

// unreadable handles a login whose user cannot be read: refused with the
// padlock closed, else it passes byte for byte and teaches nothing.
func (w *Watcher) unreadable(a Attempt, err error, rw http.ResponseWriter, r *http.Request, s Session, device string, mode Mode, next Next) (Attempt, error) {
	a.Outcome, a.Reason = OutcomeUnreadable, "the login could not be read"
	if !mode.passes() {
		w.Strip(r)
		return a, err
	}
	a.Written = true
	x := w.Wrap(rw, r, s, device, mode)
	err = next(x, r)
	x.Finish()
	return a, err
}

// call sends the login to the backend and keeps the answer back.
func (w *Watcher) call(ctx context.Context, rw http.ResponseWriter, r *http.Request, s Session, device string, mode Mode, next Next) (*answer, error) {
	out := r.WithContext(ctx)
	out.Header = r.Header.Clone()
	out.Header.Set("Accept-Encoding", "identity")
	if !mode.passes() {
		w.sureReferer(out)
	}
	ans := newAnswer(maxAnswer)
	if mode.passes() {
		s.Unproved = true
		ans.overflow = func(a *answer) http.ResponseWriter {
			s.Login, s.Person = books.Login{}, access.Person{}
			x := w.Wrap(rw, r, s, device, mode)
			copyHeader(x.Header(), a.sent)
			x.WriteHeader(a.status)
			return x
		}
	}
	err := next(ans, out)
	if err == nil {
		ans.finish()
	}
	if ans.long && ans.through == nil {
		err = errors.Join(errAnswerTooLong, err)
	}
	return ans, err
}

// copyHeader adds what a kept answer says to a header that may hold ours.
func copyHeader(to, from http.Header) {
	for name, values := range from {
		if name == "Set-Cookie" {
			to[name] = append(to[name], values...)
			continue
		}
		if !hopByHop(name) {
			to[name] = append([]string(nil), values...)
		}
	}
}

func hopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Trailer", "Upgrade", "Te":
		return true
	}
	return strings.HasPrefix(name, http.TrailerPrefix)
}

// prove judges an answer, and asks whoami where the answer shows a sign-in
// or does not tell.
func (w *Watcher) prove(ctx context.Context, r *http.Request, s Session, ans *answer, typed typedUser, t *trial, next Next) (finding, access.Person) {
	x := exchange{
		login: w.login, asked: r.URL, referer: r.Header.Get("Referer"), fields: typed.names, carried: t.byName(), tokenPath: w.cfg.Token, rules: w.cfg.Success,
		second: w.second, atSecond: typed.second,
		status: ans.status, header: ans.sent, body: ans.body, now: t.now,
		isSession: func(c setCookie) bool {
			return w.names.is([]byte(foldName(c.name))) || (w.names.patterns == nil && c.httpOnly && !tooShort(c) && !sameForAll(foldName(c.name)))
		},
	}
	f := judge(x)
	if w.cfg.User == "basic" {
		f = judgeBasic(ans.status, bareToken("Authorization", r.Header.Get("Authorization")))
	}
	who := person(typed.user, sourceLogin)
	if f.proof == proofHalf {
		return f, who
	}
	if page := w.cfg.page(); page != "" && f.proof != proofFailed && f.proof != proofBroken {
		f = w.provePage(ctx, r, s, ans, page, typed.user, f, next)
	}
	if w.cfg.Whoami.Path == "" || f.proof == proofFailed || f.proof == proofBroken || f.proof == proofHalf {
		return f, who
	}
	token := f.token
	if token == "" {
		token = x.token()
	}
	n, err := w.whoami(ctx, r, w.carry(t.pairs(), ans.sent.Values("Set-Cookie"), w.cfg.Whoami.Path), token, next)
	ans.join(n.cookies)
	switch {
	case err != nil:
		return finding{proofNone, "whoami did not answer", ""}, who
	case n.user == "":
		return finding{proofFailed, "whoami names nobody", ""}, who
	case f.proof == proofNone && s.murky:
		return finding{proofNone, "whoami did not tell who was in before", ""}, who
	case f.proof == proofNone && n.user == s.Person.User && s.Foreign:
		return finding{proofNone, "whoami names the one whose session was copied here", ""}, who
	case f.proof == proofNone && n.user == s.Person.User && t.prior != nil:
		return finding{proofFailed, "whoami names the one who was in before", ""}, who
	}
	return finding{proofSigned, f.reason + "; whoami names the user", token}, person(n.user, sourceLogin)
}

// overSomebody doubts a sign-in over a session in which somebody else was in
// already, or may have been (it is older than the gate). Many backends answer
// any login POST of one who is in like a success, whatever the password
// (Laravel's guest middleware), and the name that was typed would be linked
// to this device. What tells is a new session value, from a backend that does
// not give one with every answer; a token; whoami, or a page of the user's.
// With the padlock open a doubtful sign-in counts as adopted.
func (w *Watcher) overSomebody(f finding, s Session, typed typedUser, t *trial, ans *answer, mode Mode) (finding, bool) {
	other := s.State == books.LoginBound && s.Person.User != typed.user
	if f.proof != proofSigned || (!other && !s.older) || f.token != "" || w.cfg.Whoami.Path != "" || w.cfg.page() != "" || t.renewed(ans.sent) {
		return f, false
	}
	if mode.passes() {
		return f, true
	}
	return finding{proofNone, f.reason + "; but somebody else was in before", ""}, true
}

// failed hands a refusal of the backend on. It changes nothing.
func (w *Watcher) failed(a Attempt, t *trial, ans *answer, rw http.ResponseWriter, r *http.Request, s Session, device string, mode Mode) (Attempt, error) {
	a.Outcome = OutcomeFailed
	if err := t.restore(); err != nil {
		return a, err
	}
	a.Written = true
	return a, w.write(rw, r, s, device, mode, ans)
}

// undecided ends what cannot be told. With the padlock open it passes as it
// came.
func (w *Watcher) undecided(a Attempt, f finding, typed typedUser, t *trial, ans *answer, rw http.ResponseWriter, r *http.Request, s Session, device string, mode Mode) (Attempt, error) {
	a.Outcome = OutcomeInconclusive
	if f.proof == proofBroken {
		a.Outcome = OutcomeAborted
	}
	if f.proof == proofNone && s.State == books.LoginBound && !s.Foreign && s.Person.User == typed.user {
		// Signed in already, as the same user: whether the backend signed
		// them in again or let the old session stand, it is theirs.
		a.Outcome, a.Reason = OutcomeFailed, f.reason+"; the same user was signed in"
		if err := t.restore(); err != nil {
			return a, err
		}
		a.Written = true
		return a, w.write(rw, r, s, device, mode, ans)
	}
	if err := t.spoil(); err != nil {
		return a, err
	}
	if mode.passes() {
		s.Login, s.Person, s.State, s.Unproved = books.Login{}, access.Person{}, books.LoginNobody, true
		a.Written = true
		return a, w.write(rw, r, s, device, mode, ans)
	}
	if f.proof == proofBroken && ans.status >= 500 {
		// The backend's own error page; its sessions stay here.
		w.dropSessions(ans.sent)
		a.Written = true
		return a, w.write(rw, r, Session{State: books.LoginNobody}, device, mode, ans)
	}
	w.Strip(r)
	return a, nil
}

// signed asks the gate about one who has proved a sign-in.
func (w *Watcher) signed(a Attempt, t *trial, ans *answer, f finding, who access.Person, typed typedUser, doubtful bool, rw http.ResponseWriter, r *http.Request, device access.Device, mode Mode, decide Decide) (Attempt, error) {
	w.streams.endDevice(device.ID)
	if r.Context().Err() != nil {
		a.Outcome, a.Reason = OutcomeAborted, "the client hung up"
		return a, t.spoil()
	}
	w.learnFrom(ans, typed, f)
	login := t.login(who)
	login.Factors, login.Adopted = []string{"login"}, doubtful
	v, err := decide(r.Context(), who, login)
	if err != nil {
		return a, errors.Join(fmt.Errorf("asking the gate about a sign-in: %w", err), t.spoil())
	}
	a.Verdict, a.Person, a.Token = v, who, f.token != ""
	switch v.Answer {
	case access.LetIn:
		return w.letIn(a, t, ans, f, login, rw, r, device.ID, mode)
	case access.Biopass, access.Approval:
		return w.hold(a, t, ans, f, login, r)
	case access.Deny:
	}
	a.Outcome, a.Login = OutcomeRefused, login
	a.Login.State = books.LoginEnded
	w.Strip(r)
	return a, t.end()
}

// letIn binds a login and lets its answer out.
func (w *Watcher) letIn(a Attempt, t *trial, ans *answer, f finding, login books.Login, rw http.ResponseWriter, r *http.Request, device string, mode Mode) (Attempt, error) {
	login.State = books.LoginBound
	over, older, err := w.heldBefore(r.Context(), device)
	if err != nil {
		return a, errors.Join(fmt.Errorf("ending the sign-in before: %w", err), t.spoil())
	}
	if older != "" {
		over = append(over, store.Write{Key: w.heldKey(device)})
	}
	if err := t.sign(r.Context(), login, ans, f.token, over...); err != nil {
		return a, errors.Join(err, t.spoil())
	}
	if older != "" {
		w.logins.forget(older)
	}
	a.Outcome, a.Login, a.Written = OutcomeReleased, login, true
	s := Session{State: books.LoginBound, Login: login, Person: login.Person}
	if err := w.write(rw, r, s, device, mode, ans); err != nil {
		// It did not arrive: nobody has that session now (threat L26).
		a.Outcome, a.Reason = OutcomeAborted, "the client hung up"
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), storePatience)
		defer cancel()
		return a, errors.Join(err, w.End(ctx, login.ID))
	}
	return a, nil
}

// learnFrom remembers what a proved sign-in shows about the application.
func (w *Watcher) learnFrom(ans *answer, typed typedUser, f finding) {
	field := typed.field
	if field == "basic" {
		field = ""
	}
	w.names.learnLogin(field, f.token != "" && field != "")
	var lines []setCookie
	for _, line := range ans.sent.Values("Set-Cookie") {
		c := parseSetCookie(line, w.clock())
		if OurCookie(c.name) || c.name == "" || c.cleared {
			continue
		}
		if w.names.set(c, false) {
			return // the session is among those known, or HttpOnly
		}
		if !tokenLike(c.name) || strings.Contains(foldName(c.name), "access") || strings.Contains(foldName(c.name), "auth") {
			lines = append(lines, c)
		}
	}
	for _, c := range lines { // the session of an application without HttpOnly
		w.names.set(c, f.token == "")
	}
}

// dropSessions removes the sessions from an answer.
func (w *Watcher) dropSessions(h http.Header) {
	var kept []string
	for _, line := range h["Set-Cookie"] {
		c := parseSetCookie(line, w.clock())
		if c.cleared || (!OurCookie(c.name) && !w.names.set(c, false)) {
			kept = append(kept, line)
		}
	}
	if h["Set-Cookie"] = kept; len(kept) == 0 {
		delete(h, "Set-Cookie")
	}
}

// write lets a kept answer out, its sessions stamped.
func (w *Watcher) write(rw http.ResponseWriter, r *http.Request, s Session, device string, mode Mode, ans *answer) error {
	x := w.Wrap(rw, r, s, device, mode)
	x.login = true
	copyHeader(x.Header(), ans.sent)
	x.WriteHeader(ans.status)
	if len(ans.body) > 0 && r.Method != http.MethodHead {
		if _, err := x.Write(ans.body); err != nil {
			return fmt.Errorf("answering a login: %w", err)
		}
	}
	return nil
}
