package caddymodule

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// hop is who sent a request to Caddy: the client, or a proxy before it.
type hop struct {
	server  *caddyhttp.Server // nil where Caddy has none
	ip      string            // Caddy's client_ip
	trusted bool              // a proxy that the server believes
}

func hopOf(r *http.Request) hop {
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	return hopTo(server, r)
}

// hop is hopOf, of a request to a handler that may know its server.
func (h *Handler) hop(r *http.Request) hop {
	if h.server == nil {
		return hopOf(r)
	}
	return hopTo(h.server, r)
}

func hopTo(server *caddyhttp.Server, r *http.Request) hop {
	vars, _ := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	h := hop{server: server}
	h.ip, _ = vars[caddyhttp.ClientIPVarKey].(string)
	h.trusted, _ = vars[caddyhttp.TrustedProxyVarKey].(bool)
	return h
}

// loose reports that the server believes what the client wrote before its
// proxy.
func (h hop) loose() bool { return h.trusted && h.server != nil && h.server.TrustedProxiesStrict == 0 }

// https reports whether the browser's connection is sealed; proto is the
// X-Forwarded-Proto of r.
func (h hop) https(r *http.Request, proto string) bool {
	return r.TLS != nil || h.trusted && (proto == "https" || strings.EqualFold(strings.TrimSpace(proto), "https"))
}

// isHTTPS is https, of who sent r.
func isHTTPS(r *http.Request) bool { return hopOf(r).https(r, r.Header.Get("X-Forwarded-Proto")) }

// clientIP is clientIP, of who sent r.
func clientIP(r *http.Request) string {
	return hopOf(r).clientIP(r, r.Header["X-Forwarded-For"])
}

// clientIP is Caddy's client_ip, the only thing the gate believes about an
// address. It is empty, and the place then unknown, where a trusted proxy
// wrote something that is no address: Caddy skips that, and would go on to
// what the client itself wrote (threat L3). Forwarded are the lines of r's
// X-Forwarded-For.
func (h hop) clientIP(r *http.Request, forwarded []string) string {
	ip, server := h.ip, h.server
	if !h.trusted || server == nil || h.loose() {
		return ip // the operator was warned
	}
	var client netip.Addr // ip, read where a proxy wrote it in another way
	for _, name := range server.ClientIPHeaders {
		lines := forwarded
		if name != "X-Forwarded-For" {
			lines = r.Header[name]
		}
		for i := len(lines) - 1; i >= 0; i-- {
			parts := lines[i]
			for more := true; more; {
				var part string
				part, parts, more = cutLast(parts)
				if part == ip {
					return ip
				}
				address, ok := hopAddress(part)
				if !ok {
					return ""
				}
				if !client.IsValid() {
					var err error
					if client, err = netip.ParseAddr(ip); err != nil {
						return ""
					}
				}
				if address == client {
					return ip
				}
			}
		}
	}
	return ip
}

// cutLast cuts the last entry off a list with commas.
func cutLast(list string) (last, rest string, more bool) {
	i := strings.LastIndexByte(list, ',')
	if i < 0 {
		return list, "", false
	}
	return list[i+1:], list[:i], true
}

// hopAddress reads one entry as Caddy reads it.
func hopAddress(part string) (netip.Addr, bool) {
	plain, _, _ := strings.Cut(strings.TrimSpace(part), "%")
	if address, err := netip.ParseAddr(plain); err == nil {
		return address, true
	}
	host, _, err := net.SplitHostPort(part)
	if err != nil {
		host = part
	}
	host, _, _ = strings.Cut(strings.TrimSpace(host), "%")
	address, err := netip.ParseAddr(host)
	return address, err == nil
}
