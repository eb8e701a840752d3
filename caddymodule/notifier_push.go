package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	adminui "github.com/cadenas-gateway/cadenas/admin-ui"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/notify/webpush"
)

func init() {
	caddy.RegisterModule(new(WebPush))
}

// WebPush sends notices to the browsers that admins subscribed in the
// console. The keys are made at first start and kept in the store.
type WebPush struct {
	// Contact is whom a push service writes to about us, an e-mail or an https
	// address. Default: the console's address.
	Contact string `json:"contact,omitempty"`
	// Inside lets a push service be on a private address, for one of one's
	// own.
	Inside bool `json:"inside,omitempty"`

	opened atomic.Pointer[pushing]
}

// pushing is the channel at work.
type pushing struct {
	*webpush.Notifier
	book   *approvals.PushBook
	public string
}

// CaddyModule returns the Caddy module information.
func (*WebPush) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "cadenas.notifiers.web_push", New: func() caddy.Module { return new(WebPush) }}
}

// UnmarshalCaddyfile reads:
//
//	web_push [<contact>] {
//		inside
//	}
func (p *WebPush) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		p.Contact = d.Val()
		if !strings.Contains(p.Contact, "@") && !strings.HasPrefix(p.Contact, "https://") && !strings.HasPrefix(p.Contact, "{") {
			return d.Errf("notify web_push takes a contact: an e-mail or an https address, not %q", p.Contact)
		}
	}
	if d.NextArg() {
		return d.Errf("notify web_push takes one contact: %q is too much", d.Val())
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if d.Val() != "inside" || p.Inside {
			return d.Errf("notify web_push takes inside once, and not %q", d.Val())
		}
		p.Inside = true
		if err := noArgs(d); err != nil {
			return err
		}
	}
	return nil
}

// Name implements approvals.Notifier.
func (*WebPush) Name() string { return "web_push" }

// Notify implements approvals.Notifier.
func (p *WebPush) Notify(ctx context.Context, n approvals.Notice) error {
	to := p.opened.Load()
	if to == nil {
		return errors.New("the store is not open yet")
	}
	return to.Notify(ctx, n)
}

// Reaches implements approvals.Reacher.
func (p *WebPush) Reaches(to approvals.Recipient) bool {
	open := p.opened.Load()
	return open != nil && open.Reaches(to)
}

// open makes the channel ready with the store's keys and subscriptions.
func (p *WebPush) open(ctx context.Context, run *running) error {
	public, private, err := books.VAPID(ctx, run.state.store, run.state.keys(), time.Now())
	if err != nil {
		return err
	}
	book := approvals.NewPushBook(run.state.books, nil)
	n, err := webpush.New(webpush.Config{
		Book: book, Public: public, Private: private, Contact: p.contact(run.app), Inside: p.Inside,
	})
	if err != nil {
		return err
	}
	p.opened.Store(&pushing{n, book, public})
	return nil
}

// contact is what was configured, else the console's address, else the first
// admin's.
func (p *WebPush) contact(a *App) string {
	if c := caddy.NewReplacer().ReplaceKnown(p.Contact, ""); c != "" {
		return c
	}
	if strings.HasPrefix(a.Console, "https://") {
		return a.Console
	}
	for _, ad := range a.Admins {
		return ad.Email
	}
	host := "localhost"
	if u, err := url.Parse(a.Console); err == nil && u.Hostname() != "" {
		host = u.Hostname()
	}
	return "cadenas@" + host
}

// openPush makes the push channel ready where one is configured.
func (run *running) openPush(ctx context.Context) error {
	for _, n := range run.app.notifiers {
		if p, ok := n.(*WebPush); ok {
			if err := p.open(ctx, run); err != nil {
				return fmt.Errorf("notify web_push: %w", err)
			}
		}
	}
	return nil
}

// Interface guards
var (
	_ approvals.Notifier    = (*WebPush)(nil)
	_ approvals.Reacher     = (*WebPush)(nil)
	_ caddyfile.Unmarshaler = (*WebPush)(nil)
)

// push is what the console needs to subscribe browsers; nil where no such
// channel is configured.
func (run *running) push() *adminui.Push {
	for _, n := range run.app.notifiers {
		if p, ok := n.(*WebPush); ok {
			if open := p.opened.Load(); open != nil {
				return &adminui.Push{Key: open.public, Book: open.book}
			}
		}
	}
	return nil
}
