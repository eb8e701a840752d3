package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/bolt"
)

// idle is what each takes to start and to do nothing.
func (b *bench) idle() error {
	if !b.wanted(partIdle) {
		return nil
	}
	var took, memory [2][]float64
	for i := range min(b.pairs, 5) {
		for which, s := range []*settings{nil, {}} {
			name := []string{"bare", "gate"}[which]
			c, err := b.start(fmt.Sprintf("%s-idle-%d", name, i), s)
			if err != nil {
				return err
			}
			time.Sleep(time.Second)
			rss, err := resident(c.cmd.Process.Pid)
			c.stop()
			if err != nil {
				return err
			}
			took[which] = append(took[which], float64(c.took.Milliseconds()))
			memory[which] = append(memory[which], rss)
		}
	}
	for _, list := range [][]float64{took[0], took[1], memory[0], memory[1]} {
		slices.Sort(list)
	}
	fmt.Printf("- start and idle memory: bare Caddy answers after %.0f ms with %.0f MiB, the gate after %.0f ms with %.0f MiB: %.0f ms (bar 100) and %.0f MiB more\n",
		median(took[0]), median(memory[0]), median(took[1]), median(memory[1]), median(took[1])-median(took[0]), median(memory[1])-median(memory[0]))
	return nil
}

func user(i int) string { return fmt.Sprintf("u%06d", i) }

// connection is the i-th of the large store.
func (b *bench) connection(i int, began time.Time) books.Connection {
	at := began.Add(time.Duration(i) * time.Millisecond)
	return books.Connection{
		ID: books.NewConnectionID(at, user(i%b.people)), User: user(i % b.people), Application: "header",
		Device:  access.Device{ID: fmt.Sprintf("device-%014d", i), Kind: access.Computer, Label: "Linux computer"},
		Browser: access.Browser{Family: "Chrome", Platform: "Linux", Version: "156"},
		Place:   access.Place{City: "Laval", Region: "QC", Country: "CA"},
		First:   at, Last: at, Count: 3, Answer: access.LetIn, Step: access.StepKnown,
	}
}

// fill makes a file with a great many connections, and a rule for each person.
func (b *bench) fill(path string) error {
	st, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		return err
	}
	defer st.Close() //nolint:errcheck // closed below where it matters
	bk := books.New(st)
	began := time.Now().AddDate(0, -1, 0)
	var writes []store.Write
	flush := func() error {
		err := st.Apply(b.ctx, store.Batch{Writes: writes})
		bk.Connections.Wrote(writes)
		writes = writes[:0:0]
		return err
	}
	for i := range b.people {
		r := access.Rule{ID: books.NewID(began), Application: "header", User: user(i), Effect: access.Allow, Author: "import", Created: began}
		if writes = append(writes, store.Write{Key: bk.Rules.Key(r), Value: books.Encode(r)}); len(writes) > 4000 {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	for i := range b.stored {
		if writes = append(writes, bk.Connections.Put(b.connection(i, began))...); len(writes) > 4000 {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	_, err = bk.Padlocks.Update(b.ctx, "header", func(p *books.Padlock) ([]store.Write, bool, error) {
		p.Closed = true
		return nil, true, nil
	})
	if err != nil {
		return err
	}
	return st.Close()
}

// large is a gate with a million connections.
func (b *bench) large() error {
	const name = partLarge
	if !b.wanted(name) {
		return nil
	}
	path := filepath.Join(b.dir, "large.db")
	began := time.Now()
	if err := b.fill(path); err != nil {
		return fmt.Errorf("filling: %w", err)
	}
	filled := time.Since(began)
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	size := float64(info.Size()) / (1 << 20)
	fmt.Printf("- %s: %d connections of %d people took %s to write; the file has %.0f MiB, %.0f a million (bar 250)\n", name, b.stored, b.people, filled.Round(time.Second), size, size*1e6/float64(b.stored))
	bare, err := b.start("bare-beside", nil)
	if err != nil {
		return err
	}
	defer bare.stop()
	big, err := b.start("gate-large", &settings{store: "bolt " + path})
	if err != nil {
		return err
	}
	defer big.stop()
	time.Sleep(time.Second)
	plain, err := resident(bare.cmd.Process.Pid)
	if err != nil {
		return err
	}
	rss, err := resident(big.cmd.Process.Pid)
	if err != nil {
		return err
	}
	fmt.Printf("- %s: bare Caddy answers %s after its start, the gate after %s; idle it has %.0f MiB over bare (bar 64)\n", name, bare.took.Round(time.Millisecond), big.took.Round(time.Millisecond), rss-plain)
	if err := b.firsts(big, name+": the first answer to a known person, from the store"); err != nil {
		return err
	}
	big.stop()
	if err := uncached(path); err != nil {
		return err
	}
	if big, err = b.start("gate-large", &settings{store: "bolt " + path}); err != nil {
		return err
	}
	defer big.stop()
	time.Sleep(time.Second)
	if err := b.firsts(big, fmt.Sprintf("%s: after a start in %s with nothing of the file in the system's memory, a second later", name, big.took.Round(time.Millisecond))); err != nil {
		return err
	}
	small, err := b.start("gate-small", &settings{})
	if err != nil {
		return err
	}
	defer small.stop()
	if err := small.cadenas("rules", "add", "--app", "header", "--user", user(1), "--effect", "allow"); err != nil {
		return err
	}
	if err := small.cadenas("padlock", "close", "header", "--yes"); err != nil {
		return err
	}
	l := load{sockets: 32, host: "header.localhost", path: "/", headers: append(slices.Clone(browser), "Remote-User: "+user(1)), status: '2'}
	fmt.Print("- ", name, ": known, 32 sockets, ratios to the same gate with an empty store (bar 0.90 to 1.10):\n\n")
	return b.measure(row{name: name, load: l, requests: 0.9, cpu: 1.1, p99: 1.1}, small, big)
}

// learning compares the recorder's batches with one transaction for each
// connection, in one process and on one disk.
func (b *bench) learning() error {
	const name = partLearning
	if !b.wanted(name) {
		return nil
	}
	st, err := bolt.Open(filepath.Join(b.dir, "learning.db"), bolt.Options{})
	if err != nil {
		return err
	}
	defer st.Close() //nolint:errcheck // it goes with its folder
	bk := books.New(st)
	g := gate.New(bk, gate.Options{})
	open := false
	g.Configure(gate.Application{Name: "header", Pinned: &open})
	used, err := processor(os.Getpid())
	if err != nil {
		return err
	}
	began := time.Now()
	const batch = 20_000
	for i := range batch {
		c := b.connection(i, began)
		c.User = user(i)
		c.ID = books.NewConnectionID(c.First, c.User)
		if _, err := g.Check(b.ctx, c.Visit(), gate.Circumstance{}); err != nil {
			return err
		}
	}
	checked := time.Since(began)
	if err := g.Flush(b.ctx); err != nil {
		return err
	}
	behind := batch / time.Since(began).Seconds()
	after, err := processor(os.Getpid())
	if err != nil {
		return err
	}
	const singly = 300
	began = time.Now()
	for i := range singly {
		if err := st.Apply(b.ctx, store.Batch{Writes: bk.Connections.Put(b.connection(batch+i, began))}); err != nil {
			return err
		}
	}
	one := singly / time.Since(began).Seconds()
	fmt.Printf("- %s: %.0f new connections a second (%.0f checked a second), %.0f µs of processor each, %.0f with one transaction each: %.0f times (bar 8)%s\n", name, behind, batch/checked.Seconds(),
		float64((after-used).Microseconds())/batch, one, behind/one, missed(behind < 8*one))
	return nil
}
