package biopass

import (
	"bytes"
	"errors"
	"math"
	"testing"
)

func enrolled(t testing.TB, typist *typist) *Profile {
	t.Helper()
	p := &Profile{}
	for range EnrolPrints {
		if err := p.Enrol(mustPrint(t, Default(), typist.words(24))); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func scoreOf(t testing.TB, p *Profile, events []Event) Result {
	t.Helper()
	r, err := Default().Score(p, mustPrint(t, Default(), events))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFivePrintsTakeLessThan8kB(t *testing.T) {
	typist := newTypist(10)
	var p Profile
	for range EnrolPrints {
		_ = p.Enrol(mustPrint(t, Default(), typist.words(MaxKeys)))
	}
	b, err := p.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes", len(b))
	if len(b) >= 8000 {
		t.Errorf("a profile of five prints takes %d bytes", len(b))
	}
}

func TestAStoredProfileScoresAsBefore(t *testing.T) {
	typist := newTypist(11)
	p := enrolled(t, typist)
	b, err := p.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var q Profile
	if err := q.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		probe := typist.words(24)
		if x, y := scoreOf(t, p, probe).Score, scoreOf(t, &q, probe).Score; math.Abs(x-y) > 0.03 {
			t.Errorf("%.4f before, %.4f after", x, y)
		}
	}
	for n := range b {
		if (&Profile{}).UnmarshalBinary(b[:n]) == nil {
			t.Fatalf("a profile cut to %d bytes was read", n)
		}
	}
}

func TestPrintsOfAnotherModelAreRefused(t *testing.T) {
	typist := newTypist(12)
	p := enrolled(t, typist)
	other := mustPrint(t, Default(), typist.words(24))
	other.kind++
	if err := p.Enrol(other); !errors.Is(err, ErrOtherKind) {
		t.Errorf("Enrol: %v", err)
	}
	if _, err := Default().Score(p, other); !errors.Is(err, ErrOtherKind) {
		t.Errorf("Score: %v", err)
	}
	if _, err := Default().Score(&Profile{}, other); !errors.Is(err, ErrEmpty) {
		t.Errorf("Score: %v", err)
	}
}

func TestADamagedModelIsRefused(t *testing.T) {
	if _, err := LoadModel(bytes.NewReader(shipped)); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 3, 9, 40, len(shipped) / 2, len(shipped) - 1} {
		if _, err := LoadModel(bytes.NewReader(shipped[:n])); err == nil {
			t.Errorf("a model cut to %d bytes was read", n)
		}
	}
	bad := bytes.Clone(shipped)
	bad[len(bad)-1], bad[len(bad)-2] = 0x7c, 0x00
	if _, err := LoadModel(bytes.NewReader(bad)); err == nil {
		t.Error("a model with an infinite weight was read")
	}
}

// A replayed or slightly shaken sequence is known; the owner is not accused.
func TestNearCopiesAreKnown(t *testing.T) {
	for seed := uint64(20); seed < 40; seed++ {
		typist := newTypist(seed)
		var p Profile
		var stored []Event
		for range EnrolPrints {
			stored = typist.words(24)
			_ = p.Enrol(mustPrint(t, Default(), stored))
		}
		shaken := append([]Event(nil), stored...)
		for i := range shaken {
			shaken[i].Press += float64(i % 4)
			shaken[i].Release += float64(i%4) + 3
		}
		for name, e := range map[string][]Event{"replay": stored, "shaken": shaken, "one key late": stored[1:]} {
			if r := scoreOf(t, &p, e); !r.NearCopy || r.Score != MinScore {
				t.Errorf("typist %d: %s passed as new typing, score %.2f", seed, name, r.Score)
			}
		}
		for range 10 {
			if r := scoreOf(t, &p, typist.words(24)); r.NearCopy {
				t.Errorf("typist %d: new typing taken for a copy", seed)
			}
		}
	}
}

func TestAProfileGrowsWithItsOwnerAndStaysBounded(t *testing.T) {
	signIns := 0
	for seed := uint64(50); seed < 60; seed++ {
		typist := newTypist(seed)
		p := enrolled(t, typist)
		var oldest *Print
		for taken := 0; taken < 2*MaxGrown && signIns < 4000; signIns++ {
			if p.Grow(Default(), mustPrint(t, Default(), typist.words(24))) {
				if taken++; oldest == nil {
					oldest = p.grown[0]
				}
			}
		}
		if p.Len() != EnrolPrints+MaxGrown || p.grown[0] == oldest {
			t.Errorf("typist %d: %d prints, or the oldest did not go", seed, p.Len())
		}
	}
	t.Logf("%d sign-ins for %d growths", signIns, 10*2*MaxGrown)
}

func TestAnUnfinishedProfileDoesNotGrow(t *testing.T) {
	typist := newTypist(61)
	var p Profile
	_ = p.Enrol(mustPrint(t, Default(), typist.words(24)))
	if p.Grow(Default(), mustPrint(t, Default(), typist.words(24))) {
		t.Error("a profile of one print grew")
	}
}

// between types as a, drifted towards b by a share.
func between(a, b *typist, share float64) *typist {
	mix := func(x, y float64) float64 { return math.Exp((1-share)*math.Log(x) + share*math.Log(y)) }
	out := &typist{
		rng: a.rng, hold: mix(a.hold, b.hold), step: mix(a.step, b.step), hands: mix(a.hands, b.hands),
		scatter: a.scatter, spaceBefore: mix(a.spaceBefore, b.spaceBefore),
	}
	for i := range out.keys {
		out.keys[i] = [2]float64{mix(a.keys[i][0], b.keys[i][0]), mix(a.keys[i][1], b.keys[i][1])}
	}
	return out
}

// passes counts how often a typist passes the balanced point of 20 tries.
func passes(t *testing.T, p *Profile, typist *typist) (n int) {
	t.Helper()
	for range 20 {
		if Default().Point(Balanced).Decide(scoreOf(t, p, typist.words(24))) == Match {
			n++
		}
	}
	return n
}

// Impostors who try for ever, typing as themselves, gain next to nothing, and
// the owner still passes. Synthetic people are more alike than real ones; the
// rates for those are in docs/biopass.md.
func TestImpostorsCannotWalkAProfileAway(t *testing.T) {
	m := Default()
	var taken, fresh, tries, before, after, others, othersAfter int
	for seed := uint64(100); seed < 108; seed++ {
		owner := newTypist(seed)
		p := enrolled(t, owner)
		before += passes(t, p, owner)
		var impostors []*typist
		for other := range uint64(6) {
			impostors = append(impostors, newTypist(1000+10*seed+other))
			others += passes(t, p, impostors[other])
		}
		for range 10 {
			for _, impostor := range impostors {
				tries++
				print := mustPrint(t, m, impostor.words(24))
				if m.strong(&Profile{enrolled: p.enrolled}, print) {
					fresh++
				}
				if p.Grow(m, print) {
					taken++
				}
			}
		}
		after += passes(t, p, owner)
		for _, impostor := range impostors {
			othersAfter += passes(t, p, impostor)
		}
	}
	t.Logf("%d of %d impostors' prints taken in, %d strong against the enrolment; owners pass %d of 160 before, %d after; impostors %d of 960, then %d",
		taken, tries, fresh, before, after, others, othersAfter)
	if taken > fresh || taken > tries/16 || after < before-16 || othersAfter > others+40 {
		t.Error("the profile was walked")
	}
}

// One who can type almost as the owner, and drifts to their own typing in
// steps of 10%, twenty tries each, is left behind on the way: what they gain is
// bounded by grownGain, a few tries in a hundred.
func TestAMimicCannotWalkAProfileAway(t *testing.T) {
	m := Default()
	var owners, mimics, before, mimicsBefore int
	for seed := uint64(200); seed < 208; seed++ {
		owner, mimic := newTypist(seed), newTypist(seed+5000)
		p := enrolled(t, owner)
		before += passes(t, p, owner)
		mimicsBefore += passes(t, p, mimic)
		for share := 0.1; share < 1.01; share += 0.1 {
			step := between(owner, mimic, share)
			for range 20 {
				p.Grow(m, mustPrint(t, m, step.words(24)))
			}
		}
		owners += passes(t, p, owner)
		mimics += passes(t, p, mimic)
	}
	t.Logf("owners pass %d of 160 before, %d after; mimics as themselves %d, then %d", before, owners, mimicsBefore, mimics)
	if mimics > mimicsBefore+16 || owners < before-16 {
		t.Errorf("owners pass %d of 160 before, %d after; mimics as themselves %d, then %d", before, owners, mimicsBefore, mimics)
	}
}

func TestDecisions(t *testing.T) {
	p := Point{Steps: [3]Step{{Threshold: 3}, {Threshold: 2}, {Threshold: 1}}}
	r := func(s ...float64) (out []Result) {
		for _, x := range s {
			out = append(out, Result{Score: x, SD: 1})
		}
		return out
	}
	for _, c := range []struct {
		name     string
		attempts []Result
		want     Verdict
	}{
		{"no attempt", nil, NoMatch},
		{"one strong", r(3), Match},
		{"one just below", r(2.5), Unsure},
		{"one far below", r(-1), NoMatch},
		{"two that make it together", r(1.5, 2.5), Match},
		{"two that nearly make it", r(1, 2.2), Unsure},
		{"three weak ones that add up", r(1, 1, 1.2), Match},
		{"only the latest three count", r(12, 0, 0, 0), NoMatch},
		{"a near-copy after two strong ones", append(r(12, 12), Result{Score: MinScore, NearCopy: true}), NoMatch},
		{"a copy before weighs on a strong one", append([]Result{{Score: MinScore, NearCopy: true}}, r(12)...), NoMatch},
	} {
		if got := p.Decide(c.attempts...); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestHalfPrecision(t *testing.T) {
	for h := range 1 << 16 {
		f := fromHalf(uint16(h))
		if h>>10&31 == 31 {
			continue // not finite
		}
		if got := toHalf(f); got != uint16(h) {
			t.Fatalf("%#x became %#x", h, got)
		}
	}
	for _, x := range []float64{math.Inf(1), math.Inf(-1), math.NaN(), 1e30} {
		if f := float64(fromHalf(toHalf(float32(x)))); math.IsInf(f, 0) || math.IsNaN(f) {
			t.Errorf("%v became %v", x, f)
		}
	}
}
