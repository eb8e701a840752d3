package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/store"
)

func listRules(ctx context.Context, c *call) (any, error) {
	list, err := c.apps(ctx)
	if err != nil {
		return nil, err
	}
	rules := []access.Rule{}
	for _, app := range append(list, "") {
		some, err := c.state.books.Rules.All(ctx, app)
		if err != nil {
			return nil, err
		}
		rules = append(rules, some...)
	}
	return rules, nil
}

func addRule(ctx context.Context, c *call) (any, error) {
	now := time.Now()
	r := access.Rule{
		User: c.words["user"], Group: c.words["group"], Application: c.words["app"],
		Device: c.words["device"], Kind: access.Kind(c.words["kind"]), Note: c.words["note"],
	}
	if r.Application != "" {
		if _, err := c.app(ctx); err != nil {
			return nil, err
		}
	}
	var err error
	if r.Kind != "" && !slices.Contains(access.Kinds, r.Kind) {
		return nil, badWords("--kind %q: write phone, tablet, computer or other", r.Kind)
	}
	if text := c.words["place"]; text != "" {
		if r.Place, err = access.ParsePlaceKey(text); err != nil {
			return nil, badWords("--place: %v", err)
		}
	}
	if text := c.words["browser"]; text != "" {
		if r.Browser, err = access.ParseBrowserKey(text); err != nil {
			return nil, badWords("--browser: %v", err)
		}
	}
	switch c.words["effect"] {
	case "allow":
		r.Effect = access.Allow
	case "refuse":
		r.Effect = access.Refuse
	default:
		return nil, badWords("--effect %q: write allow or refuse", c.words["effect"])
	}
	if r.Until, err = until(c.words["until"], now); err != nil {
		return nil, err
	}
	if err := gate.CheckRule(r, now); err != nil {
		return nil, badWords("%v", err)
	}
	return c.state.gate.AddRule(ctx, r, c.by)
}

func endRule(ctx context.Context, c *call) (any, error) {
	id, err := c.word("id")
	if err != nil {
		return nil, err
	}
	list, err := c.apps(ctx)
	if err != nil {
		return nil, err
	}
	for _, app := range append(list, "") {
		r, err := c.state.gate.EndRule(ctx, app, id, c.by)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		return r, err
	}
	return nil, fmt.Errorf("there is no rule %q: `caddy cadenas rules` lists them", id)
}

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
