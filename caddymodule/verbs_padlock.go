package caddymodule

import (
	"context"
	"strconv"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

func showPadlock(ctx context.Context, c *call) (any, error) {
	list, err := c.apps(ctx)
	if err != nil {
		return nil, err
	}
	locks := []books.Padlock{}
	for _, app := range list {
		p, err := c.state.gate.Padlock(ctx, app)
		if err != nil {
			return nil, err
		}
		p.Application = app
		locks = append(locks, p)
	}
	return locks, nil
}

func openPadlock(ctx context.Context, c *call) (any, error) {
	app, err := c.app(ctx)
	if err != nil {
		return nil, err
	}
	return map[string]any{"application": app}, c.state.gate.OpenPadlock(ctx, app, c.by)
}

func drain(ctx context.Context, c *call) (any, error) {
	app, err := c.app(ctx)
	if err != nil {
		return nil, err
	}
	stop := c.words["stop"] != ""
	p, err := c.state.books.Padlocks.Update(ctx, app, func(p *books.Padlock) ([]store.Write, bool, error) {
		if !stop && p.Closed {
			return nil, false, badWords("open the padlock of %s first: while it drains everybody gets in", app)
		}
		p.Draining = !stop
		return []store.Write{c.state.books.Audit.Write(c.entry(time.Now(), "drain", app, app, map[string]string{"stop": strconv.FormatBool(stop)}))}, true, nil
	})
	return p, err
}
