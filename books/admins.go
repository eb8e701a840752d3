package books

import (
	"context"
	"errors"
	"fmt"

	"github.com/cadenas-gateway/cadenas/store"
)

// ErrLastAdmin says that an admin cannot be removed: there would be none.
var ErrLastAdmin = errors.New("the last admin cannot be removed")

// Get returns an admin whom the console made, or store.ErrNotFound.
func (b Admins) Get(ctx context.Context, email string) (Admin, error) {
	return Get[Admin](ctx, b.st, b.Key(email))
}

// Save keeps an admin with the entry that says who did it. Before is the
// e-mail they had, where that is another; empty or the same changes no key.
func (b Admins) Save(ctx context.Context, a Admin, before string, e Entry) error {
	writes := []store.Write{{Key: b.Key(a.Email), Value: Encode(a)}, Audit{}.Write(e)}
	var checks []store.Check
	if before != a.Email {
		checks = append(checks, store.Check{Key: b.Key(a.Email)}) // nobody else has it
		if before != "" {
			writes = append(writes, store.Write{Key: b.Key(before)})
		}
	}
	if err := b.st.Apply(ctx, store.Batch{Checks: checks, Writes: writes}); err != nil {
		return fmt.Errorf("keeping admin %s: %w", a.Email, err)
	}
	return nil
}

// Remove removes an admin whom the console made, with the entry that says who
// did it. Others says that the configuration names an admin too; where it does
// not, the last one stays: ErrLastAdmin, also for two who remove each other at
// the same moment.
func (b Admins) Remove(ctx context.Context, email string, others bool, e Entry) error {
	entries, err := b.st.Range(ctx, store.Query{Prefix: Prefix("", "admin")})
	if err != nil {
		return fmt.Errorf("reading the admins: %w", err)
	}
	batch := store.Batch{Writes: []store.Write{{Key: b.Key(email)}, Audit{}.Write(e)}}
	found := false
	for _, entry := range entries {
		if entry.Key == b.Key(email) {
			found = true
			batch.Checks = append(batch.Checks, store.Check{Key: entry.Key, Value: entry.Value})
		} else if !others {
			others = true // this one stays, and must still be there when we write
			batch.Checks = append(batch.Checks, store.Check{Key: entry.Key, Value: entry.Value})
		}
	}
	switch {
	case !found:
		return store.ErrNotFound
	case !others:
		return ErrLastAdmin
	}
	if err := b.st.Apply(ctx, batch); err != nil {
		return fmt.Errorf("removing admin %s: %w", email, err)
	}
	return nil
}
