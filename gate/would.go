package gate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// Trial tells what a rule would do that nobody has made yet. It keeps what it
// reads of each person, so it is made for one preview and thrown away.
type Trial struct {
	g     *Gate
	rule  access.Rule
	known map[personKey]access.Standing
	// members are those of the rule's group, by application; groups those of the
	// people in known.
	members map[string]map[string]bool
	groups  map[personKey][]string
}

// Try begins a trial of a rule.
func (g *Gate) Try(r access.Rule) *Trial {
	if r.ID == "" {
		r.ID = "trial"
	}
	if r.Created.IsZero() {
		r.Created = g.opt.Clock()
	}
	return &Trial{
		g: g, rule: r, known: map[personKey]access.Standing{}, groups: map[personKey][]string{},
		members: map[string]map[string]bool{},
	}
}

// About reports whether the rule is about a recorded connection, by its user's
// groups too.
func (t *Trial) About(ctx context.Context, c books.Connection) (bool, error) {
	if t.rule.Group == "" {
		return t.rule.Matches(c.Visit()), nil
	}
	members, ok := t.members[c.Application]
	if !ok {
		members = map[string]bool{}
		err := t.g.books.Groups.Each(ctx, c.Application, func(user string, names []string) bool {
			if slices.Contains(names, t.rule.Group) {
				members[user] = true
			}
			return true
		})
		if err != nil {
			return false, fmt.Errorf("reading who is in a group: %w", err)
		}
		t.members[c.Application] = members
	}
	return members[c.User] && t.rule.Matches(recorded(c, []string{t.rule.Group})), nil
}

// Of tells the verdicts on a recorded connection without and with the rule,
// the padlock being closed, and whether it is the rule that answers then.
// Where it is not, with.Step and with.Rule say what goes before it.
func (t *Trial) Of(ctx context.Context, c books.Connection) (without, with access.Verdict, answers bool, err error) {
	key := personKey{c.Application, c.User}
	s, ok := t.known[key]
	if !ok {
		var v access.Visit
		if s, v, err = t.g.standing(ctx, c); err != nil {
			return without, with, false, err
		}
		t.known[key], t.groups[key] = s, v.Groups
	}
	visit := recorded(c, t.groups[key])
	now := t.g.opt.Clock()
	without = access.Decide(visit, s, now)
	s.Rules = append(append([]access.Rule(nil), s.Rules...), t.rule)
	with = access.Decide(visit, s, now)
	return without, with, with.Step == access.StepRule && with.Rule.ID == t.rule.ID, nil
}

// Without gives the verdict on a visit as it would be if a rule ended, the
// padlock being closed.
func (g *Gate) Without(ctx context.Context, v access.Visit, r access.Rule) (access.Verdict, error) {
	s, _, err := g.standing(ctx, books.Connection{Application: v.Application, User: v.User})
	if err != nil {
		return access.Verdict{Answer: access.Deny}, err
	}
	s.Rules = slices.DeleteFunc(s.Rules, func(x access.Rule) bool { return x.ID == r.ID && x.Application == r.Application })
	return access.Decide(v, s, g.opt.Clock()), nil
}

// endWords is the end of a rule as the audit keeps it, "never" for none.
func endWords(until time.Time) string {
	if until.IsZero() {
		return "never"
	}
	return until.UTC().Format(time.RFC3339)
}

// EditRule gives a rule another end and note; what it is about stays, since
// that would be another rule. The error wraps store.ErrNotFound where there is
// none, and is ErrRuleEnded where the end is past.
func (g *Gate) EditRule(ctx context.Context, application, id string, until time.Time, note string, by By) (access.Rule, error) {
	if !until.IsZero() && !until.After(g.opt.Clock()) {
		return access.Rule{}, ErrRuleEnded
	}
	found, err := g.books.Rules.Find(ctx, application, id)
	if err != nil {
		return found, fmt.Errorf("rule %s: %w", id, err)
	}
	r, err := books.Update(ctx, g.books.Store, g.books.Rules.Key(found), func(r *access.Rule) ([]store.Write, bool, error) {
		if r.ID == "" {
			return nil, false, store.ErrNotFound // ended meanwhile
		}
		entry := g.ruleEntry("rule.edit", *r, by)
		entry.Detail["until"], entry.Detail["until_before"] = endWords(until), endWords(r.Until)
		if note != r.Note {
			entry.Detail["note"] = note
		}
		r.Until, r.Note = until, note
		// Its line in the index says when it ends: the list goes by that.
		return append(g.books.Rules.Put(*r), g.books.Audit.Write(entry)), true, nil
	})
	if err != nil {
		return r, fmt.Errorf("editing rule %s: %w", id, err)
	}
	g.changedRule(ctx, r)
	return r, nil
}
