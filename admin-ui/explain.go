package adminui

import (
	"net/http"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/pages"
)

// explainPage says why one connection is answered as it is.
type explainPage struct {
	frame
	Who, Href, Application string
	Five                   pages.Five
	Standing               standing
	Steps                  []explainStep
	Seen, First            string
	Count                  int
	Address                string
	// Rule is the rule that answered, where one did.
	Rule *ruleLine
	Open bool
	// Line is the reason as log and command line have it.
	Line        string
	App, ID     string
	MayMove     bool
	Inside      bool
	BrowserFull string
	// Prefix is the network that can be given a name here, empty where it has
	// one or where the admin may give none; Names are those there are.
	Prefix string
	Names  []string
}

// explainStep is one line of the order in which the gate decides.
type explainStep struct {
	Text string
	// Now says that this line answered; Past that the gate went on.
	Now, Past bool
}

// order is that of access.Decide, the padlock aside.
var order = []access.Step{access.StepLocked, access.StepPadlock, access.StepExempt, access.StepFull, access.StepRule, access.StepKnown, access.StepPolicy}

func showExplanation(v *visit) error {
	app, err := v.application(v.r.PathValue("application"))
	if err != nil {
		return err
	}
	c, err := v.Books.Connections.Get(v.ctx(), app, v.r.PathValue("connection"))
	if err != nil {
		return err
	}
	f, err := v.frame("connections", []string{"person.css"}, nil, "rules", "padlock", "people")
	if err != nil {
		return err
	}
	u, err := v.Books.Users.Get(v.ctx(), c.User)
	if err != nil {
		return err
	}
	verdict, err := v.judge(c)
	if err != nil {
		return err
	}
	page := explainPage{
		frame: f, Who: lang.Inert(v.called(u), 120), Href: personHref(c.User), Application: v.name(app), App: app, ID: c.ID,
		Standing: v.standing(verdict, true), Seen: v.moment(c.Last), First: v.moment(c.First), Count: int(min(c.Count, 1<<30)), //nolint:gosec // bounded
		Open: verdict.Step == access.StepPadlock, Line: verdict.Reason(),
		BrowserFull: v.say.Browser(c.Browser.Family, c.Browser.Platform) + " " + lang.Inert(c.Browser.Version, 20),
	}
	if c.Place.Address.IsValid() {
		page.Address = c.Place.Address.String()
	}
	if c = v.today(c); c.Place.Name == "" && v.all() {
		page.Prefix = around(c.Place.Address)
		kept, err := v.Books.Networks.All(v.ctx())
		if err != nil {
			return err
		}
		for _, n := range kept {
			if n.User == "" {
				page.Names = append(page.Names, lang.Inert(n.Name, 80))
			}
		}
	}
	shown := verdict
	if verdict.Shadow != nil {
		shown = *verdict.Shadow
	}
	page.Inside = shown.Answer == access.LetIn
	page.Five = pages.Parts{
		User: v.called(u), UserSub: c.User, Application: v.name(app), Kind: string(c.Device.Kind), Label: c.Device.Label,
		Place: placeParts(c.Place), Family: c.Browser.Family, Platform: c.Browser.Platform, New: partNames(shown.New),
	}.Five(v.say, "h-five")
	past := true
	for _, step := range order {
		if step == access.StepPadlock && !page.Open {
			page.Steps = append(page.Steps, explainStep{Text: v.say.Text("explain.step.closed"), Past: past})
			continue
		}
		now := step == shown.Step || (step == access.StepPadlock && page.Open)
		s := explainStep{Now: now, Past: past && !now}
		key := "explain.step." + string(step)
		if !now {
			key += ".not"
		}
		if past || now {
			s.Text = v.say.Text(key)
			page.Steps = append(page.Steps, s)
		}
		if step == shown.Step {
			past = false
		}
	}
	if shown.Step == access.StepRule {
		line, err := v.ruleLine(shown.Rule, v.people(), v.deviceNames())
		if err != nil {
			return err
		}
		page.Rule = &line
	}
	return v.show(http.StatusOK, "explain", page)
}
