package caddymodule

import (
	"context"
	"net/http"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
)

func rotateKeys(ctx context.Context, c *call) (any, error) {
	ring, err := books.RotateKeys(ctx, c.state.store, c.state.wrap, time.Now())
	if err != nil {
		return nil, err
	}
	c.state.ring.Store(ring)
	return map[string]any{"rotated": true}, c.state.books.Audit.Append(ctx, c.entry(time.Now(), "keys.rotate", "", "", nil))
}

func backup(ctx context.Context, c *call) (any, error) {
	c.w.Header().Set("Content-Type", "application/octet-stream")
	return nil, c.desk().Backup(ctx, c.w)
}

func restore(ctx context.Context, c *call) (any, error) {
	n, err := c.desk().Restore(ctx, http.MaxBytesReader(c.w, readCloser{c.body}, 4<<30), time.Time{})
	if err != nil {
		return nil, err
	}
	return map[string]any{"records": n}, nil
}
