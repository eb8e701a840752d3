package gate

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// Run learns of writes, by whichever instance, and writes what was seen,
// until ctx ends; it then writes once more. It returns when all is written.
func (g *Gate) Run(ctx context.Context) error {
	events := make(chan store.Event)
	g.feeds.mu.Lock()
	g.feeds.into, g.feeds.ctx = events, ctx
	names := append([]string{""}, g.feeds.wanted...)
	g.feeds.mu.Unlock()
	for _, name := range names {
		g.feed(name)
	}
	// What was seen is written beside: a revocation must not wait for it.
	var writing sync.WaitGroup
	writing.Go(func() { g.keepWriting(ctx) })
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	for {
		select {
		case ev := <-events:
			g.heard(ctx, ev)
		case <-ticker.C:
			g.lookAway(ctx)
			g.recheckEnding(ctx)
		case <-ctx.Done():
			writing.Wait()
			return g.last(ctx)
		}
	}
}

// keepWriting writes what was seen each second, and at once where much was,
// until ctx ends.
func (g *Gate) keepWriting(ctx context.Context) {
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-g.dirty.wake:
		case <-ctx.Done():
			return
		}
		g.flushLogged(ctx)
		g.tryAgain(ctx)
	}
}

// runs reports whether somebody writes what was seen.
func (g *Gate) runs() bool {
	g.feeds.mu.Lock()
	defer g.feeds.mu.Unlock()
	return g.feeds.into != nil && g.feeds.ctx.Err() == nil
}

// feeds are the watches of the applications, begun as they are configured.
type feeds struct {
	mu     sync.Mutex
	wanted []string
	begun  map[string]bool
	into   chan<- store.Event
	ctx    context.Context //nolint:containedctx // that of Run, for applications configured after it began
}

// want makes changes of an application known, now or once Run begins.
func (g *Gate) want(name string) {
	g.feeds.mu.Lock()
	if !slices.Contains(g.feeds.wanted, name) {
		g.feeds.wanted = append(g.feeds.wanted, name)
	}
	running := g.feeds.into != nil
	g.feeds.mu.Unlock()
	if !running {
		return
	}
	g.feed(name)
}

func (g *Gate) feed(name string) {
	g.feeds.mu.Lock()
	defer g.feeds.mu.Unlock()
	if g.feeds.begun[name] || g.feeds.ctx.Err() != nil {
		return
	}
	ctx, into := g.feeds.ctx, g.feeds.into
	if g.feeds.begun == nil {
		g.feeds.begun = map[string]bool{}
	}
	g.feeds.begun[name] = true
	events := books.Watch(ctx, g.books.Store, name)
	go func() {
		for e := range events {
			select {
			case into <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
}

// last writes what is left, with some seconds to do it in.
func (g *Gate) last(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return g.Flush(ctx)
}

func (g *Gate) flushLogged(ctx context.Context) {
	err := g.Flush(ctx)
	g.dirty.mu.Lock()
	before := g.dirty.trouble
	g.dirty.trouble = err != nil
	g.dirty.mu.Unlock()
	switch {
	case err != nil && !before:
		g.opt.Log.Error("connections cannot be recorded; they are kept in memory and tried again", "error", err)
	case err == nil && before:
		g.opt.Log.Info("connections are recorded again")
	}
}

// Heard takes one event of the store. Run calls it; a test may.
func (g *Gate) heard(ctx context.Context, ev store.Event) {
	if ev.Err != nil {
		if errors.Is(ev.Err, store.ErrGap) {
			g.opt.Log.Warn("missed changes of the store; forgetting what was in memory")
		}
		g.forgetAll()
		recheck(ctx, g.sockets.matching(nil, func(*Socket) bool { return true }))
		return
	}
	parts := strings.Split(ev.Key, "/")
	if len(parts) < 2 {
		return
	}
	for i := range parts {
		if p, err := url.PathUnescape(parts[i]); err == nil {
			parts[i] = p
		}
	}
	app := books.Application(store.Partition(ev.Key))
	switch parts[1] {
	case "padlock":
		g.changed(ctx, app)
	case "rule":
		if len(parts) > 2 && len(parts[2]) > 1 {
			g.changedPerson(ctx, app, parts[2][1:])
		} else {
			g.changed(ctx, app)
		}
	case "user":
		if len(parts) > 2 {
			g.changedPerson(ctx, "", parts[2])
		}
	case "connection":
		if ev.Value == nil && len(parts) > 2 {
			g.people.drop(personKey{app, parts[2]})
		}
	case "login":
		if len(parts) > 2 {
			recheck(ctx, g.sockets.matching(nil, func(s *Socket) bool {
				return s.Login == parts[2] && s.Application == app
			}))
		}
	}
}

// changed forgets what was decided in an application; "" means in all.
func (g *Gate) changed(ctx context.Context, app string) {
	if app == "" {
		g.all.Add(1)
	} else {
		g.application(app).epoch.Add(1)
	}
	recheck(ctx, g.sockets.matching(nil, func(s *Socket) bool { return app == "" || s.Application == app }))
}

// changedPerson forgets one person, in one application or, with "", in all.
func (g *Gate) changedPerson(ctx context.Context, app, user string) {
	apps := []string{app}
	if app == "" {
		apps = g.Applications()
	}
	for _, a := range apps {
		key := personKey{a, user}
		g.people.drop(key)
		recheck(ctx, g.sockets.matching(&key, func(*Socket) bool { return true }))
	}
}

func (g *Gate) forgetAll() {
	g.books.Connections.Forget()
	g.people.dropAll()
	g.all.Add(1)
}

// endsAt takes note of when somebody has to be judged anew by the clock; the
// zero time is never.
func (g *Gate) endsAt(end time.Time) {
	if end.IsZero() {
		return
	}
	at := end.UnixNano()
	for first := g.ending.Load(); (first == 0 || at < first) && !g.ending.CompareAndSwap(first, at); first = g.ending.Load() {
	}
}

// recheckEnding cuts sockets whose rule ended by the clock: nothing is
// written when that happens.
func (g *Gate) recheckEnding(ctx context.Context) {
	now := g.opt.Clock()
	if first := g.ending.Load(); first == 0 || now.UnixNano() < first {
		return
	}
	g.ending.Store(0) // before anybody is looked at: who is judged meanwhile sets it
	for key, p := range g.people.all() {
		over := false
		if s := p.entries.Load(); s != nil {
			for _, e := range s.list {
				switch {
				case e.ends.IsZero():
				case !now.Before(e.ends):
					over = true
				default:
					g.endsAt(e.ends)
				}
			}
		}
		if over {
			g.people.drop(key)
			recheck(ctx, g.sockets.matching(&key, func(*Socket) bool { return true }))
		}
	}
	// Who was crowded out of memory and still has a request under way.
	recheck(ctx, g.sockets.matching(nil, func(s *Socket) bool {
		return s.User != "" && g.people.look(s.key()) == nil
	}))
}
