package caddymodule

import (
	"net/http"
	"strings"
)

// preflight reports whether r is a true CORS preflight, which browsers send
// without credentials and without a body, and which nobody could sign.
func preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != "" &&
		r.ContentLength == 0 && len(r.TransferEncoding) == 0 && r.Header.Get("Upgrade") == ""
}

// preflightHeaders are what browsers send with a preflight, and proxies add.
var preflightHeaders = map[string]bool{
	"Accept": true, "Accept-Encoding": true, "Accept-Language": true, "Cache-Control": true, "Connection": true, "Content-Length": true,
	"Dnt": true, "Forwarded": true, "Origin": true, "Pragma": true, "Priority": true, "Referer": true, "Save-Data": true, "Te": true,
	"Traceparent": true, "Tracestate": true, "User-Agent": true, "Via": true, "X-Forwarded-For": true, "X-Forwarded-Host": true,
	"X-Forwarded-Port": true, "X-Forwarded-Proto": true, "X-Real-Ip": true, "X-Request-Id": true,
}

// barePreflight takes off a preflight all that no browser sends with one: it
// goes to the backend though nobody was judged, so it must not be somebody
// there (a trusted header), nor another request (a method or an address
// overridden; threats L1, L7).
func barePreflight(r *http.Request) {
	for name := range r.Header {
		if !preflightHeaders[name] && !strings.HasPrefix(name, "Access-Control-Request-") && !strings.HasPrefix(name, "Sec-") {
			delete(r.Header, name)
		}
	}
	r.Trailer = nil
}
