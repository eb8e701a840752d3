package sms

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/notify/wire"
)

// HTTPConfig is `notify sms http <url>`: any gateway that takes a request.
// In URL and Body, {to} stands for the number ("+15145550100"), {digits} for
// it without the plus, and {text} for the message, escaped as the place
// needs it.
type HTTPConfig struct {
	URL string
	// Method is POST unless told otherwise.
	Method string
	// Header are further headers. Content-Type is found out from Body.
	Header http.Header
	// Body is JSON, XML or a form; empty for none.
	Body string
	// Success must stand in the answer; empty means that the status tells.
	Success string
	// RootCAs verify the server; nil means the system's.
	RootCAs *x509.CertPool
	Clock   func() time.Time
}

// HTTP is a gateway that takes a request.
type HTTP struct {
	conf   HTTPConfig
	host   string
	escape func(string) string
	client *http.Client
}

var _ Gateway = (*HTTP)(nil)

// NewHTTP checks a configuration. It does not connect.
func NewHTTP(c HTTPConfig) (*HTTP, error) {
	u, err := url.Parse(fill(c.URL, "+15145550100", "x", url.QueryEscape))
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, errors.New("notify sms http: the address must be https://host/path") // and may hold a secret
	}
	if u.Scheme == "http" && !wire.Loopback(u.Hostname()) {
		return nil, fmt.Errorf("notify sms http: %s is not this machine: use https", u.Hostname())
	}
	if !strings.Contains(c.URL+c.Body, "{text}") || !strings.Contains(c.URL+c.Body, "{to}") && !strings.Contains(c.URL+c.Body, "{digits}") {
		return nil, errors.New("notify sms http: {to} (or {digits}) and {text} must stand in the address or the body")
	}
	if c.Method == "" {
		c.Method = http.MethodPost
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	kind, escape := bodyKind(c.Body)
	header := c.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if c.Body != "" && header.Get("Content-Type") == "" {
		header.Set("Content-Type", kind)
	}
	c.Header = header
	return &HTTP{conf: c, host: u.Host, escape: escape, client: wire.Client(wire.Transport(c.RootCAs, nil))}, nil
}

// bodyKind tells what a body is from how it begins, and how its values are
// escaped (threat L14).
func bodyKind(body string) (contentType string, escape func(string) string) {
	switch body = strings.TrimSpace(body); {
	case strings.HasPrefix(body, "{"), strings.HasPrefix(body, "["):
		return "application/json", func(s string) string {
			b, err := json.Marshal(s)
			if err != nil {
				return ""
			}
			return string(b[1 : len(b)-1])
		}
	case strings.HasPrefix(body, "<"):
		return "application/xml", func(s string) string {
			var b strings.Builder
			_ = xml.EscapeText(&b, []byte(s)) // a builder takes all
			return b.String()
		}
	}
	return "application/x-www-form-urlencoded", url.QueryEscape
}

func fill(template, to, text string, escape func(string) string) string {
	return strings.NewReplacer("{to}", escape(to), "{digits}", escape(strings.TrimPrefix(to, "+")), "{text}", escape(text)).Replace(template)
}

// Send hands one text to the gateway.
func (h *HTTP) Send(ctx context.Context, to, text string) error {
	ctx, cancel := context.WithTimeout(ctx, defaultTimeout)
	defer cancel()
	var body io.Reader
	if h.conf.Body != "" {
		body = strings.NewReader(fill(h.conf.Body, to, text, h.escape))
	}
	r, err := http.NewRequestWithContext(ctx, h.conf.Method, fill(h.conf.URL, to, text, url.QueryEscape), body)
	if err != nil {
		return approvals.Permanent("%s: the request cannot be made", h.host)
	}
	r.Header = h.conf.Header.Clone()
	answer, err := h.client.Do(r)
	if err != nil {
		return fmt.Errorf("%s could not be reached: %w", h.host, wire.WithoutURL(err))
	}
	defer func() { _ = answer.Body.Close() }()
	said, err := io.ReadAll(io.LimitReader(answer.Body, 16<<10))
	if err != nil {
		return fmt.Errorf("%s: reading the answer: %w", h.host, err)
	}
	return h.explain(answer, string(said))
}

func (h *HTTP) explain(answer *http.Response, said string) error {
	code := answer.StatusCode
	err := fmt.Errorf("%s answered %d: %s", h.host, code, lang.Inert(said, 200))
	switch {
	case code >= 200 && code < 300 && strings.Contains(said, h.conf.Success):
		return nil
	case code == http.StatusBadRequest, code == http.StatusNotFound, code == http.StatusGone, code == http.StatusUnprocessableEntity,
		code >= 300 && code < 400:
		return &approvals.PermanentError{Err: err}
	}
	if wait, ok := approvals.RetryAfter(answer.Header, h.conf.Clock()); ok {
		return &approvals.LaterError{Err: err, After: wait}
	}
	return err
}
