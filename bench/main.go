// Command bench measures what the gate costs beside bare Caddy on this
// machine: the same backend, the same proxy, turn and turn about. README.md
// holds its table and how to read it.
//
//	go run ./bench                 everything; it says first how long that takes
//	go run ./bench -list           the names of the rows
//	go run ./bench -only 'known'   some rows
//	go run ./bench -quick          does it work at all
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
	flag.IntVar(&p.pairs, "pairs", 15, "pairs of runs, bare and gate, for each row")
	flag.DurationVar(&p.time, "time", 2*time.Second, "length of one run")
	only := flag.String("only", "", "rows whose name matches this expression")
	flag.IntVar(&p.stored, "stored", 1_000_000, "connections in the large store")
	flag.IntVar(&p.people, "people", 100_000, "people in the large store")
	flag.IntVar(&p.tries, "tries", 200, "revocations from one instance to another")
	flag.IntVar(&p.retries, "retries", 2, "how often a row is measured again when bare against bare is not within 0.97 and 1.03")
	list := flag.Bool("list", false, "instead of all else: the names of the rows, for -only")
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
	if *list {
		for _, name := range p.names() {
			fmt.Println(name)
		}
		return nil
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
	least, most := p.lasts()
	fmt.Fprintf(os.Stderr, "this takes some %s, up to %s where the machine is not quiet; it is %s\n",
		least.Round(10*time.Second), most.Round(10*time.Second), time.Now().Format("15:04"))
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

// What is measured beside the rows of the table.
const (
	partFlood    = "flood of new user agents"
	partBeside   = "learning beside known people"
	partIdle     = "start and idle memory"
	partLarge    = "a million stored"
	partLearning = "learning, write-behind"
	partRevoke   = "revoke on A to 403 on B"
	partThree    = "known, three instances on Redis at once, 32 sockets"
	partThreeNew = "learning, three instances on Redis at once, each request somebody new, 32 sockets"
)

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
	said        string // by the last answer to a sign-in
}

// parts are what is measured beside the rows of the table, with how long each
// takes at most beside the runs of -time.
var parts = []struct {
	name  string
	takes time.Duration
}{
	{partFlood, 10 * time.Second},
	{partBeside, 10 * time.Second},
	{partIdle, 45 * time.Second},
	{partLarge, 4 * time.Minute},
	{partLearning, 45 * time.Second},
	{partThree, 15 * time.Second},
	{partThreeNew, 5 * time.Second},
	{partRevoke, 2 * time.Minute},
}

// names are those of all that can be measured.
func (p plan) names() []string {
	var all []string
	for _, r := range (&bench{plan: p}).table() {
		all = append(all, r.name)
	}
	for _, part := range parts {
		all = append(all, part.name)
	}
	return all
}

// lasts is how long it takes: where no row is measured again, and where all
// are as often as may be.
func (p plan) lasts() (least, most time.Duration) {
	pair := 2*(p.time+150*time.Millisecond) + 3*time.Second/fresh
	least = 20 * time.Second
	again := time.Duration(0)
	for _, r := range (&bench{plan: p}).table() {
		if p.only.MatchString(r.name) {
			least += 2*time.Second + time.Duration(p.pairs)*pair
			again += time.Duration(p.retries*p.pairs) * pair
		}
	}
	for _, part := range parts {
		if !p.only.MatchString(part.name) {
			continue
		}
		takes := part.takes
		if part.name == partLarge {
			takes = takes * time.Duration(p.stored) / 1_000_000
		}
		least += takes
		switch part.name {
		case partThree, partThreeNew:
			again += time.Duration(p.retries*p.pairs) * pair
			fallthrough
		case partFlood, partBeside, partLarge:
			least += time.Duration(p.pairs) * pair
		}
	}
	return least, least + again
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
