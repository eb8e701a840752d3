package biopass

import (
	"math"
	"math/rand/v2"
)

// typist is a made-up person: a hold and a step of their own for every key,
// and a little scatter. Deterministic; nobody's data.
type typist struct {
	rng         *rand.Rand
	hold, step  float64 // ms
	keys        [26][2]float64
	hands       float64 // factor on steps within one half of the alphabet
	scatter     float64
	spaceBefore float64
}

func newTypist(seed uint64) *typist {
	r := rand.New(rand.NewPCG(seed, 77))
	t := &typist{
		rng: r, hold: 55 + 110*r.Float64(), step: 85 + 190*r.Float64(),
		hands: 0.7 + 0.6*r.Float64(), scatter: 0.06, spaceBefore: 0.8 + 0.8*r.Float64(),
	}
	for i := range t.keys {
		t.keys[i] = [2]float64{math.Exp(0.25 * r.NormFloat64()), math.Exp(0.35 * r.NormFloat64())}
	}
	return t
}

// words types random letters with a space after every fifth, n keys in all.
func (t *typist) words(n int) []Event {
	out := make([]Event, n)
	at, prev := 1000.0, 0
	for i := range out {
		c := t.rng.IntN(26)
		code, hold, step := 65+c, t.hold*t.keys[c][0], t.step*t.keys[c][1]
		if i%6 == 5 {
			code, hold, step = 32, t.hold, t.step*t.spaceBefore
		}
		if (c < 13) == (prev < 13) {
			step *= t.hands
		}
		if i > 0 {
			at += math.Round(step * math.Exp(t.scatter*t.rng.NormFloat64()))
		}
		out[i] = Event{code, at, at + math.Round(hold*math.Exp(t.scatter*t.rng.NormFloat64()))}
		prev = c
	}
	return out
}
