package caddymodule

import (
	"time"

	adminui "github.com/cadenas-gateway/cadenas/admin-ui"
)

// settings is what the configuration says of one application, for the console
// to show: what is at its default is shown where people ask for it.
func (s *site) settings() adminui.SettingGroup {
	h := s.handler
	g := adminui.SettingGroup{Title: s.name}
	add := func(name string, values ...string) {
		g.Lines = append(g.Lines, adminui.SettingLine{Name: "settings." + name, Values: values})
	}
	if s.host != "" {
		add("host", s.host)
	}
	s.identitySettings(add)
	unknown := Unknown{}
	if h.Unknown != nil {
		unknown = *h.Unknown
	}
	for _, part := range []struct{ name, answer string }{
		{"device", unknown.Device}, {"place", unknown.Place}, {"browser", unknown.Browser}, {"combination", unknown.Combination},
	} {
		if part.answer == "" {
			part.answer = "approval"
		}
		add("unknown."+part.name, "settings.answer."+part.answer)
	}
	mode := "default"
	if h.Biopass != nil {
		mode = h.Biopass.Mode
	}
	add("biopass", "settings.biopass."+mode)
	if h.Exempt != nil {
		for _, what := range []struct {
			name string
			list []string
		}{{"path", h.Exempt.Path}, {"user", h.Exempt.User}, {"group", h.Exempt.Group}} {
			if len(what.list) > 0 {
				add("exempt."+what.name, what.list...)
			}
		}
	}
	if len(h.Public) > 0 {
		add("public", h.Public...)
	}
	if h.Same != nil {
		if len(h.Same.Place) > 0 {
			add("same.place", prefixed("settings.same.", h.Same.Place)...)
		}
		if h.Same.Browser != "" {
			add("same.browser", "settings.same."+h.Same.Browser)
		}
	}
	padlock := "console"
	if h.Padlock != "" {
		padlock = h.Padlock
	}
	add("padlock", "settings.padlock."+padlock)
	g.Lines = append(g.Lines, s.lengths()...)
	s.otherSettings(add)
	return g
}

// identitySettings says who tells us the user.
func (s *site) identitySettings(add func(name string, values ...string)) {
	h := s.handler
	if l := h.Login; l != nil {
		add("login", l.Path)
		if l.User != "" {
			add("login.user", l.User)
		}
		if len(l.Session) > 0 {
			add("login.session", l.Session...)
		}
		if l.Logout != "" {
			add("login.logout", l.Logout)
		}
	}
	sources := prefixed("settings.identity.", h.named)
	switch {
	case len(sources) > 0:
		add("identity", sources...)
	case h.Login == nil:
		add("identity", "settings.identity.default")
	}
}

// lengths are the lengths of time that are set.
func (s *site) lengths() []adminui.SettingLine {
	var lines []adminui.SettingLine
	for _, one := range []adminui.SettingLine{
		{Name: "settings.grant_for", Length: time.Duration(s.handler.GrantFor)},
		{Name: "settings.hold", Length: time.Duration(s.handler.Hold)},
	} {
		if one.Length > 0 {
			lines = append(lines, one)
		}
	}
	return lines
}

// otherSettings says what is set and seldom is.
func (s *site) otherSettings(add func(name string, values ...string)) {
	h := s.handler
	for _, one := range []struct{ name, value string }{
		{"cookie_domain", h.CookieDomain}, {"intercept", h.Intercept}, {"factors_header", h.FactorsHeader},
	} {
		if one.value != "" {
			add(one.name, one.value)
		}
	}
	if h.Self != "" {
		add("self", "settings.self."+h.Self)
	}
	if h.Unbound != "" {
		add("unbound", "settings.unbound."+h.Unbound)
	}
}

func prefixed(prefix string, list []string) []string {
	var all []string
	for _, s := range list {
		all = append(all, prefix+s)
	}
	return all
}
