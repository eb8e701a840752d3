package adminui

import (
	"net/http"

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
				line.Value = lang.Inert(line.Value, 2000)
				group.Lines = append(group.Lines, line)
			}
			page.Groups = append(page.Groups, group)
		}
	}
	return v.show(http.StatusOK, "settings", page)
}

// word is a message of the catalogue, or what is written where there is none.
func (v *visit) word(key string) string {
	if v.say.Has(key) {
		return v.say.Text(key)
	}
	return lang.Inert(key, 200)
}
