package caddymodule

import (
	"net/http"
	"net/url"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// believes asks a server whether it believes what a peer says about the
// client's address, as it would for a request.
func believes(s *caddyhttp.Server, peer string) bool {
	r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/"}, Header: http.Header{}, RemoteAddr: peer, Host: "localhost"}
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), nil, s)
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	return trusted
}

// Addresses that stand for the whole internet (RFC 5737, RFC 3849) and for
// the networks on which proxies usually are.
var (
	strangers = []string{"203.0.113.1:443", "[2001:db8::1]:443"}
	usual     = []string{"127.0.0.1:443", "[::1]:443", "10.0.0.1:443", "172.16.0.1:443", "192.168.0.1:443", "[fd00::1]:443"}
)

const looseProxies = "trusted_proxies is set without trusted_proxies_strict: anybody can make up the left of X-Forwarded-For, and with it a known place; " +
	"add `servers { trusted_proxies_strict }` to the global options"

// warnProxies says loudly when the client's address can be made up (threat
// L3): the place rests on it.
func (a *App) warnProxies() {
	for name, s := range a.servers() {
		for _, peer := range strangers {
			if believes(s, peer) {
				a.log.Error("every client is believed about its own address (trusted_proxies holds the whole internet): places mean nothing; list your proxies only", "server", name)
				break
			}
		}
		for _, peer := range usual {
			if s.TrustedProxiesStrict == 0 && believes(s, peer) {
				a.log.Warn(looseProxies, "server", name)
				break
			}
		}
	}
}

// looseOnce warns of a proxy on an unusual network, at its first request.
type looseOnce struct{ once sync.Once }

func (l *looseOnce) look(s *site, from hop, r *http.Request) {
	if from.loose() {
		l.once.Do(func() { s.log.Warn(looseProxies, "server", from.server.Name(), "proxy", r.RemoteAddr) })
	}
}
