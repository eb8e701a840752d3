package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// answer is how long one took, and how long threads of the gate stood in line
// for a processor meanwhile: on a busy machine that is where a slow one was.
type answer struct{ took, stood time.Duration }

// firsts asks for a hundred known people whom the gate has not in memory, and
// for each once more.
func (b *bench) firsts(c *caddy, what string) error {
	var first, again []answer
	for i := range 100 {
		for _, into := range []*[]answer{&first, &again} {
			before := standing(c.cmd.Process.Pid)
			took, err := ask(b.ctx, c, user(i*997%b.people))
			if err != nil {
				return err
			}
			*into = append(*into, answer{took, standing(c.cmd.Process.Pid) - before})
		}
	}
	opening := first[0].took
	by := func(x, y answer) int { return cmp.Compare(x.took, y.took) }
	slices.SortFunc(first, by)
	slices.SortFunc(again, by)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	last := first[len(first)-1]
	fmt.Printf("- %s: the first of all %.2f ms (bar 5)%s, median %.2f ms, slowest of 100 %.2f ms (bar 5)%s, in which its threads stood in line for a processor for %.2f ms; from memory, median %.2f ms, slowest %.2f\n",
		what, ms(opening), missed(ms(opening) > 5), ms(first[len(first)/2].took), ms(last.took), missed(ms(last.took) > 5), ms(last.stood), ms(again[len(again)/2].took), ms(again[len(again)-1].took))
	return nil
}

// standing is how long the threads of a process were ready to work and had no
// processor.
func standing(pid int) (sum time.Duration) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0
	}
	for _, name := range files {
		text, err := os.ReadFile(name) //nolint:gosec // of a process of ours
		if err != nil {
			continue // the thread has ended
		}
		if fields := strings.Fields(string(text)); len(fields) > 1 {
			ns, _ := strconv.ParseInt(fields[1], 10, 64)
			sum += time.Duration(ns)
		}
	}
	return sum
}

// uncached makes the system forget what it has of a file, as a restart of the
// machine does.
func uncached(path string) error {
	f, err := os.Open(path) //nolint:gosec // of ours
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	const dontNeed = 4
	if _, _, failed := syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, dontNeed, 0, 0); failed != 0 {
		return fmt.Errorf("forgetting %s: %w", path, failed)
	}
	return nil
}

// ask sends one request of a user on a socket of its own.
func ask(ctx context.Context, c *caddy, name string) (time.Duration, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://header.localhost/", nil)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Remote-User", name)
	r.Header.Set("User-Agent", agent)
	r.Header.Set("X-Forwarded-For", address)
	began := time.Now()
	answer, err := c.client().Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close() //nolint:errcheck // not read
	took := time.Since(began)
	if answer.StatusCode != http.StatusOK {
		return took, fmt.Errorf("%s got %d from %s", name, answer.StatusCode, c.name)
	}
	return took, nil
}
