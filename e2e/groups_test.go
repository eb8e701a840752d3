package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// C1 and X4: a proxy in front names the user and their groups, and a rule about
// a group decides. L1: the same headers from anybody else are nothing.
func TestThreat_L1_AGroupNamedByATrustedProxyDecidesAndByNobodyElse(t *testing.T) {
	t.Parallel()
	backend := record(t, nil)
	site := NewSite(t, "app.localhost")
	c := StartCaddy(t, fmt.Sprintf(`{
		auto_https off
		servers {
			trusted_proxies static 127.0.0.2/32
			trusted_proxies_strict
		}
	}
	%s {
		cadenas staff {
			identity header Remote-User {
				groups Remote-Groups
			}
		}
		reverse_proxy %s
	}`, site, backend.Address))
	g := &Gate{Caddy: c, Name: "staff", Site: site}
	g.ClosePadlock()
	g.Must("rules", "add", "--app", "staff", "--group", "educators", "--effect", "allow")
	ask := func(from, user, groups string) (*Answer, []arrival) {
		t.Helper()
		client := NewClient(t)
		client.From = from
		r := client.Request(http.MethodGet, site.URL("/"), nil)
		r.Header.Set("Remote-User", user)
		r.Header.Set("Remote-Groups", groups)
		r.Header.Set("Accept", "text/html")
		return client.Do(r), backend.take()
	}
	for _, one := range []struct {
		name, from, user, groups string
		status                   int
	}{
		{"a member of the group gets in", "127.0.0.2", "julie", "cooks, educators", http.StatusOK},
		{"so does one named as another proxy writes it", "127.0.0.2", "samuel", "educators|cooks", http.StatusOK},
		{"one of another group waits", "127.0.0.2", "paul", "cooks", http.StatusForbidden},
		{"one whose group only looks like it waits", "127.0.0.2", "anne", "educators-former", http.StatusForbidden},
	} {
		answer, seen := ask(one.from, one.user, one.groups)
		if answer.Status != one.status || (len(seen) > 0) != (one.status == http.StatusOK) {
			t.Errorf("%s: %d, and %d reached the backend", one.name, answer.Status, len(seen))
		}
		for _, arrived := range seen {
			if got := strings.Join(arrived.folded("Remote-User"), "|"); got != one.user {
				t.Errorf("%s: the backend sees %q", one.name, got)
			}
		}
	}
	for _, from := range []string{"127.0.0.1", "127.0.0.3"} {
		answer, seen := ask(from, "julie", "educators")
		if answer.Status == http.StatusOK {
			t.Errorf("%s got in as julie", from)
		}
		for _, arrived := range seen {
			if got := append(arrived.folded("Remote-User"), arrived.folded("Remote-Groups")...); len(got) > 0 {
				t.Errorf("from %s the backend sees %q", from, got)
			}
		}
	}
	if !strings.Contains(c.Log.Text(), "none of the trusted_proxies") {
		t.Error("the log says nothing of it")
	}
	g.Must("rules", "add", "--app", "staff", "--group", "cooks", "--effect", "refuse")
	if answer, _ := ask("127.0.0.2", "julie", "cooks, educators"); answer.Status != http.StatusForbidden {
		t.Errorf("a rule that refuses one of her groups: %d", answer.Status)
	}
}
