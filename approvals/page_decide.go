package approvals

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/pages"
)

// DecidePage is what the page behind a notice's link is made of, and the form
// in the console's waiting room.
type DecidePage struct {
	// Ask is the request as it stands now; zero where a link leads nowhere.
	Ask AccessRequest
	// Application is its name for people.
	Application string
	// Languages are those of the configuration.
	Languages []string
	// Here is the page's own address for GET, Action where its form posts;
	// an empty Action means Here.
	Here, Action string
	// Token goes into the form's field FieldToken; empty for none.
	Token string
	// Admin is the approver's name for people.
	Admin string
	// SignedIn says that a console session stands behind the page: then the
	// number may be replaced by a tick, and a refusal wants none.
	SignedIn bool
	// Console is the address of the console's waiting room or its sign-in;
	// empty for no link.
	Console string
	// Widths are the possible ones (Service.PossibleWidths); empty means all.
	Widths []Width
	// GrantFor is the application's default end; 0 none.
	GrantFor time.Duration
	// Chosen is what the form held when it came back with a Problem.
	Chosen Chosen
	// Problem is the error of Service.Decide, or of looking the request up.
	Problem error
	// Done says that this very approver decided just now: the confirmation.
	Done bool
	// Limits are those in force; zero fields take the defaults.
	Limits Limits
	// Mine says that this very approver decided it, at whatever moment.
	Mine bool
	// Now is the time; zero means time.Now.
	Now time.Time
}

// Chosen is a form's content as it was sent, to be shown again.
type Chosen struct {
	Width Width
	End   End
	Until string
	Reply string
	Sure  bool
}

// DecideForm is what the partial "decide-form" reads.
type DecideForm struct {
	// ID is unique on the page: a room shows several forms.
	ID      string
	Action  string
	Token   string
	Who     string
	Version int
	// NeedNumber makes the number required, MaySkip offers the tick instead;
	// Confirm wants a tick for a refusal without number.
	NeedNumber, MaySkip, Confirm bool
	Sure                         bool
	// Unconfirmed says that a refusal came back for want of that tick.
	Unconfirmed bool
	// Wrong is the message under the number, empty where all is well.
	Wrong string
	// Warning is one message above the form: the request changed, the end is
	// past.
	Warning string
	Widths  []widthChoice
	Wider   []widthChoice
	// OpenWider shows the wider ones at once: one of them is chosen.
	OpenWider bool
	Ends      []endChoice
	Until     string
	// MinDay is the first day that can be an end.
	MinDay string
	Reply  string
	Limit  int
	// Sentence reads the choice back, DateSaid is its end's pattern for a date
	// that the script fills in.
	Sentence, DateSaid string
}

type widthChoice struct {
	Width             Width
	Title, Hint, Says string
	Chosen, Warn      bool
}

type endChoice struct {
	End         End
	Title, Says string
	Chosen      bool
}

// decideView is what decide.html reads.
type decideView struct {
	pages.Door
	// Scene is "form", "done", "decided", "expired", "cancelled", "closed"
	// (only the console decides now), "own", "notyours" or "gone".
	Scene string
	Ask   AccessRequest
	Five  pages.Five
	// Unverified says that the name was only typed in.
	Unverified bool
	Form       DecideForm
	Outcome    Outcome
	Admin      string
	Console    string
	LinkLife   time.Duration
	Now        time.Time
}

// Outcome is what the partial "decide-told" reads: who decided, what and when.
type Outcome struct {
	// Approved, else refused.
	Approved bool
	Who      string
	By       string
	// Sentence is the grant in words, empty for a refusal.
	Sentence string
	Reply    string
	At, Now  time.Time
	// Mine says that the reader decided it, Fresh that they did a moment ago.
	Mine, Fresh bool
	// Before says that somebody else decided before the reader.
	Before string
	// Again is how long after a refusal one can ask again.
	Again time.Duration
}

// Form makes the form of one waiting request, in a language.
func (p DecidePage) Form(c *lang.Catalogue) DecideForm {
	p = p.complete()
	ask := p.Ask
	end, until := p.Chosen.End, p.Chosen.Until
	if end == "" {
		end, until = endFor(p.GrantFor, p.Now)
	}
	width := p.Chosen.Width
	if !slices.Contains(p.Widths, width) {
		width = p.Widths[0]
	}
	f := DecideForm{
		ID: "ask-" + formID(ask), Action: p.Action, Token: p.Token, Who: lang.Inert(ask.Called(c), 120), Version: ask.Version,
		NeedNumber: !p.SignedIn, MaySkip: p.SignedIn, Confirm: !p.SignedIn, Sure: p.Chosen.Sure, Unconfirmed: errors.Is(p.Problem, ErrNotConfirmed),
		Until: until, MinDay: p.Now.Format(dayForm), Reply: p.Chosen.Reply, Limit: NoteLimit,
		DateSaid: c.Text("time.until.day", "date", "{date}"),
	}
	f.Wrong, f.Warning = p.problemWords(c)
	var ends string
	for _, e := range []End{EndTonight, EndWeek, EndNone, EndDate} {
		says := endWords(c, e, until, p.Now)
		if e == end {
			ends = says
		}
		f.Ends = append(f.Ends, endChoice{End: e, Title: c.Text("decide.end." + string(e)), Says: says, Chosen: e == end})
	}
	for _, w := range p.Widths {
		choice := widthChoice{
			Width: w, Chosen: w == width, Warn: w == WidthFull,
			Title: widthTitle(c, w, ask), Says: widthWords(c, w, ask, p.Application, "{end}"),
		}
		if key := "decide.width." + string(w) + ".hint"; c.Has(key) {
			choice.Hint = isolated(c, key, "who", f.Who, "application", p.Application)
		}
		if w == width {
			f.Sentence = widthWords(c, w, ask, p.Application, ends)
		}
		if w == WidthEveryone || w == WidthFull {
			f.Wider = append(f.Wider, choice)
			f.OpenWider = f.OpenWider || choice.Chosen
		} else {
			f.Widths = append(f.Widths, choice)
		}
	}
	return f
}

// formID makes identifiers of a page unique for a request.
func formID(ask AccessRequest) string {
	if ask.Reference != "" {
		return ask.Reference
	}
	return "x"
}

func (p DecidePage) complete() DecidePage {
	if p.Now.IsZero() {
		p.Now = time.Now()
	}
	if p.Action == "" {
		p.Action = p.Here
	}
	if len(p.Widths) == 0 {
		p.Widths = Widths
	}
	var decided *DecidedError
	var changed *ChangedError
	switch {
	case errors.As(p.Problem, &decided):
		p.Ask = decided.Ask
	case errors.As(p.Problem, &changed):
		p.Ask = changed.Ask
	}
	return p
}

// problemWords turns what Decide answered into a sentence: under the number,
// or above the form.
func (p DecidePage) problemWords(c *lang.Catalogue) (wrong, warning string) {
	var number *NumberError
	var changed *ChangedError
	switch {
	case p.Problem == nil:
	case errors.As(p.Problem, &number) && number.Missing:
		return isolated(c, "decide.number.missing", "who", p.Ask.Called(c)), ""
	case errors.As(p.Problem, &number):
		return isolated(c, "decide.number.wrong", "who", p.Ask.Called(c), "count", number.Left), ""
	case errors.As(p.Problem, &changed):
		return "", c.Text("decide.changed")
	case errors.Is(p.Problem, ErrUnsure):
		return c.Text("decide.unsure"), ""
	case errors.Is(p.Problem, ErrUntil), errors.Is(p.Problem, ErrEnd):
		return "", c.Text("decide.end.past")
	case errors.Is(p.Problem, ErrWidth):
		return "", c.Text("decide.width.impossible")
	}
	return "", ""
}

func widthTitle(c *lang.Catalogue, w Width, ask AccessRequest) string {
	where, _ := c.PlaceLines(placeParts(ask))
	return sentenceCase(isolated(c, "decide.width."+string(w), "device", thisDevice(c, ask), "place", where))
}

// widthWords is the grant as a sentence: who comes in, on what, from where, for
// how long. It is written for the whole width, since languages order it
// differently.
func widthWords(c *lang.Catalogue, w Width, ask AccessRequest, application, end string) string {
	where, _ := c.PlaceLines(placeParts(ask))
	return sentenceCase(isolated(c, "decide.width."+string(w)+".says",
		"who", ask.Called(c), "device", thisDevice(c, ask), "place", where,
		"browser", browserWords(c, ask), "application", application, "end", end))
}

// endWords says an end of the form; one that is not chosen yet is left open.
func endWords(c *lang.Catalogue, e End, until string, now time.Time) string {
	at, err := e.Time(until, now)
	switch {
	case err != nil:
		return c.Text("decide.end.date.open")
	case e == EndWeek:
		return c.Text("decide.end.week.says", "date", c.Date(at))
	}
	return c.Until(at, now)
}

// Told says who decided a request, in a language.
func (p DecidePage) Told(c *lang.Catalogue) Outcome {
	p = p.complete()
	d := p.Ask.Decision
	o := Outcome{
		Approved: p.Ask.State == Approved, Who: lang.Inert(p.Ask.Called(c), 120), By: d.Name,
		Reply: d.Reply, At: d.At, Now: p.Now, Mine: p.Done || p.Mine, Fresh: p.Done, Again: p.Limits.complete().Refused,
	}
	if o.By == "" {
		o.By = lang.Inert(c.By(d.By), 120)
	}
	o.Before = sentenceCase(isolated(c, "decide.decided.heading", "by", o.By))
	if o.Approved {
		width := d.Width
		if width == "" {
			width = WidthConnection
		}
		o.Sentence = widthWords(c, width, p.Ask, p.Application, c.Until(d.Until, p.Now))
	}
	return o
}

func (p DecidePage) scene() string {
	var decided *DecidedError
	switch {
	case p.Ask.Application == "" && p.Ask.Reference == "", errors.Is(p.Problem, ErrNotFound):
		return "gone"
	case errors.Is(p.Problem, ErrNotYours):
		return "notyours"
	case errors.Is(p.Problem, ErrOwnRequest):
		return "own"
	case errors.Is(p.Problem, ErrExpired), p.Ask.State == Expired:
		return "expired"
	case errors.Is(p.Problem, ErrCancelled), p.Ask.State == Cancelled:
		return "cancelled"
	case p.Ask.State == Approved, p.Ask.State == Refused, errors.As(p.Problem, &decided):
		if p.Done {
			return "done"
		}
		return "decided"
	case errors.Is(p.Problem, ErrLinkClosed), !p.SignedIn && !p.Limits.LinkOpen(p.Ask):
		return "closed"
	}
	return "form"
}

func (p DecidePage) view(c *lang.Catalogue) decideView {
	p = p.complete()
	v := decideView{
		Door: pages.Door{
			Application: p.Application, Reference: p.Ask.Reference, Here: p.Here, Languages: p.Languages,
			Styles: []string{"decide.css"}, Scripts: []string{"decide.js"},
		},
		Scene: p.scene(), Ask: p.Ask, Admin: p.Admin, Console: p.Console, Now: p.Now, LinkLife: p.Limits.complete().MailLink,
	}
	if v.Scene == "gone" || v.Scene == "notyours" {
		v.Application, v.Reference, v.Ask = "", "", AccessRequest{}
		return v
	}
	drawn := parts(c, p.Ask, p.Application, p.Now)
	v.Unverified = drawn.Unverified
	if v.Scene == "done" || v.Scene == "decided" {
		v.Outcome = p.Told(c)
		if v.Outcome.Approved {
			drawn.Authorised = p.Ask.Decision.At
		}
	}
	v.Five = drawn.Five(c, "h-new")
	if v.Scene == "form" {
		v.Form = p.Form(c)
	}
	return v
}

// Status is the HTTP status that goes with the page.
func (p DecidePage) Status() int {
	switch p.scene() {
	case "gone":
		return http.StatusNotFound
	case "expired", "cancelled":
		return http.StatusGone
	case "own", "notyours", "closed":
		return http.StatusForbidden
	case "decided":
		if p.Problem != nil {
			return http.StatusConflict
		}
	case "form":
		if p.Problem != nil {
			return http.StatusUnprocessableEntity
		}
	}
	return http.StatusOK
}

// WriteDecide answers with the page behind a notice's link.
func WriteDecide(w http.ResponseWriter, r *http.Request, c *lang.Catalogue, p DecidePage) error {
	return pageSet().Write(w, r, c, p.Status(), "decide", p.view(c))
}
