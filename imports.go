// Package cadenas is an access gateway for Caddy: it lets a known person in,
// on a known device, from a known place, in a known browser, and makes
// everything else wait.
//
// This package holds no code. It is the name under which a build of Caddy
// takes the whole of it in:
//
//	xcaddy build --with github.com/cadenas-gateway/cadenas
package cadenas

import (
	// The modules register themselves with Caddy.
	_ "github.com/cadenas-gateway/cadenas/caddymodule"
)
