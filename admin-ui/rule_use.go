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
	Whole bool
}

func (u ruleUse) never() bool { return u.Count == 0 && u.Whole }

func (u ruleUse) words(v *visit) string {
	switch {
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
	// grouped says that some of shared are about a group; groups are those of the
	// people looked at.
	grouped bool
	groups  map[string][]string
	counts  map[string]ruleUse
	err     error
	done    bool
}

func (v *visit) ruleUses(list []access.Rule) *ruleUses {
	u := &ruleUses{v: v, of1: map[string][]books.Connection{}, counts: map[string]ruleUse{}, groups: map[string][]string{}}
	for _, r := range list {
		if r.User == "" {
			u.shared = append(u.shared, r)
			u.grouped = u.grouped || r.Group != ""
		}
	}
	return u
}

func (u *ruleUses) of(r access.Rule) (ruleUse, error) {
	if r.User == "" {
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
			use.note(r, u.v.today(c).Visit(), c.Last)
		}
	}
	return use, nil
}

func (u *ruleUse) note(r access.Rule, v access.Visit, at time.Time) {
	if !r.Matches(v) {
		return
	}
	u.Count++
	if at.After(u.Last) {
		u.Last = at
	}
}

// visit is a connection as the rule sees it, with its user's groups where a
// rule may ask for them.
func (u *ruleUses) visit(c books.Connection) (access.Visit, error) {
	visit := c.Visit()
	if !u.grouped {
		return visit, nil
	}
	key := c.Application + "\x00" + c.User
	groups, known := u.groups[key]
	if !known {
		var err error
		if groups, err = u.v.explain().Groups(u.v.ctx(), c.Application, c.User); err != nil {
			return visit, err
		}
		u.groups[key] = groups
	}
	visit.Groups = groups
	return visit, nil
}

// scan looks once at the connections last seen for all rules about groups and
// everybody.
func (u *ruleUses) scan() {
	if u.done || len(u.shared) == 0 {
		return
	}
	u.done = true
	uses, whole := make([]ruleUse, len(u.shared)), true
	for _, app := range u.v.applications() {
		looked := 0
		var failed error
		err := u.v.eachConnection(gridQuery{Application: app, Window: "all"}, func(c books.Connection) bool {
			if looked++; looked > gridLook {
				whole = false
				return false
			}
			visit, err := u.visit(c)
			if err != nil {
				failed = err
				return false
			}
			for i, r := range u.shared {
				uses[i].note(r, visit, c.Last)
			}
			return true
		})
		if err == nil {
			err = failed
		}
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
