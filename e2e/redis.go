package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// Redis is a running redis-server that keeps what it was given on disk, with
// a password.
type Redis struct {
	// URL is what `store redis` takes.
	URL string
	// Password stands in URL, and nowhere else.
	Password string

	t       testing.TB
	binary  string
	dir     string
	port    int
	log     *Log
	process *process
}

// StartRedis starts a redis-server on a free port.
func StartRedis(t testing.TB) *Redis {
	t.Helper()
	s := &Redis{
		t: t, Password: "a-word-for-redis-only", dir: t.TempDir(), port: FreePort(t), log: newLog(),
		binary: need(t, "Debian has it in redis-server", "redis-server", "valkey-server"),
	}
	s.URL = fmt.Sprintf("redis://:%s@127.0.0.1:%d/0", s.Password, s.port)
	t.Cleanup(func() {
		if s.process != nil {
			s.process.kill()
		}
	})
	s.Start()
	return s
}

// Start starts the server, again after Kill, with what it had on disk.
func (s *Redis) Start() {
	s.t.Helper()
	cmd := exec.CommandContext(context.Background(), s.binary, "--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir,
		"--requirepass", s.Password, "--appendonly", "yes", "--appendfsync", "always", "--save", "")
	s.process = start(s.t, "redis", s.log, cmd)
	awaitListener(s.t, fmt.Sprintf("127.0.0.1:%d", s.port), s.process)
}

// Kill ends the server as a power cut does.
func (s *Redis) Kill() {
	s.t.Helper()
	s.process.kill()
	s.process = nil
}

// Twin starts another Caddy in front of the same application, with hosts of
// the same names on a port of its own: cookies know no ports, so that a client
// is the same to both. Options must name a store that both share.
func (g *Gate) Twin(o GateOptions) *Gate {
	g.t.Helper()
	site := NewSite(g.t, g.Site.Name)
	twin := &Gate{App: g.App, Name: g.Name, Backend: g.Backend, Mail: g.Mail, Site: site, Console: site.As(g.Console.Name)}
	var env []string
	for _, pair := range g.env {
		if strings.HasPrefix(pair, "SSL_CERT_FILE=") {
			env = append(env, pair)
		}
	}
	twin.Caddy = StartCaddy(g.t, twin.Text(o), WithEnv(env...))
	return twin
}
