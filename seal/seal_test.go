package seal_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/cadenas-gateway/cadenas/seal"
)

func ring(t testing.TB, newest byte, keys map[byte][]byte) *seal.Ring {
	t.Helper()
	r, err := seal.NewRing(keys, newest)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWhatIsSealedOpens(t *testing.T) {
	r := ring(t, 1, map[byte][]byte{1: seal.NewKey()})
	for _, plain := range [][]byte{nil, {}, []byte("x"), bytes.Repeat([]byte("long"), 50_000)} {
		box := r.Seal([]byte("before"), plain, "device", "sdg", "d1")
		if !bytes.HasPrefix(box, []byte("before")) {
			t.Fatal("what dst held is gone")
		}
		got, err := r.Open([]byte("front "), box[6:], "device", "sdg", "d1")
		if err != nil || string(got) != "front "+string(plain) {
			t.Errorf("%d bytes: got %d, %v", len(plain), len(got), err)
		}
	}
	text := r.SealText([]byte("Marie"), "device")
	if strings.ContainsAny(text, "+/=; ,\"") {
		t.Errorf("%q does not fit in a cookie", text)
	}
	if got, err := r.OpenText(text, "device"); err != nil || string(got) != "Marie" {
		t.Errorf("text: %q, %v", got, err)
	}
}

func TestABoxOpensOnlyForWhatItWasClosed(t *testing.T) {
	r := ring(t, 1, map[byte][]byte{1: seal.NewKey()})
	for _, c := range []struct {
		name    string
		sealed  []string // purpose, context...
		opening []string
		want    bool
	}{
		{"the same purpose and context", []string{"stamp", "sdg", "d1"}, []string{"stamp", "sdg", "d1"}, true},
		{"another purpose", []string{"stamp", "sdg"}, []string{"device", "sdg"}, false},
		{"another context", []string{"stamp", "sdg"}, []string{"stamp", "wiki"}, false},
		{"no context", []string{"stamp", "sdg"}, []string{"stamp"}, false},
		{"one context more", []string{"stamp"}, []string{"stamp", ""}, false},
		{"contexts in another order", []string{"stamp", "a", "b"}, []string{"stamp", "b", "a"}, false},
		{"letters moved over the border", []string{"stamp", "a", "bc"}, []string{"stamp", "ab", "c"}, false},
		{"purpose and context joined", []string{"stamp", "sdg"}, []string{"stampsdg"}, false},
		{"a context that imitates a border", []string{"p", "a\x00\x00\x01b"}, []string{"p", "a", "b"}, false},
		{"contexts longer than the buffer", []string{"p", strings.Repeat("x", 5000)}, []string{"p", strings.Repeat("x", 5000)}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			box := r.Seal(nil, []byte("secret"), c.sealed[0], c.sealed[1:]...)
			_, err := r.Open(nil, box, c.opening[0], c.opening[1:]...)
			if (err == nil) != c.want || (err != nil && !errors.Is(err, seal.ErrOpen)) {
				t.Errorf("opened: %v", err)
			}
		})
	}
}

func TestKeysRotate(t *testing.T) {
	first, second := seal.NewKey(), seal.NewKey()
	old := ring(t, 1, map[byte][]byte{1: first})
	both := ring(t, 2, map[byte][]byte{1: first, 2: second})
	later := ring(t, 2, map[byte][]byte{2: second})
	other := ring(t, 1, map[byte][]byte{1: seal.NewKey()})

	box := old.Seal(nil, []byte("kept"), "held")
	if got, err := both.Open(nil, box, "held"); err != nil || string(got) != "kept" {
		t.Errorf("after a rotation: %q, %v", got, err)
	}
	if both.Newest(box) {
		t.Error("an old box passes for a new one")
	}
	if !both.Newest(both.Seal(nil, nil, "held")) {
		t.Error("a new box passes for an old one")
	}
	if both.Newest(nil) {
		t.Error("no box passes for a new one")
	}
	if _, err := later.Open(nil, box, "held"); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("after the key was given up: %v", err)
	}
	if _, err := other.Open(nil, box, "held"); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("under another key of that number: %v", err)
	}
	forged := bytes.Clone(box)
	forged[0] = 2
	if _, err := both.Open(nil, forged, "held"); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("under the wrong number: %v", err)
	}
}

func TestABoxThatWasTouchedStaysClosed(t *testing.T) {
	r := ring(t, 7, map[byte][]byte{7: seal.NewKey()})
	box := r.Seal(nil, []byte("0123456789"), "p", "c")
	for n := range box {
		if _, err := r.Open(nil, box[:n], "p", "c"); !errors.Is(err, seal.ErrOpen) {
			t.Fatalf("cut after %d bytes: %v", n, err)
		}
		for bit := range 8 {
			touched := bytes.Clone(box)
			touched[n] ^= 1 << bit
			if _, err := r.Open(nil, touched, "p", "c"); !errors.Is(err, seal.ErrOpen) {
				t.Fatalf("byte %d, bit %d turned: %v", n, bit, err)
			}
		}
	}
	if _, err := r.Open(nil, append(bytes.Clone(box), 0), "p", "c"); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("a byte more: %v", err)
	}
}

func TestOneBoxHasOneText(t *testing.T) {
	r := ring(t, 1, map[byte][]byte{1: seal.NewKey()})
	text := r.SealText([]byte("ab"), "p")
	for _, other := range []string{"", " " + text, text + "=", text + "\n", text[:5] + "\r\n" + text[5:], strings.ToUpper(text), "é" + text} {
		if _, err := r.OpenText(other, "p"); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("%q: %v", other, err)
		}
	}
	box, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	// The last letter has bits to spare; only one setting of them is ours.
	alphabet := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	opened := 0
	for _, last := range alphabet {
		if _, err := r.OpenText(text[:len(text)-1]+string(last), "p"); err == nil {
			opened++
		}
	}
	if opened != 1 {
		t.Errorf("%d texts open one box of %d bytes", opened, len(box))
	}
}

// TestThreat_L15_NoTwoBoxesAreAlike: a nonce is never used twice in a row of
// boxes, and keys differ.
func TestThreat_L15_NoTwoBoxesAreAlike(t *testing.T) {
	r := ring(t, 1, map[byte][]byte{1: seal.NewKey()})
	nonces := map[string]bool{}
	for range 10_000 {
		nonce := string(r.Seal(nil, nil, "p")[1:13])
		if nonces[nonce] {
			t.Fatal("a nonce came twice")
		}
		nonces[nonce] = true
	}
	if bytes.Equal(seal.NewKey(), seal.NewKey()) {
		t.Error("two keys are the same")
	}
}

func TestRingsThatCannotBeMade(t *testing.T) {
	for _, c := range []struct {
		name   string
		keys   map[byte][]byte
		newest byte
		want   string
	}{
		{"without any key", nil, 1, "key 1, the newest, is missing"},
		{"without the newest", map[byte][]byte{1: seal.NewKey()}, 2, "key 2, the newest, is missing"},
		{"with a key too short", map[byte][]byte{1: make([]byte, 16)}, 1, "key 1 has 16 bytes, not 32"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := seal.NewRing(c.keys, c.newest); err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestSeveralMayUseOneRing(t *testing.T) {
	r := ring(t, 1, map[byte][]byte{1: seal.NewKey()})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			mine := strings.Repeat(string(rune('a'+i)), 100*i)
			for range 500 {
				got, err := r.OpenText(r.SealText([]byte(mine), "p", mine), "p", mine)
				if err != nil || string(got) != mine {
					t.Errorf("got %q, %v", got, err)
					return
				}
			}
		})
	}
	all.Wait()
}

func TestOpenAllocatesNothing(t *testing.T) {
	r := ring(t, 1, map[byte][]byte{1: seal.NewKey()})
	box := r.Seal(nil, make([]byte, 40), "device", "sdg")
	dst := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(1000, func() { _, _ = r.Open(dst, box, "device", "sdg") }); n > 0.5 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzOpen(f *testing.F) {
	r := ring(f, 1, map[byte][]byte{1: make([]byte, 32), 200: bytes.Repeat([]byte{1}, 32)})
	good := r.Seal(nil, []byte("ours"), "p", "c")
	f.Add(good, "p", "c")
	f.Add(good[:13], "p", "c")
	f.Add([]byte{200}, "", "")
	f.Fuzz(func(t *testing.T, box []byte, purpose, context string) {
		plain, err := r.Open(nil, box, purpose, context)
		if err == nil && (string(plain) != "ours" || purpose != "p" || context != "c") {
			t.Fatalf("%x for %q, %q: %q, %v", box, purpose, context, plain, err)
		}
		if back, err := r.Open(nil, r.Seal(nil, box, purpose, context), purpose, context); err != nil || !bytes.Equal(back, box) {
			t.Fatalf("round trip of %x: %x, %v", box, back, err)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	r := ring(b, 1, map[byte][]byte{1: seal.NewKey()})
	box := r.Seal(nil, make([]byte, 32), "device", "sdg")
	dst := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Open(dst, box, "device", "sdg"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	r := ring(b, 1, map[byte][]byte{1: seal.NewKey()})
	plain, dst := make([]byte, 32), make([]byte, 0, 128)
	b.ReportAllocs()
	for b.Loop() {
		r.Seal(dst, plain, "device", "sdg")
	}
}
