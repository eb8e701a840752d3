package gate

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// ruleFor is the rule that authorises exactly one connection. Its identifier
// comes from the connection's, so that doing it twice makes one rule.
func (g *Gate) ruleFor(c books.Connection, policy access.Policy, author string, now time.Time) access.Rule {
	place, _ := policy.SamePlace.Key(c.Place)
	return access.Rule{
		ID: "c" + c.Short(), User: c.User, Application: c.Application, Device: c.Device.ID, Place: place,
		Browser: policy.SameBrowser.Key(c.Browser), Effect: access.Allow, Author: author, Created: now,
	}
}

// nameable reports whether a rule of one connection names all of the five:
// one that leaves something out would let in what was never seen.
func nameable(r access.Rule) bool { return r.Weight() == 5 && r.Device != "" && r.Browser.Family != "" }

// By is who turns a padlock, for the audit.
type By struct {
	Who, From, Via string
}

// ErrPinned says that the configuration holds the padlock.
var ErrPinned = errors.New("the configuration pins this padlock")

// Close closes an application's padlock. The first closing authorises the
// connections of the last 30 days, but for adopted ones; the connections that
// also names, by identifier, are authorised besides. A crash in the middle
// leaves the padlock open and nothing to undo.
func (g *Gate) Close(ctx context.Context, application string, by By, also ...string) (Preview, error) {
	conf := g.Application(application)
	if conf.Pinned != nil {
		return Preview{}, ErrPinned
	}
	if conf.CanClose != nil {
		if err := conf.CanClose(); err != nil {
			return Preview{}, err
		}
	}
	if err := g.Flush(ctx); err != nil {
		return Preview{}, err
	}
	now := g.opt.Clock()
	chosen, err := g.chosen(ctx, application, conf.Policy, by, also, now)
	if err != nil {
		return Preview{}, err
	}
	// What is let in by itself is written as it is found, in batches: there may
	// be a million of it.
	keep := func(some []store.Write) error {
		if err := g.books.Store.Apply(ctx, store.Batch{Writes: some}); err != nil {
			return fmt.Errorf("authorising the connections of %s: %w", application, err)
		}
		return nil
	}
	var writes []store.Write
	preview, err := g.foresee(ctx, application, func(c books.Connection) error {
		writes = append(writes, g.books.Rules.Put(g.ruleFor(c, conf.Policy, "import", now))...)
		if len(writes) < writesPerBatch {
			return nil
		}
		err := keep(writes)
		writes = writes[:0]
		return err
	}, nil)
	if err != nil {
		return Preview{}, err
	}
	for writes = append(writes, chosen...); len(writes) > 0; {
		n := min(len(writes), writesPerBatch)
		if err := keep(writes[:n]); err != nil {
			return preview, err
		}
		writes = writes[n:]
	}
	_, err = g.books.Padlocks.Update(ctx, application, func(p *books.Padlock) ([]store.Write, bool, error) {
		if p.Closed {
			return nil, false, nil
		}
		p.Closed, p.Changed = true, books.Mark{By: by.Who, At: now}
		if p.FirstClosed.IsZero() {
			p.FirstClosed = now
		}
		return []store.Write{g.books.Audit.Write(books.Entry{
			At: now, Who: by.Who, From: by.From, Via: by.Via, What: "padlock.close", Application: application, Subject: application,
			Detail: map[string]string{
				"imported": strconv.Itoa(preview.Imported), "stopped": strconv.Itoa(preview.Connections()), "people": strconv.Itoa(len(preview.Stop)),
			},
		})}, true, nil
	})
	if err != nil {
		return preview, fmt.Errorf("closing the padlock of %s: %w", application, err)
	}
	g.changed(ctx, application)
	return preview, nil
}

// chosen are the writes that let in, before a padlock closes, the connections
// that somebody chose, by identifier.
func (g *Gate) chosen(ctx context.Context, application string, policy access.Policy, by By, also []string, now time.Time) ([]store.Write, error) {
	var writes []store.Write
	for _, id := range also {
		c, err := g.books.Connections.Get(ctx, application, id)
		if err != nil {
			return nil, fmt.Errorf("connection %s: %w", id, err)
		}
		rule := g.ruleFor(c, policy, by.Who, now)
		if !nameable(rule) {
			return nil, fmt.Errorf("connection %s: %w", id, ErrInexact)
		}
		writes = append(writes, g.books.Rules.Put(rule)...)
	}
	return writes, nil
}

// OpenPadlock opens an application's padlock: everybody gets in but a locked
// user, and what the rules would have said is recorded beside it.
func (g *Gate) OpenPadlock(ctx context.Context, application string, by By) error {
	if g.Application(application).Pinned != nil {
		return ErrPinned
	}
	now := g.opt.Clock()
	_, err := g.books.Padlocks.Update(ctx, application, func(p *books.Padlock) ([]store.Write, bool, error) {
		if !p.Closed {
			return nil, false, nil
		}
		p.Closed, p.Changed = false, books.Mark{By: by.Who, At: now}
		return []store.Write{g.books.Audit.Write(books.Entry{
			At: now, Who: by.Who, From: by.From, Via: by.Via, What: "padlock.open", Application: application, Subject: application,
		})}, true, nil
	})
	if err != nil {
		return fmt.Errorf("opening the padlock of %s: %w", application, err)
	}
	g.changed(ctx, application)
	return nil
}
