// Command bench measures what the gate costs beside bare Caddy on this
// machine: the same backend, the same proxy, turn and turn about. README.md
// holds its table and how to read it.
//
//	go run ./bench                 everything, about half an hour
//	go run ./bench -quick          does it work at all
//	go run ./bench -only 'known'   some rows
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// plan is what the flags say.
type plan struct {
	pairs   int
	time    time.Duration
	only    *regexp.Regexp
	stored  int
	people  int
	tries   int
	soak    time.Duration
	quick   bool
	keep    bool
	retries int
	profile string
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	p := plan{}
	flag.IntVar(&p.pairs, "pairs", 9, "pairs of runs, bare and gate, for each row")
	flag.DurationVar(&p.time, "time", 4*time.Second, "length of one run")
	only := flag.String("only", "", "rows whose name matches this expression")
	flag.IntVar(&p.stored, "stored", 1_000_000, "connections in the large store")
	flag.IntVar(&p.people, "people", 100_000, "people in the large store")
	flag.IntVar(&p.tries, "tries", 200, "revocations from one instance to another")
	flag.IntVar(&p.retries, "retries", 1, "how often a row is measured again when bare against bare is not within 0.97 and 1.03")
	flag.DurationVar(&p.soak, "soak", 0, "instead of all else: run the soak for this long")
	flag.BoolVar(&p.quick, "quick", false, "two short pairs and a small store: does everything work")
	flag.StringVar(&p.profile, "profile", "", "folder for profiles of both processes under the load of each row")
	flag.BoolVar(&p.keep, "keep", false, "leave the folder with stores and logs")
	flag.Parse()
	if p.quick {
		p.pairs, p.time, p.stored, p.people, p.tries, p.retries = 2, time.Second, 20_000, 2000, 10, 0
	}
	var err error
	if p.only, err = regexp.Compile(*only); err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	for _, name := range []string{"wrk", "h2load", "redis-server"} {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("%s is not installed: Debian has wrk, nghttp2-client and redis-server", name)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "cadenas-bench-")
	if err != nil {
		return err
	}
	if p.keep {
		fmt.Println("folder:", dir)
	} else {
		defer os.RemoveAll(dir) //nolint:errcheck // the system's temporary folder
	}
	b := &bench{plan: p, ctx: ctx, dir: dir}
	defer b.stop()
	if err := b.prepare(); err != nil {
		return err
	}
	if p.soak > 0 {
		return b.soakFor(p.soak)
	}
	for _, part := range []func() error{b.rows, b.flood, b.idle, b.large, b.learning, b.several, b.revocations} {
		if err := part(); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// bench is one run of the program.
type bench struct {
	plan
	ctx         context.Context //nolint:containedctx // that of the program
	dir         string
	bare, gate  string // binaries
	backend     string // host:port
	cert, key   string
	geo         string
	stops       []func()
	known, held person
}

// wanted reports whether a row was asked for.
func (b *bench) wanted(name string) bool { return b.only.MatchString(name) }

func (b *bench) stop() {
	for i := len(b.stops) - 1; i >= 0; i-- {
		b.stops[i]()
	}
	b.stops = nil
}

// prepare builds both programs and starts the backend.
func (b *bench) prepare() error {
	out, err := exec.CommandContext(b.ctx, "go", "env", "GOMOD").Output()
	if err != nil || strings.TrimSpace(string(out)) == os.DevNull {
		return errors.Join(err, errors.New("run it inside the repository: go run ./bench"))
	}
	root := filepath.Dir(strings.TrimSpace(string(out)))
	b.bare, b.gate = filepath.Join(b.dir, "caddy-bare"), filepath.Join(b.dir, "caddy-gate")
	for target, source := range map[string]string{b.bare: "./bench/bare", b.gate: "./cmd/caddy"} {
		fmt.Fprintln(os.Stderr, "building", source)
		cmd := exec.CommandContext(b.ctx, "go", "build", "-buildvcs=false", "-ldflags", "-s -w", "-tags", "nobadger,nomysql,nopgx", "-o", target, source)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w\n%s", source, err, out)
		}
	}
	if b.geo, err = geoFile(b.dir); err != nil {
		return err
	}
	if b.cert, b.key, err = certificate(b.dir); err != nil {
		return err
	}
	return b.startBackend()
}
