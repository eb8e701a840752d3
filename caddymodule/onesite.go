package caddymodule

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// apart refuses `cadenas` and `cadenas_console` in one site: a console on an
// application's origin is read by that application's own scripts (threat L12).
// It remembers by site which of the two it has met.
func apart(h httpcaddyfile.Helper, word, other string) error {
	site, ok := siteOf(h)
	if !ok {
		return nil // the check at the start says it, without the line
	}
	met := func(word string) string { return "cadenas.met " + word + " " + site }
	h.State[met(word)] = h.Line()
	line, ok := h.State[met(other)].(int)
	if !ok {
		return nil
	}
	return h.Errf("%s stands in the same site as %s (line %d): the console needs a host of its own, or the application's own pages could read it. "+
		"Write a second site, such as `gate.example.com {` `cadenas_console` `}`, and name it with `console https://gate.example.com` in the global cadenas block", word, other, line)
}

// siteOf names the site that a directive stands in, at any depth, by where its
// first address was written. Caddy keeps that to itself and shares both of its
// states between all sites (tried on v2.11.9), so it is read by reflection,
// which only looks; where Caddy names it otherwise one day, it is not told.
func siteOf(h httpcaddyfile.Helper) (string, bool) {
	block := reflect.ValueOf(h).FieldByName("parentBlock")
	if !block.IsValid() || block.Kind() != reflect.Struct {
		return "", false
	}
	keys := block.FieldByName("Keys")
	if !keys.IsValid() || keys.Kind() != reflect.Slice || keys.Len() == 0 {
		return "", false
	}
	file, line := keys.Index(0).FieldByName("File"), keys.Index(0).FieldByName("Line")
	if !file.IsValid() || file.Kind() != reflect.String || !line.IsValid() || !line.CanInt() {
		return "", false
	}
	return fmt.Sprintf("%s:%d", file.String(), line.Int()), true
}

// parts tells what a list of routes holds of ours, wherever it is nested.
func parts(routes caddyhttp.RouteList) (gate *Handler, console bool) {
	for _, route := range routes {
		for _, handler := range route.Handlers {
			switch h := handler.(type) {
			case *Handler:
				gate = h
			case *ConsoleHandler:
				console = true
			case *caddyhttp.Subroute:
				g, c := parts(h.Routes)
				if g != nil {
					gate = g
				}
				console = console || c
			}
		}
	}
	return gate, console
}

// checkConsole refuses what a Caddyfile is refused for too, whatever the
// configuration was written in, and a console that nobody serves: the links of
// mails and the waiting pages would lead nowhere.
func (a *App) checkConsole() error {
	servers := a.servers()
	if servers == nil {
		return nil // no site at all: nothing that could be wrong
	}
	for _, s := range servers {
		for _, route := range s.Routes {
			gate, console := parts(caddyhttp.RouteList{route})
			if gate != nil && console {
				return fmt.Errorf("application %s: a site has both `cadenas` and `cadenas_console`: give the console a host of its own, or the application's own pages could read it", gate.Application)
			}
		}
	}
	if a.Console != "" && !a.served {
		host := strings.TrimPrefix(strings.TrimPrefix(a.Console, "https://"), "http://")
		return fmt.Errorf("`console %s` is in the global cadenas block, but no site serves it: write a site `%s {` `cadenas_console` `}`, or take the line out", a.Console, host)
	}
	return nil
}
