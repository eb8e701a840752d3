package caddymodule

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// clientIP is Caddy's client_ip, the only thing the gate believes about an
// address. It is empty, and the place then unknown, where a trusted proxy
// wrote something that is no address: Caddy skips that, and would go on to
// what the client itself wrote (threat L3).
func clientIP(r *http.Request) string {
	vars, _ := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	ip, _ := vars[caddyhttp.ClientIPVarKey].(string)
	if trusted, _ := vars[caddyhttp.TrustedProxyVarKey].(bool); !trusted {
		return ip
	}
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if server == nil || server.TrustedProxiesStrict == 0 {
		return ip // the operator was warned
	}
	client, err := netip.ParseAddr(ip)
	if err != nil {
		return ""
	}
	for _, name := range server.ClientIPHeaders {
		for i := len(r.Header[name]) - 1; i >= 0; i-- {
			parts := r.Header[name][i]
			for more := true; more; {
				var part string
				part, parts, more = cutLast(parts)
				if part == ip {
					return ip
				}
				hop, ok := hopAddress(part)
				if !ok {
					return ""
				}
				if hop == client {
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
