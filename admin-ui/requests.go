package adminui

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/pages"
)

// recentDecisions is how long a decided request stays in the waiting room, so
// that the second admin who comes sees who decided.
const recentDecisions = 15 * time.Minute

// requestsPage is the waiting room.
type requestsPage struct {
	frame
	Count   int
	Oldest  time.Duration
	Groups  []askGroup
	Decided []askCard
}

// askGroup is one person with all they ask.
type askGroup struct {
	ID, Who, Href string
	Newest        time.Time
	Cards         []askCard
}

// askCard is one request.
type askCard struct {
	// ID is unique on the page; Rev changes when the card must be drawn anew
	// although somebody works on it.
	ID, Rev     string
	Who         string
	Application string
	Opened      time.Time
	Ago         string
	Five        pages.Five
	Pins        pages.Pins
	// News is what is new, in one sentence.
	News       string
	Unverified bool
	Note       string
	NoteBy     string
	Count      int
	Others     int
	// Known are sentences about what is known of the person's connections.
	Known []string
	// Alarm is a sentence in red: a place too far away to have travelled to.
	Alarm string
	// Own says that the admin is the one who asks.
	Own  bool
	Open bool
	Form approvals.DecideForm
	Told approvals.Outcome
}

// attempt is a decision that could not be carried out: its card is shown with
// what was typed and why.
type attempt struct {
	application, id string
	page            approvals.DecidePage
}

func showRequests(v *visit) error { return v.requests(http.StatusOK, nil) }

// requests shows the waiting room.
func (v *visit) requests(status int, failed *attempt) error {
	f, err := v.frame("requests", []string{"decide.css", "requests.css"}, []string{"decide.js"}, "requests")
	if err != nil {
		return err
	}
	page := requestsPage{frame: f}
	groups := map[string]*askGroup{}
	var order []*askGroup
	for _, app := range v.applications() {
		waiting, err := v.Approvals.Waiting(v.ctx(), app)
		if err != nil {
			return err
		}
		for _, ask := range waiting {
			card, err := v.card(ask, failed)
			if err != nil {
				return err
			}
			g := groups[ask.Person.User]
			if g == nil {
				g = &askGroup{ID: "person-" + ask.Reference, Who: card.Who}
				if ask.Person.User != "" {
					g.Href = personHref(ask.Person.User)
				}
				groups[ask.Person.User] = g
				order = append(order, g)
			}
			g.Cards = append(g.Cards, card)
			if ask.Opened.After(g.Newest) {
				g.Newest = ask.Opened
			}
			page.Count++
			page.Oldest = max(page.Oldest, v.now.Sub(ask.Opened))
		}
		if err := v.justDecided(app, &page); err != nil {
			return err
		}
	}
	slices.SortStableFunc(order, func(a, b *askGroup) int { return b.Newest.Compare(a.Newest) })
	for _, g := range order {
		slices.SortStableFunc(g.Cards, func(a, b askCard) int { return b.Opened.Compare(a.Opened) })
		page.Groups = append(page.Groups, *g)
	}
	v.openOne(&page)
	return v.show(status, "requests", page)
}

// openOne unfolds the card that was asked for, else the first.
func (v *visit) openOne(page *requestsPage) {
	asked := "card-" + v.r.URL.Query().Get("open")
	for i := range page.Groups {
		for j := range page.Groups[i].Cards {
			card := &page.Groups[i].Cards[j]
			if card.Open || card.ID == asked {
				card.Open = true
				return
			}
		}
	}
	if len(page.Groups) > 0 {
		page.Groups[0].Cards[0].Open = true
	}
}

// justDecided adds what was decided in the last minutes.
func (v *visit) justDecided(app string, page *requestsPage) error {
	list, err := v.Approvals.List(v.ctx(), app, "", 50)
	if err != nil {
		return err
	}
	for _, ask := range list {
		if ask.State != approvals.Approved && ask.State != approvals.Refused || v.now.Sub(ask.Decision.At) > recentDecisions {
			continue
		}
		decided := approvals.DecidePage{
			Ask: ask, Application: v.name(app), SignedIn: true, Now: v.now, Limits: v.Approvals.Limits(),
			Done: ask.Decision.By == v.admin.Email,
		}
		page.Decided = append(page.Decided, askCard{
			ID: "decided-" + ask.Reference, Rev: string(ask.State), Who: lang.Inert(ask.Called(v.say), 120),
			Application: v.name(app), Told: decided.Told(v.say),
		})
	}
	return nil
}

func (v *visit) card(ask approvals.AccessRequest, failed *attempt) (askCard, error) {
	form := approvals.DecidePage{
		Ask: ask, Application: v.name(ask.Application), SignedIn: true, Now: v.now, Limits: v.Approvals.Limits(),
		Widths: v.Approvals.PossibleWidths(ask),
	}
	card := askCard{
		ID: "card-" + ask.Reference, Rev: fmt.Sprintf("%d %s", ask.Version, ask.Note), Who: lang.Inert(ask.Called(v.say), 120),
		Application: v.name(ask.Application), Opened: ask.Opened, Ago: v.say.Ago(v.now.Sub(ask.Opened)),
		Pins: pages.PinsOf(partNames(ask.New)...), News: capital(v.say.New(partNames(ask.New)...)),
		Unverified: ask.Person.Source == "device", Note: ask.Note, NoteBy: lang.Inert(ask.Called(v.say), 60),
		Count: ask.Count, Others: ask.Others, Own: approvals.IsOwn(ask, v.admin),
	}
	if failed != nil && failed.application == ask.Application && failed.id == ask.ID {
		form.Problem, form.Chosen, card.Open = failed.page.Problem, failed.page.Chosen, true
	}
	form.Action = "/requests/" + pathPart(ask.Application) + "/" + pathPart(ask.ID)
	form.Token = v.session.Form
	card.Form = form.Form(v.say)
	parts := pages.Parts{
		User: ask.Called(v.say), Application: card.Application, Unverified: card.Unverified,
		Kind: string(ask.Device.Kind), Label: ask.Device.Label, Place: placeParts(ask.Place),
		Family: ask.Browser.Family, Platform: ask.Browser.Platform, New: partNames(ask.New),
	}
	if ask.Person.Name != "" && ask.Person.Name != ask.Person.User {
		parts.UserSub = ask.Person.User
	}
	card.Five = parts.Five(v.say, card.ID+"-new")
	err := v.tellKnown(ask, &card)
	return card, err
}

// decideRequest carries a decision out, or shows the room again with why not.
func decideRequest(v *visit) error {
	app, err := v.application(v.r.PathValue("application"))
	if err != nil {
		return err
	}
	choice, chosen, err := readDecision(v)
	failed := &attempt{application: app, id: v.r.PathValue("id")}
	failed.page.Chosen = chosen
	if err == nil {
		by := v.by()
		choice.Application, choice.ID = app, failed.id
		choice.By, choice.From, choice.Via, choice.SignedIn = v.admin, by.From, approvals.ViaConsole, true
		if _, err = v.Approvals.Decide(v.ctx(), choice); err == nil {
			if choice.Effect == access.Refuse {
				return v.to("/requests?done=request.refused")
			}
			return v.to("/requests?done=request.approved")
		}
	}
	failed.page.Problem = err
	var decided *approvals.DecidedError
	var changed *approvals.ChangedError
	var number *approvals.NumberError
	switch {
	case errors.As(err, &decided):
		return v.to("/requests?done=request.decided")
	case errors.Is(err, approvals.ErrNotFound), errors.Is(err, approvals.ErrExpired), errors.Is(err, approvals.ErrCancelled):
		return v.to("/requests?done=request.gone")
	case errors.Is(err, approvals.ErrOwnRequest):
		return v.to("/requests?done=request.own")
	case errors.Is(err, approvals.ErrNotYours):
		return errNotHere
	case errors.As(err, &changed):
		return v.requests(http.StatusConflict, failed)
	case errors.As(err, &number), errors.Is(err, approvals.ErrUnsure), errors.Is(err, approvals.ErrEnd),
		errors.Is(err, approvals.ErrUntil), errors.Is(err, approvals.ErrWidth), errors.Is(err, approvals.ErrNotConfirmed):
		return v.requests(http.StatusUnprocessableEntity, failed)
	}
	return err
}
