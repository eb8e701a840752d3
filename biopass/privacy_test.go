package biopass

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store"
)

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
	if found, err := s.Erase(t.Context(), shop, "julie", books.Entry{Who: "user:julie", Via: "gate"}); !found || err != nil {
		t.Fatal(found, err)
	}
	if a, err := s.Account(t.Context(), shop, "julie"); err != nil || len(a.Keyboards) != 0 || !a.Consented.IsZero() {
		t.Errorf("after the erasure: %+v %v", a, err)
	}
	if found, err := s.Erase(t.Context(), shop, "julie", books.Entry{Who: "user:julie", Via: "gate"}); found || err != nil {
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
