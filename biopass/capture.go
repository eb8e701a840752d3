package biopass

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// Capture is what a browser saw of one line being typed, in the order in
// which it happened. Keys are read once, to see that they spell the line, and
// forgotten with the request.
type Capture struct {
	// Challenge names the line.
	Challenge string `json:"challenge"`
	Events    []Seen `json:"events"`
}

// Seen is one event.
type Seen struct {
	// Type is down, up, blur, paste, drop, fill (text that no key brought) or
	// compose (an input method was at work).
	Type string `json:"type"`
	// Key is KeyboardEvent.key, Code its code, KeyCode the legacy number, of
	// which 229 says that an input method hides the key.
	Key     string `json:"key,omitempty"`
	Code    string `json:"code,omitempty"`
	KeyCode int    `json:"keyCode,omitempty"`
	// At is Event.timeStamp, in ms.
	At      float64 `json:"at"`
	Trusted bool    `json:"trusted"`
	Repeat  bool    `json:"repeat,omitempty"`
}

// The bounds of a capture.
const (
	// MaxCapture is the longest body that is read, in bytes.
	MaxCapture = 64 << 10
	// maxSeen is the most events of a line.
	maxSeen = 400
	// maxName is the longest name of a key, in bytes.
	maxName = 32
	// clockSlack is how far the browser's clock and ours may differ over a
	// line: what a slow line does to the message of the first key.
	clockSlack = 2 * time.Second
	// sendSlack is how long sending may take after the last key.
	sendSlack = 8 * time.Second
	// coarsest is the coarsest clock that still tells: 20 ms cost little in
	// docs/biopass.md, 33 ms and 100 ms (privacy browsers) too much.
	coarsest = 20.0
)

// Refusal is typing that is not scored. It is an error of its own, so that
// the page can say what to do.
type Refusal struct {
	// Key ends the message key "biopass.refused.<Key>".
	Key string
	// Other says that trying again on this keyboard or in this browser cannot
	// help: the other way in is.
	Other bool
	// Counts says that it is no accident of a person's: it counts as a try.
	Counts bool
}

func (r *Refusal) Error() string { return "typing refused: " + r.Key }

// What is refused (threat L27).
var (
	// RefusedLate is a line that is over, used, another's or never was.
	RefusedLate = &Refusal{Key: "late"}
	// RefusedForm is a body that is no capture.
	RefusedForm = &Refusal{Key: "form"}
	// RefusedScript is a key that no hand pressed.
	RefusedScript = &Refusal{Key: "script", Counts: true}
	// RefusedPaste and RefusedFill are words that no key brought.
	RefusedPaste = &Refusal{Key: "paste"}
	RefusedFill  = &Refusal{Key: "fill"}
	// RefusedKeyboard is an input method or a touch keyboard, which hides its
	// keys or never lets them go.
	RefusedKeyboard = &Refusal{Key: "keyboard", Other: true}
	// RefusedFocus is a line during which the page lost the keyboard.
	RefusedFocus = &Refusal{Key: "focus"}
	// RefusedEdit is a line that was corrected otherwise than by Backspace.
	RefusedEdit = &Refusal{Key: "edit"}
	// RefusedWords is a line that spells something else.
	RefusedWords = &Refusal{Key: "words"}
	// RefusedShort and RefusedLong are lines of too few keys, or too many.
	RefusedShort = &Refusal{Key: "short"}
	RefusedLong  = &Refusal{Key: "long"}
	// RefusedTime is a clock that runs back, or otherwise than ours.
	RefusedTime = &Refusal{Key: "time"}
	// RefusedCoarse is a clock too coarse to tell anybody by.
	RefusedCoarse = &Refusal{Key: "coarse", Other: true}
	// RefusedFlat is a rhythm without variation.
	RefusedFlat = &Refusal{Key: "flat", Counts: true}
	// RefusedCopy is a rhythm that was typed before.
	RefusedCopy = &Refusal{Key: "copy", Counts: true}
)

// ReadCapture decodes a capture. Whatever is not exactly one is RefusedForm.
func ReadCapture(r io.Reader) (Capture, error) {
	var c Capture
	limited := &io.LimitedReader{R: r, N: MaxCapture + 1}
	d := json.NewDecoder(limited)
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return Capture{}, RefusedForm
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) || limited.N <= 0 {
		return Capture{}, RefusedForm
	}
	if len(c.Events) > maxSeen {
		return Capture{}, RefusedLong
	}
	if len(c.Challenge) > maxName {
		return Capture{}, RefusedForm
	}
	for _, e := range c.Events {
		if len(e.Key) > maxName || len(e.Code) > maxName || math.Abs(e.At) > 1e13 {
			return Capture{}, RefusedForm
		}
		switch e.Type {
		case "down", "up", "blur", "paste", "drop", "fill", "compose":
		default:
			return Capture{}, RefusedForm
		}
	}
	return c, nil
}

// Typing is what a capture comes to: key events without text for the model.
type Typing struct {
	Events []Event
	// Corrections counts the presses of Backspace.
	Corrections int
}

// Check holds a capture against the line that was asked for and the time it
// took on our own clock, and turns it into what the model reads. It returns a
// *Refusal, and nothing else.
func (c Capture) Check(words []string, took time.Duration) (Typing, error) {
	for _, e := range c.Events {
		switch {
		case e.Type == "paste" || e.Type == "drop":
			return Typing{}, RefusedPaste
		case e.Type == "compose" || hidden(e):
			return Typing{}, RefusedKeyboard
		case !e.Trusted:
			return Typing{}, RefusedScript
		case e.Type == "fill":
			return Typing{}, RefusedFill
		case e.Type == "blur":
			return Typing{}, RefusedFocus
		}
	}
	p := pairing{held: map[string]int{}, at: math.Inf(-1)}
	for _, e := range c.Events {
		if err := p.see(e); err != nil {
			return Typing{}, err
		}
	}
	if strings.TrimRight(string(p.text), " ") != strings.Join(words, " ") {
		return Typing{}, RefusedWords
	}
	if len(p.held) > 0 {
		return Typing{}, RefusedKeyboard // a key that never comes up: a touch keyboard
	}
	if coarse(c.Events) {
		return Typing{}, RefusedCoarse
	}
	typed := time.Duration((p.at - p.first) * float64(time.Millisecond))
	if typed > took+clockSlack || typed < took-sendSlack {
		return Typing{}, RefusedTime
	}
	return p.Typing, nil
}

// hidden reports whether an input method or a touch keyboard keeps the key to
// itself.
func hidden(e Seen) bool {
	if e.Type != "down" && e.Type != "up" {
		return false
	}
	switch e.Key {
	case "Process", "Unidentified", "":
		return true
	}
	return e.KeyCode == 229 || e.Code == ""
}

// pairing joins presses with releases and follows the text.
type pairing struct {
	Typing
	held  map[string]int // code -> index into Events, -1 where it is not kept
	text  []byte
	first float64
	at    float64
}

func (p *pairing) see(e Seen) error {
	if math.IsNaN(e.At) || e.At < p.at {
		return RefusedTime
	}
	p.at = e.At
	if e.Type == "up" {
		i, ok := p.held[e.Code]
		delete(p.held, e.Code)
		if ok && i >= 0 {
			p.Events[i].Release = e.At
		}
		return nil // the release of a key from before the line is nobody's
	}
	_, down := p.held[e.Code]
	if down && !e.Repeat {
		return RefusedKeyboard // pressed again without a release
	}
	keep := false
	switch {
	case len(e.Key) == 1 && (e.Key[0] == ' ' || e.Key[0] > ' ' && e.Key[0] < 0x7f):
		p.text, keep = append(p.text, e.Key[0]), true
	case e.Key == "Backspace":
		p.text, keep = p.text[:max(0, len(p.text)-1)], true
		if !e.Repeat {
			p.Corrections++
		}
	case e.Key == "Shift" || e.Key == "CapsLock":
		keep = true
	case e.Key == "Enter" || e.Key == "Tab":
	default:
		return RefusedEdit
	}
	if e.Repeat {
		return nil // it counts as text and is no press
	}
	if !keep {
		p.held[e.Code] = -1
		return nil
	}
	if len(p.Events) == 0 {
		p.first = e.At
	}
	p.held[e.Code] = len(p.Events)
	p.Events = append(p.Events, Event{Code: CodeOf(e.Key), Press: e.At, Release: e.At})
	return nil
}

// coarse reports whether all times lie on the ticks of a clock that is too
// slow. A hand's times do so by chance only: 20 of them within a tenth of a
// tick, one in 10^14.
func coarse(events []Seen) bool {
	if len(events) < MinKeys {
		return false
	}
	for _, tick := range []float64{1000.0 / 30, 40, 50, 100, 200, 250} {
		if tick <= coarsest {
			continue
		}
		on := true
		for _, e := range events {
			d := math.Remainder(e.At-events[0].At, tick)
			if math.Abs(d) > tick/20 {
				on = false
				break
			}
		}
		if on {
			return true
		}
	}
	return false
}

// refusalOf says what the model's refusals are to a page; errors of ours pass.
func refusalOf(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrTooShort):
		return RefusedShort
	case errors.Is(err, ErrTooLong):
		return RefusedLong
	case errors.Is(err, ErrTime), errors.Is(err, ErrOrder):
		return RefusedTime
	case errors.Is(err, ErrFlat):
		return RefusedFlat
	case errors.Is(err, ErrCoarse):
		return RefusedCoarse
	}
	return fmt.Errorf("scoring typing: %w", err)
}
