package caddymodule

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/biopass"
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
		"a mode that is none":      {Biopass: &SiteBiopass{Mode: "sometimes"}},
		"always without a sign-in": {Biopass: &SiteBiopass{Mode: "always"}},
		"a day that is none":       {Biopass: &SiteBiopass{Mode: "required", SkipUntil: "soon"}},
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
