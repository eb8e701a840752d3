package biopass

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"
)

func TestCheckRefuses(t *testing.T) {
	good := func() []Event { return newTypist(3).words(24) }
	even := func(step, hold float64) []Event {
		out := make([]Event, 24)
		for i := range out {
			at := 100 + step*float64(i)
			out[i] = Event{65 + i, at, at + hold}
		}
		return out
	}
	change := func(f func(e []Event)) []Event { e := good(); f(e); return e }
	for _, c := range []struct {
		name   string
		events []Event
		want   error
	}{
		{"nothing typed", nil, ErrTooShort},
		{"one word", good()[:6], ErrTooShort},
		{"a person", good(), nil},
		{"a person with keys nobody knows", change(func(e []Event) { e[3].Code, e[4].Code, e[5].Code = -9, 1<<40, 229 }), nil},
		{"a press that is not a number", change(func(e []Event) { e[2].Press = math.NaN() }), ErrTime},
		{"a release that is not a number", change(func(e []Event) { e[2].Release = math.NaN() }), ErrTime},
		{"a release at infinity", change(func(e []Event) { e[2].Release = math.Inf(1) }), ErrTooLong},
		{"a press at minus infinity", change(func(e []Event) { e[0].Press = math.Inf(-1) }), ErrTime},
		{"a release before its press", change(func(e []Event) { e[2].Release = e[2].Press - 1 }), ErrTime},
		{"a press before the last press", change(func(e []Event) { e[2].Press = e[1].Press - 1 }), ErrOrder},
		{"a nap in the middle", change(func(e []Event) {
			for i := 12; i < len(e); i++ {
				e[i].Press += 1e6
				e[i].Release += 1e6
			}
		}), ErrTooLong},
		{"steps all alike", even(120, 60), ErrFlat},
		{"everything at once", even(0, 0), ErrFlat},
		{"a thousand keys a second", even(1, 1), ErrFlat},
		{"a clock of 100 ms", change(func(e []Event) {
			for i := range e {
				e[i].Press = math.Round(e[i].Press/100) * 100
				e[i].Release = math.Round(e[i].Release/100) * 100
			}
		}), ErrCoarse},
	} {
		if err := Check(c.events); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestCodesOfKeys(t *testing.T) {
	for key, want := range map[string]int{
		"a": 65, "Z": 90, "7": 55, " ": 32, "Backspace": 8, "Shift": 16, ".": 190, "'": 222,
		"é": 0, "Process": 0, "": 0, "Unidentified": 0,
	} {
		if got := CodeOf(key); got != want {
			t.Errorf("CodeOf(%q) = %d, want %d", key, got, want)
		}
	}
}

// Whatever the events, making a print and scoring it neither panics nor gives
// a number outside its bounds.
func FuzzAnyTyping(f *testing.F) {
	m := Default()
	var p Profile
	typist := newTypist(5)
	for range EnrolPrints {
		_ = p.Enrol(mustPrint(f, m, typist.words(24)))
	}
	pack := func(events []Event) []byte {
		var b []byte
		for _, e := range events {
			b = binary.LittleEndian.AppendUint16(b, uint16(e.Code))
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(e.Press))
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(e.Release))
		}
		return b
	}
	f.Add(pack(typist.words(24)))
	f.Add(pack(typist.words(200)))
	odd := typist.words(30)
	odd[3].Press, odd[9].Release = math.NaN(), math.Inf(1)
	f.Add(pack(odd))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var events []Event
		for ; len(b) >= 18; b = b[18:] {
			events = append(events, Event{
				int(int16(binary.LittleEndian.Uint16(b))),
				math.Float64frombits(binary.LittleEndian.Uint64(b[2:])),
				math.Float64frombits(binary.LittleEndian.Uint64(b[10:])),
			})
		}
		_ = m.pop.features(events) // even what Check refuses
		q, err := m.Print(events)
		if err != nil {
			return
		}
		r, err := m.Score(&p, q)
		if err != nil || !(r.Score >= MinScore && r.Score <= MaxScore) || math.IsNaN(r.Live) {
			t.Fatalf("%+v, %v", r, err)
		}
	})
}

// Whatever the bytes, reading a profile neither panics nor gives one that
// cannot be written again.
func FuzzAnyProfile(f *testing.F) {
	var p Profile
	typist := newTypist(6)
	for range 2 {
		_ = p.Enrol(mustPrint(f, Default(), typist.words(20)))
	}
	good, _ := p.MarshalBinary()
	probe := mustPrint(f, Default(), typist.words(24))
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte{1, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		var q Profile
		if q.UnmarshalBinary(b) != nil {
			return
		}
		if _, err := q.MarshalBinary(); err != nil {
			t.Fatal(err)
		}
		if r, err := Default().Score(&q, probe); err == nil && !(r.Score >= MinScore && r.Score <= MaxScore) {
			t.Fatalf("score %v", r.Score)
		}
	})
}
