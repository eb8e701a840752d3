package main

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/cadenas-gateway/cadenas/biopass"
)

// habits is how people type, as an attacker could learn it anywhere: the
// median hold of each key and the median step of each pair, in ms.
type habits struct {
	hold  map[int]float64
	step  map[[2]int]float64
	sd    float64 // of log step around its pair's median
	plain [2]float64
}

func learnHabits(people []person) *habits {
	holds, steps := map[int][]float64{}, map[[2]int][]float64{}
	var all [2][]float64
	each(people, func(prev int, hold, step float64, e biopass.Event) {
		holds[e.Code] = append(holds[e.Code], hold)
		all[0] = append(all[0], hold)
		if step >= 0 {
			steps[[2]int{prev, e.Code}] = append(steps[[2]int{prev, e.Code}], step)
			all[1] = append(all[1], step)
		}
	})
	h := &habits{hold: map[int]float64{}, step: map[[2]int]float64{}}
	h.plain = [2]float64{quantile(sorted(all[0]), 0.5), quantile(sorted(all[1]), 0.5)}
	for k, v := range holds {
		h.hold[k] = quantile(sorted(v), 0.5)
	}
	for k, v := range steps {
		if len(v) >= 5 {
			h.step[k] = quantile(sorted(v), 0.5)
		}
	}
	var sq, n float64
	each(people, func(prev int, _, step float64, e biopass.Event) {
		if step > 0 {
			d := math.Log(step / h.stepOf(prev, e.Code))
			sq += min(d*d, 4)
			n++
		}
	})
	h.sd = math.Sqrt(sq / max(n, 1))
	return h
}

// each visits every key of everybody; step is -1 for the first of a sequence.
func each(people []person, f func(prev int, hold, step float64, e biopass.Event)) {
	for _, p := range people {
		for _, s := range p.sequences {
			prev, step := 0, -1.0
			for i, e := range s {
				if i > 0 {
					step = e.Press - s[i-1].Press
				}
				f(prev, e.Release-e.Press, step, e)
				prev = e.Code
			}
		}
	}
}

func (h *habits) holdOf(code int) float64 {
	if v, ok := h.hold[code]; ok {
		return v
	}
	return h.plain[0]
}

func (h *habits) stepOf(prev, code int) float64 {
	if v, ok := h.step[[2]int{prev, code}]; ok && v > 0 {
		return v
	}
	return max(h.plain[1], 1)
}

// typed lays holds and steps out as events; a step comes before its key.
func typed(codes []int, hold, step []float64) []biopass.Event {
	out := make([]biopass.Event, len(codes))
	at := 1000.0
	for i, c := range codes {
		if i > 0 {
			at += math.Round(max(step[i], 1))
		}
		out[i] = biopass.Event{Code: c, Press: at, Release: at + math.Round(max(hold[i], 1))}
	}
	return out
}

func codesOf(s []biopass.Event) []int {
	out := make([]int, len(s))
	for i, e := range s {
		out[i] = e.Code
	}
	return out
}

// constantBot types at one speed, with as little as no and as much as 15 ms of
// noise.
func constantBot(codes []int, rng *rand.Rand) []biopass.Event {
	step, hold, noise := 60+190*rng.Float64(), 30+100*rng.Float64(), float64(rng.IntN(4)*5)
	s, h := make([]float64, len(codes)), make([]float64, len(codes))
	for i := range codes {
		s[i], h[i] = step+noise*rng.NormFloat64(), hold+noise*rng.NormFloat64()
	}
	return typed(codes, h, s)
}

// populationBot types as everybody does, with the scatter people have.
func (h *habits) populationBot(codes []int, rng *rand.Rand) []biopass.Event {
	return h.forge(nil, codes, 0.2+0.8*rng.Float64(), rng)
}

// forge types codes as the owner of the recorded sequences would: the pair's
// own step and hold where one was recorded, the key's own hold, and else the
// population's at the owner's tempo, scattered by noise times its spread.
func (h *habits) forge(recorded [][]biopass.Event, codes []int, noise float64, rng *rand.Rand) []biopass.Event {
	type timing struct{ hold, step float64 }
	pairs, holds := map[[2]int][]timing{}, map[int][]float64{}
	var fastH, fastS []float64
	each([]person{{sequences: recorded}}, func(prev int, hold, step float64, e biopass.Event) {
		holds[e.Code] = append(holds[e.Code], hold)
		fastH = append(fastH, hold/max(h.holdOf(e.Code), 1))
		if step >= 0 {
			pairs[[2]int{prev, e.Code}] = append(pairs[[2]int{prev, e.Code}], timing{hold, step})
			fastS = append(fastS, step/h.stepOf(prev, e.Code))
		}
	})
	tempoH, tempoS := 1.0, 1.0
	if len(fastS) > 0 {
		tempoH, tempoS = quantile(sorted(fastH), 0.5), quantile(sorted(fastS), 0.5)
	}
	hold, step := make([]float64, len(codes)), make([]float64, len(codes))
	prev := 0
	for i, c := range codes {
		hold[i] = h.holdOf(c) * tempoH * math.Exp(noise*0.2*rng.NormFloat64())
		step[i] = h.stepOf(prev, c) * tempoS * math.Exp(noise*h.sd*rng.NormFloat64())
		if o := pairs[[2]int{prev, c}]; len(o) > 0 && i > 0 {
			v := o[rng.IntN(len(o))]
			hold[i], step[i] = v.hold, v.step
		} else if o := holds[c]; len(o) > 0 {
			hold[i] = o[rng.IntN(len(o))]
		}
		prev = c
	}
	return typed(codes, hold, step)
}

// replay puts the timings of a recorded sequence under the keys asked for.
func replay(recorded []biopass.Event, codes []int, jitter float64, rng *rand.Rand) []biopass.Event {
	hold, step := make([]float64, len(codes)), make([]float64, len(codes))
	for i := range codes {
		e := recorded[i%len(recorded)]
		hold[i] = e.Release - e.Press + jitter*rng.NormFloat64()
		before := 0.0
		if k := i % len(recorded); k > 0 {
			before = e.Press - recorded[k-1].Press
		} else if len(recorded) > 1 {
			before = recorded[1].Press - recorded[0].Press
		}
		step[i] = before + jitter*rng.NormFloat64()
	}
	return typed(codes, hold, step)
}

// attack is one way in: victim, the text asked for, what the victim enrolled,
// what was recorded of later sign-ins.
type attack struct {
	name, what string
	make       func(h *habits, codes []int, enrolled, later [][]biopass.Event, rng *rand.Rand) []biopass.Event
}

func pick(s [][]biopass.Event, rng *rand.Rand) [][]biopass.Event {
	k := rng.IntN(len(s))
	return s[k : k+1]
}

var attacks = []attack{
	{"constant_bot", "bot with constant steps", func(_ *habits, c []int, _, _ [][]biopass.Event, r *rand.Rand) []biopass.Event {
		return constantBot(c, r)
	}},
	{"population_bot", "bot from population medians and noise", func(h *habits, c []int, _, _ [][]biopass.Event, r *rand.Rand) []biopass.Event {
		return h.populationBot(c, r)
	}},
	{"forgery_1", "forgery from 1 recorded sign-in", func(h *habits, c []int, _, l [][]biopass.Event, r *rand.Rand) []biopass.Event {
		return h.forge(pick(l, r), c, 0, r)
	}},
	{"forgery_1_noise", "the same, gaps filled with human scatter", func(h *habits, c []int, _, l [][]biopass.Event, r *rand.Rand) []biopass.Event {
		return h.forge(pick(l, r), c, 0.7, r)
	}},
	{"forgery_1_enrolled", "forgery from 1 sequence of the enrolment", func(h *habits, c []int, e, _ [][]biopass.Event, r *rand.Rand) []biopass.Event {
		return h.forge(pick(e, r), c, 0, r)
	}},
	{"forgery_5", "forgery from 5 recorded sign-ins", func(h *habits, c []int, _, l [][]biopass.Event, r *rand.Rand) []biopass.Event {
		k := rng5(l, r)
		return h.forge(k, c, 0, r)
	}},
	{"forgery_5_enrolled", "forgery from the whole enrolment", func(h *habits, c []int, e, _ [][]biopass.Event, r *rand.Rand) []biopass.Event {
		return h.forge(e, c, 0, r)
	}},
	{"replay", "replay of an enrolment sequence, same keys", func(_ *habits, _ []int, e, _ [][]biopass.Event, r *rand.Rand) []biopass.Event {
		return pick(e, r)[0]
	}},
	{"replay_jitter", "the same with jitter of 5 ms", func(_ *habits, _ []int, e, _ [][]biopass.Event, r *rand.Rand) []biopass.Event {
		s := pick(e, r)[0]
		return replay(s, codesOf(s), 5, r)
	}},
	{"replay_other_words", "its timings under the words asked for", func(_ *habits, c []int, e, _ [][]biopass.Event, r *rand.Rand) []biopass.Event {
		return replay(pick(e, r)[0], c, 0, r)
	}},
}

func rng5(s [][]biopass.Event, rng *rand.Rand) [][]biopass.Event {
	s = slices.Clone(s)
	rng.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
	return s[:min(5, len(s))]
}

// attackRow is how often an attack passes, in per cent.
type attackRow struct {
	// OneTry at the threshold with FAR 1% on this file.
	OneTry float64 `json:"one_try_at_far_1"`
	// Balanced is passing the balanced point within three tries.
	Balanced float64 `json:"balanced_three_tries"`
	// Refused is the share of sequences not scored at all.
	Refused float64 `json:"refused"`
}

// random gives the same numbers in every run.
func random(person int, stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(person), stream)) //nolint:gosec // repeatable, and no secret
}

// attackRounds of three tries are made on every person: fewer where there are
// many people, so that the whole takes minutes.
func attackRounds(people int) int { return min(max(1200/people, 1), 4) }

func (t *trial) attack(a attack, h *habits, threshold float64) attackRow {
	n := len(t.people)
	rows := make([]attackRow, n)
	point := t.model.Point(biopass.Balanced)
	parallel(n, func(v int) {
		rng := random(v, 11)
		enrolled := t.people[v].sequences[:biopass.EnrolPrints]
		later := t.people[v].sequences[biopass.EnrolPrints:]
		for range attackRounds(n) {
			var tries []biopass.Result
			passed := false
			for range 3 {
				other := t.people[(v+1+rng.IntN(n-1))%n].sequences
				text := codesOf(other[biopass.EnrolPrints+rng.IntN(len(other)-biopass.EnrolPrints)])
				p, err := t.model.Print(a.make(h, text, enrolled, later, rng))
				if err != nil {
					p = nil
					rows[v].Refused++
				}
				r := t.score(v, p)
				if r.Score > threshold {
					rows[v].OneTry++
				}
				tries = append(tries, r)
				passed = passed || point.Decide(tries...) == biopass.Match
			}
			if passed {
				rows[v].Balanced++
			}
		}
	})
	var sum attackRow
	for _, r := range rows {
		sum.OneTry += r.OneTry
		sum.Balanced += r.Balanced
		sum.Refused += r.Refused
	}
	rounds := float64(n * attackRounds(n))
	return attackRow{100 * sum.OneTry / (3 * rounds), 100 * sum.Balanced / rounds, 100 * sum.Refused / (3 * rounds)}
}
