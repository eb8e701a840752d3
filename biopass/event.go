package biopass

import (
	"errors"
	"math"
)

// Event is one key pressed and released.
type Event struct {
	// Code is the legacy JavaScript keyCode of the key: 65 for a, 32 for
	// space, 16 for Shift, 8 for Backspace. CodeOf gives it from event.key.
	// Codes that are not known count as "another key".
	Code int
	// Press and Release are milliseconds on one clock, any origin.
	// Auto-repeats are left out. Fractions count.
	Press, Release float64
}

// The bounds of what can be scored.
const (
	// MinKeys is the fewest events a print is made from. Four words are
	// about 24; under 10 the error rates are several times those published.
	MinKeys = 10
	// MaxKeys is how many events of a sequence are looked at; the rest is
	// cut. The longest of 21,622 recorded sequences had 44.
	MaxKeys = 48
	// MaxSpan is the longest a sequence may last, in ms, from first press to
	// last release.
	MaxSpan = 120_000
)

// What Print refuses. Callers tell them apart with errors.Is.
var (
	ErrTooShort  = errors.New("too few keys to tell a typist")
	ErrTooLong   = errors.New("typing lasted too long")
	ErrTime      = errors.New("times of keys are not a clock's")
	ErrOrder     = errors.New("keys are not in order of press")
	ErrFlat      = errors.New("typing has no variation")
	ErrCoarse    = errors.New("clock too coarse to tell a typist")
	ErrOtherKind = errors.New("print was made by another model")
)

// keyClasses is the number of key classes: 0 nothing, 1 to 26 letters, 27
// space, 28 Backspace, 29 Shift, 30 Caps Lock, 31 full stop, 32 comma, 33
// apostrophe, 34 digits, 35 any other key.
const keyClasses = 36

func keyClass(code int) int {
	switch {
	case code >= 65 && code <= 90:
		return code - 64
	case code >= 48 && code <= 57, code >= 96 && code <= 105:
		return 34
	}
	switch code {
	case 32:
		return 27
	case 8:
		return 28
	case 16:
		return 29
	case 20:
		return 30
	case 190:
		return 31
	case 188:
		return 32
	case 222:
		return 33
	}
	return 35
}

// CodeOf gives the keyCode of a KeyboardEvent.key for the keys the model
// knows apart, and 0, "another key", for the rest. Layout makes no difference:
// the letter counts, not the place of the key.
func CodeOf(key string) int {
	if len(key) == 1 {
		switch c := key[0]; {
		case c >= 'a' && c <= 'z':
			return int(c-'a') + 65
		case c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == ' ':
			return int(c)
		case c == '.':
			return 190
		case c == ',':
			return 188
		case c == '\'':
			return 222
		}
	}
	switch key {
	case "Backspace":
		return 8
	case "Shift":
		return 16
	case "CapsLock":
		return 20
	}
	return 0
}

// Check says whether a sequence can be scored, and if not why: ErrTooShort,
// ErrTooLong, ErrTime, ErrOrder, ErrFlat or ErrCoarse. It bounds what the
// rest of the package sees, so nothing in it can fail on hostile input.
func Check(events []Event) error {
	if len(events) < MinKeys {
		return ErrTooShort
	}
	first := events[0].Press
	for i, e := range events {
		// Written so that NaN fails too.
		if !(math.Abs(e.Press) < 1e15) || !(e.Release >= e.Press) {
			return ErrTime
		}
		if !(e.Release-first <= MaxSpan) {
			return ErrTooLong
		}
		if i > 0 && e.Press < events[i-1].Press {
			return ErrOrder
		}
	}
	return checkVariety(events[:min(len(events), MaxKeys)])
}

// checkVariety refuses steps no hand makes (THREATS.md, L27) and clocks on
// which holds take too few values to tell anybody by.
func checkVariety(events []Event) error {
	holds, steps := map[int64]int{}, map[int64]int{}
	var sum, sq float64
	for i, e := range events {
		holds[int64(math.Round(e.Release-e.Press))]++
		if i == 0 {
			continue
		}
		d := e.Press - events[i-1].Press
		steps[int64(math.Round(d))]++
		sum += d
		sq += d * d
	}
	n := float64(len(events) - 1)
	mean := sum / n
	if sd := math.Sqrt(max(0, sq/n-mean*mean)); mean < minStep || sd < minSpread*mean {
		return ErrFlat
	}
	if len(holds) == 1 && len(steps) <= 2 {
		return ErrFlat
	}
	if len(holds) < minHolds || len(steps) < minHolds {
		return ErrCoarse
	}
	return nil
}

const (
	// minStep in ms: 24 keys at a mean under 25 ms is 40 keys a second.
	minStep = 25.0
	// minSpread is the least standard deviation of steps over their mean.
	// People are above 0.2.
	minSpread = 0.05
	// minHolds is the least number of different holds, and of steps, in ms.
	minHolds = 4
)
