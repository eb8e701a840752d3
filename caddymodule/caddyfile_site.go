package caddymodule

import (
	"encoding/json"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("cadenas", parseSite)
	httpcaddyfile.RegisterDirectiveOrder("cadenas", httpcaddyfile.After, "forward_auth")
	httpcaddyfile.RegisterHandlerDirective("cadenas_console", parseConsole)
	httpcaddyfile.RegisterDirectiveOrder("cadenas_console", httpcaddyfile.Before, "respond")
}

// parseSite reads the site directive:
//
//	cadenas [<matcher>] [<application>] {
//		login <path> { ... }
//		identity header <name> | placeholder <p> | basic | jwt { ... } | device
//		public <path[?query]>...
//		exempt path <path>... | user <name>... | group <name>...
//		unknown device|place|browser|combination allow|biopass|approval|refuse
//		same place address|network|city|country|owner...
//		same browser family|version
//		biopass always|required|optional|off [<day>] [every <duration>] [passkey]
//		padlock open|closed
//		grant_for <duration>
//		self sms|mail|off
//		hold <duration>
//		unbound adopt|relogin
//		cookie_domain <domain>
//		intercept <url>
//		factors_header <name>
//		badge
//	}
func parseSite(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	h.Next()
	if err := apart(h, "cadenas", "cadenas_console"); err != nil {
		return nil, err
	}
	h.Reset()
	handler := new(Handler)
	if err := handler.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	return handler, nil
}

var siteWords = []string{
	"login", "identity", "public", "exempt", "unknown", "same", "biopass", "padlock", "grant_for",
	"self", "hold", "unbound", "cookie_domain", "intercept", "factors_header", "badge",
}

// UnmarshalCaddyfile reads the site directive.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		h.Application = d.Val()
		if d.NextArg() {
			return d.Errf("cadenas takes one application name: %q is too much", d.Val())
		}
		if h.Application == "_" || strings.ContainsAny(h.Application, "\x00\n") {
			return d.Errf("%q cannot name an application: take the site's host or a short word", h.Application)
		}
	}
	once := map[string]bool{}
	for d.NextBlock(0) {
		word := d.Val()
		switch word {
		case "identity", "public", "exempt", "unknown", "same":
		default:
			if once[word] {
				return d.Errf("%s stands twice: keep one", word)
			}
			once[word] = true
		}
		if err := h.unmarshalWord(d, word); err != nil {
			return err
		}
	}
	if h.Biopass != nil && h.Biopass.Mode == "always" {
		if err := h.validateAlways(); err != nil {
			return h.biopassAt.WrapErr(err)
		}
	}
	return nil
}

func (h *Handler) unmarshalWord(d *caddyfile.Dispenser, word string) error {
	switch word {
	case "login":
		return h.unmarshalLogin(d)
	case "identity":
		var raw json.RawMessage
		if err := moduleInto(d, "cadenas.identities", "source", "identity", &raw); err != nil {
			return err
		}
		h.IdentitiesRaw = append(h.IdentitiesRaw, raw)
		return nil
	case "public":
		args := d.RemainingArgs()
		if len(args) == 0 {
			return d.Err("public needs at least one path: `public /assets/app.css`")
		}
		for _, p := range args {
			if !strings.HasPrefix(p, "/") {
				return d.Errf("public path %q must begin with /", p)
			}
		}
		h.Public = append(h.Public, args...)
		return nil
	case "exempt":
		return h.unmarshalExempt(d)
	case "unknown":
		return h.unmarshalUnknown(d)
	case "same":
		return h.unmarshalSame(d)
	case "biopass":
		return h.unmarshalBiopass(d)
	case "padlock":
		return oneOf(d, &h.Padlock, "open", "closed")
	case "grant_for":
		return duration(d, &h.GrantFor)
	case "self":
		return oneOf(d, &h.Self, "sms", "mail", "off")
	case "hold":
		return duration(d, &h.Hold)
	case "unbound":
		return oneOf(d, &h.Unbound, "adopt", "relogin")
	case "cookie_domain":
		return oneArg(d, &h.CookieDomain)
	case "intercept":
		if err := oneArg(d, &h.Intercept); err != nil {
			return err
		}
		return checkURL(d, "intercept", h.Intercept)
	case "badge":
		h.Badge = true
		return noArgs(d)
	case "factors_header":
		return oneArg(d, &h.FactorsHeader)
	}
	return d.Errf("cadenas does not know %q: write one of %s", word, strings.Join(siteWords, ", "))
}

func (h *Handler) unmarshalLogin(d *caddyfile.Dispenser) error {
	l := new(Login)
	if !d.NextArg() {
		return d.Err("login needs the path that the form is posted to: `login /login`")
	}
	l.Path = d.Val()
	if !strings.HasPrefix(l.Path, "/") {
		return d.Errf("login path %q must begin with /", l.Path)
	}
	if d.NextArg() {
		return d.Errf("login takes one path: %q is too much", d.Val())
	}
	once := map[string]bool{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		if once[word] && word != "success" {
			return d.Errf("%s stands twice in login: keep one", word)
		}
		once[word] = true
		args := d.RemainingArgs()
		switch word {
		case "user":
			if len(args) != 1 {
				return d.Err("user takes the name of the form field, or a JSON path: `user email`")
			}
			l.User = args[0]
		case "session":
			if len(args) == 0 {
				return d.Err("session takes the names of the session cookies, * stands for anything: `session DW*`")
			}
			l.Session = args
		case "token":
			if len(args) != 1 {
				return d.Err("token takes the JSON path of the token in the login's answer: `token access_token`")
			}
			l.Token = args[0]
		case "success":
			if len(args) == 0 {
				return d.Err("success takes status, cookie, location, json, page or whoami, and what to look for: `success status 303`")
			}
			l.Success = append(l.Success, args)
		case "second":
			if len(args) == 0 {
				return d.Err("second takes the paths of the step that the backend asks for after the password: `second /login/code`")
			}
			for _, path := range args {
				if !strings.HasPrefix(path, "/") {
					return d.Errf("second %q is no path: it must begin with /", path)
				}
			}
			l.Second = args
		case "whoami":
			if len(args) != 2 {
				return d.Err("whoami takes a path and the JSON path of the name in its answer: `whoami /api/me user.name`")
			}
			l.Whoami = &Whoami{Path: args[0], Name: args[1]}
		case "logout":
			if len(args) != 1 || !strings.HasPrefix(args[0], "/") {
				return d.Err("logout takes the path that signs out: `logout /logout`")
			}
			l.Logout = args[0]
		default:
			return d.Errf("login does not know %q: write one of user, session, token, success, second, whoami, logout", word)
		}
	}
	h.Login = l
	return nil
}

func (h *Handler) unmarshalExempt(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) < 2 {
		return d.Err("exempt takes path, user or group, and what is exempt: `exempt path /parents/*`")
	}
	if h.Exempt == nil {
		h.Exempt = new(Exempt)
	}
	switch args[0] {
	case "path":
		for _, p := range args[1:] {
			if !strings.HasPrefix(p, "/") || strings.Contains(strings.TrimSuffix(p, "*"), "*") {
				return d.Errf("exempt path %q: write a path that begins with /, with at most one * at its end", p)
			}
		}
		h.Exempt.Path = append(h.Exempt.Path, args[1:]...)
	case "user":
		h.Exempt.User = append(h.Exempt.User, args[1:]...)
	case "group":
		h.Exempt.Group = append(h.Exempt.Group, args[1:]...)
	default:
		return d.Errf("exempt does not know %q: write path, user or group", args[0])
	}
	return nil
}

func (h *Handler) unmarshalUnknown(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Err("unknown takes device, place, browser or combination, and allow, biopass, approval or refuse: `unknown device approval`")
	}
	if h.Unknown == nil {
		h.Unknown = new(Unknown)
	}
	fields := map[string]*string{
		"device": &h.Unknown.Device, "place": &h.Unknown.Place, "browser": &h.Unknown.Browser, "combination": &h.Unknown.Combination,
	}
	f, ok := fields[args[0]]
	if !ok {
		return d.Errf("unknown does not know %q: write device, place, browser or combination", args[0])
	}
	if *f != "" {
		return d.Errf("unknown %s stands twice: keep one", args[0])
	}
	switch args[1] {
	case "allow", "approval", "refuse":
		*f = args[1]
		return nil
	case "biopass":
		*f = args[1]
		return nil
	}
	return d.Errf("unknown %s does not know %q: write allow, biopass, approval or refuse", args[0], args[1])
}

func (h *Handler) unmarshalSame(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) < 2 {
		return d.Err("same takes place or browser, and what is compared: `same place city owner`")
	}
	if h.Same == nil {
		h.Same = new(Same)
	}
	switch args[0] {
	case "place":
		if h.Same.Place != nil {
			return d.Err("same place stands twice: keep one")
		}
		for _, w := range args[1:] {
			switch w {
			case "address", "network", "city", "country", "owner":
			default:
				return d.Errf("same place does not know %q: write address, network, city, country or owner", w)
			}
		}
		h.Same.Place = args[1:]
	case "browser":
		if h.Same.Browser != "" {
			return d.Err("same browser stands twice: keep one")
		}
		if len(args) != 2 || (args[1] != "family" && args[1] != "version") {
			return d.Err("same browser takes family or version")
		}
		h.Same.Browser = args[1]
	default:
		return d.Errf("same does not know %q: write place or browser", args[0])
	}
	return nil
}

func oneOf(d *caddyfile.Dispenser, into *string, words ...string) error {
	word := d.Val()
	if err := oneArg(d, into); err != nil {
		return err
	}
	for _, w := range words {
		if *into == w {
			return nil
		}
	}
	return d.Errf("%s does not know %q: write %s", word, *into, strings.Join(words, " or "))
}

func duration(d *caddyfile.Dispenser, into *caddy.Duration) error {
	word := d.Val()
	var text string
	if err := oneArg(d, &text); err != nil {
		return err
	}
	v, err := caddy.ParseDuration(text)
	if err != nil || v <= 0 {
		return d.Errf("%s takes a duration: write 60s, 12h or 90d, not %q", word, text)
	}
	*into = caddy.Duration(v)
	return nil
}

func parseConsole(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	h.Next()
	if err := apart(h, "cadenas_console", "cadenas"); err != nil {
		return nil, err
	}
	if h.NextArg() {
		return nil, h.Errf("cadenas_console takes no value: %q is too much", h.Val())
	}
	for h.NextBlock(0) {
		return nil, h.Errf("cadenas_console takes no block: %q is too much", h.Val())
	}
	return new(ConsoleHandler), nil
}
