package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

var notLetters = regexp.MustCompile(`[^a-z0-9]+`)

// profiles writes what both processes do under the load of a row, by Caddy's
// own profiler: processor time, and all that is allocated. They are compared
// with
//
//	go tool pprof -top -diff_base <row>-bare.cpu <row>-gate.cpu
func (b *bench) profiles(r row, plain load, bare, gate *caddy) error {
	if b.profile == "" {
		return nil
	}
	if err := os.MkdirAll(b.profile, 0o700); err != nil {
		return err
	}
	name := strings.Trim(notLetters.ReplaceAllString(strings.ToLower(r.name), "-"), "-")
	for _, one := range []struct {
		c    *caddy
		load load
		tag  string
	}{{bare, plain, "bare"}, {gate, r.load, "gate"}} {
		at := filepath.Join(b.profile, name+"-"+one.tag)
		before, err := one.c.allocated()
		if err != nil {
			return err
		}
		done := make(chan error, 1)
		go func() { done <- one.c.record("profile", at+".cpu", b.time) }()
		s, err := b.against(one.c, one.load, b.time)
		if err = errors.Join(err, <-done); err != nil {
			return err
		}
		after, err := one.c.allocated()
		if err != nil {
			return err
		}
		n := s.requests * b.time.Seconds()
		fmt.Fprintf(os.Stderr, "%s, %s: %.0f bytes in %.1f pieces a request, %.1f collections a thousand requests\n", r.name, one.tag,
			(after.bytes-before.bytes)/n, (after.pieces-before.pieces)/n, 1000*(after.collections-before.collections)/n)
		go func() { done <- one.c.record("allocs", at+".allocs", b.time) }()
		_, err = b.against(one.c, one.load, b.time)
		if err = errors.Join(err, <-done); err != nil {
			return err
		}
	}
	return nil
}

// memory is what a process has allocated since it began.
type memory struct{ bytes, pieces, collections float64 }

var statLine = regexp.MustCompile(`(?m)^# (TotalAlloc|Mallocs|NumGC) = (\d+)`)

func (c *caddy) allocated() (m memory, err error) {
	text, err := c.debug("allocs?debug=1")
	if err != nil {
		return m, err
	}
	for _, found := range statLine.FindAllSubmatch(text, -1) {
		var n float64
		if _, err := fmt.Sscan(string(found[2]), &n); err != nil {
			return m, err
		}
		switch string(found[1]) {
		case "TotalAlloc":
			m.bytes = n
		case "Mallocs":
			m.pieces = n
		default:
			m.collections = n
		}
	}
	return m, nil
}

// profile writes one profile of a process, over a time.
func (c *caddy) record(kind, path string, d time.Duration) error {
	text, err := c.debug(fmt.Sprintf("%s?seconds=%d", kind, max(1, int(d.Seconds()))))
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

func (c *caddy) debug(what string) ([]byte, error) {
	answer, err := http.Get("http://" + c.admin + "/debug/pprof/" + what) //nolint:noctx // of ourselves
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close() //nolint:errcheck // read whole
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: the profiler answers %s", c.name, answer.Status)
	}
	return io.ReadAll(answer.Body)
}
