// Package caddymodule is where Cadenas meets Caddy: the app with the state,
// the handler in front of an application, the console's handler, the guest
// modules, the admin endpoint and the command line. It reads configuration
// and requests, asks the packages that think, and carries out what they say.
package caddymodule

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"

	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/places"
)

func init() {
	caddy.RegisterModule(new(App))
}

// App is the global block: what all protected sites share. A site with the
// `cadenas` directive and no global block gets it with its defaults.
type App struct {
	// StoreRaw is where state is kept; bolt in Caddy's data folder unless
	// told otherwise.
	StoreRaw json.RawMessage `json:"store,omitempty" caddy:"namespace=cadenas.stores inline_key=backend"`
	// Keys is a file, or a placeholder, with the secret that seals the keys
	// kept in the store. Without it they lie beside what they seal.
	Keys string `json:"keys,omitempty"`
	// PlacesRaw are the sources that tell a place from an address, asked in
	// order and completing each other.
	PlacesRaw []json.RawMessage `json:"places,omitempty" caddy:"namespace=cadenas.places inline_key=source"`
	// Networks are the networks that have a name.
	Networks []Network `json:"place,omitempty"`
	// Console is the address of the console's own host,
	// "https://gate.example.com". Without it approval is by command line.
	Console string `json:"console,omitempty"`
	// Languages are those pages may appear in; the first is the default.
	// Default: en, fr.
	Languages []string `json:"languages,omitempty"`
	// Admins are those the configuration names; the console may add more.
	Admins []Admin `json:"admin,omitempty"`
	// NotifyRaw are the channels over which admins are told. Without any,
	// what would be sent is logged.
	NotifyRaw []json.RawMessage `json:"notify,omitempty" caddy:"namespace=cadenas.notifiers inline_key=channel"`
	// Biopass is what all sites share of it.
	Biopass *Biopass `json:"biopass,omitempty"`
	// RequestsExpire is how long an access request may wait. Default: 60d.
	RequestsExpire caddy.Duration `json:"requests_expire,omitempty"`
	// Limits are how long, and how often, what is handed out is good.
	Limits *Limits `json:"limits,omitempty"`

	ctx       caddy.Context
	log       *slog.Logger
	store     Opener
	places    *places.Book
	sources   []PlaceSource
	notifiers []approvals.Notifier
	wrap      string

	served   bool // a site has `cadenas_console`
	mu       sync.Mutex
	handlers []*Handler
	running  *running
	cancel   context.CancelFunc
	stopping chan struct{}
	stopOnce sync.Once
}

// Network is a named network.
type Network struct {
	Name     string   `json:"name"`
	Prefixes []string `json:"prefixes"`
}

// Admin is one who may decide, as the configuration names them.
type Admin struct {
	Name   string `json:"name"`
	Email  string `json:"email"`
	Mobile string `json:"mobile,omitempty"`
	// Language is en or fr. Default: the first of languages.
	Language string `json:"language,omitempty"`
	// Users says who the admin is in an application; where nothing is said,
	// the user whose name is the e-mail.
	Users map[string]string `json:"user,omitempty"`
	// Applications limits whom the admin decides about. Default: all.
	Applications []string `json:"applications,omitempty"`
	// Notify is the order of channels, with the wait before the next.
	Notify []NotifyStep `json:"notify,omitempty"`
	// QuietFrom and QuietTo are times of day between which only what is
	// urgent is sent.
	QuietFrom string `json:"quiet_from,omitempty"`
	QuietTo   string `json:"quiet_to,omitempty"`
}

// NotifyStep is one channel in an admin's order.
type NotifyStep struct {
	Channel string         `json:"channel"`
	Wait    caddy.Duration `json:"wait,omitempty"`
}

func parseNotifyOrder(args []string) ([]NotifyStep, error) {
	var steps []NotifyStep
	for _, a := range args {
		if d, err := caddy.ParseDuration(a); err == nil {
			if len(steps) == 0 {
				return nil, fmt.Errorf("notify begins with a channel, not with the duration %s", a)
			}
			steps[len(steps)-1].Wait = caddy.Duration(d)
			continue
		}
		switch a {
		case "email", "sms", "web_push", "webhook", "log":
			steps = append(steps, NotifyStep{Channel: a})
		default:
			return nil, fmt.Errorf("notify does not know %q: write web_push, email, sms, webhook, or a duration before the next", a)
		}
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("notify needs at least one channel: `notify web_push email sms 5m`")
	}
	return steps, nil
}

func parseClock(s string) (time.Time, error) { return time.Parse("15:04", s) }

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "cadenas", New: func() caddy.Module { return new(App) }}
}

// Provision prepares the app and opens nothing: `caddy validate` provisions
// too, beside a running server.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx, a.log, a.stopping = ctx, ctx.Slogger(), make(chan struct{})
	if err := measures(ctx.GetMetricsRegistry()); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	events, err := ctx.App("events")
	if err != nil {
		return fmt.Errorf("loading the events app: %w", err)
	}
	if err := events.(*caddyevents.App).On("stopping", a); err != nil {
		return fmt.Errorf("listening for the end: %w", err)
	}
	repl := caddy.NewReplacer()
	a.Console = strings.TrimSuffix(repl.ReplaceKnown(a.Console, ""), "/")
	for i := range a.Admins {
		ad := &a.Admins[i]
		ad.Email = strings.ToLower(strings.TrimSpace(repl.ReplaceKnown(ad.Email, "")))
		ad.Mobile = repl.ReplaceKnown(ad.Mobile, "")
		if ad.QuietFrom != "" || ad.QuietTo != "" {
			if !isClock(ad.QuietFrom) || !isClock(ad.QuietTo) {
				return fmt.Errorf("admin %s: quiet needs two times of day, as 22:00 and 06:00", ad.Email)
			}
		}
	}
	if len(a.Languages) == 0 {
		a.Languages = []string{"en", "fr"}
	}
	if a.RequestsExpire == 0 {
		a.RequestsExpire = caddy.Duration(length(requestsExpire.usual))
	}
	if err := requestsExpire.checkLife(time.Duration(a.RequestsExpire)); err != nil {
		return err
	}
	if err := a.Limits.check(); err != nil {
		return err
	}
	if err := a.Biopass.validate(); err != nil {
		return err
	}
	if a.Keys != "" {
		secret, err := readSecret(repl, a.Keys)
		if err != nil {
			return fmt.Errorf("keys: %w", err)
		}
		a.wrap = secret
	}
	if a.StoreRaw == nil {
		a.store = &Bolt{}
		if err := a.store.(*Bolt).Provision(ctx); err != nil {
			return err
		}
	} else {
		mod, err := ctx.LoadModule(a, "StoreRaw")
		if err != nil {
			return fmt.Errorf("loading store: %w", err)
		}
		a.store = mod.(Opener)
	}
	if err := a.loadPlaces(ctx, repl); err != nil {
		return err
	}
	if a.NotifyRaw != nil {
		mods, err := ctx.LoadModule(a, "NotifyRaw")
		if err != nil {
			return fmt.Errorf("loading notify: %w", err)
		}
		for _, m := range mods.([]any) {
			a.notifiers = append(a.notifiers, m.(approvals.Notifier))
		}
		if a.notifiers, err = oneChannelEach(a.notifiers); err != nil {
			return err
		}
	}
	return nil
}

// register joins a handler to the app; it is made ready when the app starts,
// or at its first request.
func (a *App) register(h *Handler) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.handlers = append(a.handlers, h)
}

// Start opens the store and begins the work in the background.
func (a *App) Start() error {
	if err := a.checkConsole(); err != nil {
		return err
	}
	_, err := a.open()
	if err != nil {
		return err
	}
	a.warn()
	setCurrent(a)
	return nil
}

// Stop ends the event streams; requests under way still need the store, which
// Cleanup gives back once every app has stopped.
func (a *App) Stop() error {
	a.endStreams()
	clearCurrent(a)
	return nil
}

// Cleanup ends the work in the background, writes what was seen, and gives the
// store back.
func (a *App) Cleanup() error {
	if a.stopping == nil {
		return nil
	}
	a.endStreams()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running == nil {
		return nil
	}
	a.cancel()
	a.running.background.Wait()
	err := a.running.state.release()
	a.running = nil
	return err
}

// Handle hears that Caddy is stopping, before any server waits for its
// requests to end.
func (a *App) Handle(context.Context, caddy.Event) error {
	a.endStreams()
	return nil
}

// endStreams ends the event streams of pages, which would hold up a graceful
// stop (tried: ending them with the context hangs SIGTERM for seconds).
func (a *App) endStreams() { a.stopOnce.Do(func() { close(a.stopping) }) }

// warn says at start what an operator would want to know.
func (a *App) warn() {
	a.warnProxies()
	a.warnHeaders()
	if a.Console == "" {
		a.log.Warn("no `console` is configured: requests can be approved by command line only (caddy cadenas approve)")
	}
	if len(a.notifiers) == 0 {
		a.log.Warn("no `notify` is configured: what would be sent is logged and kept for the console")
	}
	if a.Keys == "" {
		a.log.Info("no `keys` is configured: the keys lie in the store beside what they seal")
	}
}

// admins returns the configuration's admins joined with the console's.
func (a *App) admins(kept []books.Admin) []books.Admin {
	var all []books.Admin
	fixed := map[string]bool{}
	for _, c := range a.Admins {
		fixed[c.Email] = true
		ad := books.Admin{
			Email: c.Email, Name: c.Name, Mobile: c.Mobile, Language: c.Language, Users: c.Users,
			Applications: c.Applications, QuietFrom: c.QuietFrom, QuietTo: c.QuietTo, Fixed: true,
		}
		for _, s := range c.Notify {
			ad.Notify = append(ad.Notify, books.Channel{Name: s.Channel, Wait: time.Duration(s.Wait)})
		}
		all = append(all, ad)
	}
	for _, k := range kept {
		if !fixed[strings.ToLower(k.Email)] {
			all = append(all, k)
		}
	}
	return all
}

// Interface guards
var (
	_ caddy.App           = (*App)(nil)
	_ caddy.Provisioner   = (*App)(nil)
	_ caddy.CleanerUpper  = (*App)(nil)
	_ caddyevents.Handler = (*App)(nil)
)
