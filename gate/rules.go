package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// Errors of AddRule that callers tell apart.
var (
	// ErrRuleEverybody says that a rule names none of user, group, device,
	// place and browser: that is what the padlock is for.
	ErrRuleEverybody = errors.New("this rule would be about everybody: name a user, group, device, kind, place or browser; to let everybody in, open the padlock")
	// ErrRuleTwice says that a rule names two things of which it can name one.
	ErrRuleTwice = errors.New("a rule is about a user or a group, and about a device or a kind, not both")
	// ErrRuleEnded says that the end of a rule is not in the future.
	ErrRuleEnded = errors.New("the end of the rule is past")
)

// CheckRule reports what is wrong with a rule that somebody makes.
func CheckRule(r access.Rule, now time.Time) error {
	switch {
	case r.Effect != access.Allow && r.Effect != access.Refuse:
		return fmt.Errorf("effect %q: write allow or refuse", r.Effect)
	case (r.User != "" && r.Group != "") || (r.Device != "" && r.Kind != ""):
		return ErrRuleTwice
	case r.Kind != "" && !slices.Contains(access.Kinds, r.Kind):
		return fmt.Errorf("kind %q: write phone, tablet, computer or other", r.Kind)
	case r.Weight() == 0 || (r.Weight() == 1 && r.Application != ""):
		return ErrRuleEverybody
	case r.Ended(now):
		return ErrRuleEnded
	}
	return nil
}

// AddRule checks and keeps a rule that somebody makes. Its ID, author and time
// are set here.
func (g *Gate) AddRule(ctx context.Context, r access.Rule, by By) (access.Rule, error) {
	now := g.opt.Clock()
	if err := CheckRule(r, now); err != nil {
		return r, err
	}
	r.ID, r.Author, r.Created = books.NewID(now), by.Who, now
	err := g.books.Store.Apply(ctx, store.Batch{Writes: append(g.books.Rules.Put(r), g.books.Audit.Write(g.ruleEntry("rule.add", r, by)))})
	if err != nil {
		return r, fmt.Errorf("adding a rule: %w", err)
	}
	g.changedRule(ctx, r)
	return r, nil
}

// EndRule ends a rule of an application, "" for those about all. The error
// wraps store.ErrNotFound where there is none.
func (g *Gate) EndRule(ctx context.Context, application, id string, by By) (access.Rule, error) {
	r, err := g.books.Rules.Find(ctx, application, id)
	if err != nil {
		return r, fmt.Errorf("rule %s: %w", id, err)
	}
	err = g.books.Store.Apply(ctx, store.Batch{Writes: append(g.books.Rules.Delete(r), g.books.Audit.Write(g.ruleEntry("rule.end", r, by)))})
	if err != nil {
		return r, fmt.Errorf("ending rule %s: %w", id, err)
	}
	g.changedRule(ctx, r)
	return r, nil
}

// ruleEntry says what a rule is about.
func (g *Gate) ruleEntry(what string, r access.Rule, by By) books.Entry {
	detail := map[string]string{"effect": string(r.Effect)}
	for name, value := range map[string]string{
		"user": r.User, "group": r.Group, "device": r.Device, "kind": string(r.Kind),
		"place": r.Place.String(), "browser": r.Browser.String(),
	} {
		if value != "" {
			detail[name] = value
		}
	}
	if !r.Until.IsZero() {
		detail["until"] = endWords(r.Until)
	}
	return books.Entry{
		At: g.opt.Clock(), Who: by.Who, From: by.From, Via: by.Via, What: what,
		Application: r.Application, Subject: r.ID, Detail: detail,
	}
}

func (g *Gate) changedRule(ctx context.Context, r access.Rule) {
	if r.User != "" {
		g.changedPerson(ctx, r.Application, r.User)
		return
	}
	g.changed(ctx, r.Application)
}

// ForgetDevice makes a user's device unknown in an application: the rules that
// let this user in on it end, and the connections it had are forgotten. What
// opens on it next is new.
func (g *Gate) ForgetDevice(ctx context.Context, application, user, device string, by By) error {
	if device == "" || user == "" {
		return ErrInexact
	}
	if err := g.Flush(ctx); err != nil {
		return err
	}
	rules, err := g.books.Rules.For(ctx, application, user)
	if err != nil {
		return err
	}
	list, err := g.books.Connections.Of(ctx, application, user, g.opt.PerPerson)
	if err != nil {
		return err
	}
	var writes []store.Write
	for _, r := range rules {
		if r.User == user && r.Application == application && r.Device == device && r.Effect == access.Allow {
			writes = append(writes, g.books.Rules.Delete(r)...)
		}
	}
	for _, c := range list {
		if c.Device.ID == device {
			writes = append(writes, g.books.Connections.Delete(c)...)
		}
	}
	if len(writes) == 0 {
		return nil
	}
	writes = append(writes, g.books.Audit.Write(books.Entry{
		At: g.opt.Clock(), Who: by.Who, From: by.From, Via: by.Via, What: "device.forget",
		Application: application, Subject: user, Detail: map[string]string{"device": device},
	}))
	if err := g.books.Store.Apply(ctx, store.Batch{Writes: writes}); err != nil {
		return fmt.Errorf("forgetting a device of %s: %w", user, err)
	}
	g.changedPerson(ctx, application, user)
	return nil
}
