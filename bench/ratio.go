package main

import (
	"errors"
	"fmt"
	"slices"
)

var errNothing = errors.New("unexpected answer")

// ratio is the median of some ratios, with the least and the greatest.
type ratio struct{ median, least, most float64 }

func (r ratio) String() string { return fmt.Sprintf("%.3f (%.2f-%.2f)", r.median, r.least, r.most) }

// ratios are those of the first of each pair to the second.
func ratios(over, under []sample, of func(sample) float64) ratio {
	var all []float64
	for i := range over {
		if d := of(under[i]); d > 0 {
			all = append(all, of(over[i])/d)
		}
	}
	if len(all) == 0 {
		return ratio{}
	}
	slices.Sort(all)
	return ratio{median(all), all[0], all[len(all)-1]}
}

// median is that of sorted numbers.
func median(sorted []float64) float64 {
	n := len(sorted)
	if n == 0 {
		return 0
	}
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// between are the means of each two neighbours of a list: what would have been
// measured between them on a machine whose speed changes slowly.
func between(list []sample) []sample {
	var means []sample
	for i := range len(list) - 1 {
		a, b := list[i], list[i+1]
		means = append(means, sample{(a.requests + b.requests) / 2, (a.cpu + b.cpu) / 2, (a.p50 + b.p50) / 2, (a.p99 + b.p99) / 2, (a.rss + b.rss) / 2})
	}
	return means
}

// noise are the ratios of bare runs to what lies between the two around them.
func noise(bares []sample, of func(sample) float64) ratio {
	var around []sample
	for i := range len(bares) - 2 {
		around = append(around, between([]sample{bares[i], bares[i+2]})...)
	}
	return ratios(bares[1:max(1, len(bares)-1)], around, of)
}

func middle(list []sample, of func(sample) float64) float64 {
	var all []float64
	for _, s := range list {
		all = append(all, of(s))
	}
	slices.Sort(all)
	return median(all)
}

// quiet reports whether bare against bare is near enough to one for anything
// else to be told from it.
func quiet(noise ratio) bool { return noise.median >= 0.97 && noise.median <= 1.03 }

// print writes one line of the table; a bar that was not met is marked. There is
// one bare run more than of the gate: one before and one after each.
func print(r row, bares, gates []sample) {
	requests := func(s sample) float64 { return s.requests }
	cpu := func(s sample) float64 { return s.cpu }
	cell := func(of func(sample) float64, least, most float64) string {
		got := ratios(gates, between(bares), of)
		text := got.String()
		if least > 0 {
			text += fmt.Sprintf(" bar %.2f", least)
			if got.median < least {
				text += " **missed**"
			}
		}
		if most > 0 {
			text += fmt.Sprintf(" bar %.2f", most)
			if got.median > most {
				text += " **missed**"
			}
		}
		return text
	}
	around, loud := noise(bares, requests), ""
	if !quiet(around) {
		loud = " **not quiet**"
	}
	fmt.Printf("| %s | %s | %s | %s | %s | %.0f, %.0f µs | %s%s, %s | %.0f MiB |\n", r.name,
		cell(requests, r.requests, 0), cell(cpu, 0, r.cpu),
		cell(func(s sample) float64 { return s.p50 }, 0, r.p50), cell(func(s sample) float64 { return s.p99 }, 0, r.p99),
		middle(bares, requests), middle(bares, cpu),
		around, loud, noise(bares, cpu),
		gates[len(gates)-1].rss-bares[len(bares)-1].rss)
}
