package adminui

import (
	"net/http"
	"slices"
	"strings"

	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/store"
)

// settingsPage is what the configuration says, for reading.
type settingsPage struct {
	frame
	Groups   []SettingGroup
	Channels []channelLine
}

// channelLine is one way by which messages go out, and how it fares.
type channelLine struct {
	// Way is the name inside a sentence.
	ID, Name, Way string
	// Error is what last went wrong, in the channel's words; Ill says that
	// nothing was sent since.
	Error string
	State string
	Ill   bool
	// Test says that it reaches who is signed in.
	Test bool
}

func showSettings(v *visit) error {
	f, err := v.frame("settings", nil, nil)
	if err != nil {
		return err
	}
	page := settingsPage{frame: f}
	page.Groups = v.settingGroups()
	if page.Channels, err = v.channelLines(); err != nil {
		return err
	}
	return v.show(http.StatusOK, "settings", page)
}

// settingGroups are the settings in words.
func (v *visit) settingGroups() []SettingGroup {
	if v.Settings == nil {
		return nil
	}
	var groups []SettingGroup
	for i, g := range v.Settings() {
		group := SettingGroup{Title: v.word(g.Title)}
		for _, line := range g.Lines {
			line.Name = v.word(line.Name)
			line.Value = v.settingValue(line)
			if line.Bad != "" {
				line.Bad = v.word(line.Bad)
			}
			group.Lines = append(group.Lines, line)
			if line.Store {
				group.Lines = append(group.Lines, v.storeSize()...)
			}
		}
		if i == 0 {
			zone, _ := v.say.Zone(v.now)
			group.Lines = append(group.Lines, SettingLine{Name: v.say.Text("settings.zone"), Value: zone})
		}
		groups = append(groups, group)
	}
	return groups
}

// storeSize says how large the store is. That it cannot be asked is no reason to
// show nothing: the page tells of a store in trouble at its top.
func (v *visit) storeSize() []SettingLine {
	size, ok, err := store.SizeOf(v.ctx(), v.Books.Store)
	if err != nil {
		v.Log.Warn("the store does not say how large it is", "error", err)
	}
	if !ok {
		return nil
	}
	words := v.say.Bytes(size.Bytes)
	switch {
	case size.Keys > 0:
		words = v.say.Text("settings.size.keys", "size", words, "count", size.Keys)
	case size.Free > 0:
		words = v.say.Text("settings.size.free", "size", words, "free", v.say.Bytes(size.Free))
	}
	return []SettingLine{{Name: v.say.Text("settings.size.of"), Value: words}}
}

// channelLines say how each channel fares.
func (v *visit) channelLines() ([]channelLine, error) {
	ailing, err := v.Approvals.Ailing(v.ctx())
	if err != nil {
		return nil, err
	}
	mine := v.Approvals.Channels(v.admin)
	var list []channelLine
	for _, name := range v.Approvals.ChannelNames() {
		line := channelLine{ID: name, Name: capital(v.channelName(name)), Way: v.channelName(name), Test: slices.Contains(mine, name), State: v.say.Text("settings.channel.well")}
		if a, ok := ailing[name]; ok {
			line.Error, line.Ill = lang.Inert(a.Error, 300), a.Over.IsZero()
			if line.State = v.say.Text("settings.channel.ill", "when", v.say.When(a.At, v.now)); !line.Ill {
				line.State = v.say.Text("settings.channel.was_ill", "when", v.say.When(a.At, v.now), "since", v.say.When(a.Over, v.now))
			}
		}
		list = append(list, line)
	}
	return list, nil
}

// settingValue says what is set; the length is that of a list of networks.
func (v *visit) settingValue(line SettingLine) string {
	switch {
	case line.Length > 0:
		return v.say.Span(line.Length)
	case line.Count > 0:
		return v.say.Number(int64(line.Count))
	case len(line.Values) == 0:
		return lang.Inert(line.Value, 2000)
	}
	var words []string
	for _, value := range line.Values {
		if strings.HasPrefix(value, "settings.") && v.say.Has(value) {
			words = append(words, v.say.Text(value))
		} else {
			words = append(words, lang.Inert(value, 400))
		}
	}
	return strings.Join(words, ", ")
}

// word is a message of the catalogue, or what is written where there is none.
func (v *visit) word(key string) string {
	if v.say.Has(key) {
		return v.say.Text(key)
	}
	return lang.Inert(key, 200)
}
