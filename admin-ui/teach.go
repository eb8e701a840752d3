package adminui

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/identity"
)

// TeachPath is where a teaching link leads, on the application's host; its
// secret follows.
const TeachPath = "/.cadenas/teach/"

// Teaching is how the login of an application is taught: what the room needs
// of the rest of the gate.
type Teaching struct {
	Lessons *identity.Lessons
	// Login tells how an application's login is known.
	Login func(application string) LoginKnown
	// Start begins a lesson; its secret comes from by.
	Start func(ctx context.Context, application string, by identity.Teacher) error
	// Keep keeps a login as taught, Forget forgets it; both count at once.
	Keep   func(ctx context.Context, application string, t identity.Taught, by gate.By) error
	Forget func(ctx context.Context, application string, by gate.By) error
}

// LoginKnown is how an application's login is known. The command line shows
// the same.
type LoginKnown struct {
	Application string
	// By is "caddyfile", "taught", "identity" or "device".
	By string
	// Words are those in force, Lines what a Caddyfile would say.
	Words identity.Words
	Lines string `json:",omitempty"`
	// Taught is the login that was taught, where it is in use.
	Taught *identity.Taught `json:",omitempty"`
	// Closable says that the padlock may close; Cannot why not.
	Closable bool
	Cannot   string `json:",omitempty"`
	// Teachable says that a login can be taught; NotTeachable why not.
	Teachable    bool
	NotTeachable string `json:",omitempty"`
	// Address is where browsers find the application ("https://…").
	Address string
}

// ErrPadlockClosed refuses what wants the padlock open.
var ErrPadlockClosed = errors.New("the padlock is closed: open it first, for nobody could sign in meanwhile")

// teacher is this console session, as a lesson is bound to it.
func (v *visit) teacher() identity.Teacher {
	return identity.Teacher{Who: v.by().Who, Session: v.session.ID, Secret: v.session.Form}
}

// taughtApplication is the application that a request to the room names.
func (v *visit) taughtApplication() (string, error) {
	if v.Teaching == nil {
		return "", errNotHere
	}
	return v.application(v.r.PathValue("application"))
}

func showLogins(v *visit) error {
	if v.Teaching == nil {
		return errNotHere
	}
	f, err := v.frame("settings", []string{"teach.css"}, nil, "teach", "padlock")
	if err != nil {
		return err
	}
	page := loginsPage{frame: f}
	for _, app := range v.applications() {
		known := v.Teaching.Login(app)
		line := loginLine{Name: v.name(app), Href: "/teach/" + pathPart(app), Icon: "check", How: v.howKnown(known), Cannot: known.Cannot != ""}
		switch {
		case line.Cannot:
			line.Icon = "key"
		case known.By == "device":
			line.Icon = "device-other"
		}
		page.Logins = append(page.Logins, line)
	}
	return v.show(http.StatusOK, "logins", page)
}

func showTeaching(v *visit) error { return v.teaching(http.StatusOK, nil, "") }

// beginLesson begins a lesson, or begins it anew.
func beginLesson(v *visit) error {
	app, err := v.taughtApplication()
	if err != nil {
		return err
	}
	return v.taughtDone(app, v.Teaching.Start(v.ctx(), app, v.teacher()), nil)
}

// againLesson goes back to a step of a lesson, or passes the sign-out over.
func againLesson(v *visit) error {
	app, err := v.taughtApplication()
	if err != nil {
		return err
	}
	if step := v.r.PostFormValue("step"); step == "skip" {
		_, err = v.Teaching.Lessons.Skip(v.ctx(), app, v.teacher())
	} else {
		_, err = v.Teaching.Lessons.Again(v.ctx(), app, v.teacher(), identity.LessonStep(step))
	}
	return v.taughtDone(app, err, nil)
}

// tryLesson begins the pair of sign-ins that the form's words are judged by.
func tryLesson(v *visit) error {
	app, err := v.taughtApplication()
	if err != nil {
		return err
	}
	words := v.typedWords()
	if err := words.Check(); err != nil {
		return v.teaching(http.StatusUnprocessableEntity, &words, v.wordsProblem(err))
	}
	_, err = v.Teaching.Lessons.Try(v.ctx(), app, v.teacher(), words)
	return v.taughtDone(app, err, &words)
}

// keepLesson keeps what the form says: with the trial behind it where the
// words are those that were tried.
func keepLesson(v *visit) error {
	app, err := v.taughtApplication()
	if err != nil {
		return err
	}
	words := v.typedWords()
	if err := words.Check(); err != nil {
		return v.teaching(http.StatusUnprocessableEntity, &words, v.wordsProblem(err))
	}
	l, err := v.Teaching.Lessons.Get(v.ctx(), app)
	if err != nil {
		return v.taughtDone(app, err, &words)
	}
	if l.Session != v.session.ID {
		return v.taughtDone(app, identity.ErrLessonOther, &words)
	}
	t := identity.Taught{Words: words, By: v.by().Who, Tried: l.Passed() && words.Lines() == l.Words.Lines()}
	if err := v.Teaching.Keep(v.ctx(), app, t, v.by()); err != nil {
		return v.taughtDone(app, err, &words)
	}
	return v.seeOther("/teach/" + pathPart(app) + "?done=login.taught")
}

func keepPreset(v *visit) error {
	app, err := v.taughtApplication()
	if err != nil {
		return err
	}
	p, ok := identity.PresetNamed(v.r.PostFormValue("preset"))
	if !ok {
		return v.teaching(http.StatusUnprocessableEntity, nil, v.say.Text("teach.preset.none"))
	}
	words := p.Words.Under(strings.TrimSpace(v.r.PostFormValue("under")))
	if err := words.Check(); err != nil {
		return v.teaching(http.StatusUnprocessableEntity, nil, v.wordsProblem(err))
	}
	t := identity.Taught{Words: words, By: v.by().Who, Preset: p.Name}
	if err := v.Teaching.Keep(v.ctx(), app, t, v.by()); err != nil {
		return v.taughtDone(app, err, nil)
	}
	return v.seeOther("/teach/" + pathPart(app) + "?done=login.taught")
}

func stopLesson(v *visit) error {
	app, err := v.taughtApplication()
	if err != nil {
		return err
	}
	return v.taughtDone(app, v.Teaching.Lessons.Stop(v.ctx(), app, v.teacher()), nil)
}

func forgetLogin(v *visit) error {
	app, err := v.taughtApplication()
	if err != nil {
		return err
	}
	if err := v.Teaching.Forget(v.ctx(), app, v.by()); err != nil && !isNotFound(err) {
		return v.taughtDone(app, err, nil)
	}
	return v.seeOther("/teach/" + pathPart(app) + "?done=login.forgotten")
}

// taughtDone leads back to the room, or shows there what went wrong.
func (v *visit) taughtDone(app string, err error, words *identity.Words) error {
	key := ""
	switch {
	case err == nil:
		return v.seeOther("/teach/" + pathPart(app))
	case errors.Is(err, ErrPadlockClosed):
		key = "teach.closed"
	case errors.Is(err, identity.ErrLessonOther):
		key = "teach.other"
	case errors.Is(err, identity.ErrLessonStep), isNotFound(err):
		key = "teach.over"
	default:
		return err
	}
	return v.teaching(http.StatusConflict, words, v.say.Text(key))
}

// typedWords are the words of the form, as they stand in a login block.
func (v *visit) typedWords() identity.Words {
	one := func(name string) string { return strings.TrimSpace(v.r.PostFormValue(name)) }
	w := identity.Words{
		Path: one("path"), User: one("user"), Token: one("token_path"), Logout: one("logout"),
		Session: strings.Fields(one("session")), Second: strings.Fields(one("second")), Public: strings.Fields(one("public")),
		Whoami: identity.Whoami{Path: one("whoami"), JSON: one("whoami_name")},
	}
	if w.Whoami.Path == "" {
		w.Whoami.JSON = ""
	}
	for line := range strings.Lines(one("success")) {
		if words := strings.Fields(line); len(words) > 0 {
			w.Success = append(w.Success, identity.Success{Kind: words[0], Args: words[1:]})
		}
	}
	for _, list := range []*[]string{&w.Session, &w.Second, &w.Public} {
		if len(*list) == 0 {
			*list = nil
		}
	}
	return w
}

// wordsProblem says in the reader's language why words cannot be a login block.
func (v *visit) wordsProblem(err error) string {
	var wrong *identity.WordsError
	if errors.As(err, &wrong) {
		return v.say.Text("teach.wrong."+wrong.Code, "what", wrong.What)
	}
	return v.say.Text("teach.bad_words") + " " + err.Error()
}

// whyTried says in the reader's language how a sign-in was judged.
func (v *visit) whyTried(t *identity.Tried) string {
	if code, what := t.Why(); code != "" {
		return v.say.Text("teach.why."+code, "what", what)
	}
	return t.Reason
}

// lessonOf is the lesson under way in an application, nil for none.
func (v *visit) lessonOf(app string) (*identity.Lesson, error) {
	l, err := v.Teaching.Lessons.Get(v.ctx(), app)
	if isNotFound(err) {
		return nil, nil //nolint:nilnil // none is no error
	}
	return &l, err
}

// padlockClosed reports whether the padlock is closed; what cannot be read is.
func (v *visit) padlockClosed(app string) (books.Padlock, bool) {
	lock, err := v.Gate.Padlock(v.ctx(), app)
	return lock, err != nil || lock.Closed
}

// fieldsSeen are the names of the fields a lesson saw, for the form to offer.
func fieldsSeen(l *identity.Lesson) []string {
	var names []string
	for _, e := range []*identity.Exchange{l.Right, l.Wrong} {
		if e == nil {
			continue
		}
		for _, f := range e.Fields {
			if !slices.Contains(names, f) {
				names = append(names, f)
			}
		}
	}
	return names
}
