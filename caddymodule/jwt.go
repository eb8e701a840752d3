package caddymodule

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/identity"
)

func init() { caddy.RegisterModule(new(JWT)) }

// JWT takes the user from a signed token.
type JWT struct {
	// JWKS is the address of the issuer's keys.
	JWKS string `json:"jwks"`
	// Cookie or Header is where the token is. Default: the Authorization
	// header's bearer token.
	Cookie string `json:"cookie,omitempty"`
	Header string `json:"header,omitempty"`
	// Issuer and Audience must be the token's. Left out, any is taken: then
	// every token of that issuer's keys is good, whomever it was made for.
	Issuer   string `json:"issuer,omitempty"`
	Audience string `json:"audience,omitempty"`
	// User is the claim with the user (default sub), Groups the one with
	// groups.
	User   string `json:"user,omitempty"`
	Groups string `json:"groups,omitempty"`
	// Algorithms are those believed. Default: all with a public key.
	Algorithms []string `json:"algorithms,omitempty"`

	source *identity.JWT
}

// CaddyModule returns the Caddy module information.
func (*JWT) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "cadenas.identities.jwt", New: func() caddy.Module { return new(JWT) }}
}

var jwtWords = []string{"jwks", "cookie", "header", "issuer", "audience", "user", "groups", "algorithms"}

// UnmarshalCaddyfile reads:
//
//	jwt {
//		jwks <url>
//		cookie <name> | header <name>
//		issuer <text>
//		audience <text>
//		user <claim>
//		groups <claim>
//		algorithms <name>...
//	}
func (j *JWT) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		return d.Errf("identity jwt takes a block: %q is too much", d.Val())
	}
	once := map[string]bool{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		if once[word] {
			return d.Errf("%s stands twice in identity jwt: keep one", word)
		}
		once[word] = true
		var err error
		switch word {
		case "jwks":
			err = oneArg(d, &j.JWKS)
		case "cookie":
			err = oneArg(d, &j.Cookie)
		case "header":
			err = oneArg(d, &j.Header)
		case "issuer":
			err = oneArg(d, &j.Issuer)
		case "audience":
			err = oneArg(d, &j.Audience)
		case "user":
			err = oneArg(d, &j.User)
		case "groups":
			err = oneArg(d, &j.Groups)
		case "algorithms":
			if j.Algorithms = d.RemainingArgs(); len(j.Algorithms) == 0 {
				err = d.Err("algorithms needs at least one, such as RS256")
			}
		default:
			err = d.Errf("identity jwt does not know %q: write one of %s", word, strings.Join(jwtWords, ", "))
		}
		if err != nil {
			return err
		}
	}
	if j.JWKS == "" {
		return d.Err("identity jwt needs the address of the issuer's keys: `jwks https://id.example.com/jwks.json`")
	}
	return nil
}

// Provision checks the configuration; keys are fetched at the first token.
func (j *JWT) Provision(caddy.Context) error {
	repl := caddy.NewReplacer()
	source, err := identity.NewJWT(identity.JWTConfig{
		JWKS: repl.ReplaceKnown(j.JWKS, ""), Cookie: j.Cookie, Header: j.Header, Issuer: repl.ReplaceKnown(j.Issuer, ""),
		Audience: repl.ReplaceKnown(j.Audience, ""), User: j.User, Groups: j.Groups, Algorithms: j.Algorithms,
	})
	j.source = source
	return err
}

func (j *JWT) readsAuthorization() bool {
	return j.Cookie == "" && (j.Header == "" || strings.EqualFold(j.Header, "Authorization"))
}

// Identify implements identity.Source.
func (j *JWT) Identify(r *http.Request) (access.Person, error) { return j.source.Identify(r) }

// Interface guards
var (
	_ identity.Source       = (*JWT)(nil)
	_ caddy.Provisioner     = (*JWT)(nil)
	_ caddyfile.Unmarshaler = (*JWT)(nil)
)
