// Package adminui is the console: the rooms in which an admin sees who comes
// in from where, decides who waits, and turns the padlocks. It stands on a
// host of its own, apart from every application (threat L12), is rendered by
// the server, and works without script but for what is live.
//
// Handlers are thin: what they do is done by gate, approvals and books, which
// the command line and the admin API share.
package adminui

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/pages"
	"github.com/cadenas-gateway/cadenas/passkey"
	"github.com/cadenas-gateway/cadenas/places"
	"github.com/cadenas-gateway/cadenas/seal"
)

// Deps is what a console stands on. Books, Gate, Approvals and Admins are
// needed; the rest has a default that is said beside it.
type Deps struct {
	Books     *books.Books
	Gate      *gate.Gate
	Approvals *approvals.Service
	// URL is where the console stands, without a path
	// ("https://gate.example.com"). Where it is https, cookies are Secure and
	// carry the __Host- prefix also behind a proxy that ends TLS. Empty: each
	// request says it by itself, and Link returns a path.
	URL string
	// Admins returns all admins, the Caddyfile's and the store's. It is asked
	// for each request, so it must be cheap; an admin it no longer returns is
	// signed out by that.
	Admins func() []books.Admin
	// SendLink sends an admin their sign-in link. Nil: the form that asks for
	// one is not shown, and links come from the command line alone.
	SendLink func(ctx context.Context, admin books.Admin, url string) error
	// ClientAddress is the address a request came from, for limits and the
	// audit; nil means that of the TCP peer. Proxies are Caddy's to judge.
	ClientAddress func(*http.Request) string
	// ApplicationName is what an application is called for people; nil or ""
	// means its identifier.
	ApplicationName func(id string) string
	// Recognise tells what a user agent says; nil: the room that explains a
	// typed one asks for none.
	Recognise func(ctx context.Context, userAgent string) (access.Device, access.Browser)
	// Biopass is what is done with typing prints; nil: there are none.
	Biopass *Biopass
	// Networks are those that the configuration names; nil: none.
	Networks func() []places.Network
	// Place tells where an address is now, for one user, so that old entries
	// show a name given since; nil: they show what was recorded.
	Place func(a netip.Addr, user string) access.Place
	// Ring holds the keys with which notices are kept that no channel carries,
	// and which seal the challenges of passkeys; nil: no words of notices are
	// shown, and there are no passkeys.
	Ring func() *seal.Ring
	// Settings is what the configuration says, for reading; nil: no such room.
	Settings func() []SettingGroup
	// Push is how browsers are subscribed; nil: no such channel.
	Push *Push
	// Teaching is how an application's login is taught; nil: no such room.
	Teaching *Teaching
	// SessionIdle is how long a session lives that nobody uses, SessionLife
	// how long it lives in all; 0 means 8 hours and 30 days.
	SessionIdle, SessionLife time.Duration
	// Languages are those offered; empty means all.
	Languages []string
	Clock     func() time.Time
	Log       *slog.Logger
	// Stopping is closed when event streams must end; nil: never.
	Stopping <-chan struct{}
}

// SettingGroup is one part of the settings, as the room shows it: facts only,
// never a secret.
type SettingGroup struct {
	// Title and the names of Lines are message keys of the catalogues where
	// there is such a message, else shown as they are.
	Title string
	Lines []SettingLine
}

// SettingLine is one fact.
type SettingLine struct {
	Name, Value string
	// Values are several in place of Value; what is a message key beginning
	// with "settings." is shown as that message.
	Values []string
	// Length is a length of time in place of Value, Count a number.
	Length time.Duration
	Count  int
	// Store marks the line that names the store: its size follows.
	Store bool
	// Bad says what is wrong with it, as a message key or as it is; empty where
	// nothing is.
	Bad string
}

// Console serves the console's host. Its methods may be called by several
// goroutines at once.
type Console struct {
	Deps
	routes   *http.ServeMux
	assets   http.Handler
	origin   *http.CrossOriginProtection
	sessions sessions
	links    links
	limits   signInLimits
	streams  streams
	restores restores
	keys     *passkey.Book
	// passkeys asks for them; nil where the console's address can have none.
	passkeys *passkey.Party
	mailing  sync.WaitGroup
}

// New makes a console.
func New(deps Deps) (*Console, error) {
	if deps.Books == nil || deps.Gate == nil || deps.Approvals == nil || deps.Admins == nil {
		return nil, errors.New("the console needs Books, Gate, Approvals and Admins")
	}
	if deps.URL != "" {
		u, err := url.Parse(deps.URL)
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
			return nil, errors.New("the console's URL must be http:// or https:// with a host")
		}
		deps.URL = u.Scheme + "://" + u.Host
	}
	if deps.ClientAddress == nil {
		deps.ClientAddress = peerAddress
	}
	if len(deps.Languages) == 0 {
		deps.Languages = lang.Tags()
	}
	if deps.Clock == nil {
		deps.Clock = time.Now
	}
	if deps.SessionIdle <= 0 {
		deps.SessionIdle = sessionIdle
	}
	if deps.SessionLife <= 0 {
		deps.SessionLife = sessionLife
	}
	if deps.Log == nil {
		deps.Log = slog.Default()
	}
	c := &Console{
		Deps:     deps,
		assets:   pages.Assets(),
		origin:   http.NewCrossOriginProtection(),
		sessions: sessions{st: deps.Books.Store, clock: deps.Clock, idle: deps.SessionIdle, life: deps.SessionLife},
		links:    links{st: deps.Books.Store, clock: deps.Clock},
		limits:   newSignInLimits(deps.Clock),
	}
	c.keys = passkey.NewBook(deps.Books.Store, deps.Clock)
	if deps.URL != "" && deps.Ring != nil {
		var err error
		if c.passkeys, err = passkey.NewParty(deps.URL, "Cadenas", c.keys, deps.Ring); err != nil {
			deps.Log.Info("the console offers no passkeys", "console", deps.URL, "why", err)
		}
	}
	c.routes = c.table()
	return c, nil
}

// ServeHTTP answers for the console's host.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.routes.ServeHTTP(w, r) }

// Wait returns once the mails under way are sent or given up, so that a
// stopping process and a test lose none.
func (c *Console) Wait() { c.mailing.Wait() }

// name is what an application is called for people.
func (c *Console) name(application string) string {
	if c.ApplicationName != nil {
		if name := c.ApplicationName(application); name != "" {
			return name
		}
	}
	return application
}
