package identity_test

import (
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/identity"
)

// Each preset is a login that a watcher takes, with a sign of success or a page
// that names the user, and says where it was read.
func TestPresetsAreLoginsThatAWatcherTakes(t *testing.T) {
	seen, last := map[string]bool{}, ""
	for _, p := range identity.Presets() {
		t.Run(p.Name, func(t *testing.T) {
			if err := p.Words.Check(); err != nil {
				t.Error(err)
			}
			if p.Name != strings.ToLower(p.Name) || strings.ContainsAny(p.Name, " /") || seen[p.Name] {
				t.Error("its name is not one plain word of its own")
			}
			if p.Title == "" || strings.ToLower(p.Title) < last {
				t.Error("its title is missing, or out of order")
			}
			if p.Words.User == "" {
				t.Error("it does not say the user's field")
			}
			if len(p.Words.Success) == 0 && p.Words.Whoami.Path == "" && p.Name != "bookstack" {
				t.Error("nothing tells a right password from a wrong one: the padlock could not close")
			}
			if !strings.Contains(p.Source, "/") || !strings.Contains(p.Source, " ") {
				t.Error("it does not say which file it rests on")
			}
			for _, s := range p.Words.Success {
				if s.Kind == "location" && strings.Contains(s.Args[0], "{user}") {
					t.Error("a location knows no {user}")
				}
			}
			below := p.Words.Under("/apps/")
			if below.Path != "/apps"+p.Words.Path || below.Check() != nil || p.Words.Path == below.Path {
				t.Errorf("below a path: %+v", below)
			}
			if again, ok := identity.PresetNamed(strings.ToUpper(p.Name)); !ok || again.Title != p.Title {
				t.Error("it is not found by its name")
			}
		})
		seen[p.Name], last = true, strings.ToLower(p.Title)
	}
	if len(seen) < 12 {
		t.Errorf("%d presets", len(seen))
	}
}

func TestWordsStandInACaddyfileAsTheyAre(t *testing.T) {
	for _, c := range []struct {
		name  string
		words identity.Words
		lines string
	}{
		{"a path alone", identity.Words{Path: "/login"}, "login /login\n"},
		{"every word", identity.Words{
			Path: "/login", User: "user[name]", Session: []string{"sid", "remember_*"}, Token: "access_token",
			Success: []identity.Success{{Kind: "status", Args: []string{"302", "303"}}, {Kind: "page", Args: []string{"/x?u={user}"}}},
			Whoami:  identity.Whoami{Path: "/me", JSON: "user.name"}, Logout: "/logout", Public: []string{"/", "/2fa*"}, Second: []string{"/code", "/key/*"},
		}, "login /login {\n\tuser user[name]\n\tsession sid remember_*\n\ttoken access_token\n\tsuccess status 302 303\n\tsuccess page \"/x?u={user}\"\n\tsecond /code /key/*\n\twhoami /me user.name\n\tlogout /logout\n}\npublic / /2fa*\n"},
		{"a word with a quote", identity.Words{Path: "/login", User: `a "b" \c`}, "login /login {\n\tuser \"a \\\"b\\\" \\\\c\"\n}\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.words.Lines(); got != c.lines {
				t.Errorf("%s\nwants\n%s", got, c.lines)
			}
		})
	}
}

func TestWordsThatCannotBeALoginAreRefused(t *testing.T) {
	for name, w := range map[string]identity.Words{
		"no path":                  {User: "x"},
		"a path that is none":      {Path: "login"},
		"a step that is no path":   {Path: "/login", Second: []string{"code"}},
		"a line break":             {Path: "/login", User: "a\nadmin off"},
		"the environment":          {Path: "/login", User: "{$SECRET}"},
		"an unknown rule":          {Path: "/login", Success: []identity.Success{{Kind: "luck", Args: []string{"1"}}}},
		"a rule that says nothing": {Path: "/login", Success: []identity.Success{{Kind: "status"}}},
		"whoami without a name":    {Path: "/login", Whoami: identity.Whoami{Path: "/me"}},
		"a very long word":         {Path: "/login", User: strings.Repeat("x", 501)},
		"too many words":           {Path: "/login", Public: strings.Split(strings.Repeat("/x ", 33), " ")[:33]},
	} {
		t.Run(name, func(t *testing.T) {
			if w.Check() == nil {
				t.Errorf("%+v", w)
			}
		})
	}
}

func TestTheConfigurationWinsOverWhatWasTaught(t *testing.T) {
	taught := identity.Words{Path: "/login", User: "taught", Logout: "/bye", Public: []string{"/form"}, Success: []identity.Success{{Kind: "status", Args: []string{"303"}}}, Second: []string{"/code"}}
	joined := identity.Config{Path: "/login", User: "configured", Public: []string{"/open"}}.With(taught)
	if joined.User != "configured" || joined.Logout != "/bye" || len(joined.Public) != 2 || len(joined.Success) != 1 || len(joined.Second) != 1 {
		t.Errorf("at the same path: %+v", joined)
	}
	if other := (identity.Config{Path: "/elsewhere"}).With(taught); other.User != "" || other.Success != nil || other.Public != nil {
		t.Errorf("at another path: %+v", other)
	}
	if alone := (identity.Config{}).With(taught); alone.Path != "/login" || alone.User != "taught" {
		t.Errorf("with none configured: %+v", alone)
	}
}
