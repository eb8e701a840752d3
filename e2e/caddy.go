package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Caddy is a running Caddy with Cadenas, its data in a folder of its own.
type Caddy struct {
	t testing.TB
	// Admin is host:port of the admin endpoint.
	Admin string
	// Data is Caddy's data folder; the store's default is in it.
	Data string
	// Log is what all processes of this Caddy wrote, restarts included.
	Log *Log

	binary, dir, file string
	env               []string
	process           *process
	// around changes how the server is started; nil for nothing.
	around func(*exec.Cmd) *exec.Cmd
}

// Setting changes how a Caddy is started.
type Setting func(*Caddy)

// WithEnv adds environment variables, as in "NAME=value".
func WithEnv(env ...string) Setting {
	return func(c *Caddy) { c.env = append(c.env, env...) }
}

// Trusting lets the Caddy trust certificates of a test's own authority.
func Trusting(ca *Authority) Setting { return WithEnv("SSL_CERT_FILE=" + ca.File) }

// StartCaddy starts Caddy with a Caddyfile and returns when it serves. The
// admin endpoint stands where CADDY_ADMIN says, so the text need not name one.
func StartCaddy(t testing.TB, caddyfile string, settings ...Setting) *Caddy {
	t.Helper()
	c := NewCaddy(t, caddyfile, settings...)
	c.Start()
	return c
}

// NewCaddy prepares a Caddy that Start starts.
func NewCaddy(t testing.TB, caddyfile string, settings ...Setting) *Caddy {
	t.Helper()
	dir := t.TempDir()
	c := &Caddy{
		t: t, binary: CaddyBinary(t), dir: dir, file: filepath.Join(dir, "Caddyfile"),
		Admin: fmt.Sprintf("127.0.0.1:%d", FreePort(t)),
		Data:  filepath.Join(dir, "data", "caddy"),
		Log:   newLog(),
	}
	c.env = append(os.Environ(),
		"CADDY_ADMIN="+c.Admin, "HOME="+dir,
		"XDG_DATA_HOME="+filepath.Join(dir, "data"), "XDG_CONFIG_HOME="+filepath.Join(dir, "config"))
	for _, set := range settings {
		set(c)
	}
	c.write(caddyfile)
	t.Cleanup(func() {
		c.end()
		if t.Failed() {
			t.Logf("the end of Caddy's log:\n%s", c.Log.tail(40))
		}
	})
	return c
}

// end stops what still runs; an ending that is not clean fails the test.
func (c *Caddy) end() {
	if c.process == nil {
		return
	}
	if err := c.process.stop(); err != nil {
		c.t.Errorf("stopping: %v", err)
	}
	c.process = nil
}

// Rewrite gives the Caddy that is down another Caddyfile, for its next start.
func (c *Caddy) Rewrite(caddyfile string) {
	c.t.Helper()
	c.write(caddyfile)
}

func (c *Caddy) write(caddyfile string) {
	c.t.Helper()
	if err := os.WriteFile(c.file, []byte(caddyfile), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// Start starts Caddy and returns when its configuration is up.
func (c *Caddy) Start() {
	c.t.Helper()
	if err := c.TryStart(); err != nil {
		c.t.Fatalf("%v\n%s", err, c.Log.tail(40))
	}
}

// TryStart is Start for a configuration that may be refused: the error then
// says that Caddy ended, and the log has its reason.
func (c *Caddy) TryStart() error {
	c.t.Helper()
	cmd := c.cmd(context.Background(), "run", "--config", c.file, "--adapter", "caddyfile")
	if c.around != nil {
		cmd = c.around(cmd)
	}
	c.process = start(c.t, "caddy", c.Log, cmd)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		if c.up(ctx) {
			return nil
		}
		select {
		case <-c.process.ended:
			err := c.process.err
			c.process = nil
			return fmt.Errorf("caddy did not start: %w", errors.Join(err, errors.New("see its log")))
		case <-ctx.Done():
			return fmt.Errorf("caddy is not up after %s", patience)
		case <-tick.C:
		}
	}
}

// up reports whether the admin endpoint has a configuration: it answers only
// once the first one is loaded or refused.
func (c *Caddy) up(ctx context.Context) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.Admin+"/config/", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return err == nil && response.StatusCode == http.StatusOK && strings.TrimSpace(string(body)) != "null"
}

// Stop ends Caddy as a service manager does; an ending that is not clean
// fails the test.
func (c *Caddy) Stop() {
	c.t.Helper()
	c.end()
}

// Kill ends Caddy as a power cut does.
func (c *Caddy) Kill() {
	c.t.Helper()
	c.process.kill()
	c.process = nil
}

// Restart is Stop and Start.
func (c *Caddy) Restart() {
	c.t.Helper()
	c.Stop()
	c.Start()
}

// Reload gives the running Caddy another Caddyfile.
func (c *Caddy) Reload(caddyfile string) {
	c.t.Helper()
	if err := c.TryReload(caddyfile); err != nil {
		c.t.Fatal(err)
	}
}

// TryReload is Reload for a Caddyfile that may be refused; the error holds
// what Caddy said.
func (c *Caddy) TryReload(caddyfile string) error {
	c.t.Helper()
	c.write(caddyfile)
	if r := c.Run("reload", "--config", c.file, "--adapter", "caddyfile", "--force"); r.Exit != 0 {
		return fmt.Errorf("reloading: %s", r.Stderr)
	}
	return nil
}

// Result is how a command ended.
type Result struct {
	Stdout, Stderr string
	// Exit is the exit status: 0 done, 1 refused or failed, 2 wrong words.
	Exit int
}

// Cadenas runs `caddy cadenas ...` beside the running Caddy.
func (c *Caddy) Cadenas(args ...string) Result {
	c.t.Helper()
	return c.Run(append([]string{"cadenas"}, args...)...)
}

// Run runs any command of the binary, in the environment of the running one.
func (c *Caddy) Run(args ...string) Result {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := c.cmd(ctx, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		c.t.Fatalf("running caddy %s: %v", strings.Join(args, " "), err)
	}
	return Result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func (c *Caddy) cmd(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.binary, args...)
	cmd.Dir, cmd.Env = c.dir, c.env
	return cmd
}

// TLSOf is TLS once a site serves its certificate, which is made after the
// start.
func (c *Caddy) TLSOf(s Site) *tls.Config {
	c.t.Helper()
	var trust *tls.Config
	Eventually(c.t, func() error {
		if _, err := os.Stat(filepath.Join(c.Data, "pki", "authorities", "local", "root.crt")); err != nil {
			return err
		}
		trust = c.TLS()
		ours := trust.Clone()
		ours.ServerName = s.Name
		dialer := &tls.Dialer{Config: ours}
		socket, err := dialer.DialContext(c.t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", s.Port))
		if err != nil {
			return err
		}
		return socket.Close()
	})
	return trust
}

// TLS is what a client needs to trust the Caddy's own authority, where a
// site has `tls internal`.
func (c *Caddy) TLS() *tls.Config {
	c.t.Helper()
	root, err := os.ReadFile(filepath.Join(c.Data, "pki", "authorities", "local", "root.crt"))
	if err != nil {
		c.t.Fatalf("reading the local authority: %v", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root)
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}
