package gate

import (
	"context"

	"github.com/cadenas-gateway/cadenas/access"
)

// explaining is how many people an Explainer remembers.
const explaining = 64

// Explainer gives verdicts on many visits without recording anything, for one
// page or one export: it reads a person once for visits that come together, and
// leaves nobody in the gate's memory who does not come by. It is for visits that
// nobody is making: a connection in store, one that was typed. Their groups are
// those the user was last seen with, and whom the configuration exempts is
// exempt. It belongs to one goroutine.
type Explainer struct {
	gate   *Gate
	people map[personKey]*explained
	// grouped tells of an application whether anybody has groups.
	grouped map[string]bool
}

type explained struct {
	person
	groups []string
}

// Explainer returns one that knows nobody yet. What is written after a person
// was read it may not know.
func (g *Gate) Explainer() *Explainer {
	return &Explainer{gate: g, people: map[personKey]*explained{}, grouped: map[string]bool{}}
}

// Explain gives the verdict on a visit.
func (x *Explainer) Explain(ctx context.Context, v access.Visit, c Circumstance) (access.Verdict, error) {
	key := personKey{v.Application, v.User}
	p := x.people[key]
	if p == nil {
		groups, err := x.Groups(ctx, v.Application, v.User)
		if err != nil {
			return verdictOf(nil, err)
		}
		if len(x.people) >= explaining {
			clear(x.people)
		}
		p = &explained{person: person{key: key}, groups: groups}
		x.people[key] = p
	}
	v.Groups = p.groups
	c.Exempt = c.Exempt || x.gate.Application(v.Application).exempts(v.User, v.Groups)
	return verdictOf(x.gate.checkOf(ctx, &p.person, v, c))
}

// Groups returns the groups that a user was last seen with in an application.
func (x *Explainer) Groups(ctx context.Context, application, user string) ([]string, error) {
	some, asked := x.grouped[application]
	if !asked {
		var err error
		if some, err = x.gate.books.Groups.Any(ctx, application); err != nil {
			return nil, err
		}
		x.grouped[application] = some
	}
	if !some {
		return nil, nil
	}
	if p := x.people[personKey{application, user}]; p != nil {
		return p.groups, nil
	}
	return x.gate.books.Groups.Of(ctx, application, user)
}

// Explain gives the verdict on a visit without recording anything. The groups
// and the circumstance are those given: it is for a visit that somebody is
// making, or was held for.
func (g *Gate) Explain(ctx context.Context, v access.Visit, c Circumstance) (access.Verdict, error) {
	return verdictOf(g.checkOf(ctx, &person{key: personKey{v.Application, v.User}}, v, c))
}

// Anew gives the verdict on a visit as the store has it now, for whoever asks
// before the gate has heard of a write. Where it lets in, the next check of
// the person reads the store too; else what is in memory stays: somebody who
// waits must not make the known person depend on a store that goes away.
func (g *Gate) Anew(ctx context.Context, v access.Visit) (access.Verdict, error) {
	verdict, err := g.Explain(ctx, v, Circumstance{})
	if err == nil && verdict.Answer == access.LetIn {
		g.Forget(v.Application, v.User)
	}
	return verdict, err
}

// verdictOf is the verdict of an entry; an error is never an allowance.
func verdictOf(e *entry, err error) (access.Verdict, error) {
	if err != nil {
		return access.Verdict{Answer: access.Deny}, err
	}
	return e.verdict, nil
}
