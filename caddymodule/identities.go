package caddymodule

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/identity"
)

func init() {
	caddy.RegisterModule(Header{})
	caddy.RegisterModule(Placeholder{})
	caddy.RegisterModule(Basic{})
	caddy.RegisterModule(DeviceAlone{})
}

// trusting is an identity source that believes headers; their aliases are
// taken off the request before anything reads it (threat L1).
type trusting interface{ Trusts() []string }

// authorized is an identity source that may read the Authorization header,
// which a watched login would else take off the request.
type authorized interface{ readsAuthorization() bool }

// Header takes the user from a header that a proxy, or a handler before this
// one, has set. Whoever can reach this server without that proxy can write
// it.
type Header struct {
	// Name is the header.
	Name string `json:"name"`
	// Groups is a header with the user's groups, separated by commas or |; it
	// is believed as the other is. Empty: no groups.
	Groups string `json:"groups,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Header) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "cadenas.identities.header", New: func() caddy.Module { return new(Header) }}
}

// UnmarshalCaddyfile reads:
//
//	header <name> {
//		groups <name>
//	}
func (h *Header) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if err := oneArg(d, &h.Name); err != nil {
		return err
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch word := d.Val(); {
		case word != "groups":
			return d.Errf("identity header does not know %q: write groups and the header that holds them", word)
		case h.Groups != "":
			return d.Err("groups stands twice in identity header: keep one")
		}
		if err := oneArg(d, &h.Groups); err != nil {
			return err
		}
	}
	return nil
}

// Trusts returns the names of the headers.
func (h *Header) Trusts() []string {
	if h.Groups == "" {
		return []string{h.Name}
	}
	return []string{h.Name, h.Groups}
}

// Identify implements identity.Source.
func (h *Header) Identify(r *http.Request) (access.Person, error) {
	return identity.Header{Name: h.Name, Groups: h.Groups}.Identify(r)
}

// Placeholder takes the user from a placeholder, such as one that Caddy's own
// authentication sets.
type Placeholder struct {
	// Value is the placeholder: {http.auth.user.id}.
	Value string `json:"value"`
}

// CaddyModule returns the Caddy module information.
func (Placeholder) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "cadenas.identities.placeholder", New: func() caddy.Module { return new(Placeholder) }}
}

// UnmarshalCaddyfile reads `placeholder <p>`.
func (p *Placeholder) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if err := oneArg(d, &p.Value); err != nil {
		return err
	}
	if !strings.Contains(p.Value, "{") {
		return d.Errf("identity placeholder takes a placeholder: `identity placeholder {http.auth.user.id}`, not %q", p.Value)
	}
	return nil
}

// Identify implements identity.Source.
func (p *Placeholder) Identify(r *http.Request) (access.Person, error) {
	return identity.Placeholder{Value: func(r *http.Request) string { return replaced(r, p.Value) }}.Identify(r)
}

// replaced expands a placeholder of the configuration; one that is not set is
// empty. What it expands to is never expanded again (threat L14).
func replaced(r *http.Request, text string) string {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return ""
	}
	return repl.ReplaceAll(text, "")
}

// caddyUser is the user that Caddy's own authentication set.
type caddyUser struct{}

// Identify implements identity.Source.
func (caddyUser) Identify(r *http.Request) (access.Person, error) {
	return (&Placeholder{Value: "{http.auth.user.id}"}).Identify(r)
}

// Basic takes the user from basic authentication that a handler before this
// one has checked.
type Basic struct{}

// CaddyModule returns the Caddy module information.
func (Basic) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "cadenas.identities.basic", New: func() caddy.Module { return new(Basic) }}
}

// UnmarshalCaddyfile reads `basic`.
func (*Basic) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	return noArgs(d)
}

func (*Basic) readsAuthorization() bool { return true }

// Identify implements identity.Source. The name counts only where Caddy's
// authentication, which comes before us, has accepted it: a name with any
// password would else be anybody's.
func (*Basic) Identify(r *http.Request) (access.Person, error) {
	checked := replaced(r, "{http.auth.user.id}")
	return identity.Basic{Verify: func(_ *http.Request, user, _ string) bool { return checked != "" && checked == user }}.Identify(r)
}

// DeviceAlone makes the device itself the user, where nobody signs in.
type DeviceAlone struct{}

// CaddyModule returns the Caddy module information.
func (DeviceAlone) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "cadenas.identities.device", New: func() caddy.Module { return new(DeviceAlone) }}
}

// UnmarshalCaddyfile reads `device`.
func (*DeviceAlone) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	return noArgs(d)
}

// Identify names nobody: the device is asked last, by the handler, which has
// read its cookie.
func (*DeviceAlone) Identify(*http.Request) (access.Person, error) { return access.Person{}, nil }

// Interface guards
var (
	_ identity.Source       = (*Header)(nil)
	_ identity.Source       = (*Placeholder)(nil)
	_ identity.Source       = (*Basic)(nil)
	_ identity.Source       = (*DeviceAlone)(nil)
	_ trusting              = (*Header)(nil)
	_ caddyfile.Unmarshaler = (*Header)(nil)
	_ caddyfile.Unmarshaler = (*Placeholder)(nil)
	_ caddyfile.Unmarshaler = (*Basic)(nil)
	_ caddyfile.Unmarshaler = (*DeviceAlone)(nil)
)
