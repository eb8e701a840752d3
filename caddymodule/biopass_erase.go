package caddymodule

import (
	"context"
	"encoding/json"
	"io"
	"strings"

	"github.com/cadenas-gateway/cadenas/biopass"
)

// erasedPrints is what was erased, and where. Keyboard is empty where all that
// was kept went.
type erasedPrints struct {
	User     string   `json:"user"`
	Keyboard string   `json:"keyboard,omitempty"`
	Erased   []string `json:"erased"`
}

type renamedKeyboard struct {
	Application string `json:"application"`
	User        string `json:"user"`
	ID          string `json:"id"`
	Before      string `json:"before"`
	Keyboard    string `json:"keyboard"`
}

func erasePrints(ctx context.Context, c *call) (any, error) {
	if word, ok := c.words["keyboard"]; ok {
		return eraseKeyboard(ctx, c, word)
	}
	user, err := c.typist()
	if err != nil {
		return nil, err
	}
	list, err := c.apps(ctx)
	if err != nil {
		return nil, err
	}
	erased := erasedPrints{User: user, Erased: []string{}}
	for _, app := range list {
		found, err := c.biopass.Erase(ctx, app, user, c.note())
		if err != nil {
			return nil, err
		}
		if found {
			erased.Erased = append(erased.Erased, app)
		}
	}
	return erased, nil
}

// keyboardOf is the one keyboard that a word means, in the application named
// or in all: never a guess between two.
func (c *call) keyboardOf(ctx context.Context, user, word string) (app string, k biopass.AccountKeyboard, err error) {
	if strings.TrimSpace(word) == "" {
		return "", k, badWords("keyboard is empty: write its name or its identifier, as `caddy cadenas biopass %s` shows them", user)
	}
	list, err := c.apps(ctx)
	if err != nil {
		return "", k, err
	}
	var ids []string
	for _, name := range list {
		a, err := c.biopass.Account(ctx, name, user)
		if err != nil {
			return "", k, err
		}
		for _, found := range a.Called(word) {
			app, k = name, found
			ids = append(ids, found.ID+" ("+name+")")
		}
	}
	switch len(ids) {
	case 0:
		return "", k, badWords("%s has no keyboard %q: list them with `caddy cadenas biopass %s`", user, word, user)
	case 1:
		return app, k, nil
	}
	return "", k, badWords("%s has %d keyboards called %q: write the identifier of one, %s", user, len(ids), word, strings.Join(ids, ", "))
}

func eraseKeyboard(ctx context.Context, c *call, word string) (any, error) {
	user, err := c.typist()
	if err != nil {
		return nil, err
	}
	app, k, err := c.keyboardOf(ctx, user, word)
	if err != nil {
		return nil, err
	}
	name, err := c.biopass.EraseKeyboard(ctx, app, user, k.ID, c.note())
	if err != nil {
		return nil, err
	}
	return erasedPrints{User: user, Keyboard: name, Erased: []string{app}}, nil
}

func renameKeyboard(ctx context.Context, c *call) (any, error) {
	user, err := c.typist()
	if err != nil {
		return nil, err
	}
	word, err := c.word("keyboard")
	if err != nil {
		return nil, err
	}
	name, err := c.word("name")
	if err != nil {
		return nil, err
	}
	app, k, err := c.keyboardOf(ctx, user, word)
	if err != nil {
		return nil, err
	}
	before, now, err := c.biopass.RenameKeyboard(ctx, app, user, k.ID, name, c.note())
	if err != nil {
		return nil, err
	}
	return renamedKeyboard{app, user, k.ID, before, now}, nil
}

func sayErased(w io.Writer, b json.RawMessage) error {
	a, err := read[erasedPrints](b)
	switch {
	case err == nil && len(a.Erased) == 0:
		return printed(w, nil, "Nothing was kept of %s.\n", a.User)
	case a.Keyboard != "":
		return printed(w, err, "Erased the prints of %s's keyboard %s, in %s.\n", a.User, a.Keyboard, orNone(a.Erased))
	}
	return printed(w, err, "Erased what was kept of %s: %s.\n", a.User, orNone(a.Erased))
}
