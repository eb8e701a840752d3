package books

import (
	"context"
	"fmt"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/store"
)

// About is what is kept of one user for the verdicts in one application.
type About struct {
	// User is their record; one that was never written has the name alone.
	User User
	// Rules are those about the user, in the application and in all; ended ones
	// are among them. Those about groups and everybody are not: see Rules.Shared.
	Rules []access.Rule
	// Connections are the last ones, newest first seen first.
	Connections []Connection
}

// About reads what is kept of a user, with up to limit connections, in one
// journey to the store: who comes for the first time waits for it.
func (b *Books) About(ctx context.Context, application, user string, limit int) (About, error) {
	about := About{User: User{User: user}}
	queries := []store.Query{
		store.One(b.Users.Key(user)),
		{Prefix: Prefix(application, "rule", "u"+user)},
		{Prefix: Prefix("", "rule", "u"+user)},
		{Prefix: Prefix(application, "connection", user), Reverse: true, Limit: limit},
	}
	found, err := store.Ranges(ctx, b.Store, queries...)
	if err != nil {
		return about, err
	}
	if list := found[0]; len(list) > 0 && list[0].Key == queries[0].Prefix {
		if err := Decode(list[0].Value, &about.User); err != nil {
			return about, fmt.Errorf("%s: %w", list[0].Key, err)
		}
	}
	if application == "" {
		found[2] = nil // the same again
	}
	for i := 1; i <= 2; i++ {
		for q, entries := queries[i], found[i]; ; {
			for _, e := range entries {
				var r access.Rule
				if err := Decode(e.Value, &r); err != nil {
					return about, fmt.Errorf("%s: %w", e.Key, err)
				}
				about.Rules = append(about.Rules, r)
			}
			if len(entries) < q.Max() {
				break
			}
			q.After = entries[len(entries)-1].Key
			if entries, err = b.Store.Range(ctx, q); err != nil {
				return about, err
			}
		}
	}
	about.Connections, err = b.Connections.readAll(ctx, application, user, len(queries[3].Prefix), found[3])
	return about, err
}
