// Package webhook sends notices to an address of one's own, as signed JSON or
// in the shape that a chat wants. It tells; nothing in a chat can approve:
// its link leads to the console, where one signs in.
package webhook

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/notify/wire"
)

const (
	defaultTimeout = 15 * time.Second
	// answerLimit is how much of an answer is read, in bytes.
	answerLimit = 4 << 10
)

// Config is the block `notify webhook <url>`.
type Config struct {
	// URL is where notices are posted. For chats it is a secret: it stands in
	// no log and no error. http:// is for an address on this machine only.
	URL string
	// Secret signs JSON and what goes to Slack, Teams and Discord (see Sign);
	// for ntfy it is the access token, for Gotify the application's.
	Secret string
	// Template is json (the default), slack, teams, discord, ntfy or gotify.
	Template string
	// Language is the one spoken there; empty means the configuration's first.
	Language string
	// Timeout bounds one post; 0 means 15 seconds.
	Timeout time.Duration
	// RootCAs verify the server; nil means the system's.
	RootCAs *x509.CertPool
	// Clock is the time that is signed; nil means time.Now.
	Clock func() time.Time
}

// Notifier is the channel "webhook" for one address.
type Notifier struct {
	conf   Config
	url    *url.URL
	shape  shape
	client *http.Client
}

var (
	_ approvals.Notifier = (*Notifier)(nil)
	_ approvals.Roomy    = (*Notifier)(nil)
)

// New checks a configuration. It does not connect.
func New(c Config) (*Notifier, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, errors.New("notify webhook: the address must be https://host/path") // and is not repeated: it may be a secret
	}
	if u.Scheme == "http" && !wire.Loopback(u.Hostname()) {
		return nil, fmt.Errorf("notify webhook: %s is not this machine: use https", u.Hostname())
	}
	if c.Template == "" {
		c.Template = "json"
	}
	s, ok := shapes[c.Template]
	if !ok {
		return nil, fmt.Errorf("notify webhook: template %q: use json, slack, teams, discord, ntfy or gotify", c.Template)
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return &Notifier{conf: c, url: u, shape: s, client: wire.Client(wire.Transport(c.RootCAs, nil))}, nil
}

// Name is the channel's word.
func (n *Notifier) Name() string { return "webhook" }

// Rooms is the one room behind the address, named by its host.
func (n *Notifier) Rooms() []approvals.Recipient {
	return []approvals.Recipient{{Name: n.url.Host, Language: n.conf.Language}}
}

// Notify posts one notice. The error is permanent where the other side will
// never take it; it says when to come back where the other side said so.
func (n *Notifier) Notify(ctx context.Context, notice approvals.Notice) error {
	switch notice.Kind {
	case approvals.NoticeOpened, approvals.NoticeDecided, approvals.NoticeDigest, approvals.NoticeTest:
	case approvals.NoticeOutcome, approvals.NoticeSignIn, approvals.NoticeCode:
		return approvals.Permanent("a notice of kind %s is for one person and goes into no room", notice.Kind)
	}
	body, header, err := n.shape(notice, n.conf)
	if err != nil {
		return approvals.Permanent("making a webhook's body: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, n.conf.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, n.url.String(), bytes.NewReader(body))
	if err != nil {
		return approvals.Permanent("webhook %s: the address cannot be used", n.url.Host)
	}
	r.Header = header
	r.Header.Set("User-Agent", "Cadenas")
	answer, err := n.client.Do(r)
	if err != nil {
		return fmt.Errorf("webhook %s: %w", n.url.Host, wire.WithoutURL(err))
	}
	defer func() { _ = answer.Body.Close() }()
	said, _ := io.ReadAll(io.LimitReader(answer.Body, answerLimit)) // only for words
	return explain(n.url.Host, answer, lang.Inert(string(said), 160), n.conf.Clock())
}

// explain tells what an answer means. What the operator can mend (a token, a
// right) is tried again, as for mail.
func explain(host string, answer *http.Response, said string, now time.Time) error {
	code := answer.StatusCode
	err := fmt.Errorf("webhook %s answered %d %s", host, code, said)
	switch {
	case code >= 200 && code < 300:
		return nil
	case code >= 300 && code < 400:
		return approvals.Permanent("webhook %s leads elsewhere (%d): give its final address", host, code)
	case code == http.StatusBadRequest, code == http.StatusNotFound, code == http.StatusMethodNotAllowed, code == http.StatusGone,
		code == http.StatusRequestEntityTooLarge, code == http.StatusUnsupportedMediaType, code == http.StatusUnprocessableEntity:
		return &approvals.PermanentError{Err: err}
	}
	if wait, ok := approvals.RetryAfter(answer.Header, now); ok {
		return &approvals.LaterError{Err: err, After: wait}
	}
	return err
}
