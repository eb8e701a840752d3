package gate

import (
	"context"

	"github.com/cadenas-gateway/cadenas/access"
)

// explaining is how many people an Explainer remembers.
const explaining = 64

// Explainer gives verdicts on many visits without recording anything, for one
// page or one export: it reads a person once for visits that come together, and
// leaves nobody in the gate's memory who does not come by. It belongs to one
// goroutine.
type Explainer struct {
	gate   *Gate
	people map[personKey]*person
}

// Explainer returns one that knows nobody yet. What is written after a person
// was read it may not know.
func (g *Gate) Explainer() *Explainer {
	return &Explainer{gate: g, people: map[personKey]*person{}}
}

// Explain gives the verdict on a visit.
func (x *Explainer) Explain(ctx context.Context, v access.Visit, c Circumstance) (access.Verdict, error) {
	key := personKey{v.Application, v.User}
	p := x.people[key]
	if p == nil {
		if len(x.people) >= explaining {
			clear(x.people)
		}
		p = &person{key: key}
		x.people[key] = p
	}
	return verdictOf(x.gate.checkOf(ctx, p, v, c))
}

// Explain gives the verdict on a visit without recording anything.
func (g *Gate) Explain(ctx context.Context, v access.Visit, c Circumstance) (access.Verdict, error) {
	return verdictOf(g.checkOf(ctx, &person{key: personKey{v.Application, v.User}}, v, c))
}

// verdictOf is the verdict of an entry; an error is never an allowance.
func verdictOf(e *entry, err error) (access.Verdict, error) {
	if err != nil {
		return access.Verdict{Answer: access.Deny}, err
	}
	return e.verdict, nil
}
