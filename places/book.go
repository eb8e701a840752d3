// Package places tells where an address is: the name an admin gave its
// network, else what MaxMind-format files on disk say. It asks nobody over
// the network, and a lookup takes no lock.
package places

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
)

// Every is how often the files are looked at for changes.
const Every = 15 * time.Second

// settle is how old a changed file must be before it is read, so that one
// that is still being written is left to be finished.
const settle = 2 * time.Second

// Advice says what a geo file would add, for the log and the console of an
// instance that has none.
const Advice = "no geo file: places are named networks and network prefixes only; " +
	"a MaxMind-format city file (and an ASN file) named by `places` adds city, country and network owner, so that people on the move are not stopped as often"

// Config is what a Book is made of.
type Config struct {
	// Networks are those of the Caddyfile.
	Networks []Network
	// Files are paths of MaxMind-format files. What one does not tell the
	// next one may.
	Files []string
	// Log is told of reloads and of files that break; nil is silent.
	Log *slog.Logger
}

// Book tells places. All methods may be called by several goroutines at once.
type Book struct {
	log   *slog.Logger
	named atomic.Pointer[named]
	files atomic.Pointer[[]*file]

	mu     sync.Mutex // of what follows, and of writing the two above
	fixed  []Network
	added  []Network
	broken []trouble
	said   atomic.Bool // that a lookup failed, since the last reload
}

// trouble is what is wrong with the file of the same index.
type trouble struct {
	size     int64
	modified time.Time
	problem  string
}

// Open reads the files and builds the table of names. An error names the file
// or network, why it cannot be used, and what to do.
func Open(c Config) (*Book, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	table, err := newNamed(c.Networks)
	if err != nil {
		return nil, err
	}
	files := make([]*file, 0, len(c.Files))
	for _, path := range c.Files {
		f, err := openFile(path)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	b := &Book{log: c.Log, fixed: c.Networks, broken: make([]trouble, len(files))}
	b.named.Store(table)
	b.files.Store(&files)
	if len(files) == 0 {
		c.Log.Info(Advice)
	}
	return b, nil
}

// SetNetworks replaces the names that were given in the console; those of the
// Caddyfile stay. On an error nothing changes.
func (b *Book) SetNetworks(added []Network) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	table, err := newNamed(append(append([]Network(nil), b.fixed...), added...))
	if err != nil {
		return err
	}
	b.added = append([]Network(nil), added...)
	b.named.Store(table)
	return nil
}

// Networks lists the named networks: those of the Caddyfile, then those of
// the console.
func (b *Book) Networks() (fixed, added []Network) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Network(nil), b.fixed...), append([]Network(nil), b.added...)
}

// Lookup tells where an address is, for one user: names that were given for
// somebody else do not count. What is not known stays empty; an address that
// is not valid is the unknown place.
func (b *Book) Lookup(a netip.Addr, user string) access.Place {
	a = a.Unmap().WithZone("")
	if !a.IsValid() {
		return access.Place{}
	}
	p := access.Place{Address: a, Private: PrivateKind(a) != ""}
	p.Name, p.NameFor = b.named.Load().name(a, user)
	if p.Private {
		return p
	}
	var r record
	for _, f := range *b.files.Load() {
		one, err := f.lookup(a)
		switch {
		case err != nil:
			b.complain(err)
		case one == nil:
		case r.empty():
			r = *one
		default:
			r.merge(one)
		}
	}
	p.City, p.Region, p.Country, p.Owner = r.city, r.region, r.country, r.owner
	p.Latitude, p.Longitude, p.Located = r.latitude, r.longitude, r.located
	return p
}

// complain says once that a lookup failed.
func (b *Book) complain(err error) {
	if b.said.CompareAndSwap(false, true) {
		b.log.Error("geo file cannot be read in part: those addresses are unknown places; download it again", "error", err)
	}
}

// Run looks at the files every fifteen seconds until ctx ends.
func (b *Book) Run(ctx context.Context) {
	if len(*b.files.Load()) == 0 {
		<-ctx.Done()
		return
	}
	tick := time.NewTicker(Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			b.Refresh(time.Now())
		}
	}
}

// Refresh reads the files that changed on disk. A file that is broken or gone
// leaves the last good one in use, and is complained of once.
func (b *Book) Refresh(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	files := *b.files.Load()
	for i, old := range files {
		fresh, changed := b.again(i, old, now)
		if !changed {
			continue
		}
		next := append([]*file(nil), files...)
		next[i] = fresh
		files = next
		b.files.Store(&next)
		b.said.Store(false)
	}
}

// again reads file i anew if it is another one than before.
func (b *Book) again(i int, old *file, now time.Time) (*file, bool) {
	last := &b.broken[i]
	info, err := os.Stat(old.path)
	switch {
	case err != nil:
		if last.problem == "" || last.size >= 0 {
			*last = trouble{size: -1, problem: because(old.path, err).Error()}
			b.keepOn(old, last.problem)
		}
		return nil, false
	case info.Size() == old.size && info.ModTime().Equal(old.modified):
		if last.problem != "" {
			b.log.Info("geo file is back as it was", "file", old.path)
			*last = trouble{}
		}
		return nil, false
	case last.problem != "" && info.Size() == last.size && info.ModTime().Equal(last.modified):
		return nil, false // said already
	case now.Sub(info.ModTime()) < settle && now.After(info.ModTime()):
		return nil, false // perhaps still being written
	}
	fresh, err := openFile(old.path)
	if err != nil {
		*last = trouble{size: info.Size(), modified: info.ModTime(), problem: err.Error()}
		b.keepOn(old, last.problem)
		return nil, false
	}
	*last = trouble{}
	b.log.Info("geo file reloaded", "file", old.path, "type", fresh.source().Type, "built", fresh.source().Built)
	return fresh, true
}

func (b *Book) keepOn(old *file, problem string) {
	b.log.Error("geo file changed and cannot be used: the last good one stays in use", "problem", problem, "in_use_built", old.source().Built)
}

// Source says what one file is, for the console.
type Source struct {
	// Path is as the operator wrote it.
	Path string
	// Type is what the file calls itself ("GeoLite2-City").
	Type string
	// Tells is what it was seen to tell: "city", "country and network owner".
	Tells string
	// Built is when its maker made it; zero when it does not say.
	Built time.Time
	// Size is in bytes.
	Size int64
	// Problem says why a newer file on disk is not in use; empty when all is
	// well.
	Problem string
}

// Age is how old the data is at now; 0 when the file does not say.
func (s Source) Age(now time.Time) time.Duration {
	if s.Built.IsZero() {
		return 0
	}
	return max(now.Sub(s.Built), 0)
}

// String is the source in one line.
func (s Source) String() string {
	line := fmt.Sprintf("%s: %s, tells %s", s.Path, s.Type, s.Tells)
	if !s.Built.IsZero() {
		line += ", built " + s.Built.UTC().Format(time.DateOnly)
	}
	if s.Problem != "" {
		line += "; " + s.Problem
	}
	return line
}

func (f *file) source() Source {
	s := Source{Path: f.path, Type: text(f.db.Metadata.DatabaseType), Tells: f.tells, Size: f.size}
	if f.db.Metadata.BuildEpoch > 0 {
		s.Built = f.db.Metadata.BuildTime().UTC()
	}
	return s
}

// Sources lists the files, in their order.
func (b *Book) Sources() []Source {
	b.mu.Lock()
	defer b.mu.Unlock()
	files := *b.files.Load()
	list := make([]Source, len(files))
	for i, f := range files {
		list[i] = f.source()
		list[i].Problem = b.broken[i].problem
	}
	return list
}
