package adminui

import (
	"net/http"
	"strings"

	"github.com/cadenas-gateway/cadenas/lang"
)

// settingsPage is what the configuration says, for reading.
type settingsPage struct {
	frame
	Groups []SettingGroup
}

func showSettings(v *visit) error {
	f, err := v.frame("settings", nil, nil)
	if err != nil {
		return err
	}
	page := settingsPage{frame: f}
	if v.Settings != nil {
		for _, g := range v.Settings() {
			group := SettingGroup{Title: v.word(g.Title)}
			for _, line := range g.Lines {
				line.Name = v.word(line.Name)
				line.Value = v.settingValue(line)
				group.Lines = append(group.Lines, line)
			}
			page.Groups = append(page.Groups, group)
		}
	}
	return v.show(http.StatusOK, "settings", page)
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
