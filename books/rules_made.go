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
//	rule-made/<5 bytes second><user>/<identifier> -> <5 bytes second of the end, 0 for none><name of the place>
type Made struct {
	Application, User, ID string
	// At is about when, to the second.
	At time.Time
	// Until is about when the rule ends, zero for never.
	Until time.Time
	// Place is the name of the network that the rule names, "" for none.
	Place string
}

// Ended reports whether the rule is over at now.
func (m Made) Ended(now time.Time) bool { return !m.Until.IsZero() && !now.Before(m.Until) }

const madeKind = "rule-made"

// aside is added before a moment is cut to its second. A moment comes back from
// a record up to a microsecond off: so a clock of whole milliseconds never
// stands where one second becomes the next.
const aside = 250_300 * time.Microsecond

// roughly is the second by which a rule's moment is kept in its line; 0 for
// none.
func roughly(t time.Time) int64 { return max(t.Add(aside).Unix(), 0) }

func appendSecond(b []byte, t time.Time) []byte {
	var eight [8]byte
	binary.BigEndian.PutUint64(eight[:], uint64(roughly(t))) //nolint:gosec // not negative
	return append(b, eight[8-secondLength:]...)
}

func secondAt(text string) time.Time {
	var eight [8]byte
	copy(eight[8-secondLength:], text)
	second := int64(binary.BigEndian.Uint64(eight[:])) //nolint:gosec // five bytes of it
	if second == 0 {
		return time.Time{}
	}
	return time.Unix(second, 0)
}

func madeKey(r access.Rule) string {
	return Prefix(r.Application, madeKind) + string(appendSecond(nil, r.Created)) + url.PathEscape(r.User) + "/" + url.PathEscape(r.ID)
}

// madeWrite is the line of a rule.
func madeWrite(r access.Rule) store.Write {
	return store.Write{Key: madeKey(r), Value: append(appendSecond(nil, r.Until), r.Place.Name...), Quiet: true}
}

func madeAt(application string, e store.Entry, prefix int) (m Made, ok bool) {
	if len(e.Key) < prefix+secondLength || len(e.Value) < secondLength {
		return m, false
	}
	user, id, ok := strings.Cut(e.Key[prefix+secondLength:], "/")
	if !ok {
		return m, false
	}
	m = Made{
		Application: application, At: secondAt(e.Key[prefix : prefix+secondLength]),
		Until: secondAt(string(e.Value[:secondLength])), Place: string(e.Value[secondLength:]),
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
	at := int64(0)
	if !m.At.IsZero() {
		at = m.At.Unix()
	}
	return r, roughly(r.Created) == at, nil
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
