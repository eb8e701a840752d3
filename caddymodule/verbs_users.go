package caddymodule

import (
	"context"
	"fmt"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
)

func listUsers(ctx context.Context, c *call) (any, error) { return c.state.books.Users.All(ctx) }

func showUser(ctx context.Context, c *call) (any, error) {
	name, err := c.word("name")
	if err != nil {
		return nil, err
	}
	u, err := c.state.books.Users.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	seen, err := c.seen(ctx, name)
	return c.treated(ctx, u, seen, err)
}

func treatUser(ctx context.Context, c *call) (any, error) {
	name, err := c.word("name")
	if err != nil {
		return nil, err
	}
	if app := c.words["app"]; app != "" {
		if _, err := c.apps(ctx); err != nil {
			return nil, err
		}
	}
	ways := map[string]gate.Treatment{
		"lock": gate.TreatLocked, "unlock": gate.TreatByRules, "full-access": gate.TreatFullAccess, "by-rules": gate.TreatByRules,
	}
	way, ok := ways[c.words["treat"]]
	if !ok {
		return nil, badWords("user %s does not know %q: write lock, unlock, full-access or by-rules", name, c.words["treat"])
	}
	seen, err := c.seen(ctx, name)
	if err != nil {
		return nil, err
	}
	if c.words["treat"] == "unlock" {
		if err := c.isLocked(ctx, name); err != nil {
			return nil, err // or it would take full access away
		}
	}
	u, err := c.state.gate.Treat(ctx, name, c.words["app"], way, c.words["why"], c.by)
	if err == nil && way == gate.TreatByRules {
		err = otherScope(u.User, u.Locked, c.words["app"], "is still locked")
		if err == nil && c.words["treat"] == "by-rules" {
			err = otherScope(u.User, u.FullAccess, c.words["app"], "still has full access")
		}
	}
	return c.treated(ctx, u, seen, err)
}

// treated is a user as the command line tells of them.
type treated struct {
	books.User
	// Seen says that somebody of that name was here, or that an admin wrote
	// them down.
	Seen bool
	// Groups are those last seen with them, by application.
	Groups map[string][]string `json:",omitempty"`
}

// treated is what is answered of a user, beside an error there may be.
func (c *call) treated(ctx context.Context, u books.User, seen bool, err error) (any, error) {
	t := treated{User: u, Seen: seen}
	if err != nil {
		return t, err
	}
	for _, app := range c.applications(ctx) {
		names, err := c.state.books.Groups.Of(ctx, app, u.User)
		if err != nil {
			return t, err
		}
		if len(names) > 0 {
			if t.Groups == nil {
				t.Groups = map[string][]string{}
			}
			t.Groups[app] = names
		}
	}
	return t, nil
}

// seen reports whether a name is somebody's: what is said of a mistyped one
// would never count.
func (c *call) seen(ctx context.Context, user string) (bool, error) {
	u, err := c.state.books.Users.Get(ctx, user)
	if err != nil || !u.Created.IsZero() {
		return err == nil, err
	}
	for _, app := range c.applications(ctx) {
		list, err := c.state.books.Connections.Of(ctx, app, user, 1)
		if err != nil || len(list) > 0 {
			return err == nil, err
		}
	}
	return false, nil
}

// isLocked is nil where a user is locked in the scope that is named.
func (c *call) isLocked(ctx context.Context, user string) error {
	u, err := c.state.books.Users.Get(ctx, user)
	if err != nil {
		return err
	}
	if _, here := u.Locked[c.words["app"]]; here {
		return nil
	}
	if err := otherScope(u.User, u.Locked, c.words["app"], "is locked"); err != nil {
		return err
	}
	return fmt.Errorf("%s is not locked", user)
}

// otherScope is an error where a mark stands for another scope than the one
// that is named: who unlocks somebody wants them in.
func otherScope(user string, marks map[string]books.Mark, application, word string) error {
	for app := range marks {
		switch {
		case app == application:
		case app == "":
			return fmt.Errorf("%s %s in all applications: leave out --app", user, word)
		case application == "":
			return fmt.Errorf("%s %s in %s: add --app %s", user, word, app, app)
		}
	}
	return nil
}

func endLogins(ctx context.Context, c *call) (any, error) {
	name, err := c.word("name")
	if err != nil {
		return nil, err
	}
	ended := []string{}
	for _, h := range c.handlers() {
		if w := h.watching(); w != nil && (c.words["app"] == "" || c.words["app"] == h.name) {
			if err := w.EndAll(ctx, name); err != nil {
				return nil, err
			}
			ended = append(ended, h.name)
			if err := c.state.books.Audit.Append(ctx, c.entry(time.Now(), "user.sign-out", h.name, name, nil)); err != nil {
				return nil, err
			}
		}
	}
	return ended, nil
}
