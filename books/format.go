package books

import (
	"context"
	"errors"
	"fmt"

	"github.com/cadenas-gateway/cadenas/store"
)

// Which versions may share a store. A version that adds a field at the top of
// a record, or a kind of record, raises format alone: the version before it
// goes on beside it and loses nothing (Unknown). One whose records the version
// before would misread raises least too, to its own format: the version before
// then refuses the store, in words.
const (
	// format is that of this version.
	format = 1
	// least is the format that a version must know at the least to work
	// beside this one.
	least = 1
)

// ErrTooNew says that a newer version wrote into the store what this one would
// misread.
var ErrTooNew = errors.New("a newer version of Cadenas has written into this store what this version cannot read")

// formatRecord is the highest that any version which used the store has said.
type formatRecord struct {
	Format, Least int

	Unknown
}

// FormatKey is where a store says which versions may use it.
func FormatKey() string { return Key("", "format") }

// Agree sees whether this version may use a store, and says in the store what
// it needs itself. The error wraps ErrTooNew where it may not. Newer reports
// that a later version shares the store, or did.
func Agree(ctx context.Context, st store.Store) (newer bool, err error) {
	r, err := Update(ctx, st, FormatKey(), func(r *formatRecord) ([]store.Write, bool, error) {
		if err := r.readable(); err != nil {
			return nil, false, err
		}
		if r.Format >= format && r.Least >= least {
			return nil, false, nil
		}
		r.Format, r.Least = max(r.Format, format), max(r.Least, least)
		return nil, true, nil
	})
	return r.Format > format, err
}

// Readable is nil where a record under FormatKey lets this version go on.
func Readable(value []byte) error {
	var r formatRecord
	if err := Decode(value, &r); err != nil {
		return err
	}
	return r.readable()
}

func (r formatRecord) readable() error {
	if r.Least <= format {
		return nil
	}
	return fmt.Errorf("%w (it wants format %d, this one knows %d): start the newer version again, or take a new store and restore a backup that this version made",
		ErrTooNew, r.Least, format)
}
