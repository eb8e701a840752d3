package biopass

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// parityCase is one synthetic profile of testdata/parity.json, with what the
// trainer says of two more sequences.
type parityCase struct {
	Enrol  [][][3]float64 `json:"enrol"`
	Probes []struct {
		Events [][3]float64 `json:"events"`
		Ratios []float64    `json:"ratios"`
		Live   float64      `json:"live"`
		Score  float64      `json:"score"`
	} `json:"probes"`
}

func eventsOf(rows [][3]float64) []Event {
	out := make([]Event, len(rows))
	for i, r := range rows {
		out[i] = Event{Code: int(r[0]), Press: r[1], Release: r[2]}
	}
	return out
}

func mustPrint(t testing.TB, m *Model, events []Event) *Print {
	t.Helper()
	p, err := m.Print(events)
	if err != nil {
		t.Fatalf("print: %v", err)
	}
	return p
}

// The Go scorer and the trainer say the same of the same typing.
func TestScoresEqualTheTrainers(t *testing.T) {
	raw, err := os.ReadFile("testdata/parity.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []parityCase `json:"cases"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 10 {
		t.Fatalf("%d cases, want 10 or more", len(file.Cases))
	}
	m := Default()
	worst := 0.0
	for i, c := range file.Cases {
		var p Profile
		for _, e := range c.Enrol {
			if err := p.Enrol(mustPrint(t, m, eventsOf(e))); err != nil {
				t.Fatal(err)
			}
		}
		for _, probe := range c.Probes {
			q := mustPrint(t, m, eventsOf(probe.Events))
			ratios, err := m.ratios(p.all(), q)
			if err != nil {
				t.Fatal(err)
			}
			near := func(what string, got, want float64) {
				d := math.Abs(got - want)
				worst = max(worst, d)
				if d > 1e-4 {
					t.Errorf("case %d: %s is %.6f, the trainer says %.6f", i, what, got, want)
				}
			}
			for k := range ratios {
				near("ratio", ratios[k], probe.Ratios[k])
			}
			near("liveness", q.Live, probe.Live)
			near("score", m.fusion.score(ratios, q.Live), probe.Score)
		}
	}
	t.Logf("largest difference %.1e", worst)
}
