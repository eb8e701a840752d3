package caddymodule

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/biopass"
	"github.com/cadenas-gateway/cadenas/identity"
)

func TestAMistakeAboutBiopassNamesItsLineAndTheRemedy(t *testing.T) {
	site := func(lines string) string { return "example.com {\n\tcadenas {\n\t\t" + lines + "\n\t}\n}\n" }
	global := func(lines string) string {
		return "{\n\tcadenas {\n\t\tbiopass {\n\t\t\t" + lines + "\n\t\t}\n\t}\n}\n"
	}
	for _, c := range []struct{ name, config, want string }{
		{"a mode that is none", site("biopass sometimes"), "write always, required, optional or off"},
		{"no mode", site("biopass"), "biopass required 2027-01-31"},
		{"a day that is none", site("biopass required soon"), "write 2027-01-31"},
		{"a day where nothing is required", site("biopass optional 2027-01-31"), `"2027-01-31" is too much`},
		{"always, and nobody is named", site("biopass always"), "write a login block"},
		{"always, and nobody is named, said last", site("biopass always\n\t\tpadlock open"), "Caddyfile:3"},
		{"always, and a device alone", site("identity device\n\t\tbiopass always"), "cannot stand beside `identity device`"},
		{"how long a match holds, where each sign-in is typed", site("login /login\n\t\tbiopass always every 8h"), "each sign-in is typed"},
		{"how long a match holds, where nothing is typed always", site("biopass required every 8h"), "it is for `biopass always`"},
		{"a match that holds for a minute", site("identity header X-User\n\t\tbiopass always every 1m"), "15m to 30d"},
		{"a match that holds for no time", site("identity header X-User\n\t\tbiopass always every"), "is no day"},
		{"twice", site("biopass off\n\t\tbiopass optional"), "biopass stands twice"},
		{"a mode in the global block", "{\n\tcadenas {\n\t\tbiopass always\n\t}\n}\n", "open a block"},
		{"an unknown word", global("speed 3"), "write one of words, attempts, after_failures"},
		{"a word twice", global("trial\n\t\t\ttrial"), "trial stands twice in biopass"},
		{"two tries", global("attempts 2"), "a number from 3 to 20"},
		{"three words", global("words 3"), "a number from 4 to 6"},
		{"a level that is none", global("level lax"), "convenient or balanced or strict"},
		{"a level for a phone", global("level strict phone"), "on a phone nobody types"},
		{"a level for no kind", global("level strict fridge"), "tablet, computer or other"},
		{"two levels for all", global("level strict\n\t\t\tlevel balanced"), "name a kind"},
		{"two levels for one kind", global("level strict tablet\n\t\t\tlevel balanced tablet"), "twice in biopass for tablet"},
		{"a way out that is none", global("after_failures ignore"), "approval or lock"},
		{"a trial with a word", global("trial yes"), `"yes" is too much`},
		{"a retention that is none", global("retain forever"), "60s, 12h or 90d"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(c.config), map[string]any{"filename": "Caddyfile"})
			if err == nil {
				t.Fatal("the mistake was taken")
			}
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "Caddyfile:") {
				t.Errorf("%v\nwants a line and %q", err, c.want)
			}
		})
	}
}

func TestWhatJSONMustNotSayOfBiopass(t *testing.T) {
	for name, h := range map[string]*Handler{
		"a mode that is none":         {Biopass: &SiteBiopass{Mode: "sometimes"}},
		"always, and nobody is named": {Biopass: &SiteBiopass{Mode: "always"}},
		"always, and a device alone":  {Biopass: &SiteBiopass{Mode: "always"}, IdentitiesRaw: []json.RawMessage{[]byte(`{"source":"device"}`)}},
		"a minute":                    {Biopass: &SiteBiopass{Mode: "always", Every: caddy.Duration(time.Minute)}, IdentitiesRaw: []json.RawMessage{[]byte(`{"source":"basic"}`)}},
		"every sign-in, every day":    {Biopass: &SiteBiopass{Mode: "always", Every: caddy.Duration(24 * time.Hour)}, Login: &Login{Path: "/login"}},
		"an end of nothing":           {Biopass: &SiteBiopass{Mode: "optional", Every: caddy.Duration(24 * time.Hour)}},
		"a day that is none":          {Biopass: &SiteBiopass{Mode: "required", SkipUntil: "soon"}},
	} {
		if h.validateBiopass() == nil {
			t.Errorf("%s was taken", name)
		}
	}
	for name, b := range map[string]*Biopass{
		"two tries": {Attempts: 2}, "nine words": {Words: 9}, "a level": {Level: "lax"}, "a level for a phone": {Levels: map[access.Kind]string{access.Phone: "strict"}}, "a way out": {AfterFailures: "ignore"},
	} {
		if b.validate() == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if err := (*Biopass)(nil).validate(); err != nil {
		t.Error(err)
	}
}

func TestHowLongAMatchHoldsWhereNoSignInIsWatched(t *testing.T) {
	header := []json.RawMessage{[]byte(`{"source":"header","name":"X-User"}`)}
	named := []identity.Source{identity.Header{Name: "X-User"}}
	for _, c := range []struct {
		name string
		h    *Handler
		want time.Duration
	}{
		{"a working day", &Handler{Biopass: &SiteBiopass{Mode: "always"}, IdentitiesRaw: header, sources: named}, 12 * time.Hour},
		{"as long as is said", &Handler{Biopass: &SiteBiopass{Mode: "always", Every: caddy.Duration(8 * time.Hour)}, IdentitiesRaw: header, sources: named}, 8 * time.Hour},
		{"a header beside a login", &Handler{Biopass: &SiteBiopass{Mode: "always"}, Login: &Login{Path: "/login"}, IdentitiesRaw: header, sources: named}, 12 * time.Hour},
		{"a login alone: each sign-in is typed", &Handler{Biopass: &SiteBiopass{Mode: "always"}, Login: &Login{Path: "/login"}}, 0},
		{"typed where something is new only", &Handler{Biopass: &SiteBiopass{Mode: "required"}, IdentitiesRaw: header, sources: named}, 0},
	} {
		if err := c.h.validateBiopass(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := c.h.every(); got != c.want {
			t.Errorf("%s: %s", c.name, got)
		}
	}
}

func TestBiopassIsOffUnlessSomethingAsksForIt(t *testing.T) {
	for _, c := range []struct {
		name string
		h    *Handler
		want biopass.Mode
	}{
		{"nothing said", &Handler{}, biopass.Off},
		{"the policy asks for it", &Handler{Unknown: &Unknown{Place: "biopass"}}, biopass.Optional},
		{"said", &Handler{Biopass: &SiteBiopass{Mode: "always"}}, biopass.Always},
		{"switched off", &Handler{Unknown: &Unknown{Place: "biopass"}, Biopass: &SiteBiopass{Mode: "off"}}, biopass.Off},
	} {
		if got := c.h.mode(); got != c.want {
			t.Errorf("%s: %s", c.name, got)
		}
	}
}
