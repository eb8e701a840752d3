package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/e2e"
	"github.com/cadenas-gateway/cadenas/gate"
)

// serve stands a console up and returns its address.
func serve(t *testing.T, o options) (*stand, string) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	address := "http://" + server.Listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	s, err := newStand(ctx, address, o)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = s.console
	server.Start()
	t.Cleanup(func() {
		cancel()
		server.CloseClientConnections()
		server.Close()
	})
	return s, address
}

// signIn follows a link of the command line's.
func signIn(t *testing.T, s *stand, b *e2e.Browser, email string) {
	t.Helper()
	link, err := s.console.Link(context.Background(), email)
	if err != nil {
		t.Fatal(err)
	}
	b.Open(link)
	b.Go("main form button")
}

// look are the views to look in: two in a plain run, all of them when
// CONSOLE_VIEWS is "all".
func look() []e2e.View {
	if os.Getenv("CONSOLE_VIEWS") == "all" {
		all := e2e.Views()
		return append(all, e2e.View{Size: e2e.Tablet, Language: "fr"}, e2e.View{Size: e2e.Tablet, Language: "en", Dark: true})
	}
	return []e2e.View{{Size: e2e.Phone, Language: "fr-CA", Dark: true}, {Size: e2e.Desk, Language: "en"}}
}

// rooms are the pages of a signed-in admin.
var rooms = []struct{ name, path string }{
	{"requests", "/requests"},
	{"connections", "/connections?app=register"},
	{"connections-filtered", "/connections?app=register&q=laval&state=out&window=30"},
	{"connections-none", "/connections?app=register&q=nobody-is-called-that"},
	{"padlock-open", "/padlock/register/open"},
	{"padlock-close", "/padlock/pay/close"},
	{"devices", "/devices?view=all"},
	{"try", "/explain?app=register&user=julie.tremblay@lucioles.example&address=203.0.113.9"},
	{"people", "/people"},
	{"person", "/people/julie.tremblay@lucioles.example"},
	{"columns", "/columns?app=register"},
	{"columns-person", "/columns?app=register&person=julie.tremblay@lucioles.example"},
	{"places", "/places"},
	{"rules", "/rules"},
	{"rule-new", "/rules/new"},
	{"activity", "/activity"},
	{"messages", "/messages"},
	{"admins", "/admins"},
	{"admin-new", "/admins/new"},
	{"settings", "/settings"},
	{"more", "/more"},
	{"account", "/account"},
	{"not-here", "/no/such/page"},
}

func TestEveryRoomInEveryView(t *testing.T) {
	for _, o := range []struct {
		name string
		options
	}{
		{"0", options{open: true}},
		{"1", options{connections: 1, requests: 1}},
		{"20", options{connections: 20, requests: 5}},
	} {
		s, address := serve(t, o.options)
		for _, view := range look() {
			b := e2e.OpenBrowser(t, view)
			b.Allow(`404|no/such/page`)
			b.Open(address + "/sign-in")
			b.Fits()
			b.Shot(o.name + "-sign-in")
			b.Axe("sign-in")
			signIn(t, s, b, fixture.Marie.Email)
			for _, room := range rooms {
				if room.name == "padlock-close" && o.name == "20" {
					room.path = strings.Replace(room.path, "pay", "register", 1)
					if err := s.gate.OpenPadlock(context.Background(), "register", gate.By{Who: fixture.Marie.Email}); err != nil {
						t.Fatal(err)
					}
				}
				b.Open(address + room.path)
				b.Fits()
				b.Shot(fmt.Sprintf("%s-%s", o.name, room.name))
				b.Axe(o.name + " " + room.name)
			}
			if o.name == "20" {
				if _, err := s.gate.Close(context.Background(), "register", gate.By{Who: fixture.Marie.Email}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
