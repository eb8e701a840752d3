package cadenas

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// module is the path that all packages of this repository start with.
const module = "github.com/cadenas-gateway/cadenas"

// mayImport is the table of the layout: which packages of ours a package may
// import, itself and what lies below it aside. A folder stands for all that
// is in it; "" is the root package, "*" means everything.
//
// It is here, and not only in a document, because a layering that nothing
// checks is gone within a month.
var mayImport = map[string][]string{
	"access":      {},
	"seal":        {},
	"store":       {},
	"lang":        {},
	"pages":       {"lang"},
	"fingerprint": {"access", "seal"},
	"places":      {"access"},
	"identity":    {"access", "seal", "store", "books"},
	"books":       {"access", "store", "seal"},
	"gate":        {"access", "books", "store"},
	"passkey":     {"access", "store", "books", "seal", "pages"},
	"biopass":     {"access", "store", "books", "seal", "pages", "lang", "passkey"},
	"approvals":   {"access", "store", "books", "gate", "seal", "pages", "lang"},
	"notify":      {"approvals", "lang"},
	"admin-ui": {
		"access", "fingerprint", "places", "identity", "books", "gate", "seal",
		"biopass", "approvals", "notify", "pages", "lang", "store", "passkey",
	},
	"caddymodule": {"*"},
	"":            {"caddymodule"},
	"cmd":         {"", "caddymodule"},
	"e2e":         {"*"},
	"bench":       {"*"},
	"examples":    {},
}

// seesStore lists the rooms that see the store as an interface only: which
// backend keeps the bytes is for caddymodule to choose.
var seesStore = []string{"books", "gate", "biopass", "approvals", "admin-ui", "passkey"}

// seesCaddy lists the rooms that may import Caddy, directly or through a
// package of ours.
var seesCaddy = []string{"caddymodule", "", "cmd", "e2e", "bench"}

type goPackage struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// ownPackages lists the packages of this module with what they import.
func ownPackages(t *testing.T) []goPackage {
	t.Helper()
	// -e: a package that does not build fails in its own tests, with a
	// better message than the one it would make here.
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("listing the packages: %v\n%s", err, stderr.String())
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("reading go list: %v", err)
		}
		all = append(all, p)
	}
}

// inside returns the path of an import below the module, and whether it is
// below it.
func inside(importPath string) (string, bool) {
	if importPath == module {
		return "", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// room is the top folder of a package.
func room(dir string) string {
	top, _, _ := strings.Cut(dir, "/")
	return top
}

func TestEveryPackageImportsOnlyWhatTheLayoutGrants(t *testing.T) {
	for _, p := range ownPackages(t) {
		dir, ok := inside(p.ImportPath)
		if !ok {
			continue
		}
		from := room(dir)
		granted, ok := mayImport[from]
		if !ok {
			t.Errorf("%s: the folder %q is not in the layout; give it a line there first", p.ImportPath, from)
			continue
		}
		for _, imported := range p.Imports {
			ours, ok := inside(imported)
			if !ok {
				if strings.HasPrefix(imported, "github.com/caddyserver/caddy/") && !slices.Contains(seesCaddy, from) {
					t.Errorf("%s imports %s: Caddy is for caddymodule only", p.ImportPath, imported)
				}
				continue
			}
			to := room(ours)
			switch {
			case to == from:
			case granted != nil && slices.Contains(granted, "*"):
			case !slices.Contains(granted, to):
				t.Errorf("%s imports %s: the layout does not grant %q to %q", p.ImportPath, imported, to, from)
			case to == "store" && ours != "store" && slices.Contains(seesStore, from):
				t.Errorf("%s imports %s: a store backend is chosen in caddymodule only", p.ImportPath, imported)
			}
		}
	}
}

// Tests reach further than the code they test (a book is tested on a real
// store), but never for Caddy: the pure packages are tested without it.
func TestPurePackagesAreTestedWithoutCaddy(t *testing.T) {
	for _, p := range ownPackages(t) {
		dir, ok := inside(p.ImportPath)
		if !ok || slices.Contains(seesCaddy, room(dir)) {
			continue
		}
		for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
			if strings.HasPrefix(imported, "github.com/caddyserver/caddy/") {
				t.Errorf("a test of %s imports %s", p.ImportPath, imported)
			}
		}
	}
}

// One level deeper than the imports themselves: nothing may pull Caddy into
// a pure package through somebody else's module either.
func TestNoPurePackageDependsOnCaddy(t *testing.T) {
	cmd := exec.Command("go", "list", "-e", "-f", `{{.ImportPath}}{{range .Deps}} {{.}}{{end}}`, "./...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("listing the dependencies: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		deps := strings.Fields(line)
		if len(deps) == 0 {
			continue
		}
		dir, ok := inside(deps[0])
		if !ok || slices.Contains(seesCaddy, room(dir)) {
			continue
		}
		for _, dep := range deps[1:] {
			if dep == "github.com/caddyserver/caddy/v2" {
				t.Errorf("%s depends on Caddy", deps[0])
			}
		}
	}
}

func TestNoPackageHasANameThatSaysNothing(t *testing.T) {
	refused := []string{"util", "utils", "common", "helper", "helpers", "base", "core", "manager", "types", "misc"}
	for _, p := range ownPackages(t) {
		if slices.Contains(refused, path.Base(p.ImportPath)) {
			t.Errorf("%s: name it after what it provides", p.ImportPath)
		}
	}
}
