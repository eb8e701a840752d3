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
	// Groups are those last seen with the user; People alone fills them in.
	Groups []string
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
		if about.Rules, err = b.moreRules(ctx, about.Rules, queries[i], found[i]); err != nil {
			return about, err
		}
	}
	about.Connections, err = b.Connections.readAll(ctx, application, user, len(queries[3].Prefix), found[3])
	return about, err
}

// moreRules adds the rules of a query's answer to a list, and what is behind the
// query's limit.
func (b *Books) moreRules(ctx context.Context, list []access.Rule, q store.Query, entries []store.Entry) ([]access.Rule, error) {
	for {
		for _, e := range entries {
			var r access.Rule
			if err := Decode(e.Value, &r); err != nil {
				return list, fmt.Errorf("%s: %w", e.Key, err)
			}
			list = append(list, r)
		}
		if len(entries) < q.Max() {
			return list, nil
		}
		q.After = entries[len(entries)-1].Key
		var err error
		if entries, err = b.Store.Range(ctx, q); err != nil {
			return list, err
		}
	}
}

// People is About for several users, in their order, without their connections
// and with their groups where grouped: what a look at everybody reads at once.
func (b *Books) People(ctx context.Context, application string, grouped bool, users []string) ([]About, error) {
	if len(users) == 0 {
		return nil, nil
	}
	var queries []store.Query
	for _, user := range users {
		queries = append(queries, store.One(b.Users.Key(user)), store.Query{Prefix: Prefix(application, "rule", "u"+user)}, store.Query{Prefix: Prefix("", "rule", "u"+user)})
		if grouped {
			queries = append(queries, store.One(groupsKey(application, user)))
		}
	}
	found, err := store.Ranges(ctx, b.Store, queries...)
	if err != nil {
		return nil, err
	}
	read := func(i int, v any) error {
		if list := found[i]; len(list) > 0 && list[0].Key == queries[i].Prefix {
			if err := Decode(list[0].Value, v); err != nil {
				return fmt.Errorf("%s: %w", list[0].Key, err)
			}
		}
		return nil
	}
	people, each := make([]About, len(users)), len(queries)/len(users)
	for n, user := range users {
		about, at := &people[n], n*each
		about.User.User = user
		if err := read(at, &about.User); err != nil {
			return nil, err
		}
		for i := at + 1; i <= at+2; i++ {
			if i == at+2 && application == "" {
				break // the same again
			}
			if about.Rules, err = b.moreRules(ctx, about.Rules, queries[i], found[i]); err != nil {
				return nil, err
			}
		}
		if grouped {
			var groups groupsRecord
			if err := read(at+3, &groups); err != nil {
				return nil, err
			}
			about.Groups = groups.Names
		}
	}
	return people, nil
}
