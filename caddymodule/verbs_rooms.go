package caddymodule

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	adminui "github.com/cadenas-gateway/cadenas/admin-ui"
)

// What two rooms of the console show, by the rooms' own code.

func init() {
	verbs["settings"] = func(ctx context.Context, c *call) (any, error) { return c.desk().Settings(ctx) }
}

// ruleFlags are the words of a rule; what is left out means any.
var ruleFlags = map[string]string{
	"user": "one user", "group": "a group", "device": "one device", "kind": "phone, tablet, computer or other",
	"place": `"name=Office", "city=Laval country=CA"`, "browser": `"family=Chrome platform=Windows"`,
	"effect": "allow or refuse", "until": "a date, a moment or a duration", "note": "a word about it",
}

func sayTried(w io.Writer, b json.RawMessage) error {
	t, err := read[adminui.TriedRule](b)
	if err != nil {
		return err
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s\nIt would decide %s of the last 30 days, %d of them otherwise than now.\n",
		t.Sentence, counted(t.Connections, "connection", "connections"), t.Changed)
	for _, who := range t.Touched {
		fmt.Fprintf(&out, "  %s\n", who)
	}
	if t.TouchedMore > 0 {
		fmt.Fprintf(&out, "  and %s more\n", counted(t.TouchedMore, "person", "people"))
	}
	if t.Spared > 0 {
		fmt.Fprintf(&out, "It is about %s more, which something else decides: see `caddy cadenas explain`.\n", counted(t.Spared, "connection", "connections"))
	}
	if t.Part {
		fmt.Fprintln(&out, "There are more connections than were looked at.")
	}
	fmt.Fprintln(&out, "Nothing was changed: `rules add` with the same words makes the rule.")
	_, err = io.WriteString(w, out.String())
	return err
}

func saySettings(w io.Writer, b json.RawMessage) error {
	groups, err := read[[]adminui.ShownSettings](b)
	if err != nil {
		return err
	}
	for i, g := range groups {
		if i > 0 {
			if err := printed(w, nil, "\n"); err != nil {
				return err
			}
		}
		var rows [][]string
		for _, line := range g.Lines {
			rows = append(rows, []string{line.Name, line.Value, line.Bad})
		}
		if err := table(w, strings.ToUpper(g.Title)+"||", rows); err != nil {
			return err
		}
	}
	return nil
}
