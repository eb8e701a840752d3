package webhook

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/approvals"
)

// post is what a receiver got.
type post struct {
	header http.Header
	body   []byte
}

// receiver is a real TLS server that keeps what it gets and answers as told.
func receiver(t *testing.T, answer http.HandlerFunc) (*httptest.Server, *[]post) {
	t.Helper()
	var got []post
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost {
			t.Errorf("%s, %v", r.Method, err)
		}
		got = append(got, post{r.Header.Clone(), body})
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s, &got
}

func pool(s *httptest.Server) *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(s.Certificate())
	return p
}

func notice() approvals.Notice {
	opened := time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)
	return approvals.Notice{
		ID: "notice1", Kind: approvals.NoticeOpened, Channel: "webhook", To: approvals.Recipient{Name: "hooks.example.com", Language: "fr", Admin: true},
		Application: "app.example.com", ApplicationName: "Registre", Link: "https://gate.example.com", Created: opened,
		Ask: approvals.AccessRequest{
			ID: "ask1", Reference: "7KD-4M2", Number: "47", LoginID: "login-secret", Logins: []string{"login-secret"}, State: approvals.Waiting,
			Person: access.Person{User: "julie", Name: "Julie Tremblay"}, Device: access.Device{ID: "device-secret", Kind: access.Tablet, Label: "Android tablet"},
			Browser: access.Browser{Family: "Chrome", Platform: "Android"}, New: []access.Part{access.PartDevice}, Opened: opened,
			Place: access.Place{City: "Laval", Region: "Quebec", Country: "CA", Address: netip.MustParseAddr("203.0.113.7")}, Note: "la tablette",
		},
	}
}

func newNotifier(t *testing.T, s *httptest.Server, change func(*Config)) *Notifier {
	t.Helper()
	c := Config{URL: s.URL + "/T000/B000/path-secret", Secret: "s3cret", RootCAs: pool(s)}
	if change != nil {
		change(&c)
	}
	n, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAReceiverVerifiesTheSignature(t *testing.T) {
	s, got := receiver(t, nil)
	now := time.Now()
	n := newNotifier(t, s, func(c *Config) { c.Clock = func() time.Time { return now } })
	if err := n.Notify(t.Context(), notice()); err != nil {
		t.Fatal(err)
	}
	p := (*got)[0]
	if err := Verify("s3cret", p.header, p.body, now); err != nil {
		t.Error(err)
	}
	var body struct {
		Kind, Title, Link string
		Request           struct {
			Reference string
			User      struct{ ID, Name string }
			Place     struct{ City string }
		}
	}
	if err := json.Unmarshal(p.body, &body); err != nil || body.Kind != "opened" || body.Request.User.ID != "julie" || body.Request.Place.City != "Laval" || body.Link != "https://gate.example.com" {
		t.Errorf("%s, %v", p.body, err)
	}
	if body.Title != "Julie Tremblay attend\u00a0: Registre" || p.header.Get(NoticeHeader) != "notice1" {
		t.Errorf("title %q, notice %q", body.Title, p.header.Get(NoticeHeader))
	}
	for _, secret := range []string{"47", "login-secret", "device-secret"} {
		if bytes.Contains(p.body, []byte(`"`+secret+`"`)) {
			t.Errorf("%s is in the body: %s", secret, p.body)
		}
	}
	changed := append([]byte(nil), p.body...)
	changed[len(changed)-2] ^= 1
	for name, err := range map[string]error{
		"a changed body":       Verify("s3cret", p.header, changed, now),
		"another secret":       Verify("other", p.header, p.body, now),
		"no secret":            Verify("", p.header, p.body, now),
		"a replay":             Verify("s3cret", p.header, p.body, now.Add(Window+2*time.Second)),
		"a clock that is slow": Verify("s3cret", p.header, p.body, now.Add(-Window-2*time.Second)),
		"no signature":         Verify("s3cret", http.Header{TimeHeader: p.header[TimeHeader]}, p.body, now),
		"another time":         Verify("s3cret", http.Header{TimeHeader: {"1"}, SignatureHeader: p.header[SignatureHeader]}, p.body, now),
	} {
		if !errors.Is(err, ErrSignature) {
			t.Errorf("%s passed: %v", name, err)
		}
	}
	if err := Verify("s3cret", p.header, p.body, now.Add(Window-time.Second)); err != nil {
		t.Errorf("within the window: %v", err)
	}
}

func TestEveryChatGetsItsShapeAndNothingToPress(t *testing.T) {
	for template, wants := range map[string][]string{
		"slack":   {`"type":"plain_text"`, `"url":"https://gate.example.com"`, "Julie Tremblay"},
		"teams":   {`"AdaptiveCard"`, `"Action.OpenUrl"`, `"application/vnd.microsoft.card.adaptive"`},
		"discord": {`"embeds"`, `"allowed_mentions":{"parse":[]}`, "Julie Tremblay"},
		"ntfy":    {"Tablette Android", "Laval"},
		"gotify":  {`"client::notification"`, "Julie Tremblay"},
		"json":    {`"version":1`},
	} {
		s, got := receiver(t, nil)
		if err := newNotifier(t, s, func(c *Config) { c.Template = template }).Notify(t.Context(), notice()); err != nil {
			t.Fatal(template, err)
		}
		p := (*got)[0]
		for _, want := range wants {
			if !bytes.Contains(p.body, []byte(want)) {
				t.Errorf("%s lacks %s: %s", template, want, p.body)
			}
		}
		if bytes.Contains(p.body, []byte("/decide/")) {
			t.Errorf("%s bears a link that decides", template)
		}
		switch template {
		case "ntfy":
			title, err := new(mime.WordDecoder).DecodeHeader(p.header.Get("Title"))
			if err != nil || !strings.HasPrefix(title, "Julie Tremblay attend") || p.header.Get("Authorization") != "Bearer s3cret" || p.header.Get("Click") == "" {
				t.Errorf("ntfy: %v", p.header)
			}
		case "gotify":
			if p.header.Get("X-Gotify-Key") != "s3cret" {
				t.Errorf("gotify: %v", p.header)
			}
		default:
			if err := Verify("s3cret", p.header, p.body, time.Now()); err != nil {
				t.Errorf("%s: %v", template, err)
			}
		}
	}
}

func TestThreat_L14_NobodyIsCalledAndNothingIsALinkInAChat(t *testing.T) {
	n := notice()
	n.Ask.Person.Name = "<!channel> [here](https://evil.example) @everyone *x*\r\nX: y"
	n.Ask.Note = "see https://evil.example/x"
	for template := range shapes {
		s, got := receiver(t, nil)
		if err := newNotifier(t, s, func(c *Config) { c.Template = template }).Notify(t.Context(), n); err != nil {
			t.Fatal(template, err)
		}
		p := (*got)[0]
		// Plain JSON holds facts as they are, for programs.
		if p.header.Get("X") != "" || template != "json" && bytes.Contains(p.body, []byte("evil.example/x")) {
			t.Errorf("%s: %v %s", template, p.header, p.body)
		}
		switch template {
		case "teams":
			if bytes.Contains(p.body, []byte("TextBlock\"")) && !bytes.Contains(p.body, []byte("RichTextBlock")) {
				t.Errorf("teams reads marks: %s", p.body)
			}
		case "discord":
			if bytes.Contains(p.body, []byte("[here](")) || bytes.Contains(p.body, []byte(" @everyone")) {
				t.Errorf("discord: %s", p.body)
			}
		case "slack":
			var body struct{ Text string }
			if err := json.Unmarshal(p.body, &body); err != nil || strings.Contains(body.Text, "<!channel>") {
				t.Errorf("slack: %s", p.body)
			}
		}
	}
}

func TestWhatAReceiverAnswersDecidesWhetherToTryAgain(t *testing.T) {
	for _, c := range []struct {
		name      string
		code      int
		header    string
		permanent bool
		after     time.Duration
	}{
		{"an archived channel is final", 410, "", true, 0},
		{"a hook that is gone is final", 404, "", true, 0},
		{"a body nobody understands is final", 400, "", true, 0},
		{"a redirect is final and not followed", 302, "", true, 0},
		{"a token that is wrong can be mended", 401, "", false, 0},
		{"too many says when", 429, "120", false, 2 * time.Minute},
		{"too many with a fraction", 429, "0.5", false, 500 * time.Millisecond},
		{"too many without a word", 429, "", false, 0},
		{"an overloaded server", 503, "30", false, 30 * time.Second},
		{"a broken server", 500, "", false, 0},
		{"a wait that is none", 503, "soon", false, 0},
	} {
		s, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) {
			if c.header != "" {
				w.Header().Set("Retry-After", c.header)
			}
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.code)
			_, _ = io.WriteString(w, "no_service\r\nforged line")
		})
		err := newNotifier(t, s, nil).Notify(t.Context(), notice())
		var later *approvals.LaterError
		after := time.Duration(0)
		if errors.As(err, &later) {
			after = later.After
		}
		if err == nil || approvals.IsPermanent(err) != c.permanent || after != c.after {
			t.Errorf("%s: %v (permanent %v, after %s)", c.name, err, approvals.IsPermanent(err), after)
		}
		if err != nil && (strings.Contains(err.Error(), "path-secret") || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: %q", c.name, err)
		}
	}
	at := time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)
	if d, ok := approvals.RetryAfter(http.Header{"Retry-After": {"Fri, 20 Nov 2026 14:05:00 GMT"}}, at); !ok || d != 5*time.Minute {
		t.Errorf("a date: %s", d)
	}
}

func TestAServerOfNobodysGetsNothingAndTheAddressStaysSecret(t *testing.T) {
	s, got := receiver(t, nil)
	for name, change := range map[string]func(*Config){
		"a certificate of nobody's":  func(c *Config) { c.RootCAs = x509.NewCertPool() },
		"a server that is not there": func(c *Config) { c.URL = "https://127.0.0.1:1/path-secret" },
	} {
		err := newNotifier(t, s, change).Notify(t.Context(), notice())
		if err == nil || approvals.IsPermanent(err) || strings.Contains(err.Error(), "path-secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(*got) != 0 {
		t.Error("something was sent")
	}
	slow, _ := receiver(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	began := time.Now()
	if err := newNotifier(t, slow, func(c *Config) { c.Timeout = 100 * time.Millisecond }).Notify(t.Context(), notice()); err == nil || time.Since(began) > 5*time.Second {
		t.Errorf("a server that says nothing: %v", err)
	}
}

func TestWhatIsForOnePersonGoesIntoNoRoom(t *testing.T) {
	s, got := receiver(t, nil)
	n := newNotifier(t, s, nil)
	for _, kind := range []approvals.NoticeKind{approvals.NoticeSignIn, approvals.NoticeCode, approvals.NoticeOutcome} {
		x := notice()
		x.Kind = kind
		if err := n.Notify(t.Context(), x); !approvals.IsPermanent(err) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if len(*got) != 0 {
		t.Error("something was sent")
	}
	if rooms := n.Rooms(); len(rooms) != 1 || rooms[0].Name == "" || strings.Contains(rooms[0].Name, "secret") {
		t.Errorf("%+v", rooms)
	}
}

func TestAConfigurationThatCannotWorkIsRefused(t *testing.T) {
	for name, c := range map[string]Config{
		"no address":             {},
		"no host":                {URL: "https:///x"},
		"another scheme":         {URL: "ftp://example.com/x"},
		"a password in it":       {URL: "https://a:b@example.com/path-secret"},
		"plain text to a server": {URL: "http://example.com/path-secret"},
		"an unknown template":    {URL: "https://example.com/path-secret", Template: "pigeon"},
	} {
		if _, err := New(c); err == nil || strings.Contains(err.Error(), "path-secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(Config{URL: "http://localhost:8080/x"}); err != nil {
		t.Error(err)
	}
}

func TestTwoAddressesOnOneHostAreTwoRooms(t *testing.T) {
	s, got := receiver(t, nil)
	a, b := newNotifier(t, s, nil), newNotifier(t, s, func(c *Config) { c.Template = "slack" })
	both := Join(a, b)
	rooms := both.Rooms()
	if len(rooms) != 2 || rooms[0].Name == rooms[1].Name {
		t.Fatalf("%+v", rooms)
	}
	x := notice()
	x.To = rooms[1]
	if err := both.Notify(t.Context(), x); err != nil || !bytes.Contains((*got)[0].body, []byte("blocks")) {
		t.Errorf("%v", err)
	}
	x.To.Name = "elsewhere"
	if err := both.Notify(t.Context(), x); !approvals.IsPermanent(err) {
		t.Error(err)
	}
}
