package caddymodule

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

// failing is a store that can be told to write nothing.
type failing struct {
	store.Store
	err error
}

func (f *failing) Apply(ctx context.Context, b store.Batch) error {
	if f.err != nil {
		return f.err
	}
	return f.Store.Apply(ctx, b)
}

// X13, X15: whatever was decided, and by which way, leaves one line.
func TestWhatIsDecidedIsOneLineOfTheLog(t *testing.T) {
	var out bytes.Buffer
	s, under := &state{}, &failing{Store: memory.New()}
	s.log.Store(slog.New(slog.NewJSONHandler(&out, nil)))
	s.store = store.Heed(under, s.wrote)
	s.books = books.New(s.store)
	g := gate.New(s.books, gate.Options{})
	g.Configure(gate.Application{Name: "app"})
	console := gate.By{Who: "marie@example.com", From: "192.0.2.1", Via: "console"}
	command := gate.By{Who: "command line", From: "local", Via: "cli"}
	ctx := t.Context()
	var backup bytes.Buffer
	var rule access.Rule
	for _, c := range []struct {
		name string
		do   func() error
		// want are the fields of the line; nil for no line.
		want map[string]string
	}{
		{"a padlock closed in the console", func() error { _, err := g.Close(ctx, "app", console); return err }, map[string]string{
			"what": "padlock.close", "application": "app", "subject": "app", "by": "marie@example.com", "from": "192.0.2.1", "via": "console",
		}},
		{"closed again, which changes nothing", func() error { _, err := g.Close(ctx, "app", console); return err }, nil},
		{"opened by command", func() error { return g.OpenPadlock(ctx, "app", command) }, map[string]string{
			"what": "padlock.open", "by": "command line", "from": "local", "via": "cli",
		}},
		{"somebody locked", func() error { _, err := g.Treat(ctx, "julie", "", gate.TreatLocked, "lost", console); return err }, map[string]string{
			"what": "user.locked", "subject": "julie", "via": "console",
		}},
		{"a rule made", func() (err error) {
			rule, err = g.AddRule(ctx, access.Rule{Application: "app", Kind: access.Phone, Effect: access.Refuse, Note: "until \u202egnp.\nx"}, console)
			return err
		}, map[string]string{"what": "rule.add", "application": "app"}},
		{"a rule ended", func() error { _, err := g.EndRule(ctx, rule.Application, rule.ID, command); return err }, map[string]string{"what": "rule.end", "via": "cli"}},
		{"a store that cannot be written", func() error {
			under.err = errors.New("no space left on device")
			defer func() { under.err = nil }()
			if _, err := g.Treat(ctx, "julie", "", gate.TreatByRules, "", console); err == nil {
				t.Error("it was written")
			}
			return nil
		}, nil},
		{"a backup put back brings no lines of its own", func() error {
			if _, err := books.Backup(ctx, s.store, &backup, time.Now()); err != nil {
				return err
			}
			_, err := books.Restore(ctx, s.store, &backup)
			return err
		}, nil},
	} {
		out.Reset()
		if err := c.do(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if c.want == nil {
			if out.Len() > 0 {
				t.Errorf("%s: %s", c.name, out.String())
			}
			continue
		}
		got := map[string]any{}
		if err := json.Unmarshal([]byte(lines[0]), &got); err != nil || len(lines) != 1 {
			t.Fatalf("%s: %v: %q", c.name, err, lines)
		}
		for name, want := range c.want {
			if got[name] != want {
				t.Errorf("%s: %s is %v, not %q", c.name, name, got[name], want)
			}
		}
		if got["level"] != "INFO" || strings.ContainsAny(out.String(), "\u202e") || strings.Contains(out.String(), `\n`) {
			t.Errorf("%s: %s", c.name, out.String())
		}
	}
}
