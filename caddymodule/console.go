package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cadenas-gateway/cadenas/access"
	adminui "github.com/cadenas-gateway/cadenas/admin-ui"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/notify/sms"
	"github.com/cadenas-gateway/cadenas/pages"
)

func init() {
	caddy.RegisterModule(ConsoleHandler{})
}

// ConsoleHandler serves the gate's own host: the console, the page behind a
// mail's link, and the waiting pages of the applications.
type ConsoleHandler struct {
	app *App
}

// CaddyModule returns the Caddy module information.
func (ConsoleHandler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.cadenas_console", New: func() caddy.Module { return new(ConsoleHandler) }}
}

// Provision finds the app.
func (c *ConsoleHandler) Provision(ctx caddy.Context) error {
	app, err := ctx.App("cadenas")
	if err != nil {
		return err
	}
	c.app = app.(*App)
	c.app.served = true
	if c.app.Console == "" {
		return errors.New("cadenas_console needs `console <url>` in the global cadenas block: the address of this host")
	}
	return nil
}

// ServeHTTP answers everything on the gate's host.
func (c *ConsoleHandler) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	run, err := c.app.open()
	if err != nil {
		return caddyhttp.Error(http.StatusServiceUnavailable, err)
	}
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, pages.AssetPath):
		pages.Assets().ServeHTTP(w, r)
	case path == approvals.DevicePath: // told on the application's host already
		w.WriteHeader(http.StatusNoContent)
	case path == approvals.WaitPath && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		return run.serveWaiting(w, r)
	case strings.HasPrefix(path, approvals.WaitPath+"/"):
		return run.serveWaitingParts(w, r)
	case isBiopass(path):
		return run.serveBiopass(w, r)
	case path == sms.ReportPath:
		if from, ok := run.teller(); ok {
			return run.serveReport(w, r, from)
		}
		run.console.ServeHTTP(w, r)
	case strings.HasPrefix(path, approvals.DecidePath):
		run.decide.ServeHTTP(w, r)
	default:
		run.console.ServeHTTP(w, r)
	}
	return nil
}

func (run *running) newConsole() (*adminui.Console, error) {
	a := run.app
	limits := a.Limits.complete()
	console, err := adminui.New(adminui.Deps{
		SessionIdle: time.Duration(limits.ConsoleIdle), SessionLife: time.Duration(limits.ConsoleLife),
		Books: run.state.books, Gate: run.state.gate, Approvals: run.approvals, URL: a.Console, Admins: run.admins,
		SendLink: run.sendLink, Push: run.push(), ClientAddress: clientIP, Settings: run.settings, Languages: a.Languages, Log: a.log,
		Stopping: a.stopping, Ring: run.state.keys, Networks: run.fixedNetworks, Place: run.placeNow,
		Recognise: run.recognise, Teaching: run.teaching(), Biopass: &adminui.Biopass{Service: run.biopass, Link: run.biopassLink},
	})
	if err != nil {
		return nil, err
	}
	run.decide = run.approvals.DecideHandler(console.Session)
	return console, nil
}

// recognise tells what a typed user agent says, for the console to explain.
func (run *running) recognise(ctx context.Context, userAgent string) (access.Device, access.Browser) {
	agent := run.state.reader.Agents.Parse(ctx, http.Header{"User-Agent": {userAgent}})
	return access.Device{Kind: agent.Kind, Label: agent.Label}, agent.Browser
}

// sendLink sends an admin their sign-in link over the first channel that
// reaches them.
func (run *running) sendLink(ctx context.Context, admin books.Admin, link string) error {
	return run.approvals.Queue(ctx, approvals.Notice{
		Kind: approvals.NoticeSignIn, Channel: run.mailChannel(), Link: link,
		To: approvals.Recipient{Email: admin.Email, Name: admin.Name, Language: admin.Language, Admin: true},
	})
}

// mailChannel is how a sign-in link goes out: by e-mail, or into the log where
// no channel is configured.
func (run *running) mailChannel() string {
	for _, n := range run.app.notifiers {
		if n.Name() == "email" {
			return "email"
		}
	}
	return "log"
}

// ticket leads a waiting browser from the application's host to the gate's:
// what the page there must know, sealed, so that no return address can be
// forged (threat L13).
type ticket struct {
	Application string
	Device      string
	Login       string
	Ask         string
	// MadeUp is what the page of one who holds no request shows (threat L17).
	MadeUp *approvals.Imitation
	Origin string
	Back   string
	Until  time.Time
}

const (
	ticketPurpose = "wait-ticket"
	ticketQuery   = "t"
	ticketCookie  = "cadenas_wait"
)

func (run *running) ticketURL(host string, t ticket) string {
	return run.ticketURLTo(host, approvals.WaitPath, t)
}

func (run *running) ticketURLTo(host, path string, t ticket) string {
	text := run.state.keys().SealText(books.Encode(t), ticketPurpose)
	return host + path + "?" + url.Values{ticketQuery: {text}}.Encode()
}

func (run *running) readTicket(text string, now time.Time) (ticket, bool) {
	var t ticket
	plain, err := run.state.keys().OpenText(text, ticketPurpose)
	if err != nil || books.Decode(plain, &t) != nil || now.After(t.Until) {
		return ticket{}, false
	}
	return t, true
}

// waitCookie is the name of the cookie that holds the ticket on the gate's
// host.
func waitCookie(r *http.Request) string {
	if isHTTPS(r) {
		return "__Host-" + ticketCookie
	}
	return ticketCookie
}

func (run *running) ticketOf(r *http.Request) (ticket, *site, bool) {
	for _, c := range r.CookiesNamed(waitCookie(r)) {
		if t, ok := run.readTicket(c.Value, time.Now()); ok {
			for _, s := range run.sites {
				if s.name == t.Application {
					return t, s, true
				}
			}
		}
	}
	return ticket{}, nil, false
}

// serveWaiting is the waiting page on the gate's host. A ticket in the
// address becomes a cookie and leaves the address.
func (run *running) serveWaiting(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Query().Get(ticketQuery) != "" {
		return run.takeTicket(w, r, approvals.WaitPath)
	}
	t, s, ok := run.ticketOf(r)
	if !ok {
		return run.lost(w, r)
	}
	ask, err := run.approvals.ForHolder(r.Context(), t.Application, t.Device, t.Login)
	if errors.Is(err, approvals.ErrNotFound) {
		// A refused newcomer holds no request: the page of a made-up one.
		made := approvals.Imitation{Ask: approvals.Ask{Application: t.Application, Device: access.Device{ID: t.Device}}}
		if t.MadeUp != nil {
			made = *t.MadeUp
		}
		ask, err = run.approvals.Imitated(made), nil
		if !made.Grouped && run.approvals.LetsIn(r.Context(), ask) {
			http.Redirect(w, r, t.Origin+t.Back, http.StatusSeeOther) // both sealed by us (threat L13)
			return nil
		}
	}
	if err != nil {
		return caddyhttp.Error(http.StatusServiceUnavailable, err)
	}
	page, err := s.waitingPage(r.Context(), ask, t.Device, t.Origin, t.Back, nil)
	if err != nil {
		return caddyhttp.Error(http.StatusServiceUnavailable, err)
	}
	page.Said = r.URL.Query().Get("said")
	return approvals.WriteWaiting(w, r, pages.Language(r, run.app.Languages), http.StatusForbidden, page)
}

// takeTicket makes the ticket in the address a cookie, and leads to the page
// without it.
func (run *running) takeTicket(w http.ResponseWriter, r *http.Request, to string) error {
	text := r.URL.Query().Get(ticketQuery)
	t, ok := run.readTicket(text, time.Now())
	if !ok {
		return run.lost(w, r)
	}
	//nolint:gosec // Secure unless the page is served over plain http
	http.SetCookie(w, &http.Cookie{
		Name: waitCookie(r), Value: text, Path: "/", HttpOnly: true, Secure: isHTTPS(r), SameSite: http.SameSiteLaxMode,
		MaxAge: int(time.Until(t.Until) / time.Second),
	})
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

func (run *running) serveWaitingParts(w http.ResponseWriter, r *http.Request) error {
	t, s, ok := run.ticketOf(r)
	if !ok {
		return run.lost(w, r)
	}
	ctx := context.WithValue(r.Context(), holderKey{}, approvals.Holder{
		Application: t.Application, DeviceID: t.Device, LoginID: t.Login, Back: approvals.WaitPath, MadeUp: t.MadeUp,
	})
	s.waiting.ServeHTTP(w, r.WithContext(ctx))
	return nil
}

// lost answers a waiting page without a ticket that counts.
func (run *running) lost(w http.ResponseWriter, r *http.Request) error {
	return approvals.WriteRefused(w, r, pages.Language(r, run.app.Languages), http.StatusForbidden, approvals.RefusedPage{Languages: run.app.Languages, Lost: true})
}

// oldGeoFile is after how long a geo file wants to be replaced: addresses change
// hands.
const oldGeoFile = 90 * 24 * time.Hour

// settings is what the configuration says, for the console to show.
func (run *running) settings() []adminui.SettingGroup {
	a := run.app
	general := adminui.SettingGroup{Title: "settings.general", Lines: []adminui.SettingLine{
		{Name: "settings.store", Value: run.storeName(), Store: true},
		{Name: "settings.console", Value: a.Console},
		{Name: "settings.languages", Value: strings.Join(a.Languages, ", ")},
	}}
	where := adminui.SettingGroup{Title: "settings.places"}
	for _, src := range a.places.Sources() {
		line := adminui.SettingLine{Name: "settings.geo_file", Value: src.String()}
		if src.Age(time.Now()) > oldGeoFile {
			line.Bad = "settings.geo_file.old"
		}
		where.Lines = append(where.Lines, line)
	}
	if len(a.places.Sources()) == 0 {
		where.Lines = append(where.Lines, adminui.SettingLine{Name: "grid.no_geo"})
	}
	for _, n := range a.Networks {
		where.Lines = append(where.Lines, adminui.SettingLine{Name: n.Name, Value: strings.Join(n.Prefixes, ", ")})
	}
	groups := []adminui.SettingGroup{general, where, a.limitSettings()}
	for _, s := range run.sites {
		groups = append(groups, s.settings())
	}
	return groups
}

// Interface guards
var (
	_ caddy.Provisioner           = (*ConsoleHandler)(nil)
	_ caddyhttp.MiddlewareHandler = (*ConsoleHandler)(nil)
)
