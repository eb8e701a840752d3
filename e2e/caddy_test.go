package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/cadenas-gateway/cadenas/examples/demo/app"
)

func TestCaddyStartsReloadsDiesAndComesBack(t *testing.T) {
	t.Parallel()
	site := NewSite(t, "app.localhost")
	says := func(word string) string { return fmt.Sprintf("%s {\n\trespond %q\n}\n", site, word) }
	c := StartCaddy(t, says("one"))
	client := NewClient(t)
	ask := func() string {
		t.Helper()
		return client.Open(site.URL("/")).Expect(200).Text()
	}
	if got := ask(); got != "one" {
		t.Errorf("at first: %q", got)
	}
	c.Reload(says("two"))
	if got := ask(); got != "two" {
		t.Errorf("after the reload: %q", got)
	}
	if err := c.TryReload("nonsense {"); err == nil {
		t.Error("nonsense was taken")
	}
	c.Kill()
	c.Rewrite(says("three"))
	c.Start()
	if got := ask(); got != "three" {
		t.Errorf("after the kill: %q", got)
	}
	c.Restart()
	ask()
	c.Log.Await(t, "the last start", func(e Entry) bool { return e.Message() == "serving initial configuration" })
	if _, err := os.Stat(filepath.Join(c.Data, "instance.uuid")); err != nil {
		t.Errorf("its data is elsewhere: %v", err)
	}
}

func TestACaddyfileThatIsRefusedIsAnError(t *testing.T) {
	t.Parallel()
	c := NewCaddy(t, "http://app.localhost:1 {\n\tnonsense\n}\n")
	if err := c.TryStart(); err == nil {
		t.Error("it started")
	}
	if !strings.Contains(c.Log.Text(), "unrecognized directive: nonsense") {
		t.Errorf("the log does not say why: %s", c.Log.Text())
	}
}

func TestClientsComeFromWhereTheySay(t *testing.T) {
	t.Parallel()
	site := NewSite(t, "app.localhost")
	StartCaddy(t, fmt.Sprintf("%s {\n\trespond \"{client_ip} {header.User-Agent}\"\n}\n", site))
	c := NewClient(t)
	c.From = "127.0.0.9"
	c.Header.Set("User-Agent", SafariIPhone)
	if got := c.Open(site.URL("/")).Text(); got != "127.0.0.9 "+SafariIPhone {
		t.Errorf("got %q", got)
	}
	six := NewClient(t)
	six.From = "::1"
	if got := six.Open(site.URL("/")).Text(); !strings.HasPrefix(got, "::1 ") {
		t.Errorf("got %q", got)
	}
}

func TestClientsSpeakHTTPSToCaddysOwnAuthority(t *testing.T) {
	t.Parallel()
	site := NewSite(t, "app.localhost")
	site.Scheme = "https"
	c := StartCaddy(t, fmt.Sprintf("{\n\tskip_install_trust\n\tauto_https disable_redirects\n}\n%s {\n\ttls internal\n\trespond ok\n}\n", site))
	client := NewClient(t)
	client.TLS = c.TLSOf(site)
	client.Open(site.URL("/")).Expect(200)
}

func TestCookiesOfASecureContextStayOnLoopback(t *testing.T) {
	t.Parallel()
	site := NewSite(t, "app.localhost")
	StartCaddy(t, fmt.Sprintf("%s {\n\theader Set-Cookie \"__Host-x=1; Path=/; Secure; HttpOnly\"\n\trespond {http.request.cookie.__Host-x}\n}\n", site))
	c, thief := NewClient(t), NewClient(t)
	c.Open(site.URL("/"))
	if got := c.Open(site.URL("/")).Text(); got != "1" {
		t.Errorf("the cookie did not come back: %q", got)
	}
	thief.Steal(c, site.URL("/"), "__Host-x")
	if got := thief.Open(site.URL("/")).Text(); got != "1" {
		t.Errorf("the stolen cookie did not come: %q", got)
	}
}

func TestStreamsOfTheDemonstrationPassPlainCaddy(t *testing.T) {
	t.Parallel()
	demo := &Demo{Options: app.Options{}}
	site := behindCaddy(t, demo)
	c := NewClient(t)
	if _, refusal := c.Socket(site.URL("/live")); refusal == nil || refusal.StatusCode != http.StatusUnauthorized {
		t.Errorf("nobody got a WebSocket: %v", refusal)
	}
	demo.SignIn(c, site, "julie", Accounts[1].Password)
	socket, _ := c.Socket(site.URL("/live"))
	if kind, message, err := socket.Read(t.Context()); err != nil || kind != websocket.MessageText || !strings.Contains(string(message), `"tick":1`) {
		t.Errorf("the WebSocket said %s, %v", message, err)
	}
	_ = socket.CloseNow()
}
