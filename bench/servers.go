package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// Where clients say they come from, and what the geo file knows.
const (
	address = "198.51.100.7"
	network = "198.51.100.0/24"
)

// startBackend starts the application behind both: a kilobyte for each
// request, and a login that says yes to everybody.
func (b *bench) startBackend() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	b.backend = listener.Addr().String()
	page := bytes.Repeat([]byte("a kilobyte, more or less. "), 40)
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/login" {
			_, _ = io.Copy(io.Discard, r.Body)
			var id [16]byte
			rand.Read(id[:]) // never fails since Go 1.24
			w.Header().Set("Set-Cookie", "sid="+hex.EncodeToString(id[:])+"; Path=/; HttpOnly")
			w.Header().Set("Location", "/")
			w.WriteHeader(http.StatusSeeOther)
			return
		}
		if r.URL.Path == "/stream" || r.URL.Path == "/socket" {
			stays(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write(page) // the client may have gone
	})}
	go func() { _ = server.Serve(listener) }()
	b.stops = append(b.stops, func() { _ = server.Close() })
	return nil
}

// caddy is one running Caddy, bare or with the gate.
type caddy struct {
	b                  *bench
	name, dir          string
	admin, http, https string
	cmd                *exec.Cmd
	log                *os.File
	took               time.Duration // from the start to the first answer
	ended              chan struct{}
}

// settings of a gate.
type settings struct {
	store string // "" for a file of its own
	extra string // lines of the site "header"
}

func port() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close() //nolint:errcheck // it only told a port
	return l.Addr().String(), nil
}

// start starts a Caddy; gate is nil for a bare one.
func (b *bench) start(name string, gate *settings) (*caddy, error) {
	c := &caddy{b: b, name: name, dir: filepath.Join(b.dir, name)}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return nil, err
	}
	for _, p := range []*string{&c.admin, &c.http, &c.https} {
		var err error
		if *p, err = port(); err != nil {
			return nil, err
		}
	}
	file := filepath.Join(c.dir, "Caddyfile")
	if err := os.WriteFile(file, []byte(c.text(gate)), 0o600); err != nil {
		return nil, err
	}
	return c, c.run()
}

// run starts the process and returns when it answers.
func (c *caddy) run() error {
	binary := c.b.bare
	if strings.HasPrefix(c.name, "gate") {
		binary = c.b.gate
	}
	var err error
	if c.log, err = os.Create(filepath.Join(c.dir, "log")); err != nil {
		return err
	}
	began := time.Now()
	c.cmd = exec.Command(binary, "run", "--config", filepath.Join(c.dir, "Caddyfile"), "--adapter", "caddyfile")
	c.cmd.Env = c.env()
	c.cmd.Stdout, c.cmd.Stderr = c.log, c.log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.cmd.Start(); err != nil {
		return err
	}
	c.ended = make(chan struct{})
	go func() { _ = c.cmd.Wait(); close(c.ended) }()
	c.b.stops = append(c.b.stops, c.stop)
	for time.Since(began) < time.Minute {
		select {
		case <-c.ended:
			return fmt.Errorf("%s ended: %s", c.name, c.tail())
		default:
		}
		if r, err := c.client().Get("http://app.localhost/ready"); err == nil {
			_ = r.Body.Close()
			c.took = time.Since(began)
			return nil
		}
		time.Sleep(2 * time.Millisecond)
	}
	return fmt.Errorf("%s does not answer: %s", c.name, c.tail())
}

func (c *caddy) env() []string {
	return append(os.Environ(), "HOME="+c.dir, "XDG_DATA_HOME="+c.dir, "XDG_CONFIG_HOME="+c.dir, "CADDY_ADMIN="+c.admin, "GOGC=100", "GOMAXPROCS=")
}

func (c *caddy) tail() string {
	text, err := os.ReadFile(c.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}

func (c *caddy) restart() error {
	c.stop()
	return c.run()
}

func (c *caddy) stop() {
	select {
	case <-c.ended:
		return
	default:
	}
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.ended:
	case <-time.After(10 * time.Second):
		_ = c.cmd.Process.Kill()
		<-c.ended
	}
	_ = c.log.Close()
}

// text is the Caddyfile: the same for both, but for the gate.
func (c *caddy) text(gate *settings) string {
	var s strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&s, format+"\n", args...) }
	_, plain, _ := net.SplitHostPort(c.http)
	_, secure, _ := net.SplitHostPort(c.https)
	line("{\nadmin %s\nauto_https off\npersist_config off\nlog {\nlevel ERROR\n}\ngrace_period 1s", c.admin)
	line("servers {\ntrusted_proxies static 127.0.0.1/32\ntrusted_proxies_strict\n}")
	if gate != nil {
		at := gate.store
		if at == "" {
			at = "bolt " + filepath.Join(c.dir, "cadenas.db")
		}
		line("cadenas {\nstore %s\nplaces %s\nadmin Bench bench@example.com\n}", at, c.b.geo)
	}
	line("}")
	site := func(at, tls, name, words string) {
		line("%s {\nbind 127.0.0.1", at)
		if tls != "" {
			line("tls %s", tls)
		}
		if gate != nil {
			line("cadenas %s {\n%s\n}", name, words)
		}
		line("reverse_proxy %s\n}", c.b.backend)
	}
	login := "login /login {\nuser user\nsession sid\nsuccess status 303\n}"
	site("http://app.localhost:"+plain, "", "app", login)
	site("https://app.localhost:"+secure, c.b.cert+" "+c.b.key, "app", login)
	header := "identity header Remote-User"
	if gate != nil {
		header += "\n" + gate.extra
	}
	site("http://header.localhost:"+plain, "", "header", header)
	site("http://learn.localhost:"+plain, "", "learn", "identity header Remote-User\npadlock open")
	return s.String()
}

// client speaks to the plain port, whatever the address.
func (c *caddy) client() *http.Client {
	return &http.Client{
		Timeout: 20 * time.Second,
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, c.http)
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// cadenas runs a verb of the command line.
func (c *caddy) cadenas(args ...string) error {
	cmd := exec.CommandContext(c.b.ctx, c.b.gate, append([]string{"cadenas"}, args...)...)
	cmd.Env = c.env()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("caddy cadenas %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// geoFile is a city file that knows one network.
func geoFile(dir string) (string, error) {
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Bench-City", IncludeReservedNetworks: true, RecordSize: 24})
	if err != nil {
		return "", err
	}
	_, prefix, err := net.ParseCIDR(network)
	if err != nil {
		return "", err
	}
	err = tree.Insert(prefix, mmdbtype.Map{
		"city":         mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String("Laval")}},
		"country":      mmdbtype.Map{"iso_code": mmdbtype.String("CA")},
		"subdivisions": mmdbtype.Slice{mmdbtype.Map{"iso_code": mmdbtype.String("QC")}},
		"location":     mmdbtype.Map{"latitude": mmdbtype.Float64(45.6), "longitude": mmdbtype.Float64(-73.7)},
	})
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	_, err = tree.WriteTo(&b)
	path := filepath.Join(dir, "city.mmdb")
	return path, errors.Join(err, os.WriteFile(path, b.Bytes(), 0o600))
}

// certificate is one for app.localhost that nobody trusts.
func certificate(dir string) (cert, key string, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "app.localhost"}, DNSNames: []string{"app.localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return "", "", err
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		return "", "", err
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	return cert, key, errors.Join(
		os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}), 0o600))
}
