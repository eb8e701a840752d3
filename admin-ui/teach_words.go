package adminui

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/cadenas-gateway/cadenas/identity"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/pages"
)

// loginsPage lists how the logins of all applications are known.
type loginsPage struct {
	frame
	Logins []loginLine
}

type loginLine struct {
	Name, Href, How string
	// Icon is a check only where the person behind a sign-in is known.
	Icon string
	// Cannot says that the padlock cannot be closed for want of it.
	Cannot bool
}

// teachPage is the room in which one application's login is taught.
type teachPage struct {
	frame
	Application, Name, Path string
	How                     string
	Lines                   string
	Cannot, NotTeachable    string
	Closed, Pinned          bool
	Taught                  bool
	Problem                 string
	// Lesson is the one under way; Other is who leads it where that is not
	// this session.
	Lesson *lessonView
	Other  string
	Form   *wordsForm
	Preset []choice
}

// lessonView is a lesson in words.
type lessonView struct {
	Step  string
	Link  string
	Steps []lessonStep
	// Found are sentences about what was seen; Doubts what wants a look.
	Found, Doubts []string
	// Tried says how the pair was judged, once it was.
	Tried []triedLine
	Pass  bool
	// Current says what to do now, for screen readers too.
	Current string
	// Editing says that the words can be corrected and tried.
	Editing bool
}

// lessonStep is one step with what was seen in it.
type lessonStep struct {
	Key, Title, Do string
	State          string // "done", "now" or "next"
	Seen           []string
	// Again is the step to see again, empty for none; Skip offers to pass it
	// over.
	Again string
	Skip  bool
}

type triedLine struct {
	Good bool
	Text string
}

// wordsForm is the words of a login block as a form.
type wordsForm struct {
	W                                identity.Words
	Session, Success, Second, Public string
	Names                            []string
}

func newWordsForm(w identity.Words) *wordsForm {
	f := &wordsForm{W: w, Session: strings.Join(w.Session, " "), Second: strings.Join(w.Second, "\n"), Public: strings.Join(w.Public, "\n")}
	var rules []string
	for _, s := range w.Success {
		rules = append(rules, strings.Join(append([]string{s.Kind}, s.Args...), " "))
	}
	f.Success = strings.Join(rules, "\n")
	return f
}

// howKnown says how an application's login is known.
func (v *visit) howKnown(known LoginKnown) string {
	switch {
	case known.By == "taught" && known.Taught.Preset != "":
		p, _ := identity.PresetNamed(known.Taught.Preset)
		return v.say.Text("teach.how.preset", "preset", p.Title, "who", v.author(known.Taught.By), "when", v.say.When(known.Taught.At, v.now))
	case known.By == "taught":
		return v.say.Text("teach.how.taught", "who", v.author(known.Taught.By), "when", v.say.When(known.Taught.At, v.now))
	case known.By == "caddyfile" && known.Taught != nil:
		return v.say.Text("teach.how.both", "who", v.author(known.Taught.By))
	}
	return v.say.Text("teach.how." + known.By)
}

// teaching shows the room. Words are those of a form that was sent and could
// not be taken, nil for none.
func (v *visit) teaching(status int, words *identity.Words, problem string) error {
	app, err := v.taughtApplication()
	if err != nil {
		return err
	}
	f, err := v.frame("settings", []string{"teach.css"}, nil, "teach", "padlock")
	if err != nil {
		return err
	}
	known := v.Teaching.Login(app)
	page := teachPage{
		frame: f, Application: app, Name: v.name(app), Path: "/teach/" + pathPart(app), How: v.howKnown(known), Lines: known.Lines,
		NotTeachable: known.NotTeachable, Taught: known.Taught != nil, Problem: lang.Inert(problem, 600),
	}
	page.Back = page.Path
	lock, closed := v.padlockClosed(app)
	page.Closed = closed
	if conf := v.Gate.Application(lock.Application); conf.Pinned != nil {
		page.Pinned = *conf.Pinned
	}
	if !closed && known.Cannot != "" {
		page.Cannot = v.say.Text("teach.cannot")
	}
	l, err := v.lessonOf(app)
	if err != nil {
		return err
	}
	switch {
	case l == nil:
		for _, p := range identity.Presets() {
			page.Preset = append(page.Preset, choice{Value: p.Name, Name: p.Title})
		}
	case l.Session != v.session.ID:
		page.Other = v.author(l.By)
	default:
		page.Lesson = v.lessonView(l, known)
		if page.Lesson.Editing {
			show := l.Words
			if words != nil {
				show = *words
			} else if show.Path == "" {
				show = l.Find()
			}
			page.Form = newWordsForm(show)
			page.Form.Names = fieldsSeen(l)
			page.Lines = show.Lines()
		}
	}
	return v.show(status, "teach", page)
}

var lessonOrder = []identity.LessonStep{identity.LessonLink, identity.LessonWrong, identity.LessonRight, identity.LessonLeave}

// lessonView says a lesson in words.
func (v *visit) lessonView(l *identity.Lesson, known LoginKnown) *lessonView {
	view := &lessonView{Step: string(l.Step), Pass: l.Passed()}
	if link := l.LinkOf(v.teacher()); link != "" {
		view.Link = known.Address + TeachPath + link
	}
	now := slices.Index(lessonOrder, l.Step)
	if now < 0 {
		now = len(lessonOrder)
	}
	for i, step := range lessonOrder {
		s := lessonStep{Key: string(step), Title: v.say.Text("teach.step." + string(step)), State: "next"}
		switch {
		case i < now:
			s.State = "done"
		case i == now:
			s.State, s.Do = "now", v.say.Text("teach.do."+string(step))
			view.Current = s.Do
		}
		if i < now && step != identity.LessonLink {
			s.Again = string(step)
		}
		s.Skip = step == identity.LessonLeave && i == now
		switch step {
		case identity.LessonWrong:
			s.Seen = v.exchangeWords(l.Wrong)
			if l.Known {
				s.Seen = append(s.Seen, v.say.Text("teach.saw.known"))
			}
		case identity.LessonRight:
			s.Seen = v.exchangeWords(l.Right)
		case identity.LessonLeave:
			if l.Logout != "" {
				s.Seen = []string{v.say.Text("teach.saw.logout", "path", l.Logout)}
			} else if l.Basic() {
				s.Seen, s.Again = []string{v.say.Text("teach.saw.basic_leave")}, ""
			} else if i < now {
				s.Seen = []string{v.say.Text("teach.saw.no_logout")}
			}
		case identity.LessonLink, identity.LessonFound, identity.LessonTryWrong, identity.LessonTryRight, identity.LessonTried:
		}
		view.Steps = append(view.Steps, s)
	}
	if l.Right == nil || now < len(lessonOrder) {
		return view
	}
	view.Editing = true
	view.Found, view.Doubts = v.foundWords(l)
	switch l.Step {
	case identity.LessonTryWrong, identity.LessonTryRight:
		view.Current = v.say.Text("teach.do." + string(l.Step))
	case identity.LessonFound:
		view.Current = v.say.Text("teach.do.found")
	case identity.LessonTried:
		view.Current = v.say.Text("teach.do.tried")
	case identity.LessonLink, identity.LessonWrong, identity.LessonRight, identity.LessonLeave:
	}
	view.Tried = v.triedWords(l)
	return view
}

// exchangeWords say what was seen of one sign-in.
func (v *visit) exchangeWords(e *identity.Exchange) []string {
	if e == nil {
		return nil
	}
	say := v.say
	list := []string{say.Text("teach.saw.sent", "kind", say.Text("teach.kind."+e.Kind), "path", e.Path)}
	switch e.User {
	case "basic":
	case "":
		list = append(list, say.Text("teach.saw.user.unclear"))
	default:
		list = append(list, say.Text("teach.saw.user", "field", e.User))
	}
	status := strconv.Itoa(e.Status)
	switch {
	case e.Location != "":
		list = append(list, say.Text("teach.saw.leads", "status", status, "path", e.Location))
	case e.FormAgain:
		list = append(list, say.Text("teach.saw.form_again", "status", status))
	default:
		list = append(list, say.Text("teach.saw.status", "status", status))
	}
	var set, cleared []string
	for _, c := range e.Cookies {
		if c.Cleared {
			cleared = append(cleared, c.Name)
		} else {
			set = append(set, c.Name)
		}
	}
	if len(set) > 0 {
		list = append(list, say.Text("teach.saw.cookies", "names", say.List(set)))
	}
	if len(cleared) > 0 {
		list = append(list, say.Text("teach.saw.cleared", "names", say.List(cleared)))
	}
	if e.Token != "" {
		list = append(list, say.Text("teach.saw.token", "path", e.Token))
	}
	for i := range list {
		list[i] = lang.Inert(list[i], 400)
	}
	return list
}

// foundWords say what a lesson came to.
func (v *visit) foundWords(l *identity.Lesson) (found, doubts []string) {
	say, w := v.say, l.Find()
	switch {
	case l.Told():
		found = append(found, say.Text("teach.found.told"))
	case len(w.Success) > 0:
		rule := w.Success[0]
		found = append(found, say.Text("teach.found.rule."+rule.Kind, "what", strings.Join(rule.Args, " ")))
	default:
		doubts = append(doubts, say.Text("teach.found.alike"))
	}
	if w.User == "" {
		doubts = append(doubts, say.Text("teach.found.user"))
	}
	if w.Whoami.Path != "" {
		found = append(found, say.Text("teach.found.whoami", "path", w.Whoami.Path, "name", w.Whoami.JSON))
	} else {
		found = append(found, say.Text("teach.found.nobody"))
	}
	if len(l.Assets) > 0 {
		found = append(found, say.Text("teach.found.assets", "paths", say.List(l.Assets)))
	}
	if len(w.Second) > 0 {
		found = append(found, say.Text("teach.found.second", "paths", say.List(w.Second)))
	}
	if len(w.Public) > 0 {
		found = append(found, say.Text("teach.found.public", "paths", say.List(w.Public)))
	}
	for _, list := range [][]string{found, doubts} {
		for i := range list {
			list[i] = lang.Inert(list[i], 600)
		}
	}
	return found, doubts
}

// triedWords say how the pair was judged.
func (v *visit) triedWords(l *identity.Lesson) []triedLine {
	var lines []triedLine
	if t := l.TriedWrong; t != nil {
		if t.Proof == "failed" {
			lines = append(lines, triedLine{true, v.say.Text("teach.tried.wrong")})
		} else {
			lines = append(lines, triedLine{false, v.say.Text("teach.tried.wrong.bad", "why", v.whyTried(t))})
		}
	}
	if t := l.TriedRight; t != nil {
		switch {
		case t.Proof != "signed":
			lines = append(lines, triedLine{false, v.say.Text("teach.tried.right.bad", "why", v.whyTried(t))})
		case t.Otherwise:
			lines = append(lines, triedLine{true, v.say.Text("teach.tried.right.otherwise")})
		default:
			lines = append(lines, triedLine{true, v.say.Text("teach.tried.right")})
		}
	}
	return lines
}

// LessonDoor is the page behind a teaching link, on the application's host.
type LessonDoor struct {
	Application string
	Languages   []string
	// Here is the page's own address; By is who began the lesson.
	Here, By string
	// Over says that the link was used, or is over.
	Over bool
}

type lessonDoorView struct {
	pages.Door
	By   string
	Over bool
}

// WriteLessonDoor answers with the page whose button makes this browser the
// one that a lesson watches.
func WriteLessonDoor(w http.ResponseWriter, r *http.Request, c *lang.Catalogue, status int, p LessonDoor) error {
	return templateSet().Write(w, r, c, status, "lesson", lessonDoorView{
		Door: pages.Door{Application: p.Application, Here: p.Here, Languages: p.Languages, Styles: []string{"teach.css"}}, By: lang.Inert(p.By, 120), Over: p.Over,
	})
}
