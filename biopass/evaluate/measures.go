package main

import (
	"math"
	"slices"
	"sort"
)

// All measures are in per cent. g are genuine scores, i impostors'.

func sorted(x []float64) []float64 {
	s := slices.Clone(x)
	slices.Sort(s)
	return s
}

// below is the share of sorted s under t; atMost counts t too. Of nothing it
// is 0.
func below(s []float64, t float64) float64 {
	return float64(sort.SearchFloat64s(s, t)) / float64(max(len(s), 1))
}

func atMost(s []float64, t float64) float64 {
	return float64(sort.Search(len(s), func(i int) bool { return s[i] > t })) / float64(max(len(s), 1))
}

// quantile interpolates linearly; of nothing it is 0.
func quantile(s []float64, q float64) float64 {
	if len(s) == 0 {
		return 0
	}
	p := q * float64(len(s)-1)
	k := int(p)
	if k+1 >= len(s) {
		return s[len(s)-1]
	}
	return s[k] + (p-float64(k))*(s[k+1]-s[k])
}

// eer is the mean of the two error rates at the threshold where they are
// nearest.
func eer(g, i []float64) float64 {
	if len(g) == 0 || len(i) == 0 {
		return 0
	}
	g, i = sorted(g), sorted(i)
	best, at := math.Inf(1), 0.0
	for _, s := range [][]float64{g, i} {
		for _, t := range s {
			frr, far := atMost(g, t), 1-atMost(i, t)
			if d := math.Abs(frr - far); d < best {
				best, at = d, (frr+far)/2
			}
		}
	}
	return 100 * at
}

// userEER is one person's, interpolated between their few scores.
func userEER(g, i []float64) float64 {
	g, i = sorted(g), sorted(i)
	ts := sorted(append(slices.Clone(g), i...))
	ts = append(slices.Compact(ts), math.Inf(1))
	prevFRR, prevD := 0.0, 0.0
	for k, t := range ts {
		frr, far := below(g, t), 1-below(i, t)
		d := frr - far
		if d >= 0 {
			if k == 0 {
				return 50 * (frr + far)
			}
			w := 1.0
			if d != prevD {
				w = -prevD / (d - prevD)
			}
			return 100 * (prevFRR + w*(frr-prevFRR))
		}
		prevFRR, prevD = frr, d
	}
	return 0
}

// frrAt is the share of owners refused at the threshold that lets through far
// per cent of the impostors, and that threshold.
func frrAt(g, i []float64, far float64) (float64, float64) {
	t := quantile(sorted(i), 1-far/100)
	return 100 * atMost(sorted(g), t), t
}

// farAt is the share of impostors let through where frr per cent of the
// owners are refused.
func farAt(g, i []float64, frr float64) float64 {
	t := quantile(sorted(g), frr/100)
	return 100 * (1 - below(sorted(i), t))
}

// grouped joins each n consecutive scores by f; leftovers are dropped.
func grouped(s []float64, n int, f func([]float64) float64) []float64 {
	var out []float64
	for j := 0; j+n <= len(s); j += n {
		out = append(out, f(s[j:j+n]))
	}
	return out
}

func mean(s []float64) float64 {
	sum := 0.0
	for _, x := range s {
		sum += x
	}
	return sum / float64(max(len(s), 1))
}
