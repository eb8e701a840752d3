// Package gate answers for every request: it keeps what is known of people in
// bounded memory, asks the one rule of package access, records connections
// off the request, cuts sockets whose verdict is withdrawn, and turns the
// padlock.
package gate

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
)

// Application is what the configuration says about one protected site.
type Application struct {
	Name   string
	Policy access.Policy
	// Pinned holds the padlock where the configuration says: true closed,
	// false open, nil where console and command line decide.
	Pinned *bool
	// CanClose returns an error in words when closing the padlock would shut
	// people out for want of configuration; nil means it can be closed.
	CanClose func() error
	// Exempts reports whether the configuration exempts a user, by name or by a
	// group; nil exempts nobody. Requests bring their own Circumstance: this is
	// for connections in store.
	Exempts func(user string, groups []string) bool
}

func (a Application) exempts(user string, groups []string) bool {
	return a.Exempts != nil && a.Exempts(user, groups)
}

// Options bound a gate.
type Options struct {
	// Memory is how many bytes the people kept in memory take, about: those who
	// come most and last. 0 means 32 MiB, which is some 13,000 with a connection.
	Memory int
	// PerPerson is how many connections of one person in one application are
	// kept in store; the longest unseen go. 0 means 500.
	PerPerson int
	// Away is how long known connections go on from memory once a store that
	// can lose sight of its server (store.Remote) was last heard of. 0 closes
	// at once. It means nothing to other stores.
	Away  time.Duration
	Clock func() time.Time
	Log   *slog.Logger
}

// Gate is one instance's memory of verdicts. Its methods may be called by
// several goroutines at once.
type Gate struct {
	books  *books.Books
	opt    Options
	people people
	// ending is about when the first of the rules ends that somebody in memory
	// was judged by, in Unix nanoseconds; 0 for never.
	ending atomic.Int64
	apps   sync.Map // name -> *application
	// all counts what concerns everybody; a cached verdict made under an
	// older count is worth nothing.
	all     atomic.Uint64
	sockets sockets
	dirty   dirty
	feeds   feeds
	away    away
}

type application struct {
	conf    atomic.Pointer[Application]
	epoch   atomic.Uint64
	mu      sync.Mutex
	padlock atomic.Pointer[padlock]
	shared  atomic.Pointer[shared]
}

type padlock struct {
	books.Padlock
	epoch uint64
}

type personKey struct{ application, user string }

// New makes a gate over the books. Run must be called for it to learn of
// writes.
func New(b *books.Books, opt Options) *Gate {
	if opt.Memory == 0 {
		opt.Memory = peopleBytes
	}
	if opt.PerPerson == 0 {
		opt.PerPerson = 500
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	g := &Gate{
		books:  b,
		opt:    opt,
		people: newPeople(uint64(max(opt.Memory, 1))), //nolint:gosec // positive
	}
	g.dirty.wake = make(chan struct{}, 1)
	g.away.begin(b.Store)
	g.SetAway(opt.Away)
	return g
}

// Configure sets what the configuration says about an application. A reload
// calls it again; verdicts made before are forgotten.
func (g *Gate) Configure(a Application) {
	app := g.application(a.Name)
	app.conf.Store(&a)
	app.epoch.Add(1)
	g.want(a.Name)
}

// Applications returns the names of the configured applications.
func (g *Gate) Applications() []string {
	var names []string
	g.apps.Range(func(k, v any) bool {
		if v.(*application).conf.Load().Name != "" {
			names = append(names, k.(string))
		}
		return true
	})
	return names
}

// Application returns an application's configuration; the zero policy, which
// asks approval for all that is new, for one that is not configured.
func (g *Gate) Application(name string) Application { return *g.application(name).conf.Load() }

func (g *Gate) application(name string) *application {
	if v, ok := g.apps.Load(name); ok {
		return v.(*application)
	}
	fresh := &application{}
	fresh.conf.Store(&Application{})
	v, _ := g.apps.LoadOrStore(name, fresh)
	return v.(*application)
}

// Closed reports whether the padlock of an application is closed. An error
// means that it cannot be known, and so that nobody unknown gets in.
func (g *Gate) Closed(ctx context.Context, name string) (bool, error) {
	app := g.application(name)
	if pin := app.conf.Load().Pinned; pin != nil {
		return *pin, g.heardOf()
	}
	p, err := g.padlockOf(ctx, app, name)
	return p.Closed, err
}

// Padlock returns the state of an application's padlock as the store has it;
// a pinned one is returned as the configuration says.
func (g *Gate) Padlock(ctx context.Context, name string) (books.Padlock, error) {
	app := g.application(name)
	p, err := g.padlockOf(ctx, app, name)
	if pin := app.conf.Load().Pinned; pin != nil {
		p.Closed = *pin
	}
	return p, err
}

func (g *Gate) padlockOf(ctx context.Context, app *application, name string) (books.Padlock, error) {
	if err := g.heardOf(); err != nil {
		return books.Padlock{Closed: true}, err
	}
	epoch := app.epoch.Load() + g.all.Load()
	if p := app.padlock.Load(); p != nil && p.epoch == epoch {
		return p.Padlock, nil
	}
	app.mu.Lock()
	defer app.mu.Unlock()
	epoch = app.epoch.Load() + g.all.Load()
	if p := app.padlock.Load(); p != nil && p.epoch == epoch {
		return p.Padlock, nil
	}
	p, err := g.books.Padlocks.Get(ctx, name)
	if err != nil {
		return books.Padlock{Closed: true}, fmt.Errorf("reading the padlock of %s: %w", name, err)
	}
	app.padlock.Store(&padlock{Padlock: p, epoch: epoch})
	return p, nil
}

// Circumstance is what a visit comes with that no rule looks at.
type Circumstance struct {
	// Exempt says that the configuration exempts this request.
	Exempt bool
	// Adopted says that the session is older than the gate; a connection of
	// which nothing else was seen is not imported at the first closing.
	Adopted bool
}

// Check gives the verdict on a visit and notes that it was made. The verdict
// of a known connection comes from memory: no store, no lock that others
// hold. An error is never an allowance.
func (g *Gate) Check(ctx context.Context, v access.Visit, c Circumstance) (access.Verdict, error) {
	verdict, _, err := g.CheckFor(ctx, v, c)
	return verdict, err
}

// check judges a visit of a person as the gate has them in memory.
func (g *Gate) check(ctx context.Context, v access.Visit, c Circumstance) (*entry, *person, error) {
	p := g.people.get(personKey{v.Application, v.User})
	e, err := g.checkOf(ctx, p, v, c)
	return e, p, err
}

func (g *Gate) checkOf(ctx context.Context, p *person, v access.Visit, c Circumstance) (*entry, error) {
	if err := g.heardOf(); err != nil {
		return nil, err
	}
	app := g.application(v.Application)
	now := g.opt.Clock()
	key := visitKeyOf(v, c)
	epoch := app.epoch.Load() + g.all.Load()
	if e, ok := p.remembered(&key, &v, epoch, now); ok {
		return e, nil
	}
	return g.judge(ctx, app, p, v, &key, epoch, now)
}

// judge reads what is not in memory and decides.
func (g *Gate) judge(ctx context.Context, app *application, p *person, v access.Visit, key *visitKey, epoch uint64, now time.Time) (*entry, error) {
	conf := app.conf.Load()
	closed, err := g.Closed(ctx, v.Application)
	if err != nil {
		return nil, err
	}
	known, err := g.load(ctx, app, p, epoch)
	if err != nil {
		return nil, err
	}
	e := &entry{
		visit:        v,
		groups:       key.groups,
		circumstance: key.circumstance,
		epoch:        epoch,
		verdict: access.Decide(v, access.Standing{
			Locked:     known.locked,
			FullAccess: known.full,
			Exempt:     key.circumstance.Exempt || known.exempt,
			Closed:     closed,
			Rules:      known.rules,
			Seen:       known.seen(),
			Policy:     conf.Policy,
		}, now),
		ends: soonest(known.rules, now),
		past: known.find(&v, conf.Policy),
	}
	p.remember(key, e)
	g.endsAt(e.ends)
	if e.verdict.Answer == access.LetIn && (e.verdict.Step != access.StepPadlock || e.past.id != "") {
		g.people.promote(p)
	}
	g.people.weigh(p)
	return e, nil
}

// soonest is the first moment at which a rule among those given ends; the
// zero time when none does.
func soonest(rules []access.Rule, now time.Time) time.Time {
	var first time.Time
	for _, r := range rules {
		if r.Until.After(now) && (first.IsZero() || r.Until.Before(first)) {
			first = r.Until
		}
	}
	return first
}

// Forget makes the next check of a person read the store: for whoever knows of
// a change before the watch has told of it.
func (g *Gate) Forget(application, user string) {
	g.people.drop(personKey{application, user})
	app := g.application(application)
	app.mu.Lock() // after whoever is reading them now
	app.shared.Store(nil)
	app.mu.Unlock()
}
