package gate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
)

// ImportDays is how far back the first closing looks.
const ImportDays = 30

// dormantDays is how long a user may be unseen before an import leaves them
// out (threat L21).
const dormantDays = 60

// What a preview holds at most, however many connections there are: of
// everybody whom closing would stop the name and a count, and of the first
// PreviewPeople the first PreviewConnections of what would be stopped.
const (
	PreviewPeople      = 200
	PreviewConnections = 20
)

// Stopped is one person whom closing the padlock would stop.
type Stopped struct {
	User string
	Name string
	// Count is how many of their connections, of which Connections are some.
	Count       int
	Connections []books.Connection `json:",omitempty"`
}

// Preview says whom closing would stop, from the recorded traffic of the
// last 30 days, and how many the first closing would let in first.
type Preview struct {
	Application string
	// First says that the padlock was never closed: closing authorises the
	// recorded connections by itself, Imported of them.
	First    bool
	Imported int
	Stop     []Stopped
	// Adopted is how many are not imported since only sessions older than the
	// gate were seen on them; where something stops them they are among Stop.
	Adopted int
}

// Connections counts the connections that would be stopped.
func (p Preview) Connections() int {
	n := 0
	for _, s := range p.Stop {
		n += s.Count
	}
	return n
}

// Preview looks at whom closing an application's padlock would stop. It hands
// each one, with all that would be stopped of theirs, to those who ask for it.
func (g *Gate) Preview(ctx context.Context, application string, each ...func(s Stopped)) (Preview, error) {
	return g.foresee(ctx, application, func(books.Connection) error { return nil }, each)
}

// foresee is Preview; imported is told of each connection that the first
// closing lets in.
func (g *Gate) foresee(ctx context.Context, application string, imported func(c books.Connection) error, each []func(s Stopped)) (Preview, error) {
	lock, err := g.books.Padlocks.Get(ctx, application)
	if err != nil {
		return Preview{}, err
	}
	f := foresight{
		g: g, ctx: ctx, conf: g.Application(application), now: g.opt.Clock(), imported: imported, each: each,
		p: Preview{Application: application, First: lock.FirstClosed.IsZero()},
	}
	f.since = f.now.AddDate(0, 0, -ImportDays)
	if f.shared, err = g.books.Rules.Shared(ctx, application); err != nil {
		return Preview{}, err
	}
	if f.grouped, err = g.books.Groups.Any(ctx, application); err != nil {
		return Preview{}, err
	}
	var failed error
	err = g.books.Connections.Each(ctx, application, func(c books.Connection) bool {
		failed = f.add(c)
		return failed == nil
	})
	if err == nil && failed == nil {
		failed = f.judge()
	}
	if err = errors.Join(err, failed); err != nil {
		return Preview{}, fmt.Errorf("reading connections of %s: %w", application, err)
	}
	if f.nobodys.Count > 0 {
		f.stop(f.nobodys, 0)
	}
	return f.p, nil
}

// foresight is one look at an application's connections. They come user by
// user; some users' are in memory at a time, so that what else is kept of
// these is read at once.
type foresight struct {
	g        *Gate
	ctx      context.Context
	conf     Application
	now      time.Time
	since    time.Time
	p        Preview
	shared   []access.Rule
	grouped  bool
	imported func(c books.Connection) error
	each     []func(s Stopped)

	// some are connections of several users, those of a user together; ends are
	// where each user's end.
	some []books.Connection
	ends []int
	// nobody judges the visits of those whom nothing names; nobodys are those
	// that closing would stop.
	nobody  *access.Judge
	nobodys Stopped
	// What is used again for the next user.
	visits   []access.Visit
	sure     []bool
	rules    []access.Rule
	standing access.Standing
}

// atOnce is how many users are read at once.
const atOnce = 128

func (f *foresight) add(c books.Connection) error {
	if c.User == "" {
		f.addNobodys(c)
		return nil
	}
	if n := len(f.some); n > 0 && f.some[n-1].User != c.User {
		f.ends = append(f.ends, n)
		if len(f.ends) == atOnce || n >= 100*atOnce {
			if err := f.judgeEnded(); err != nil {
				return err
			}
		}
	}
	f.some = append(f.some, c)
	return nil
}

// addNobodys judges a connection without a user by itself: nobody has rules,
// nor connections that make others known, and there may be any number of them.
// None is let in by the first closing: its rule would be about everybody.
func (f *foresight) addNobodys(c books.Connection) {
	if !c.Last.After(f.since) {
		return
	}
	if f.p.First && c.Adopted {
		f.p.Adopted++
	}
	if f.nobody == nil {
		s := &access.Standing{Closed: true, Rules: f.shared, Policy: f.conf.Policy, Exempt: f.conf.exempts("", nil)}
		f.nobody = access.NewJudge("", nil, f.p.Application, s, f.now)
	}
	if answer, _ := f.nobody.Answer(c.Visit()); answer == access.LetIn {
		return
	}
	f.nobodys.Count++
	if len(f.each) > 0 || len(f.nobodys.Connections) < PreviewConnections {
		f.nobodys.Connections = append(f.nobodys.Connections, c)
	}
}

// judge judges the last users.
func (f *foresight) judge() error {
	if len(f.some) > 0 {
		f.ends = append(f.ends, len(f.some))
	}
	return f.judgeEnded()
}

func (f *foresight) judgeEnded() error {
	if err := f.ctx.Err(); err != nil {
		return err
	}
	var users []string
	var theirs [][]books.Connection
	from := 0
	for _, end := range f.ends {
		list := f.some[from:end]
		from = end
		for i := range list {
			if list[i].Last.After(f.since) {
				users, theirs = append(users, list[0].User), append(theirs, list)
				break
			}
		}
	}
	people, err := f.g.books.People(f.ctx, f.p.Application, f.grouped, users)
	if err != nil {
		return err
	}
	for i := range people {
		if err := f.judgePerson(&people[i], theirs[i]); err != nil {
			return err
		}
	}
	f.some, f.ends = f.some[:0], f.ends[:0]
	return nil
}

// judgePerson judges the recent connections of one person as the gate would
// with the padlock closed, and, where it closes for the first time, with the
// rules that closing makes.
func (f *foresight) judgePerson(about *books.About, list []books.Connection) error {
	user, app := about.User.User, f.p.Application
	f.rules = append(append(f.rules[:0], about.Rules...), f.shared...)
	f.visits, f.sure = f.visits[:0], f.sure[:0]
	for i := range list {
		f.visits, f.sure = append(f.visits, recorded(list[i], about.Groups)), append(f.sure, false)
	}
	f.standing = access.Standing{
		Locked: about.User.IsLocked(app), FullAccess: about.User.HasFullAccess(app),
		Exempt: about.User.IsExempt(app) || f.conf.exempts(user, about.Groups), Closed: true,
		// The gate knows those of a person that were first seen last.
		Rules: f.rules, Seen: f.visits[max(len(list)-f.g.opt.PerPerson, 0):], Policy: f.conf.Policy,
	}
	judge := access.NewJudge(user, about.Groups, app, &f.standing, f.now)
	if f.p.First {
		made := len(f.rules)
		dormant := !about.User.Last.IsZero() && f.now.Sub(about.User.Last) > dormantDays*24*time.Hour
		for i := range list {
			c := &list[i]
			switch {
			case !c.Last.After(f.since):
				continue
			case c.Adopted:
				f.p.Adopted++
				continue
			case dormant:
				continue
			}
			if answer, step := judge.Answer(f.visits[i]); answer == access.LetIn || step != access.StepPolicy {
				continue // let in already, or refused by somebody's rule
			}
			rule := f.g.ruleFor(*c, f.conf.Policy, "import", f.now)
			if !nameable(rule) {
				continue // a rule of it would reach further than the connection
			}
			f.rules = append(f.rules, rule)
			// Nothing else matched it; so where its own rule does, that one answers.
			f.sure[i] = rule.Matches(f.visits[i]) && f.visits[i].Place.NameFor == ""
			f.p.Imported++
			if err := f.imported(*c); err != nil {
				return err
			}
		}
		if len(f.rules) > made {
			f.standing.Rules = f.rules
			judge = access.NewJudge(user, about.Groups, app, &f.standing, f.now)
		}
	}
	stopped := Stopped{User: user, Name: about.User.Name}
	for i := range list {
		c := &list[i]
		if f.sure[i] || !c.Last.After(f.since) {
			continue
		}
		if answer, _ := judge.Answer(f.visits[i]); answer == access.LetIn {
			continue
		}
		stopped.Count++
		if len(f.each) > 0 || len(f.p.Stop) < PreviewPeople && len(stopped.Connections) < PreviewConnections {
			stopped.Connections = append(stopped.Connections, *c)
		}
	}
	if stopped.Count > 0 {
		f.stop(stopped, len(f.p.Stop))
	}
	return nil
}

// stop adds a person to those whom closing would stop, before others where at
// is less than their number.
func (f *foresight) stop(s Stopped, at int) {
	for _, do := range f.each {
		do(s)
	}
	s.Connections = s.Connections[:min(len(s.Connections), PreviewConnections)]
	if len(f.p.Stop) >= PreviewPeople && at > 0 {
		s.Connections = nil
	}
	f.p.Stop = append(f.p.Stop[:at], append([]Stopped{s}, f.p.Stop[at:]...)...)
}
