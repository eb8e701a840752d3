package gate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// groupsText is a set of groups as one text: two that are equal are one set.
func groupsText(names []string) string {
	switch len(names) {
	case 0:
		return ""
	case 1:
		return names[0]
	}
	sorted := slices.Clone(names)
	slices.Sort(sorted)
	return strings.Join(sorted, "\x00")
}

// sawGroups notes the groups somebody came with, where the store may have
// others. It is called once in a burst, with the recorder's lock.
func (g *Gate) sawGroups(p *person, names []string) {
	text := groupsText(names)
	if kept := p.groups.Load(); kept != nil && *kept == text {
		delete(g.dirty.groups, p.key) // they came with others in between
		return
	}
	g.keepGroups(p.key, text, true)
}

// keepGroups leaves groups to the next Flush; newer says that they were seen
// after what may be there already.
func (g *Gate) keepGroups(key personKey, text string, newer bool) {
	_, there := g.dirty.groups[key]
	if there && !newer || !there && len(g.dirty.groups) >= maxPending {
		return
	}
	if g.dirty.groups == nil {
		g.dirty.groups = map[personKey]string{}
	}
	g.dirty.groups[key] = text
}

// writeGroups writes the groups that were seen, where the store has others. An
// application in which nobody ever had any costs one read. What cannot be
// written is kept for the next time.
func (g *Gate) writeGroups(ctx context.Context, seen map[personKey]string) error {
	if len(seen) == 0 {
		return nil
	}
	for key := range seen {
		if p := g.people.look(key); p != nil {
			p.groups.Store(nil) // unknown until this is written
		}
	}
	err := g.changedGroups(ctx, seen)
	if err != nil {
		g.dirty.mu.Lock()
		defer g.dirty.mu.Unlock()
		for key, text := range seen {
			g.keepGroups(key, text, false)
		}
		return fmt.Errorf("recording groups: %w", err)
	}
	for key, text := range seen {
		if p := g.people.look(key); p != nil {
			p.groups.CompareAndSwap(nil, &text)
		}
	}
	return nil
}

func (g *Gate) changedGroups(ctx context.Context, seen map[personKey]string) error {
	byApp, anyOf := map[string][]store.Write{}, map[string]bool{}
	write := func(app string) error {
		writes := byApp[app]
		delete(byApp, app)
		return g.books.Store.Apply(ctx, store.Batch{Writes: writes})
	}
	for key, text := range seen {
		app := key.application
		some, asked := anyOf[app]
		if !asked {
			var err error
			if some, err = g.books.Groups.Any(ctx, app); err != nil {
				return err
			}
			anyOf[app] = some
		}
		if text == "" && !some {
			continue
		}
		kept, err := g.books.Groups.Of(ctx, app, key.user)
		if err != nil {
			return err
		}
		names := namesOf(text)
		if slices.Equal(kept, names) {
			continue
		}
		if byApp[app] = append(byApp[app], g.books.Groups.Put(app, key.user, names)); len(byApp[app]) >= writesPerBatch {
			if err := write(app); err != nil {
				return err
			}
		}
	}
	for app := range byApp {
		if err := write(app); err != nil {
			return err
		}
	}
	return nil
}

// namesOf are the groups of a groupsText, as the book keeps them.
func namesOf(text string) []string {
	if text == "" {
		return nil
	}
	return books.SortGroups(strings.Split(text, "\x00"))
}

// recorded is a connection in store as the rule sees it, with the groups its
// user was last seen with.
func recorded(c books.Connection, groups []string) access.Visit {
	v := c.Visit()
	v.Groups = groups
	return v
}
