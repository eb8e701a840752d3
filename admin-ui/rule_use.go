package adminui

import (
	"net/url"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
)

// ruleUse is what fits a rule of the connections there are.
type ruleUse struct {
	Count int
	Last  time.Time
	// Whole says that all connections were looked at: then none is never.
	// Group says that the rule is about a group, which connections do not say.
	Whole, Group bool
}

func (u ruleUse) never() bool { return u.Count == 0 && u.Whole && !u.Group }

func (u ruleUse) words(v *visit) string {
	switch {
	case u.Group:
		return ""
	case u.Count > 0:
		return v.say.Text("rule.used", "count", u.Count, "when", v.say.When(u.Last, v.now))
	case u.Whole:
		return v.say.Text("rule.never")
	}
	return ""
}

// ruleUses tells of rules what fits them. Rules about one person are told from
// all of that person's connections; the others from those last seen, as many
// as a page may look at.
type ruleUses struct {
	v      *visit
	of1    map[string][]books.Connection // of one person
	shared []access.Rule
	counts map[string]ruleUse
	err    error
	done   bool
}

func (v *visit) ruleUses(list []access.Rule) *ruleUses {
	u := &ruleUses{v: v, of1: map[string][]books.Connection{}, counts: map[string]ruleUse{}}
	for _, r := range list {
		if r.User == "" && r.Group == "" {
			u.shared = append(u.shared, r)
		}
	}
	return u
}

func (u *ruleUses) of(r access.Rule) (ruleUse, error) {
	switch {
	case r.Group != "":
		return ruleUse{Group: true}, nil
	case r.User == "":
		u.scan()
		return u.counts[r.Application+"\x00"+r.ID], u.err
	}
	use := ruleUse{Whole: true}
	apps := u.v.applications()
	if r.Application != "" {
		apps = []string{r.Application}
	}
	for _, app := range apps {
		list, ok := u.of1[app+"\x00"+r.User]
		if !ok {
			var err error
			if list, err = u.v.Books.Connections.Of(u.v.ctx(), app, r.User, personConnections); err != nil {
				return use, err
			}
			u.of1[app+"\x00"+r.User] = list
		}
		use.Whole = use.Whole && len(list) < personConnections
		for _, c := range list {
			use.note(r, u.v.today(c))
		}
	}
	return use, nil
}

func (u *ruleUse) note(r access.Rule, c books.Connection) {
	if !r.Matches(c.Visit()) {
		return
	}
	u.Count++
	if c.Last.After(u.Last) {
		u.Last = c.Last
	}
}

// scan looks once at the connections last seen for all rules about everybody.
func (u *ruleUses) scan() {
	if u.done || len(u.shared) == 0 {
		return
	}
	u.done = true
	uses, whole := make([]ruleUse, len(u.shared)), true
	for _, app := range u.v.applications() {
		looked := 0
		err := u.v.eachConnection(gridQuery{Application: app, Window: "all"}, func(c books.Connection) bool {
			if looked++; looked > gridLook {
				whole = false
				return false
			}
			for i, r := range u.shared {
				uses[i].note(r, c)
			}
			return true
		})
		if err != nil {
			u.err = err
			return
		}
	}
	for i, r := range u.shared {
		uses[i].Whole = whole
		u.counts[r.Application+"\x00"+r.ID] = uses[i]
	}
}

// rulesAddress is the list of rules, narrowed.
func rulesAddress(app, search string, unused bool) string {
	q := url.Values{}
	if app != "" {
		q.Set("app", app)
	}
	if search != "" {
		q.Set("q", search)
	}
	if unused {
		q.Set("unused", "1")
	}
	if len(q) == 0 {
		return "/rules"
	}
	return "/rules?" + q.Encode()
}
