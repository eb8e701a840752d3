package adminui

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/lang"
)

// ruleRows is how many rules the list shows.
const ruleRows = 200

// rulesPage is every rule, a sentence each.
type rulesPage struct {
	frame
	Tabs         []tab
	Search       string
	Applications []choice
	Application  string
	Rules        []ruleLine
	Count, More  int
	// Unused says that only rules are shown that no connection fits; UnusedHref
	// leads there, AllHref back.
	Unused              bool
	UnusedHref, AllHref string
}

func showRules(v *visit) error {
	f, err := v.frame("rules", []string{"columns.css"}, nil, "rules")
	if err != nil {
		return err
	}
	page := rulesPage{frame: f, Tabs: v.ruleTabs("sentences"), Search: strings.TrimSpace(v.r.URL.Query().Get("q"))}
	apps := v.applications()
	if asked := v.r.URL.Query().Get("app"); asked != "" {
		app, err := v.application(asked)
		if err != nil {
			return err
		}
		page.Application, apps = app, []string{app}
	} else if v.all() {
		apps = append(apps, "")
	}
	page.Applications = v.applicationChoices(page.Application)
	var list []access.Rule
	if page.Search == "" {
		list, page.Count, err = v.newestRules(apps)
	} else {
		list, err = v.findRules(page.Search, apps)
		page.Count = len(list)
	}
	if err != nil {
		return err
	}
	page.Unused = v.r.URL.Query().Get("unused") != ""
	page.UnusedHref, page.AllHref = rulesAddress(page.Application, page.Search, true), rulesAddress(page.Application, page.Search, false)
	uses := v.ruleUses(list)
	if page.Unused {
		if list, err = uses.never(list); err != nil {
			return err
		}
		page.Count = len(list)
	}
	names, devices := v.people(), v.deviceNames()
	for _, r := range list[:min(len(list), ruleRows)] {
		line, err := v.ruleLine(r, names, devices)
		if err != nil {
			return err
		}
		use, err := uses.of(r)
		if err != nil {
			return err
		}
		line.Use, line.Edit = use.words(v), ruleHref(r)
		page.Rules = append(page.Rules, line)
	}
	page.More = page.Count - len(page.Rules)
	return v.show(http.StatusOK, "rules", page)
}

// endRule ends one rule.
func endRule(v *visit) error {
	app := v.r.PostFormValue("application")
	if app == "" && !v.all() {
		return errNotHere
	}
	if app != "" {
		var err error
		if app, err = v.application(app); err != nil {
			return err
		}
	}
	r, err := v.Books.Rules.Find(v.ctx(), app, v.r.PostFormValue("rule"))
	if err == nil && r.Effect != access.Allow {
		err = v.ownEnd(r)
	}
	if err == nil {
		_, err = v.Gate.EndRule(v.ctx(), app, r.ID, v.by())
	}
	if isNotFound(err) {
		return v.back("/rules?done=rule.gone")
	}
	if err != nil {
		return err
	}
	return v.back("/rules?done=rule.ended")
}

// rulePage is the form that builds a rule, and what it would do.
type rulePage struct {
	frame
	Form         ruleForm
	Effects      []choice
	Whose        []choice
	Applications []choice
	Kinds        []choice
	Places       []choice
	Browsers     []choice
	// Groups are those that people were seen with.
	Groups []string
	Error  string
	// Sentence reads the rule back.
	Sentence string
	Trial    ruleTrial
	MinDay   string
	MayAll   bool
}

// ruleForm is what was typed.
type ruleForm struct {
	Effect, Whose, User, Group, Application, Kind, Device string
	Place, PlaceText, Browser, Until, Note                string
}

// placeWays are the ways a rule can name a place.
var placeWays = []string{"name", "city", "country", "owner", "prefix"}

func readRuleForm(get func(string) string) ruleForm {
	return ruleForm{
		Effect: get("effect"), Whose: get("whose"), User: strings.TrimSpace(get("user")), Group: strings.TrimSpace(get("group")),
		Application: get("application"), Kind: get("kind"), Device: get("device"), Place: get("place"),
		PlaceText: strings.TrimSpace(get("place-text")), Browser: strings.TrimSpace(get("browser")),
		Until: get("until"), Note: lang.Inert(get("note"), 200),
	}
}

// rule makes the rule of a form.
func (f ruleForm) rule(now time.Time) (access.Rule, error) {
	r := access.Rule{
		Effect: access.Effect(f.Effect), Application: f.Application, Kind: access.Kind(f.Kind), Device: f.Device, Note: f.Note,
	}
	switch f.Whose {
	case "user":
		if r.User = f.User; r.User == "" {
			return r, tell("rule.bad.user")
		}
	case "group":
		if r.Group = f.Group; r.Group == "" {
			return r, tell("rule.bad.group")
		}
	}
	text := lang.Inert(f.PlaceText, 120)
	if f.Place != "" && text == "" {
		return r, tell("rule.bad.place")
	}
	switch f.Place {
	case "name":
		r.Place.Name = text
	case "city":
		r.Place.City = text
	case "owner":
		r.Place.Owner = text
	case "country":
		if r.Place.Country = strings.ToUpper(text); len(r.Place.Country) != 2 {
			return r, tell("rule.bad.country")
		}
	case "prefix":
		key, err := access.ParsePlaceKey("prefix=" + text)
		if err != nil {
			return r, tell("rule.bad.prefix")
		}
		r.Place = key
	}
	r.Browser.Family = lang.Inert(f.Browser, 60)
	if f.Until != "" {
		day, err := time.ParseInLocation("2006-01-02", f.Until, now.Location())
		if err != nil {
			return r, tell("rule.bad.until")
		}
		r.Until = day.AddDate(0, 0, 1)
	}
	err := gate.CheckRule(r, now)
	switch {
	case errors.Is(err, gate.ErrRuleEverybody):
		return r, tell("rule.bad.everybody")
	case errors.Is(err, gate.ErrRuleEnded):
		return r, tell("rule.bad.until")
	case err != nil:
		return r, errBadWords
	}
	return r, nil
}

func showNewRule(v *visit) error {
	q := v.r.URL.Query()
	form := readRuleForm(q.Get)
	if form.Effect == "" {
		form.Effect = string(access.Refuse)
	}
	if form.User != "" {
		form.Whose = "user"
	}
	return v.ruleForm(http.StatusOK, form, nil, false)
}

func (v *visit) ruleForm(status int, form ruleForm, problem error, preview bool) error {
	f, err := v.frame("rules", []string{"columns.css"}, []string{"rule.js"})
	if err != nil {
		return err
	}
	page := rulePage{frame: f, Form: form, MinDay: v.now.Format("2006-01-02"), MayAll: v.all(), Applications: v.applicationChoices(form.Application)}
	if page.Groups, err = v.groupNames(); err != nil {
		return err
	}
	for _, e := range access.Effects {
		page.Effects = append(page.Effects, choice{string(e), v.say.Text("rule.effect." + string(e)), string(e) == form.Effect})
	}
	for _, w := range []string{"", "user", "group"} {
		key := w
		if w == "" {
			key = "everybody"
		}
		page.Whose = append(page.Whose, choice{w, v.say.Text("rule.whose." + key), w == form.Whose})
	}
	for _, k := range access.Kinds {
		page.Kinds = append(page.Kinds, choice{string(k), v.say.Kind(string(k)), string(k) == form.Kind})
	}
	for _, w := range placeWays {
		page.Places = append(page.Places, choice{w, v.say.Text("rule.place." + w), w == form.Place})
	}
	var s *said
	if errors.As(problem, &s) {
		page.Error = v.say.Text(s.key, s.pairs...)
	}
	if preview {
		r, err := form.rule(v.now)
		if err != nil {
			return err
		}
		if page.Sentence, err = v.sentence(r, v.people(), v.deviceNames()); err != nil {
			return err
		}
		if page.Trial, err = v.tryRule(r); err != nil {
			return err
		}
	}
	return v.show(status, "rule-new", page)
}

// addRule shows what the rule would do, then, pressed again, makes it.
func addRule(v *visit) error {
	form := readRuleForm(v.r.PostFormValue)
	if form.Application == "" && !v.all() {
		return v.ruleForm(http.StatusUnprocessableEntity, form, tell("rule.bad.application"), false)
	}
	if form.Application != "" {
		if _, err := v.application(form.Application); err != nil {
			return err
		}
	}
	r, err := form.rule(v.now)
	if err != nil {
		return v.ruleForm(http.StatusUnprocessableEntity, form, err, false)
	}
	if r.Effect == access.Allow {
		if err := v.ownRule(r); err != nil {
			return v.ruleForm(http.StatusUnprocessableEntity, form, err, false)
		}
	}
	if v.r.PostFormValue("step") != "make" {
		return v.ruleForm(http.StatusOK, form, nil, true)
	}
	if _, err := v.Gate.AddRule(v.ctx(), r, v.by()); err != nil {
		return err
	}
	return v.seeOther("/rules?done=rule.added")
}
