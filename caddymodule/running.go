package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	adminui "github.com/cadenas-gateway/cadenas/admin-ui"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/biopass"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/notify/log"
	"github.com/cadenas-gateway/cadenas/store"
)

// running is one configuration at work.
type running struct {
	app       *App
	state     *state
	approvals *approvals.Service
	// rooms is what the console does, also for the command line; console is
	// the same, where it has a host.
	rooms, console *adminui.Console
	sites          []*site
	// every holds those of one name too, which stand in several places of the
	// configuration; sites the first of each name.
	every      []*site
	decide     http.Handler
	biopass    *biopass.Service
	typing     http.Handler
	kept       atomic.Pointer[[]books.Admin]
	familiar   *familiarity
	drawn      *drawnPages
	background sync.WaitGroup
}

// open makes the configuration ready once: at its start, or at the first
// request where the server started before. A failure is not kept: the next
// caller tries again.
func (a *App) open() (*running, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running != nil {
		return a.running, nil
	}
	select {
	case <-a.stopping:
		return nil, errors.New("this configuration is stopping")
	default:
	}
	ctx, cancel := context.WithCancel(context.Background())
	run, err := a.begin(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	a.cancel, a.running = cancel, run
	return run, nil
}

func (a *App) begin(ctx context.Context) (run *running, err error) {
	if _, err := adminSecret(); err != nil {
		return nil, err
	}
	st, err := acquire(ctx, a)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, st.release())
		}
	}()
	st.gate.SetAway(awayFor(a.store))
	run = &running{app: a, state: st, familiar: newFamiliarity(), drawn: newDrawnPages()}
	if err := run.readAdmins(ctx); err != nil {
		return nil, err
	}
	if err := run.readNetworks(ctx); err != nil {
		// A name given in the console that clashes with a new one of the
		// configuration must not keep the gate from starting.
		a.log.Error("names given to networks in the console are left out", "error", err)
	}
	if err := run.openPush(ctx); err != nil {
		return nil, err
	}
	run.approvals = approvals.New(run.approvalsConfig())
	if run.biopass, err = run.newBiopass(); err != nil {
		return nil, err
	}
	run.typing = run.biopass.Handler(typistOf)
	if run.rooms, err = run.newConsole(); err != nil {
		return nil, fmt.Errorf("preparing the console: %w", err)
	}
	if a.Console != "" {
		run.console = run.rooms
	}
	if err := run.makeSites(); err != nil {
		return nil, err
	}
	run.work(ctx)
	return run, nil
}

func (run *running) approvalsConfig() approvals.Config {
	a := run.app
	notifiers := append([]approvals.Notifier(nil), a.notifiers...)
	logged := log.New(a.log, approvals.NewSentBook(run.state.books, run.state.keys, nil).Keep)
	if len(notifiers) == 0 {
		notifiers = []approvals.Notifier{logged}
	}
	for _, n := range notifiers {
		if l, ok := n.(*Log); ok {
			l.keeps(logged)
		}
	}
	return approvals.Config{
		Books: run.state.books, Ring: run.state.keys, Admins: run.admins,
		Applications: func() []string { return run.applications(context.Background()) },
		Application: func(id string) approvals.Application {
			for _, s := range run.sites {
				if s.name == id {
					return approvals.Application{
						Name: id, SamePlace: s.policy.SamePlace, SameBrowser: s.policy.SameBrowser,
						GrantFor: time.Duration(s.handler.GrantFor), Self: s.handler.selfChannels(), SelfUsers: s.handler.selfUsers(),
						Address: s.home(),
					}
				}
			}
			return approvals.Application{Name: id}
		},
		Console: a.Console, Languages: a.Languages, ClientIP: clientIP, Notifiers: notifiers, Counted: countNotice, Log: a.log, Limits: a.approvalLimits(),
		Instance: instance, Alone: alone(a.store), Judge: run.state.gate.Anew,
	}
}

// admins returns all admins: the configuration's and the console's.
func (run *running) admins() []books.Admin { return run.app.admins(*run.kept.Load()) }

func (run *running) readAdmins(ctx context.Context) error {
	kept, err := run.state.books.Admins.All(ctx)
	if err != nil {
		return fmt.Errorf("reading admins: %w", err)
	}
	run.kept.Store(&kept)
	return nil
}

// applications are those configured, in the order of the configuration.
func (run *running) applications(context.Context) []string {
	var names []string
	for _, s := range run.sites {
		names = append(names, s.name)
	}
	return names
}

func (run *running) handlers() []*site { return run.sites }

// storeName is what the store is called on pages.
func (run *running) storeName() string {
	if named, ok := run.app.store.(fmt.Stringer); ok {
		return named.String()
	}
	return run.state.key
}

func (run *running) makeSites() error {
	hosts := run.app.hosts()
	byName := map[string]bool{}
	for _, h := range run.app.handlers {
		name := h.Application
		if name == "" {
			name = hosts[h]
		}
		if name == "" {
			name = "default"
		}
		s, err := newSite(run, h, name)
		if err != nil {
			return fmt.Errorf("application %s: %w", name, err)
		}
		s.host = hosts[h]
		run.every = append(run.every, s)
		if !byName[name] {
			run.sites = append(run.sites, s)
		}
		byName[name] = true
		h.site.Store(s)
	}
	return nil
}

// servers are those of the HTTP app, by their names; nil where there is none.
func (a *App) servers() map[string]*caddyhttp.Server {
	app, err := a.ctx.AppIfConfigured("http")
	if err != nil {
		return nil // no site at all
	}
	if h, ok := app.(*caddyhttp.App); ok {
		return h.Servers
	}
	return nil
}

// hosts tells the first host of the site that each handler stands in, as the
// routes of the HTTP app say it.
func (a *App) hosts() map[*Handler]string {
	found := map[*Handler]string{}
	for _, s := range a.servers() {
		walk(s.Routes, "", found)
	}
	return found
}

func walk(routes caddyhttp.RouteList, host string, found map[*Handler]string) {
	for _, route := range routes {
		here := host
		for _, set := range route.MatcherSets {
			for _, m := range set {
				if hosts, ok := m.(*caddyhttp.MatchHost); ok && len(*hosts) > 0 && here == host {
					here = strings.ToLower((*hosts)[0])
				}
			}
		}
		for _, handler := range route.Handlers {
			switch h := handler.(type) {
			case *Handler:
				if _, ok := found[h]; !ok {
					found[h] = here
				}
			case *caddyhttp.Subroute:
				walk(h.Routes, here, found)
			}
		}
	}
}

// work begins what goes on in the background until ctx ends.
func (run *running) work(ctx context.Context) {
	a := run.app
	run.background.Go(func() {
		if err := run.approvals.Run(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("notices no longer go out", "error", err)
		}
	})
	run.background.Go(func() { a.places.Run(ctx) })
	run.background.Go(func() { run.follow(ctx) })
	for _, s := range run.sites {
		run.background.Go(func() { s.followRequests(ctx) })
	}
}

// follow hands events of the store to those who keep something in memory.
func (run *running) follow(ctx context.Context) {
	events := books.Watch(ctx, run.state.store, append(run.applications(ctx), "")...)
	adminKeys := books.Prefix("", "admin")
	tick := time.NewTicker(2 * time.Minute)
	defer tick.Stop()
	for {
		select {
		case e, ok := <-events:
			if !ok {
				return
			}
			run.heard(ctx, e, adminKeys)
		case <-tick.C:
			run.touch(ctx)
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
			defer cancel()
			run.touch(ctx)
			return
		}
	}
}

func (run *running) heard(ctx context.Context, e store.Event, adminKeys string) {
	if e.Err != nil || strings.HasPrefix(e.Key, adminKeys) {
		if err := run.readAdmins(ctx); err != nil && ctx.Err() == nil {
			run.app.log.Error("reading admins", "error", err)
		}
	}
	if e.Err != nil || strings.HasPrefix(e.Key, books.Prefix("", "network")) {
		if err := run.readNetworks(ctx); err != nil && ctx.Err() == nil {
			run.app.log.Error("names given to networks in the console are left out", "error", err)
		}
	}
	for _, s := range run.every {
		if e.Err == nil && !strings.HasPrefix(e.Key, books.Partition(s.name)+"/") {
			continue
		}
		s.heardOfLogin(ctx, e)
		if w := s.watching(); w != nil {
			w.Watch(e)
		}
	}
}

func (run *running) touch(ctx context.Context) {
	for _, s := range run.sites {
		w := s.watching()
		if w == nil {
			continue
		}
		if err := w.Touch(ctx); err != nil && ctx.Err() == nil {
			run.app.log.Warn("last use of sessions could not be written", "application", s.name, "error", err)
		}
	}
}

// addressOf reads an address that a person typed.
func addressOf(text string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(strings.TrimSpace(text))
	return a.Unmap().WithZone(""), err == nil
}

// configure tells the gate what the configuration says about a site.
func (s *site) configure(g *gate.Gate) {
	var pinned *bool
	if s.handler.Padlock != "" {
		closed := s.handler.Padlock == "closed"
		pinned = &closed
	}
	g.Configure(gate.Application{Name: s.name, Policy: s.policy, Pinned: pinned, CanClose: s.canClose, Exempts: s.exempts})
}

// exempts reports whether the site exempts a user, by name or by a group.
func (s *site) exempts(user string, groups []string) bool {
	return s.exempt[user] || slices.ContainsFunc(groups, func(g string) bool { return s.groups[g] })
}

// selfUsers is the notifier over which anybody may authorise themself.
func (h *Handler) selfUsers() string {
	switch h.Self {
	case "sms":
		return "sms"
	case "mail":
		return "email"
	}
	return ""
}

// selfChannels are the notifiers over which an admin may authorise themself.
func (h *Handler) selfChannels() []string {
	switch h.Self {
	case "sms":
		return []string{"sms"}
	case "mail":
		return []string{"email"}
	case "off":
		return nil
	}
	return []string{"email", "sms", "web_push"}
}
