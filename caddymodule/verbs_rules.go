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
	r, err := c.readRule(ctx)
	if err != nil {
		return nil, err
	}
	return c.state.gate.AddRule(ctx, r, c.by)
}

// tryRule says what a rule would do, and makes none.
func tryRule(ctx context.Context, c *call) (any, error) {
	r, err := c.readRule(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.state.gate.Flush(ctx); err != nil {
		return nil, err
	}
	return c.desk().TryRule(ctx, r)
}

// readRule reads the words of a rule.
func (c *call) readRule(ctx context.Context) (access.Rule, error) {
	now := time.Now()
	r := access.Rule{
		User: c.words["user"], Group: c.words["group"], Application: c.words["app"],
		Device: c.words["device"], Kind: access.Kind(c.words["kind"]), Note: c.words["note"],
	}
	if r.Application != "" {
		if _, err := c.app(ctx); err != nil {
			return r, err
		}
	}
	var err error
	if r.Kind != "" && !slices.Contains(access.Kinds, r.Kind) {
		return r, badWords("--kind %q: write phone, tablet, computer or other", r.Kind)
	}
	if text := c.words["place"]; text != "" {
		if r.Place, err = access.ParsePlaceKey(text); err != nil {
			return r, badWords("--place: %v", err)
		}
	}
	if text := c.words["browser"]; text != "" {
		if r.Browser, err = access.ParseBrowserKey(text); err != nil {
			return r, badWords("--browser: %v", err)
		}
	}
	switch c.words["effect"] {
	case "allow":
		r.Effect = access.Allow
	case "refuse":
		r.Effect = access.Refuse
	default:
		return r, badWords("--effect %q: write allow or refuse", c.words["effect"])
	}
	if r.Until, err = until(c.words["until"], now); err != nil {
		return r, err
	}
	if err := gate.CheckRule(r, now); err != nil {
		return r, badWords("%v", err)
	}
	return r, nil
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
