package main

import (
	"fmt"
	"slices"
)

// flood is what known people get while as many sockets again are flooded:
// with requests of known people, and with user agents that were never seen.
func (b *bench) flood() error {
	const name = "flood of new user agents"
	if !b.wanted(name) {
		return nil
	}
	gate, err := b.start("gate-flood", &settings{})
	if err != nil {
		return err
	}
	defer gate.stop()
	if err := b.arrive(gate); err != nil {
		return err
	}
	known := load{sockets: 32, host: "app.localhost", path: "/", headers: b.known.headers(), status: '2'}
	strangers := load{sockets: 32, host: "app.localhost", path: "/", headers: browser[1:], lua: agentsLua}
	var usual, flooded []sample
	var strange []sample
	for range b.pairs {
		for _, one := range []struct {
			beside load
			into   *[]sample
		}{{known, &usual}, {strangers, &flooded}} {
			done := make(chan error, 1)
			go func() {
				s, err := b.against(gate, one.beside, b.time)
				if one.into == &flooded {
					strange = append(strange, s)
				}
				done <- err
			}()
			s, err := b.against(gate, known, b.time)
			if beside := <-done; err == nil {
				err = beside
			}
			if err != nil {
				return err
			}
			*one.into = append(*one.into, s)
		}
	}
	rate := func(s sample) float64 { return s.requests }
	got := ratios(flooded, usual, rate)
	missed := ""
	if got.median < 0.8 {
		missed = " **missed**"
	}
	fmt.Printf("- %s: known people have %s of the rate that they have beside a flood of known ones (bar 0.80)%s: %.0f/s beside %.0f/s new agents, %.0f/s beside known ones; memory at the end %.0f MiB\n",
		name, got, missed, middle(flooded, rate), middle(strange, rate), middle(usual, rate), slices.MaxFunc(flooded, func(x, y sample) int { return int(x.rss - y.rss) }).rss)
	return nil
}
