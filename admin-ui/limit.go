package adminui

import (
	"net/netip"
	"sync"
	"time"
)

// signInLimits bound how many sign-in mails are asked for, by address, by
// network, by admin and in all. They live in memory: a restart forgives, and
// several instances allow a little more.
type signInLimits struct {
	address, network, admin, all *counters
	// passkey counts the answers of passkeys, by address.
	passkey *counters
}

// all is a counter of its own kind with one name.
const everybody = "*"

func newSignInLimits(clock func() time.Time) signInLimits {
	return signInLimits{
		address: newCounters(clock, 10, time.Hour),
		network: newCounters(clock, 30, time.Hour),
		admin:   newCounters(clock, 5, time.Hour),
		all:     newCounters(clock, 300, time.Hour),
		passkey: newCounters(clock, 60, time.Hour),
	}
}

// allow counts one ask from an address, and reports whether it is within
// bounds.
func (l signInLimits) allow(address string) bool {
	ok := l.all.allow(everybody)
	a, err := netip.ParseAddr(address)
	if err != nil {
		return ok && l.address.allow("") // those that cannot be told share one
	}
	a = a.Unmap().WithZone("")
	bits := 24
	if a.Is6() {
		bits = 56
	}
	network, err := a.Prefix(bits)
	if err != nil {
		return false
	}
	inAddress, inNetwork := l.address.allow(a.String()), l.network.allow(network.String())
	return ok && inAddress && inNetwork
}

// counters count by name within a window. When there are too many names, the
// whole window is closed rather than memory filled.
type counters struct {
	clock  func() time.Time
	limit  int
	window time.Duration

	mu    sync.Mutex
	since time.Time
	count map[string]int
}

const maxCounters = 20_000

func newCounters(clock func() time.Time, limit int, window time.Duration) *counters {
	return &counters{clock: clock, limit: limit, window: window, count: map[string]int{}}
}

func (c *counters) allow(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock()
	if age := now.Sub(c.since); age >= c.window || age < 0 {
		c.since = now
		clear(c.count)
	}
	n, known := c.count[name]
	if !known && len(c.count) >= maxCounters {
		return false
	}
	c.count[name] = n + 1
	return n < c.limit
}
