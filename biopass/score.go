package biopass

import (
	"errors"
	"math"
)

// ErrEmpty is scoring against a profile without prints.
var ErrEmpty = errors.New("profile has no print")

// The bounds of a score, so that no single attempt decides over several.
const (
	MinScore = -12.0
	MaxScore = 12.0
)

// grownGain is the most, in nats, that prints taken from sign-ins can add to
// what the enrolment alone says: whoever got some in gains no more by it.
const grownGain = 0.5

// Result is what one sequence says.
type Result struct {
	// Score is the evidence in nats that the same person typed, between
	// MinScore and MaxScore.
	Score float64
	// SD is how far one typist's scores spread around their mean at this
	// number of keys, in nats: a score within one SD of a threshold is
	// borderline, and one more sequence is better than a refusal.
	SD float64
	// Live is the log odds that a hand typed it rather than a program.
	Live float64
	// NearCopy says that the timings repeat those of a stored print, which
	// hands do not. Its score is MinScore.
	NearCopy bool
}

// fusion makes one score of what the parts say; learnt by logistic regression
// on people the parts were not learnt from.
type fusion struct {
	Bias float64   `json:"bias"`
	Net  []float64 `json:"net"`
	// Typing less live than LiveFrom loses LiveWeight nats for each below.
	LiveFrom   float64 `json:"live_from"`
	LiveWeight float64 `json:"live_weight"`
}

func (f *fusion) score(ratios []float64, live float64) float64 {
	s := f.Bias + f.LiveWeight*min(0, live-f.LiveFrom)
	for i, r := range ratios {
		s += f.Net[i] * r
	}
	return s
}

// Score compares a print with a profile. Errors are ErrEmpty and
// ErrOtherKind.
func (m *Model) Score(p *Profile, probe *Print) (Result, error) {
	all := p.all()
	ratios, err := m.ratios(all, probe)
	if err != nil {
		return Result{Score: MinScore}, err
	}
	score := m.fusion.score(ratios, probe.Live)
	if len(p.grown) > 0 && len(p.enrolled) > 0 {
		if ratios, err = m.ratios(p.enrolled, probe); err != nil {
			return Result{Score: MinScore}, err
		}
		score = min(score, m.fusion.score(ratios, probe.Live)+grownGain)
	}
	r := Result{
		Score: clamp(score, MinScore, MaxScore),
		SD:    m.spread(probe.Keys), Live: probe.Live,
		NearCopy: nearCopy(all, probe),
	}
	if r.NearCopy {
		r.Score = MinScore
	}
	return r, nil
}

// ratios gives each network's log likelihood ratio against some prints.
func (m *Model) ratios(prints []*Print, probe *Print) ([]float64, error) {
	if len(prints) == 0 {
		return nil, ErrEmpty
	}
	out := make([]float64, len(m.networks))
	for i, w := range m.networks {
		a, b := make([]float64, w.traits), make([]float64, w.traits)
		for _, q := range prints {
			if q.kind != m.kind || probe.kind != m.kind || len(q.traits) <= i || len(q.traits[i].a) != w.traits {
				return nil, ErrOtherKind
			}
			for d := range a {
				a[d] += float64(q.traits[i].a[d])
				b[d] += float64(q.traits[i].b[d])
			}
		}
		out[i] = ratio(a, b, probe.traits[i])
	}
	return out, nil
}

// ratio is the log likelihood ratio of "one typist" against "two" when traits
// are normal with variance 1 over people and each print sees them with its
// precisions a: for each trait, half of b²/(1+a) - log(1+a) of both together,
// less that of each alone. Logarithms are taken of a few factors at a time.
func ratio(a, b []float64, probe traits) float64 {
	sum, factors := 0.0, 1.0
	for d := range a {
		pa, pb := float64(probe.a[d]), float64(probe.b[d])
		one, two, both := 1+a[d], 1+pa, 1+a[d]+pa
		sum += (b[d]+pb)*(b[d]+pb)/both - b[d]*b[d]/one - pb*pb/two
		if factors *= one * two / both; d%8 == 7 {
			sum += math.Log(factors)
			factors = 1
		}
	}
	return 0.5 * (sum + math.Log(factors))
}

// spread looks the standard deviation of scores up by number of keys.
func (m *Model) spread(keys int) float64 {
	sd := 0.0
	for i, k := range m.ByKeys {
		if i == 0 || keys >= k.Keys {
			sd = k.SD
		}
	}
	return sd
}
