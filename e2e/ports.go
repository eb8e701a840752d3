package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Ports below the range from which the kernel takes those of outgoing
// connections, so that a free one stays free until it is listened on.
const (
	firstPort = 20000
	lastPort  = 32000
)

var ports struct {
	sync.Mutex
	given map[int]bool
}

// FreePort returns a port that nothing listens on, and that no earlier call
// returned.
func FreePort(t testing.TB) int {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	if ports.given == nil {
		ports.given = make(map[int]bool)
	}
	for range 1000 {
		//nolint:gosec // which port it is need not be a secret
		port := firstPort + rand.IntN(lastPort-firstPort)
		if !ports.given[port] && free(port) {
			ports.given[port] = true
			return port
		}
	}
	t.Fatal("no free port on this machine")
	return 0
}

// free reports whether nothing listens on a port of either loopback address.
func free(port int) bool {
	for _, host := range []string{"127.0.0.1", "::1"} {
		socket, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			if host == "::1" && !hasIPv6() {
				continue
			}
			return false
		}
		_ = socket.Close()
	}
	return true
}

var hasIPv6 = sync.OnceValue(func() bool {
	socket, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return false
	}
	_ = socket.Close()
	return true
})

// Site is one site on this machine: a name that ends in .localhost, and a
// port.
type Site struct {
	// Scheme is http, or https where a test asks for it.
	Scheme string
	Name   string
	Port   int
}

// NewSite returns a plain http site of a name on a free port. Sites that
// share a port are made by copying one and changing its name.
func NewSite(t testing.TB, name string) Site {
	t.Helper()
	return Site{"http", name, FreePort(t)}
}

// As is the site of another name on the same port.
func (s Site) As(name string) Site {
	s.Name = name
	return s
}

// String is the site as a Caddyfile and a browser write it:
// http://app.localhost:20123.
func (s Site) String() string { return fmt.Sprintf("%s://%s:%d", s.Scheme, s.Name, s.Port) }

// URL is the address of a path of the site.
func (s Site) URL(path string) string { return s.String() + path }

// awaitListener returns when something accepts on address, or fails the test
// when ended is closed or patience is over.
func awaitListener(t testing.TB, address string, p *process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		socket, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			_ = socket.Close()
			return
		}
		select {
		case <-p.ended:
			t.Fatalf("%s ended before it listened on %s:\n%s", p.name, address, p.log.tail(40))
		case <-ctx.Done():
			t.Fatalf("%s does not listen on %s:\n%s", p.name, address, p.log.tail(40))
		case <-tick.C:
		}
	}
}
