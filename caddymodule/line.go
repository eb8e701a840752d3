package caddymodule

import (
	"context"
	"net"
	"net/http"
	"time"
)

// A request under way is ended from without by what it came on, where that is
// nobody else's: it saves a context and a copy of each request.

// canEnd reports whether r, whose answer goes to w, can be ended so. Elsewhere it
// needs a context of its own: in HTTP/3, and where something before us hides what
// it came on.
func canEnd(w http.ResponseWriter, r *http.Request) bool {
	if r.Context().Done() == nil { // off its connection
		return false
	}
	switch r.ProtoMajor {
	case 1:
		return lineOf(r) != nil
	case 2:
		return streamOf(w) != nil
	}
	return false
}

// Cut ends the request, while it is under way.
func (q *request) Cut(cause error) {
	switch {
	case q.cancel != nil:
		q.cancel(cause)
	case q.r.ProtoMajor == 1:
		lineOf(q.r).cut(cause)
	default:
		reset(streamOf(q.w.ResponseWriter))
	}
}

// line is a connection of HTTP/1.1, below the contexts of all its requests: one
// at a time is under way on it.
type line struct {
	cancel context.CancelCauseFunc
	conn   net.Conn
}

// cut ends what is under way and closes the connection, whose context has ended
// for good.
func (l *line) cut(cause error) {
	l.cancel(cause)
	go l.conn.Close() //nolint:errcheck // TLS says goodbye, for seconds where nobody reads
}

type lineKey struct{}

// lineOf is the line that r came on, nil where it shows none.
func lineOf(r *http.Request) *line {
	l, _ := r.Context().Value(lineKey{}).(*line)
	return l
}

// lay puts a line below each connection of the handler's server.
func (h *Handler) lay() {
	if h.server != nil {
		h.server.RegisterConnContext(onLine)
	}
}

// onLine is the context of a new connection. A server with several handlers
// asks for one several times.
func onLine(ctx context.Context, conn net.Conn) context.Context {
	if ctx.Value(lineKey{}) != nil {
		return ctx
	}
	ctx, cancel := context.WithCancelCause(ctx)
	return context.WithValue(ctx, lineKey{}, &line{cancel, conn})
}

// stream is the writer of one answer of HTTP/2, as net/http and
// golang.org/x/net/http2 have it.
type stream interface {
	http.Pusher // what tells it from others
	SetReadDeadline(deadline time.Time) error
	SetWriteDeadline(deadline time.Time) error
}

// streamOf is the stream below w and all that was put before it, nil where that
// does not show.
func streamOf(w http.ResponseWriter) stream {
	for {
		outer, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			s, _ := w.(stream)
			return s
		}
		w = outer.Unwrap()
	}
}

// reset ends a stream by deadlines that are over: the request's body ends at
// once, and with RST_STREAM the answer, and then the context of the request. It
// must not be called once the handler has returned.
func reset(s stream) {
	over := time.Unix(1, 0)
	_ = s.SetReadDeadline(over)  // a request without a body has none
	_ = s.SetWriteDeadline(over) // a connection that is gone has no stream
}
