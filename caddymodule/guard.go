package caddymodule

import (
	"io"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cadenas-gateway/cadenas/identity"
)

// guard is the writer between us and the browser. It touches headers only:
// a cookie of the backend's with one of our names goes, our device cookie and
// the reason for who may read it come. Bodies, flushes, hijacks and splices
// pass as without it.
type guard struct {
	caddyhttp.ResponseWriterWrapper
	own   *own // nil for nothing, as with most answers
	wrote bool
}

// own are headers of ours.
type own struct {
	cookie string // Set-Cookie of the device cookie, empty for none
	reason string
	lesson string // Set-Cookie of the teaching cookie, empty for none
}

// add are the headers of ours that go out with the answer, to be filled in.
func (g *guard) add() *own {
	if g.own == nil {
		g.own = new(own)
	}
	return g.own
}

// WriteHeader sends the status, once the headers are in order.
func (g *guard) WriteHeader(status int) {
	if !g.wrote {
		g.wrote = status >= 200 || status == http.StatusSwitchingProtocols
		g.mend(status)
	}
	g.ResponseWriterWrapper.WriteHeader(status)
}

// Write sends the body; a status of 200 comes before it where none did.
func (g *guard) Write(b []byte) (int, error) {
	if !g.wrote {
		g.WriteHeader(http.StatusOK)
	}
	return g.ResponseWriterWrapper.Write(b)
}

// ReadFrom sends a body that need not pass through memory.
func (g *guard) ReadFrom(r io.Reader) (int64, error) {
	if !g.wrote {
		g.WriteHeader(http.StatusOK)
	}
	return g.ResponseWriterWrapper.ReadFrom(r)
}

// Flush sends what there is.
func (g *guard) Flush() {
	if !g.wrote {
		g.WriteHeader(http.StatusOK)
	}
	_ = http.NewResponseController(g.ResponseWriter).Flush() // a writer that cannot flush has nothing to flush
}

func (g *guard) mend(status int) {
	h := g.Header()
	if cookies := h["Set-Cookie"]; len(cookies) > 0 {
		kept := cookies[:0:len(cookies)]
		for _, c := range cookies {
			name, _, _ := strings.Cut(c, "=")
			if !identity.OurCookie(strings.TrimSpace(name)) {
				kept = append(kept, c)
			}
		}
		if len(kept) == 0 {
			delete(h, "Set-Cookie")
		} else {
			h["Set-Cookie"] = kept
		}
	}
	if status < 200 {
		return
	}
	delete(h, reasonHeader)
	if g.own == nil {
		return
	}
	for _, cookie := range []string{g.own.cookie, g.own.lesson} {
		if cookie != "" {
			h["Set-Cookie"] = append(h["Set-Cookie"], cookie)
			private(h)
		}
	}
	if g.own.reason != "" {
		h.Set(reasonHeader, g.own.reason)
		private(h)
	}
}

// private keeps an answer with a cookie of one browser out of shared caches:
// they would make strangers one device.
func private(h http.Header) {
	control := strings.ToLower(h.Get("Cache-Control"))
	if strings.Contains(control, "no-store") {
		return
	}
	kept := []string{"private"}
	for part := range strings.SplitSeq(control, ",") {
		part = strings.TrimSpace(part)
		if part == "" || part == "public" || strings.HasPrefix(part, "private") || strings.HasPrefix(part, "s-maxage") {
			continue
		}
		kept = append(kept, part)
	}
	h.Set("Cache-Control", strings.Join(kept, ", "))
}

// Interface guards
var (
	_ http.ResponseWriter = (*guard)(nil)
	_ http.Flusher        = (*guard)(nil)
)
