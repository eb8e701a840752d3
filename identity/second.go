package identity

import (
	"net/http"
	"net/url"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
)

// Many backends ask for a second step of their own after the password: a
// code, a key. Their answer to the password then leads to the page of that
// step, and nobody is signed in: nobody is linked to the device. What is kept
// is a claim: a row of the allow-list in the state nobody, with the name that
// was typed, in the very session that the backend gave or let stand. What is
// posted to the step's own path in that session is judged as the sign-in of
// that name.
//
// A claim is worth what the password was: it names who is to pass the step,
// and opens nothing. It is given up where the session may be about somebody
// else by now: after another login in it, and where the request carries a
// second value of the same cookie.

// secondFor is how long after the password a second step may be passed.
const secondFor = 15 * time.Minute

// isSecond reports whether an address is that of a second step.
func (w *Watcher) isSecond(u *url.URL) bool {
	for _, t := range w.second {
		if t.public(u) {
			return true
		}
	}
	return false
}

// classifySecond tells a request to a second step's address that is to be
// judged.
func (w *Watcher) classifySecond(r *http.Request, s *Session) (Step, bool) {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return StepOther, false
	}
	k := keep(r, w.cfg.MaxBody)
	if ticketOf(k) != "" {
		return StepRelease, true
	}
	if w.passesSecond(r, s, k) {
		return StepLogin, true
	}
	return StepOther, false
}

// passesSecond reports whether a request is the second step of the one whose
// name was typed in its session. Where login and second step have one
// address, a body that names a user is a login.
func (w *Watcher) passesSecond(r *http.Request, s *Session, body *keptBody) bool {
	if len(w.second) == 0 || s.claim.Typed == "" || !s.Person.Nobody() || !w.clock().Before(s.claim.Until) || !w.isSecond(r.URL) {
		return false
	}
	if !w.login.watched(r.URL) {
		return true
	}
	t, err := readUser(r, body, w.userField())
	return err == nil && t.user == ""
}

// leadsToSecond reports whether an answer leads to the page of a second step.
func (x exchange) leadsToSecond() bool {
	if len(x.second) == 0 || x.status < 300 || x.status > 399 || x.header.Get("Location") == "" {
		return false
	}
	to, err := x.asked.Parse(x.header.Get("Location"))
	if err != nil {
		return false
	}
	for _, t := range x.second {
		if t.public(to) {
			return true
		}
	}
	return false
}

// asksSecond reports whether the page of `success page` leads to a second
// step: some backends sign in with the password, and ask for the step on
// every page then.
func (w *Watcher) asksSecond(r *http.Request, path string, a *answer) bool {
	asked, err := r.URL.Parse(path)
	return err == nil && exchange{second: w.second, asked: asked, status: a.status, header: a.sent}.leadsToSecond()
}

// half lets the answer to a right password out that leads to a second step.
func (w *Watcher) half(a Attempt, t *trial, ans *answer, typed typedUser, rw http.ResponseWriter, r *http.Request, s Session, device string, mode Mode) (Attempt, error) {
	a.Outcome = OutcomeSecond
	if typed.second { // another step, or the code was wrong: the claim stands
		if err := t.restore(); err != nil {
			return a, err
		}
		a.Written = true
		return a, w.write(rw, r, s, device, mode, ans)
	}
	if w.otherThere(s, typed) && !t.renewed(ans.sent) {
		// The backend may be asking somebody else: see overSomebody.
		return w.undecided(a, finding{proofNone, "a second step is asked for, but somebody else was in before", ""}, typed, t, ans, rw, r, s, device, mode)
	}
	claim := t.login(access.Person{})
	claim.State, claim.Typed, claim.Until, claim.Adopted = books.LoginNobody, typed.user, t.now.Add(secondFor), mode.passes()
	if err := t.sign(r.Context(), claim, ans, ""); err != nil {
		return a, err
	}
	s.State, s.Login, s.Person = books.LoginNobody, claim, access.Person{}
	a.Written = true
	return a, w.write(rw, r, s, device, mode, ans)
}

// otherThere reports whether a session is, or may be, about somebody else
// than the one whose password was right in it.
func (w *Watcher) otherThere(s Session, typed typedUser) bool {
	switch {
	case s.older, s.Foreign, s.murky:
		return true
	case s.State == books.LoginBound:
		return s.Person.User != typed.user
	}
	return s.claim.Typed != "" && s.claim.Typed != typed.user
}

// disclaim ends the claim of a session in which another login failed: the
// backend may ask somebody else for the second step now.
func (t *trial) disclaim(typed typedUser) {
	t.disclaimed = !typed.second && t.prior != nil && t.prior.login.Typed != ""
}

// judgeClaim tells what a session is worth whose backend asks for a second
// step: nobody's, and while it is fresh the row says who is to pass it. What
// was claimed with the padlock open is unproved once it is closed.
func judgeClaim(r *row, mode Mode, over bool) judged {
	if r.login.Typed == "" {
		return judged{gone: true}
	}
	j := judged{state: books.LoginNobody, row: r, unproved: mode.passes() || r.login.Adopted}
	j.claims = !over && (mode.passes() || !j.unproved)
	return j
}

// claim is the one row that says who is to pass a second step; nil where
// there is none, or where what is carried beside it may be what the backend
// looks at.
func (c *cleaner) claim() *row {
	var one *row
	for i := range c.parts {
		p := &c.parts[i]
		if !p.session || p.drop || !p.claims {
			continue
		}
		if one != nil && one != p.row {
			return nil
		}
		one = p.row
		for j := range c.parts {
			if o := &c.parts[j]; o.session && !o.drop && o.row != one && foldName(o.name) == foldName(p.name) {
				return nil
			}
		}
	}
	return one
}
