package books

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/store"
)

// Made is one line of the index of rules by when they were made, which tells
// how many there are, where they lie and which places they name, without a
// record being read. The line is a hint: what counts is the record.
//
//	rule-made/<6 bytes millisecond><user>/<identifier> -> <6 bytes millisecond of the end, 0 for none><name of the place>
type Made struct {
	Application, User, ID string
	At                    time.Time
	// Until is when the rule ends, zero for never.
	Until time.Time
	// Place is the name of the network that the rule names, "" for none.
	Place string
}

// Ended reports whether the rule is over at now.
func (m Made) Ended(now time.Time) bool { return !m.Until.IsZero() && !now.Before(m.Until) }

const madeKind = "rule-made"

// millisecondLength is how long a millisecond is in the index: enough until
// the year 10889.
const millisecondLength = 6

func appendMillisecond(b []byte, t time.Time) []byte {
	var eight [8]byte
	binary.BigEndian.PutUint64(eight[:], uint64(max(t.UnixMilli(), 0))) //nolint:gosec // not negative
	return append(b, eight[8-millisecondLength:]...)
}

func millisecondAt(text string) time.Time {
	var eight [8]byte
	copy(eight[8-millisecondLength:], text)
	ms := int64(binary.BigEndian.Uint64(eight[:])) //nolint:gosec // six bytes of it
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func madeKey(r access.Rule) string {
	return Prefix(r.Application, madeKind) + string(appendMillisecond(nil, r.Created)) + url.PathEscape(r.User) + "/" + url.PathEscape(r.ID)
}

// madeWrite is the line of a rule.
func madeWrite(r access.Rule) store.Write {
	return store.Write{Key: madeKey(r), Value: append(appendMillisecond(nil, r.Until), r.Place.Name...), Quiet: true}
}

func madeAt(application string, e store.Entry, prefix int) (m Made, ok bool) {
	if len(e.Key) < prefix+millisecondLength || len(e.Value) < millisecondLength {
		return m, false
	}
	user, id, ok := strings.Cut(e.Key[prefix+millisecondLength:], "/")
	if !ok {
		return m, false
	}
	m = Made{
		Application: application, At: millisecondAt(e.Key[prefix : prefix+millisecondLength]),
		Until: millisecondAt(string(e.Value[:millisecondLength])), Place: string(e.Value[millisecondLength:]),
	}
	var err1, err2 error
	m.User, err1 = url.PathUnescape(user)
	m.ID, err2 = url.PathUnescape(id)
	return m, err1 == nil && err2 == nil
}

// Newest hands the index of an application's rules ("" for those about all) to
// do, the last made first, until it returns false.
func (b Rules) Newest(ctx context.Context, application string, do func(m Made) bool) error {
	prefix := Prefix(application, madeKind)
	q := store.Query{Prefix: prefix, Reverse: true, Limit: 256}
	for {
		entries, err := b.st.Range(ctx, q)
		if err != nil {
			return fmt.Errorf("reading the index of rules: %w", err)
		}
		for _, e := range entries {
			if m, ok := madeAt(application, e, len(prefix)); ok && !do(m) {
				return nil
			}
		}
		if len(entries) < q.Limit {
			return nil
		}
		q.After, q.Limit = entries[len(entries)-1].Key, 2000
	}
}

// Load reads the rule of a line. It returns false where the line is no longer
// true: the rule is gone, or was made anew.
func (b Rules) Load(ctx context.Context, m Made) (access.Rule, bool, error) {
	r, err := Get[access.Rule](ctx, b.st, b.Key(access.Rule{Application: m.Application, User: m.User, ID: m.ID}))
	if errors.Is(err, store.ErrNotFound) {
		return r, false, nil
	}
	if err != nil {
		return r, false, err
	}
	created := r.Created
	if created.UnixMilli() < 0 {
		created = time.Time{}
	}
	return r, created.Equal(m.At) || created.UnixMilli() == m.At.UnixMilli(), nil
}

// Find returns the rule of an identifier in an application. Where the index
// does not have it, the records are looked through.
func (b Rules) Find(ctx context.Context, application, id string) (access.Rule, error) {
	var found access.Rule
	var failed error
	err := b.Newest(ctx, application, func(m Made) bool {
		if m.ID != id {
			return true
		}
		r, ok, err := b.Load(ctx, m)
		if failed = err; err == nil && ok {
			found = r
		}
		return failed == nil && !ok
	})
	if err = errors.Join(err, failed); err != nil || found.ID != "" {
		return found, err
	}
	err = Each(ctx, b.st, store.Query{Prefix: Prefix(application, "rule")}, func(_ string, r access.Rule) bool {
		if r.ID == id {
			found = r
		}
		return found.ID == ""
	})
	if err == nil && found.ID == "" {
		err = store.ErrNotFound
	}
	return found, err
}
