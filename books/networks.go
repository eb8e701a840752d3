package books

import (
	"context"
	"fmt"
	"time"

	"github.com/cadenas-gateway/cadenas/store"
)

// Network is a name that an admin gave to addresses in the console; the
// configuration's are joined to them where places are told.
type Network struct {
	ID   string
	Name string
	// User is the one person the name is for ("home"); empty for everybody.
	User string
	// Prefixes are networks or addresses in text.
	Prefixes []string
	By       string
	Created  time.Time

	Unknown
}

// Networks is the book of named networks.
type Networks struct{ st store.Store }

// Key is the key of a named network.
func (Networks) Key(id string) string { return Key("", "network", id) }

// All returns every network that was named, the oldest first.
func (b Networks) All(ctx context.Context) ([]Network, error) {
	return All[Network](ctx, b.st, Prefix("", "network"))
}

// Get returns one, or store.ErrNotFound.
func (b Networks) Get(ctx context.Context, id string) (Network, error) {
	return Get[Network](ctx, b.st, b.Key(id))
}

// Save keeps a named network with the entry that says who did it.
func (b Networks) Save(ctx context.Context, n Network, e Entry) error {
	err := b.st.Apply(ctx, store.Batch{Writes: []store.Write{{Key: b.Key(n.ID), Value: Encode(n)}, Audit{}.Write(e)}})
	if err != nil {
		return fmt.Errorf("naming network %s: %w", n.Name, err)
	}
	return nil
}

// Remove takes a name away with the entry that says who did it.
func (b Networks) Remove(ctx context.Context, id string, e Entry) error {
	err := b.st.Apply(ctx, store.Batch{Writes: []store.Write{{Key: b.Key(id)}, Audit{}.Write(e)}})
	if err != nil {
		return fmt.Errorf("taking the name of a network away: %w", err)
	}
	return nil
}

// Merge keeps a network that takes another one in, which goes, in one batch: a
// crash leaves both or the one. The entries say who did it.
func (b Networks) Merge(ctx context.Context, n Network, other string, e, gone Entry) error {
	err := b.st.Apply(ctx, store.Batch{Writes: []store.Write{
		{Key: b.Key(other)}, Audit{}.Write(gone), {Key: b.Key(n.ID), Value: Encode(n)}, Audit{}.Write(e),
	}})
	if err != nil {
		return fmt.Errorf("merging networks named %s: %w", n.Name, err)
	}
	return nil
}
