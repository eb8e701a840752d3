package biopass

import (
	"encoding/binary"
	"errors"
	"math"
)

// Print is what is kept of one typed sequence: what each network saw of the
// typist, as sums over the keys, and the bare rhythm without keys, by which
// near-copies are known. Neither what was typed nor any key can be read from
// it; who holds it and the model can tell whether other typing is alike, so it
// is personal data and is stored encrypted.
type Print struct {
	// Keys is how many key events were looked at.
	Keys int
	// Live is the log odds that a hand typed it rather than a program. It is
	// not stored.
	Live float64

	kind   uint32
	traits []traits
	rhythm []step
}

// step is one key of a rhythm: its hold and the time since the previous
// press, in ms, up to 65 s.
type step struct{ hold, since uint16 }

// Print makes a print of a sequence, or says why it cannot be scored (see
// Check). It takes about a millisecond.
func (m *Model) Print(events []Event) (*Print, error) {
	if err := Check(events); err != nil {
		return nil, err
	}
	f := m.pop.features(events)
	p := &Print{Keys: f.n, kind: m.kind, traits: make([]traits, len(m.networks)), rhythm: make([]step, f.n)}
	s := m.scratch.Get().(*scratch)
	defer m.scratch.Put(s)
	for i, w := range m.networks {
		t, live := w.run(f, s)
		p.traits[i] = t
		p.Live += live / float64(len(m.networks))
	}
	for i, e := range events[:f.n] {
		p.rhythm[i].hold = uint16(clamp(math.Round(e.Release-e.Press), 0, math.MaxUint16))
		if i > 0 {
			p.rhythm[i].since = uint16(clamp(math.Round(e.Press-events[i-1].Press), 0, math.MaxUint16))
		}
	}
	return p, nil
}

const printVersion = 1

var errPrint = errors.New("reading print: damaged")

// append writes a print: version, keys, kind, rhythm, then for each network
// the number of traits, precisions and evidence in half precision.
func (p *Print) append(b []byte) []byte {
	b = append(b, printVersion, byte(len(p.rhythm))) //nolint:gosec // MaxKeys at most
	b = binary.LittleEndian.AppendUint32(b, p.kind)
	for _, s := range p.rhythm {
		b = binary.LittleEndian.AppendUint16(b, s.hold)
		b = binary.LittleEndian.AppendUint16(b, s.since)
	}
	b = append(b, byte(len(p.traits))) //nolint:gosec // a model has 16 networks at most
	for _, t := range p.traits {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(t.a))) //nolint:gosec // maxLayer at most
		for _, v := range [2][]float32{t.a, t.b} {
			for _, x := range v {
				b = binary.LittleEndian.AppendUint16(b, toHalf(x))
			}
		}
	}
	return b
}

// reader takes little-endian numbers off a slice and remembers a shortage.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || len(r.b) < n {
		r.bad = true
		return make([]byte, max(0, min(n, 1<<16)))
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) u8() int     { return int(r.take(1)[0]) }
func (r *reader) u16() uint16 { return binary.LittleEndian.Uint16(r.take(2)) }

func (r *reader) print() (*Print, error) {
	if r.u8() != printVersion {
		return nil, errPrint
	}
	p := &Print{Keys: r.u8()}
	p.kind = binary.LittleEndian.Uint32(r.take(4))
	if r.bad || p.Keys > MaxKeys {
		return nil, errPrint
	}
	p.rhythm = make([]step, p.Keys)
	for i := range p.rhythm {
		p.rhythm[i] = step{r.u16(), r.u16()}
	}
	for range r.u8() {
		n := int(r.u16())
		if r.bad || n > maxLayer {
			return nil, errPrint
		}
		t := traits{make([]float32, n), make([]float32, n)}
		for _, v := range [2][]float32{t.a, t.b} {
			for i := range v {
				v[i] = fromHalf(r.u16())
				if math.IsNaN(float64(v[i])) || math.IsInf(float64(v[i]), 0) {
					return nil, errPrint
				}
			}
		}
		for _, a := range t.a {
			if a < 0 {
				return nil, errPrint
			}
		}
		p.traits = append(p.traits, t)
	}
	if r.bad {
		return nil, errPrint
	}
	return p, nil
}
