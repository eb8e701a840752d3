package caddymodule

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/cadenas-gateway/cadenas/biopass"
	"github.com/cadenas-gateway/cadenas/identity"
)

// biopassSpec is the verb at the command line.
var biopassSpec = spec{
	use: "biopass <user>", short: "Show what Biopass keeps of a user; link for another keyboard, erase", verb: "biopass", args: []string{"user"},
	say: sayPrints,
	sub: []spec{
		{
			use: "link <user>", short: "Make a single-use link with which a user adds a keyboard", verb: "biopass-link", args: []string{"user"},
			say: func(w io.Writer, b json.RawMessage) error {
				a, err := read[struct {
					Link, User string
					Until      time.Time
				}](b)
				return printed(w, err, "%s\n\nFor %s, once, until %s, signed in on the computer with that keyboard.\n", a.Link, a.User, stampOf(a.Until))
			},
		},
		{
			use: "remove-passkey <user> <id>", short: "Remove a user's passkey", verb: "biopass-passkey-remove", args: []string{"user", "id"},
			say: func(w io.Writer, b json.RawMessage) error {
				k, err := read[keyAnswer](b)
				return printed(w, err, "%s is removed.\n", k.Name)
			},
		},
		{
			use: "erase <user>", short: "Erase a user's prints, consent and passkeys, or one keyboard's prints", verb: "biopass-erase", args: []string{"user"},
			flags: map[string]string{"keyboard": "Erase this keyboard's prints alone: its name, or its identifier"},
			say:   sayErased,
		},
		{
			use: "rename <user> <keyboard> <name>", short: "Rename a user's keyboard", verb: "biopass-rename", args: []string{"user", "keyboard", "name"},
			say: func(w io.Writer, b json.RawMessage) error {
				a, err := read[renamedKeyboard](b)
				return printed(w, err, "%s is called %s now.\n", a.Before, a.Keyboard)
			},
		},
	},
}

// typist reads the user named.
func (c *call) typist() (string, error) {
	name, err := c.word("user")
	if err != nil {
		return "", err
	}
	user, err := identity.Canonical(name)
	if err != nil {
		return "", badWords("%q cannot be a user: %v", name, err)
	}
	return user, nil
}

type userPrints struct {
	Application string `json:"application"`
	User        string `json:"user"`
	biopass.Account
	Passkeys []keyAnswer `json:"passkeys"`
}

// keptOf is what is kept of a user in an application.
func (run *running) keptOf(ctx context.Context, app, user string) (userPrints, error) {
	a, err := run.biopass.Account(ctx, app, user)
	if err != nil {
		return userPrints{}, err
	}
	keys, _, err := run.biopass.Keys(ctx, app, user)
	return userPrints{app, user, a, keyAnswers(keys)}, err
}

func showPrints(ctx context.Context, c *call) (any, error) {
	user, err := c.typist()
	if err != nil {
		return nil, err
	}
	list, err := c.apps(ctx)
	if err != nil {
		return nil, err
	}
	all := []userPrints{}
	for _, app := range list {
		a, err := c.keptOf(ctx, app, user)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

func sayPrints(w io.Writer, b json.RawMessage) error {
	all, err := read[[]userPrints](b)
	if err != nil {
		return err
	}
	for _, a := range all {
		state := "nothing is kept"
		switch {
		case len(a.Keyboards) > 0:
			state = fmt.Sprintf("%d keyboards, erased unless used before %s", len(a.Keyboards), stampOf(a.Forgotten))
		case !a.Declined.IsZero():
			state = "declined on " + stampOf(a.Declined)
		case !a.Consented.IsZero():
			state = "agreed, no print yet"
		}
		if _, err := fmt.Fprintf(w, "%s: %s\n", a.Application, state); err != nil {
			return err
		}
		for _, k := range a.Keyboards {
			if _, err := fmt.Fprintf(w, "  keyboard %s: %s (%s), %d prints, last used %s\n", k.ID, k.Name, k.Kind, k.Prints, stampOf(k.Used)); err != nil {
				return err
			}
		}
		for _, k := range a.Passkeys {
			if err := printed(w, nil, "  passkey %s: %s, added %s, last used %s\n", k.ID, k.Name, stampOf(k.Created), stampOf(k.Used)); err != nil {
				return err
			}
		}
		if err := sayTally(w, a.Tally); err != nil {
			return err
		}
	}
	return nil
}

func sayTally(w io.Writer, t biopass.Tally) error {
	if t == (biopass.Tally{}) {
		return nil
	}
	last := "never"
	if !t.LastMatched.IsZero() {
		last = stampOf(t.LastMatched)
	}
	_, err := fmt.Fprintf(w, "  matched %d times, the last time %s; %d lines did not match; stopped %d times\n", t.Matched, last, t.Missed, t.Stopped)
	if err == nil && (t.TrialMatched > 0 || t.TrialStopped > 0) {
		_, err = fmt.Fprintf(w, "  trial: %d sign-ins matched, %d would have been stopped\n", t.TrialMatched, t.TrialStopped)
	}
	return err
}

func makeBiopassLink(ctx context.Context, c *call) (any, error) {
	user, err := c.typist()
	if err != nil {
		return nil, err
	}
	app, err := c.app(ctx)
	if err != nil {
		return nil, err
	}
	link, until, err := c.biopassLink(ctx, app, user, c.by.Who, c.by.Via)
	if err != nil {
		return nil, err
	}
	return map[string]any{"link": link, "user": user, "until": until}, nil
}

// biopassLink makes the address that a user opens on another keyboard: on the
// application's host, where they are signed in.
func (run *running) biopassLink(ctx context.Context, app, user, by, via string) (string, time.Time, error) {
	s := run.siteNamed(app)
	if s == nil || s.handler.mode() == biopass.Off {
		return "", time.Time{}, badWords("Biopass is off in %s: write `biopass optional` into its cadenas block", app)
	}
	token, until, err := run.biopass.MakeLink(ctx, app, user, by, via)
	if err != nil {
		return "", until, err
	}
	return s.address() + biopass.LinkPath + "?" + url.Values{"k": {token}}.Encode(), until, nil
}

// address is how browsers call the application: as one that was let in did
// last, else by its host.
func (s *site) address() string {
	if seen := s.seen.Load(); seen != nil {
		return *seen
	}
	host := s.host
	if host == "" {
		host = s.name
	}
	return "https://" + host
}

// home is the application's first page, where it is known how browsers call
// it; a name that is no host leads nowhere.
func (s *site) home() string {
	if s.seen.Load() == nil && s.host == "" {
		return ""
	}
	return s.address() + "/"
}

// called notes how browsers call the application.
func (s *site) called(r *http.Request) {
	o := origin(r)
	if seen := s.seen.Load(); seen == nil || *seen != o {
		s.seen.Store(&o)
	}
}
