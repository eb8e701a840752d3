package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"strings"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/notify/email"
	"github.com/cadenas-gateway/cadenas/notify/log"
)

func init() {
	caddy.RegisterModule(Email{})
	caddy.RegisterModule(new(Log))
}

// Email sends notices by e-mail.
type Email struct {
	// Server is host and port: smtp.example.com:587.
	Server string `json:"server"`
	// From is the sender's address.
	From string `json:"from"`
	// Username and Password sign in to the server. Username is the sender's
	// address unless told otherwise; without a password nobody signs in.
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
	// TLS is required (default), opportunistic or off. Off sends links in
	// the clear: only for a server on this machine.
	TLS string `json:"tls,omitempty"`

	*email.Notifier `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (Email) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "cadenas.notifiers.email", New: func() caddy.Module { return new(Email) }}
}

// UnmarshalCaddyfile reads:
//
//	email <host:port> {
//		from <address>
//		username <name>
//		password <secret>
//		tls required|opportunistic|off
//	}
func (e *Email) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.NextArg() {
		return d.Err("notify email needs the server: `notify email smtp.example.com:587 { from gate@example.com }`")
	}
	e.Server = d.Val()
	if d.NextArg() {
		return d.Errf("notify email takes one server: %q is too much", d.Val())
	}
	once := map[string]bool{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		if once[word] {
			return d.Errf("%s stands twice in notify email: keep one", word)
		}
		once[word] = true
		var err error
		switch word {
		case "from":
			err = oneArg(d, &e.From)
		case "username":
			err = oneArg(d, &e.Username)
		case "password":
			err = oneArg(d, &e.Password)
		case "tls":
			err = oneOf(d, &e.TLS, "required", "opportunistic", "off")
		default:
			err = d.Errf("notify email does not know %q: write one of from, username, password, tls", word)
		}
		if err != nil {
			return err
		}
	}
	if e.From == "" {
		return d.Err("notify email needs `from <address>`: the sender's address")
	}
	if e.Username != "" && e.Password == "" {
		return d.Err("notify email has a username and needs its password, or neither")
	}
	return nil
}

// Provision expands placeholders and prepares the sender; it connects to
// nothing.
func (e *Email) Provision(caddy.Context) error {
	repl := caddy.NewReplacer()
	server := repl.ReplaceKnown(e.Server, "")
	if _, _, err := net.SplitHostPort(server); err != nil {
		server = strings.Trim(server, "[]")
		server = net.JoinHostPort(server, "587")
	}
	from, username := repl.ReplaceKnown(e.From, ""), repl.ReplaceKnown(e.Username, "")
	if username == "" && e.Password != "" {
		username = from
		if a, err := mail.ParseAddress(from); err == nil {
			username = a.Address
		}
	}
	n, err := email.New(email.Config{
		Server: server, From: from, TLS: email.TLS(e.TLS), Username: username, Password: repl.ReplaceKnown(e.Password, ""),
	})
	if err != nil {
		return fmt.Errorf("notify email: %w", err)
	}
	e.Notifier = n
	return nil
}

// Log writes what would be sent into the log, and keeps it for the console:
// for a first run, and for where there is no other channel.
type Log struct {
	notifier atomic.Pointer[log.Notifier]
}

// CaddyModule returns the Caddy module information.
func (*Log) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "cadenas.notifiers.log", New: func() caddy.Module { return new(Log) }}
}

// UnmarshalCaddyfile reads `log`.
func (*Log) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	return noArgs(d)
}

// Name implements approvals.Notifier.
func (*Log) Name() string { return "log" }

// Notify implements approvals.Notifier.
func (l *Log) Notify(ctx context.Context, n approvals.Notice) error {
	to := l.notifier.Load()
	if to == nil {
		return errors.New("the store is not open yet")
	}
	return to.Notify(ctx, n)
}

// keeps lets a channel keep what it sent in the store, which is opened after
// the channel was made.
func (l *Log) keeps(n *log.Notifier) { l.notifier.Store(n) }

// Interface guards
var (
	_ approvals.Notifier    = (*Email)(nil)
	_ approvals.Notifier    = (*Log)(nil)
	_ caddy.Provisioner     = (*Email)(nil)
	_ caddyfile.Unmarshaler = (*Email)(nil)
	_ caddyfile.Unmarshaler = (*Log)(nil)
)
