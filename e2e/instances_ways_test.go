package e2e

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/redis"
)

// One Redis, reached by TLS and by its Unix socket, as a user who may do no
// more than the documentation says: what the Caddyfile names is one store, and
// no log has the password.
func TestInstances_ByTLSAndByASocketAsAUserOfFewRights(t *testing.T) {
	t.Parallel()
	ca := NewAuthority(t)
	dir, err := os.MkdirTemp("", "r") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	server := ca.Server("127.0.0.1").Certificates[0]
	private, err := keyPEM(server.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate[0]})
	certFile, keyFile, socket := filepath.Join(dir, "cert"), filepath.Join(dir, "key"), filepath.Join(dir, "s")
	writeFile(t, certFile, string(cert))
	writeFile(t, keyFile, string(private))
	tls := FreePort(t)
	node := keepingNode(t, "--unixsocket", socket, "--tls-port", strconv.Itoa(tls), "--tls-cert-file", certFile, "--tls-key-file", keyFile, "--tls-ca-cert-file", ca.File, "--tls-auth-clients", "no")

	// The password comes from the environment, as a placeholder.
	byTLS := on(fmt.Sprintf("rediss://%s:{env.REDIS_PASSWORD}@127.0.0.1:%d?tls_ca=%s", redisUser, tls, ca.File))
	bySocket := on("unix://" + login() + socket)
	escaped := strings.TrimSuffix(strings.TrimPrefix(login(), redisUser+":"), "@")
	a := StartGate(t, &Demo{}, byTLS, WithEnv("REDIS_PASSWORD="+escaped))
	b := a.Twin(bySocket)
	julie := NewClient(t)
	if first := a.App.SignIn(julie, a.Site, "julie", Accounts[1].Password); !a.App.Accepted(first) {
		t.Fatalf("by TLS: %d\n%.800s", first.Status, first.Body)
	}
	if who := a.App.Who(julie, b.Site); who != "julie" {
		t.Errorf("by the socket she is %q", who)
	}
	b.Must("user", "lock", "julie")
	Eventually(t, func() error {
		return whether(status(julie, a.Site, "/api/me") == http.StatusForbidden, "locked by the socket, and let in by TLS")
	})
	for _, g := range []*Gate{a, b} {
		for _, word := range []string{redisPassword, escaped} {
			if strings.Contains(g.Log.Text(), word) {
				t.Errorf("the log of %s has the password", g.Site)
			}
		}
	}

	// A user who may not is told what the server said, not let in half.
	refused := &Gate{App: a.App, Name: a.Name, Backend: a.Backend, Site: NewSite(t, "app.localhost")}
	refused.Console = refused.Site.As("console.localhost")
	refused.Caddy = NewCaddy(t, refused.Text(on("redis://gate:wrong-password@"+node.Addr)))
	if err := refused.TryStart(); err == nil {
		t.Error("it starts with a wrong password")
	}
	if text := refused.Log.Text(); !strings.Contains(text, "WRONGPASS") || strings.Contains(text, "wrong-password@") {
		t.Errorf("the log says: %s", text[max(0, len(text)-800):])
	}
}

// A rolling upgrade that goes too far: a version whose records this one would
// misread has used the store. Who starts is refused in words; who is at work
// closes.
func TestInstances_AStoreOfAVersionTooNewIsRefused(t *testing.T) {
	t.Parallel()
	server := StartRedis(t)
	o := together(server, "60s")
	o.NoMail = true
	g := StartGate(t, &Demo{}, o)
	julie := NewClient(t)
	if first := g.App.SignIn(julie, g.Site, "julie", Accounts[1].Password); !g.App.Accepted(first) {
		t.Fatalf("at first: %d", first.Status)
	}
	options, err := redis.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	st, err := redis.Open(t.Context(), options, redis.Options{})
	if err != nil {
		t.Fatal(err)
	}
	say := func(format, least int) {
		t.Helper()
		err := st.Apply(t.Context(), store.Batch{Writes: []store.Write{{Key: books.FormatKey(), Value: books.Encode(map[string]int{"Format": format, "Least": least})}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	say(1000, 1) // the version after this one, which reads what this one writes
	if who := g.App.Who(julie, g.Site); who != "julie" {
		t.Errorf("beside the version after it Julie is %q", who)
	}
	say(1001, 1000)
	Eventually(t, func() error {
		got := status(julie, g.Site, "/api/me")
		return whether(got == http.StatusServiceUnavailable, fmt.Sprintf("a store it would misread, and she gets %d", got))
	})
	g.Log.Await(t, "why it closed", func(e Entry) bool { return strings.Contains(e.Field("error"), "newer version") })
	g.Stop()
	if err := g.TryStart(); err == nil {
		t.Error("it starts on a store that it would misread")
	}
	if text := g.Log.Text(); !strings.Contains(text, "start the newer version again") {
		t.Errorf("the log says: %s", text[max(0, len(text)-800):])
	}
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}

func keyPEM(private any) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(private)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}
