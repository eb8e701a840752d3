package main

import (
	"fmt"
	"slices"
	"strings"
)

// flood is what known people get while as many sockets again are taken by
// others: by known people, and by a flood.
func (b *bench) flood() error {
	for _, f := range []struct {
		name, new string
		strangers load
	}{
		{partFlood, "new agents", load{sockets: 32, host: "app.localhost", path: "/", headers: browser[1:], lua: agentsLua}},
		{partBeside, "people never seen", load{sockets: 32, host: "learn.localhost", path: "/", headers: browser, lua: usersLua, status: '2'}},
	} {
		if !b.wanted(f.name) {
			continue
		}
		if err := b.flooded(f.name, f.new, f.strangers); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

func (b *bench) flooded(name, new string, strangers load) error {
	gate, err := b.start("gate-"+strings.ReplaceAll(new, " ", "-"), &settings{})
	if err != nil {
		return err
	}
	defer gate.stop()
	if err := b.arrive(gate); err != nil {
		return err
	}
	known := load{sockets: 32, host: "app.localhost", path: "/", headers: b.known.headers(), status: '2'}
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
	late := func(s sample) float64 { return s.p99 / 1000 }
	got := ratios(flooded, usual, rate)
	missed := ""
	if got.median < 0.8 {
		missed = " **missed**"
	}
	fmt.Printf("- %s: known people have %s of the rate that they have beside a flood of known ones (bar 0.80)%s: %.0f/s beside %.0f/s %s, %.0f/s beside known ones, p99 %.2f ms and %.2f; memory at the end %.0f MiB\n",
		name, got, missed, middle(flooded, rate), middle(strange, rate), new, middle(usual, rate), middle(flooded, late), middle(usual, late), slices.MaxFunc(flooded, func(x, y sample) int { return int(x.rss - y.rss) }).rss)
	return nil
}
