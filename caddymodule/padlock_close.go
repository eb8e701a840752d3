package caddymodule

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
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
	if c.words["yes"] != "" && c.words["also"] == "" {
		p, err := c.state.gate.Close(ctx, app, c.by)
		return closing{err == nil, p}, err
	}
	if err := c.state.gate.Flush(ctx); err != nil {
		return nil, err
	}
	first := letInFirst(c.words["also"])
	p, err := c.state.gate.Preview(ctx, app, first.add)
	if err != nil {
		return nil, err
	}
	if err := first.check(); err != nil || c.words["yes"] == "" {
		return closing{Preview: p}, err
	}
	p, err = c.state.gate.Close(ctx, app, c.by, first.found...)
	return closing{err == nil, p}, err
}

// firstIn are the connections of those whom closing would stop and who are let
// in before: users by name, separated by commas, or "all". All are not those of
// sessions older than the gate, among whom a thief may be: they are named.
type firstIn struct {
	// wanted are the names, each with whether closing would stop that user.
	wanted map[string]bool
	found  []string
}

func letInFirst(also string) *firstIn {
	f := &firstIn{wanted: map[string]bool{}}
	if also != "" {
		for name := range strings.SplitSeq(also, ",") {
			f.wanted[strings.TrimSpace(name)] = false
		}
	}
	return f
}

func (f *firstIn) add(s gate.Stopped) {
	_, named := f.wanted[s.User]
	if named {
		f.wanted[s.User] = true
	}
	_, all := f.wanted["all"]
	for _, c := range s.Connections {
		if named || all && !c.Adopted {
			f.found = append(f.found, c.ID)
		}
	}
}

// check tells of a name that closing would not stop.
func (f *firstIn) check() error {
	for _, name := range slices.Sorted(maps.Keys(f.wanted)) {
		if !f.wanted[name] && name != "all" {
			return badWords("--also %s: closing would not stop anybody of that name", name)
		}
	}
	return nil
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
		fmt.Fprintf(&out, "  %s (%d)\n", lang.Inert(s.User, 0), s.Count)
	}
	if p.First {
		fmt.Fprintf(&out, "It closes for the first time: the connections of the last %d days %s (%d).\n", gate.ImportDays, import1, p.Imported)
		if p.Adopted > 0 {
			fmt.Fprintf(&out, "Those with sessions older than the gate %s (%d): have those people sign in first.\n", import2, p.Adopted)
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
