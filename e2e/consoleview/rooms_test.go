package main

import (
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/e2e"
	"github.com/cadenas-gateway/cadenas/gate"
)

// serve stands a console up and returns its address.
func serve(t *testing.T, o options) (*stand, string) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	address := "http://" + server.Listener.Addr().String()
	if o.named {
		_, port, err := net.SplitHostPort(server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		address = "http://console.localhost:" + port
	}
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

// everything says that all views and sizes are looked at: CONSOLE_VIEWS=all.
func everything() bool { return os.Getenv("CONSOLE_VIEWS") == "all" }

// look are the views to look in: in a plain run two that share neither size,
// language nor colours; else every size in both languages and both schemes.
func look() []e2e.View {
	if !everything() {
		return []e2e.View{{Size: e2e.Phone, Language: "fr-CA", Dark: true}, {Size: e2e.Desk, Language: "en"}}
	}
	all := e2e.Views()
	for _, language := range []string{"en", "fr"} {
		for _, dark := range []bool{false, true} {
			all = append(all, e2e.View{Size: e2e.Tablet, Language: language, Dark: dark})
		}
	}
	return all
}

// picture takes one where somebody wants to look at it: E2E_SHOTS names the
// folder.
func picture(b *e2e.Browser, name string) {
	if os.Getenv("E2E_SHOTS") != "" {
		b.Shot(name)
	}
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
	{"devices-shared", "/devices"},
	{"try", "/explain?app=register&user=julie.tremblay@lucioles.example&address=203.0.113.9"},
	{"people", "/people"},
	{"person", "/people/julie.tremblay@lucioles.example"},
	{"columns", "/columns?app=register"},
	{"columns-person", "/columns?app=register&person=julie.tremblay@lucioles.example"},
	{"places", "/places"},
	{"places-near", "/places?map=near"},
	{"places-closer", "/places?lat=46&lon=-73&zoom=3"},
	{"rules", "/rules"},
	{"rules-unused", "/rules?unused=1"},
	{"rule-new", "/rules/new"},
	{"rule-edit", ""},
	{"explain", ""},
	{"activity", "/activity"},
	{"messages", "/messages"},
	{"admins", "/admins"},
	{"admin-new", "/admins/new"},
	{"settings", "/settings"},
	{"logins", "/teach"},
	{"teach", "/teach/files"},
	{"teach-known", "/teach/register"},
	{"more", "/more"},
	{"account", "/account"},
	{"not-here", "/no/such/page"},
}

// stock is how much stands in the books, and how much of it is looked at in a
// plain run: the empty house and the busy one in every view, the others in one.
type stock struct {
	name string
	options
	views int
}

func stocks() []stock {
	list := []stock{
		{"0", options{open: true}, 1},
		{"1", options{connections: 1, requests: 1}, 1},
		{"20", options{connections: 20, requests: 5, shared: true}, 2},
	}
	if everything() {
		list = append(list, stock{"100000", options{connections: 100_000, requests: 5}, 0})
	}
	return list
}

// TestEveryRoomInEveryView has a subtest for each house, view and room, so that
// one can be looked at alone:
//
//	E2E_SHOTS=/tmp/shots CONSOLE_VIEWS=all go test ./e2e/consoleview -run 'EveryRoom/^100000$/tablet/^places'
func TestEveryRoomInEveryView(t *testing.T) {
	t.Parallel()
	for _, o := range stocks() {
		t.Run(o.name, func(t *testing.T) {
			views := look()
			if !everything() {
				views = views[:o.views]
			}
			s, address := serve(t, o.options)
			for i, view := range views {
				t.Run(view.Name(), func(t *testing.T) { s.tour(t, address, o, view) })
				if o.connections >= 20 { // its padlock was opened, which let in all who waited
					s.refill(t, o, i)
				}
			}
		})
	}
}

// tour goes through the rooms in one view.
func (s *stand) tour(t *testing.T, address string, o stock, view e2e.View) {
	b := e2e.OpenBrowser(t, view)
	b.Allow(`404|no/such/page`)
	b.Open(address + "/sign-in")
	b.Fits()
	picture(b, o.name+"-sign-in")
	b.Axe("sign-in")
	signIn(t, s, b, fixture.Marie.Email)
	for _, room := range rooms {
		t.Run(room.name, func(t *testing.T) {
			b := b.In(t)
			path := s.path(t, room.name, room.path, o)
			if path == "" {
				return // there is none of these yet
			}
			b.Open(address + path)
			b.Fits()
			picture(b, fmt.Sprintf("%s-%s", o.name, room.name))
			b.Axe(o.name + " " + room.name)
		})
	}
}

// refill closes the padlock that a tour opened, and has others ask.
func (s *stand) refill(t *testing.T, o stock, tours int) {
	t.Helper()
	if p, err := s.gate.Padlock(context.Background(), "register"); err != nil || p.Closed {
		return // not all rooms were toured
	}
	if _, err := s.gate.Close(context.Background(), "register", gate.By{Who: fixture.Marie.Email}); err != nil {
		t.Fatal(err)
	}
	if _, err := fixture.AskFrom(context.Background(), s.asks, 60*(tours+1), o.requests); err != nil {
		t.Fatal(err)
	}
}

// path is where a room is when so much stands in the books.
func (s *stand) path(t *testing.T, room, path string, o stock) string {
	t.Helper()
	ctx := context.Background()
	switch room {
	case "padlock-close":
		if o.connections < 20 {
			return path
		}
		if err := s.gate.OpenPadlock(ctx, "register", gate.By{Who: fixture.Marie.Email}); err != nil {
			t.Fatal(err)
		}
		return strings.Replace(path, "pay", "register", 1)
	case "rule-edit":
		rules, err := s.books.Rules.All(ctx, "register")
		if err != nil {
			t.Fatal(err)
		}
		if len(rules) == 0 {
			return ""
		}
		return "/rules/edit?app=register&rule=" + rules[0].ID
	case "explain":
		address := ""
		err := s.books.Connections.Each(ctx, "register", func(c books.Connection) bool {
			address = "/explain/register/" + c.ID
			return false
		})
		if err != nil {
			t.Fatal(err)
		}
		return address
	}
	return path
}
