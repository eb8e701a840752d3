package gate

import (
	"context"
	"fmt"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
)

// known is what the store holds of a person, read once.
type known struct {
	epoch                uint64
	locked, full, exempt bool
	// rules are those about the person and everybody's; own says that there are
	// some about the person, so that the list is theirs alone.
	rules       []access.Rule
	own         bool
	connections []books.Connection
}

// seen are the visits of the connections, as the rule wants them.
func (k *known) seen() []access.Visit {
	if len(k.connections) == 0 {
		return nil
	}
	visits := make([]access.Visit, len(k.connections))
	for i := range k.connections {
		visits[i] = k.connections[i].Visit()
	}
	return visits
}

// shared are the rules that are about no single user: everybody who is read
// from the store is judged by them as well, so they are read once.
type shared struct {
	epoch uint64
	rules []access.Rule
}

// sharedRules returns the rules about groups and everybody, from memory when
// they were read under the same epoch: writing one begins another.
func (g *Gate) sharedRules(ctx context.Context, app *application, name string, epoch uint64) ([]access.Rule, error) {
	if s := app.shared.Load(); s != nil && s.epoch == epoch {
		return s.rules, nil
	}
	app.mu.Lock()
	defer app.mu.Unlock()
	if s := app.shared.Load(); s != nil && s.epoch == epoch {
		return s.rules, nil
	}
	rules, err := g.books.Rules.Shared(ctx, name)
	if err != nil {
		return nil, err
	}
	app.shared.Store(&shared{epoch, rules[:len(rules):len(rules)]})
	return rules, nil
}

// load returns what is known of the person, from memory when it was read
// under the same epoch.
func (g *Gate) load(ctx context.Context, app *application, p *person, epoch uint64) (*known, error) {
	if k := p.known.Load(); k != nil && k.epoch == epoch {
		return k, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if k := p.known.Load(); k != nil && k.epoch == epoch {
		return k, nil
	}
	everybodys, err := g.sharedRules(ctx, app, p.key.application, epoch)
	if err != nil {
		return nil, fmt.Errorf("reading the rules about everybody: %w", err)
	}
	k := &known{epoch: epoch, rules: everybodys}
	if p.key.user != "" {
		about, err := g.books.About(ctx, p.key.application, p.key.user, g.opt.PerPerson)
		if err != nil {
			return nil, fmt.Errorf("reading what is known of a user: %w", err)
		}
		k.locked, k.full = about.User.IsLocked(p.key.application), about.User.HasFullAccess(p.key.application)
		k.exempt = about.User.IsExempt(p.key.application)
		if len(about.Rules) > 0 {
			k.rules, k.own = append(about.Rules, everybodys...), true
		}
		k.connections = about.Connections
	}
	p.known.Store(k)
	return k, nil
}

// find returns the recorded connection that a visit belongs to; a zero one
// where there is none.
func (k *known) find(v *access.Visit, policy access.Policy) past {
	if len(k.connections) == 0 {
		return past{}
	}
	place, placed := policy.SamePlace.Key(v.Place)
	browser := policy.SameBrowser.Key(v.Browser)
	for i := range k.connections {
		c := &k.connections[i]
		if c.Device.ID != v.Device.ID || policy.SameBrowser.Key(c.Browser) != browser {
			continue
		}
		there, ok := policy.SamePlace.Key(c.Place)
		if ok == placed && there == place {
			return pastOf(*c)
		}
	}
	return past{}
}
