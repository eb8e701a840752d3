package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/store"
)

// editRule gives a rule another end and note.
func editRule(ctx context.Context, c *call) (any, error) {
	id, err := c.word("id")
	if err != nil {
		return nil, err
	}
	end, err := until(c.words["until"], time.Now())
	if err != nil {
		return nil, err
	}
	list, err := c.apps(ctx)
	if err != nil {
		return nil, err
	}
	for _, app := range append(list, "") {
		r, err := c.state.gate.EditRule(ctx, app, id, end, c.words["note"], c.by)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if errors.Is(err, gate.ErrRuleEnded) {
			return nil, badWords("--until: %v", err)
		}
		return r, err
	}
	return nil, fmt.Errorf("rule %s: %w", id, store.ErrNotFound)
}
