package adminui

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/pages"
)

// tryPage explains a visit that is typed: a person, an address, a user agent.
type tryPage struct {
	frame
	Applications          []choice
	User, Address, Agent  string
	Bad                   string
	Asked, MayAgent, Open bool
	Standing              standing
	Five                  pages.Five
	Line                  string
}

// showTryOut says what the gate would answer. It records nothing; the device is
// one that nobody has yet.
func showTryOut(v *visit) error {
	query := v.r.URL.Query()
	f, err := v.frame("connections", []string{"person.css"}, nil)
	if err != nil {
		return err
	}
	page := tryPage{
		frame: f, User: strings.TrimSpace(query.Get("user")), Address: strings.TrimSpace(query.Get("address")),
		Agent: strings.TrimSpace(query.Get("agent")), MayAgent: v.Recognise != nil,
	}
	app := query.Get("app")
	if app != "" {
		if app, err = v.application(app); err != nil {
			return err
		}
	}
	page.Applications = v.applicationChoices(app)
	if app == "" || page.User == "" {
		return v.show(http.StatusOK, "try", page)
	}
	visit := access.Visit{User: page.User, Application: app}
	if page.Address != "" {
		a, err := netip.ParseAddr(page.Address)
		if err != nil {
			page.Bad = v.say.Text("try.bad.address")
			return v.show(http.StatusUnprocessableEntity, "try", page)
		}
		if visit.Place.Address = a.Unmap(); v.Place != nil {
			visit.Place = v.Place(a.Unmap(), page.User)
		}
	}
	if page.Agent != "" && v.Recognise != nil {
		visit.Device, visit.Browser = v.Recognise(v.ctx(), page.Agent[:min(len(page.Agent), 1000)])
	}
	if known, err := v.mayKnow(page.User); err != nil {
		return err
	} else if !known {
		page.Bad = v.say.Text("try.bad.user")
		return v.show(http.StatusUnprocessableEntity, "try", page)
	}
	u, err := v.Books.Users.Get(v.ctx(), page.User)
	if err != nil {
		return err
	}
	verdict, err := v.explain().Explain(v.ctx(), visit, gate.Circumstance{})
	if err != nil {
		return err
	}
	page.Asked, page.Open, page.Line = true, verdict.Step == access.StepPadlock, verdict.Reason()
	page.Standing = v.standing(verdict, true)
	shown := verdict
	if verdict.Shadow != nil {
		shown = *verdict.Shadow
	}
	page.Five = pages.Parts{
		User: lang.Inert(v.called(u), 120), UserSub: page.User, Application: v.name(app), Kind: string(visit.Device.Kind), Label: visit.Device.Label,
		Place: placeParts(visit.Place), Family: visit.Browser.Family, Platform: visit.Browser.Platform, New: partNames(shown.New),
	}.Five(v.say, "h-five")
	return v.show(http.StatusOK, "try", page)
}
