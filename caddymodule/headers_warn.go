package caddymodule

import (
	"cmp"
	"net"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// warnHeaders says loudly when an identity header is believed that nothing in
// front of the gate sets: whoever reaches the server can then write it (threat
// L1).
func (a *App) warnHeaders() {
	hosts := a.hosts()
	for name, s := range a.servers() {
		if behindProxy(s) {
			continue
		}
		for _, h := range unguarded(s.Routes, false) {
			a.log.Error("`identity header "+strings.Join(h.trusted, ", ")+"` is believed, and nothing in front of it sets it: there is no forward_auth before cadenas "+
				"and no trusted_proxies, so whoever reaches this server can be anybody; put forward_auth there, or let the server listen to your proxy only and name it in trusted_proxies",
				"server", name, "application", cmp.Or(h.Application, hosts[h]))
		}
	}
}

// behindProxy reports whether a server has a proxy in front of it, by its own
// configuration: it believes one, or only this machine reaches it.
func behindProxy(s *caddyhttp.Server) bool {
	for _, peer := range append(strangers, usual...) {
		if believes(s, peer) {
			return true
		}
	}
	for _, listen := range s.Listen {
		addr, err := caddy.ParseNetworkAddress(listen)
		if err != nil {
			return false
		}
		if ip := net.ParseIP(addr.Host); !addr.IsUnixNetwork() && addr.Host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return false
		}
	}
	return len(s.Listen) > 0
}

// unguarded returns the handlers that believe a header and that no handler
// comes before which may set it. Set says that one came before already.
func unguarded(routes caddyhttp.RouteList, set bool) []*Handler {
	var found []*Handler
	for _, route := range routes {
		here := set
		for _, handler := range route.Handlers {
			switch h := handler.(type) {
			case *Handler:
				if len(h.trusted) > 0 && !here {
					found = append(found, h)
				}
			case *caddyhttp.Subroute:
				found = append(found, unguarded(h.Routes, here)...)
			default:
				here = here || maySet(h)
			}
		}
		// What stands in the same list comes before what follows, unless it is
		// for another host.
		if !forHosts(route) {
			set = here
		}
	}
	return found
}

func forHosts(route caddyhttp.Route) bool {
	for _, matchers := range route.MatcherSets {
		for _, m := range matchers {
			if _, ok := m.(*caddyhttp.MatchHost); ok {
				return true
			}
		}
	}
	return false
}

// maySet reports whether a handler may put a header on the request:
// forward_auth is a reverse proxy with an answer of its own, and what comes
// from elsewhere is given the benefit of the doubt.
func maySet(handler caddyhttp.MiddlewareHandler) bool {
	m, ok := handler.(caddy.Module)
	if !ok {
		return true
	}
	switch strings.TrimPrefix(string(m.CaddyModule().ID), "http.handlers.") {
	case "vars", "encode", "rewrite", "static_response", "file_server", "log_append", "tracing", "templates", "map", "request_body",
		"push", "error", "metrics", "intercept", "cadenas_console", "copy_response", "copy_response_headers", "acme_server":
		return false
	}
	return true
}
