package caddymodule

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func TestTheMarkIsPutOnALoginPageOnlyWhereItIsSafe(t *testing.T) {
	const page = `<!doctype html><html><head><title>x</title></head><body><form></form></BODY></html>`
	get := func(change func(*http.Request)) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "https://app.example.com/login", nil)
		r.Header.Set("Accept", "text/html")
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		r.Header.Set("Sec-Fetch-Dest", "document")
		r.Header.Set("Accept-Encoding", "gzip")
		if change != nil {
			change(r)
		}
		return r.WithContext(context.Background())
	}
	for _, c := range []struct {
		name    string
		request func(*http.Request)
		headers map[string]string
		status  int
		body    string
		want    bool
	}{
		{"a plain page", nil, nil, 200, page, true},
		{"its own policy allows pictures of its host", nil, map[string]string{"Content-Security-Policy": "default-src 'none'; img-src 'self' data:"}, 200, page, true},
		{"its own policy falls back", nil, map[string]string{"Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'"}, 200, page, true},
		{"its own policy says nothing of pictures", nil, map[string]string{"Content-Security-Policy": "script-src 'none'"}, 200, page, true},
		{"its own policy forbids pictures", nil, map[string]string{"Content-Security-Policy": "default-src 'self'; img-src https://cdn.example.com"}, 200, page, false},
		{"two policies, one forbids", nil, map[string]string{"Content-Security-Policy": "img-src 'self', default-src 'none'"}, 200, page, false},
		{"a sandbox", nil, map[string]string{"Content-Security-Policy": "sandbox"}, 200, page, false},
		{"a policy inside the page", nil, nil, 200, strings.Replace(page, "<title>", `<meta http-equiv="Content-Security-Policy" content="default-src 'none'"><title>`, 1), false},
		{"compressed all the same", nil, map[string]string{"Content-Encoding": "gzip"}, 200, page, false},
		{"signed", nil, map[string]string{"Content-Digest": "sha-256=:x:"}, 200, page, false},
		{"not a page", nil, map[string]string{"Content-Type": "application/json"}, 200, page, false},
		{"a charset that is no superset of ASCII", nil, map[string]string{"Content-Type": "text/html; charset=utf-16"}, 200, page, false},
		{"a redirect", nil, nil, 302, page, false},
		{"no end of the body", nil, nil, 200, "<form></form>", false},
		{"a script's fetch", func(r *http.Request) { r.Header.Set("Sec-Fetch-Mode", "cors"); r.Header.Set("Sec-Fetch-Dest", "empty") }, nil, 200, page, false},
		{"another page", func(r *http.Request) { r.URL.Path = "/" }, nil, 200, page, false},
		{"the login itself", func(r *http.Request) { r.Method = http.MethodPost }, nil, 200, page, false},
		{"a range", func(r *http.Request) { r.Header.Set("Range", "bytes=0-9") }, nil, 200, page, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &Handler{Login: &Login{Path: "/login"}, app: &App{Languages: []string{"en", "fr"}}}
			w := httptest.NewRecorder()
			err := h.badged(caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				w.Header().Set("ETag", `"1"`)
				for name, value := range c.headers {
					w.Header().Set(name, value)
				}
				w.WriteHeader(c.status)
				for _, piece := range []string{c.body[:len(c.body)/2], c.body[len(c.body)/2:]} {
					if n, err := io.WriteString(w, piece); n != len(piece) || err != nil {
						t.Fatal(n, err)
					}
				}
				return nil
			})).ServeHTTP(w, get(c.request))
			if err != nil {
				t.Fatal(err)
			}
			got := w.Body.String()
			if has := strings.Contains(got, `alt="Biopass guards this sign-in"></p></aside></BODY>`); has != c.want {
				t.Errorf("marked %v: %s", has, got)
			}
			if !c.want && got != c.body {
				t.Errorf("the page is not as it was: %s", got)
			}
			if c.want && w.Header().Get("ETag") != "" {
				t.Error("its mark of identity stays")
			}
		})
	}
}
