package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/biopass"
)

// typist is a made-up person at a keyboard: a hold and a step of their own
// for every key, and a little scatter. Deterministic; nobody's data. They type
// fast, so that tests are.
type typist struct {
	rng        *rand.Rand
	hold, step float64
	keys       [26][2]float64
	hands      float64
}

func newTypist(seed uint64) *typist {
	r := rand.New(rand.NewPCG(seed, 5))
	t := &typist{rng: r, hold: 35 + 60*r.Float64(), step: 40 + 22*r.Float64(), hands: 0.75 + 0.5*r.Float64()}
	for i := range t.keys {
		t.keys[i] = [2]float64{math.Exp(0.3 * r.NormFloat64()), math.Exp(0.3 * r.NormFloat64())}
	}
	return t
}

// line is what a browser tells of words as they are typed.
func (t *typist) line(words []string) []biopass.Seen {
	var out []biopass.Seen
	at, prev, held := 1000.0, 0, map[rune]float64{}
	for i, r := range strings.Join(words, " ") {
		code, hold, step, c := "Space", t.hold, t.step*1.2, 0
		if r != ' ' {
			c = int(r - 'a')
			code, hold, step = "Key"+strings.ToUpper(string(r)), t.hold*t.keys[c][0], t.step*t.keys[c][1]
		}
		if (c < 13) == (prev < 13) {
			step *= t.hands
		}
		prev = c
		if i > 0 {
			at += step * math.Exp(0.06*t.rng.NormFloat64())
		}
		at = math.Round(10*max(at, held[r]+5)) / 10
		up := math.Round(10*(at+hold*math.Exp(0.06*t.rng.NormFloat64()))) / 10
		held[r] = up
		key := biopass.Seen{Key: string(r), Code: code, KeyCode: biopass.CodeOf(string(r)), Trusted: true}
		key.Type, key.At = "down", at
		out = append(out, key)
		key.Type, key.At = "up", up
		out = append(out, key)
	}
	slices.SortStableFunc(out, func(a, b biopass.Seen) int {
		switch {
		case a.At < b.At:
			return -1
		case a.At > b.At:
			return 1
		}
		return 0
	})
	return out
}

// print is what the shipped model makes of a line.
func (t *typist) print(words []string) *biopass.Print {
	seen := t.line(words)
	c := biopass.Capture{Events: seen}
	typed, err := c.Check(words, 2e9)
	if err != nil {
		return nil
	}
	p, err := biopass.Default().Print(typed.Events)
	if err != nil {
		return nil
	}
	return p
}

var someWords = strings.Fields("marble window carrot seven river pencil north button candle paper orange ladder garden silver maple kettle " +
	"pocket velvet lemon bridge harbor copper linen planet doctor yellow ribbon summer butter galaxy museum ticket")

func (t *typist) words() []string {
	var w []string
	for range 4 {
		w = append(w, someWords[t.rng.IntN(len(someWords))])
	}
	return w
}

// twoTypists finds an owner whom the shipped model knows again each time, and
// somebody whom it never takes for them: the stories are about what follows a
// score, which is measured elsewhere.
func twoTypists(t *testing.T) (owner, other *typist) {
	t.Helper()
	m := biopass.Default()
	point := m.Point(biopass.Balanced)
	always := func(a *typist, profile *biopass.Profile, want biopass.Verdict) bool {
		for range 25 {
			p := a.print(a.words())
			if p == nil {
				return false
			}
			r, err := m.Score(profile, p)
			if err != nil {
				t.Fatal(err)
			}
			if r.NearCopy || point.Decide(r) != want || (want == biopass.NoMatch && r.Score > point.Steps[0].Threshold-3) {
				return false
			}
		}
		return true
	}
	for seed := uint64(1); seed < 400; seed++ {
		a := newTypist(seed)
		var profile biopass.Profile
		for range biopass.EnrolPrints {
			if p := a.print(a.words()); p != nil {
				_ = profile.Enrol(p)
			}
		}
		if !profile.Ready() || !always(a, &profile, biopass.Match) {
			continue
		}
		for rival := seed + 1000; rival < seed+1400; rival++ {
			if b := newTypist(rival); always(b, &profile, biopass.NoMatch) {
				t.Logf("typists %d and %d", seed, rival)
				return a, b
			}
		}
	}
	t.Fatal("the shipped model knows no made-up typist apart from another")
	return nil, nil
}

// types types the line that the page asks for, as told to the endpoint by the
// page's own origin, and returns the state that follows. Changes alter what is
// told.
func (b *Browser) types(a *typist, changes ...func(*biopass.Capture)) string {
	b.t.Helper()
	state, _ := b.typesFor(a, changes...)
	return state
}

// typesFor is types, with the reason where the line was refused.
func (b *Browser) typesFor(a *typist, changes ...func(*biopass.Capture)) (state, why string) {
	b.t.Helper()
	type told struct {
		Challenge, State, Why string
		Words                 []string
	}
	call := func(path string, body any) told {
		text, err := json.Marshal(body)
		if err != nil {
			b.t.Fatal(err)
		}
		answer := Eval[string](b, fmt.Sprintf(`fetch("/.cadenas/biopass/%s", {method: "POST", body: %q}).then((r) => r.text())`, path, text))
		var got told
		if answer != "" {
			if err := json.Unmarshal([]byte(answer), &got); err != nil {
				b.t.Fatalf("%s: %s", path, answer)
			}
		}
		return got
	}
	line := call("words", nil)
	if len(line.Words) == 0 {
		b.t.Fatalf("no words: %+v", line)
	}
	call("begin", biopass.Capture{Challenge: line.Challenge, Events: []biopass.Seen{}})
	typed := a.line(line.Words)
	// It takes the time it takes: the gate looks at its own clock too.
	Eval[bool](b, fmt.Sprintf(`new Promise((done) => setTimeout(() => done(true), %.0f))`, typed[len(typed)-1].At-typed[0].At-500))
	c := biopass.Capture{Challenge: line.Challenge, Events: typed}
	for _, change := range changes {
		change(&c)
	}
	got := call("typed", c)
	if got.Why != "" {
		b.t.Logf("refused: %s", got.Why)
	}
	return got.State, got.Why
}

func TestTheMadeUpTypistsAreToldApart(t *testing.T) { twoTypists(t) }
