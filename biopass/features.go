package biopass

import "math"

const (
	channels = 10 // features a key, after the key itself
	globals  = 9  // features a sequence
)

// population is how everybody types: mean and spread of the four latencies
// (hold, press to press, release to press, release to release) on the scales
// of latencies, indexed by previous class * keyClasses + class.
type population struct {
	mean, std [4][]float32
}

// features are a sequence as the networks see it. Same computation, in the
// same order, as train/features.py; the parity test holds them together.
type features struct {
	n     int
	class []int     // n key classes
	x     []float32 // n * channels
	g     [globals]float32
	lat   [][4]float64 // deviations from the population, clipped to ±4
}

func clamp(x, lo, hi float64) float64 {
	if !(x > lo) { // NaN too
		return lo
	}
	if x > hi {
		return hi
	}
	return x
}

func indicator(b bool) float32 {
	if b {
		return 1
	}
	return 0
}

func (p *population) features(events []Event) *features {
	n := min(len(events), MaxKeys)
	f := &features{n: n, class: make([]int, n), x: make([]float32, n*channels), lat: make([][4]float64, n)}
	prev := 0
	for i, e := range events[:n] {
		c := keyClass(e.Code)
		f.class[i] = c
		before := e
		if i > 0 {
			before = events[i-1]
		}
		raw := [4]float64{
			math.Log(clamp(e.Release-e.Press, 10, 1000)),
			math.Log(clamp(e.Press-before.Press, 8, 2500)),
			math.Asinh(clamp(e.Press-before.Release, -400, 2500) / 60),
			math.Asinh(clamp(e.Release-before.Release, -400, 2500) / 60),
		}
		id := prev*keyClasses + c
		x := f.x[i*channels : (i+1)*channels]
		for j := range raw {
			if i == 0 && j > 0 {
				break // the first key follows nothing
			}
			z := clamp((raw[j]-float64(p.mean[j][id]))/float64(p.std[j][id]), -4, 4)
			f.lat[i][j] = z
			x[j] = float32(z)
		}
		x[4] = float32((raw[0] - 4.5) / 0.4)
		if i == 0 {
			x[8] = 1
		} else {
			x[5] = float32((raw[1] - 5.2) / 0.6)
			x[6] = indicator(raw[2] < 0)
			x[7] = indicator(raw[3] < 0)
			x[9] = float32(clamp(raw[2]/2, -2, 2))
		}
		prev = c
	}
	f.summarise()
	return f
}

// summarise fills the features of the whole sequence: mean and spread of each
// latency's deviations, and its length.
func (f *features) summarise() {
	for j := range 4 {
		from := min(j, 1)
		c := max(float64(f.n-from), 1)
		var m, v float64
		for i := from; i < f.n; i++ {
			m += f.lat[i][j]
		}
		m /= c
		for i := from; i < f.n; i++ {
			d := f.lat[i][j] - m
			v += d * d
		}
		f.g[j], f.g[4+j] = float32(m), float32(math.Sqrt(v/c))
	}
	f.g[8] = float32(float64(f.n)/25 - 1)
}
