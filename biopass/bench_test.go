package biopass

import "testing"

// One check: a print of the probe, scored against a profile of five.
func BenchmarkVerify(b *testing.B) {
	m := Default()
	typist := newTypist(1)
	var p Profile
	for range EnrolPrints {
		if err := p.Enrol(mustPrint(b, m, typist.words(24))); err != nil {
			b.Fatal(err)
		}
	}
	probe := typist.words(26)
	b.ReportAllocs()
	for b.Loop() {
		q, err := m.Print(probe)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := m.Score(&p, q); err != nil {
			b.Fatal(err)
		}
	}
}
