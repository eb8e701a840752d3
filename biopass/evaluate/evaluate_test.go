package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/cadenas-gateway/cadenas/biopass"
)

func TestMeasures(t *testing.T) {
	g, i := []float64{1, 2, 3, 4}, []float64{-1, 0, 1.5, 0.5}
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"EER of people told apart", eer([]float64{2, 3}, []float64{0, 1}), 0},
		{"EER of one confusion on each side", eer(g, i), 25},
		{"EER of no difference", eer([]float64{0, 1, 2, 3}, []float64{0, 1, 2, 3}), 50},
		{"a person's own EER, told apart", userEER([]float64{2, 3}, []float64{0, 1}), 0},
		{"FAR where half the owners are refused", farAt([]float64{1, 2, 3}, []float64{0, 1, 2, 3}, 50), 50},
		{"mean", mean([]float64{1, 2, 6}), 3},
	} {
		if math.Abs(c.got-c.want) > 1e-9 {
			t.Errorf("%s: %.3f, want %.3f", c.name, c.got, c.want)
		}
	}
	if frr, at := frrAt([]float64{0.5, 2, 3}, []float64{0, 1}, 1); math.Abs(frr-100.0/3) > 1e-9 || math.Abs(at-0.99) > 1e-9 {
		t.Errorf("FRR %.3f at %.3f", frr, at)
	}
}

// synthetic writes a file of made-up people, seven sequences each, gzipped.
func synthetic(t *testing.T, people int) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for u := range people {
		rng := rand.New(rand.NewPCG(uint64(u), 5))
		hold, step := 60+90*rng.Float64(), 90+200*rng.Float64()
		for s := range 7 {
			at := 0.0
			var k [][3]int
			for range 24 {
				at += step * math.Exp(0.3*rng.NormFloat64())
				k = append(k, [3]int{65 + rng.IntN(26), int(at), int(at + hold*math.Exp(0.1*rng.NormFloat64()))})
			}
			row, err := json.Marshal(map[string]any{"u": fmt.Sprintf("p%02d", u), "s": s, "w": 0, "k": k})
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(z, "%s\n", row)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "typing.jsonl.gz")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestTheReportHasEveryRow(t *testing.T) {
	people, err := read(synthetic(t, 12), "")
	if err != nil {
		t.Fatal(err)
	}
	if len(people) != 12 {
		t.Fatalf("%d people", len(people))
	}
	r := evaluate(biopass.Default(), people)
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]any
	if err := json.Unmarshal(text, &keys); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{
		"eer", "eer_user_mean", "frr_at_far_1", "far_at_frr_5", "eer_2_sequences",
		"frr_at_far_1_2_sequences", "eer_3_attempts", "thresholds", "attacks", "disturbances",
	} {
		if _, ok := keys[k]; !ok {
			t.Errorf("no %s", k)
		}
	}
	if r.Genuine != 12*2 || r.Impostor != 12*11*2 {
		t.Errorf("%d genuine and %d impostor scores", r.Genuine, r.Impostor)
	}
	if len(r.Attacks) != len(attacks) || len(r.Disturbances) != len(disturbances) || len(r.Thresholds) != 3 {
		t.Error("rows are missing")
	}
	if x := r.Attacks["replay"]; x.OneTry != 0 || x.Balanced != 0 {
		t.Errorf("replays pass: %+v", x)
	}
	var out bytes.Buffer
	if err := r.print(&out); err != nil || out.Len() == 0 {
		t.Errorf("text: %v", err)
	}
}

func TestPeopleAreChosenByName(t *testing.T) {
	file := synthetic(t, 6)
	people, err := read(file, "p02-p04")
	if err != nil || len(people) != 3 || people[0].name != "p02" {
		t.Errorf("%d people, %v", len(people), err)
	}
	if _, err := read(file, "x1-x9"); err == nil {
		t.Error("nobody is not an error")
	}
	if _, err := read(file, "p02"); err == nil {
		t.Error("half a range is not an error")
	}
}
