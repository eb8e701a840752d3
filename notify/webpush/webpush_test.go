package webpush

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

// service stands in for a push service and the browsers behind it: it checks
// the VAPID token (RFC 8292) and decrypts as a browser does (RFC 8291).
type service struct {
	*httptest.Server
	public string // ours, as the browser was given it

	mu       sync.Mutex
	browsers map[string]*browser
}

// browser is one subscription's other side.
type browser struct {
	key    *ecdh.PrivateKey
	auth   []byte
	status int
	header http.Header
	got    []arrived
}

type arrived struct {
	payload             Payload
	topic, ttl, urgency string
}

func startService(t *testing.T, public string) *service {
	t.Helper()
	s := &service{public: public, browsers: map[string]*browser{}}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.Close)
	return s
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// subscribe makes a browser and what it tells the console.
func (s *service) subscribe(t *testing.T, name string) (*browser, approvals.Subscription) {
	t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{key: key, auth: make([]byte, 16), status: http.StatusCreated}
	_, _ = rand.Read(b.auth)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.browsers["/push/"+name] = b
	return b, approvals.Subscription{Endpoint: s.URL + "/push/" + name, P256dh: b64(key.PublicKey().Bytes()), Auth: b64(b.auth), Label: "Chrome on Android"}
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.browsers[r.URL.Path]
	if b == nil {
		http.Error(w, "push subscription has unsubscribed or expired.", http.StatusGone)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = s.vapid(r)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	if b.status >= 300 {
		for k, v := range b.header {
			w.Header()[k] = v
		}
		w.WriteHeader(b.status)
		return
	}
	plain, err := b.decrypt(r, body)
	var p Payload
	if err == nil {
		err = json.Unmarshal(plain, &p)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b.got = append(b.got, arrived{p, r.Header.Get("Topic"), r.Header.Get("TTL"), r.Header.Get("Urgency")})
	w.WriteHeader(b.status)
}

// vapid checks the token: an ES256 signature under the key the browser
// subscribed with, for this push service, for a day at most.
func (s *service) vapid(r *http.Request) error {
	rest, ok := strings.CutPrefix(r.Header.Get("Authorization"), "vapid ")
	if !ok {
		return errors.New("no VAPID token")
	}
	fields := map[string]string{}
	for _, f := range strings.Split(rest, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(f), "=")
		fields[k] = v
	}
	if fields["k"] != s.public {
		return errors.New("another key than the subscription's")
	}
	parts := strings.Split(fields["t"], ".")
	if len(parts) != 3 {
		return errors.New("no JWT")
	}
	point, err1 := base64.RawURLEncoding.DecodeString(fields["k"])
	head, err2 := base64.RawURLEncoding.DecodeString(parts[0])
	claims, err3 := base64.RawURLEncoding.DecodeString(parts[1])
	sig, err4 := base64.RawURLEncoding.DecodeString(parts[2])
	if err := errors.Join(err1, err2, err3, err4); err != nil || len(sig) != 64 || len(point) != 65 {
		return fmt.Errorf("malformed token: %w", err)
	}
	if !strings.Contains(string(head), `"ES256"`) {
		return errors.New("another algorithm")
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if !ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
		return errors.New("a wrong signature")
	}
	var c struct {
		Aud, Sub string
		Exp      int64
	}
	if err := json.Unmarshal(claims, &c); err != nil {
		return err
	}
	if left := time.Until(time.Unix(c.Exp, 0)); c.Aud != s.URL || left <= 0 || left > 24*time.Hour || !strings.HasPrefix(c.Sub, "mailto:") {
		return fmt.Errorf("claims %+v", c)
	}
	return nil
}

// decrypt is RFC 8291 with the standard library.
func (b *browser) decrypt(r *http.Request, body []byte) ([]byte, error) {
	if r.Header.Get("Content-Encoding") != "aes128gcm" || len(body) > 4096 || len(body) < 86 {
		return nil, fmt.Errorf("encoding %s, %d bytes", r.Header.Get("Content-Encoding"), len(body))
	}
	salt, size, idLength := body[:16], binary.BigEndian.Uint32(body[16:20]), int(body[20])
	sender, err := ecdh.P256().NewPublicKey(body[21 : 21+idLength])
	if err != nil || int(size) < len(body)-21-idLength {
		return nil, fmt.Errorf("record size %d: %w", size, err)
	}
	shared, err := b.key.ECDH(sender)
	if err != nil {
		return nil, err
	}
	info := "WebPush: info\x00" + string(b.key.PublicKey().Bytes()) + string(sender.Bytes())
	ikm, err1 := hkdf.Key(sha256.New, shared, b.auth, info, 32)
	key, err2 := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: aes128gcm\x00", 16)
	nonce, err3 := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: nonce\x00", 12)
	block, err4 := aes.NewCipher(key)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	plain, err := gcm.Open(nil, nonce, body[21+idLength:], nil)
	if err != nil {
		return nil, err
	}
	plain = []byte(strings.TrimRight(string(plain), "\x00"))
	if len(plain) == 0 || plain[len(plain)-1] != 2 {
		return nil, errors.New("no last record")
	}
	return plain[:len(plain)-1], nil
}

func notice(language string) approvals.Notice {
	return approvals.Notice{
		ID: "n1", Kind: approvals.NoticeOpened, Channel: "web_push",
		To:          approvals.Recipient{Email: "marie@example.com", Language: language, Admin: true},
		Application: "app.example.com", ApplicationName: "Registre", Link: "https://gate.example.com/decide/token", Created: time.Now(),
		Ask: approvals.AccessRequest{
			ID: "a1", Number: "47", Person: access.Person{User: "julie", Name: "Julie Tremblay"}, State: approvals.Waiting,
			Device: access.Device{Kind: access.Tablet, Label: "Android tablet"}, Browser: access.Browser{Family: "Chrome", Platform: "Android"},
			Place: access.Place{City: "Laval", Region: "Quebec", Country: "CA", Address: netip.MustParseAddr("203.0.113.7")},
		},
	}
}

// stage is a channel with keys of the store, a book and a push service.
type stage struct {
	*Notifier
	service *service
	book    *approvals.PushBook
}

func set(t *testing.T) *stage {
	t.Helper()
	st := memory.New()
	t.Cleanup(func() { _ = st.Close() })
	ring, err := seal.NewRing(map[byte][]byte{1: seal.NewKey()}, 1)
	if err != nil {
		t.Fatal(err)
	}
	public, private, err := books.VAPID(t.Context(), st, ring, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if again, same, err := books.VAPID(t.Context(), st, ring, time.Now()); err != nil || again != public || same != private {
		t.Fatalf("the keys changed: %v", err)
	}
	s := startService(t, public)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	book := approvals.NewPushBook(books.New(st), nil)
	n, err := New(Config{Book: book, Public: public, Private: private, Contact: "ops@example.com", RootCAs: roots, Inside: true, Timeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return &stage{n, s, book}
}

func (x *stage) browser(t *testing.T, name string) *browser {
	t.Helper()
	b, s := x.service.subscribe(t, name)
	if _, err := x.book.Add(t.Context(), "marie@example.com", s); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestABrowserReadsWhoWhatAndWhere(t *testing.T) {
	x := set(t)
	b := x.browser(t, "one")
	if !x.Reaches(notice("fr").To) || x.Reaches(approvals.Recipient{Email: "paul@example.com", Admin: true}) || x.Reaches(approvals.Recipient{Email: "marie@example.com"}) {
		t.Error("reaches")
	}
	if err := x.Notify(t.Context(), notice("fr")); err != nil {
		t.Fatal(err)
	}
	if err := x.Notify(t.Context(), notice("en")); err != nil {
		t.Fatal(err)
	}
	if len(b.got) != 2 {
		t.Fatalf("%d pushes", len(b.got))
	}
	fr, en := b.got[0].payload, b.got[1].payload
	if fr.Title != "Julie Tremblay attend\u00a0: Registre" || fr.Body != "Tablette Android, Chrome sur Android · Laval, Québec, Canada" || fr.Lang != "fr" ||
		fr.URL != "https://gate.example.com/decide/token" || fr.Open != "Voir la demande" {
		t.Errorf("%+v", fr)
	}
	if en.Title != "Julie Tremblay is waiting: Registre" || en.Lang != "en" {
		t.Errorf("%+v", en)
	}
	for _, a := range b.got {
		seconds, err := strconv.Atoi(a.ttl)
		if err != nil || seconds != 86400 || a.urgency != "high" || a.topic == "" || len(a.topic) > 32 || a.topic != a.payload.Tag {
			t.Errorf("%+v", a)
		}
	}
	fr.At, en.At, fr.Tag, en.Tag = 0, 0, "", "" // digits of their own
	if strings.Contains(fmt.Sprint(fr, en), "47") {
		t.Error("the number is in a push")
	}
}

func TestWhatWasDecidedTakesThePlaceOfTheQuestion(t *testing.T) {
	x := set(t)
	b := x.browser(t, "one")
	asked, decided := notice("en"), notice("en")
	decided.ID, decided.Kind, decided.Link = "n2", approvals.NoticeDecided, ""
	decided.Ask.State, decided.Ask.Decision = approvals.Approved, approvals.Decision{By: "paul@example.com", Name: "Paul"}
	other := notice("en")
	other.ID, other.Ask.ID = "n3", "a2"
	for _, n := range []approvals.Notice{asked, decided, other} {
		if err := x.Notify(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	if b.got[0].topic != b.got[1].topic || b.got[0].topic == b.got[2].topic {
		t.Errorf("topics %v", b.got)
	}
	if p := b.got[1].payload; !p.Over || p.Title != "Paul authorised Julie Tremblay: Registre" || p.Open != "" {
		t.Errorf("%+v", p)
	}
}

func TestSubscriptionsThatAreGoneAreDropped(t *testing.T) {
	for _, status := range []int{404, 410, 403} {
		x := set(t)
		here, gone := x.browser(t, "here"), x.browser(t, "gone")
		gone.status = status
		if err := x.Notify(t.Context(), notice("en")); err != nil {
			t.Fatal(status, err)
		}
		list, err := x.book.Of(t.Context(), "marie@example.com")
		if err != nil || len(list) != 1 || !strings.HasSuffix(list[0].Endpoint, "/here") || len(here.got) != 1 {
			t.Errorf("%d: %+v, %v", status, list, err)
		}
		here.status = status
		next := notice("en")
		next.ID = "n2"
		if err := x.Notify(t.Context(), next); !approvals.IsPermanent(err) {
			t.Errorf("%d, the last one: %v", status, err)
		}
		if x.Reaches(next.To) {
			t.Errorf("%d: still said to be reached", status)
		}
		if err := x.Notify(t.Context(), next); !approvals.IsPermanent(err) {
			t.Errorf("%d, none: %v", status, err)
		}
	}
}

func TestWhatAPushServiceSaysDecidesWhetherToTryAgainAndNobodyIsToldTwice(t *testing.T) {
	for _, c := range []struct {
		name      string
		status    int
		header    http.Header
		permanent bool
		after     time.Duration
	}{
		{"too many says when", 429, http.Header{"Retry-After": {"90"}}, false, 90 * time.Second},
		{"broken", 500, nil, false, 0},
		{"away", 503, nil, false, 0},
	} {
		x := set(t)
		well, ill := x.browser(t, "well"), x.browser(t, "ill")
		ill.status, ill.header = c.status, c.header
		for range 3 {
			err := x.Notify(t.Context(), notice("en"))
			var later *approvals.LaterError
			after := time.Duration(0)
			if errors.As(err, &later) {
				after = later.After
			}
			if err == nil || approvals.IsPermanent(err) != c.permanent || after != c.after || strings.Contains(err.Error(), "/push/ill") {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		ill.status = http.StatusCreated
		if err := x.Notify(t.Context(), notice("en")); err != nil || len(well.got) != 1 || len(ill.got) != 1 {
			t.Errorf("%s: %v, %d and %d pushes", c.name, err, len(well.got), len(ill.got))
		}
	}
}

func TestASlowPushServiceIsHungUpOn(t *testing.T) {
	hang := make(chan struct{})
	slow := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	defer slow.Close()
	defer close(hang)
	x := set(t)
	_, s := x.service.subscribe(t, "slow")
	s.Endpoint = slow.URL + "/push/secret"
	x.client.Transport.(*http.Transport).TLSClientConfig.RootCAs.AddCert(slow.Certificate()) //nolint:forcetypeassert // ours
	if _, err := x.book.Add(t.Context(), "marie@example.com", s); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := x.Notify(ctx, notice("en")); err == nil || approvals.IsPermanent(err) || time.Since(began) > 5*time.Second || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}

func TestAnEndpointCannotMakeUsKnockAtOurOwnNetwork(t *testing.T) {
	x := set(t)
	x.browser(t, "one")
	strict, err := New(Config{Book: x.book, Public: x.conf.Public, Private: x.conf.Private, Contact: "https://gate.example.com", RootCAs: x.conf.RootCAs})
	if err != nil {
		t.Fatal(err)
	}
	if err := strict.Notify(t.Context(), notice("en")); !approvals.IsPermanent(err) || !errors.Is(err, errInside) {
		t.Errorf("%v", err)
	}
	for _, address := range []string{"127.0.0.1:443", "10.0.0.5:443", "192.168.1.1:443", "169.254.169.254:80", "[::1]:443", "[fd00::1]:443", "[::ffff:10.0.0.1]:443", "[fe80::1]:443", "0.0.0.0:443"} {
		if outside("tcp", address, nil) == nil {
			t.Errorf("%s passed", address)
		}
	}
	if err := outside("tcp", "142.250.1.1:443", nil); err != nil {
		t.Error(err)
	}
}

func TestTheBookKeepsWhatABrowserSendsAndNothingElse(t *testing.T) {
	x := set(t)
	_, good := x.service.subscribe(t, "one")
	for name, change := range map[string]func(*approvals.Subscription){
		"no endpoint":      func(s *approvals.Subscription) { s.Endpoint = "" },
		"plain text":       func(s *approvals.Subscription) { s.Endpoint = "http://push.example.com/x" },
		"a file":           func(s *approvals.Subscription) { s.Endpoint = "file:///etc/passwd" },
		"no key":           func(s *approvals.Subscription) { s.P256dh = "" },
		"no point":         func(s *approvals.Subscription) { s.P256dh = b64(make([]byte, 65)) },
		"a short secret":   func(s *approvals.Subscription) { s.Auth = b64(make([]byte, 8)) },
		"an endless one":   func(s *approvals.Subscription) { s.Endpoint += strings.Repeat("x", 3000) },
		"a password":       func(s *approvals.Subscription) { s.Endpoint = "https://a:b@push.example.com/x" },
		"no secret":        func(s *approvals.Subscription) { s.Auth = "!" },
		"a scheme of ours": func(s *approvals.Subscription) { s.Endpoint = "javascript:alert(1)" },
	} {
		s := good
		change(&s)
		if _, err := x.book.Add(t.Context(), "marie@example.com", s); !errors.Is(err, approvals.ErrSubscription) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Twice is once; and a browser belongs to who subscribed it last.
	for _, admin := range []string{"marie@example.com", "Marie@Example.com", "paul@example.com"} {
		if _, err := x.book.Add(t.Context(), admin, good); err != nil {
			t.Fatal(err)
		}
	}
	marie, err1 := x.book.Of(t.Context(), "marie@example.com")
	paul, err2 := x.book.Of(t.Context(), "paul@example.com")
	if len(marie) != 0 || len(paul) != 1 || errors.Join(err1, err2) != nil {
		t.Errorf("%v %v", marie, paul)
	}
	for i := range 30 {
		_, s := x.service.subscribe(t, fmt.Sprint("many", i))
		s.Created = time.Now().Add(time.Duration(i) * time.Second)
		if _, err := x.book.Add(t.Context(), "marie@example.com", s); err != nil {
			t.Fatal(err)
		}
	}
	marie, err := x.book.Of(t.Context(), "marie@example.com")
	if err != nil || len(marie) != 20 || slices.ContainsFunc(marie, func(s approvals.Subscription) bool { return strings.HasSuffix(s.Endpoint, "many0") }) {
		t.Errorf("%d, %v", len(marie), err)
	}
}

func TestAConfigurationThatCannotWorkIsRefused(t *testing.T) {
	x := set(t)
	for name, c := range map[string]Config{
		"no keys":    {Book: x.book, Contact: "a@b.ca"},
		"no book":    {Public: "x", Private: "y", Contact: "a@b.ca"},
		"no contact": {Book: x.book, Public: "x", Private: "y"},
		"a name":     {Book: x.book, Public: "x", Private: "y", Contact: "ops"},
	} {
		if _, err := New(c); err == nil {
			t.Error(name)
		}
	}
}
