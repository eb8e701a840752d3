package biopass

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

const shop = "shop"

// scene is the service behind its real endpoint, with a clock of its own.
type scene struct {
	*Service
	t       *testing.T
	st      store.Store
	now     time.Time
	app     Application
	holder  Holder
	handler http.Handler
	granted []Errand
	locked  []Errand
	asked   []Errand
}

// model is the shipped one with thresholds that a test chooses: what is tried
// here is what follows a score, not the score.
func model(t testing.TB, threshold float64) *Model {
	t.Helper()
	models.Lock()
	defer models.Unlock()
	if m := models.by[threshold]; m != nil {
		return m
	}
	m, err := LoadModel(bytes.NewReader(shipped))
	if err != nil {
		t.Fatal(err)
	}
	step := Step{Threshold: threshold}
	m.Points = map[string]Point{Convenient: {Steps: [3]Step{step, step, step}}, Balanced: {Steps: [3]Step{step, step, step}}, Strict: {Steps: [3]Step{step, step, step}}}
	m.ByKeys = nil // no spread: nothing is borderline
	models.by[threshold] = m
	return m
}

var models = struct {
	sync.Mutex
	by map[float64]*Model
}{by: map[float64]*Model{}}

// always and never are thresholds: any rhythm matches, none does. A near-copy
// never matches.
const always, never = MinScore + 0.01, MaxScore + 100

func newScene(t *testing.T, threshold float64, p Policy, mode Mode) *scene {
	t.Helper()
	ring, err := seal.NewRing(map[byte][]byte{1: seal.NewKey()}, 1)
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{
		t: t, now: time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC), app: Application{Name: "Shop", Mode: mode},
		holder: Holder{Application: shop, DeviceID: "desk", Waiting: "/.cadenas/wait"},
	}
	st := memory.NewAt(func() time.Time { return s.now })
	t.Cleanup(func() { _ = st.Close() })
	s.st = st
	s.Service, err = New(Config{
		Books: books.New(st), Ring: func() *seal.Ring { return ring }, Model: model(t, threshold), Policy: p, Languages: []string{"en", "fr"},
		Clock: func() time.Time { return s.now }, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Application: func(string) Application { return s.app },
		Grant:       func(_ context.Context, e Errand) error { s.granted = append(s.granted, e); return nil },
		LockOut:     func(_ context.Context, e Errand) error { s.locked = append(s.locked, e); return nil },
		AskAdmin:    func(_ context.Context, e Errand) error { s.asked = append(s.asked, e); return nil },
		Onward: func(context.Context, Errand) (Onward, error) {
			return Onward{Action: "https://shop.example.com/login", Ticket: "tick"}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.handler = s.Handler(func(*http.Request) (Holder, bool) { return s.holder, true })
	return s
}

func julie(why Why, login string) Errand {
	return Errand{
		Application: shop, Person: access.Person{User: "julie", Name: "Julie Tremblay"}, Why: why, Login: login,
		Device: access.Device{ID: "desk", Kind: access.Computer, Label: "Windows computer"},
		Place:  access.Place{City: "Laval", Address: netip.MustParseAddr("203.0.113.7")}, Language: "en",
	}
}

func (s *scene) begin(e Errand) Errand {
	s.t.Helper()
	e, err := s.Begin(s.t.Context(), e)
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

func (s *scene) do(method, path, kind string, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://gate.example.com"+BasePath+path, body)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

// call is what the page's script does.
func (s *scene) call(path string, body any) (told, int) {
	s.t.Helper()
	text, ok := body.([]byte)
	if !ok {
		text, _ = json.Marshal(body)
	}
	w := s.do(http.MethodPost, path, "application/json", bytes.NewReader(text))
	var got told
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			s.t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	return got, w.Code
}

func (s *scene) form(path string, fields url.Values) string {
	s.t.Helper()
	w := s.do(http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(fields.Encode()))
	if w.Code != http.StatusSeeOther {
		s.t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	return w.Header().Get("Location")
}

func (s *scene) page() string {
	s.t.Helper()
	w := s.do(http.MethodGet, "", "", nil)
	if w.Code != http.StatusForbidden || !strings.Contains(w.Header().Get("Cache-Control"), "no-store") {
		s.t.Fatalf("the page: %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// types types one line as the page does, in the time it takes; change alters
// what the browser tells.
func (s *scene) types(t *typist, change ...func(*Capture)) told {
	s.t.Helper()
	line, code := s.call("/words", nil)
	if code != http.StatusOK || len(line.Words) != 4 {
		s.t.Fatalf("no words: %d %+v", code, line)
	}
	s.now = s.now.Add(2 * time.Second)
	if got, code := s.call("/begin", Capture{Challenge: line.Challenge}); code != http.StatusNoContent {
		s.t.Fatalf("begin: %d %+v", code, got)
	}
	c := Capture{Challenge: line.Challenge, Events: t.line(line.Words, 5000)}
	s.now = s.now.Add(took(c.Events) + 100*time.Millisecond)
	for _, alter := range change {
		alter(&c)
	}
	got, _ := s.call("/typed", c)
	return got
}

// enrols consents and types five lines.
func (s *scene) enrols(t *typist, e Errand) {
	s.t.Helper()
	s.begin(e)
	s.form("/consent", url.Values{"keyboard": {"desk"}})
	for n := 1; n <= EnrolPrints; n++ {
		got := s.types(t)
		if want := map[bool]string{true: "done", false: "line"}[n == EnrolPrints]; got.State != want {
			s.t.Fatalf("line %d: %+v", n, got)
		}
	}
}
