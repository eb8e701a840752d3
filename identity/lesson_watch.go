package identity

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/cadenas-gateway/cadenas/store"
)

// Knows reports whether a secret is that of the cookie of a lesson.
func (l *Lesson) Knows(secret string) bool {
	return l.Cookie != "" && l.Cookie == hashedSecret(secret)
}

// Watch returns next with the lesson's eyes in front of it, for one request
// of the browser that bears the cookie's secret. The request goes on as it
// came and its answer goes out as it came; what is kept of them are shapes.
func (b *Lessons) Watch(application, secret string, original *http.Request, next Next) Next {
	method, uri := original.Method, original.URL.String()
	return func(rw http.ResponseWriter, r *http.Request) error {
		// Requests of our own (whoami) are nobody's to learn from.
		if r.Method != method || r.URL.String() != uri || r.Header.Get("Upgrade") != "" {
			return next(rw, r)
		}
		l, err := b.Get(r.Context(), application)
		if err != nil || !l.Knows(secret) {
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				b.Log.Warn("a lesson could not be read", "application", application, "error", err)
			}
			return next(rw, r)
		}
		p := &pupil{lessons: b, l: l, secret: secret, next: next}
		return p.see(rw, r)
	}
}

// pupil watches one request of a lesson.
type pupil struct {
	lessons *Lessons
	l       Lesson
	secret  string
	next    Next
}

func (p *pupil) see(rw http.ResponseWriter, r *http.Request) error {
	switch p.l.Step {
	case LessonWrong, LessonRight, LessonTryWrong, LessonTryRight:
		_, kept := r.Body.(*keptBody) // the watcher's, which wipes it itself
		k, typed, ok := p.login(r)
		if k != nil && !kept {
			defer k.wipe()
		}
		if ok {
			return p.seeLogin(rw, r, k, typed)
		}
	case LessonLink, LessonLeave, LessonFound, LessonTried:
	}
	if p.atSecond(r) {
		return p.seeSecond(rw, r)
	}
	return p.seeOther(rw, r)
}

// login reads a request that may be a sign-in.
func (p *pupil) login(r *http.Request) (*keptBody, typedUser, bool) {
	if _, _, basic := r.BasicAuth(); basic && r.ContentLength == 0 {
		k := &keptBody{}
		t, err := readUser(r, k, "basic")
		return k, t, err == nil && t.user != ""
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Body == nil || r.Body == http.NoBody || r.ContentLength > defaultMaxBody {
		return nil, typedUser{}, false
	}
	kind := strings.ToLower(r.Header.Get("Content-Type"))
	if !strings.Contains(kind, "form") && !strings.Contains(kind, "json") {
		return nil, typedUser{}, false
	}
	k := keep(r, defaultMaxBody)
	if k.err != nil || !slices.ContainsFunc(k.form.fields, func(f field) bool { return passwordLike(f.name) && f.value != "" }) {
		return k, typedUser{}, false
	}
	t, err := readUser(r, k, "")
	if err != nil { // two fields may be the one: the admin says which
		t.field, t.user = "", ""
	}
	return k, t, true
}

// seeLogin carries a sign-in and learns from its answer.
func (p *pupil) seeLogin(rw http.ResponseWriter, r *http.Request, k *keptBody, typed typedUser) error {
	ans, err := p.carry(rw, r)
	if err != nil {
		return err
	}
	fields := slices.Clone(k.form.fields)
	defer clear(fields)
	var judged *Tried
	if p.l.Step == LessonTryWrong || p.l.Step == LessonTryRight {
		judged = p.judge(r, k, ans)
	}
	p.change(r.Context(), func(l *Lesson) {
		h := newHider(p.secret, l)
		if typed.field == "basic" {
			if name, password, ok := r.BasicAuth(); ok {
				h.learn([]field{{"basic", name}, {"password", password}}, "basic")
			}
		}
		h.learn(fields, typed.field)
		l.Users, l.Typed = h.user, h.rest
		switch l.Step {
		case LessonWrong:
			e := h.describe(r, k, typed, ans, p.lessons.now())
			if e.Kind == "basic" && e.Status != http.StatusUnauthorized {
				l.Known = l.Known || e.Status < 400
				return
			}
			l.Wrong, l.Step, l.Known = &e, LessonRight, false
		case LessonRight:
			e := h.describe(r, k, typed, ans, p.lessons.now())
			if e.Kind == "basic" && e.Status >= 400 {
				return // the browser asks again
			}
			l.Right, l.Step, l.Named, l.Second = &e, LessonLeave, nil, nil
			if l.Basic() { // there is no signing out
				l.Step, l.Words = LessonFound, l.Find()
			}
		case LessonTryWrong:
			l.TriedWrong, l.Step = judged, LessonTryRight
		case LessonTryRight:
			if judged.Proof == proofHalf.word() {
				return // the second step is still to come
			}
			l.TriedRight, l.Step = judged, LessonTried
		case LessonLink, LessonLeave, LessonFound, LessonTried:
		}
	})
	if ans.through != nil {
		return nil
	}
	return ans.give(rw)
}

// judge judges a sign-in by the words that are being tried, as the watcher
// would.
func (p *pupil) judge(r *http.Request, k *keptBody, ans *answer) *Tried {
	t := &Tried{Proof: proofNone.word(), Status: ans.status}
	w, err := p.watcher(p.l.Words)
	if err != nil {
		t.Reason = err.Error()
		return t
	}
	if !w.login.watched(r.URL) && w.cfg.User != "basic" {
		t.Reason = "the sign-in was not sent to " + w.cfg.Path
		return t
	}
	typed, err := readUser(r, k, w.cfg.User)
	if err != nil || typed.user == "" {
		t.Reason = "the user's name was not in the field that is named"
		return t
	}
	trial := &trial{w: w, ctx: context.WithoutCancel(r.Context()), mode: Open, now: p.lessons.now()}
	if err := trial.readCarried(r); err != nil {
		t.Reason = "what the sign-in carried could not be read"
		return t
	}
	f, who := w.prove(trial.ctx, r, Session{}, ans, typed, trial, p.next)
	t.Proof, t.Reason = f.proof.word(), f.reason
	t.Named = w.cfg.Whoami.Path != "" && f.proof == proofSigned
	t.Otherwise = t.Named && who.User != typed.user
	return t
}

// watcher makes a watcher that judges and keeps nothing.
func (p *pupil) watcher(words Words) (*Watcher, error) {
	return NewWatcher(Config{Application: p.l.Application}.With(words), Deps{
		Books: p.lessons.Books, Ring: p.lessons.Ring, Clock: p.lessons.Clock, Log: p.lessons.Log, Probe: p.lessons.Probe,
	})
}

// change writes what was learnt. What cannot be written is not learnt, and
// the request goes on.
func (p *pupil) change(ctx context.Context, change func(l *Lesson)) {
	l, err := p.lessons.update(context.WithoutCancel(ctx), p.l.Application, func(l *Lesson) error {
		if !l.Knows(p.secret) {
			return ErrLessonStep
		}
		change(l)
		return nil
	})
	switch {
	case err == nil:
		p.l = l
	case !errors.Is(err, store.ErrNotFound) && !errors.Is(err, ErrLessonStep):
		p.lessons.Log.Warn("what a lesson saw could not be kept", "application", p.l.Application, "error", err)
	}
}

// seeOther carries a request that is no sign-in, and learns where it stands
// in the story.
func (p *pupil) seeOther(rw http.ResponseWriter, r *http.Request) error {
	r.Header.Set("Accept-Encoding", "identity")
	peek := &peek{ResponseWriter: rw}
	if err := p.next(peek, r); err != nil {
		return err
	}
	peek.finish()
	s := sight{pupil: p, r: r, peek: peek}
	s.note()
	return nil
}

// sight is one request that is no sign-in, with its answer.
type sight struct {
	*pupil
	r    *http.Request
	peek *peek
}

func (s *sight) note() {
	switch s.l.Step {
	case LessonWrong, LessonRight:
		s.noteBefore()
		if s.l.Wrong != nil && s.document() {
			s.noteAfter(func(l *Lesson) *Exchange { return l.Wrong })
		}
	case LessonLeave:
		if s.signsOut() {
			logout := logoutPlace(s.r.URL)
			s.change(s.r.Context(), func(l *Lesson) {
				if l.Step == LessonLeave {
					l.Logout, l.Step = logout, LessonFound
					l.Words = l.Find()
				}
			})
			return
		}
		s.noteNamed()
		if s.document() {
			s.noteAfter(func(l *Lesson) *Exchange { return l.Right })
		}
	case LessonLink, LessonFound, LessonTryWrong, LessonTryRight, LessonTried:
	}
}

// noteBefore notes what nobody fetches and sends before a sign-in.
func (s *sight) noteBefore() {
	at, partial := place(s.r.URL)
	ok := s.peek.status == http.StatusOK
	switch {
	case s.r.Method != http.MethodGet && s.r.Method != http.MethodHead:
		if !partial {
			s.add(func(l *Lesson) *[]string { return &l.Before }, at, 5)
		}
	case s.static() && ok:
		folder := path.Dir(at)
		if !strings.HasSuffix(folder, "/") {
			folder += "/"
		}
		s.add(func(l *Lesson) *[]string { return &l.Assets }, folder+"*"+path.Ext(at), 12)
	case s.document() && ok && !partial && s.l.Wrong == nil:
		if s.l.Page != at {
			s.change(s.r.Context(), func(l *Lesson) { l.Page = at })
		}
	}
}

func (s *sight) add(list func(l *Lesson) *[]string, text string, most int) {
	if slices.Contains(*list(&s.l), text) || len(*list(&s.l)) >= most {
		return
	}
	s.change(s.r.Context(), func(l *Lesson) {
		if into := list(l); !slices.Contains(*into, text) && len(*into) < most {
			*into = append(*into, text)
		}
	})
}

// noteAfter notes a page that was opened after a sign-in.
func (s *sight) noteAfter(of func(l *Lesson) *Exchange) {
	if e := of(&s.l); e == nil || len(e.After) >= maxPages {
		return
	}
	status := s.peek.status
	s.change(s.r.Context(), func(l *Lesson) {
		h := newHider(s.secret, l)
		seen := PageSeen{Status: status}
		seen.Path, seen.Partial, _ = h.address(s.r.URL)
		if e := of(l); e != nil && len(e.After) < maxPages && !slices.Contains(e.After, seen) {
			e.After = append(e.After, seen)
		}
	})
}

// noteNamed looks for the user's name in a JSON answer, and asks for the same
// without a session: what then names them too names them to anybody.
func (s *sight) noteNamed() {
	if s.r.Method != http.MethodGet || s.peek.status != http.StatusOK || len(s.l.Named) >= 8 || s.l.Right == nil {
		return
	}
	h := newHider(s.secret, &s.l)
	at, partial, less := h.address(s.r.URL)
	found := s.namesIn(&h, s.peek.Header(), s.peek.body)
	if partial || less || strings.Contains(at, "{user}") || len(found) == 0 {
		return
	}
	w, err := s.watcher(Words{Path: "/"})
	if err != nil {
		return
	}
	bare, err := w.probe(s.r.Context(), s.r, s.r.URL.RequestURI(), "application/json", nil, "", s.next)
	if err != nil || len(s.namesIn(&h, bare.sent, bare.body)) > 0 {
		return
	}
	s.change(s.r.Context(), func(l *Lesson) {
		for _, name := range found {
			if one := (Whoami{at, name}); !slices.Contains(l.Named, one) && len(l.Named) < 8 {
				l.Named = append(l.Named, one)
			}
		}
	})
}

func (s *sight) namesIn(h *hider, header http.Header, body []byte) []string {
	var document any
	if !strings.Contains(strings.ToLower(header.Get("Content-Type")), "json") || json.Unmarshal(body, &document) != nil {
		return nil
	}
	room := 2000
	return h.names(document, "", 0, &room)
}

// document reports whether a person opened a page.
func (s *sight) document() bool {
	if s.r.Method != http.MethodGet || s.static() {
		return false
	}
	if dest := s.r.Header.Get("Sec-Fetch-Dest"); dest != "" {
		return dest == "document"
	}
	return strings.Contains(s.r.Header.Get("Accept"), "text/html")
}

// static reports whether a picture, a style, a script or a font was fetched.
func (s *sight) static() bool {
	switch s.r.Header.Get("Sec-Fetch-Dest") {
	case "style", "script", "image", "font", "manifest":
		return true
	}
	kind := strings.ToLower(s.peek.Header().Get("Content-Type"))
	return strings.HasPrefix(kind, "image/") || strings.HasPrefix(kind, "font/") || strings.Contains(kind, "css") || strings.Contains(kind, "javascript")
}

// leaving is what paths of signing out are called.
var leaving = regexp.MustCompile(`(?i)(log|sign)[-_]?(out|off)|logoff|disconnect|d[eé]connexion|d[eé]connecter|abmelden|end[-_]?session|leave`)

// signsOut reports whether a request signs out: by its address, or since its
// answer takes a session away.
func (s *sight) signsOut() bool {
	if s.peek.status >= 400 || s.static() {
		return false
	}
	if leaving.MatchString(s.r.URL.Path) {
		return true
	}
	if leaving.MatchString(s.r.URL.RawQuery) {
		return true
	}
	if s.l.Right == nil {
		return false
	}
	for _, c := range cookieShapes(s.peek.Header(), s.lessons.now()) {
		for _, was := range s.l.Right.Cookies {
			if c.Cleared && !was.Cleared && c.Name == was.Name {
				return true
			}
		}
	}
	return s.r.Method == http.MethodDelete && loginPlace(s.r.URL) == s.l.Right.Path
}

// logoutPlace is the address that signs out: of its query only what says so.
func logoutPlace(u *url.URL) string {
	at, _ := place(u)
	if leaving.MatchString(u.Path) {
		return at
	}
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		if leaving.MatchString(part) && len(part) <= 60 {
			return at + "?" + part
		}
	}
	return at
}

// entering is what an address calls a login.
var entering = regexp.MustCompile(`(?i)(log|sign)[-_]?(in|on)|auth|connexion`)

// loginPlace is the address of a login: of its query only what says that it
// is one, where the path does not.
func loginPlace(u *url.URL) string {
	at, _ := place(u)
	if entering.MatchString(u.Path) {
		return at
	}
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		if _, value, ok := strings.Cut(part, "="); ok && entering.MatchString(value) && plainWord.MatchString(lenientUnescape(value)) {
			return at + "?" + part
		}
	}
	return at
}

// peek passes an answer on and keeps the beginning of a JSON one.
type peek struct {
	http.ResponseWriter
	status int
	body   []byte
	skip   bool
}

// WriteHeader implements http.ResponseWriter.
func (p *peek) WriteHeader(status int) {
	if p.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		p.status = status
		p.skip = !strings.Contains(strings.ToLower(p.Header().Get("Content-Type")), "json") || p.Header().Get("Content-Encoding") != ""
	}
	p.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (p *peek) Write(b []byte) (int, error) {
	if p.status == 0 {
		p.WriteHeader(http.StatusOK)
	}
	if !p.skip {
		if len(p.body)+len(b) > maxWhoami {
			p.body, p.skip = nil, true
		} else {
			p.body = append(p.body, b...)
		}
	}
	return p.ResponseWriter.Write(b) //nolint:gosec // the backend's own answer, passed on as it is
}

func (p *peek) finish() {
	if p.status == 0 {
		p.status = http.StatusOK
	}
}

// Unwrap is for http.ResponseController.
func (p *peek) Unwrap() http.ResponseWriter { return p.ResponseWriter }
