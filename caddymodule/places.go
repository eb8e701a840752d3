package caddymodule

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/fingerprint"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/places"
)

func init() { caddy.RegisterModule(MMDB{}) }

// PlaceSource is a guest module of cadenas.places that tells a place from an
// address. It fills in what files do not know; what it cannot tell stays
// empty. It must not ask over the network while a request waits.
type PlaceSource interface {
	Place(address netip.Addr) access.Place
}

// MMDB reads places from MaxMind-format files.
type MMDB struct {
	// Files are the paths; what one does not know the next one may.
	Files []string `json:"files"`
}

// CaddyModule returns the Caddy module information.
func (MMDB) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "cadenas.places.mmdb", New: func() caddy.Module { return new(MMDB) }}
}

// UnmarshalCaddyfile reads `mmdb <file>...`.
func (m *MMDB) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if m.Files = d.RemainingArgs(); len(m.Files) == 0 {
		return d.Err("mmdb needs at least one file")
	}
	return nil
}

// loadPlaces reads the geo files and named networks. A file that is missing or
// broken is an error here, before anything starts.
func (a *App) loadPlaces(ctx caddy.Context, repl *caddy.Replacer) error {
	conf := places.Config{Log: a.log}
	for _, n := range a.Networks {
		one := places.Network{Name: n.Name}
		for _, text := range n.Prefixes {
			p, err := places.ParsePrefix(repl.ReplaceKnown(text, ""))
			if err != nil {
				return fmt.Errorf("place %s: %w", n.Name, err)
			}
			one.Prefixes = append(one.Prefixes, p)
		}
		conf.Networks = append(conf.Networks, one)
	}
	if a.PlacesRaw != nil {
		mods, err := ctx.LoadModule(a, "PlacesRaw")
		if err != nil {
			return fmt.Errorf("loading places: %w", err)
		}
		for _, m := range mods.([]any) {
			switch m := m.(type) {
			case *MMDB:
				for _, f := range m.Files {
					conf.Files = append(conf.Files, repl.ReplaceKnown(f, ""))
				}
			case PlaceSource:
				a.sources = append(a.sources, m)
			default:
				return fmt.Errorf("places: %T tells no places", m)
			}
		}
	}
	book, err := places.Open(conf)
	if err != nil {
		return err
	}
	a.places = book
	return nil
}

// place is where an address is, for one user.
func (run *running) place(address netip.Addr, user string) access.Place {
	p := run.app.places.Lookup(address, user)
	for _, s := range run.app.sources {
		if p.City != "" || p.Private || !address.IsValid() {
			break
		}
		more := s.Place(address)
		if p.City == "" {
			p.City, p.Region = more.City, more.Region
		}
		if p.Country == "" {
			p.Country = more.Country
		}
		if p.Owner == "" {
			p.Owner = more.Owner
		}
		if !p.Located && more.Located {
			p.Located, p.Latitude, p.Longitude = true, more.Latitude, more.Longitude
		}
	}
	return p
}

// fingerprint is what a user agent shows.
func (run *running) fingerprint(userAgent string) fingerprint.Agent {
	return run.state.reader.Agents.Parse(context.Background(), map[string][]string{"User-Agent": {userAgent}})
}

func placeParts(p access.Place) lang.PlaceParts {
	parts := lang.PlaceParts{Name: p.Name, City: p.City, Region: p.Region, Country: p.Country, Owner: p.Owner, Private: p.Private}
	if p.Address.IsValid() {
		parts.Address = p.Address.String()
	}
	return parts
}
