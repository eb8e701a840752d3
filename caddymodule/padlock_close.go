package caddymodule

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/lang"
)

// closing is what closing a padlock says and does.
type closing struct {
	Closed  bool         `json:"closed"`
	Preview gate.Preview `json:"preview"`
}

// closePadlock says whom closing would stop, and with `yes` does it; `also` are
// those who are let in first, as the console lets one tick them.
func closePadlock(ctx context.Context, c *call) (any, error) {
	app, err := c.app(ctx)
	if err != nil {
		return nil, err
	}
	var first []string
	if c.words["yes"] == "" || c.words["also"] != "" {
		if err := c.state.gate.Flush(ctx); err != nil {
			return nil, err
		}
		p, err := c.state.gate.Preview(ctx, app)
		if err != nil {
			return nil, err
		}
		if first, err = letInFirst(p, c.words["also"]); err != nil || c.words["yes"] == "" {
			return closing{Preview: p}, err
		}
	}
	p, err := c.state.gate.Close(ctx, app, c.by, first...)
	return closing{err == nil, p}, err
}

// letInFirst finds the connections of those whom closing would stop and who
// are let in before: users by name, separated by commas, or "all". All are not
// those of sessions older than the gate, among whom a thief may be: they are
// named.
func letInFirst(p gate.Preview, also string) ([]string, error) {
	if also == "" {
		return nil, nil
	}
	adopted := map[string]bool{}
	for _, c := range p.Adopted {
		adopted[c.ID] = true
	}
	var wanted []string
	for name := range strings.SplitSeq(also, ",") {
		name = strings.TrimSpace(name)
		if !slices.ContainsFunc(p.Stop, func(s gate.Stopped) bool { return s.User == name }) && name != "all" {
			return nil, badWords("--also %s: closing would not stop anybody of that name", name)
		}
		wanted = append(wanted, name)
	}
	var found []string
	for _, s := range p.Stop {
		named := slices.Contains(wanted, s.User)
		for _, c := range s.Connections {
			if named || slices.Contains(wanted, "all") && !adopted[c.ID] {
				found = append(found, c.ID)
			}
		}
	}
	return found, nil
}

// counted is "1 person", "2 people".
func counted(n int, one, other string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", other)
}

func sayClosing(w io.Writer, b json.RawMessage) error {
	a, err := read[closing](b)
	if err != nil {
		return err
	}
	var out strings.Builder
	p := a.Preview
	stop, import1, import2 := "would stop", "would be authorised", "would not be"
	if a.Closed {
		stop, import1, import2 = "stops", "were authorised", "were not"
		fmt.Fprintf(&out, "The padlock of %s is closed.\n", lang.Inert(p.Application, 0))
	}
	if len(p.Stop) == 0 {
		fmt.Fprintf(&out, "By the last %d days, it %s nobody.\n", gate.ImportDays, stop)
	} else {
		fmt.Fprintf(&out, "It %s %s, %s.\n", stop, counted(len(p.Stop), "person", "people"), counted(p.Connections(), "connection", "connections"))
	}
	for _, s := range p.Stop {
		fmt.Fprintf(&out, "  %s (%d)\n", lang.Inert(s.User, 0), len(s.Connections))
	}
	if p.First {
		fmt.Fprintf(&out, "It closes for the first time: the connections of the last %d days %s (%d).\n", gate.ImportDays, import1, len(p.Import))
		if len(p.Adopted) > 0 {
			fmt.Fprintf(&out, "Those with sessions older than the gate %s (%d): have those people sign in first.\n", import2, len(p.Adopted))
		}
	}
	switch {
	case a.Closed:
	case len(p.Stop) > 0:
		fmt.Fprintln(&out, "Nothing was changed: add --yes to close it, and --also <user>,... or --also all to let them in first.")
	default:
		fmt.Fprintln(&out, "Nothing was changed: add --yes to close it.")
	}
	_, err = io.WriteString(w, out.String())
	return err
}
