package caddymodule

import (
	"context"
	"net"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// line is a connection of a browser, below the contexts of all its requests:
// to cut it ends what is under way on it, without a context and a copy of each
// request for that. It serves where one request at a time is under way: a
// connection of HTTP/2 may have those of several people.
type line struct {
	// cut ends what is under way and closes the connection, whose context has
	// ended for good.
	cut context.CancelCauseFunc
}

type lineKey struct{}

// lay puts a line below each connection of the server that a handler is
// provisioned for.
func lay(ctx caddy.Context) {
	if server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok {
		server.RegisterConnContext(onLine)
	}
}

// onLine is the context of a new connection. A server with several handlers
// asks for one several times.
func onLine(ctx context.Context, conn net.Conn) context.Context {
	if ctx.Value(lineKey{}) != nil {
		return ctx
	}
	ctx, cancel := context.WithCancelCause(ctx)
	return context.WithValue(ctx, lineKey{}, &line{cut: func(cause error) {
		cancel(cause)
		go conn.Close() //nolint:errcheck // TLS says goodbye, for seconds where nobody reads
	}})
}

// lineOf is the line that r came on, nil where it can't be cut alone: in HTTP/2
// and 3, and where something before us took r off its connection.
func lineOf(r *http.Request) *line {
	if r.ProtoMajor != 1 || r.Context().Done() == nil {
		return nil
	}
	l, _ := r.Context().Value(lineKey{}).(*line)
	return l
}
