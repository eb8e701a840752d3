package caddymodule

import (
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/notify/webhook"
)

func init() {
	caddy.RegisterModule(new(Webhook))
}

// Webhook posts notices to an address, for programs and chats. Nothing can be
// approved from there.
type Webhook struct {
	// URL is where notices are posted, over https.
	URL string `json:"url"`
	// Secret signs what is posted; for ntfy and Gotify it is the token.
	Secret string `json:"secret,omitempty"`
	// Template is json (default), slack, teams, discord, ntfy or gotify.
	Template string `json:"template,omitempty"`
	// Language is en or fr. Default: the first of languages.
	Language string `json:"language,omitempty"`

	*webhook.Notifier `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (*Webhook) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "cadenas.notifiers.webhook", New: func() caddy.Module { return new(Webhook) }}
}

// UnmarshalCaddyfile reads:
//
//	webhook <url> {
//		secret <secret>
//		template json|slack|teams|discord|ntfy|gotify
//		language en|fr
//	}
func (h *Webhook) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.NextArg() {
		return d.Err("notify webhook needs an address: `notify webhook https://hooks.example.com/... { secret {env.HOOK_SECRET} }`")
	}
	h.URL = d.Val()
	if d.NextArg() {
		return d.Errf("notify webhook takes one address: %q is too much", d.Val())
	}
	once := map[string]bool{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		if once[word] {
			return d.Errf("%s stands twice in notify webhook: keep one", word)
		}
		once[word] = true
		var err error
		switch word {
		case "secret":
			err = oneArg(d, &h.Secret)
		case "template":
			err = oneOf(d, &h.Template, "json", "slack", "teams", "discord", "ntfy", "gotify")
		case "language":
			err = oneOf(d, &h.Language, "en", "fr")
		default:
			err = d.Errf("notify webhook does not know %q: write one of secret, template, language", word)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Provision expands placeholders; it connects to nothing.
func (h *Webhook) Provision(caddy.Context) error {
	repl := caddy.NewReplacer()
	if h.Secret != "" && repl.ReplaceKnown(h.Secret, "") == "" {
		return errors.New("notify webhook: the secret is empty, and nothing would be signed: is its variable set?")
	}
	n, err := webhook.New(webhook.Config{
		URL: repl.ReplaceKnown(h.URL, ""), Secret: repl.ReplaceKnown(h.Secret, ""), Template: h.Template, Language: h.Language,
	})
	if err != nil {
		return err
	}
	h.Notifier = n
	return nil
}

// oneChannelEach makes one channel of all webhooks, and refuses a second one
// of any other name: which of the two would be meant?
func oneChannelEach(list []approvals.Notifier) ([]approvals.Notifier, error) {
	var one []approvals.Notifier
	var hooks []*webhook.Notifier
	names := map[string]bool{}
	for _, n := range list {
		if h, ok := n.(*Webhook); ok {
			hooks = append(hooks, h.Notifier)
			continue
		}
		if names[n.Name()] {
			return nil, fmt.Errorf("notify %s stands twice: keep one", n.Name())
		}
		names[n.Name()] = true
		one = append(one, n)
	}
	if len(hooks) > 0 {
		one = append(one, webhook.Join(hooks...))
	}
	return one, nil
}

// Interface guards
var (
	_ approvals.Notifier    = (*Webhook)(nil)
	_ approvals.Roomy       = (*Webhook)(nil)
	_ caddy.Provisioner     = (*Webhook)(nil)
	_ caddyfile.Unmarshaler = (*Webhook)(nil)
)
