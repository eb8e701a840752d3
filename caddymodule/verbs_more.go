package caddymodule

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/store"
)

// readCloser lets a reader be bounded by http.MaxBytesReader.
type readCloser struct{ io.Reader }

func (readCloser) Close() error { return nil }

func consoleLink(ctx context.Context, c *call) (any, error) {
	if c.console == nil {
		return nil, badWords("no console is configured: write `console https://gate.example.com` into the global block, and a site with that host and `cadenas_console`")
	}
	link, err := c.console.Link(ctx, c.words["admin"])
	return map[string]any{"link": link}, err
}

// Explanation is what explain answers.
type Explanation struct {
	Application string         `json:"application"`
	User        string         `json:"user"`
	Answer      access.Answer  `json:"answer"`
	Reason      string         `json:"reason"`
	New         []access.Part  `json:"new,omitempty"`
	Device      access.Device  `json:"device"`
	Browser     access.Browser `json:"browser"`
	Place       access.Place   `json:"place"`
}

func explain(ctx context.Context, c *call) (any, error) {
	app, err := c.app(ctx)
	if err != nil {
		return nil, err
	}
	user, err := c.word("user")
	if err != nil {
		return nil, err
	}
	v := access.Visit{Application: app, User: user, Device: access.Device{ID: c.words["device"]}}
	if text := c.words["user-agent"]; text != "" {
		seen := c.fingerprint(text)
		v.Device.Kind, v.Device.Label, v.Browser = seen.Kind, seen.Label, seen.Browser
	}
	if text := c.words["ip"]; text != "" {
		address, ok := addressOf(text)
		if !ok {
			return nil, badWords("--ip %q is no address", text)
		}
		v.Place = c.place(address, user)
	}
	verdict, err := c.state.gate.Explainer().Explain(ctx, v, gate.Circumstance{})
	if err != nil {
		return nil, err
	}
	return Explanation{
		Application: app, User: user, Answer: verdict.Answer, Reason: verdict.Reason(), New: verdict.New,
		Device: v.Device, Browser: v.Browser, Place: v.Place,
	}, nil
}

// explainLife is how long the bearer of a token is told the reason of each
// verdict in a response header.
const explainLife = 10 * time.Minute

func explainToken(ctx context.Context, c *call) (any, error) {
	app, err := c.app(ctx)
	if err != nil {
		return nil, err
	}
	end := time.Now().Add(explainLife)
	token := c.state.keys().SealText([]byte(end.UTC().Format(time.RFC3339)), "explain", app)
	return map[string]any{"header": explainHeader, "token": token, "until": end}, nil
}

// archive is the form of export and import: what people made, for people to
// read and for another installation to take over.
type archive struct {
	Format   string          `json:"format"`
	Made     time.Time       `json:"made"`
	Users    []books.User    `json:"users"`
	Admins   []books.Admin   `json:"admins"`
	Devices  []books.Device  `json:"devices"`
	Rules    []access.Rule   `json:"rules"`
	Padlocks []books.Padlock `json:"padlocks"`
}

const archiveFormat = "cadenas export 1"

func exportAll(ctx context.Context, c *call) (any, error) {
	a := archive{Format: archiveFormat, Made: time.Now()}
	b := c.state.books
	var err error
	if a.Users, err = b.Users.All(ctx); err != nil {
		return nil, err
	}
	if a.Admins, err = b.Admins.All(ctx); err != nil {
		return nil, err
	}
	if a.Devices, err = b.Devices.All(ctx); err != nil {
		return nil, err
	}
	for _, app := range append(c.applications(ctx), "") {
		rules, err := b.Rules.All(ctx, app)
		if err != nil {
			return nil, err
		}
		a.Rules = append(a.Rules, rules...)
		if app == "" {
			continue
		}
		p, err := b.Padlocks.Get(ctx, app)
		if err != nil {
			return nil, err
		}
		a.Padlocks = append(a.Padlocks, p)
	}
	return a, nil
}

// importAll joins what an export holds to what is here: a record of the same
// name is replaced, nothing else is touched.
func importAll(ctx context.Context, c *call) (any, error) {
	var a archive
	dec := json.NewDecoder(io.LimitReader(c.body, 1<<30))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil || a.Format != archiveFormat {
		return nil, badWords("the file is no export of Cadenas; a backup is restored with `restore`")
	}
	b := c.state.books
	writes := map[string][]store.Write{}
	n := 0
	put := func(more []store.Write) {
		p := store.Partition(more[0].Key)
		writes[p] = append(writes[p], more...)
		n++
	}
	add := func(key string, v any) { put([]store.Write{{Key: key, Value: books.Encode(v)}}) }
	for _, u := range a.Users {
		before, err := b.Users.Get(ctx, u.User)
		if err != nil {
			return nil, err
		}
		put(b.Users.Put(u, before))
	}
	for _, ad := range a.Admins {
		add(b.Admins.Key(ad.Email), ad)
	}
	for _, d := range a.Devices {
		add(b.Devices.Key(d.ID), d)
	}
	for _, r := range a.Rules {
		if r.ID == "" || (r.Effect != access.Allow && r.Effect != access.Refuse) {
			return nil, badWords("rule %q of the file is not whole; nothing was imported", r.ID)
		}
		put(b.Rules.Put(r))
	}
	for _, p := range a.Padlocks {
		if p.Application == "" {
			return nil, badWords("a padlock of the file has no application; nothing was imported")
		}
		add(b.Padlocks.Key(p.Application), p)
	}
	for p, list := range writes {
		for len(list) > 0 {
			some := min(len(list), 1000)
			if err := b.Store.Apply(ctx, store.Batch{Writes: list[:some]}); err != nil {
				return nil, fmt.Errorf("importing into %s: %w", books.Application(p), err)
			}
			list = list[some:]
		}
	}
	return map[string]any{"records": n}, b.Audit.Append(ctx, c.entry(time.Now(), "import", "", "", map[string]string{"records": fmt.Sprint(n)}))
}
