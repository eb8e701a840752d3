package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	adminui "github.com/cadenas-gateway/cadenas/admin-ui"
	"github.com/cadenas-gateway/cadenas/identity"
	"github.com/cadenas-gateway/cadenas/pages"
	"github.com/cadenas-gateway/cadenas/store"
)

// teachPath is where a teaching link leads, on the application's host: the
// secret stands behind it.
const teachPath = adminui.TeachPath

// teachCookie marks the one browser that a lesson watches. Its name is one of
// ours, so no backend sees it.
const teachCookie = "cadenas_teach"

func teachCookieName(r *http.Request) string {
	if isHTTPS(r) {
		return "__Host-" + teachCookie
	}
	return teachCookie
}

// teaching puts the eyes of the lesson under way in front of the backend, for
// the browser that bears its cookie, while the padlock is open.
func (s *site) teaching(next caddyhttp.Handler, r *http.Request) caddyhttp.Handler {
	l := s.lesson.Load()
	if l == nil || time.Now().After(l.Until) || strings.HasPrefix(r.URL.Path, ownPath) {
		return next
	}
	for _, c := range r.CookiesNamed(teachCookieName(r)) {
		if !l.Knows(c.Value) {
			continue
		}
		if s.run.mustBeOpen(r.Context(), s.name) != nil {
			return next
		}
		watch := s.run.lessons().Watch(s.name, c.Value, r, next.ServeHTTP)
		return caddyhttp.HandlerFunc(watch)
	}
	return next
}

// openLesson is the page behind a teaching link: it says what will be watched,
// and its button gives this browser the cookie. Looking at it changes nothing
// (threat L10).
func (q *request) openLesson() error {
	lessons, link := q.run.lessons(), strings.TrimPrefix(q.r.URL.Path, teachPath)
	c := pages.Language(q.r, q.run.app.Languages)
	page := adminui.LessonDoor{Application: q.name, Languages: q.run.app.Languages, Here: q.r.URL.Path}
	l, waits := lessons.Waits(q.r.Context(), q.name, link)
	if !waits {
		page.Over = true
		return adminui.WriteLessonDoor(q.w, q.r, c, http.StatusNotFound, page)
	}
	page.By = l.By
	for _, a := range q.run.admins() {
		if a.Email == l.By && a.Name != "" {
			page.By = a.Name
		}
	}
	switch q.r.Method {
	case http.MethodGet, http.MethodHead:
		return adminui.WriteLessonDoor(q.w, q.r, c, http.StatusOK, page)
	case http.MethodPost:
	default:
		return caddyhttp.Error(http.StatusMethodNotAllowed, errors.New("use GET, or POST from the page itself"))
	}
	if err := http.NewCrossOriginProtection().Check(q.r); err != nil {
		return caddyhttp.Error(http.StatusForbidden, err)
	}
	if err := q.run.mustBeOpen(q.r.Context(), q.name); err != nil {
		return caddyhttp.Error(http.StatusConflict, err)
	}
	cookie, err := lessons.Open(q.r.Context(), q.name, link)
	if errors.Is(err, identity.ErrLessonLink) {
		page.Over = true
		return adminui.WriteLessonDoor(q.w, q.r, c, http.StatusNotFound, page)
	}
	if err != nil {
		return q.unavailable(err)
	}
	q.readLesson(q.r.Context())
	//nolint:gosec // Secure unless the application is served over plain http
	q.w.add().lesson = (&http.Cookie{
		Name: teachCookieName(q.r), Value: cookie, Path: "/", HttpOnly: true, Secure: isHTTPS(q.r), SameSite: http.SameSiteLaxMode,
		MaxAge: int(4 * identity.LessonLife / time.Second),
	}).String()
	q.w.Header().Set("Cache-Control", "no-store")
	http.Redirect(q.w, q.r, "/", http.StatusSeeOther)
	return nil
}

// lessonTold is a lesson as the command line and the API show it.
type lessonTold struct {
	Application string
	Step        identity.LessonStep
	By          string
	Until       time.Time
	Wrong       *identity.Exchange `json:",omitempty"`
	Right       *identity.Exchange `json:",omitempty"`
	Assets      []string           `json:",omitempty"`
	Found       identity.Words
	Lines       string
	TriedWrong  *identity.Tried `json:",omitempty"`
	TriedRight  *identity.Tried `json:",omitempty"`
	Passed      bool
	// Link is only told when the lesson starts.
	Link string `json:",omitempty"`
}

func tellLesson(l identity.Lesson) lessonTold {
	t := lessonTold{
		Application: l.Application, Step: l.Step, By: l.By, Until: l.Until, Wrong: l.Wrong, Right: l.Right, Assets: l.Assets,
		Found: l.Words, TriedWrong: l.TriedWrong, TriedRight: l.TriedRight, Passed: l.Passed(),
	}
	if t.Found.Path == "" {
		t.Found = l.Find()
	}
	if t.Found.Path != "" {
		t.Lines = t.Found.Lines()
	}
	return t
}

// startLesson begins a lesson, and returns it with the link to open in the
// browser that is to be watched.
func (run *running) startLesson(ctx context.Context, s *site, by identity.Teacher) (identity.Lesson, string, error) {
	if err := s.handler.mayTeach(); err != nil {
		return identity.Lesson{}, "", err
	}
	if err := run.mustBeOpen(ctx, s.name); err != nil {
		return identity.Lesson{}, "", err
	}
	l, link, err := run.lessons().Start(ctx, s.name, by)
	if err != nil {
		return l, "", err
	}
	return l, s.address() + teachPath + link, run.takeUp(ctx, s.name)
}

// The verbs of the command line.

func (c *call) loginSite(ctx context.Context) (*site, error) {
	app, err := c.app(ctx)
	if err != nil {
		return nil, err
	}
	s, ok := c.running.loginSite(app)
	if !ok {
		return nil, store.ErrNotFound
	}
	return s, nil
}

func (c *call) teacher() identity.Teacher { return identity.Teacher{Who: c.by.Who} }

func showLogins(ctx context.Context, c *call) (any, error) {
	list, err := c.apps(ctx)
	if err != nil {
		return nil, err
	}
	told := []adminui.LoginKnown{}
	for _, app := range list {
		if s, ok := c.running.loginSite(app); ok {
			told = append(told, s.told())
		}
	}
	return told, nil
}

func teachLogin(ctx context.Context, c *call) (any, error) {
	s, err := c.loginSite(ctx)
	if err != nil {
		return nil, err
	}
	l, link, err := c.startLesson(ctx, s, c.teacher())
	if err != nil {
		return nil, err
	}
	t := tellLesson(l)
	t.Link = link
	return t, nil
}

// lesson is the one under way in the site that is meant.
func (c *call) lesson(ctx context.Context) (*site, identity.Lesson, error) {
	s, err := c.loginSite(ctx)
	if err != nil {
		return nil, identity.Lesson{}, err
	}
	l, err := c.lessons().Get(ctx, s.name)
	if errors.Is(err, store.ErrNotFound) {
		err = notFound("no lesson is under way in " + s.name + ": caddy cadenas login teach " + s.name)
	}
	return s, l, err
}

func showLesson(ctx context.Context, c *call) (any, error) {
	_, l, err := c.lesson(ctx)
	return tellLesson(l), err
}

func againLesson(ctx context.Context, c *call) (any, error) {
	s, err := c.loginSite(ctx)
	if err != nil {
		return nil, err
	}
	var l identity.Lesson
	switch step := identity.LessonStep(c.words["step"]); step {
	case identity.LessonWrong, identity.LessonRight, identity.LessonLeave:
		l, err = c.lessons().Again(ctx, s.name, c.teacher(), step)
	case "skip":
		l, err = c.lessons().Skip(ctx, s.name, c.teacher())
	default:
		return nil, badWords("the step %q: write wrong, right or leave to see it again, or skip where there is no sign-out", step)
	}
	if err != nil {
		return nil, err
	}
	return tellLesson(l), c.takeUp(ctx, s.name)
}

// words returns what was found, with the flags in place of what they name.
func (c *call) taughtWords(w identity.Words) (identity.Words, error) {
	for name, into := range map[string]*string{"login": &w.Path, "user": &w.User, "token": &w.Token, "logout": &w.Logout} {
		if text, ok := c.words[name]; ok {
			*into = noneWord(text)
		}
	}
	for name, into := range map[string]*[]string{"session": &w.Session, "second": &w.Second, "public": &w.Public} {
		if text, ok := c.words[name]; ok {
			*into = strings.Fields(noneWord(text))
		}
	}
	if text, ok := c.words["success"]; ok {
		w.Success = nil
		for rule := range strings.SplitSeq(noneWord(text), ";") {
			if words := strings.Fields(rule); len(words) > 0 {
				w.Success = append(w.Success, identity.Success{Kind: words[0], Args: words[1:]})
			}
		}
	}
	if text, ok := c.words["whoami"]; ok {
		words := strings.Fields(noneWord(text))
		if len(words) != 0 && len(words) != 2 {
			return w, badWords("--whoami %q: write a path and where in its JSON the name stands", text)
		}
		if w.Whoami = (identity.Whoami{}); len(words) == 2 {
			w.Whoami = identity.Whoami{Path: words[0], JSON: words[1]}
		}
	}
	if err := w.Check(); err != nil {
		return w, badWords("%v", err)
	}
	return w, nil
}

func noneWord(text string) string {
	if text == "none" {
		return ""
	}
	return text
}

func tryLogin(ctx context.Context, c *call) (any, error) {
	s, l, err := c.lesson(ctx)
	if err != nil {
		return nil, err
	}
	words, err := c.taughtWords(tellLesson(l).Found)
	if err != nil {
		return nil, err
	}
	if l, err = c.lessons().Try(ctx, s.name, c.teacher(), words); err != nil {
		return nil, err
	}
	return tellLesson(l), c.takeUp(ctx, s.name)
}

func keepLogin(ctx context.Context, c *call) (any, error) {
	s, l, err := c.lesson(ctx)
	if err != nil {
		return nil, err
	}
	words, err := c.taughtWords(tellLesson(l).Found)
	if err != nil {
		return nil, err
	}
	t := identity.Taught{Words: words, By: c.by.Who, Tried: l.Passed() && words.Lines() == l.Words.Lines()}
	if err := c.keepLogin(ctx, s, t, entryOf(c.by, s.name)); err != nil {
		return nil, err
	}
	return s.told(), nil
}

func stopLesson(ctx context.Context, c *call) (any, error) {
	s, err := c.loginSite(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.lessons().Stop(ctx, s.name, c.teacher()); err != nil {
		return nil, err
	}
	return s.told(), c.takeUp(ctx, s.name)
}

func forgetLogin(ctx context.Context, c *call) (any, error) {
	s, err := c.loginSite(ctx)
	if err != nil {
		return nil, err
	}
	err = c.forgetLogin(ctx, s, entryOf(c.by, s.name))
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound("no login was taught in " + s.name)
	}
	if err != nil {
		return nil, err
	}
	return s.told(), nil
}

// presetLogin lists the presets, prints one, or keeps one as taught.
func presetLogin(ctx context.Context, c *call) (any, error) {
	name := c.words["name"]
	if name == "" {
		return identity.Presets(), nil
	}
	p, ok := identity.PresetNamed(name)
	if !ok {
		return nil, badWords("there is no preset %q: `caddy cadenas login preset` lists them", name)
	}
	p.Words = p.Words.Under(c.words["under"])
	if err := p.Words.Check(); err != nil {
		return nil, badWords("--under: %v", err)
	}
	if c.words["keep"] == "" {
		return []identity.Preset{p}, nil
	}
	s, err := c.loginSite(ctx)
	if err != nil {
		return nil, err
	}
	t := identity.Taught{Words: p.Words, By: c.by.Who, Preset: p.Name}
	if err := c.keepLogin(ctx, s, t, entryOf(c.by, s.name)); err != nil {
		return nil, err
	}
	return s.told(), nil
}

// notFound is an error that says what is not there in its own words.
func notFound(words string) error { return &missing{words} }

type missing struct{ words string }

func (m *missing) Error() string { return m.words }
func (*missing) Unwrap() error   { return store.ErrNotFound }
