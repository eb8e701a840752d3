package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What a gate may gain in the second half of a soak and still be flat: a
// line is laid through the measurements, so that one of them decides nothing.
const (
	// heapShare of the heap that is in use, or heapLeast MiB.
	heapShare, heapLeast = 0.08, 4
	// residentShare of resident memory, or residentLeast MiB: the runtime
	// gives memory back late.
	residentShare, residentLeast = 0.15, 24
	// goroutinesShare of the goroutines, or goroutinesLeast.
	goroutinesShare, goroutinesLeast = 0.1, 20
)

// measured is what one gate had at one moment.
type measured struct {
	at time.Duration // since the measuring began
	// heap is what is reachable, in MiB, after a collection; resident what
	// the system counts.
	heap, resident, goroutines float64
	// met is how many people had come by.
	met int64
}

// watch measures both gates each period until ctx ends; heap profiles at a
// half and at the end go into the folder of the run (-keep).
func (s *soak) watch(ctx context.Context, period time.Duration) map[*caddy][]measured {
	all := map[*caddy][]measured{}
	began := time.Now()
	tick := time.NewTicker(period)
	defer tick.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		for _, c := range []*caddy{s.one, s.two} {
			m, err := c.measure()
			if err != nil {
				report("%s cannot be measured: %v", c.name, err)
				continue
			}
			m.at, m.met = time.Since(began), s.met.Load()
			all[c] = append(all[c], m)
			report("%s: heap %.1f MiB, resident %.0f MiB, %.0f goroutines; %d let in, %d not; %d kept out, %d not; %d people met",
				c.name, m.heap, m.resident, m.goroutines, s.known.right.Load(), s.known.wrong.Load(), s.kept.right.Load(), s.kept.wrong.Load(), s.met.Load())
			if n == 20 || ctx.Err() != nil {
				if err := c.profile(fmt.Sprintf("heap-%d.pprof", n)); err != nil {
					report("%s has no profile: %v", c.name, err)
				}
			}
		}
	}
	return all
}

// verdict says what was wrong with a run, as an error; nil for a good one.
func (s *soak) verdict(all map[*caddy][]measured) error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	fmt.Printf("\n- soak: %d requests that should pass, %d of them failed; %d that should not, %d of them passed; %d people met, %d reloads, locks and restarts of Redis, %d of them failed\n",
		s.known.right.Load()+s.known.wrong.Load(), s.known.wrong.Load(), s.kept.right.Load()+s.kept.wrong.Load(), s.kept.wrong.Load(), s.met.Load(), s.steps.Load(), s.undone.Load())
	if n := s.known.wrong.Load(); n > 0 {
		fault("%d requests failed that should have passed", n)
	}
	if n := s.kept.wrong.Load(); n > 0 {
		fault("%d requests passed that should not", n)
	}
	if n := s.undone.Load(); n > 0 {
		fault("%d steps failed", n)
	}
	if s.known.right.Load() == 0 || s.kept.right.Load() == 0 || s.steps.Load() < 3 {
		fault("too little happened for a verdict: let it run longer")
	}
	for _, c := range []*caddy{s.one, s.two} {
		list := all[c]
		if len(list) < 8 {
			fault("%s was measured %d times only: let it run longer", c.name, len(list))
			continue
		}
		for _, what := range []struct {
			name         string
			unit         string
			of           func(measured) float64
			share, least float64
		}{
			{"heap in use", "MiB", func(m measured) float64 { return m.heap }, heapShare, heapLeast},
			{"resident memory", "MiB", func(m measured) float64 { return m.resident }, residentShare, residentLeast},
			{"goroutines", "goroutines", func(m measured) float64 { return m.goroutines }, goroutinesShare, goroutinesLeast},
		} {
			half := list[len(list)/2:]
			gained, middle := gain(half, what.of)
			allowed := max(what.least, what.share*middle)
			if what.unit == "MiB" {
				allowed += eachOne * float64(min(half[len(half)-1].met, crowd)-min(half[0].met, crowd))
			}
			word := "flat"
			if gained > allowed {
				word = "**rising**"
				fault("%s: %s rose by %.1f", c.name, what.name, gained)
			}
			fmt.Printf("- soak, %s: %s %.1f %s in the middle, %+.1f over the second half (bar %.1f): %s\n", c.name, what.name, middle, what.unit, gained, allowed, word)
		}
	}
	if len(faults) > 0 {
		fmt.Println("- soak: **failed**")
		return fmt.Errorf("soak: %w", errors.Join(faults...))
	}
	fmt.Println("- soak: passed")
	return nil
}

// gain is by how much a quantity rises over some measurements, by the line
// that lies nearest to them, and its median.
func gain(list []measured, of func(measured) float64) (gained, middle float64) {
	var n, sx, sy, sxx, sxy float64
	var sorted []float64
	for _, m := range list {
		x, y := m.at.Seconds(), of(m)
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
		sorted = append(sorted, y)
	}
	slices.Sort(sorted)
	middle = median(sorted)
	if under := n*sxx - sx*sx; under > 0 {
		slope := (n*sxy - sx*sy) / under
		gained = slope * (list[len(list)-1].at - list[0].at).Seconds()
	}
	return gained, middle
}

// measure asks Caddy's admin endpoint, which collects garbage first.
func (c *caddy) measure() (m measured, err error) {
	if m.resident, err = resident(c.cmd.Process.Pid); err != nil {
		return m, err
	}
	bytes, err := c.pprof("heap?gc=1&debug=1", "# HeapAlloc = ")
	if err != nil {
		return m, err
	}
	m.heap = bytes / (1 << 20)
	m.goroutines, err = c.pprof("goroutine?debug=1", "goroutine profile: total ")
	return m, err
}

// pprof is the number behind a mark in a text profile.
func (c *caddy) pprof(path, mark string) (float64, error) {
	answer, err := http.Get("http://" + c.admin + "/debug/pprof/" + path) //nolint:noctx,gosec // of ourselves
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), mark); ok {
			return strconv.ParseFloat(rest, 64)
		}
	}
	return 0, errors.Join(lines.Err(), fmt.Errorf("%s says nothing of %q", path, mark))
}

// profile keeps a heap profile in the folder of a gate.
func (c *caddy) profile(name string) error {
	answer, err := http.Get("http://" + c.admin + "/debug/pprof/heap?gc=1") //nolint:noctx // of ourselves
	if err != nil {
		return err
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(c.dir, name), text, 0o600)
}
