// Package books are the typed records kept in a store: users, rules,
// connections, logins, devices, padlocks, admins, keys and the audit. Each
// book knows the keys of its records; all are built once, by New.
//
// What belongs to one application lies in that application's partition, so
// that a decision, its rule, its audit entry and its notices can be written
// in one batch. What belongs to all lies in the partition "_".
package books

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/cadenas-gateway/cadenas/store"
)

// Shared is the partition of what belongs to no single application. No
// application may bear this name.
const Shared = "_"

// Books is every book on one store.
type Books struct {
	Store       store.Store
	Users       Users
	Rules       Rules
	Connections Connections
	Logins      Logins
	Devices     Devices
	Padlocks    Padlocks
	Admins      Admins
	Audit       Audit
	Networks    Networks
	Groups      Groups
}

// New builds the books on a store.
func New(st store.Store) *Books {
	return &Books{
		Store:       st,
		Users:       Users{st},
		Rules:       Rules{st},
		Connections: Connections{st, &placeTable{}},
		Logins:      Logins{st},
		Devices:     Devices{st},
		Padlocks:    Padlocks{st},
		Admins:      Admins{st},
		Audit:       Audit{st},
		Networks:    Networks{st},
		Groups:      Groups{st},
	}
}

// Key joins a partition (an application, or "" for Shared) and the parts of
// a key. Parts are escaped: none can reach into another's range.
func Key(application string, parts ...string) string { return key(application, parts, 0, "") }

// Prefix is Key for a range: what lies under the parts given.
func Prefix(application string, parts ...string) string { return key(application, parts, 1, "/") }

// key is a key with what stands behind it, in one piece of memory that has
// room for more bytes of it.
func key(application string, parts []string, more int, behind string) string {
	partition := Partition(application)
	n := len(partition) + more
	for _, p := range parts {
		n += 1 + len(p)
	}
	var k strings.Builder
	k.Grow(n)
	k.WriteString(partition)
	for _, p := range parts {
		k.WriteByte('/')
		k.WriteString(url.PathEscape(p))
	}
	k.WriteString(behind)
	return k.String()
}

// Partition is the partition of an application, Shared for "".
func Partition(application string) string {
	if application == "" {
		return Shared
	}
	return url.PathEscape(application)
}

// Application is the application a partition belongs to, "" for Shared.
func Application(partition string) string {
	if partition == Shared {
		return ""
	}
	name, err := url.PathUnescape(partition)
	if err != nil {
		return partition
	}
	return name
}

var idText = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewID returns an identifier whose text sorts by the time it was made (to
// the millisecond) and that ends in 80 random bits. It names things; it is
// never a secret.
func NewID(now time.Time) string {
	var b [16]byte
	rand.Read(b[6:])
	ms := now.UnixMilli()
	binary.BigEndian.PutUint16(b[0:2], uint16(ms>>32)) //nolint:gosec // the upper 16 of 48 bits
	binary.BigEndian.PutUint32(b[2:6], uint32(ms))     //nolint:gosec // the lower 32
	return idText.EncodeToString(b[:])
}

// IDTime is the moment an identifier of NewID was made.
func IDTime(id string) (time.Time, bool) {
	b, err := idText.DecodeString(id)
	if err != nil || len(b) != 16 {
		return time.Time{}, false
	}
	ms := int64(binary.BigEndian.Uint16(b[0:2]))<<32 | int64(binary.BigEndian.Uint32(b[2:6]))
	return time.UnixMilli(ms), true
}

var encoding = func() cbor.EncMode {
	m, err := cbor.EncOptions{Sort: cbor.SortBytewiseLexical, Time: cbor.TimeUnixMicro, OmitEmpty: cbor.OmitEmptyGoValue}.EncMode()
	if err != nil {
		panic(err)
	}
	return m
}()

// Encode is a record in the form in which books keep it: CBOR (RFC 8949), maps in
// one order, so that equal records are equal bytes,
// times in seconds with microseconds. Fields of a newer version that the record
// carries (Unknown) are written with it.
func Encode(v any) []byte {
	b, err := encoding.Marshal(v)
	if n, ok := v.(interface{ Newer() string }); ok && err == nil && n.Newer() != "" {
		b, err = withNewer(b, n.Newer())
	}
	if err != nil {
		panic(fmt.Sprintf("books: encoding %T: %v", v, err)) // only a type that is no record
	}
	return b
}

// Decode reads a record that Encode wrote, of this version or of one beside it:
// a record that embeds Unknown keeps the fields that are not known.
func Decode(b []byte, v any) error {
	if err := decode(b, v); err != nil {
		return fmt.Errorf("reading stored %T: %w", v, err)
	}
	return nil
}

// Get reads one record. The error wraps store.ErrNotFound where there is
// none.
func Get[T any](ctx context.Context, st store.Store, key string) (T, error) {
	var v T
	b, err := st.Get(ctx, key)
	if err != nil {
		return v, err
	}
	return v, Decode(b, &v)
}

// Each reads the records of a range in order and hands them to do until it
// returns false or the range ends. A record that cannot be read ends it with
// an error.
func Each[T any](ctx context.Context, st store.Store, q store.Query, do func(key string, v T) bool) error {
	if q.Limit == 0 {
		q.Limit = 1000
	}
	for {
		entries, err := st.Range(ctx, q)
		if err != nil {
			return err
		}
		for _, e := range entries {
			var v T
			if err := Decode(e.Value, &v); err != nil {
				return fmt.Errorf("%s: %w", e.Key, err)
			}
			if !do(e.Key, v) {
				return nil
			}
		}
		if len(entries) < q.Limit {
			return nil
		}
		q.After = entries[len(entries)-1].Key
	}
}

// All reads every record of a range.
func All[T any](ctx context.Context, st store.Store, prefix string) ([]T, error) {
	var all []T
	err := Each(ctx, st, store.Query{Prefix: prefix}, func(_ string, v T) bool {
		all = append(all, v)
		return true
	})
	return all, err
}

// Update reads a record (the zero value where there is none), lets change
// alter it, and writes it with more writes of the same partition; it starts
// again when somebody else wrote meanwhile. Change returns false to leave
// things as they are. The record embeds Unknown, so that what a newer version
// wrote into it is not lost.
func Update[T any, P interface {
	*T
	KeepNewer(fields string)
}](ctx context.Context, st store.Store, key string, change func(v *T) (more []store.Write, ok bool, err error)) (T, error) {
	for try := 0; ; try++ {
		var v T
		old, err := st.Get(ctx, key)
		switch {
		case errors.Is(err, store.ErrNotFound):
			old = nil
		case err != nil:
			return v, err
		default:
			if err := Decode(old, &v); err != nil {
				return v, fmt.Errorf("%s: %w", key, err)
			}
		}
		more, ok, err := change(&v)
		if err != nil || !ok {
			return v, err
		}
		err = st.Apply(ctx, store.Batch{
			Checks: []store.Check{{Key: key, Value: old}},
			Writes: append([]store.Write{{Key: key, Value: Encode(v)}}, more...),
		})
		if !errors.Is(err, store.ErrConflict) || try >= 50 {
			return v, err
		}
	}
}
