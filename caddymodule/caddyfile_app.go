package caddymodule

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/cadenas-gateway/cadenas/places"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("cadenas", parseApp)
}

// parseApp reads the global block:
//
//	cadenas {
//		store bolt|redis|memory ...
//		keys <path or placeholder>
//		places <file.mmdb>...
//		place <name> <address or prefix>...
//		console <url>
//		languages <tag>...
//		admin <name> <e-mail> [<mobile>] { ... }
//		notify <channel> ...
//		biopass { ... }
//		requests expire <duration>
//		limits { ... }
//	}
func parseApp(d *caddyfile.Dispenser, existing any) (any, error) {
	if existing != nil {
		return nil, d.Err("the global block has `cadenas` twice: put everything into one")
	}
	app := new(App)
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "cadenas", Value: caddyconfig.JSON(app, nil)}, nil
}

var appWords = []string{"store", "keys", "places", "place", "console", "languages", "admin", "notify", "biopass", "requests", "limits"}

// UnmarshalCaddyfile reads the global block.
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		return d.Errf("cadenas takes no word %q here: open a block, `cadenas {`", d.Val())
	}
	once := map[string]bool{}
	for d.NextBlock(0) {
		word := d.Val()
		switch word {
		case "places", "place", "admin", "notify":
		default:
			if once[word] {
				return d.Errf("%s stands twice: keep one", word)
			}
			once[word] = true
		}
		if err := a.unmarshalWord(d, word); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) unmarshalWord(d *caddyfile.Dispenser, word string) error {
	switch word {
	case "store":
		return moduleInto(d, "cadenas.stores", "backend", "store", &a.StoreRaw)
	case "keys":
		return oneArg(d, &a.Keys)
	case "places":
		files := d.RemainingArgs()
		if len(files) == 0 {
			return d.Err("places needs at least one file: `places GeoLite2-City.mmdb`")
		}
		raw := caddyconfig.JSONModuleObject(&MMDB{Files: files}, "source", "mmdb", nil)
		a.PlacesRaw = append(a.PlacesRaw, raw)
		return nil
	case "place":
		return a.unmarshalPlace(d)
	case "console":
		if err := oneArg(d, &a.Console); err != nil {
			return err
		}
		return checkURL(d, "console", a.Console)
	case "languages":
		a.Languages = d.RemainingArgs()
		if len(a.Languages) == 0 {
			return d.Err("languages needs at least one of: en, fr")
		}
		for _, l := range a.Languages {
			if l != "en" && l != "fr" {
				return d.Errf("language %q is not there: write en, fr or both", l)
			}
		}
		return nil
	case "admin":
		return a.unmarshalAdmin(d)
	case "notify":
		var raw json.RawMessage
		if err := moduleInto(d, "cadenas.notifiers", "channel", "notify", &raw); err != nil {
			return err
		}
		a.NotifyRaw = append(a.NotifyRaw, raw)
		return nil
	case "biopass":
		return a.unmarshalBiopass(d)
	case "requests":
		return a.unmarshalRequests(d)
	case "limits":
		return a.unmarshalLimits(d)
	}
	return d.Errf("cadenas does not know %q: write one of %s", word, strings.Join(appWords, ", "))
}

func (a *App) unmarshalPlace(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) < 2 {
		return d.Err("place needs a name and at least one address or prefix: `place \"Laval centre\" 203.0.113.0/24`")
	}
	for _, text := range args[1:] {
		if _, err := places.ParsePrefix(text); err != nil && !strings.HasPrefix(text, "{") {
			return d.Errf("place %s: %v", args[0], err)
		}
	}
	a.Networks = append(a.Networks, Network{Name: args[0], Prefixes: args[1:]})
	return nil
}

func (a *App) unmarshalAdmin(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) < 2 || len(args) > 3 {
		return d.Err("admin needs a name and an e-mail, and takes a mobile number: `admin \"Marie Roy\" marie@example.com +15145550100`")
	}
	ad := Admin{Name: args[0], Email: args[1]}
	if !strings.Contains(ad.Email, "@") {
		return d.Errf("%q is no e-mail address: write the name first (in quotes), then the address", ad.Email)
	}
	if len(args) == 3 {
		ad.Mobile = args[2]
		if !strings.HasPrefix(ad.Mobile, "+") && !strings.HasPrefix(ad.Mobile, "{") {
			return d.Errf("mobile %q needs the country in front: +15145550100", ad.Mobile)
		}
	}
	for _, other := range a.Admins {
		if strings.EqualFold(other.Email, ad.Email) {
			return d.Errf("admin %s stands twice: keep one", ad.Email)
		}
	}
	once := map[string]bool{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		if once[word] && word != "user" {
			return d.Errf("%s stands twice for admin %s: keep one", word, ad.Email)
		}
		once[word] = true
		args := d.RemainingArgs()
		switch word {
		case "language":
			if len(args) != 1 || (args[0] != "en" && args[0] != "fr") {
				return d.Err("language takes one of: en, fr")
			}
			ad.Language = args[0]
		case "user":
			if len(args) != 2 {
				return d.Err("user takes an application and a name: `user sdg mroy`")
			}
			if ad.Users == nil {
				ad.Users = map[string]string{}
			}
			ad.Users[args[0]] = args[1]
		case "applications":
			if len(args) == 0 {
				return d.Err("applications needs at least one application; leave it out for all")
			}
			ad.Applications = args
		case "notify":
			steps, err := parseNotifyOrder(args)
			if err != nil {
				return d.Err(err.Error())
			}
			ad.Notify = steps
		case "quiet":
			if len(args) != 2 || !isClock(args[0]) || !isClock(args[1]) {
				return d.Err("quiet takes two times of day: `quiet 22:00 06:00`")
			}
			ad.QuietFrom, ad.QuietTo = args[0], args[1]
		default:
			return d.Errf("admin does not know %q: write one of language, user, applications, notify, quiet", word)
		}
	}
	a.Admins = append(a.Admins, ad)
	return nil
}

func (a *App) unmarshalRequests(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 2 || args[0] != "expire" {
		return d.Err("requests takes expire and a duration: `requests expire 60d`")
	}
	dur, err := caddy.ParseDuration(args[1])
	if err != nil || requestsExpire.checkLife(dur) != nil {
		return d.Err(requestsExpire.outside(args[1]).Error())
	}
	a.RequestsExpire = caddy.Duration(dur)
	return nil
}

// moduleInto reads `word <name> ...` as guest module namespace.name.
func moduleInto(d *caddyfile.Dispenser, namespace, inline, word string, into *json.RawMessage) error {
	if !d.NextArg() {
		return d.Errf("%s needs one of: %s", word, strings.Join(guests(namespace), ", "))
	}
	name := d.Val()
	if !slices.Contains(guests(namespace), name) {
		return d.Errf("%s does not know %q: write one of %s", word, name, strings.Join(guests(namespace), ", "))
	}
	unm, err := caddyfile.UnmarshalModule(d, namespace+"."+name)
	if err != nil {
		return err
	}
	*into = caddyconfig.JSONModuleObject(unm, inline, name, nil)
	return nil
}

// guests names the modules of a namespace, for error messages.
func guests(namespace string) []string {
	var names []string
	for _, m := range caddy.GetModules(namespace) {
		names = append(names, strings.TrimPrefix(string(m.ID), namespace+"."))
	}
	slices.Sort(names)
	return names
}

func oneArg(d *caddyfile.Dispenser, into *string) error {
	word := d.Val()
	if !d.NextArg() {
		return d.Errf("%s needs a value", word)
	}
	*into = d.Val()
	if d.NextArg() {
		return d.Errf("%s takes one value: %q is too much", word, d.Val())
	}
	return nil
}

func noArgs(d *caddyfile.Dispenser) error {
	word := d.Val()
	if d.NextArg() {
		return d.Errf("%s takes no value: %q is too much", word, d.Val())
	}
	return nil
}

func checkURL(d *caddyfile.Dispenser, word, text string) error {
	if strings.HasPrefix(text, "{") {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || strings.Trim(u.Path, "/") != "" {
		return d.Errf("%s takes the address of a host of its own: `%s https://gate.example.com`", word, word)
	}
	return nil
}

func isClock(s string) bool {
	_, err := parseClock(s)
	return err == nil
}
