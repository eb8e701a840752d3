package gate

import (
	"context"
	"fmt"
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
}

// Try begins a trial of a rule.
func (g *Gate) Try(r access.Rule) *Trial {
	if r.ID == "" {
		r.ID = "trial"
	}
	if r.Created.IsZero() {
		r.Created = g.opt.Clock()
	}
	return &Trial{g: g, rule: r, known: map[personKey]access.Standing{}}
}

// Of tells the verdicts on a recorded connection without and with the rule,
// the padlock being closed, and whether it is the rule that answers then.
// Where it is not, with.Step and with.Rule say what goes before it.
func (t *Trial) Of(ctx context.Context, c books.Connection) (without, with access.Verdict, answers bool, err error) {
	key := personKey{c.Application, c.User}
	s, ok := t.known[key]
	if !ok {
		if s, err = t.g.standing(ctx, c); err != nil {
			return without, with, false, err
		}
		t.known[key] = s
	}
	now := t.g.opt.Clock()
	without = access.Decide(c.Visit(), s, now)
	s.Rules = append(append([]access.Rule(nil), s.Rules...), t.rule)
	with = access.Decide(c.Visit(), s, now)
	return without, with, with.Step == access.StepRule && with.Rule.ID == t.rule.ID, nil
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
		r.Until, r.Note = until, note
		return []store.Write{g.ruleEntry("rule.edit", *r, by)}, true, nil
	})
	if err != nil {
		return r, fmt.Errorf("editing rule %s: %w", id, err)
	}
	g.changedRule(ctx, r)
	return r, nil
}
