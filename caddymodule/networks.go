package caddymodule

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/places"
)

// readNetworks takes over the names that the console gave to networks.
func (run *running) readNetworks(ctx context.Context) error {
	kept, err := run.state.books.Networks.All(ctx)
	if err != nil {
		return fmt.Errorf("reading named networks: %w", err)
	}
	var added []places.Network
	for _, n := range kept {
		one := places.Network{Name: n.Name, User: n.User}
		for _, text := range n.Prefixes {
			p, err := places.ParsePrefix(text)
			if err != nil {
				return fmt.Errorf("named network %q: %w", n.Name, err)
			}
			one.Prefixes = append(one.Prefixes, p)
		}
		added = append(added, one)
	}
	if err := run.app.places.SetNetworks(added); err != nil {
		return fmt.Errorf("named networks: %w", err)
	}
	return nil
}

// fixedNetworks are those that the configuration names.
func (run *running) fixedNetworks() []places.Network {
	fixed, _ := run.app.places.Networks()
	return fixed
}

// placeNow tells where an address is, by the names of today.
func (run *running) placeNow(a netip.Addr, user string) access.Place {
	return run.app.places.Lookup(a, user)
}
