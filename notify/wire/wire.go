// Package wire is how channels that speak HTTP go out: with a certificate that
// is verified, to who was named and nobody they name, and without an address
// in an error, since addresses of hooks are secrets.
package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// Dial opens a socket, as net.Dialer.DialContext does.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Transport speaks TLS 1.2 or later and verifies who answers by roots; nil
// means the system's. A nil dial means the standard library's.
func Transport(roots *x509.CertPool, dial Dial) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // the standard library's own
	t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	if dial != nil {
		t.DialContext = dial
	}
	return t
}

// Client sends by a transport and follows no redirect: a notice is for who was
// named in the configuration.
func Client(by http.RoundTripper) *http.Client {
	return &http.Client{Transport: by, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Loopback reports whether a host is this machine: plain http goes nowhere
// else.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// WithoutURL is what went wrong, without the address that the standard library
// puts before it.
func WithoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
