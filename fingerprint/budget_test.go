package fingerprint

import (
	"testing"
	"time"
)

func TestAFloodOfUnusualBrowsersIsNotReadWhole(t *testing.T) {
	var b budget
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	read := func(n int) int {
		whole := 0
		for range n {
			if b.take(now) {
				whole++
			}
		}
		return whole
	}
	if got := read(10_000); got != wholeAtOnce {
		t.Errorf("at once: %d, want %d", got, wholeAtOnce)
	}
	now = now.Add(time.Second)
	if got := read(10_000); got != wholeASecond {
		t.Errorf("a second later: %d, want %d", got, wholeASecond)
	}
	now = now.Add(time.Hour)
	if got := read(10_000); got != wholeAtOnce {
		t.Errorf("an hour later: %d, want %d", got, wholeAtOnce)
	}
}

func TestAGlanceIsCoarseUntilSomebodyIsBehindIt(t *testing.T) {
	const unusual = "Mozilla/5.0 (X11; U; Linux) Gecko/2009 Fennec/2.0.1 Seldom/1"
	for _, c := range []struct {
		name, agent string
		coarse      bool
	}{
		{"a usual browser is told at a glance", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36", false},
		{"an unusual one is not", unusual, true},
		{"one that is too long is never told better", unusual + string(make([]byte, 600)), false},
		{"no user agent at all", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			agents, h := NewAgents(), map[string][]string{"User-Agent": {c.agent}}
			if got := agents.Glance(h); got.Coarse != c.coarse {
				t.Errorf("at a glance %+v", got)
			}
			whole := agents.Parse(t.Context(), h)
			if whole.Coarse {
				t.Errorf("whole %+v", whole)
			}
			if again := agents.Glance(h); again != whole {
				t.Errorf("told once %+v, at the next glance %+v", whole, again)
			}
		})
	}
}
