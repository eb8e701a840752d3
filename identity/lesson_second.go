package identity

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
)

// A right password may lead to a second step of the backend's own. What is
// learnt as the answer to the right sign-in is then the answer to that step,
// and where it was asked for.

// stepping is what pages of a second step are called.
var stepping = regexp.MustCompile(`(?i)(2fa|mfa|otp|two[-_]?factor|second|challenge|webauthn|verif|code)`)

// step is the page of a second step to which the right password led, "" for
// none.
func (l *Lesson) step() string {
	if len(l.Second) > 0 {
		return l.Second[0]
	}
	if l.Right == nil || l.Right.Status < 300 || l.Right.Status > 399 {
		return ""
	}
	if page := pathOnly(l.Right.Location); stepping.MatchString(page) && plainPath(page) {
		return page
	}
	return ""
}

// atSecond reports whether a request passes a second step.
func (p *pupil) atSecond(r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || leaving.MatchString(r.URL.Path) || !plainPath(r.URL.EscapedPath()) {
		return false
	}
	switch p.l.Step {
	case LessonLeave:
		page := p.l.step()
		from, err := url.Parse(r.Header.Get("Referer"))
		return page != "" && (r.URL.EscapedPath() == page || err == nil && from.EscapedPath() == page)
	case LessonTryRight:
		return slices.ContainsFunc(p.l.Words.Second, func(text string) bool { return parseTarget(text).public(r.URL) })
	case LessonLink, LessonWrong, LessonRight, LessonFound, LessonTryWrong, LessonTried:
	}
	return false
}

// seeSecond carries a second step and learns from its answer. One that leads
// to the step again, or shows a page, was not passed.
func (p *pupil) seeSecond(rw http.ResponseWriter, r *http.Request) error {
	k := keep(r, defaultMaxBody)
	defer k.wipe()
	fields := slices.Clone(k.form.fields)
	defer clear(fields)
	ans, err := p.carry(rw, r)
	if err != nil || ans.through != nil {
		return err
	}
	var judged *Tried
	if p.l.Step == LessonTryRight {
		judged = p.judgeSecond(r, ans)
	}
	p.change(r.Context(), func(l *Lesson) {
		h := newHider(p.secret, l)
		h.learn(fields, "")
		l.Typed = h.rest
		e := h.describe(r, k, typedUser{}, ans, p.lessons.now())
		page := l.step()
		switch {
		case l.Step == LessonTryRight && judged != nil && judged.Proof != proofHalf.word():
			l.TriedRight, l.Step = judged, LessonTried
		case l.Step != LessonLeave, page == "", e.Status >= 400, pathOnly(e.Location) == page, e.Status < 300 && len(e.Members) == 0:
		default:
			for _, at := range []string{page, r.URL.EscapedPath()} {
				if !slices.Contains(l.Second, at) {
					l.Second = append(l.Second, at)
				}
			}
			e.Method, e.Path, e.Kind, e.Fields, e.User = l.Right.Method, l.Right.Path, l.Right.Kind, l.Right.Fields, l.Right.User
			l.Right, l.Named = &e, nil
		}
	})
	return ans.give(rw)
}

// judgeSecond judges a second step by the words that are being tried.
func (p *pupil) judgeSecond(r *http.Request, ans *answer) *Tried {
	t := &Tried{Proof: proofNone.word(), Status: ans.status}
	w, err := p.watcher(p.l.Words)
	if err != nil {
		t.Reason = err.Error()
		return t
	}
	trial := &trial{w: w, ctx: context.WithoutCancel(r.Context()), mode: Open, now: p.lessons.now()}
	if err := trial.readCarried(r); err != nil {
		t.Reason = "what the sign-in carried could not be read"
		return t
	}
	f, who := w.prove(trial.ctx, r, Session{}, ans, typedUser{second: true}, trial, p.next)
	t.Proof, t.Reason = f.proof.word(), f.reason
	t.Named = w.cfg.Whoami.Path != "" && f.proof == proofSigned
	h := newHider(p.secret, &p.l)
	t.Otherwise = t.Named && !h.isUser(who.User)
	return t
}

// carry sends a request on and keeps its answer back; one that is too long
// goes out as it comes (through).
func (p *pupil) carry(rw http.ResponseWriter, r *http.Request) (*answer, error) {
	out := r.WithContext(r.Context())
	out.Header = r.Header.Clone()
	out.Header.Set("Accept-Encoding", "identity")
	ans := newAnswer(maxAnswer)
	ans.overflow = func(a *answer) http.ResponseWriter {
		copyHeader(rw.Header(), a.sent)
		rw.WriteHeader(a.status)
		return rw
	}
	if err := p.next(ans, out); err != nil {
		return ans, err
	}
	ans.finish()
	return ans, nil
}

// give lets a kept answer out as it came.
func (a *answer) give(rw http.ResponseWriter) error {
	copyHeader(rw.Header(), a.sent)
	rw.WriteHeader(a.status)
	if len(a.body) == 0 { // 204 and 304 take none
		return nil
	}
	_, err := rw.Write(a.body) //nolint:gosec // the backend's own answer, passed on as it is
	return err
}
