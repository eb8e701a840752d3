package main

import (
	"runtime"
	"slices"
	"sync"

	"github.com/cadenas-gateway/cadenas/biopass"
)

// Impostors of a person: the first probes of each of the others.
const impostorProbes = 3

// trial holds everybody's profile and the scores of their probes.
type trial struct {
	model    *biopass.Model
	people   []person
	profiles []*biopass.Profile
	probes   [][]*biopass.Print // nil where the sequence was refused
	refused  int                // sequences

	genuine  [][]float64          // by person, in order
	impostor [][]float64          // by profile, others in order
	pairs    [][][]biopass.Result // by profile, by other: the results
	own      [][]biopass.Result
}

// parallel runs f for 0 to n-1 on all cores.
func parallel(n int, f func(int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

func prints(m *biopass.Model, sequences [][]biopass.Event) []*biopass.Print {
	out := make([]*biopass.Print, len(sequences))
	for i, s := range sequences {
		if p, err := m.Print(s); err == nil {
			out[i] = p
		}
	}
	return out
}

// score of a sequence that was refused, or against a profile that could not
// be made, is the least there is.
func (t *trial) score(profile int, p *biopass.Print) biopass.Result {
	if p == nil {
		return biopass.Result{Score: biopass.MinScore}
	}
	r, err := t.model.Score(t.profiles[profile], p)
	if err != nil {
		return biopass.Result{Score: biopass.MinScore}
	}
	return r
}

func newTrial(m *biopass.Model, people []person) *trial {
	n := len(people)
	t := &trial{model: m, people: people, profiles: make([]*biopass.Profile, n), probes: make([][]*biopass.Print, n)}
	parallel(n, func(i int) {
		t.profiles[i] = &biopass.Profile{}
		for _, p := range prints(m, people[i].sequences[:biopass.EnrolPrints]) {
			if p != nil {
				_ = t.profiles[i].Enrol(p) // all are of one model
			}
		}
		t.probes[i] = prints(m, people[i].sequences[biopass.EnrolPrints:])
	})
	for i := range n {
		t.refused += biopass.EnrolPrints - t.profiles[i].Len()
		for _, p := range t.probes[i] {
			if p == nil {
				t.refused++
			}
		}
	}
	return t
}

// run scores everybody's probes against their own profile, and each profile
// against the first probes of the others, at most `others` of them, spread
// evenly; 0 is all.
func (t *trial) run(others int) *trial {
	n := len(t.people)
	t.genuine, t.impostor = make([][]float64, n), make([][]float64, n)
	t.pairs, t.own = make([][][]biopass.Result, n), make([][]biopass.Result, n)
	stride := 1
	if others > 0 && n > others {
		stride = (n + others - 1) / others
	}
	parallel(n, func(i int) {
		for _, p := range t.probes[i] {
			t.own[i] = append(t.own[i], t.score(i, p))
		}
		t.genuine[i] = scores(t.own[i])
		for j := 1; j < n; j += stride {
			other := t.probes[(i+j)%n]
			var rs []biopass.Result
			for _, p := range other[:min(impostorProbes, len(other))] {
				rs = append(rs, t.score(i, p))
			}
			t.pairs[i] = append(t.pairs[i], rs)
			t.impostor[i] = append(t.impostor[i], scores(rs)...)
		}
	})
	return t
}

func scores(rs []biopass.Result) []float64 {
	out := make([]float64, len(rs))
	for i, r := range rs {
		out[i] = r.Score
	}
	return out
}

// of joins each n scores by f: the genuine in consecutive groups, the
// impostors' first n.
func (t *trial) of(n int, f func([]float64) float64) (g, i []float64) {
	for _, s := range t.genuine {
		g = append(g, grouped(s, n, f)...)
	}
	for _, p := range t.pairs {
		for _, rs := range p {
			if len(rs) >= n {
				i = append(i, f(scores(rs[:n])))
			}
		}
	}
	return g, i
}

func (t *trial) all() (g, i []float64) {
	return slices.Concat(t.genuine...), slices.Concat(t.impostor...)
}
