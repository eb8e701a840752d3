package gate

import (
	"context"
	"fmt"
	"strconv"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// RemovePerson ends a user's logins, deletes the rules about them and forgets
// their connections in every application, then their record. Who comes again
// under that name is new. It may be repeated where it broke off.
func (g *Gate) RemovePerson(ctx context.Context, user string, by By) error {
	if user == "" {
		return ErrInexact
	}
	if err := g.Flush(ctx); err != nil {
		return err
	}
	logins, rules, connections := 0, 0, 0
	for _, app := range append(g.Applications(), "") {
		var writes []store.Write
		about, err := books.All[access.Rule](ctx, g.books.Store, books.Prefix(app, "rule", "u"+user))
		if err != nil {
			return fmt.Errorf("removing %s: %w", user, err)
		}
		for _, r := range about {
			writes = append(writes, g.books.Rules.Delete(r)...)
		}
		rules += len(about)
		if app != "" {
			open, err := g.books.Logins.Of(ctx, app, user)
			if err != nil {
				return fmt.Errorf("removing %s: %w", user, err)
			}
			for _, l := range open {
				writes = append(writes, g.books.Logins.Delete(l)...)
			}
			list, err := g.books.Connections.Of(ctx, app, user, 100*g.opt.PerPerson)
			if err != nil {
				return fmt.Errorf("removing %s: %w", user, err)
			}
			for _, c := range list {
				writes = append(writes, g.books.Connections.Delete(c)...)
			}
			writes = append(writes, g.books.Groups.Put(app, user, nil))
			logins, connections = logins+len(open), connections+len(list)
		} else {
			record, err := g.books.Users.Get(ctx, user)
			if err != nil {
				return fmt.Errorf("removing %s: %w", user, err)
			}
			writes = append(append(writes, g.books.Users.Delete(record)...), g.userEntry("user.remove", user, "", by, map[string]string{
				"logins": strconv.Itoa(logins), "rules": strconv.Itoa(rules), "connections": strconv.Itoa(connections),
			}))
		}
		if len(writes) > 0 {
			if err := g.books.Store.Apply(ctx, store.Batch{Writes: writes}); err != nil {
				return fmt.Errorf("removing %s: %w", user, err)
			}
		}
	}
	g.changedPerson(ctx, "", user)
	return nil
}
