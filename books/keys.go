package books

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store"
)

// keptKeys is how many keys are kept to open what older ones sealed.
const keptKeys = 8

// keyRecord is the ring in store. Sealed keys are boxes of the key that the
// configuration's `keys` gives; bare ones lie beside what they seal.
type keyRecord struct {
	Newest byte
	Keys   map[byte][]byte
	Sealed bool
	Made   map[byte]time.Time

	Unknown
}

func keysKey() string { return Key("", "keys") }

// ErrKeys says that the stored keys cannot be read with the given `keys`.
var ErrKeys = errors.New("the stored keys were sealed with another `keys` value, or with one and none is given now")

// Ring returns the ring of keys in store, made at first use. Wrap seals the
// keys where it is not nil; keys stored bare before are sealed then.
func Ring(ctx context.Context, st store.Store, wrap *seal.Ring, now time.Time) (*seal.Ring, error) {
	rec, err := Get[keyRecord](ctx, st, keysKey())
	switch {
	case errors.Is(err, store.ErrNotFound):
		err = rotate(ctx, st, wrap, now, nil)
		if err != nil && !errors.Is(err, store.ErrConflict) {
			return nil, fmt.Errorf("making keys: %w", err)
		}
		if rec, err = Get[keyRecord](ctx, st, keysKey()); err != nil {
			return nil, fmt.Errorf("reading keys: %w", err)
		}
	case err != nil:
		return nil, fmt.Errorf("reading keys: %w", err)
	}
	keys, err := openKeys(rec, wrap)
	if err != nil {
		return nil, err
	}
	if wrap != nil && !rec.Sealed {
		if err := putKeys(ctx, st, wrap, keyRecord{Newest: rec.Newest, Made: rec.Made, Unknown: rec.Unknown}, keys, Encode(rec)); err != nil && !errors.Is(err, store.ErrConflict) {
			return nil, fmt.Errorf("sealing keys: %w", err)
		}
	}
	return seal.NewRing(keys, rec.Newest)
}

// RotateKeys makes a new newest key; what older keys sealed stays readable
// until eight more were made.
func RotateKeys(ctx context.Context, st store.Store, wrap *seal.Ring, now time.Time) (*seal.Ring, error) {
	rec, err := Get[keyRecord](ctx, st, keysKey())
	if err != nil {
		return nil, fmt.Errorf("reading keys: %w", err)
	}
	if err := rotate(ctx, st, wrap, now, &rec); err != nil {
		return nil, fmt.Errorf("rotating keys: %w", err)
	}
	return Ring(ctx, st, wrap, now)
}

func rotate(ctx context.Context, st store.Store, wrap *seal.Ring, now time.Time, old *keyRecord) error {
	keys, made := map[byte][]byte{}, map[byte]time.Time{}
	var newest byte
	var before []byte
	var unknown Unknown
	if old != nil {
		before, unknown = Encode(*old), old.Unknown
		var err error
		if keys, err = openKeys(*old, wrap); err != nil {
			return err
		}
		for n, at := range old.Made {
			made[n] = at
		}
		newest = old.Newest + 1 // wraps around; only keptKeys are kept
		delete(keys, newest-keptKeys)
		delete(made, newest-keptKeys)
	}
	keys[newest], made[newest] = seal.NewKey(), now
	return putKeys(ctx, st, wrap, keyRecord{Newest: newest, Made: made, Unknown: unknown}, keys, before)
}

// putKeys writes a record with the keys given, where before is what is stored.
func putKeys(ctx context.Context, st store.Store, wrap *seal.Ring, rec keyRecord, keys map[byte][]byte, before []byte) error {
	rec.Keys, rec.Sealed = map[byte][]byte{}, wrap != nil
	for n, k := range keys {
		if wrap != nil {
			k = wrap.Seal(nil, k, "key")
		}
		rec.Keys[n] = k
	}
	return st.Apply(ctx, store.Batch{
		Checks: []store.Check{{Key: keysKey(), Value: before}},
		Writes: []store.Write{{Key: keysKey(), Value: Encode(rec)}},
	})
}

func openKeys(rec keyRecord, wrap *seal.Ring) (map[byte][]byte, error) {
	keys := map[byte][]byte{}
	for n, k := range rec.Keys {
		if rec.Sealed {
			if wrap == nil {
				return nil, ErrKeys
			}
			open, err := wrap.Open(nil, k, "key")
			if err != nil {
				return nil, ErrKeys
			}
			k = open
		}
		keys[n] = k
	}
	return keys, nil
}
