package biopass

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

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
