package caddymodule

import (
	"errors"
	"io"
	"net/http"

	"github.com/cadenas-gateway/cadenas/identity"
)

// credentialHeaders are those that some backend, or a proxy before it, takes
// credentials from where it merges a request's trailers into its headers.
var credentialHeaders = append([]string{"Cookie"}, identity.TokenHeaders()...)

// trailers is the body of a request that announces trailers. They come with
// its end, after all headers were cleaned, and Caddy forwards them: names
// that are ours, or bear credentials, are taken out at that moment (threat
// L1). All others pass.
type trailers struct {
	io.ReadCloser
	r     *http.Request
	names []string
}

// cleanTrailers takes our names, and those that bear credentials, out of a
// request's trailers: those announced, and those to come.
func (q *request) cleanTrailers() {
	r := q.r
	if r.Trailer == nil || r.Body == nil {
		return
	}
	names := append([]string{explainHeader, reasonHeader, q.handler.FactorsHeader}, q.handler.trusted...)
	names = append(names, credentialHeaders...)
	identity.StripTrailers(r, names...)
	r.Body = &trailers{ReadCloser: r.Body, r: r, names: names}
}

// Read reads the body, and cleans what came behind it.
func (t *trailers) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		identity.StripTrailers(t.r, t.names...)
	}
	return n, err
}
