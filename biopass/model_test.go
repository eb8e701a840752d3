package biopass

import "testing"

// The shipped model says where it comes from and what its points promise.
func TestTheShippedModelIsWhole(t *testing.T) {
	m := Default()
	if m.Name == "" || m.Licence == "" || m.Measured == "" {
		t.Errorf("name %q, licence %q, measured %q", m.Name, m.Licence, m.Measured)
	}
	before := Point{}
	for i, name := range []string{Convenient, Balanced, Strict} {
		p, ok := m.Points[name]
		if !ok {
			t.Fatalf("no point %s", name)
		}
		for k, s := range p.Steps {
			if s.FAR <= 0 || s.FRR <= 0 || s.Threshold <= MinScore || s.Threshold >= MaxScore {
				t.Errorf("%s, %d sequences: %+v", name, k+1, s)
			}
			if i > 0 && (s.Threshold <= before.Steps[k].Threshold || s.FAR >= before.Steps[k].FAR) {
				t.Errorf("%s is not stricter than the point before", name)
			}
			if k > 0 && s.FRR >= p.Steps[k-1].FRR {
				t.Errorf("%s: %d sequences refuse more owners than %d", name, k+1, k)
			}
		}
		before = p
	}
	if m.Point("no such point") != m.Points[Balanced] {
		t.Error("an unknown point is not balanced")
	}
	for i, k := range m.ByKeys {
		if i > 0 && (k.Keys <= m.ByKeys[i-1].Keys || k.EER > m.ByKeys[i-1].EER+0.5) {
			t.Errorf("%d keys: EER %.2f after %.2f", k.Keys, k.EER, m.ByKeys[i-1].EER)
		}
	}
	if len(m.ByKeys) == 0 || m.spread(5) != m.ByKeys[0].SD || m.spread(1000) != m.ByKeys[len(m.ByKeys)-1].SD {
		t.Error("what fewer keys cost is not known")
	}
}
