// Package biopass tells from the rhythm of a few typed words whether the
// same person typed them: it turns key events into a print, keeps a handful
// of prints as a profile, and scores a new print against it.
//
// The scorer knows nothing of pages, requests or storage. What calls it checks
// that the events spell what was asked and were typed in the time it took,
// then:
//
//	m := biopass.Default()
//	p, err := m.Print(events)          // refuses what cannot be scored
//	r, err := m.Score(profile, p)      // evidence, in nats
//	v := m.Point(biopass.Balanced).Decide(r)
//
// Scores are natural logarithms of a likelihood ratio: 0 says nothing, +1 is
// e times likelier the same typist than another, -1 the reverse. They are
// averaged over attempts (see Point.Decide) and never shown to a browser.
//
// What it is worth, measured on people the weights were not learnt from,
// stands in docs/biopass.md; `go run ./biopass/evaluate FILE` prints it
// again. Typing is a weak biometric: it is a second look after credentials,
// never the only guard.
package biopass
