package adminui

import (
	"context"

	"github.com/cadenas-gateway/cadenas/access"
)

// TriedRule is what the room of rules says before a rule is made.
type TriedRule struct {
	// Sentence says the rule.
	Sentence string `json:"sentence"`
	// Connections is how many of the last days it would decide, Changed how many
	// of these it would answer otherwise.
	Connections int `json:"connections"`
	Changed     int `json:"changed"`
	// Touched are the people of these, TouchedMore how many are not named.
	Touched     []string `json:"touched"`
	TouchedMore int      `json:"touched_more"`
	// Spared is how many it is about and does not decide.
	Spared int `json:"spared"`
	// Part says that there are more connections than were looked at.
	Part bool `json:"part"`
}

// TryRule says what a rule would do.
func (d Desk) TryRule(ctx context.Context, r access.Rule) (TriedRule, error) {
	v := d.visit(ctx, nil, nil)
	sentence, err := v.sentence(r, v.people(), v.deviceNames())
	if err != nil {
		return TriedRule{}, err
	}
	t, err := v.tryRule(r)
	return TriedRule{sentence, t.Connections, t.Changed, t.Touched, t.TouchedMore, t.SparedCount, t.Part}, err
}

// ShownSettings is one part of the settings in words.
type ShownSettings struct {
	Title string         `json:"title"`
	Lines []ShownSetting `json:"lines"`
}

// ShownSetting is one fact; Bad says what is wrong with it.
type ShownSetting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Bad   string `json:"bad,omitempty"`
}

// Settings are what the room of settings shows: what the configuration says, how
// large the store is, and how each channel fares.
func (d Desk) Settings(ctx context.Context) ([]ShownSettings, error) {
	v := d.visit(ctx, nil, nil)
	all := []ShownSettings{}
	for _, g := range v.settingGroups() {
		shown := ShownSettings{Title: g.Title}
		for _, line := range g.Lines {
			shown.Lines = append(shown.Lines, ShownSetting{line.Name, line.Value, line.Bad})
		}
		all = append(all, shown)
	}
	channels, err := v.channelLines()
	if err != nil {
		return nil, err
	}
	shown := ShownSettings{Title: v.say.Text("settings.channels")}
	for _, c := range channels {
		shown.Lines = append(shown.Lines, ShownSetting{c.Name, c.State, c.Error})
	}
	return append(all, shown), nil
}
