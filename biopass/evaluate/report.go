package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"

	"github.com/cadenas-gateway/cadenas/biopass"
)

// report is everything measured; shares are in per cent.
type report struct {
	Model    string `json:"model"`
	People   int    `json:"people"`
	Genuine  int    `json:"genuine"`
	Impostor int    `json:"impostor"`
	// Refused sequences could not be scored; they count as scored least.
	Refused int `json:"refused_sequences"`

	EER       float64 `json:"eer"`
	EERUser   float64 `json:"eer_user_mean"`
	FRRFAR1   float64 `json:"frr_at_far_1"`
	FARFRR5   float64 `json:"far_at_frr_5"`
	EER2      float64 `json:"eer_2_sequences"`
	FRRFAR1x2 float64 `json:"frr_at_far_1_2_sequences"`
	EER3      float64 `json:"eer_3_attempts"`

	Thresholds   map[string]pointRow   `json:"thresholds"`
	Attacks      map[string]attackRow  `json:"attacks"`
	Disturbances map[string]disturbRow `json:"disturbances"`
	Growth       growthRow             `json:"growth"`
}

// pointRow is an operating point as shipped and as measured here.
type pointRow struct {
	Steps []stepRow `json:"sequences"`
	// Tries is a sign-in of up to three tries whose scores accumulate.
	TriesFAR float64 `json:"three_tries_far"`
	TriesFRR float64 `json:"three_tries_frr"`
}

type stepRow struct {
	Sequences   int     `json:"n"`
	Threshold   float64 `json:"threshold"`
	PromisedFAR float64 `json:"promised_far"`
	FAR         float64 `json:"far"`
	PromisedFRR float64 `json:"promised_frr"`
	FRR         float64 `json:"frr"`
}

func evaluate(m *biopass.Model, people []person) *report {
	t := newTrial(m, people).run(0)
	r := &report{
		Model: m.Name, People: len(people), Refused: t.refused,
		Thresholds: map[string]pointRow{}, Attacks: map[string]attackRow{}, Disturbances: map[string]disturbRow{},
	}
	g, i := t.all()
	r.Genuine, r.Impostor = len(g), len(i)
	r.EER = eer(g, i)
	var threshold float64
	r.FRRFAR1, threshold = frrAt(g, i, 1)
	r.FARFRR5 = farAt(g, i, 5)
	users := make([]float64, len(people))
	parallel(len(people), func(u int) { users[u] = userEER(t.genuine[u], t.impostor[u]) })
	r.EERUser = mean(users)
	g2, i2 := t.of(2, mean)
	r.EER2 = eer(g2, i2)
	r.FRRFAR1x2, _ = frrAt(g2, i2, 1)
	r.EER3 = eer(t.of(3, slices.Max[[]float64]))
	for name, p := range m.Points {
		r.Thresholds[name] = t.point(p)
	}
	h := learnHabits(people)
	for _, a := range attacks {
		r.Attacks[a.name] = t.attack(a, h, threshold)
	}
	for _, d := range disturbances {
		r.Disturbances[d.name] = t.disturb(d)
	}
	r.Growth = t.growth()
	return r
}

func (t *trial) point(p biopass.Point) pointRow {
	var row pointRow
	for k, s := range p.Steps {
		g, i := t.of(k+1, mean)
		row.Steps = append(row.Steps, stepRow{
			k + 1, s.Threshold, s.FAR, 100 * (1 - below(sorted(i), s.Threshold)), s.FRR, 100 * below(sorted(g), s.Threshold),
		})
	}
	passes := func(rs []biopass.Result) bool {
		for k := range rs {
			if p.Decide(rs[:k+1]...) == biopass.Match {
				return true
			}
		}
		return false
	}
	var in, out share
	for _, pairs := range t.pairs {
		for _, rs := range pairs {
			in.add(passes(rs))
		}
	}
	for _, rs := range t.own {
		for j := 0; j+3 <= len(rs); j += 3 {
			out.add(!passes(rs[j : j+3]))
		}
	}
	row.TriesFAR, row.TriesFRR = in.percent(), out.percent()
	return row
}

type share struct{ hit, all int }

func (s *share) add(hit bool) {
	s.all++
	if hit {
		s.hit++
	}
}

func (s share) percent() float64 { return 100 * float64(s.hit) / math.Max(1, float64(s.all)) }

func (r *report) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	p := func(format string, a ...any) { _, _ = fmt.Fprintf(w, format+"\n", a...) }
	p("model %s: %d people, %d genuine and %d impostor scores, %d sequences refused; per cent", r.Model, r.People, r.Genuine, r.Impostor, r.Refused)
	p("")
	p("EER, one sequence\t%.2f", r.EER)
	p("mean per-user EER\t%.2f", r.EERUser)
	p("FRR at FAR 1%%\t%.1f", r.FRRFAR1)
	p("FAR at FRR 5%%\t%.2f", r.FARFRR5)
	p("EER, two sequences\t%.2f", r.EER2)
	p("FRR at FAR 1%%, two sequences\t%.1f", r.FRRFAR1x2)
	p("EER, best of three attempts\t%.2f", r.EER3)
	p("")
	p("point\tsequences\tthreshold\tFAR promised\tmeasured\tFRR promised\tmeasured")
	for _, name := range []string{biopass.Convenient, biopass.Balanced, biopass.Strict} {
		row := r.Thresholds[name]
		for _, s := range row.Steps {
			p("%s\t%d\t%.2f\t%.2f\t%.2f\t%.1f\t%.1f", name, s.Sequences, s.Threshold, s.PromisedFAR, s.FAR, s.PromisedFRR, s.FRR)
		}
		p("%s\tup to 3 tries\t\t\t%.2f\t\t%.1f", name, row.TriesFAR, row.TriesFRR)
	}
	p("")
	p("attack\tone try at FAR 1%%\tbalanced, three tries\trefused unscored")
	for _, a := range attacks {
		row := r.Attacks[a.name]
		p("%s\t%.1f\t%.1f\t%.1f", a.what, row.OneTry, row.Balanced, row.Refused)
	}
	p("")
	p("probe changed\tEER\tFRR at FAR 1%%\tbalanced: FAR\tFRR\trefused unscored")
	for _, d := range disturbances {
		row := r.Disturbances[d.name]
		p("%s\t%.2f\t%.1f\t%.2f\t%.1f\t%.1f", d.what, row.EER, row.FRR, row.ShippedFAR, row.ShippedFRR, row.Refused)
	}
	p("")
	p("after %d sign-ins\tEER\tbalanced: FRR\tFAR", growthProbes)
	p("profile as enrolled\t%.2f\t%.1f\t%.2f", r.Growth.EnrolledEER, r.Growth.EnrolledFRR, r.Growth.EnrolledFAR)
	p("grown by %.1f prints\t%.2f\t%.1f\t%.2f", r.Growth.Taken, r.Growth.GrownEER, r.Growth.GrownFRR, r.Growth.GrownFAR)
	return w.Flush()
}
