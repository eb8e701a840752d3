package approvals

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

const app = "app.example.com"

var (
	marie = books.Admin{Email: "marie@example.com", Name: "Marie Roy", Language: "fr"}
	paul  = books.Admin{Email: "paul@example.com", Name: "Paul Côté", Language: "en"}
	other = books.Admin{Email: "other@example.com", Applications: []string{"elsewhere.example.com"}}
)

// channel is a notifier that keeps what it is handed. It is what the outbox
// is for, not a stand-in for a real one: those have tests of their own.
type channel struct {
	name string
	fail func(n Notice) error

	mu   sync.Mutex
	sent []Notice
}

func (c *channel) Name() string { return c.name }

func (c *channel) Notify(_ context.Context, n Notice) error {
	if c.fail != nil {
		if err := c.fail(n); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent = append(c.sent, n)
	return nil
}

func (c *channel) got() []Notice {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Notice(nil), c.sent...)
}

var testKey = seal.NewKey()

// config is a service's on a store, with what tests change of it.
func config(t testing.TB, st store.Store, change ...func(*Config)) Config {
	t.Helper()
	ring, err := seal.NewRing(map[byte][]byte{1: testKey}, 1)
	if err != nil {
		t.Fatal(err)
	}
	c := Config{
		Books:        books.New(st),
		Ring:         func() *seal.Ring { return ring },
		Admins:       func() []books.Admin { return []books.Admin{marie, paul, other} },
		Applications: func() []string { return []string{app} },
		Application:  func(string) Application { return Application{Name: "Registre"} },
		Console:      "https://gate.example.com",
		Log:          slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	for _, f := range change {
		f(&c)
	}
	return c
}

func with(channels ...Notifier) func(*Config) {
	return func(c *Config) { c.Notifiers = channels }
}

func newService(t testing.TB, change ...func(*Config)) *Service {
	t.Helper()
	st := memory.New()
	t.Cleanup(func() { _ = st.Close() })
	return New(config(t, st, change...))
}

// julie asks on a tablet nobody knows, from Laval.
func julie() Ask {
	return Ask{
		Application: app,
		Person:      access.Person{User: "julie", Name: "Julie Tremblay", Email: "julie@example.com", Source: "login"},
		Device:      access.Device{ID: "dev1", Kind: access.Tablet, Label: "Android tablet"},
		Browser:     access.Browser{Family: "Chrome", Platform: "Android", Version: "142"},
		Place:       access.Place{City: "Laval", Region: "Quebec", Country: "CA", Owner: "Bell", Address: netip.MustParseAddr("203.0.113.7")},
		New:         []access.Part{access.PartDevice, access.PartBrowser},
		Asked:       access.Approval, LoginID: "login1", Language: "fr",
	}
}

func mustOpen(t *testing.T, s *Service, a Ask) AccessRequest {
	t.Helper()
	ask, opened, err := s.Open(t.Context(), a)
	if err != nil || !opened {
		t.Fatalf("Open: opened %v, %v", opened, err)
	}
	return ask
}

func approve(ask AccessRequest, by books.Admin) Choice {
	return Choice{
		Application: ask.Application, ID: ask.ID, Effect: access.Allow, Width: WidthConnection, Version: ask.Version,
		By: by, From: "198.51.100.9", Via: ViaMail, Channel: "email", Number: ask.Number,
	}
}

func wrongOf(number string) string {
	if number == "11" {
		return "12"
	}
	return "11"
}

func audited(t *testing.T, s *Service, what string) []books.Entry {
	t.Helper()
	all, err := s.conf.Books.Audit.Newest(t.Context(), app, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var list []books.Entry
	for _, e := range all {
		if e.What == what {
			list = append(list, e)
		}
	}
	return list
}

// faulty is a store that fails from one write on, as a crash or a full disk
// does, until it is mended.
type faulty struct {
	store.Store
	mu    sync.Mutex
	after int // writes until it fails; negative means never
}

var errDisk = errors.New("no space left on device")

func (f *faulty) Apply(ctx context.Context, b store.Batch) error {
	f.mu.Lock()
	fails := f.after == 0
	if f.after > 0 {
		f.after--
	}
	f.mu.Unlock()
	if fails {
		return errDisk
	}
	return f.Store.Apply(ctx, b)
}

func (f *faulty) set(after int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.after = after
}

func TestARequestSurvivesItsBookWhole(t *testing.T) {
	s := newService(t)
	ask := mustOpen(t, s, julie())
	if ask.Number < "10" || ask.Number > "99" || len(ask.Number) != 2 || len(ask.Reference) != 7 || ask.Reference[3] != '-' {
		t.Errorf("number %q, reference %q", ask.Number, ask.Reference)
	}
	got, err := s.Get(t.Context(), app, ask.ID)
	if err != nil {
		t.Fatal(err)
	}
	// Times come back in another zone and to the microsecond.
	for _, p := range []*time.Time{&ask.Opened, &ask.Last, &ask.Ends, &got.Opened, &got.Last, &got.Ends} {
		*p = p.Truncate(time.Millisecond).UTC()
	}
	if b, err := json.Marshal(got); err != nil || bytes.Contains(b, []byte(`"`+ask.Number+`"`)) {
		t.Errorf("the number is in its JSON: %s, %v", b, err)
	}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", ask) {
		t.Errorf("kept\n%+v\nfor\n%+v", got, ask)
	}
}

func batchOf(writes ...store.Write) store.Batch { return store.Batch{Writes: writes} }

func catalogueEN() *lang.Catalogue { return lang.For("en") }
