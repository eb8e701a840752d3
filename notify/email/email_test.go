package email

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"math/big"
	"mime"
	"mime/multipart"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/approvals"
)

// server is a real SMTP server on loopback, and what it got.
type server struct {
	addr  string
	roots *x509.CertPool

	mu       sync.Mutex
	messages []string
	rcpts    []string
	authed   int
	current  int
	most     int

	wantAuth bool
	rcptErr  error
	dataErr  error
	slow     time.Duration
}

type session struct {
	s    *server
	auth bool
}

func (x *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (x *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if username != "gate" || password != "secret" {
			return smtp.ErrAuthFailed
		}
		x.auth = true
		return nil
	}), nil
}

func (x *session) Mail(string, *smtp.MailOptions) error {
	if x.s.wantAuth && !x.auth {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Authentication required"}
	}
	return nil
}

func (x *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if x.s.rcptErr != nil {
		return x.s.rcptErr
	}
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	x.s.rcpts = append(x.s.rcpts, to)
	return nil
}

func (x *session) Data(r io.Reader) error {
	x.s.mu.Lock()
	x.s.current++
	x.s.most = max(x.s.most, x.s.current)
	x.s.mu.Unlock()
	defer func() {
		x.s.mu.Lock()
		x.s.current--
		x.s.mu.Unlock()
	}()
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	time.Sleep(x.s.slow)
	if x.s.dataErr != nil {
		return x.s.dataErr
	}
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	x.s.messages = append(x.s.messages, string(b))
	if x.auth {
		x.s.authed++
	}
	return nil
}

func (x *session) Reset()        {}
func (x *session) Logout() error { return nil }

// start runs a server; with a nil config it has no TLS.
func start(t *testing.T, withTLS bool, change func(*server)) *server {
	t.Helper()
	s := &server{}
	if change != nil {
		change(s)
	}
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{s: s}, nil }))
	srv.Domain, srv.ErrorLog = "localhost", log.New(io.Discard, "", 0)
	srv.AllowInsecureAuth = !withTLS
	if withTLS {
		srv.TLSConfig, s.roots = certificate(t)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	return s
}

func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}, pool
}

func notifier(t *testing.T, s *server, change func(*Config)) *Notifier {
	t.Helper()
	c := Config{Server: s.addr, From: "gate@example.com", RootCAs: s.roots, Timeout: 5 * time.Second}
	if change != nil {
		change(&c)
	}
	n, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func notice() approvals.Notice {
	return approvals.Notice{
		ID: "06h00y8q2xk71yfe64vk16s19m", Kind: approvals.NoticeOpened, Channel: "email",
		To:          approvals.Recipient{Email: "marie@example.com", Name: "Marie Côté", Language: "fr", Admin: true},
		Application: "app.example.com", ApplicationName: "Registre des présences",
		Link: "https://gate.example.com/decide/token",
		Ask: approvals.AccessRequest{
			ID: "06h00y8q2xk71yfe64vk16s000", Reference: "7KD-4M2", Application: "app.example.com",
			Person: access.Person{User: "julie", Name: "Julie Tremblay"},
			Device: access.Device{ID: "d", Kind: access.Tablet, Label: "Android tablet"}, New: []access.Part{access.PartDevice},
			Browser: access.Browser{Family: "Chrome", Platform: "Android"}, Place: access.Place{City: "Laval", Country: "CA"},
			Opened: time.Now(), State: approvals.Waiting, LoginID: "login1", Note: "La tablette des poupons",
		},
		Created: time.Now(),
	}
}

// only returns the one message a server got.
func (s *server) only(t *testing.T) (*mail.Message, string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.messages) != 1 {
		t.Fatalf("%d messages", len(s.messages))
	}
	m, err := mail.ReadMessage(strings.NewReader(s.messages[0]))
	if err != nil {
		t.Fatal(err)
	}
	return m, s.messages[0]
}

func header(t *testing.T, m *mail.Message, name string) string {
	t.Helper()
	text, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get(name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAMailGoesOutOverSTARTTLSAndAuth(t *testing.T) {
	s := start(t, true, func(s *server) { s.wantAuth = true })
	n := notifier(t, s, func(c *Config) { c.Username, c.Password = "gate", "secret" })
	if err := n.Notify(t.Context(), notice()); err != nil {
		t.Fatal(err)
	}
	m, raw := s.only(t)
	if s.authed != 1 {
		t.Error("sent without signing in")
	}
	for name, want := range map[string]string{
		"From": `"Cadenas" <gate@example.com>`, "Auto-Submitted": "auto-generated",
		"List-Id":     "Cadenas <cadenas.example.com>",
		"Message-Id":  "<notice.06h00y8q2xk71yfe64vk16s19m@example.com>",
		"In-Reply-To": "<request.06h00y8q2xk71yfe64vk16s000@example.com>",
		"References":  "<request.06h00y8q2xk71yfe64vk16s000@example.com>",
	} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	to, err := m.Header.AddressList("To")
	if err != nil || len(to) != 1 || to[0].Address != "marie@example.com" || to[0].Name != "Marie Côté" {
		t.Errorf("To: %v, %v", to, err)
	}
	if subject := header(t, m, "Subject"); !strings.Contains(subject, "Julie Tremblay") {
		t.Errorf("subject %q", subject)
	}
	types := partTypes(t, m)
	for _, want := range []string{"text/plain", "text/html", "image/png"} {
		if !strings.Contains(types, want) {
			t.Errorf("parts %s lack %s", types, want)
		}
	}
	for i, line := range strings.Split(raw, "\r\n") {
		if len(line) > 998 {
			t.Errorf("line %d has %d characters", i, len(line))
		}
	}
}

func partTypes(t *testing.T, m *mail.Message) string {
	t.Helper()
	var types []string
	var walk func(contentType string, r io.Reader)
	walk = func(contentType string, r io.Reader) {
		kind, params, err := mime.ParseMediaType(contentType)
		if err != nil {
			t.Fatal(err)
		}
		types = append(types, kind)
		if !strings.HasPrefix(kind, "multipart/") {
			return
		}
		parts := multipart.NewReader(r, params["boundary"])
		for {
			p, err := parts.NextPart()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			walk(p.Header.Get("Content-Type"), p)
		}
	}
	walk(m.Header.Get("Content-Type"), m.Body)
	return strings.Join(types, " ")
}

func TestAMapIsAttachedWhereThePlaceIsKnownAndHasNoName(t *testing.T) {
	for _, c := range []struct {
		name  string
		place access.Place
		maps  int
	}{
		{"a city with coordinates", access.Place{City: "Laval", Country: "CA", Latitude: 45.6, Longitude: -73.7, Located: true}, 1},
		{"a city without", access.Place{City: "Laval", Country: "CA"}, 0},
		{"a network with a name", access.Place{Name: "Office", Latitude: 45.6, Longitude: -73.7, Located: true}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, true, nil)
			x := notice()
			x.Ask.Place = c.place
			if err := notifier(t, s, nil).Notify(t.Context(), x); err != nil {
				t.Fatal(err)
			}
			m, _ := s.only(t)
			if got := strings.Count(partTypes(t, m), "image/png"); got != 1+c.maps {
				t.Errorf("%d pictures, with the logo", got)
			}
			ids := strings.ToLower(s.messages[0])
			if !strings.Contains(ids, "content-id: <"+approvals.MailLogoID+">") {
				t.Error("the logo's identifier is not in angle brackets (RFC 2392)")
			}
			if shown := strings.Contains(ids, "content-id: <"+approvals.MailMapID+">"); shown != (c.maps > 0) {
				t.Errorf("the map under its identifier: %v", shown)
			}
		})
	}
}

func TestANoticeSentTwiceHasOneMessageID(t *testing.T) {
	s := start(t, true, nil)
	n := notifier(t, s, nil)
	for range 2 {
		if err := n.Notify(t.Context(), notice()); err != nil {
			t.Fatal(err)
		}
	}
	ids := map[string]bool{}
	for _, raw := range s.messages {
		m, err := mail.ReadMessage(strings.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		ids[m.Header.Get("Message-Id")] = true
	}
	if len(s.messages) != 2 || len(ids) != 1 {
		t.Errorf("%d messages, %d identifiers", len(s.messages), len(ids))
	}
}

func TestWhatAServerSaysDecidesWhetherToTryAgain(t *testing.T) {
	reply := func(code int, a, b, c int, words string) error {
		return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{a, b, c}, Message: words}
	}
	cases := []struct {
		name      string
		tls       bool
		server    func(*server)
		config    func(*Config)
		permanent bool
		words     string
	}{
		{"an unknown recipient is final", true, func(s *server) { s.rcptErr = reply(550, 5, 1, 1, "No such user here") }, nil, true, "No such user here"},
		{"a full mailbox is not", true, func(s *server) { s.rcptErr = reply(452, 4, 2, 2, "Mailbox full") }, nil, false, "Mailbox full"},
		{"a greylisting is not", true, func(s *server) { s.rcptErr = reply(451, 4, 7, 1, "Greylisted") }, nil, false, "Greylisted"},
		{"relaying that is denied can be mended", true, func(s *server) { s.rcptErr = reply(550, 5, 7, 1, "Relaying denied") }, nil, false, "Relaying denied"},
		{"a mail taken for spam is final", true, func(s *server) { s.dataErr = reply(554, 5, 6, 0, "Looks like spam") }, nil, true, "Looks like spam"},
		{"an overloaded server is not", true, func(s *server) { s.dataErr = reply(421, 4, 3, 2, "Too busy") }, nil, false, "Too busy"},
		{"a wrong password can be mended", true, nil, func(c *Config) { c.Username, c.Password = "gate", "wrong" }, false, "check username and password"},
		{"signing in that is wanted can be mended", true, func(s *server) { s.wantAuth = true }, nil, false, "Authentication required"},
		{"a server without TLS gets nothing", false, nil, nil, false, "offers no TLS"},
		{"a certificate of nobody's gets nothing", true, nil, func(c *Config) { c.RootCAs = x509.NewCertPool() }, false, "certificate"},
		{"a server that says nothing is hung up on", true, func(s *server) { s.slow = 3 * time.Second }, func(c *Config) { c.Timeout = 300 * time.Millisecond }, false, "in time"},
		{"a server that is not there is tried again", true, nil, func(c *Config) { c.Server = "127.0.0.1:1" }, false, "127.0.0.1:1"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, c.tls, c.server)
			began := time.Now()
			err := notifier(t, s, c.config).Notify(t.Context(), notice())
			if err == nil || approvals.IsPermanent(err) != c.permanent || !strings.Contains(err.Error(), c.words) {
				t.Errorf("%v (permanent %v)", err, approvals.IsPermanent(err))
			}
			if strings.Contains(err.Error(), "wrong") {
				t.Errorf("the password is in the error: %v", err)
			}
			if d := time.Since(began); d > 4*time.Second {
				t.Errorf("took %s", d)
			}
			if s.authed+len(s.messages) > 0 {
				t.Error("something was sent")
			}
		})
	}
}

func TestWithoutTLSOnlyWhereAsked(t *testing.T) {
	for _, mode := range []TLS{Off, Opportunistic} {
		s := start(t, false, nil)
		if err := notifier(t, s, func(c *Config) { c.TLS = mode }).Notify(t.Context(), notice()); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
		s.only(t)
	}
}

func TestTheContextEndsASend(t *testing.T) {
	s := start(t, true, func(s *server) { s.slow = 3 * time.Second })
	n := notifier(t, s, func(c *Config) { c.Timeout = time.Minute })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := n.Notify(ctx, notice()); err == nil || approvals.IsPermanent(err) {
		t.Errorf("%v", err)
	}
	if d := time.Since(began); d > 2*time.Second {
		t.Errorf("took %s", d)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	s := start(t, true, func(s *server) { s.slow = 30 * time.Millisecond })
	n := notifier(t, s, nil)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := n.Notify(t.Context(), notice()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if s.most > atOnce || len(s.messages) != 20 {
		t.Errorf("%d at once, %d sent", s.most, len(s.messages))
	}
}

func TestThreat_L14_NothingOfAStrangersBecomesAHeader(t *testing.T) {
	evil := []string{
		"Julie\r\nBcc: everybody@example.com", "Julie\nSubject: other", "Julie\rX: y", "=?utf-8?q?a?=\r\n b",
		"Julie\x00\u2028\u2029\u0085Bcc: x@y", "\u202egnitirw", "<script>alert(1)</script>", "{{.}} {env.HOME} {http.request.host}",
		`"><img src=x onerror=alert(1)>`, strings.Repeat("x", 5000), "a\xff\xfeb",
	}
	for _, text := range evil {
		s := start(t, true, nil)
		n := notice()
		n.Ask.Person.Name, n.Ask.Person.User, n.Ask.Note, n.ApplicationName, n.To.Name = text, text, text, text, text
		n.Ask.Device.Label, n.Ask.Browser.Family, n.Ask.Place.City, n.Ask.Place.Owner = text, text, text, text
		n.ID, n.Ask.ID = text, text
		if err := notifier(t, s, nil).Notify(t.Context(), n); err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		m, raw := s.only(t)
		if len(s.rcpts) != 1 || s.rcpts[0] != "marie@example.com" {
			t.Errorf("%q: sent to %v", text, s.rcpts)
		}
		for _, name := range []string{"Bcc", "X", "Cc"} {
			if m.Header.Get(name) != "" {
				t.Errorf("%q: header %s appeared", text, name)
			}
		}
		if subject := header(t, m, "Subject"); strings.ContainsAny(subject, "\r\n\x00\u202e\u2028") || len([]rune(subject)) > 250 {
			t.Errorf("%q: subject %q", text, subject)
		}
		head, _, _ := strings.Cut(raw, "\r\n\r\n")
		if strings.Count(head, "\nSubject:") != 1 || strings.Count(head, "\nTo:") != 1 {
			t.Errorf("%q: headers\n%s", text, head)
		}
		_, html, _ := strings.Cut(raw, "text/html")
		if strings.Contains(html, "<script>") || strings.Contains(html, "<img src=3Dx") {
			t.Errorf("%q: markup of a stranger's", text)
		}
	}
}

func TestAnAddressThatIsNoneIsFinal(t *testing.T) {
	s := start(t, true, nil)
	n := notifier(t, s, nil)
	for _, to := range []string{"", "marie", "a@b.ca, c@d.ca", "Marie <marie@example.com>", "marie@example.com\r\nBcc: x@example.com"} {
		x := notice()
		x.To.Email = to
		if err := n.Notify(t.Context(), x); !approvals.IsPermanent(err) {
			t.Errorf("%q: %v", to, err)
		}
		if n.Reaches(x.To) {
			t.Errorf("%q is said to be reached", to)
		}
	}
	if !n.Reaches(notice().To) {
		t.Error("a good address is not reached")
	}
}

func TestAConfigurationThatCannotWorkIsRefused(t *testing.T) {
	for name, c := range map[string]Config{
		"no server":           {From: "a@b.ca"},
		"a port that is none": {Server: "smtp.example.com:70000", From: "a@b.ca"},
		"words for a port":    {Server: "smtp.example.com:smtp", From: "a@b.ca"},
		"no sender":           {Server: "smtp.example.com:587"},
		"a sender of two":     {Server: "smtp.example.com:587", From: "a@b.ca, c@d.ca"},
		"an unknown tls":      {Server: "smtp.example.com:587", From: "a@b.ca", TLS: "maybe"},
		"a password alone":    {Server: "smtp.example.com:587", From: "a@b.ca", Password: "x"},
	} {
		if _, err := New(c); err == nil {
			t.Error(name)
		}
	}
	n, err := New(Config{Server: "smtp.example.com", From: "Porte <gate@example.com>"})
	if err != nil || n.port != 587 || n.conf.TLS != Required || n.from.Name != "Porte" {
		t.Errorf("%+v, %v", n, err)
	}
}
