package biopass

import (
	"fmt"
	"math"
	"strings"
)

// press is how a browser tells of one key.
func press(key string, at, release float64) []Seen {
	code := key
	switch {
	case len(key) == 1 && key != " ":
		code = "Key" + strings.ToUpper(key)
	case key == " ":
		code = "Space"
	}
	return []Seen{
		{Type: "down", Key: key, Code: code, KeyCode: CodeOf(key), At: at, Trusted: true},
		{Type: "up", Key: key, Code: code, KeyCode: CodeOf(key), At: release, Trusted: true},
	}
}

// line types words as a typist does, from a moment on, in the order in which a
// browser sees the events.
func (t *typist) line(words []string, from float64) []Seen {
	var out []Seen
	at, prev := from, 0
	held := map[string]float64{}
	for i, r := range strings.Join(words, " ") {
		key := string(r)
		hold, step, c := t.hold, t.step*t.spaceBefore, 0
		if r != ' ' {
			c = int(r - 'a')
			hold, step = t.hold*t.keys[c][0], t.step*t.keys[c][1]
		}
		if (c < 13) == (prev < 13) {
			step *= t.hands
		}
		prev = c
		if i > 0 {
			at += math.Round(10*step*math.Exp(t.scatter*t.rng.NormFloat64())) / 10
		}
		at = max(at, held[key]+5) // a key is let go before it is pressed again
		release := at + math.Round(10*hold*math.Exp(t.scatter*t.rng.NormFloat64()))/10
		held[key] = release
		out = append(out, press(key, at, release)...)
	}
	sortSeen(out)
	return out
}

func sortSeen(events []Seen) {
	for i := 1; i < len(events); i++ {
		for j := i; j > 0 && events[j].At < events[j-1].At; j-- {
			events[j], events[j-1] = events[j-1], events[j]
		}
	}
}

// span is how long events last, in ms.
func span(events []Seen) float64 { return events[len(events)-1].At - events[0].At }

func (s Seen) String() string { return fmt.Sprintf("%s %s at %.1f", s.Type, s.Key, s.At) }
