package adminui

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/lang"
)

// ruleHref is the page of one rule.
func ruleHref(r access.Rule) string {
	return "/rules/edit?" + url.Values{"app": {r.Application}, "rule": {r.ID}}.Encode()
}

// editRulePage is one rule: what it touches, its end and its note.
type editRulePage struct {
	frame
	Line        ruleLine
	Until, Note string
	// Seen is what the form is filled in from.
	Seen   string
	MinDay string
	Error  string
	Trial  ruleTrial
	// Like leads to the form for a new rule, filled in like this one; empty
	// where the form cannot say it.
	Like string
}

// ruleOf finds the rule that a request names, where the admin looks after it:
// one about every application is for admins of all.
func (v *visit) ruleOf() (access.Rule, error) {
	app := v.r.FormValue("app")
	if app == "" && !v.all() {
		return access.Rule{}, errNotHere
	}
	if app != "" {
		var err error
		if app, err = v.application(app); err != nil {
			return access.Rule{}, err
		}
	}
	return v.Books.Rules.Find(v.ctx(), app, v.r.FormValue("rule"))
}

func showEditRule(v *visit) error {
	r, err := v.ruleOf()
	if err != nil {
		return err
	}
	until := ""
	if !r.Until.IsZero() {
		until = lastDay(r.Until).Format("2006-01-02")
	}
	return v.editRule(http.StatusOK, r, until, r.Note, "")
}

// endOf is a rule's end as a form's mark has it.
func endOf(r access.Rule) string { return r.Until.UTC().Format(time.RFC3339) }

// lastDay is the last day on which a rule with that end holds.
func lastDay(until time.Time) time.Time { return until.Local().Add(-time.Second) }

func (v *visit) editRule(status int, r access.Rule, until, note, problem string) error {
	f, err := v.frame("rules", []string{"columns.css"}, nil)
	if err != nil {
		return err
	}
	page := editRulePage{frame: f, Seen: v.seen(endOf(r), r.Note), Until: until, Note: note, MinDay: v.now.Format("2006-01-02"), Error: problem}
	if page.Line, err = v.ruleLine(r, v.people(), v.deviceNames()); err != nil {
		return err
	}
	if page.Trial, err = v.tryRule(r); err != nil {
		return err
	}
	page.Trial.Stands, page.Like = true, likeRule(r)
	return v.show(status, "rule-edit", page)
}

// likeRule is the address of the form filled in like a rule, "" where the form
// has no words for all of it.
func likeRule(r access.Rule) string {
	f := ruleForm{Effect: string(r.Effect), User: r.User, Group: r.Group, Application: r.Application, Kind: string(r.Kind), Browser: r.Browser.Family, Note: r.Note}
	switch {
	case r.User != "":
		f.Whose = "user"
	case r.Group != "":
		f.Whose = "group"
	}
	p := r.Place
	for way, text := range map[string]string{"name": p.Name, "city": p.City, "country": p.Country, "owner": p.Owner, "prefix": p.Prefix} {
		if text != "" {
			f.Place, f.PlaceText = way, text
		}
	}
	// It is the same rule only if the form says all that this one does.
	made, err := f.rule(time.Time{})
	if err != nil || made.Place != r.Place || made.Browser != r.Browser || r.Device != "" {
		return ""
	}
	q := url.Values{}
	for name, value := range map[string]string{
		"effect": f.Effect, "whose": f.Whose, "user": f.User, "group": f.Group, "application": f.Application, "kind": f.Kind,
		"place": f.Place, "place-text": f.PlaceText, "browser": f.Browser, "note": f.Note,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return "/rules/new?" + q.Encode()
}

// saveRule gives a rule another end and note.
func saveRule(v *visit) error {
	r, err := v.ruleOf()
	if isNotFound(err) {
		return v.seeOther("/rules?done=rule.gone")
	}
	if err != nil {
		return err
	}
	if err := v.meanwhile(r.Application, "rule.edit", r.ID, endOf(r), r.Note); err != nil {
		return err
	}
	typed, note := v.r.PostFormValue("until"), lang.Inert(v.r.PostFormValue("note"), 200)
	var until time.Time
	switch {
	case typed == "":
	case !r.Until.IsZero() && typed == lastDay(r.Until).Format("2006-01-02"):
		until = r.Until // untouched: to the second as it was
	default:
		day, err := time.ParseInLocation("2006-01-02", typed, v.now.Location())
		if err != nil {
			return v.editRule(http.StatusUnprocessableEntity, r, typed, note, v.say.Text("rule.bad.until"))
		}
		until = day.AddDate(0, 0, 1)
	}
	if r.Effect != access.Allow && !until.IsZero() && (r.Until.IsZero() || until.Before(r.Until)) {
		var s *said
		if err := v.ownEnd(r); errors.As(err, &s) {
			return v.editRule(http.StatusUnprocessableEntity, r, typed, note, v.say.Text(s.key))
		} else if err != nil {
			return err
		}
	}
	_, err = v.Gate.EditRule(v.ctx(), r.Application, r.ID, until, note, v.by())
	switch {
	case errors.Is(err, gate.ErrRuleEnded):
		return v.editRule(http.StatusUnprocessableEntity, r, typed, note, v.say.Text("rule.bad.until"))
	case isNotFound(err):
		return v.seeOther("/rules?done=rule.gone")
	case err != nil:
		return err
	}
	return v.seeOther("/rules?done=rule.saved")
}
