// Package email sends notices by SMTP.
package email

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/lang"
)

// TLS says how the connection to the server is protected.
type TLS string

// The ways of `tls`. The zero value is Required.
const (
	// Required sends nothing unless the server proves who it is: STARTTLS, or
	// TLS from the first byte on port 465.
	Required TLS = "required"
	// Opportunistic uses STARTTLS where the server offers it; who sits in
	// between can take the offer away.
	Opportunistic TLS = "opportunistic"
	// Off is for a relay on the same machine.
	Off TLS = "off"
)

const (
	defaultTimeout = 20 * time.Second
	// atOnce bounds the connections to the server.
	atOnce = 4
	// implicitPort is where TLS comes before SMTP (RFC 8314).
	implicitPort = 465
)

// Config is the block `notify email <host:port>`.
type Config struct {
	// Server is host:port; without a port it is 587.
	Server string
	// From is the sender, "gate@example.com" or "Gate <gate@example.com>".
	From string
	// Username and Password sign in to the server; without a user name nobody
	// signs in. Without TLS a password is sent to a server on loopback only.
	Username, Password string
	TLS                TLS
	// Timeout bounds one mail from dialling on; 0 means 20 seconds.
	Timeout time.Duration
	// RootCAs verify the server; nil means the system's.
	RootCAs *x509.CertPool
}

// Notifier is the channel "email".
type Notifier struct {
	conf   Config
	host   string
	port   int
	from   *mail.Address
	domain string
	slots  chan struct{}
}

var (
	_ approvals.Notifier = (*Notifier)(nil)
	_ approvals.Reacher  = (*Notifier)(nil)
)

// New checks a configuration. It does not connect.
func New(c Config) (*Notifier, error) {
	host, port, err := splitServer(c.Server)
	if err != nil {
		return nil, err
	}
	from, err := mail.ParseAddress(c.From)
	if err != nil {
		return nil, fmt.Errorf("notify email: from %q is no address: %w", c.From, err)
	}
	if from.Name == "" {
		from.Name = "Cadenas"
	}
	switch c.TLS {
	case "":
		c.TLS = Required
	case Required, Opportunistic, Off:
	default:
		return nil, fmt.Errorf("notify email: tls %q: use required, opportunistic or off", c.TLS)
	}
	if c.Password != "" && c.Username == "" {
		return nil, errors.New("notify email: a password without a username")
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	return &Notifier{
		conf: c, host: host, port: port, from: from,
		domain: from.Address[strings.LastIndexByte(from.Address, '@')+1:], slots: make(chan struct{}, atOnce),
	}, nil
}

func splitServer(server string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(server)
	if err != nil {
		if host, text = strings.Trim(server, "[]"), "587"; host == "" || strings.Contains(host, ":") && net.ParseIP(host) == nil {
			return "", 0, fmt.Errorf("notify email: server %q: use host:port", server)
		}
	}
	port, err = strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 || host == "" {
		return "", 0, fmt.Errorf("notify email: server %q: use host:port", server)
	}
	return host, port, nil
}

// Name is the channel's word.
func (n *Notifier) Name() string { return "email" }

// Reaches reports whether somebody has an address.
func (n *Notifier) Reaches(to approvals.Recipient) bool {
	_, err := address(to)
	return err == nil
}

// address is a recipient's, with their name; one that is not a bare address
// could smuggle others in.
func address(to approvals.Recipient) (*mail.Address, error) {
	a, err := mail.ParseAddress(to.Email)
	if err != nil || a.Address != to.Email || a.Name != "" || strings.ContainsAny(to.Email, "\r\n") {
		return nil, fmt.Errorf("%q is no e-mail address", to.Email)
	}
	a.Name = lang.Inert(to.Name, 80)
	return a, nil
}

// Notify sends one mail. The error is permanent where the server refuses the
// address or the mail for good; a server that is away, overloaded or does not
// let us in can be mended, so those are tried again.
func (n *Notifier) Notify(ctx context.Context, notice approvals.Notice) error {
	msg, err := n.message(notice)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, n.conf.Timeout)
	defer cancel()
	select {
	case n.slots <- struct{}{}:
		defer func() { <-n.slots }()
	case <-ctx.Done():
		return fmt.Errorf("mail waited for others: %w", ctx.Err())
	}
	return n.send(ctx, msg)
}

// message makes the mail of a notice.
func (n *Notifier) message(notice approvals.Notice) (*gomail.Msg, error) {
	to, err := address(notice.To)
	if err != nil {
		return nil, approvals.Permanent("%w", err)
	}
	body, err := approvals.RenderMail(notice)
	if err != nil {
		return nil, approvals.Permanent("%w", err)
	}
	msg := gomail.NewMsg()
	msg.FromMailAddress(n.from)
	msg.ToMailAddress(to)
	// RenderMail gives one line; a second one here would be a header of a
	// stranger's (threat L14), so it is made sure of once more.
	msg.Subject(lang.Inert(body.Subject, 250))
	msg.SetDate()
	msg.SetMessageIDWithValue(n.messageID("notice", notice.ID))
	if notice.Ask.ID != "" {
		// All mails about one request hang together.
		thread := "<" + n.messageID("request", notice.Ask.ID) + ">"
		msg.SetGenHeaderPreformatted(gomail.HeaderInReplyTo, thread)
		msg.SetGenHeaderPreformatted(gomail.HeaderReferences, thread)
	}
	msg.SetGenHeaderPreformatted("List-Id", "Cadenas <cadenas."+n.domain+">")
	// RFC 3834: no out-of-office answers this.
	msg.SetGenHeaderPreformatted("Auto-Submitted", "auto-generated")
	msg.SetGenHeaderPreformatted("X-Auto-Response-Suppress", "All")
	msg.SetBodyString(gomail.TypeTextPlain, body.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, body.HTML)
	inline(msg, "logo.png", approvals.MailLogoID, approvals.MailLogo())
	if body.Map != nil {
		inline(msg, "map.png", approvals.MailMapID, body.Map)
	}
	return msg, nil
}

// inline attaches a picture that the mail shows. Its identifier stands in angle
// brackets (RFC 2392): without them some programs show no picture.
func inline(msg *gomail.Msg, name, id string, picture []byte) {
	msg.EmbedReadSeeker(name, bytes.NewReader(picture), gomail.WithFileContentID("<"+id+">"), gomail.WithFileContentType("image/png"))
}

// messageID names a mail after what it is about, so that one sent twice is
// known as the same. What is not plain is hashed.
func (n *Notifier) messageID(what, id string) string {
	if id == "" || len(id) > 64 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
		sum := sha256.Sum256([]byte(id))
		id = hex.EncodeToString(sum[:16])
	}
	return what + "." + id + "@" + n.domain
}

func (n *Notifier) send(ctx context.Context, msg *gomail.Msg) error {
	config := &tls.Config{ServerName: n.host, RootCAs: n.conf.RootCAs, MinVersion: tls.VersionTLS12}
	var dialled net.Conn
	options := []gomail.Option{
		gomail.WithPort(n.port), gomail.WithTimeout(n.conf.Timeout), gomail.WithTLSConfig(config),
		gomail.WithoutNoop(), gomail.WithoutRset(),
		gomail.WithDialContextFunc(func(dialCtx context.Context, network, address string) (net.Conn, error) {
			conn, err := n.dial(dialCtx, network, address, config)
			dialled = conn
			if err == nil {
				// The library looks at the context while dialling only; a server
				// that then says nothing is hung up on here.
				context.AfterFunc(ctx, func() { _ = conn.Close() })
			}
			return conn, err
		}),
	}
	switch {
	case n.implicit():
		options = append(options, gomail.WithSSL())
	case n.conf.TLS == Required:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case n.conf.TLS == Opportunistic:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	if n.conf.Username != "" {
		options = append(options, gomail.WithUsername(n.conf.Username), gomail.WithPassword(n.conf.Password),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	client, err := gomail.NewClient(n.host, options...)
	if err != nil {
		return fmt.Errorf("preparing mail: %w", err)
	}
	err = client.DialAndSendWithContext(ctx, msg)
	if dialled != nil {
		_ = dialled.Close() // the library leaves it open where greeting fails
	}
	if msg.IsDelivered() {
		return nil // the server took it; how the connection ended is nobody's concern
	}
	return n.explain(ctx, err)
}

func (n *Notifier) dial(ctx context.Context, network, address string, config *tls.Config) (net.Conn, error) {
	if n.implicit() {
		return (&tls.Dialer{Config: config}).DialContext(ctx, network, address)
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

func (n *Notifier) implicit() bool { return n.port == implicitPort && n.conf.TLS != Off }

// explain says in words what went wrong, and whether trying again is of use.
func (n *Notifier) explain(ctx context.Context, err error) error {
	server := net.JoinHostPort(n.host, strconv.Itoa(n.port))
	var sent *gomail.SendError
	switch isSent := errors.As(err, &sent); {
	case (ctx.Err() != nil || strings.Contains(err.Error(), "i/o timeout")) && sent.ErrorCode() == 0:
		return fmt.Errorf("mail server %s did not answer in time: %w", server, err)
	case isSent:
		code := sent.ErrorCode()
		what := "the mail"
		if sent.Reason == gomail.ErrSMTPRcptTo {
			what = "the recipient"
		}
		err = fmt.Errorf("mail server %s did not take %s (%d): %w", server, what, code, err)
		if code >= 500 && code <= 599 && aboutTheMail(sent) {
			return &approvals.PermanentError{Err: err}
		}
		return err
	case strings.Contains(err.Error(), "AUTH"):
		return fmt.Errorf("mail server %s did not let us in, check username and password: %w", server, err)
	case strings.Contains(err.Error(), "STARTTLS"):
		return fmt.Errorf("mail server %s offers no TLS; see `tls` in `notify email`: %w", server, err)
	}
	return fmt.Errorf("mail server %s: %w", server, err)
}

// aboutTheMail tells a refusal of this recipient or this mail from one of us:
// "5.7" and 53x speak of authorisation, which the operator can mend.
func aboutTheMail(err *gomail.SendError) bool {
	if strings.HasPrefix(err.EnhancedStatusCode(), "5.7") || err.ErrorCode()/10 == 53 {
		return false
	}
	switch err.Reason { //nolint:exhaustive // all others are about us
	case gomail.ErrSMTPRcptTo, gomail.ErrSMTPData, gomail.ErrSMTPDataClose:
		return true
	}
	return false
}
