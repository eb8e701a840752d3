package places

import "net/netip"

// Private kinds of address, which no file of places knows.
const (
	Loopback    = "loopback"
	LinkLocal   = "link-local"
	PrivateNet  = "private"
	CarrierNAT  = "carrier"
	Multicast   = "multicast"
	Unspecified = "unspecified"
)

// carrier is the range that providers put between themselves and their
// customers (RFC 6598); its addresses say nothing of a place.
var carrier = netip.MustParsePrefix("100.64.0.0/10")

// PrivateKind names what kind of private address a is, or "" for one of the
// public internet. An address that is not valid is "".
func PrivateKind(a netip.Addr) string {
	a = a.Unmap()
	switch {
	case !a.IsValid():
		return ""
	case a.IsUnspecified():
		return Unspecified
	case a.IsLoopback():
		return Loopback
	case a.IsLinkLocalUnicast():
		return LinkLocal
	case a.IsPrivate():
		return PrivateNet
	case carrier.Contains(a):
		return CarrierNAT
	case a.IsMulticast():
		return Multicast
	}
	return ""
}
