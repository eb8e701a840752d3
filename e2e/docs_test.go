package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// plainCaddy is a Caddy that is not started, to run its commands.
func plainCaddy(t *testing.T) *Caddy {
	t.Helper()
	return NewCaddy(t, "")
}

func TestTheExampleCaddyfileIsValidAndFormatted(t *testing.T) {
	t.Parallel()
	root, err := moduleDir()
	if err != nil {
		t.Fatal(err)
	}
	example := filepath.Join(root, "Caddyfile.example")
	c := plainCaddy(t)
	if r := c.Run("validate", "--config", example, "--adapter", "caddyfile"); r.Exit != 0 {
		t.Errorf("not valid: %s%s", r.Stdout, r.Stderr)
	}
	if r := c.Run("fmt", "--diff", example); r.Exit != 0 || strings.Contains(r.Stdout, "\n+ ") || strings.Contains(r.Stdout, "\n- ") {
		t.Errorf("not formatted: %s%s", r.Stdout, r.Stderr)
	}
}

var fence = regexp.MustCompile("(?s)```\n(.*?)```")

// Each block of the README that is a Caddyfile must adapt: what a person
// copies works.
func TestTheReadmesCaddyfilesAdapt(t *testing.T) {
	t.Parallel()
	root, err := moduleDir()
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	c, seen := plainCaddy(t), 0
	for _, block := range fence.FindAllStringSubmatch(string(readme), -1) {
		if !strings.Contains(block[1], "reverse_proxy") {
			continue
		}
		seen++
		c.Rewrite(block[1])
		if r := c.Run("adapt", "--config", c.file, "--adapter", "caddyfile"); r.Exit != 0 {
			t.Errorf("%s\n%s", r.Stderr, block[1])
		}
	}
	if seen < 2 {
		t.Errorf("found %d Caddyfiles in the README", seen)
	}
}
