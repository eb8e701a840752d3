package caddymodule

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// provisioned is the handler of a site as Caddy makes it out of the words of
// its block: loaded, its modules too, and not started.
func provisioned(t *testing.T, words string) *Handler {
	t.Helper()
	caddyfile := fmt.Sprintf("{\n\tadmin off\n\tcadenas {\n\t\tstore memory\n\t}\n}\nhttp://app.test:8080 {\n\tcadenas {\n%s\n\t}\n}\n", words)
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatal(err)
	}
	var config caddy.Config
	if err := json.Unmarshal(adapted, &config); err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(&config)
	if err != nil {
		t.Fatal(err)
	}
	app, err := ctx.App("http")
	if err != nil {
		t.Fatal(err)
	}
	found := map[*Handler]string{}
	for _, server := range app.(*caddyhttp.App).Servers {
		walk(server.Routes, "", found)
	}
	for h := range found {
		return h
	}
	t.Fatal("no handler in it")
	return nil
}

func TestAnIdentityThatTheCaddyfileNamesIsKnownAfterItWasLoaded(t *testing.T) {
	for _, c := range []struct {
		name, words string
		shown       []string
		teachable   bool
	}{
		{"a header names the user", "identity header Remote-User", []string{"settings.identity.header"}, false},
		{"basic authentication does", "identity basic", []string{"settings.identity.basic"}, false},
		{"the device alone", "identity device", []string{"settings.identity.device"}, false},
		{"a header, else a placeholder", "identity header Remote-User\nidentity placeholder {http.auth.user.id}", []string{"settings.identity.header", "settings.identity.placeholder"}, false},
		{"nothing is said", "", []string{"settings.identity.default"}, true},
		{"a login is named", "login /login", nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := provisioned(t, c.words)
			var shown []string
			(&site{handler: h}).identitySettings(func(name string, values ...string) {
				if name == "identity" {
					shown = values
				}
			})
			if !slices.Equal(shown, c.shown) {
				t.Errorf("the settings show %q, not %q", shown, c.shown)
			}
			if err := h.mayTeach(); (err == nil) != c.teachable {
				t.Errorf("teaching a login beside it: %v", err)
			}
		})
	}
}
