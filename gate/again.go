package gate

import (
	"context"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
)

// Given is a verdict with what it rests on in memory.
type Given struct {
	app    *application
	person *person
	entry  *entry
}

// CheckFor is Check that also returns what Again takes.
func (g *Gate) CheckFor(ctx context.Context, v access.Visit, c Circumstance) (access.Verdict, Given, error) {
	e, p, err := g.check(ctx, v, c)
	if err != nil {
		return access.Verdict{Answer: access.Deny}, Given{}, err
	}
	if g.saw(p, e, g.opt.Clock()) {
		g.room(ctx)
	}
	return e.verdict, Given{g.application(v.Application), p, e}, nil
}

// Again gives a verdict for another request that is the same visit under the
// same circumstances, and notes it, as Check would; now is the time of
// Options.Clock. It returns nil where the verdict may be another by now:
// Check has to say it then. What it returns is shared and must not be changed.
func (g *Gate) Again(given Given, now time.Time) *access.Verdict {
	e := given.entry
	if e == nil || given.person.gone.Load() || e.epoch != given.app.epoch.Load()+g.all.Load() ||
		(!e.ends.IsZero() && !now.Before(e.ends)) || g.heardOf() != nil {
		return nil
	}
	g.saw(given.person, e, now)
	return &e.verdict
}

// Lock is the padlock of one application, for whoever asks at every request.
type Lock struct {
	gate *Gate
	name string
	app  *application
}

// Lock returns the padlock of an application.
func (g *Gate) Lock(name string) Lock { return Lock{g, name, g.application(name)} }

// State reports whether the padlock is closed, as Closed does, and whether
// stamps are being taken off. Where an error says that it cannot be known,
// it counts as closed.
func (l Lock) State(ctx context.Context) (closed, draining bool, err error) {
	p, err := l.gate.padlockOf(ctx, l.app, l.name)
	if pin := l.app.conf.Load().Pinned; pin != nil {
		return *pin, p.Draining, err
	}
	return p.Closed, p.Draining, err
}
