// Command caddy is Caddy with its standard modules and Cadenas, for those who
// build without xcaddy: the same program by a plain go build.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	// Caddy's standard modules, and ours.
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/cadenas-gateway/cadenas"
)

func main() { caddycmd.Main() }
