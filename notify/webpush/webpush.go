// Package webpush sends notices to the browsers that admins subscribed
// (RFC 8030, encrypted by RFC 8291, signed by RFC 8292). What a push says only
// the browser can read; it opens a page and approves nothing.
package webpush

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	push "github.com/SherClockHolmes/webpush-go"

	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/notify/wire"
)

const (
	defaultTimeout = 15 * time.Second
	// life is how long a push service keeps a push for a browser that is away.
	life = 24 * time.Hour
	// reachWithin bounds the look whether somebody has a browser.
	reachWithin = 2 * time.Second
	maxKept     = 1000
)

// Book keeps the subscriptions; approvals.PushBook is one.
type Book interface {
	Of(ctx context.Context, admin string) ([]approvals.Subscription, error)
	Remove(ctx context.Context, admin, id string) error
}

// Config is what the channel is made of; all but Book, Public and Private has
// a default.
type Config struct {
	Book Book
	// Public and Private are the VAPID keys, in base64url.
	Public, Private string
	// Contact is whom a push service writes to about us: an address, or an
	// https URL.
	Contact string
	// Timeout bounds one push; 0 means 15 seconds.
	Timeout time.Duration
	// RootCAs verify push services; nil means the system's.
	RootCAs *x509.CertPool
	// Inside lets endpoints be on private addresses: for a push service of
	// one's own. Else an endpoint cannot make us knock at our own network.
	Inside bool
	Clock  func() time.Time
}

// Notifier is the channel "web_push".
type Notifier struct {
	conf   Config
	client *http.Client

	mu sync.Mutex
	// done are the browsers that have a notice already, while others of the
	// same person are tried again.
	done map[string]map[string]bool
}

var (
	_ approvals.Notifier = (*Notifier)(nil)
	_ approvals.Reacher  = (*Notifier)(nil)
)

// New makes the channel. It does not connect.
func New(c Config) (*Notifier, error) {
	if c.Book == nil || c.Public == "" || c.Private == "" {
		return nil, errors.New("notify web_push: no keys")
	}
	c.Contact = strings.TrimPrefix(c.Contact, "mailto:") // the library adds it
	if !strings.HasPrefix(c.Contact, "https://") && !strings.Contains(c.Contact, "@") {
		return nil, fmt.Errorf("notify web_push: contact %q: use an e-mail address or an https address", c.Contact)
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	var dial wire.Dial
	if !c.Inside {
		dial = (&net.Dialer{Timeout: 10 * time.Second, Control: outside}).DialContext
	}
	return &Notifier{conf: c, done: map[string]map[string]bool{}, client: wire.Client(wire.Transport(c.RootCAs, dial))}, nil
}

var errInside = errors.New("the push service's address is a private one")

// outside refuses addresses that are no push service's: an endpoint comes from
// a browser.
func outside(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return errInside
	}
	ip := at.Addr().Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return errInside
	}
	return nil
}

// Name is the channel's word.
func (n *Notifier) Name() string { return "web_push" }

// Reaches reports whether an admin has subscribed a browser. A store that does
// not answer counts as one: the notice then waits for it.
func (n *Notifier) Reaches(to approvals.Recipient) bool {
	if !to.Admin || to.Email == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), reachWithin)
	defer cancel()
	list, err := n.conf.Book.Of(ctx, to.Email)
	return err != nil || len(list) > 0
}

// Notify pushes to all browsers of an admin. Subscriptions that are gone are
// dropped; where none is left, the error is permanent.
func (n *Notifier) Notify(ctx context.Context, notice approvals.Notice) error {
	body, err := json.Marshal(Message(notice))
	if err != nil {
		return approvals.Permanent("making a push: %w", err)
	}
	list, err := n.conf.Book.Of(ctx, notice.To.Email)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return approvals.Permanent("no browser of %s is subscribed", notice.To.Email)
	}
	var again error
	reached := 0
	for _, s := range list {
		if n.has(notice.ID, s.ID) {
			reached++
			continue
		}
		err := n.one(ctx, notice, s, body)
		switch {
		case err == nil:
			reached++
			n.keep(notice.ID, s.ID)
		case errors.Is(err, errGone):
			if err := n.conf.Book.Remove(ctx, notice.To.Email, s.ID); err != nil {
				return err
			}
		case approvals.IsPermanent(err) && again == nil && reached == 0:
			again = err
		case !approvals.IsPermanent(err):
			again = err
		}
	}
	if again == nil || reached > 0 && approvals.IsPermanent(again) {
		n.forget(notice.ID)
		if reached == 0 {
			return approvals.Permanent("every subscription of %s is gone: subscribe again in the console", notice.To.Email)
		}
		return nil
	}
	return again
}

// errGone says that a browser is subscribed no more.
var errGone = errors.New("the subscription is gone")

func (n *Notifier) one(ctx context.Context, notice approvals.Notice, s approvals.Subscription, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, n.conf.Timeout)
	defer cancel()
	host := "the push service"
	if u, err := url.Parse(s.Endpoint); err == nil {
		host = u.Host
	}
	answer, err := push.SendNotificationWithContext(ctx, body, &push.Subscription{
		Endpoint: s.Endpoint, Keys: push.Keys{P256dh: s.P256dh, Auth: s.Auth},
	}, &push.Options{
		HTTPClient: n.client, Subscriber: n.conf.Contact, VAPIDPublicKey: n.conf.Public, VAPIDPrivateKey: n.conf.Private,
		TTL: int(life / time.Second), Urgency: urgency(notice.Kind), Topic: Topic(notice),
	})
	if err != nil {
		err = wire.WithoutURL(err) // the endpoint's path lets send
		if errors.Is(err, errInside) {
			return approvals.Permanent("push to %s: %w", host, err)
		}
		return fmt.Errorf("push to %s: %w", host, err)
	}
	defer func() { _ = answer.Body.Close() }()
	said, _ := io.ReadAll(io.LimitReader(answer.Body, 4<<10)) // only for words
	code := answer.StatusCode
	err = fmt.Errorf("push to %s: answered %d %s", host, code, lang.Inert(string(said), 160))
	switch {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusNotFound, code == http.StatusGone:
		return errGone
	case code == http.StatusBadRequest, code == http.StatusRequestEntityTooLarge, code >= 300 && code < 400:
		return &approvals.PermanentError{Err: err}
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		// Subscribed under other keys than ours now: it will never take one.
		return errGone
	}
	if wait, ok := approvals.RetryAfter(answer.Header, n.conf.Clock()); ok {
		return &approvals.LaterError{Err: err, After: wait}
	}
	return err
}

func urgency(kind approvals.NoticeKind) push.Urgency {
	switch kind {
	case approvals.NoticeOpened:
		return push.UrgencyHigh
	case approvals.NoticeDecided, approvals.NoticeDigest, approvals.NoticeTest, approvals.NoticeOutcome, approvals.NoticeSignIn, approvals.NoticeCode:
	}
	return push.UrgencyNormal
}

// Topic is the same for all pushes about one request, and tells nothing of
// it: a later one takes the place of one that was not delivered yet.
func Topic(n approvals.Notice) string {
	what := "notice " + n.ID
	if n.Ask.ID != "" {
		what = "request " + n.Application + " " + n.Ask.ID
	}
	sum := sha256.Sum256([]byte(what))
	return base64.RawURLEncoding.EncodeToString(sum[:])[:32]
}

func (n *Notifier) has(notice, subscription string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.done[notice][subscription]
}

func (n *Notifier) keep(notice, subscription string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.done) >= maxKept {
		clear(n.done) // a push twice is better than memory without end
	}
	if n.done[notice] == nil {
		n.done[notice] = map[string]bool{}
	}
	n.done[notice][subscription] = true
}

func (n *Notifier) forget(notice string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.done, notice)
}
