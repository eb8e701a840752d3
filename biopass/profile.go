package biopass

import "slices"

// The bounds of a profile.
const (
	// EnrolPrints is how many prints enrolment takes; the operating points
	// were measured with that many.
	EnrolPrints = 5
	// MaxPrints bounds a profile; above it the oldest goes. On recorded
	// typing more references help up to about here.
	MaxPrints = 10
)

// Profile is a person's prints on one keyboard, oldest first. The zero value
// is empty and ready. It is not safe for concurrent use.
type Profile struct {
	prints []*Print
}

// Len is the number of prints.
func (p *Profile) Len() int { return len(p.prints) }

// Ready says whether enrolment is done.
func (p *Profile) Ready() bool { return len(p.prints) >= EnrolPrints }

// Enrol adds a reference print: in enrolment, or from a link an admin made.
// The caller vouches that it is the owner's. It refuses a print of another
// model with ErrOtherKind.
func (p *Profile) Enrol(print *Print) error {
	if len(p.prints) > 0 && p.prints[0].kind != print.kind {
		return ErrOtherKind
	}
	p.prints = append(p.prints, print)
	if n := len(p.prints) - MaxPrints; n > 0 {
		p.prints = slices.Delete(p.prints, 0, n)
	}
	return nil
}

// Grow lets the profile follow its owner: it takes the print of a sign-in if
// the match was strong, and tells whether it did. Strong is, against the
// profile as it is, the strict point's threshold for one sequence, and, so
// that nobody walks a profile away in small steps, the balanced one's against
// its older half alone; never a near-copy, never typing that looks made.
func (p *Profile) Grow(m *Model, print *Print) bool {
	if !p.Ready() || !m.strong(p, print, Strict) {
		return false
	}
	older := Profile{prints: p.prints[:(len(p.prints)+1)/2]}
	if !m.strong(&older, print, Balanced) {
		return false
	}
	return p.Enrol(print) == nil
}

func (m *Model) strong(p *Profile, print *Print, point string) bool {
	r, err := m.Score(p, print)
	t, ok := m.Points[point]
	return err == nil && ok && !r.NearCopy && r.Score >= t.Steps[0].Threshold
}

const profileVersion = 1

// MarshalBinary writes a profile; five prints take under 8 kB. The caller
// encrypts it.
func (p *Profile) MarshalBinary() ([]byte, error) {
	b := []byte{profileVersion, byte(len(p.prints))}
	for _, q := range p.prints {
		b = q.append(b)
	}
	return b, nil
}

// UnmarshalBinary reads what MarshalBinary wrote. Any other bytes are an
// error.
func (p *Profile) UnmarshalBinary(b []byte) error {
	r := &reader{b: b}
	version, n := r.u8(), r.u8()
	if r.bad || version != profileVersion || n > MaxPrints {
		return errPrint
	}
	prints := make([]*Print, 0, n)
	for range n {
		q, err := r.print()
		if err != nil {
			return err
		}
		if q.kind != prints0kind(prints, q) {
			return ErrOtherKind
		}
		prints = append(prints, q)
	}
	if len(r.b) != 0 {
		return errPrint
	}
	p.prints = prints
	return nil
}

func prints0kind(prints []*Print, q *Print) uint32 {
	if len(prints) == 0 {
		return q.kind
	}
	return prints[0].kind
}
