package caddymodule

import (
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/encode"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

func TestAnIdentityHeaderThatNothingSetsIsFound(t *testing.T) {
	believing := func() *Handler { return &Handler{trusted: []string{"Remote-User"}} }
	host := caddyhttp.MatcherSet{&caddyhttp.MatchHost{"a.example.com"}}
	type list = []caddyhttp.MiddlewareHandler
	route := func(h ...caddyhttp.MiddlewareHandler) caddyhttp.Route { return caddyhttp.Route{Handlers: h} }
	for _, c := range []struct {
		name   string
		routes caddyhttp.RouteList
		found  int
	}{
		{"nothing stands before it", caddyhttp.RouteList{route(believing())}, 1},
		{"forward_auth stands before it", caddyhttp.RouteList{route(new(reverseproxy.Handler)), route(believing())}, 0},
		{"a header is set before it", caddyhttp.RouteList{route(new(headers.Handler), believing())}, 0},
		{"only compression stands before it", caddyhttp.RouteList{route(new(encode.Encode)), route(believing())}, 1},
		{"the proxy comes after it", caddyhttp.RouteList{route(believing()), route(new(reverseproxy.Handler))}, 1},
		{"forward_auth is another host's", caddyhttp.RouteList{
			{MatcherSets: caddyhttp.MatcherSets{host}, Handlers: list{&caddyhttp.Subroute{Routes: caddyhttp.RouteList{route(new(reverseproxy.Handler))}}}},
			route(believing()),
		}, 1},
		{"forward_auth stands before it in its site", caddyhttp.RouteList{
			{MatcherSets: caddyhttp.MatcherSets{host}, Handlers: list{&caddyhttp.Subroute{Routes: caddyhttp.RouteList{route(new(reverseproxy.Handler)), route(believing())}}}},
		}, 0},
		{"no header is believed", caddyhttp.RouteList{route(new(Handler))}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if found := unguarded(c.routes, false); len(found) != c.found {
				t.Errorf("%d handlers, not %d", len(found), c.found)
			}
		})
	}
}

func TestWhatListensToThisMachineOnlyIsBehindAProxy(t *testing.T) {
	for listen, behind := range map[string]bool{
		"127.0.0.1:8080": true, "[::1]:8080": true, "localhost:8080": true, "unix//run/app.sock": true,
		":443": false, "0.0.0.0:80": false, "192.0.2.1:80": false,
	} {
		if got := behindProxy(&caddyhttp.Server{Listen: []string{listen}}); got != behind {
			t.Errorf("%s: %v", listen, got)
		}
	}
}
