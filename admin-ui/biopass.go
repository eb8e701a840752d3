package adminui

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/biopass"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/pages"
)

// Biopass is what the console does with the typing prints of people. Nothing
// of it shows a print, a score or a threshold (B9).
type Biopass struct {
	*biopass.Service
	// Link makes the single-use address with which a user adds a keyboard.
	Link func(ctx context.Context, application, user, by, via string) (address string, until time.Time, err error)
}

// biopassCard is what is kept of a person's typing in one application.
type biopassCard struct {
	Application, Name string
	// State is a message key: how the person stands with Biopass there.
	State     string
	StateWhen string
	Keyboards []biopassKeyboard
	// Forgotten is until when all of it is kept if it is not used.
	Forgotten string
	// Tally is what came of typing; Last the last match in words.
	Tally biopass.Tally
	Last  string
	// Trial says that failures are only recorded now.
	Trial bool
	// Keys are the person's passkeys there.
	Keys []keyLine
	// Kept says that there is something to erase, On that a link makes sense.
	Kept, On bool
	// Href is the person's page, Token the forms' of this session: empty where
	// nothing can be changed.
	Href, Token string
}

// biopassKeyboard is one keyboard.
type biopassKeyboard struct {
	ID                 string
	Icon, Name, Kind   string
	Prints, Learnt     int
	MadeWhen, UsedWhen string
}

// biopassCards are the applications in which a person types or has typed.
func (v *visit) biopassCards(user string) ([]biopassCard, error) {
	if v.Biopass == nil {
		return nil, nil
	}
	var cards []biopassCard
	for _, app := range v.applications() {
		a, err := v.Biopass.Account(v.ctx(), app, user)
		if err != nil {
			return nil, err
		}
		mode := v.Biopass.Mode(app)
		keys, _, err := v.Biopass.Keys(v.ctx(), app, user)
		if err != nil {
			return nil, err
		}
		if mode == biopass.Off && !a.Kept() && len(keys) == 0 {
			continue
		}
		card := v.biopassCard(app, mode, a)
		card.Keys = v.keyLines(keys, personHref(user)+"/biopass/passkey/")
		card.Href, card.Token = personHref(user), v.session.Form
		cards = append(cards, card)
	}
	return cards, nil
}

func (v *visit) biopassCard(app string, mode biopass.Mode, a biopass.Account) biopassCard {
	card := biopassCard{
		Application: app, Name: v.name(app), Tally: a.Tally, Trial: v.Biopass.Trial() && mode != biopass.Off, Kept: a.Kept(), On: mode != biopass.Off,
		State: "biopass.card.none",
	}
	switch {
	case mode == biopass.Off:
		card.State = "biopass.card.off"
	case len(a.Keyboards) > 0:
		card.State, card.StateWhen = "biopass.card.agreed", v.say.When(a.Consented, v.now)
	case !a.Declined.IsZero():
		card.State, card.StateWhen = "biopass.card.declined", v.say.When(a.Declined, v.now)
	case !a.Consented.IsZero():
		card.State, card.StateWhen = "biopass.card.begun", v.say.When(a.Consented, v.now)
	}
	if !a.Forgotten.IsZero() {
		card.Forgotten = v.say.Date(a.Forgotten)
	}
	if !a.Tally.LastMatched.IsZero() {
		card.Last = v.say.When(a.Tally.LastMatched, v.now)
	}
	for _, k := range a.Keyboards {
		card.Keyboards = append(card.Keyboards, biopassKeyboard{
			ID: k.ID, Icon: pages.DeviceIcon(string(k.Kind)), Name: lang.Inert(k.Name, 60), Kind: v.say.Kind(string(k.Kind)),
			Prints: k.Prints, Learnt: k.Learnt, MadeWhen: v.say.When(k.Made, v.now), UsedWhen: v.say.When(k.Used, v.now),
		})
	}
	return card
}

// biopassOf is the person and the application that a Biopass form names.
func (v *visit) biopassOf() (user, app string, err error) {
	if v.Biopass == nil {
		return "", "", errNotHere
	}
	if user, err = v.person(); err != nil {
		return "", "", err
	}
	app, err = v.application(v.r.FormValue("application"))
	return user, app, err
}

// biopassLinkPage shows a link for another keyboard, this once.
type biopassLinkPage struct {
	frame
	Who, Href, Application string
	Link, Until            string
	// Mail opens the admin's own mail program with the link in it; empty where
	// no address is known.
	Mail string
}

// linkKeyboard makes the single-use link with which a person adds another
// keyboard (B7). It wants a sign-in too, so that whoever reads it on the way
// enrols nobody.
func linkKeyboard(v *visit) error {
	user, app, err := v.biopassOf()
	if err != nil {
		return err
	}
	if v.Biopass.Mode(app) == biopass.Off {
		return tell("biopass.card.link.off")
	}
	if err := v.ownWaits(app, user); err != nil {
		return err
	}
	u, err := v.Books.Users.Get(v.ctx(), user)
	if err != nil {
		return err
	}
	by := v.by()
	link, until, err := v.Biopass.Link(v.ctx(), app, user, by.Who, by.Via)
	if err != nil {
		return err
	}
	f, err := v.frame("people", nil, nil)
	if err != nil {
		return err
	}
	page := biopassLinkPage{
		frame: f, Who: lang.Inert(v.called(u), 120), Href: personHref(user), Application: v.name(app), Link: link, Until: v.say.When(until, v.now),
	}
	if mailLike(u.Email) {
		say := v.say
		if u.Language != "" {
			say = lang.For(u.Language)
		}
		text := say.Text("biopass.card.mail.text", "name", v.called(u), "application", v.name(app), "until", say.Date(until)) + "\r\n\r\n" + link + "\r\n"
		page.Mail = "mailto:" + url.PathEscape(u.Email) + "?" + strings.ReplaceAll(url.Values{
			"subject": {say.Text("biopass.card.mail.subject", "application", v.name(app))}, "body": {text},
		}.Encode(), "+", "%20")
	}
	return v.show(http.StatusOK, "biopass-link", page)
}

// typingExport is what is kept of a person in one application, in the words
// that the command line and the person's own page use.
type typingExport struct {
	Application string `json:"application"`
	User        string `json:"user"`
	biopass.Account
	Passkeys []exportedKey `json:"passkeys"`
}

// exportedKey is what is kept of a passkey that means something to its owner.
type exportedKey struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Used    time.Time `json:"used,omitzero"`
}

// exportTyping hands out what is kept of a person's typing: dates, counts and
// names of keyboards. Whoever asks for their data is handed this.
func exportTyping(v *visit) error {
	if v.Biopass == nil {
		return errNotHere
	}
	user, err := v.person()
	if err != nil {
		return err
	}
	all := []typingExport{}
	for _, app := range v.applications() {
		a, err := v.Biopass.Account(v.ctx(), app, user)
		if err != nil {
			return err
		}
		list, _, err := v.Biopass.Keys(v.ctx(), app, user)
		if err != nil {
			return err
		}
		keys := []exportedKey{}
		for _, k := range list {
			keys = append(keys, exportedKey{k.Name, k.Created, k.Used})
		}
		if a.Kept() || len(keys) > 0 {
			all = append(all, typingExport{app, user, a, keys})
		}
	}
	v.download("application/json; charset=utf-8", "biopass.json")
	return v.endExport(json.NewEncoder(v.w).Encode(all))
}
