package fingerprint

import (
	"net/netip"
	"strings"
)

// ParseAddress reads the client's address as Caddy tells it (client_ip, or a
// socket's remote address): "203.0.113.7", "203.0.113.7:443", "[2001:db8::1]",
// "fe80::1%eth0". An IPv4-mapped address becomes IPv4 and a zone is dropped,
// so that one client has one address. What cannot be read, and the address of
// nobody (0.0.0.0, ::), is the invalid netip.Addr: the place is then unknown.
//
// No forwarding header is ever read here: whom to believe is decided by
// Caddy's trusted_proxies alone (threat L3).
func ParseAddress(s string) netip.Addr {
	if len(s) > 80 {
		return netip.Addr{}
	}
	s = strings.TrimSpace(s)
	a, err := netip.ParseAddr(s)
	if err != nil {
		if inner, ok := strings.CutPrefix(s, "["); ok && strings.HasSuffix(inner, "]") {
			a, err = netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		} else {
			var ap netip.AddrPort
			ap, err = netip.ParseAddrPort(s)
			a = ap.Addr()
		}
	}
	if err != nil {
		return netip.Addr{}
	}
	a = a.Unmap().WithZone("")
	if a.IsUnspecified() {
		return netip.Addr{}
	}
	return a
}
