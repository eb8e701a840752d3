package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// speakFrom is speak from an address of this machine.
func speakFrom(t testing.TB, from string, port int, text string) (*Answer, error) {
	t.Helper()
	dialer := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	socket, err := dialer.DialContext(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	_ = socket.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(socket, text); err != nil {
		return nil, errClosed
	}
	a, _, err := hear(t, bufio.NewReader(socket), text)
	return a, err
}

// L3: the client's address is the one that the last untrusted hop had, and
// nothing that the client wrote. Real is 203.0.113.7, which the proxy wrote;
// what the client writes claims to be 198.51.100.66, a named network too.
func TestThreat_L3_TheAddressIsNeverTheClientsToChoose(t *testing.T) {
	t.Parallel()
	backend := record(t, nil)
	none, one, two := NewSite(t, "app.localhost"), NewSite(t, "app.localhost"), NewSite(t, "app.localhost")
	servers := func(site Site, trusted string) string {
		return fmt.Sprintf("servers :%d {\ntrusted_proxies static %s\ntrusted_proxies_strict\n}\n", site.Port, trusted)
	}
	block := func(site Site, name string) string {
		return fmt.Sprintf("%s {\ncadenas %s {\nidentity placeholder {header.X-Who}\npadlock open\n}\nreverse_proxy %s\n}\n", site, name, backend.Address)
	}
	c := StartCaddy(t, `{
		auto_https off
		`+servers(one, "127.0.0.1/32")+servers(two, "127.0.0.1/32 127.0.0.2/32 10.0.0.0/8")+`
		cadenas {
			place Direct 127.0.0.9
			place Proxy 127.0.0.1 127.0.0.2
			place Real 203.0.113.7 2001:db8:7::7
			place Claimed 198.51.100.66 2001:db8:66::66
		}
	}
	`+block(none, "none")+block(one, "one")+block(two, "two"))

	many := strings.TrimSuffix(strings.Repeat("198.51.100.66, ", 300), ", ")
	const direct, proxy, stranger = "127.0.0.9", "127.0.0.1", "127.0.0.77"
	cases := []struct {
		what    string
		site    Site
		from    string
		headers []string
		want    string // the place's name; "" for one that nobody named, or unknown
	}{
		{"no proxy: nothing is written", none, direct, nil, "Direct"},
		{"no proxy: the client claims", none, direct, []string{"X-Forwarded-For: 198.51.100.66"}, "Direct"},
		{"no proxy: in every header there is", none, direct, []string{
			"X-Forwarded-For: 198.51.100.66", "X-Real-IP: 198.51.100.66", "Forwarded: for=198.51.100.66", "True-Client-IP: 198.51.100.66",
			"CF-Connecting-IP: 198.51.100.66", "X-Client-IP: 198.51.100.66", "X-Cluster-Client-IP: 198.51.100.66", "Fastly-Client-IP: 198.51.100.66", "X-Forwarded-Host: 198.51.100.66",
		}, "Direct"},
		{"one proxy, went round it", one, direct, []string{"X-Forwarded-For: 198.51.100.66"}, "Direct"},
		{"one proxy: it wrote the address", one, proxy, []string{"X-Forwarded-For: 203.0.113.7"}, "Real"},
		{"one proxy: claimed before it", one, proxy, []string{"X-Forwarded-For: 198.51.100.66, 203.0.113.7"}, "Real"},
		{"one proxy: claimed in a header before", one, proxy, []string{"X-Forwarded-For: 198.51.100.66", "X-Forwarded-For: 203.0.113.7"}, "Real"},
		{"one proxy: claimed in X-Real-IP", one, proxy, []string{"X-Real-IP: 198.51.100.66", "X-Forwarded-For: 203.0.113.7"}, "Real"},
		{"one proxy: claimed in Forwarded", one, proxy, []string{"Forwarded: for=198.51.100.66", "X-Forwarded-For: 203.0.113.7"}, "Real"},
		{"one proxy: claimed as one of the trusted", one, proxy, []string{"X-Forwarded-For: 198.51.100.66, 127.0.0.1, 203.0.113.7"}, "Real"},
		{"one proxy: claimed 300 times", one, proxy, []string{"X-Forwarded-For: " + many + ", 203.0.113.7"}, "Real"},
		{"one proxy: an IPv4-mapped address", one, proxy, []string{"X-Forwarded-For: 198.51.100.66, ::ffff:203.0.113.7"}, "Real"},
		{"one proxy: with its port", one, proxy, []string{"X-Forwarded-For: 198.51.100.66, 203.0.113.7:51234"}, "Real"},
		{"one proxy: IPv6", one, proxy, []string{"X-Forwarded-For: 2001:db8:66::66, 2001:db8:7::7"}, "Real"},
		{"one proxy: IPv6 with a zone", one, proxy, []string{"X-Forwarded-For: 198.51.100.66, 2001:db8:7::7%eth0"}, "Real"},
		{"one proxy: IPv6 with a port", one, proxy, []string{"X-Forwarded-For: 198.51.100.66,[2001:db8:7::7]:443"}, "Real"},
		// Caddy does not read the brackets behind a space.
		{"one proxy: IPv6 with a port behind a space", one, proxy, []string{"X-Forwarded-For: 198.51.100.66, [2001:db8:7::7]:443"}, ""},
		{"one proxy: nothing was written", one, proxy, nil, "Proxy"},
		{"one proxy: what it wrote is no address", one, proxy, []string{"X-Forwarded-For: 198.51.100.66, unknown"}, ""},
		{"one proxy: what it wrote is hidden", one, proxy, []string{"X-Forwarded-For: 198.51.100.66, _gateway"}, ""},
		{"one proxy: what it wrote is empty", one, proxy, []string{"X-Forwarded-For: 198.51.100.66,"}, ""},
		{"one proxy: an address cut short", one, proxy, []string{"X-Forwarded-For: 198.51.100.66, 203.0.113"}, ""},
		{"one proxy: the client's name for itself", one, proxy, []string{"X-Forwarded-For: 198.51.100.66, localhost"}, ""},
		{"one proxy: brackets without a port", one, proxy, []string{"X-Forwarded-For: 198.51.100.66, [2001:db8:7::7]"}, ""},
		{"one proxy: no address in a header of its own", one, proxy, []string{"X-Forwarded-For: 198.51.100.66", "X-Forwarded-For: -"}, ""},
		{"one proxy: no address left of the real one", one, proxy, []string{"X-Forwarded-For: 198.51.100.66, nonsense, 203.0.113.7"}, "Real"},
		{"two proxies: the chain", two, proxy, []string{"X-Forwarded-For: 203.0.113.7, 127.0.0.2"}, "Real"},
		{"two proxies: claimed before the chain", two, proxy, []string{"X-Forwarded-For: 198.51.100.66, 203.0.113.7, 127.0.0.2"}, "Real"},
		{"two proxies: claimed to be inside", two, proxy, []string{"X-Forwarded-For: 198.51.100.66, 10.0.0.5, 203.0.113.7, 127.0.0.2"}, "Real"},
		{"two proxies: the first one's is no address", two, proxy, []string{"X-Forwarded-For: 198.51.100.66, unknown, 127.0.0.2"}, ""},
		{"two proxies: the second one's is no address", two, proxy, []string{"X-Forwarded-For: 198.51.100.66, 203.0.113.7, unknown"}, ""},
		{"two proxies: the outer one came round the inner", two, "127.0.0.2", []string{"X-Forwarded-For: 198.51.100.66, 203.0.113.7"}, "Real"},
		{"two proxies, went round both", two, stranger, []string{"X-Forwarded-For: 198.51.100.66, 127.0.0.2"}, ""},
	}
	for i, x := range cases {
		a, err := speakFrom(t, x.from, x.site.Port, say("GET / HTTP/1.1", x.site.host(), append(x.headers, fmt.Sprintf("X-Who: case%d", i), "Sec-Fetch-Mode: navigate")...))
		if err != nil || a.Status != http.StatusOK {
			t.Fatalf("%s: %v, %v", x.what, a, err)
		}
	}
	var connections []struct {
		User  string
		Place struct{ Name, Address string }
	}
	if err := json.Unmarshal([]byte(c.Cadenas("connections", "--json", "--days", "0").Stdout), &connections); err != nil {
		t.Fatal(err)
	}
	places := map[string]struct{ Name, Address string }{}
	for _, x := range connections {
		places[x.User] = x.Place
	}
	for i, x := range cases {
		got := places[fmt.Sprintf("case%d", i)]
		if got.Name != x.want {
			t.Errorf("%s: the place is %q (%s), not %q", x.what, got.Name, got.Address, x.want)
		}
		if x.want == "" && x.from != stranger && got.Address != "" {
			t.Errorf("%s: the address is %s, and should be unknown", x.what, got.Address)
		}
	}
}

// L3: what makes an address the client's to choose is said at the start.
func TestThreat_L3_ALooseTrustIsSaidLoudly(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		what, servers, want string
	}{
		{"strict is off", "trusted_proxies static 127.0.0.1/32", "trusted_proxies_strict"},
		{"everything is trusted", "trusted_proxies static 0.0.0.0/0\ntrusted_proxies_strict", "the whole internet"},
		{"all of IPv6 is trusted", "trusted_proxies static 127.0.0.1/32 ::/0\ntrusted_proxies_strict", "the whole internet"},
	} {
		t.Run(x.what, func(t *testing.T) {
			site := NewSite(t, "app.localhost")
			c := StartCaddy(t, fmt.Sprintf("{\nauto_https off\nservers {\n%s\n}\n}\n%s {\ncadenas\nrespond ok\n}\n", x.servers, site))
			c.Log.Await(t, "a warning about trusted proxies", func(e Entry) bool {
				return (e.Level() == "warn" || e.Level() == "error") && e.Logger() == "cadenas" && strings.Contains(e.Message(), x.want)
			})
		})
	}
	t.Run("what is right is not complained of", func(t *testing.T) {
		site := NewSite(t, "app.localhost")
		c := StartCaddy(t, fmt.Sprintf("{\nauto_https off\nservers {\ntrusted_proxies static private_ranges\ntrusted_proxies_strict\n}\n}\n%s {\ncadenas\nrespond ok\n}\n", site))
		for _, e := range c.Log.Entries() {
			if strings.Contains(e.Message(), "trusted_proxies") {
				t.Errorf("complains: %s", e.Message())
			}
		}
	})
}
