package biopass

import "slices"

// The bounds of a profile.
const (
	// EnrolPrints is how many prints enrolment takes; the operating points
	// were measured with that many.
	EnrolPrints = 5
	// MaxEnrolled bounds the prints somebody vouched for.
	MaxEnrolled = 10
	// MaxGrown bounds the prints taken from sign-ins.
	MaxGrown = 5
)

// Profile is a person's prints on one keyboard. The zero value is empty and
// ready. It is not safe for concurrent use.
//
// Prints of enrolment and prints of later sign-ins are kept apart, each
// bounded with the oldest out, so that the second kind never replaces the
// first: see Grow.
type Profile struct {
	enrolled, grown []*Print
}

// Len is the number of prints.
func (p *Profile) Len() int { return len(p.enrolled) + len(p.grown) }

// Ready says whether enrolment is done.
func (p *Profile) Ready() bool { return len(p.enrolled) >= EnrolPrints }

// Enrol adds a reference print: in enrolment, or from a link an admin made.
// The caller vouches that it is the owner's. It refuses a print of another
// model with ErrOtherKind.
func (p *Profile) Enrol(print *Print) error {
	if !p.alike(print) {
		return ErrOtherKind
	}
	p.enrolled = bounded(append(p.enrolled, print), MaxEnrolled)
	return nil
}

// Grow lets the profile follow its owner: it takes the print of a sign-in if
// the match was strong, and tells whether it did. Strong is the strict
// point's threshold for one sequence, both against the profile as it is and
// against the enrolment alone, and never a near-copy. Whatever was taken in
// before, then, nothing is that the enrolment itself would not strictly
// match: an impostor's chance stays the strict FAR at every try, and nobody
// walks a profile away in small steps. Who changed more than that enrols
// again.
func (p *Profile) Grow(m *Model, print *Print) bool {
	if !p.Ready() || !m.strong(p, print) || !m.strong(&Profile{enrolled: p.enrolled}, print) {
		return false
	}
	p.grown = bounded(append(p.grown, print), MaxGrown)
	return true
}

func (m *Model) strong(p *Profile, print *Print) bool {
	r, err := m.Score(p, print)
	t, ok := m.Points[Strict]
	return err == nil && ok && !r.NearCopy && r.Score >= t.Steps[0].Threshold
}

// bounded drops the oldest.
func bounded(prints []*Print, most int) []*Print {
	return slices.Delete(prints, 0, max(0, len(prints)-most))
}

// all gives every print.
func (p *Profile) all() []*Print { return slices.Concat(p.enrolled, p.grown) }

// alike says whether a print is of the model the others are of.
func (p *Profile) alike(print *Print) bool {
	all := p.all()
	return len(all) == 0 || all[0].kind == print.kind
}

const profileVersion = 1

// MarshalBinary writes a profile; five prints take under 8 kB. The caller
// encrypts it.
func (p *Profile) MarshalBinary() ([]byte, error) {
	b := []byte{profileVersion, byte(len(p.enrolled)), byte(len(p.grown))} //nolint:gosec // both are bounded
	for _, q := range p.all() {
		b = q.append(b)
	}
	return b, nil
}

// UnmarshalBinary reads what MarshalBinary wrote. Any other bytes are an
// error, and leave the profile as it was.
func (p *Profile) UnmarshalBinary(b []byte) error {
	r := &reader{b: b}
	version, enrolled, grown := r.u8(), r.u8(), r.u8()
	if r.bad || version != profileVersion || enrolled > MaxEnrolled || grown > MaxGrown {
		return errPrint
	}
	var read Profile
	for i := range enrolled + grown {
		q, err := r.print()
		if err != nil {
			return err
		}
		if !read.alike(q) {
			return ErrOtherKind
		}
		if i < enrolled {
			read.enrolled = append(read.enrolled, q)
		} else {
			read.grown = append(read.grown, q)
		}
	}
	if len(r.b) != 0 {
		return errPrint
	}
	*p = read
	return nil
}
