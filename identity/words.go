package identity

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Words are those of a login block that say how an application's login looks,
// with the site's `public`: what teaching finds, what presets know, and what
// the store keeps of a taught login. They mean what they mean in Config.
type Words struct {
	Path    string    `json:"path,omitempty"`
	User    string    `json:"user,omitempty"`
	Session []string  `json:"session,omitempty"`
	Token   string    `json:"token,omitempty"`
	Success []Success `json:"success,omitempty"`
	Second  []string  `json:"second,omitempty"`
	Whoami  Whoami    `json:"whoami,omitzero"`
	Logout  string    `json:"logout,omitempty"`
	Public  []string  `json:"public,omitempty"`
}

// maxWord bounds one word of a taught login, in bytes, and maxWordList how
// many stand in a list.
const (
	maxWord     = 500
	maxWordList = 32
)

// Check says what is wrong with words that somebody typed; nil where a
// watcher can work with them and a Caddyfile can hold them.
func (w Words) Check() error {
	if w.Path == "" {
		return &WordsError{"path_missing", "", "login: say the path that the form is posted to"}
	}
	for _, list := range [][]string{w.Session, w.Second, w.Public} {
		if len(list) > maxWordList {
			return &WordsError{"too_many", strconv.Itoa(maxWordList), fmt.Sprintf("login: %d words are too many: at most %d", len(list), maxWordList)}
		}
	}
	if len(w.Success) > maxWordList {
		return &WordsError{"too_many", strconv.Itoa(maxWordList), fmt.Sprintf("login: at most %d rules of success", maxWordList)}
	}
	for _, word := range w.all() {
		switch {
		case len(word) > maxWord:
			return &WordsError{"too_long", strconv.Itoa(maxWord), fmt.Sprintf("login: a word is longer than %d bytes", maxWord)}
		case strings.Contains(word, "{$"), strings.ContainsFunc(word, func(r rune) bool { return r < ' ' || r == 0x7f }):
			return &WordsError{"unwritable", word, fmt.Sprintf("login: %q cannot stand in a Caddyfile", word)}
		}
	}
	return Config{Application: "taught"}.With(w).check()
}

func (w Words) all() []string {
	all := []string{w.Path, w.User, w.Token, w.Whoami.Path, w.Whoami.JSON, w.Logout}
	all = slices.Concat(all, w.Session, w.Second, w.Public)
	for _, s := range w.Success {
		all = append(append(all, s.Kind), s.Args...)
	}
	return all
}

// With is the configuration with what it leaves out taken from words that
// were taught. What is configured wins: words of a login at another path than
// the configured one are left aside altogether.
func (c Config) With(w Words) Config {
	if c.Path != "" && c.Path != w.Path {
		return c
	}
	c.Path = w.Path
	for _, f := range []struct {
		into *string
		word string
	}{{&c.User, w.User}, {&c.Token, w.Token}, {&c.Logout, w.Logout}} {
		if *f.into == "" {
			*f.into = f.word
		}
	}
	if c.Session == nil {
		c.Session = w.Session
	}
	if c.Success == nil {
		c.Success = w.Success
	}
	if c.Second == nil {
		c.Second = w.Second
	}
	if c.Whoami == (Whoami{}) {
		c.Whoami = w.Whoami
	}
	c.Public = slices.Clone(c.Public)
	for _, p := range w.Public {
		if !slices.Contains(c.Public, p) {
			c.Public = append(c.Public, p)
		}
	}
	return c
}

// Lines are the words as a Caddyfile says them, to stand in a site's
// `cadenas` block; each line ends with a newline.
func (w Words) Lines() string {
	var b strings.Builder
	inner := func(word string, args ...string) {
		b.WriteString("\t" + word)
		for _, a := range args {
			b.WriteString(" " + caddyToken(a))
		}
		b.WriteString("\n")
	}
	if w.User != "" {
		inner("user", w.User)
	}
	if len(w.Session) > 0 {
		inner("session", w.Session...)
	}
	if w.Token != "" {
		inner("token", w.Token)
	}
	for _, s := range w.Success {
		inner("success", append([]string{s.Kind}, s.Args...)...)
	}
	if len(w.Second) > 0 {
		inner("second", w.Second...)
	}
	if w.Whoami.Path != "" {
		inner("whoami", w.Whoami.Path, w.Whoami.JSON)
	}
	if w.Logout != "" {
		inner("logout", w.Logout)
	}
	lines := "login " + caddyToken(w.Path)
	if b.Len() > 0 {
		lines += " {\n" + b.String() + "}"
	}
	lines += "\n"
	if len(w.Public) > 0 {
		lines += "public"
		for _, p := range w.Public {
			lines += " " + caddyToken(p)
		}
		lines += "\n"
	}
	return lines
}

// caddyToken quotes a word where a Caddyfile needs it.
func caddyToken(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\"`{}#\\") {
		return word
	}
	return `"` + strings.ReplaceAll(strings.ReplaceAll(word, `\`, `\\`), `"`, `\"`) + `"`
}
