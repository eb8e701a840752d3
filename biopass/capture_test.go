package biopass

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func took(events []Seen) time.Duration {
	return time.Duration(span(events) * float64(time.Millisecond))
}

// TestThreat_L27_WhatIsNoTyping goes through every refusal of a capture.
func TestThreat_L27_WhatIsNoTyping(t *testing.T) {
	words := []string{"marble", "window", "carrot", "seven"}
	good := newTypist(3).line(words, 1000)
	all := took(good)
	with := func(change func([]Seen) []Seen) []Seen { return change(slices.Clone(good)) }
	each := func(change func(i int, e *Seen)) []Seen {
		return with(func(s []Seen) []Seen {
			for i := range s {
				change(i, &s[i])
			}
			return s
		})
	}
	insert := func(i int, more ...Seen) []Seen {
		return with(func(s []Seen) []Seen {
			for j := range more {
				more[j].At = s[i].At
			}
			return slices.Insert(s, i, more...)
		})
	}
	corrected := func(keys ...string) []Seen { // typed wrong at the end, put right, and the last letter
		s := newTypist(3).line([]string{"marble", "window", "carrot", "seve"}, 1000)
		at := s[len(s)-1].At
		for i, k := range keys {
			s = append(s, press(k, at+100+float64(i)*130, at+171+float64(i)*127)...)
		}
		return s
	}
	for _, c := range []struct {
		name   string
		events []Seen
		took   time.Duration
		want   error
	}{
		{"an honest line", good, all, nil},
		{"a space after the last word", append(slices.Clone(good), press(" ", good[len(good)-1].At+90, good[len(good)-1].At+150)...), all, nil},
		{"a correction with Backspace", corrected("m", "Backspace", "n"), all, nil},
		{"a key held too long, put right", func() []Seen {
			s := corrected("n", "Backspace", "n")
			i := slices.IndexFunc(s, func(e Seen) bool { return e.Key == "Backspace" })
			r := s[i]
			s[i-2].Repeat, r.Repeat = false, true
			return s
		}(), all, nil},
		{"a capital by Shift is another word", insert(0, press("Shift", 0, 0)[0], Seen{Type: "down", Key: "M", Code: "KeyQ", Trusted: true}, Seen{Type: "up", Key: "M", Code: "KeyQ", Trusted: true}, press("Shift", 0, 0)[1]), all, RefusedWords},
		{"an empty line", nil, 0, RefusedWords},
		{"other words", newTypist(3).line([]string{"marble", "window", "carrot", "eight"}, 0), all, RefusedWords},
		{"the words in another order", newTypist(3).line([]string{"window", "marble", "carrot", "seven"}, 0), all, RefusedWords},
		{"a word too many", newTypist(3).line(append(slices.Clone(words), "seven"), 0), all, RefusedWords},
		{"one event that no hand made", each(func(i int, e *Seen) { e.Trusted = i != 7 }), all, RefusedScript},
		{"a paste", insert(4, Seen{Type: "paste", Trusted: true}), all, RefusedPaste},
		{"a paste by script", insert(4, Seen{Type: "paste"}), all, RefusedPaste},
		{"a drop", insert(4, Seen{Type: "drop", Trusted: true}), all, RefusedPaste},
		{"text that no key brought", insert(9, Seen{Type: "fill", Trusted: true}), all, RefusedFill},
		{"an input method", insert(9, Seen{Type: "compose", Trusted: true}), all, RefusedKeyboard},
		{"code 229", each(func(i int, e *Seen) { e.KeyCode = 229 }), all, RefusedKeyboard},
		{"a key without name", each(func(i int, e *Seen) { e.Key = "Unidentified" }), all, RefusedKeyboard},
		{"a key without place", each(func(i int, e *Seen) { e.Code = "" }), all, RefusedKeyboard},
		{"no key ever comes up", with(func(s []Seen) []Seen { return slices.DeleteFunc(s, func(e Seen) bool { return e.Type == "up" }) }), all, RefusedKeyboard},
		{"the page lost the keyboard", insert(9, Seen{Type: "blur", Trusted: true}), all, RefusedFocus},
		{"an arrow key", insert(9, press("ArrowLeft", 0, 0)...), all, RefusedEdit},
		{"a shortcut", insert(9, press("Control", 0, 0)...), all, RefusedEdit},
		{"a clock that runs back", each(func(i int, e *Seen) {
			if i == 12 {
				e.At -= 5000
			}
		}), all, RefusedTime},
		{"faster than our own clock", good, all - 3*time.Second, RefusedTime},
		{"slower than our own clock", good, all + 9*time.Second, RefusedTime},
		{"a clock of 100 ms", each(func(_ int, e *Seen) { e.At = math.Round(e.At/100) * 100 }), all, RefusedCoarse},
		{"a clock of a thirtieth of a second", each(func(_ int, e *Seen) { e.At = math.Round(e.At/(1000.0/30)) * 1000 / 30 }), all, RefusedCoarse},
		{"a clock of a sixtieth still tells", each(func(_ int, e *Seen) { e.At = math.Round(e.At/(1000.0/60)) * 1000 / 60 }), all, nil},
	} {
		_, err := Capture{Events: c.events}.Check(words, c.took)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestACaptureBecomesKeysWithoutRepeats(t *testing.T) {
	words := []string{"seven"}
	var s []Seen
	for i, k := range []string{"s", "e", "v", "e", "n"} {
		s = append(s, press(k, float64(i)*137, float64(i)*137+80+float64(i))...)
	}
	s = append(s, Seen{Type: "down", Key: "n", Code: "KeyN", At: 900, Trusted: true})
	s[len(s)-2].At = 640
	s = append(s, Seen{Type: "down", Key: "n", Code: "KeyN", At: 1000, Trusted: true, Repeat: true},
		Seen{Type: "up", Key: "n", Code: "KeyN", At: 1010, Trusted: true})
	s = append(s, press("Backspace", 1100, 1160)...)
	s = append(s, press("Backspace", 1300, 1361)...)
	got, err := Capture{Events: s}.Check(words, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Events) != 8 || got.Corrections != 2 || got.Events[5].Release != 1010 || got.Events[0].Code != 'S' {
		t.Errorf("%+v", got)
	}
}

func TestThreat_L27_ABodyThatIsNoCapture(t *testing.T) {
	long := `{"challenge":"x","events":[` + strings.Repeat(`{"type":"up","at":1},`, maxSeen) + `{"type":"up","at":1}]}`
	for _, c := range []struct {
		name, body string
		want       error
	}{
		{"nothing", "", RefusedForm},
		{"no JSON", "marble", RefusedForm},
		{"a list", "[]", RefusedForm},
		{"a field that is not there", `{"challenge":"x","score":9}`, RefusedForm},
		{"something behind it", `{"challenge":"x"}{}`, RefusedForm},
		{"a type that is none", `{"events":[{"type":"click","at":1}]}`, RefusedForm},
		{"a time that is none", `{"events":[{"type":"up","at":"1"}]}`, RefusedForm},
		{"a time past all clocks", `{"events":[{"type":"up","at":1e300}]}`, RefusedForm},
		{"a key with a long name", `{"events":[{"type":"up","at":1,"key":"` + strings.Repeat("k", 40) + `"}]}`, RefusedForm},
		{"too many events", long, RefusedLong},
		{"a body over the bound", `{"challenge":"` + strings.Repeat("x", MaxCapture) + `"}`, RefusedForm},
		{"blanks without end", `{"challenge":"x"}` + strings.Repeat(" ", MaxCapture), RefusedForm},
		{"an empty capture", `{"challenge":"x","events":[]}`, nil},
	} {
		if _, err := ReadCapture(strings.NewReader(c.body)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func FuzzCapture(f *testing.F) {
	words := []string{"marble", "window", "carrot", "seven"}
	good, err := json.Marshal(Capture{Challenge: "x", Events: newTypist(3).line(words, 1000)})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{good, []byte(`{"events":[{"type":"down","key":"Backspace","code":"B","at":-1,"trusted":true}]}`), []byte(`{}`), []byte(`nul`)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := ReadCapture(bytes.NewReader(body))
		var refused *Refusal
		if err != nil {
			if !errors.As(err, &refused) {
				t.Fatalf("an error that no page can say: %v", err)
			}
			return
		}
		typed, err := c.Check(words, 5*time.Second)
		if err != nil {
			if !errors.As(err, &refused) {
				t.Fatalf("an error that no page can say: %v", err)
			}
			return
		}
		if _, err := Default().Print(typed.Events); refusalOf(err) != nil && !errors.As(refusalOf(err), &refused) {
			t.Fatalf("an error that no page can say: %v", err)
		}
	})
}
