package e2e

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// MailServer is a real SMTP server that keeps what it is sent.
type MailServer struct {
	// Addr is host:port; it stays the same when the server closes and opens.
	Addr string
	// User and Password are what AUTH PLAIN takes.
	User, Password string

	t      testing.TB
	tls    *tls.Config
	server *smtp.Server
	mu     sync.Mutex
	mails  []*Mail
	refuse []*smtp.SMTPError
	grown  chan struct{}
}

// StartMail starts a mail server that offers STARTTLS, under ca, and takes
// mail only after it and AUTH PLAIN. A nil ca makes it an old server: no TLS,
// no AUTH.
func StartMail(t testing.TB, ca *Authority) *MailServer {
	t.Helper()
	m := &MailServer{
		t: t, Addr: fmt.Sprintf("localhost:%d", FreePort(t)),
		User: "gate", Password: "only-for-tests", grown: make(chan struct{}),
	}
	if ca != nil {
		m.tls = ca.Server()
	}
	m.Open()
	t.Cleanup(m.Close)
	return m
}

// Open begins to listen again after Close.
func (m *MailServer) Open() {
	m.t.Helper()
	socket, err := net.Listen("tcp", m.Addr)
	if err != nil {
		m.t.Fatalf("opening the mail server: %v", err)
	}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &mailSession{server: m, conn: c}, nil
	}))
	server.Domain = "localhost"
	server.TLSConfig = m.tls
	server.ReadTimeout, server.WriteTimeout = patience, patience
	server.EnableSMTPUTF8 = true
	server.ErrorLog = log.New(io.Discard, "", 0)
	m.server = server
	go func() { _ = server.Serve(socket) }()
}

// Close is the server gone away: clients cannot connect.
func (m *MailServer) Close() {
	_ = m.server.Close()
}

// Refuse answers the next n mails with an SMTP status: 451 for now, 550 for
// good.
func (m *MailServer) Refuse(n, status int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for range n {
		m.refuse = append(m.refuse, &smtp.SMTPError{
			Code: status, EnhancedCode: smtp.EnhancedCode{status / 100, 3, 0}, Message: "refused by the test",
		})
	}
}

// Mails returns what came so far.
func (m *MailServer) Mails() []*Mail {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.mails)
}

// To matches the mails to an address.
func To(address string) func(*Mail) bool {
	return func(m *Mail) bool { return slices.Contains(m.To, address) }
}

// Await returns the first mail that satisfies match, come already or to come,
// the first skip of all aside; it fails the test when none comes in time.
func (m *MailServer) Await(t testing.TB, what string, match func(*Mail) bool, skip int) *Mail {
	t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	for {
		m.mu.Lock()
		grown, fresh := m.grown, slices.Clone(m.mails[min(skip, len(m.mails)):])
		m.mu.Unlock()
		skip += len(fresh)
		for _, mail := range fresh {
			if match(mail) {
				return mail
			}
		}
		select {
		case <-grown:
		case <-end.C:
			var all []string
			for _, mail := range m.Mails() {
				all = append(all, strings.Join(mail.To, ",")+": "+mail.Subject)
			}
			t.Fatalf("never came: %s\n%s", what, strings.Join(all, "\n"))
		}
	}
}

// mailSession is one SMTP session.
type mailSession struct {
	server   *MailServer
	conn     *smtp.Conn
	signedIn bool
	from     string
	to       []string
}

func (s *mailSession) AuthMechanisms() []string {
	if s.server.tls == nil {
		return nil
	}
	return []string{sasl.Plain}
}

func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != s.server.User || password != s.server.Password {
			return errors.New("wrong user or password")
		}
		s.signedIn = true
		return nil
	}), nil
}

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	if s.server.tls != nil {
		if _, secured := s.conn.TLSConnectionState(); !secured || !s.signedIn {
			return smtp.ErrAuthRequired
		}
	}
	s.from = from
	return nil
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("reading a mail: %w", err)
	}
	m := s.server
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.refuse) > 0 {
		refusal := m.refuse[0]
		m.refuse = m.refuse[1:]
		return refusal
	}
	mail, err := parseMail(raw)
	if err != nil {
		m.t.Errorf("a mail that cannot be read: %v\n%s", err, raw)
		return err
	}
	mail.From, mail.To = s.from, slices.Clone(s.to)
	m.mails = append(m.mails, mail)
	close(m.grown)
	m.grown = make(chan struct{})
	return nil
}

func (s *mailSession) Reset() { s.from, s.to = "", nil }

func (s *mailSession) Logout() error { return nil }
