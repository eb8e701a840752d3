package places

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Network is a name that was given to addresses.
type Network struct {
	Name     string
	Prefixes []netip.Prefix
	// User is the one person the name is for ("home"); empty names the
	// network for everybody.
	User string
}

// ParsePrefix reads a network ("203.0.113.0/24") or one address. An
// IPv4-mapped network is that of IPv4. Host bits that are set are an error:
// more often a slip of the hand than meant.
func ParsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		if a.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("address %q has a zone: leave it out", s)
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a network: write 203.0.113.7, 203.0.113.0/24 or 2001:db8:7::/48", s)
	}
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	if m := p.Masked(); m != p {
		return netip.Prefix{}, fmt.Errorf("%q has bits set behind its length: write %s for the network, or %s for the address", s, m, p.Addr())
	}
	return p, nil
}

// named finds the name of an address: one map for each length of prefix, the
// longest first.
type named struct {
	lengths []length
}

type length struct {
	bits4, bits6 int // the prefix length in IPv4 or IPv6; -1 for the other
	names        map[netip.Prefix][]owner
}

// owner is who a name is for, and the name.
type owner struct{ user, name string }

// newNamed builds the table, or says what is wrong with the list.
func newNamed(networks []Network) (*named, error) {
	tables := map[[2]int]map[netip.Prefix][]owner{}
	personal := map[string]string{}
	for _, n := range networks {
		if strings.TrimSpace(n.Name) == "" {
			return nil, fmt.Errorf("a network has no name")
		}
		if len(n.Prefixes) == 0 {
			return nil, fmt.Errorf("network %q has no address: add one, like 203.0.113.0/24", n.Name)
		}
		if n.User != "" {
			personal[n.Name] = n.User
		}
	}
	for _, n := range networks {
		if user, ok := personal[n.Name]; ok && n.User == "" {
			// A rule for the one would let in from the other.
			return nil, fmt.Errorf("network %q is named for everybody and for %s: choose another name for one of them", n.Name, user)
		}
		for _, p := range n.Prefixes {
			if !p.IsValid() {
				return nil, fmt.Errorf("network %q has an address that cannot be read", n.Name)
			}
			if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
				p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
			}
			p = p.Masked()
			key := [2]int{-1, p.Bits()}
			if p.Addr().Is4() {
				key = [2]int{p.Bits(), -1}
			}
			if tables[key] == nil {
				tables[key] = map[netip.Prefix][]owner{}
			}
			for _, o := range tables[key][p] {
				if o.user == n.User && o.name != n.Name {
					return nil, fmt.Errorf("%s is named both %q and %q", p, o.name, n.Name)
				}
			}
			tables[key][p] = append(tables[key][p], owner{n.User, n.Name})
		}
	}
	t := &named{}
	for key, names := range tables {
		t.lengths = append(t.lengths, length{key[0], key[1], names})
	}
	slices.SortFunc(t.lengths, func(a, b length) int {
		return max(b.bits4, b.bits6) - max(a.bits4, a.bits6)
	})
	return t, nil
}

// name returns the name of the smallest named network around a: the user's
// own before everybody's where both name the same one.
func (t *named) name(a netip.Addr, user string) (name, nameFor string) {
	for i := range t.lengths {
		l := &t.lengths[i]
		bits := l.bits6
		if a.Is4() {
			bits = l.bits4
		}
		if bits < 0 {
			continue
		}
		p, err := a.Prefix(bits)
		if err != nil {
			continue
		}
		shared := ""
		for _, o := range l.names[p] {
			switch o.user {
			case "":
				shared = o.name
			case user:
				return o.name, user
			}
		}
		if shared != "" {
			return shared, ""
		}
	}
	return "", ""
}
