package places

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"
)

const (
	// maxFile bounds what is read into memory; the largest city file that is
	// about has some 130 MB.
	maxFile = 1 << 30
	// slots bounds the records of one file that are kept decoded; many
	// networks share one record.
	slots = 4096
	// samples is how many networks are looked at to see what a file tells.
	samples = 2000
)

// file is one database, read whole. It is not mapped: whoever updates it in
// place would pull the pages from under the process.
type file struct {
	path     string
	size     int64
	modified time.Time
	db       *maxminddb.Reader
	tells    string // what it was seen to tell, in words
	cache    [slots]atomic.Pointer[decoded]
}

// decoded is one record under its offset in the file.
type decoded struct {
	offset uintptr
	record record
}

// openFile reads a database and looks whether it tells places.
func openFile(path string) (*file, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, because(path, err)
	}
	if info.IsDir() {
		return nil, fmt.Errorf("geo file %s is a folder: name the .mmdb file in it", path)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("geo file %s has %d MB: more than the 1,024 that are read", path, info.Size()>>20)
	}
	content, err := os.ReadFile(path) //nolint:gosec // the operator's own path
	if err != nil {
		return nil, because(path, err)
	}
	if len(content) == 0 {
		return nil, fmt.Errorf("geo file %s is empty: download it again", path)
	}
	db, err := maxminddb.OpenBytes(content)
	if err != nil {
		return nil, fmt.Errorf("geo file %s is broken or no MaxMind-format file (.mmdb): %w: if it is packed (.gz, .tar.gz, .zip) unpack it, else download it again", path, err)
	}
	f := &file{path: path, size: info.Size(), modified: info.ModTime(), db: db}
	if err := f.sample(); err != nil {
		return nil, err
	}
	return f, nil
}

// because turns what the system said into what to do.
func because(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("geo file %s is missing: put it there, or take its `places` line away: %w", path, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("geo file %s must be readable for the user that Caddy runs as: %w", path, err)
	}
	return fmt.Errorf("reading geo file %s: %w", path, err)
}

// sample looks at some networks: a file of another kind (anonymous proxies,
// domains) opens well and tells nothing.
func (f *file) sample() (err error) {
	defer func() {
		if broken := recover(); broken != nil {
			err = fmt.Errorf("geo file %s is broken: %v: download it again", f.path, broken)
		}
	}()
	var seen record
	n := 0
	for result := range f.db.Networks(maxminddb.SkipEmptyValues()) {
		var m map[string]any
		if err := result.Decode(&m); err != nil {
			var kind maxminddb.UnmarshalTypeError
			if errors.As(err, &kind) {
				break // records of another shape: not ours
			}
			return fmt.Errorf("geo file %s is broken: %w: download it again", f.path, err)
		}
		r := newRecord(m)
		seen.city, seen.country = firstText(seen.city, r.city), firstText(seen.country, r.country)
		seen.owner, seen.located = firstText(seen.owner, r.owner), seen.located || r.located
		if n++; n >= samples || (seen.city != "" && seen.owner != "") {
			break
		}
	}
	switch {
	case seen.city != "" && seen.owner != "":
		f.tells = "city and network owner"
	case seen.city != "":
		f.tells = "city"
	case seen.country != "" && seen.owner != "":
		f.tells = "country and network owner"
	case seen.country != "":
		f.tells = "country"
	case seen.owner != "":
		f.tells = "network owner"
	case seen.located:
		f.tells = "coordinates"
	default:
		return fmt.Errorf("geo file %s (%s) tells neither city, country nor network owner: name a city, country or ASN file",
			f.path, firstText(text(f.db.Metadata.DatabaseType), "of an unnamed type"))
	}
	return nil
}

// lookup returns what the file tells of an address; found is false when it
// tells nothing. A record is decoded once; after that a lookup is a walk down
// the tree. A file that is corrupt inside makes an error, never a panic.
func (f *file) lookup(a netip.Addr) (r *record, err error) {
	defer func() {
		if broken := recover(); broken != nil {
			r, err = nil, fmt.Errorf("geo file %s is broken: %v", f.path, broken)
		}
	}()
	if f.db.Metadata.IPVersion == 4 && !a.Is4() {
		return nil, nil
	}
	result := f.db.Lookup(a)
	if err := result.Err(); err != nil {
		return nil, fmt.Errorf("geo file %s: %w", f.path, err)
	}
	if !result.Found() {
		return nil, nil
	}
	offset := result.Offset()
	slot := &f.cache[uint64(offset)*0x9E3779B97F4A7C15>>52]
	if d := slot.Load(); d != nil && d.offset == offset {
		return &d.record, nil
	}
	var m map[string]any
	if err := result.Decode(&m); err != nil {
		return nil, fmt.Errorf("geo file %s: %w", f.path, err)
	}
	d := &decoded{offset: offset, record: newRecord(m)}
	slot.Store(d)
	return &d.record, nil
}
