package biopass

// The names of the operating points.
const (
	Convenient = "convenient"
	Balanced   = "balanced"
	Strict     = "strict"
)

// Point is an operating point. Its thresholds and the error rates written
// beside them belong to the weights they were measured with, so they come with
// the model.
type Point struct {
	// Steps are the thresholds for the mean score of one, two and three
	// sequences.
	Steps [3]Step `json:"steps"`
}

// Step is a threshold and the error rates it was chosen at.
type Step struct {
	// Threshold in nats, for the mean of that many scores.
	Threshold float64 `json:"threshold"`
	// FAR is the share, in per cent, of other people who would pass: other
	// people typing as themselves, not imitating.
	FAR float64 `json:"far"`
	// FRR is the share, in per cent, of owners who would not.
	FRR float64 `json:"frr"`
}

// Point gives an operating point by name; Balanced where the model has none
// of that name.
func (m *Model) Point(name string) Point {
	if p, ok := m.Points[name]; ok {
		return p
	}
	return m.Points[Balanced]
}

// Verdict is what an operating point says of the attempts so far.
type Verdict int

// The verdicts. Unsure is no match, close enough that one more sequence is
// worth asking for.
const (
	NoMatch Verdict = iota
	Unsure
	Match
)

// Decide judges attempts in order, the latest last: the mean score of the
// latest three at most against the threshold for that many. A mean below by
// no more than its own uncertainty (SD over the count) is Unsure.
// A near-copy or an attempt that could not be scored is never a match,
// whatever came before.
func (p Point) Decide(attempts ...Result) Verdict {
	if len(attempts) == 0 {
		return NoMatch
	}
	last := attempts[max(0, len(attempts)-len(p.Steps)):]
	if final := last[len(last)-1]; final.NearCopy || final.Score <= MinScore {
		return NoMatch
	}
	var sum, sd float64
	for _, r := range last {
		sum += r.Score
		sd = max(sd, r.SD)
	}
	n := float64(len(last))
	switch t := p.Steps[len(last)-1].Threshold; {
	case sum/n >= t:
		return Match
	case sum/n >= t-sd/n:
		return Unsure
	}
	return NoMatch
}
