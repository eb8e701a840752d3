package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cadenas-gateway/cadenas/passkey"
)

// adminSpec is what the command line does about one admin's ways in.
var adminSpec = spec{
	use: "admin", short: "List and remove the passkeys of an admin",
	sub: []spec{
		{
			use: "passkeys <e-mail>", short: "List an admin's passkeys", verb: "admin-passkeys", args: []string{"admin"},
			say: sayPasskeys,
		},
		{
			use: "remove-passkey <e-mail> <id>", short: "Remove an admin's passkey, and sign out what it opened", verb: "admin-passkey-remove",
			args: []string{"admin", "id"},
			say: func(w io.Writer, b json.RawMessage) error {
				k, err := read[keyAnswer](b)
				return printed(w, err, "%s is removed. What it had opened is signed out.\n", k.Name)
			},
		},
	},
}

// keyAnswer is a passkey as the API tells it: no key, no credential.
type keyAnswer struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Host    string    `json:"host"`
	Created time.Time `json:"created"`
	Used    time.Time `json:"used,omitzero"`
	// Copied is when its counter last did not rise.
	Copied time.Time `json:"copied,omitzero"`
}

func keyAnswerOf(k passkey.Passkey) keyAnswer {
	return keyAnswer{ID: k.ID, Name: k.Name, Host: k.Host, Created: k.Created, Used: k.Used, Copied: k.Copied}
}

func keyAnswers(list []passkey.Passkey) []keyAnswer {
	all := []keyAnswer{}
	for _, k := range list {
		all = append(all, keyAnswerOf(k))
	}
	return all
}

// adminKeys reads the admin named, and their passkeys.
func (c *call) adminKeys(ctx context.Context) (string, []passkey.Passkey, error) {
	email, err := c.word("admin")
	if err != nil {
		return "", nil, err
	}
	if c.console == nil {
		return "", nil, badWords("no console is configured, so nobody has a passkey for it")
	}
	list, known, err := c.console.Passkeys(ctx, email)
	if err == nil && !known {
		err = badWords("no admin has the e-mail %q", email)
	}
	return email, list, err
}

func listAdminPasskeys(ctx context.Context, c *call) (any, error) {
	_, list, err := c.adminKeys(ctx)
	return keyAnswers(list), err
}

func removeAdminPasskey(ctx context.Context, c *call) (any, error) {
	email, _, err := c.adminKeys(ctx)
	if err != nil {
		return nil, err
	}
	id, err := c.word("id")
	if err != nil {
		return nil, err
	}
	gone, err := c.console.RemovePasskey(ctx, email, id, c.note(), "")
	if errors.Is(err, passkey.ErrNone) {
		return nil, badWords("%s has no passkey %q: list them with `caddy cadenas admin passkeys %s`", email, id, email)
	}
	return keyAnswerOf(gone), err
}

// removeUserPasskey looks for the passkey in the application named, or in all.
func removeUserPasskey(ctx context.Context, c *call) (any, error) {
	user, err := c.typist()
	if err != nil {
		return nil, err
	}
	id, err := c.word("id")
	if err != nil {
		return nil, err
	}
	list, err := c.apps(ctx)
	if err != nil {
		return nil, err
	}
	for _, app := range list {
		gone, err := c.biopass.RemoveKey(ctx, app, user, id, c.note())
		if !errors.Is(err, passkey.ErrNone) {
			return keyAnswerOf(gone), err
		}
	}
	return nil, badWords("%s has no passkey %q: list them with `caddy cadenas biopass %s`", user, id, user)
}

func sayPasskeys(w io.Writer, b json.RawMessage) error {
	list, err := read[[]keyAnswer](b)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "No passkey.")
		return err
	}
	var rows [][]string
	for _, k := range list {
		rows = append(rows, []string{k.ID, k.Name, k.Host, stampOf(k.Created), stampOf(k.Used), stampOf(k.Copied)})
	}
	return table(w, "ID|NAME|HOST|ADDED|LAST USED|COPIED?", rows)
}
