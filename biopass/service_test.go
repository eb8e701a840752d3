package biopass

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
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

// B5, B6: not known yet, five lines, and on.
func TestEnrolment(t *testing.T) {
	s := newScene(t, always, Policy{}, Optional)
	typist := newTypist(1)
	why, other, err := s.SignedIn(t.Context(), shop, "julie", julie("", "").Device, true)
	if why != WhyEnrol || other || err != nil {
		t.Fatalf("%q %v %v", why, other, err)
	}
	s.begin(julie(WhyEnrol, "l1"))
	if p := s.page(); !strings.Contains(p, "Let your typing be your key.") || !strings.Contains(p, "Julie Tremblay") || strings.Contains(p, "data-bio ") {
		t.Errorf("the first page is not the one that asks: %s", p)
	}
	if got, code := s.call("/words", nil); code != http.StatusUnprocessableEntity || got.Why != "late" {
		t.Errorf("before the consent there are words: %d %+v", code, got)
	}
	s.form("/consent", url.Values{"keyboard": {"My\u202e desk"}})
	if p := s.page(); !strings.Contains(p, "<span data-line>1</span> of 5") {
		t.Error(p)
	}
	for n := 1; n <= 4; n++ {
		if got := s.types(typist); got.State != "line" || got.Line != n+1 || got.Of != 5 {
			t.Fatalf("line %d: %+v", n, got)
		}
		if cleared, _, err := s.Cleared(t.Context(), shop, "desk", "julie", "l1"); cleared || err != nil {
			t.Fatalf("after %d lines it is over: %v", n, err)
		}
	}
	if got := s.types(typist); got.State != "done" {
		t.Fatalf("the last line: %+v", got)
	}
	if p := s.page(); !strings.Contains(p, "Your key is cut.") || !strings.Contains(p, `value="tick"`) || !strings.Contains(p, `action="https://shop.example.com/login"`) {
		t.Error(p)
	}
	cleared, typed, err := s.Cleared(t.Context(), shop, "desk", "julie", "l1")
	if !cleared || typed || err != nil {
		t.Errorf("the sign-in: cleared %v, typed %v, %v", cleared, typed, err)
	}
	if cleared, _, _ := s.Cleared(t.Context(), shop, "desk", "julie", "l2"); cleared {
		t.Error("another sign-in is cleared too")
	}
	if cleared, _, _ := s.Cleared(t.Context(), shop, "desk", "marie", "l1"); cleared {
		t.Error("another user is cleared too")
	}
	if why, _, _ := s.SignedIn(t.Context(), shop, "julie", julie("", "").Device, true); why != "" {
		t.Errorf("enrolment shows again: %s", why)
	}
	a, err := s.Account(t.Context(), shop, "julie")
	if err != nil || len(a.Keyboards) != 1 || a.Keyboards[0].Prints != 5 || a.Keyboards[0].Name != "My\uFFFD desk" || a.Consented.IsZero() {
		t.Errorf("%+v %v", a, err)
	}
	if len(s.granted) != 0 {
		t.Error("enrolment authorises nothing")
	}
}

// B7: an admin's link, single use, for the user it was made for.
func TestAnotherKeyboardByLink(t *testing.T) {
	s := newScene(t, always, Policy{}, Optional)
	s.enrols(newTypist(1), julie(WhyEnrol, "l1"))
	token, _, err := s.MakeLink(t.Context(), shop, "julie", "marie@example.com", "cli")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadLink(t.Context(), shop, "samuel", token); !errors.Is(err, ErrLink) {
		t.Errorf("another user's link: %v", err)
	}
	if _, err := s.ReadLink(t.Context(), "other", "julie", token); !errors.Is(err, ErrLink) {
		t.Errorf("another application's link: %v", err)
	}
	for range 2 { // looking uses nothing up
		if _, err := s.ReadLink(t.Context(), shop, "julie", token); err != nil {
			t.Fatal(err)
		}
	}
	e := julie(WhyLink, "")
	e.Device.ID, s.holder.DeviceID = "laptop", "laptop"
	if _, err := s.UseLink(t.Context(), e, token); err != nil {
		t.Fatal(err)
	}
	if _, err := s.UseLink(t.Context(), e, token); !errors.Is(err, ErrLink) {
		t.Errorf("a used link: %v", err)
	}
	s.form("/consent", url.Values{"keyboard": {"laptop"}})
	for range EnrolPrints {
		s.types(newTypist(2))
	}
	a, err := s.Account(t.Context(), shop, "julie")
	if err != nil || len(a.Keyboards) != 2 || a.Keyboards[1].Name != "laptop" {
		t.Errorf("%+v %v", a, err)
	}
	token, until, err := s.MakeLink(t.Context(), shop, "julie", "marie@example.com", "cli")
	if err != nil {
		t.Fatal(err)
	}
	s.now = until.Add(time.Second)
	if _, err := s.UseLink(t.Context(), e, token); !errors.Is(err, ErrLink) {
		t.Errorf("a link that is over: %v", err)
	}
}

// B8: a match goes through, and authorises.
func TestAMatchGoesThrough(t *testing.T) {
	s := newScene(t, always, Policy{}, Optional)
	typist := newTypist(1)
	s.enrols(typist, julie(WhyEnrol, "l1"))
	s.now = s.now.Add(time.Hour)
	e := s.begin(julie(WhyPolicy, "l2"))
	if p := s.page(); !strings.Contains(p, "Type these four words.") || !strings.Contains(p, "Ask an admin instead") {
		t.Error(p)
	}
	if got := s.types(typist); got.State != "done" {
		t.Fatalf("%+v", got)
	}
	if len(s.granted) != 1 || s.granted[0].Login != "l2" || s.granted[0].Device.ID != "desk" {
		t.Errorf("granted: %+v", s.granted)
	}
	if cleared, typed, err := s.Cleared(t.Context(), shop, "desk", "julie", "l2"); !cleared || !typed || err != nil {
		t.Errorf("%v %v %v", cleared, typed, err)
	}
	if p := s.page(); !strings.Contains(p, "It is you.") {
		t.Error(p)
	}
	// A token's sign-in is done once more, and only once.
	if err := s.Repeat(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if cleared, _, _ := s.Cleared(t.Context(), shop, "desk", "julie", "l3"); !cleared {
		t.Error("the sign-in that had to be repeated is not cleared")
	}
	if cleared, _, _ := s.Cleared(t.Context(), shop, "desk", "julie", "l4"); cleared {
		t.Error("one more sign-in is cleared")
	}
}

// B11, B12: three tries, then approval.
func TestNoMatchThreeTimesLeadsToAnAdmin(t *testing.T) {
	s := newScene(t, never, Policy{}, Optional)
	s.enrols(newTypist(1), julie(WhyEnrol, "l1"))
	s.begin(julie(WhyPolicy, "l2"))
	for n := 2; n <= 3; n++ {
		if got := s.types(newTypist(9)); got.State != "again" {
			t.Fatalf("%+v", got)
		}
		if p := s.page(); !strings.Contains(p, "try other words") || !strings.Contains(p, "This is try "+string(rune('0'+n))+" of 3") {
			t.Error(p)
		}
	}
	// A reload, or another sign-in, is no new start.
	s.begin(julie(WhyPolicy, "l3"))
	if got := s.types(newTypist(9)); got.State != "stopped" {
		t.Fatalf("%+v", got)
	}
	if p := s.page(); !strings.Contains(p, "3\u00a0tries, so we stop here.") {
		t.Error(p)
	}
	if got, code := s.call("/words", nil); code != http.StatusUnprocessableEntity {
		t.Errorf("there are more words: %+v", got)
	}
	if to := s.form("/ask", nil); to != "/.cadenas/wait" || len(s.asked) != 1 {
		t.Errorf("asking leads to %s, asked %d", to, len(s.asked))
	}
	if len(s.granted) != 0 || len(s.locked) != 0 {
		t.Error("something was granted or locked")
	}
	// Spellings of the name share the count (threat L16), for a day.
	for _, user := range []string{"julie", "JULIE", "ju.lie"} {
		if able, err := s.Able(t.Context(), shop, user, julie("", "").Device); able || err != nil {
			t.Errorf("%s may try on: %v", user, err)
		}
	}
	if err := s.Forgive(t.Context(), shop, "julie"); err != nil {
		t.Fatal(err)
	}
	if able, err := s.Able(t.Context(), shop, "julie", julie("", "").Device); !able || err != nil {
		t.Errorf("after an admin let her in: %v %v", able, err)
	}
}

// B12: or the lock.
func TestNoMatchThreeTimesLocks(t *testing.T) {
	s := newScene(t, never, Policy{Lock: true, Attempts: 4}, Optional)
	s.enrols(newTypist(1), julie(WhyEnrol, "l1"))
	s.begin(julie(WhyPolicy, "l2"))
	for n, want := range []string{"again", "again", "again", "stopped"} {
		if got := s.types(newTypist(9)); got.State != want {
			t.Fatalf("try %d: %+v", n+1, got)
		}
	}
	if len(s.locked) != 1 || s.locked[0].Person.User != "julie" {
		t.Errorf("locked: %+v", s.locked)
	}
	if p := s.page(); !strings.Contains(p, "this account is now locked") || strings.Contains(p, "<form") {
		t.Error(p)
	}
}

// B13: a trial records, and begins again.
func TestATrialOnlyRecords(t *testing.T) {
	s := newScene(t, never, Policy{Lock: true, Trial: true}, Optional)
	s.enrols(newTypist(1), julie(WhyEnrol, "l1"))
	s.begin(julie(WhyPolicy, "l2"))
	for n := range 7 {
		if got := s.types(newTypist(9)); got.State != "again" {
			t.Fatalf("try %d: %+v", n+1, got)
		}
	}
	if len(s.locked) != 0 || len(s.granted) != 0 {
		t.Error("a trial locked or granted")
	}
	entries, err := s.conf.Books.Audit.Newest(t.Context(), shop, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	would := 0
	for _, e := range entries {
		if e.What == "biopass.trial" && e.Detail["would"] == "lock" {
			would++
		}
	}
	if would != 2 {
		t.Errorf("what would have happened is recorded %d times, want 2", would)
	}
}

// B15: a no costs nothing but the shortcut, and is not asked again.
func TestDeclining(t *testing.T) {
	for _, c := range []struct {
		mode  Mode
		to    string
		asked int
	}{{Optional, BasePath, 0}, {Required, "/.cadenas/wait", 1}, {Always, "/.cadenas/wait", 1}} {
		s := newScene(t, always, Policy{}, c.mode)
		s.begin(julie(WhyEnrol, "l1"))
		if to := s.form("/decline", nil); to != c.to || len(s.asked) != c.asked {
			t.Errorf("%s: it leads to %s, asked %d", c.mode, to, len(s.asked))
		}
		if cleared, _, _ := s.Cleared(t.Context(), shop, "desk", "julie", "l1"); cleared != (c.asked == 0) {
			t.Errorf("%s: cleared %v", c.mode, cleared)
		}
		why, other, err := s.SignedIn(t.Context(), shop, "julie", julie("", "").Device, true)
		if why == WhyEnrol || (c.mode == Always) != (why == WhyAlways && other) || err != nil {
			t.Errorf("%s: the next sign-in: %q %v %v", c.mode, why, other, err)
		}
	}
}

func TestEnrolmentCanBePutOffUntilADate(t *testing.T) {
	s := newScene(t, always, Policy{}, Required)
	s.app.SkipUntil = s.now.Add(24 * time.Hour)
	s.begin(julie(WhyEnrol, "l1"))
	if p := s.page(); !strings.Contains(p, "Not now") {
		t.Error(p)
	}
	s.form("/skip", nil)
	if cleared, typed, _ := s.Cleared(t.Context(), shop, "desk", "julie", "l1"); !cleared || typed {
		t.Errorf("cleared %v, typed %v", cleared, typed)
	}
	if why, _, _ := s.SignedIn(t.Context(), shop, "julie", julie("", "").Device, false); why != "" {
		t.Errorf("a script is stopped by an offer: %s", why)
	}
	s.now = s.app.SkipUntil
	if why, _, _ := s.SignedIn(t.Context(), shop, "julie", julie("", "").Device, false); why != WhyEnrol {
		t.Errorf("past the date: %q", why)
	}
	s.begin(julie(WhyEnrol, "l2"))
	if p := s.page(); strings.Contains(p, "Not now") {
		t.Error("past the date it can be put off")
	}
	s.form("/skip", nil)
	if cleared, _, _ := s.Cleared(t.Context(), shop, "desk", "julie", "l2"); cleared {
		t.Error("past the date it was put off")
	}
}

func TestAPhoneIsNoDeadEnd(t *testing.T) {
	s := newScene(t, always, Policy{}, Always)
	phone := access.Device{ID: "phone", Kind: access.Phone}
	if able, _ := s.Able(t.Context(), shop, "julie", phone); able {
		t.Error("a phone is asked to type")
	}
	if why, other, _ := s.SignedIn(t.Context(), shop, "julie", phone, true); why != WhyAlways || !other {
		t.Errorf("%q %v", why, other)
	}
	e := julie(WhyPolicy, "l1")
	e.Device.Kind = access.Tablet
	s.begin(e)
	p := s.page()
	if !strings.Contains(p, "This needs a keyboard with keys.") || !strings.Contains(p, BasePath+"/ask") || !strings.Contains(p, "?keyboard=1") {
		t.Error(p)
	}
	if to := s.form("/ask", nil); to != "/.cadenas/wait" || len(s.asked) != 1 {
		t.Errorf("it leads to %s", to)
	}
}

// TestThreat_L27_EveryRefusalAtTheEndpoint types honestly but for one thing.
func TestThreat_L27_EveryRefusalAtTheEndpoint(t *testing.T) {
	s := newScene(t, always, Policy{Attempts: 20}, Optional)
	typist := newTypist(1)
	s.enrols(typist, julie(WhyEnrol, "l1"))
	add := func(e Seen) func(*Capture) {
		return func(c *Capture) {
			e.At = c.Events[8].At
			c.Events = slices.Insert(c.Events, 8, e)
		}
	}
	for _, c := range []struct {
		name, why string
		other     bool
		change    func(*Capture)
	}{
		{"another challenge", "late", false, func(c *Capture) { c.Challenge = strings.Repeat("0", 32) }},
		{"words of another line", "words", false, func(c *Capture) { c.Events = typist.line([]string{"marble", "window", "carrot", "seven"}, 5000) }},
		{"too late", "late", false, func(*Capture) { s.now = s.now.Add(LineLife) }},
		{"faster than our clock", "time", false, func(c *Capture) {
			for i := range c.Events {
				c.Events[i].At *= 3
			}
		}},
		{"a script's keys", "script", false, func(c *Capture) {
			for i := range c.Events {
				c.Events[i].Trusted = false
			}
		}},
		{"paste", "paste", false, add(Seen{Type: "paste", Trusted: true})},
		{"drop", "paste", false, add(Seen{Type: "drop", Trusted: true})},
		{"autofill", "fill", false, add(Seen{Type: "fill", Trusted: true})},
		{"an input method", "keyboard", true, add(Seen{Type: "down", Key: "Process", KeyCode: 229, Trusted: true})},
		{"a touch keyboard without key-up", "keyboard", true, func(c *Capture) {
			c.Events = slices.DeleteFunc(c.Events, func(e Seen) bool { return e.Type == "up" })
		}},
		{"focus lost", "focus", false, add(Seen{Type: "blur", Trusted: true})},
		{"an editing key", "edit", false, add(Seen{Type: "down", Key: "ArrowLeft", Code: "ArrowLeft", Trusted: true})},
		{"a coarse clock", "coarse", true, func(c *Capture) {
			for i := range c.Events {
				c.Events[i].At = float64(int(c.Events[i].At/100)) * 100
			}
		}},
		{"equal steps", "flat", false, func(c *Capture) {
			var keys []Seen
			n := 0.0
			for _, e := range c.Events {
				if e.Type == "down" {
					keys, n = append(keys, press(e.Key, 5000+n*130.3, 5000+n*130.3+71)...), n+1
				}
			}
			c.Events = keys
		}},
		{"no events", "words", false, func(c *Capture) { c.Events = nil; s.now = s.now.Add(-time.Second) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			if err := s.Forgive(t.Context(), shop, "julie"); err != nil {
				t.Fatal(err)
			}
			s.now = s.now.Add(time.Hour) // a fresh errand
			s.begin(julie(WhyPolicy, "l-"+c.name))
			got := s.types(typist, c.change)
			if got.Why != c.why || got.Other != c.other || got.Say == "" {
				t.Errorf("%+v, want %s", got, c.why)
			}
			if len(s.granted) != 0 {
				t.Fatal("it was let in")
			}
		})
	}
}

func TestThreat_L27_ANearCopyOfAnyPrintIsRefused(t *testing.T) {
	s := newScene(t, always, Policy{}, Optional)
	s.begin(julie(WhyEnrol, "l1"))
	s.form("/consent", nil)
	typist := newTypist(1)
	var recorded []Seen
	for range EnrolPrints {
		s.types(typist, func(c *Capture) { recorded = c.Events })
	}
	s.begin(julie(WhyPolicy, "l2"))
	// The recorded times, with the letters that are asked for now.
	replay := func(c *Capture) {
		var words []Seen
		for _, e := range c.Events {
			if e.Type == "down" {
				words = append(words, e)
			}
		}
		var downs []float64
		for _, e := range recorded {
			if e.Type == "down" {
				downs = append(downs, e.At)
			}
		}
		var keys []Seen
		next := downs[len(downs)-1]
		for i, e := range words {
			d := next + float64(i)*137.7
			if i < len(downs) {
				d = downs[i]
			}
			keys = append(keys, press(e.Key, d, d+holdOf(recorded, i))...)
		}
		sortSeen(keys)
		s.now = s.now.Add(took(keys) - took(c.Events)) // a replay takes its own time
		c.Events = keys
	}
	got := s.types(typist, replay)
	if got.Why != "copy" || got.State != "again" {
		t.Errorf("a replay: %+v", got)
	}
	if len(s.granted) != 0 {
		t.Error("a replay was let in")
	}
}

// holdOf is how long the i-th key was held.
func holdOf(events []Seen, i int) float64 {
	n := 0
	for j, e := range events {
		if e.Type != "down" {
			continue
		}
		if n == i {
			for _, u := range events[j:] {
				if u.Type == "up" && u.Code == e.Code {
					return u.At - e.At
				}
			}
		}
		n++
	}
	return 80
}

func TestThreat_L27_ALineIsTypedOnceAndForOnePurpose(t *testing.T) {
	s := newScene(t, always, Policy{}, Optional)
	typist := newTypist(1)
	s.enrols(typist, julie(WhyEnrol, "l1"))
	s.begin(julie(WhyPolicy, "l2"))
	line, _ := s.call("/words", nil)
	capture := Capture{Challenge: line.Challenge, Events: typist.line(line.Words, 0)}
	if got, _ := s.call("/typed", capture); got.Why != "late" {
		t.Errorf("a line that nobody began: %+v", got)
	}
	line, _ = s.call("/words", nil)
	capture = Capture{Challenge: line.Challenge, Events: typist.line(line.Words, 0)}
	if _, code := s.call("/begin", Capture{Challenge: line.Challenge}); code != http.StatusNoContent {
		t.Fatal(code)
	}
	if got, _ := s.call("/begin", Capture{Challenge: line.Challenge}); got.Why != "late" {
		t.Errorf("begun twice: %+v", got)
	}
	s.now = s.now.Add(took(capture.Events))
	s.holder.DeviceID = "laptop"
	e := julie(WhyPolicy, "l9")
	e.Device.ID = "laptop"
	s.begin(e)
	if got, _ := s.call("/typed", capture); got.Why != "late" {
		t.Errorf("on another device: %+v", got)
	}
	s.holder.DeviceID = "desk"
	s.begin(julie(WhyEnrol, "l3")) // now it would enrol
	if got, _ := s.call("/typed", capture); got.Why != "late" {
		t.Errorf("for another purpose: %+v", got)
	}
	s.begin(julie(WhyPolicy, "l4"))
	if got, _ := s.call("/typed", capture); got.Why != "late" {
		t.Errorf("a line that was used: %+v", got)
	}
	line, _ = s.call("/words", nil)
	s.now = s.now.Add(StartGrace + time.Second)
	if got, _ := s.call("/begin", Capture{Challenge: line.Challenge}); got.Why != "late" {
		t.Errorf("begun too late: %+v", got)
	}
	if len(s.granted) != 0 {
		t.Error("it was let in")
	}
}

func TestThreat_L11_ForeignPostsAndOddMethods(t *testing.T) {
	s := newScene(t, always, Policy{}, Optional)
	s.begin(julie(WhyEnrol, "l1"))
	for _, path := range []string{"/words", "/begin", "/typed", "/consent", "/decline", "/skip", "/ask"} {
		r := httptest.NewRequest(http.MethodPost, "https://gate.example.com"+BasePath+path, nil)
		r.Header.Set("Sec-Fetch-Site", "same-site")
		r.Header.Set("Origin", "https://evil.example.com")
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if w.Code != http.StatusForbidden {
			t.Errorf("%s from a sibling: %d", path, w.Code)
		}
		if w := s.do(http.MethodGet, path, "", nil); w.Code != http.StatusMethodNotAllowed {
			t.Errorf("GET %s: %d", path, w.Code)
		}
	}
	if w := s.do(http.MethodPost, "", "", nil); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST of the page: %d", w.Code)
	}
	if w := s.do(http.MethodGet, "/score", "", nil); w.Code != http.StatusNotFound {
		t.Errorf("what is not there: %d", w.Code)
	}
	if e, _, _ := s.Errand(t.Context(), shop, "desk"); e.Stage != Open || len(s.asked) != 0 {
		t.Errorf("something happened: %+v", e)
	}
}

func TestWithoutAnErrandThereIsNothing(t *testing.T) {
	s := newScene(t, always, Policy{}, Always)
	if p := s.page(); !strings.Contains(p, "There is nothing to type here.") {
		t.Error(p)
	}
	for _, path := range []string{"/words", "/begin", "/typed", "/ask", "/consent"} {
		if got, code := s.call(path, nil); code != http.StatusUnprocessableEntity || got.Why != "late" {
			t.Errorf("%s: %d %+v", path, code, got)
		}
	}
	s.begin(julie(WhyPolicy, "l1"))
	s.now = s.now.Add(errandLife)
	if p := s.page(); !strings.Contains(p, "There is nothing to type here.") {
		t.Error("an errand that is over still asks")
	}
}

// What is kept names nobody, holds no word, and goes: on demand and by itself.
func TestPrivacy(t *testing.T) {
	s := newScene(t, always, Policy{}, Optional)
	typist := newTypist(1)
	var words []string
	s.begin(julie(WhyEnrol, "l1"))
	s.form("/consent", nil)
	for range EnrolPrints {
		line, _ := s.call("/words", nil)
		words = append(words, line.Words...)
		s.call("/begin", Capture{Challenge: line.Challenge})
		c := Capture{Challenge: line.Challenge, Events: typist.line(line.Words, 0)}
		s.now = s.now.Add(took(c.Events))
		if got, _ := s.call("/typed", c); got.State != "line" && got.State != "done" {
			t.Fatalf("%+v", got)
		}
	}
	entries, err := s.st.Range(t.Context(), store.Query{Prefix: shop + "/"})
	if err != nil {
		t.Fatal(err)
	}
	// Words that stand there whatever is typed ("device", and "dress" in
	// "Address"): what another store holds of somebody else's lines.
	other := newScene(t, always, Policy{}, Optional)
	other.enrols(newTypist(2), julie(WhyEnrol, "l1"))
	same, err := other.st.Range(t.Context(), store.Query{Prefix: shop + "/"})
	if err != nil {
		t.Fatal(err)
	}
	anyway := ""
	for _, e := range same {
		anyway += string(e.Value)
	}
	people := 0
	for _, e := range entries {
		if !strings.Contains(e.Key, "/biopass-person/") {
			for _, w := range words {
				if bytes.Contains(e.Value, []byte(w)) && !strings.Contains(anyway, w) {
					t.Errorf("%s holds the word %s", e.Key, w)
				}
			}
			continue
		}
		people++
		if strings.Contains(e.Key, "julie") || bytes.Contains(e.Value, []byte("julie")) || bytes.Contains(e.Value, []byte("Windows")) {
			t.Errorf("%s tells whose it is", e.Key)
		}
		if e.TTL <= 0 || e.TTL > DefaultRetain {
			t.Errorf("it is kept for %s", e.TTL)
		}
		if len(e.Value) > 20_000 {
			t.Errorf("%d bytes", len(e.Value))
		}
	}
	if people != 1 {
		t.Fatalf("%d people", people)
	}
	// The same name elsewhere is somebody else.
	if p, err := s.book.get(t.Context(), "other", "julie"); err != nil || p.ready() {
		t.Errorf("another application knows her: %v", err)
	}
	if found, err := s.Erase(t.Context(), shop, "julie", "user:julie", "self"); !found || err != nil {
		t.Fatal(found, err)
	}
	if a, err := s.Account(t.Context(), shop, "julie"); err != nil || len(a.Keyboards) != 0 || !a.Consented.IsZero() {
		t.Errorf("after the erasure: %+v %v", a, err)
	}
	if found, err := s.Erase(t.Context(), shop, "julie", "user:julie", "self"); found || err != nil {
		t.Errorf("erased twice: %v %v", found, err)
	}
	s.enrols(typist, julie(WhyEnrol, "l2"))
	s.now = s.now.Add(DefaultRetain + time.Second)
	if a, err := s.Account(t.Context(), shop, "julie"); err != nil || len(a.Keyboards) != 0 {
		t.Errorf("after %s unused: %+v %v", DefaultRetain, a, err)
	}
}

func TestPrintsOutliveTheRotationOfKeys(t *testing.T) {
	keys := map[byte][]byte{1: seal.NewKey()}
	ring, err := seal.NewRing(keys, 1)
	if err != nil {
		t.Fatal(err)
	}
	s := newScene(t, always, Policy{}, Optional)
	s.book.ring = func() *seal.Ring { return ring }
	s.enrols(newTypist(1), julie(WhyEnrol, "l1"))
	for n := byte(2); n < 20; n++ {
		keys[n] = seal.NewKey()
		delete(keys, n-8)
		if ring, err = seal.NewRing(keys, n); err != nil {
			t.Fatal(err)
		}
		s.now = s.now.Add(time.Hour)
		if a, err := s.Account(t.Context(), shop, "julie"); err != nil || len(a.Keyboards) != 1 {
			t.Fatalf("after rotation %d: %+v %v", n, a, err)
		}
	}
	// A store without its keys: people begin anew, and nobody is stuck.
	lost, err := seal.NewRing(map[byte][]byte{1: seal.NewKey()}, 1)
	if err != nil {
		t.Fatal(err)
	}
	ring = lost
	s.now = s.now.Add(time.Hour)
	if a, err := s.Account(t.Context(), shop, "julie"); err != nil || len(a.Keyboards) != 0 {
		t.Errorf("with other keys: %+v %v", a, err)
	}
}

// No answer holds a score, a print or a threshold.
func TestNothingOfTheScoreReachesABrowser(t *testing.T) {
	s := newScene(t, never, Policy{}, Optional)
	s.enrols(newTypist(1), julie(WhyEnrol, "l1"))
	s.begin(julie(WhyPolicy, "l2"))
	allowed := map[string]bool{"state": true, "line": true, "of": true, "challenge": true, "words": true, "starts": true, "life": true, "why": true, "say": true, "other": true}
	line, _ := s.call("/words", nil)
	s.call("/begin", Capture{Challenge: line.Challenge})
	c := Capture{Challenge: line.Challenge, Events: newTypist(9).line(line.Words, 0)}
	s.now = s.now.Add(took(c.Events))
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	w := s.do(http.MethodPost, "/typed", "application/json", bytes.NewReader(text))
	var fields map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &fields); err != nil {
		t.Fatal(err)
	}
	for name := range fields {
		if !allowed[name] {
			t.Errorf("the answer holds %q", name)
		}
	}
	for _, word := range []string{"score", "threshold", "print\":"} {
		if strings.Contains(s.page(), word) || strings.Contains(w.Body.String(), word) {
			t.Errorf("an answer speaks of a %s", word)
		}
	}
}

func FuzzTypedEndpoint(f *testing.F) {
	f.Add([]byte(`{"challenge":"x","events":[{"type":"down","key":"a","code":"KeyA","at":1,"trusted":true}]}`))
	f.Add([]byte(`{`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s := newScene(t, always, Policy{}, Optional)
		s.begin(julie(WhyEnrol, "l1"))
		s.form("/consent", nil)
		line, _ := s.call("/words", nil)
		s.call("/begin", Capture{Challenge: line.Challenge})
		body = bytes.ReplaceAll(body, []byte(`"x"`), []byte(`"`+line.Challenge+`"`))
		w := s.do(http.MethodPost, "/typed", "application/json", bytes.NewReader(body))
		if w.Code != http.StatusUnprocessableEntity && w.Code != http.StatusOK {
			t.Errorf("%d for %q", w.Code, body)
		}
	})
}
