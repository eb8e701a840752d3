package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// load is one way to ask: who, how, over what.
type load struct {
	h2      bool
	sockets int
	host    string
	path    string
	headers []string
	lua     string // of wrk: what makes each request another one
	// status is what must come back: the first digit; 0 for anything.
	status byte
}

// sample is what one run gave.
type sample struct {
	requests float64 // a second
	cpu      float64 // microseconds of processor a request
	p50, p99 float64 // microseconds
	rss      float64 // MiB, at the end
}

// against runs a load against a Caddy for a time.
func (b *bench) against(c *caddy, l load, d time.Duration) (sample, error) {
	before, err := processor(c.cmd.Process.Pid)
	if err != nil {
		return sample{}, err
	}
	var s sample
	var n float64
	if l.h2 {
		s, n, err = b.h2load(c, l, d)
	} else {
		s, n, err = b.wrk(c, l, d)
	}
	if err != nil {
		return s, fmt.Errorf("%s: %w", c.name, err)
	}
	after, err := processor(c.cmd.Process.Pid)
	if err != nil {
		return s, err
	}
	s.cpu = float64((after - before).Microseconds()) / n
	s.rss, err = resident(c.cmd.Process.Pid)
	return s, err
}

var (
	wrkRequests = regexp.MustCompile(`(\d+) requests in `)
	wrkRate     = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	wrk50       = regexp.MustCompile(`\n\s+50%\s+([\d.]+)(us|ms|s)`)
	wrk99       = regexp.MustCompile(`\n\s+99%\s+([\d.]+)(us|ms|s)`)
	wrkBad      = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
)

func (b *bench) wrk(c *caddy, l load, d time.Duration) (s sample, n float64, err error) {
	args := []string{"-t1", "-c" + strconv.Itoa(l.sockets), "-d" + strconv.Itoa(max(1, int(d.Seconds()))) + "s", "--latency", "-H", "Host: " + l.host}
	for _, h := range l.headers {
		args = append(args, "-H", h)
	}
	if l.lua != "" {
		script := filepath.Join(b.dir, "load.lua")
		if l.h2 {
			return s, 0, fmt.Errorf("a script is wrk's")
		}
		script = fmt.Sprintf("%s.%d", script, len(l.lua))
		if err := os.WriteFile(script, []byte(l.lua), 0o600); err != nil {
			return s, 0, err
		}
		args = append(args, "-s", script)
	}
	out, err := exec.CommandContext(b.ctx, "wrk", append(args, "http://"+c.http+l.path)...).CombinedOutput()
	text := string(out)
	if err != nil {
		return s, 0, fmt.Errorf("wrk: %w: %s", err, text)
	}
	number := func(r *regexp.Regexp) float64 {
		m := r.FindStringSubmatch(text)
		if m == nil {
			return 0
		}
		v, _ := strconv.ParseFloat(m[1], 64)
		if len(m) > 2 {
			v *= map[string]float64{"us": 1, "ms": 1000, "s": 1e6}[m[2]]
		}
		return v
	}
	n, s.requests, s.p50, s.p99 = number(wrkRequests), number(wrkRate), number(wrk50), number(wrk99)
	bad := number(wrkBad)
	if n == 0 || strings.Contains(text, "Socket errors: connect") {
		return s, n, fmt.Errorf("wrk got nothing: %s", text)
	}
	if l.status == 0 {
		return s, n, nil
	}
	if good := l.status == '2' || l.status == '3'; good && bad > 0 || !good && bad < n {
		return s, n, fmt.Errorf("%.0f of %.0f answers are not %cxx: %s", bad, n, l.status, text)
	}
	return s, n, nil
}

var h2Done = regexp.MustCompile(`finished in ([\d.]+)(us|ms|s|m), ([\d.]+) req/s`)

func (b *bench) h2load(c *caddy, l load, d time.Duration) (s sample, n float64, err error) {
	log := filepath.Join(b.dir, "h2load.log")
	defer os.Remove(log) //nolint:errcheck // in the folder that goes
	_, secure, err := net.SplitHostPort(c.https)
	if err != nil {
		return s, 0, err
	}
	args := []string{"-t1", "-c" + strconv.Itoa(l.sockets), "-m1", "-D" + strconv.Itoa(max(1, int(d.Seconds()))), "--log-file=" + log, "--connect-to=" + c.https}
	for _, h := range l.headers {
		args = append(args, "-H", h)
	}
	out, err := exec.CommandContext(b.ctx, "h2load", append(args, "https://"+l.host+":"+secure+l.path)...).CombinedOutput()
	if err != nil {
		return s, 0, fmt.Errorf("h2load: %w: %s", err, out)
	}
	m := h2Done.FindStringSubmatch(string(out))
	if m == nil {
		return s, 0, fmt.Errorf("h2load says %s", out)
	}
	s.requests, _ = strconv.ParseFloat(m[3], 64)
	f, err := os.Open(log)
	if err != nil {
		return s, 0, err
	}
	defer f.Close() //nolint:errcheck // read only
	var times []float64
	for lines := bufio.NewScanner(f); lines.Scan(); {
		parts := strings.Fields(lines.Text())
		if len(parts) < 3 {
			continue
		}
		if parts[1] == "" || parts[1][0] != l.status {
			return s, 0, fmt.Errorf("h2load got status %s", parts[1])
		}
		took, _ := strconv.ParseFloat(parts[2], 64)
		times = append(times, took)
	}
	if len(times) == 0 {
		return s, 0, fmt.Errorf("h2load measured nothing: %s", out)
	}
	slices.Sort(times)
	s.p50, s.p99 = times[len(times)/2], times[len(times)*99/100]
	return s, float64(len(times)), nil
}

// processor is what a process has used, from /proc.
func processor(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat: %q", pid, text)
	}
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("/proc/%d/stat: %q", pid, text)
	}
	return time.Duration(user+system) * 10 * time.Millisecond, nil // a tick is a hundredth of a second
}

// resident is how much memory a process has, in MiB.
func resident(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1024, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no VmRSS", pid)
}
