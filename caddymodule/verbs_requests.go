package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/books"
)

func listRequests(ctx context.Context, c *call) (any, error) {
	list, err := c.apps(ctx)
	if err != nil {
		return nil, err
	}
	waiting := []approvals.AccessRequest{}
	for _, app := range list {
		some, err := c.approvals.Waiting(ctx, app)
		if err != nil {
			return nil, err
		}
		for _, ask := range some {
			ask.Number = "" // only the waiting person sees it (L10)
			waiting = append(waiting, ask)
		}
	}
	return waiting, nil
}

// ask finds a request by identifier or reference.
func (c *call) ask(ctx context.Context) (approvals.AccessRequest, error) {
	id, err := c.word("id")
	if err != nil {
		return approvals.AccessRequest{}, err
	}
	list, err := c.apps(ctx)
	if err != nil {
		return approvals.AccessRequest{}, err
	}
	for _, app := range list {
		// Also one that is over: who decided it, and when, is what to say then.
		found, err := c.approvals.Find(ctx, app, id)
		if err == nil || !errors.Is(err, approvals.ErrNotFound) {
			return found, err
		}
	}
	return approvals.AccessRequest{}, fmt.Errorf("request %s: %w", id, approvals.ErrNotFound)
}

func approve(ctx context.Context, c *call) (any, error) { return c.decide(ctx, access.Allow) }
func refuse(ctx context.Context, c *call) (any, error)  { return c.decide(ctx, access.Refuse) }

func (c *call) decide(ctx context.Context, effect access.Effect) (any, error) {
	ask, err := c.ask(ctx)
	if err != nil {
		return nil, err
	}
	choice := approvals.Choice{
		Application: ask.Application, ID: ask.ID, Effect: effect, Version: ask.Version,
		By: books.Admin{Email: c.by.Who, Name: c.by.Who}, From: c.by.From, Via: c.by.Via, SignedIn: true,
		Number: c.words["number"], Sure: c.words["number"] == "", Reply: c.words["reply"],
	}
	if effect == access.Allow {
		choice.Width = approvals.Width(c.words["width"])
		if choice.Width == "" {
			choice.Width = approvals.WidthConnection
		}
		if !slices.Contains(approvals.Widths, choice.Width) {
			return nil, badWords("--width %q: write connection, device, network, everyone or full", choice.Width)
		}
		if choice.Until, err = until(c.words["until"], time.Now()); err != nil {
			return nil, err
		}
	}
	decided, err := c.approvals.Decide(ctx, choice)
	decided.Number = ""
	return decided, err
}

func makePass(ctx context.Context, c *call) (any, error) {
	user, err := c.word("user")
	if err != nil {
		return nil, err
	}
	app, err := c.app(ctx)
	if err != nil {
		return nil, err
	}
	seen, err := c.seen(ctx, user)
	if err != nil {
		return nil, err
	}
	code, end, err := c.approvals.MakePass(ctx, app, user, c.by.Who, c.by.From, c.by.Via)
	return map[string]any{"code": code, "until": end, "user": user, "application": app, "seen": seen}, err
}
