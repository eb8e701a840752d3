package books

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"github.com/cadenas-gateway/cadenas/store"
)

// Groups is the book of the groups that the identity source of an application
// last named for a user, so that connections in store are judged as the gate
// would judge them. Who has none has no record.
//
//	groups/<user> -> {1: names}
//
// It decides about no request: the groups of a visit are those it came with.
type Groups struct{ st store.Store }

// groupsBytes bounds the names kept of one user; an identity source with more
// than that names hundreds, of which those first in the alphabet stay.
const groupsBytes = 16 << 10

type groupsRecord struct {
	Names []string `cbor:"1,keyasint,omitempty"`
}

func groupsKey(application, user string) string { return Key(application, "groups", user) }

// SortGroups returns names as Groups keeps them: each once, in order.
func SortGroups(names []string) []string {
	sorted := slices.Sorted(slices.Values(names))
	sorted = slices.Compact(sorted)
	size := 0
	for i, name := range sorted {
		if size += len(name) + 3; size > groupsBytes {
			return sorted[:i]
		}
	}
	return sorted
}

// Of returns the groups last seen with a user, in order; nil for none.
func (b Groups) Of(ctx context.Context, application, user string) ([]string, error) {
	if user == "" {
		return nil, nil
	}
	r, err := Get[groupsRecord](ctx, b.st, groupsKey(application, user))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return r.Names, err
}

// Any reports whether groups of anybody are kept: where not, nobody's need be
// asked for.
func (b Groups) Any(ctx context.Context, application string) (bool, error) {
	entries, err := b.st.Range(ctx, store.Query{Prefix: Prefix(application, "groups"), Limit: 1, KeysOnly: true})
	return len(entries) > 0, err
}

// Each hands the users who have groups to do, in the order of their keys, with
// their groups, until it returns false.
func (b Groups) Each(ctx context.Context, application string, do func(user string, names []string) bool) error {
	prefix := Prefix(application, "groups")
	return Each(ctx, b.st, store.Query{Prefix: prefix}, func(key string, r groupsRecord) bool {
		user, err := url.PathUnescape(key[len(prefix):])
		return err != nil || do(user, r.Names)
	})
}

// Put keeps a user's groups as SortGroups returns them; none takes the record
// away. Nobody waits to hear of it: the visit it came with was judged by them.
func (Groups) Put(application, user string, names []string) store.Write {
	w := store.Write{Key: groupsKey(application, user), Quiet: true}
	if len(names) > 0 {
		w.Value = Encode(groupsRecord{names})
	}
	return w
}
