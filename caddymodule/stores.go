package caddymodule

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/bolt"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

func init() {
	caddy.RegisterModule(Bolt{})
	caddy.RegisterModule(Memory{})
}

// Opener is a guest module of cadenas.stores. Two configurations with the
// same Key share one open store across a reload.
type Opener interface {
	Key() string
	Open() (store.Store, error)
}

// Bolt keeps state in one file; the default, for one instance.
type Bolt struct {
	// Path is the file. Default: cadenas/cadenas.db in Caddy's data folder.
	Path string `json:"path,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Bolt) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "cadenas.stores.bolt", New: func() caddy.Module { return new(Bolt) }}
}

// UnmarshalCaddyfile reads `bolt [<path>]`.
func (b *Bolt) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		b.Path = d.Val()
	}
	if d.NextArg() {
		return d.Errf("store bolt takes one path: %q is too much", d.Val())
	}
	if d.NextBlock(d.Nesting()) {
		return d.Errf("store bolt takes no block: %q is too much", d.Val())
	}
	return nil
}

// Provision finds the path; it opens nothing.
func (b *Bolt) Provision(caddy.Context) error {
	b.Path = caddy.NewReplacer().ReplaceKnown(b.Path, "")
	if b.Path == "" {
		b.Path = filepath.Join(dataFolder(), "cadenas.db")
	}
	abs, err := filepath.Abs(b.Path)
	if err != nil {
		return fmt.Errorf("store bolt %s: %w", b.Path, err)
	}
	b.Path = abs
	return nil
}

// Key is the absolute path.
func (b *Bolt) Key() string { return "bolt " + b.Path }

// Open opens or creates the file, with mode 0600.
func (b *Bolt) Open() (store.Store, error) {
	if err := os.MkdirAll(filepath.Dir(b.Path), 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the store: %w", err)
	}
	return bolt.Open(b.Path, bolt.Options{})
}

// Memory keeps state in memory and forgets it at the end of the process: for
// trying things out.
type Memory struct{}

// CaddyModule returns the Caddy module information.
func (Memory) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "cadenas.stores.memory", New: func() caddy.Module { return new(Memory) }}
}

// UnmarshalCaddyfile reads `memory`.
func (Memory) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		return d.Errf("store memory takes nothing: %q is too much", d.Val())
	}
	return nil
}

// Key is one for the process.
func (Memory) Key() string { return "memory" }

// Open makes an empty store.
func (Memory) Open() (store.Store, error) { return memory.New(), nil }

// instance names this process among those that share a store; a reload does
// not change it.
var instance = rand.Text()

// alone reports whether a store is one that no other process can have open.
func alone(store Opener) bool {
	switch store.(type) {
	case *Bolt, *Memory:
		return true
	}
	return false
}

// dataFolder is where the store and the command line's secret are by default.
func dataFolder() string { return filepath.Join(caddy.AppDataDir(), "cadenas") }

// readSecret reads `keys`: a placeholder, or the path of a file with at least
// 32 characters.
func readSecret(repl *caddy.Replacer, value string) (string, error) {
	text := repl.ReplaceKnown(value, "")
	if !strings.HasPrefix(value, "{") {
		content, err := os.ReadFile(text) //nolint:gosec // named by the operator in `keys`
		if err != nil {
			return "", fmt.Errorf("reading the file: %w", err)
		}
		text = string(content)
	}
	text = strings.TrimSpace(text)
	if len(text) < 32 {
		return "", fmt.Errorf("the secret has %d characters and needs 32 at the least: `openssl rand -hex 32` makes one", len(text))
	}
	return text, nil
}

// Interface guards
var (
	_ Opener                = (*Bolt)(nil)
	_ Opener                = (*Memory)(nil)
	_ caddy.Provisioner     = (*Bolt)(nil)
	_ caddyfile.Unmarshaler = (*Bolt)(nil)
	_ caddyfile.Unmarshaler = (*Memory)(nil)
)
