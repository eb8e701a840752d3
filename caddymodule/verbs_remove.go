package caddymodule

import (
	"context"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
)

// removal is what became of `caddy cadenas user remove`.
type removal struct {
	User        string
	Removed     bool
	Connections int
}

// removeUser says what would go, and with --yes removes it.
func removeUser(ctx context.Context, c *call) (any, error) {
	name, err := c.word("name")
	if err != nil {
		return nil, err
	}
	a := removal{User: name, Removed: c.words["yes"] != ""}
	for _, app := range c.applications(ctx) {
		list, err := c.state.books.Connections.Of(ctx, app, name, 50_000)
		if err != nil {
			return nil, err
		}
		a.Connections += len(list)
	}
	if !a.Removed {
		return a, nil
	}
	return a, c.removePerson(ctx, name, c.by)
}

// removePerson removes a person: their Biopass prints, what the gate knows of
// them, and the requests of theirs that wait. It may be repeated where it
// broke off.
func (run *running) removePerson(ctx context.Context, user string, by gate.By) error {
	for _, app := range run.applications(ctx) {
		if run.biopass == nil {
			break
		}
		if _, err := run.biopass.Erase(ctx, app, user, books.Entry{Who: by.Who, From: by.From, Via: by.Via}); err != nil {
			return err
		}
	}
	if err := run.state.gate.RemovePerson(ctx, user, by); err != nil {
		return err
	}
	for _, app := range run.applications(ctx) {
		if _, err := run.approvals.EndOf(ctx, app, user, by.Who, by.From, by.Via); err != nil {
			return err
		}
	}
	return nil
}
