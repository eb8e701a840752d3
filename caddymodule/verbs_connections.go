package caddymodule

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
)

func listConnections(ctx context.Context, c *call) (any, error) {
	list, err := c.apps(ctx)
	if err != nil {
		return nil, err
	}
	days, limit := 30, 1000
	for name, into := range map[string]*int{"days": &days, "limit": &limit} {
		if text := c.words[name]; text != "" {
			if *into, err = strconv.Atoi(text); err != nil || *into < 0 {
				return nil, badWords("--%s %q: write a number", name, text)
			}
		}
	}
	if err := c.state.gate.Flush(ctx); err != nil {
		return nil, err
	}
	since := time.Time{}
	if days > 0 {
		since = time.Now().AddDate(0, 0, -days)
	}
	found := []books.Connection{}
	for _, app := range list {
		some, err := connectionsOf(ctx, c, app, since, limit)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	slices.SortFunc(found, func(a, b books.Connection) int { return b.Last.Compare(a.Last) })
	return found[:min(len(found), limit)], nil
}

// connectionsOf returns up to limit connections of an application, those last
// seen first, or those of the user whom the call names.
func connectionsOf(ctx context.Context, c *call, app string, since time.Time, limit int) ([]books.Connection, error) {
	book := c.state.books.Connections
	if user := c.words["user"]; user != "" {
		list, err := book.Of(ctx, app, user, limit)
		return slices.DeleteFunc(list, func(conn books.Connection) bool { return conn.Last.Before(since) }), err
	}
	var list []books.Connection
	var failed error
	err := book.Seen(ctx, app, since, "", func(s books.Sighting) bool {
		if len(list) >= limit {
			return false
		}
		conn, ok, err := book.Load(ctx, s)
		if failed = err; err == nil && ok {
			list = append(list, conn)
		}
		return err == nil
	})
	return list, errors.Join(err, failed)
}

func activity(ctx context.Context, c *call) (any, error) {
	list, err := c.apps(ctx)
	if err != nil {
		return nil, err
	}
	limit := 50
	if text := c.words["limit"]; text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > 10_000 {
			return nil, badWords("--limit %q: write a number up to 10000", text)
		}
	}
	entries := []books.Entry{}
	for _, app := range append(list, "") {
		some, err := c.state.books.Audit.Newest(ctx, app, "", limit)
		if err != nil {
			return nil, err
		}
		entries = append(entries, some...)
	}
	slices.SortFunc(entries, func(a, b books.Entry) int { return b.At.Compare(a.At) })
	return entries[:min(limit, len(entries))], nil
}
