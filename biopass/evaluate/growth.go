package main

import "github.com/cadenas-gateway/cadenas/biopass"

// growthRow compares profiles as enrolled with the same after a few sign-ins
// each, on the probes after those; per cent, one sequence.
type growthRow struct {
	// Taken is how many prints a profile took in, of growthProbes offered.
	Taken       float64 `json:"prints_taken"`
	EnrolledEER float64 `json:"eer_enrolled"`
	GrownEER    float64 `json:"eer_grown"`
	EnrolledFRR float64 `json:"balanced_frr_enrolled"`
	GrownFRR    float64 `json:"balanced_frr_grown"`
	EnrolledFAR float64 `json:"balanced_far_enrolled"`
	GrownFAR    float64 `json:"balanced_far_grown"`
}

// growthProbes are the sign-ins a profile may grow by before it is measured.
const growthProbes = 5

// growth must come after everything else: the profiles keep what they took.
func (t *trial) growth() growthRow {
	n := len(t.people)
	after := &trial{model: t.model, people: t.people, profiles: t.profiles, probes: make([][]*biopass.Print, n)}
	for i, ps := range t.probes {
		after.probes[i] = ps[min(growthProbes, len(ps)):]
	}
	at := t.model.Point(biopass.Balanced).Steps[0].Threshold
	measure := func() (e, frr, far float64) {
		after.run(disturbOthers)
		g, i := after.all()
		if len(g) == 0 || len(i) == 0 {
			return 0, 0, 0
		}
		return eer(g, i), 100 * below(sorted(g), at), 100 * (1 - below(sorted(i), at))
	}
	var row growthRow
	row.EnrolledEER, row.EnrolledFRR, row.EnrolledFAR = measure()
	taken := make([]int, n)
	parallel(n, func(i int) {
		for _, p := range t.probes[i][:min(growthProbes, len(t.probes[i]))] {
			if p != nil && t.profiles[i].Grow(t.model, p) {
				taken[i]++
			}
		}
	})
	for _, k := range taken {
		row.Taken += float64(k) / float64(n)
	}
	row.GrownEER, row.GrownFRR, row.GrownFAR = measure()
	return row
}
