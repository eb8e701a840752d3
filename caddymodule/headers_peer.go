package caddymodule

import (
	"net/http"
	"reflect"
	"slices"
	"sync"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// peersOnly says, once it was asked, whether identity headers are believed of
// trusted proxies only.
type peersOnly struct {
	once sync.Once
	only bool
	told sync.Once
}

// believesPeer reports whether an identity header may stay on a request: not
// where no handler before this one sets it, trusted_proxies names proxies, and
// the peer is none of them. Whoever reaches the server round its proxy could
// else be anybody (threat L1).
func (h *Handler) believesPeer(r *http.Request, from hop) bool {
	if h.peers == nil { // not provisioned
		return true
	}
	h.peers.once.Do(func() {
		h.peers.only = from.server != nil && namesProxies(from.server) && slices.Contains(unguarded(from.server.Routes, false), h)
	})
	if !h.peers.only || from.trusted {
		return true
	}
	h.peers.told.Do(func() {
		h.app.log.Warn("an identity header came from a peer that is none of the trusted_proxies: it is taken off", "peer", r.RemoteAddr)
	})
	return false
}

// namesProxies reports whether a server has trusted_proxies. Caddy forgets
// their configuration once it is loaded, and keeps what came of it to itself.
func namesProxies(s *caddyhttp.Server) bool {
	field := reflect.ValueOf(s).Elem().FieldByName("trustedProxies")
	return field.IsValid() && field.Kind() == reflect.Interface && !field.IsNil()
}
