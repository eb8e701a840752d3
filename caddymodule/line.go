package caddymodule

import (
	"bufio"
	"net"
	"net/http"
	"time"
)

// line is the connection that an answer of HTTP/1.1 goes out on. While such a
// request without a body is answered, the server reads on its connection to
// see whether the client is still there; where that fails, the request's
// context ends, and with it what asks the backend. So a deadline in the past
// ends the request as a client does that hangs up.
type line interface {
	SetReadDeadline(time.Time) error
	// Hijack tells a connection from a stream of HTTP/2 or 3, which has
	// deadlines too, of another kind. It is not called.
	Hijack() (net.Conn, *bufio.ReadWriter, error)
}

// onlyHeaders reports whether a request has nothing but its headers, and will not
// become anything else than a request.
func onlyHeaders(r *http.Request) bool {
	return r.ProtoMajor == 1 && r.ContentLength == 0 && len(r.TransferEncoding) == 0 && len(r.Header["Upgrade"]) == 0 && r.Method != http.MethodConnect
}

// lineOf is the line below all writers that others have put around it, nil
// where there is none.
func lineOf(w http.ResponseWriter) line {
	for {
		switch x := w.(type) {
		case interface{ Unwrap() http.ResponseWriter }:
			w = x.Unwrap()
		case line:
			return x
		default:
			return nil
		}
	}
}

// Stop ends a request whose access was withdrawn. Nothing goes out after
// that, whatever becomes of the connection: who sends a part of their next
// request ahead keeps the server from reading, and would not be seen to hang
// up.
func (q *request) Stop() {
	q.guard.cut.Store(true)
	_ = q.line.SetReadDeadline(time.Unix(1, 0)) // a connection that is gone already needs no end
}
