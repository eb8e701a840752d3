package main

import (
	"math"
	"math/rand/v2"

	"github.com/cadenas-gateway/cadenas/biopass"
)

// disturbance changes what is typed after enrolment, by owners and impostors
// alike.
type disturbance struct {
	name, what string
	change     func(e []biopass.Event, rng *rand.Rand)
}

func rounded(ms float64) func([]biopass.Event, *rand.Rand) {
	return func(s []biopass.Event, _ *rand.Rand) {
		for i := range s {
			s[i].Press, s[i].Release = math.Round(s[i].Press/ms)*ms, math.Round(s[i].Release/ms)*ms
		}
	}
}

var disturbances = []disturbance{
	{"clock_16ms", "clock rounded to 16 ms", rounded(16)},
	{"clock_100ms", "clock rounded to 100 ms", rounded(100)},
	{"jitter_5ms", "jitter of 5 ms", func(s []biopass.Event, rng *rand.Rand) {
		for i := range s {
			e := &s[i]
			e.Press, e.Release = e.Press+5*rng.NormFloat64(), e.Release+5*rng.NormFloat64()
			if i > 0 {
				e.Press = max(e.Press, s[i-1].Press)
			}
			e.Release = max(e.Release, e.Press+1)
		}
	}},
	{"faster_20", "20% faster, holds 10% shorter", func(s []biopass.Event, _ *rand.Rand) {
		first := s[0].Press
		for i := range s {
			hold := 0.9 * (s[i].Release - s[i].Press)
			s[i].Press = first + (s[i].Press-first)/1.2
			s[i].Release = s[i].Press + hold
		}
	}},
}

// disturbRow is in per cent, on the sequences that were scored.
type disturbRow struct {
	EER float64 `json:"eer"`
	FRR float64 `json:"frr_at_far_1"`
	// ShippedFAR and ShippedFRR are at the balanced point, one sequence; the
	// refused count as refused.
	ShippedFAR float64 `json:"balanced_far"`
	ShippedFRR float64 `json:"balanced_frr"`
	// Refused is the share of sequences not scored at all.
	Refused float64 `json:"refused"`
}

// Others a profile meets in disturbances; all of them would take minutes.
const disturbOthers = 100

func (t *trial) disturb(d disturbance) disturbRow {
	n := len(t.people)
	u := &trial{model: t.model, people: t.people, profiles: t.profiles, probes: make([][]*biopass.Print, n)}
	parallel(n, func(i int) {
		rng := random(i, 13)
		var changed [][]biopass.Event
		for _, s := range t.people[i].sequences[biopass.EnrolPrints:] {
			c := append([]biopass.Event(nil), s...)
			d.change(c, rng)
			changed = append(changed, c)
		}
		u.probes[i] = prints(t.model, changed)
	})
	u.run(disturbOthers)
	var row disturbRow
	total := 0.0
	for _, ps := range u.probes {
		for _, p := range ps {
			total++
			if p == nil {
				row.Refused++
			}
		}
	}
	row.Refused *= 100 / total
	g, i := u.all()
	at := t.model.Point(biopass.Balanced).Steps[0].Threshold
	row.ShippedFAR, row.ShippedFRR = 100*(1-below(sorted(i), at)), 100*below(sorted(g), at)
	g, i = scored(g), scored(i)
	if len(g) > 0 && len(i) > 0 {
		row.EER = eer(g, i)
		row.FRR, _ = frrAt(g, i, 1)
	}
	return row
}

func scored(s []float64) []float64 {
	var out []float64
	for _, x := range s {
		if x > biopass.MinScore {
			out = append(out, x)
		}
	}
	return out
}
