package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/notify/sms"
)

func init() {
	caddy.RegisterModule(new(SMS))
	caddy.RegisterModule(new(Twilio))
	caddy.RegisterModule(new(SMSRequest))
}

// SMS sends notices as text messages through a gateway, which is a guest
// module of its own (cadenas.sms.*).
type SMS struct {
	// GatewayRaw is twilio, http, or a stranger's.
	GatewayRaw json.RawMessage `json:"gateway" caddy:"namespace=cadenas.sms inline_key=name"`

	*sms.Notifier `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (*SMS) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "cadenas.notifiers.sms", New: func() caddy.Module { return new(SMS) }}
}

// UnmarshalCaddyfile reads:
//
//	sms twilio <sid> <token> <from>
//	sms http <url> { ... }
func (s *SMS) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	return moduleInto(d, "cadenas.sms", "name", "notify sms", &s.GatewayRaw)
}

// Provision loads the gateway; it connects to nothing.
func (s *SMS) Provision(ctx caddy.Context) error {
	if s.GatewayRaw == nil {
		return errors.New("notify sms needs a gateway")
	}
	mod, err := ctx.LoadModule(s, "GatewayRaw")
	if err != nil {
		return fmt.Errorf("loading the gateway of notify sms: %w", err)
	}
	gateway, ok := mod.(sms.Gateway)
	if !ok {
		return fmt.Errorf("%T sends no text messages", mod)
	}
	s.Notifier = sms.New(gateway)
	return nil
}

// Twilio is the gateway of that name.
type Twilio struct {
	// SID and Token are the account's.
	SID   string `json:"sid"`
	Token string `json:"token"`
	// From is a number of the account, a sender's name or a messaging service.
	From string `json:"from"`
	// URL is where the interface is. Default: https://api.twilio.com.
	URL string `json:"url,omitempty"`
	// Status is where Twilio says whether a text arrived: an address that it
	// reaches from outside, and that `cadenas_console` answers. Without it a
	// text counts as brought once Twilio took it.
	Status string `json:"status,omitempty"`

	*sms.Twilio `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (*Twilio) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "cadenas.sms.twilio", New: func() caddy.Module { return new(Twilio) }}
}

// UnmarshalCaddyfile reads:
//
//	twilio <sid> <token> <from> {
//		status <address>
//		url <address>
//	}
func (t *Twilio) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	args := d.RemainingArgs()
	if len(args) != 3 {
		return d.Err("notify sms twilio takes the account's SID, its token and the number to send from: `notify sms twilio {env.TWILIO_SID} {env.TWILIO_TOKEN} +14385550111`")
	}
	t.SID, t.Token, t.From = args[0], args[1], args[2]
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		into, known := map[string]*string{"status": &t.Status, "url": &t.URL}[word]
		switch {
		case !known:
			return d.Errf("notify sms twilio does not know %q: write one of status, url", word)
		case *into != "":
			return d.Errf("%s stands twice in notify sms twilio: keep one", word)
		}
		if err := oneArg(d, into); err != nil {
			return err
		}
	}
	return nil
}

// Provision expands placeholders.
func (t *Twilio) Provision(caddy.Context) error {
	repl := caddy.NewReplacer()
	g, err := sms.NewTwilio(sms.TwilioConfig{
		SID: repl.ReplaceKnown(t.SID, ""), Token: repl.ReplaceKnown(t.Token, ""), From: repl.ReplaceKnown(t.From, ""), URL: repl.ReplaceKnown(t.URL, ""),
		Status: repl.ReplaceKnown(t.Status, ""),
	})
	t.Twilio = g
	return err
}

// SMSRequest is any gateway that takes an HTTP request. In URL and Body {to}
// stands for the number, {digits} for it without the plus and {text} for the
// message, escaped as the place needs it.
type SMSRequest struct {
	// URL is where the request goes, over https.
	URL string `json:"url"`
	// Method is POST unless told otherwise.
	Method string `json:"method,omitempty"`
	// Header are further headers.
	Header map[string]string `json:"header,omitempty"`
	// Body is JSON, XML or a form.
	Body string `json:"body,omitempty"`
	// Success must stand in the answer. Default: the status tells.
	Success string `json:"success,omitempty"`

	*sms.HTTP `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (*SMSRequest) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "cadenas.sms.http", New: func() caddy.Module { return new(SMSRequest) }}
}

// UnmarshalCaddyfile reads:
//
//	http <url> {
//		method <method>
//		header <name> <value>
//		body <template>
//		success <text>
//	}
func (h *SMSRequest) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.NextArg() {
		return d.Err("notify sms http needs an address: `notify sms http https://api.example.com/sms { body ... }`")
	}
	h.URL = d.Val()
	if d.NextArg() {
		return d.Errf("notify sms http takes one address: %q is too much", d.Val())
	}
	once := map[string]bool{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		if once[word] && word != "header" {
			return d.Errf("%s stands twice in notify sms http: keep one", word)
		}
		once[word] = true
		var err error
		switch word {
		case "method":
			err = oneOf(d, &h.Method, "POST", "GET", "PUT")
		case "body":
			err = oneArg(d, &h.Body)
		case "success":
			err = oneArg(d, &h.Success)
		case "header":
			args := d.RemainingArgs()
			if len(args) != 2 {
				return d.Err("header takes a name and a value: `header Authorization \"Bearer {env.SMS_KEY}\"`")
			}
			if h.Header == nil {
				h.Header = map[string]string{}
			}
			h.Header[args[0]] = args[1]
		default:
			err = d.Errf("notify sms http does not know %q: write one of method, header, body, success", word)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Provision expands placeholders; {to}, {digits} and {text} stay.
func (h *SMSRequest) Provision(caddy.Context) error {
	repl := caddy.NewReplacer()
	header := http.Header{}
	for name, value := range h.Header {
		header.Set(name, repl.ReplaceKnown(value, ""))
	}
	g, err := sms.NewHTTP(sms.HTTPConfig{
		URL: repl.ReplaceKnown(h.URL, ""), Method: h.Method, Header: header, Body: repl.ReplaceKnown(h.Body, ""), Success: h.Success,
	})
	h.HTTP = g
	return err
}

// Interface guards
var (
	_ approvals.Notifier    = (*SMS)(nil)
	_ approvals.Reacher     = (*SMS)(nil)
	_ sms.Gateway           = (*Twilio)(nil)
	_ sms.Gateway           = (*SMSRequest)(nil)
	_ caddy.Provisioner     = (*SMS)(nil)
	_ caddy.Provisioner     = (*Twilio)(nil)
	_ caddy.Provisioner     = (*SMSRequest)(nil)
	_ caddyfile.Unmarshaler = (*SMS)(nil)
	_ caddyfile.Unmarshaler = (*Twilio)(nil)
	_ caddyfile.Unmarshaler = (*SMSRequest)(nil)
)
