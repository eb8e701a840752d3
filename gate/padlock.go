package gate

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// ImportDays is how far back the first closing looks.
const ImportDays = 30

// dormantDays is how long a user may be unseen before an import leaves them
// out (threat L21).
const dormantDays = 60

// Stopped is one person whom closing the padlock would stop.
type Stopped struct {
	User        string
	Name        string
	Connections []books.Connection
}

// Preview says whom closing would stop, from the recorded traffic of the
// last 30 days, and whom the first closing would let in first.
type Preview struct {
	Application string
	// First says that the padlock was never closed: closing imports Import.
	First  bool
	Stop   []Stopped
	Import []books.Connection
	// Adopted are those not imported since only sessions older than the gate
	// were seen on them; they are among Stop too.
	Adopted []books.Connection
}

// Connections counts the connections that would be stopped.
func (p Preview) Connections() int {
	n := 0
	for _, s := range p.Stop {
		n += len(s.Connections)
	}
	return n
}

// Preview looks at whom closing an application's padlock would stop.
func (g *Gate) Preview(ctx context.Context, application string) (Preview, error) {
	now := g.opt.Clock()
	conf := g.Application(application)
	lock, err := g.books.Padlocks.Get(ctx, application)
	if err != nil {
		return Preview{}, err
	}
	p := Preview{Application: application, First: lock.FirstClosed.IsZero()}
	shared, err := g.books.Rules.Shared(ctx, application)
	if err != nil {
		return Preview{}, err
	}
	grouped, err := g.books.Groups.Any(ctx, application)
	if err != nil {
		return Preview{}, err
	}
	// They come user by user: no more than one's is in memory at a time, but
	// for those whom the preview names.
	var list []books.Connection
	var failed error
	whole := func() bool {
		if len(list) > 0 {
			failed = g.previewUser(ctx, &p, conf, list, shared, grouped, now)
		}
		list = list[:0]
		return failed == nil
	}
	err = g.books.Connections.Each(ctx, application, func(c books.Connection) bool {
		if len(list) > 0 && list[0].User != c.User && !whole() {
			return false
		}
		list = append(list, c)
		return true
	})
	if err == nil && failed == nil {
		whole()
	}
	if err = errors.Join(err, failed); err != nil {
		return Preview{}, fmt.Errorf("reading connections of %s: %w", application, err)
	}
	sort.Slice(p.Stop, func(i, j int) bool { return p.Stop[i].User < p.Stop[j].User })
	newest := func(l []books.Connection) { sort.Slice(l, func(i, j int) bool { return l[i].Last.After(l[j].Last) }) }
	newest(p.Import)
	newest(p.Adopted)
	return p, nil
}

func (g *Gate) previewUser(ctx context.Context, p *Preview, conf Application, list []books.Connection, shared []access.Rule, grouped bool, now time.Time) error {
	user := list[0].User
	record, err := g.books.Users.Get(ctx, user)
	if err != nil {
		return err
	}
	var groups []string
	if grouped {
		if groups, err = g.books.Groups.Of(ctx, p.Application, user); err != nil {
			return err
		}
	}
	rules := shared
	if user != "" {
		for _, app := range []string{p.Application, ""} {
			theirs, err := g.books.Rules.Of(ctx, app, user)
			if err != nil {
				return err
			}
			rules = append(rules[:len(rules):len(rules)], theirs...)
		}
	}
	since := now.AddDate(0, 0, -ImportDays)
	standing := access.Standing{
		Locked: record.IsLocked(p.Application), FullAccess: record.HasFullAccess(p.Application),
		Exempt: record.IsExempt(p.Application) || conf.exempts(user, groups), Closed: true, Rules: rules, Policy: conf.Policy,
	}
	var recent, imported []books.Connection
	for _, c := range list {
		standing.Seen = append(standing.Seen, c.Visit())
		if c.Last.After(since) {
			recent = append(recent, c)
		}
	}
	if p.First {
		for _, c := range recent {
			if c.Adopted {
				p.Adopted = append(p.Adopted, c)
				continue
			}
			if v := access.Decide(recorded(c, groups), standing, now); v.Answer == access.LetIn || v.Step != access.StepPolicy {
				continue // let in already, or refused by somebody's rule
			}
			if !nameable(g.ruleFor(c, conf.Policy, "import", now)) {
				continue // a rule of it would reach further than the connection
			}
			imported = append(imported, c)
		}
		for _, c := range imported {
			standing.Rules = append(standing.Rules[:len(standing.Rules):len(standing.Rules)], g.ruleFor(c, conf.Policy, "import", now))
		}
		p.Import = append(p.Import, imported...)
	}
	var stopped []books.Connection
	for _, c := range recent {
		if access.Decide(recorded(c, groups), standing, now).Answer != access.LetIn {
			stopped = append(stopped, c)
		}
	}
	if len(stopped) > 0 {
		p.Stop = append(p.Stop, Stopped{User: user, Name: record.Name, Connections: stopped})
	}
	return nil
}

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
	preview, err := g.Preview(ctx, application)
	if err != nil {
		return Preview{}, err
	}
	if err := g.authorise(ctx, preview, conf.Policy, by, also); err != nil {
		return preview, err
	}
	now := g.opt.Clock()
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
				"imported": fmt.Sprint(len(preview.Import)), "stopped": fmt.Sprint(preview.Connections()), "people": fmt.Sprint(len(preview.Stop)),
			},
		})}, true, nil
	})
	if err != nil {
		return preview, fmt.Errorf("closing the padlock of %s: %w", application, err)
	}
	g.changed(ctx, application)
	return preview, nil
}

func (g *Gate) authorise(ctx context.Context, p Preview, policy access.Policy, by By, also []string) error {
	now := g.opt.Clock()
	var writes []store.Write
	for _, c := range p.Import {
		user, err := g.books.Users.Get(ctx, c.User)
		if err != nil {
			return err
		}
		if last := user.Last; !last.IsZero() && now.Sub(last) > dormantDays*24*time.Hour {
			continue
		}
		writes = append(writes, g.books.Rules.Put(g.ruleFor(c, policy, "import", now))...)
	}
	for _, id := range also {
		c, err := g.books.Connections.Get(ctx, p.Application, id)
		if err != nil {
			return fmt.Errorf("connection %s: %w", id, err)
		}
		rule := g.ruleFor(c, policy, by.Who, now)
		if !nameable(rule) {
			return fmt.Errorf("connection %s: %w", id, ErrInexact)
		}
		writes = append(writes, g.books.Rules.Put(rule)...)
	}
	for len(writes) > 0 {
		n := min(len(writes), writesPerBatch)
		if err := g.books.Store.Apply(ctx, store.Batch{Writes: writes[:n]}); err != nil {
			return fmt.Errorf("authorising the connections of %s: %w", p.Application, err)
		}
		writes = writes[n:]
	}
	return nil
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
