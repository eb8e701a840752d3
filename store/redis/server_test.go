package redis_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/cadenas-gateway/cadenas/store/redis"
)

// TestMain runs the tests beside each other, whatever the number of processors:
// they wait for servers to miss each other and to vote, and compute little.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// patience is how long a test waits for a server to do something.
const patience = 30 * time.Second

// server is a real redis-server on a loopback port, in a folder of its own.
type server struct {
	t    *testing.T
	dir  string
	port int
	args []string
	// config is a configuration file, which a Sentinel cannot do without.
	config string
	cmd    *exec.Cmd
	out    *output
}

// output is what a server printed, shown when a test fails.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// start runs redis-server with further arguments ("--name", "value") until
// the test ends.
func start(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{t: t, dir: folder(t), port: freePort(t), args: args}
	s.run()
	t.Cleanup(func() { s.signal(syscall.SIGKILL) })
	return s
}

func closed(t *testing.T, c io.Closer) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// removal is a folder that goes when it is closed.
type removal string

func (r removal) Close() error { return os.RemoveAll(string(r)) }

// folder is a temporary folder whose name is short enough for a socket in it.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "r")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, removal(dir)) })
	return dir
}

var (
	portsMu sync.Mutex
	ports   = make(map[int]bool)
)

// freePort returns a port below those that the kernel gives to clients, so
// that nothing takes it before the server does. Its bus port (10,000 above) is
// free too.
func freePort(t *testing.T) int {
	t.Helper()
	portsMu.Lock()
	defer portsMu.Unlock()
	for p := 11000 + os.Getpid()%5000; p < 22000; p++ {
		if ports[p] || !bindable(p) || !bindable(p+10000) {
			continue
		}
		ports[p] = true
		return p
	}
	t.Fatal("no free port")
	return 0
}

func bindable(port int) bool {
	l, err := net.Listen("tcp", address(port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// run starts the process, again after it was killed, and waits until it
// answers.
func (s *server) run() {
	s.t.Helper()
	args := append([]string{"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir}, s.args...)
	if s.config != "" {
		args = append([]string{s.config}, args...)
	} else {
		args = append(args, "--save", "")
	}
	s.out = &output{}
	s.cmd = exec.CommandContext(context.WithoutCancel(s.t.Context()), binary(s.t), args...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	// Any answer will do: it may want a password or TLS.
	eventually(s.t, func() error {
		c, err := net.Dial("tcp", address(s.port))
		if err != nil {
			return fmt.Errorf("%w\n%s", err, s.out)
		}
		return c.Close()
	})
}

func binary(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("these tests run a real Redis: %v (apt-get install redis-server)", err)
	}
	return path
}

// signal sends a signal; with SIGKILL it waits for the end.
func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	if s.cmd.ProcessState != nil {
		return
	}
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Error(err)
	}
	if sig == syscall.SIGKILL {
		_ = s.cmd.Wait() // "signal: killed"
	}
}

func (s *server) url() string { return "redis://" + address(s.port) }

// plain is a client beside the store, to look at the server or to tell it
// something.
func (s *server) plain() *goredis.Client {
	c := goredis.NewClient(&goredis.Options{Addr: address(s.port)})
	s.t.Cleanup(func() { closed(s.t, c) })
	return c
}

func (s *server) do(args ...any) any {
	s.t.Helper()
	v, err := s.plain().Do(s.t.Context(), args...).Result()
	if err != nil {
		s.t.Fatalf("%v: %v\n%s", args, err, s.out)
	}
	return v
}

func open(t *testing.T, o redis.Options, urls ...string) *redis.Store {
	t.Helper()
	u, err := redis.Parse(urls...)
	if err != nil {
		t.Fatal(err)
	}
	st, err := redis.Open(t.Context(), u, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, st) })
	return st
}

// eventually tries until there is no error.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	deadline := time.Now().Add(patience)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		<-again.C
	}
}

// road is a way to a server that can be cut and mended.
type road struct {
	l    net.Listener
	to   string
	mu   sync.Mutex
	open bool
	cars map[net.Conn]struct{}
	// there counts the bytes on their way to the server.
	there counter
}

type counter struct{ atomic.Int64 }

func (c *counter) Write(b []byte) (int, error) {
	c.Add(int64(len(b)))
	return len(b), nil
}

func pave(t *testing.T, to string) *road {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &road{l: l, to: to, open: true, cars: make(map[net.Conn]struct{})}
	t.Cleanup(func() { closed(t, l); r.cut() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go r.drive(c)
		}
	}()
	return r
}

func (r *road) url() string { return "redis://" + r.l.Addr().String() }

func (r *road) drive(c net.Conn) {
	defer func() { _ = c.Close() }()
	d, err := net.Dial("tcp", r.to)
	if err != nil {
		return
	}
	defer func() { _ = d.Close() }()
	r.mu.Lock()
	if !r.open {
		r.mu.Unlock()
		return
	}
	r.cars[c], r.cars[d] = struct{}{}, struct{}{}
	r.mu.Unlock()
	go func() { _, _ = io.Copy(d, io.TeeReader(c, &r.there)); _ = d.Close() }()
	_, _ = io.Copy(c, d)
	r.mu.Lock()
	delete(r.cars, c)
	delete(r.cars, d)
	r.mu.Unlock()
}

func (r *road) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = false
	for c := range r.cars {
		_ = c.Close() // the other side may have been first
	}
}

func (r *road) mend() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = true
}

// certificate writes a certificate for 127.0.0.1, signed by itself, which
// serves as authority, server and client.
func certificate(t *testing.T, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "redis"},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		BasicConstraintsValid: true, IsCA: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: cert},
		keyFile:  {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func pathIn(dir, name string) string { return filepath.Join(dir, name) }
