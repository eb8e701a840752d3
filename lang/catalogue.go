// Package lang holds the two catalogues, English and French, and says
// numbers, times, places and devices in words. All a person reads goes
// through it: pages, mails, texts, pushes, command line.
//
// Messages lie in en/*.json and fr/*.json, split by area; keys are global and
// dotted ("waiting.title"). A message is a string with {holes}, or an object
// of plural forms chosen by the hole "count":
//
//	"waiting.left": {"one": "{count} try left", "other": "{count} tries left"}
//
// Typography is put right while loading (see typography), so that whoever
// writes a message cannot get a space wrong.
package lang

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"log"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

//go:embed en/*.json fr/*.json
var files embed.FS

// Catalogue speaks one language. It is safe for concurrent use.
type Catalogue struct {
	tag      string // "en"
	locale   language.Tag
	messages messages
	zone     *time.Location
}

// entry is one message, or its plural forms.
type entry struct {
	text  string
	forms map[string]string
}

// UnmarshalJSON reads a string or an object of plural forms.
func (m *entry) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '{' {
		return json.Unmarshal(data, &m.forms)
	}
	return json.Unmarshal(data, &m.text)
}

// locales are the languages we have, English first because all falls back to it.
var locales = []struct{ tag, locale string }{{"en", "en-CA"}, {"fr", "fr-CA"}}

// Tags lists the languages we have: "en", "fr".
func Tags() []string {
	tags := make([]string, len(locales))
	for i, l := range locales {
		tags[i] = l.tag
	}
	return tags
}

var catalogues = sync.OnceValue(func() map[string]*Catalogue {
	all := make(map[string]*Catalogue, len(locales))
	for _, l := range locales {
		c, err := load(files, l.tag, l.locale)
		if err != nil {
			panic(err) // embedded, so a build that passed its tests cannot get here
		}
		all[l.tag] = c
	}
	return all
})

// For returns the catalogue of a language ("fr", "fr-CA"); English where we do
// not have it. Times are said in the server's zone; see In.
func For(tag string) *Catalogue {
	if c := catalogues()[base(tag)]; c != nil {
		return c
	}
	return catalogues()["en"]
}

func base(tag string) string {
	b, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
	return b
}

// Tag is the language: "en" or "fr".
func (c *Catalogue) Tag() string { return c.tag }

// HTML is the value of a page's lang attribute: "en-CA", "fr-CA".
func (c *Catalogue) HTML() string { return c.locale.String() }

// In returns the same catalogue, saying times in another zone.
func (c *Catalogue) In(zone *time.Location) *Catalogue {
	other := *c
	other.zone = zone
	return &other
}

func load(files fs.FS, tag, locale string) (*Catalogue, error) {
	c := &Catalogue{tag: tag, locale: language.MustParse(locale)}
	all := map[string]entry{}
	names, err := fs.Glob(files, path.Join(tag, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("listing catalogue %s: %w", tag, err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("reading catalogue: %w", err)
		}
		var area map[string]entry
		if err := json.Unmarshal(data, &area); err != nil {
			return nil, fmt.Errorf("reading catalogue %s: %w", name, err)
		}
		for key, m := range area {
			if _, twice := all[key]; twice {
				return nil, fmt.Errorf("catalogue %s: key %q is there twice", name, key)
			}
			all[key] = m.with(func(s string) string { return typography(tag, s) })
		}
	}
	c.messages = packed(all)
	return c, nil
}

func (m entry) with(change func(string) string) entry {
	if m.forms == nil {
		return entry{text: change(m.text)}
	}
	forms := make(map[string]string, len(m.forms))
	for form, text := range m.forms {
		forms[form] = change(text)
	}
	return entry{forms: forms}
}

// Has reports whether there is a message under key.
func (c *Catalogue) Has(key string) bool {
	return len(c.messages.of(key)) > 0
}

// Text returns the message under key with its holes filled from pairs of name
// and value. Strings are made inert on the way (threat L14: see Inert);
// integers are said as Number does, durations as Duration, times as Time. The
// pair "count" chooses the plural form.
//
// A key that is missing panics in tests; in production the key itself is
// shown and logged once.
func (c *Catalogue) Text(key string, pairs ...any) string {
	return c.Fill(func(piece string, _ any) string { return piece }, key, pairs...)
}

// Fill is Text with another way to write the pieces: pages escape and isolate
// what came from outside. A piece of the message comes with a nil value; the
// words of a value come, inert, with the value they stand for.
func (c *Catalogue) Fill(write func(piece string, value any) string, key string, pairs ...any) string {
	template := c.template(key, pairs)
	var b strings.Builder
	for template != "" {
		open := strings.IndexByte(template, '{')
		if open < 0 {
			b.WriteString(write(template, nil))
			break
		}
		end := strings.IndexByte(template[open:], '}')
		if end < 0 {
			c.wrong("message %q has an open hole", key)
			break
		}
		b.WriteString(write(template[:open], nil))
		hole := template[open+1 : open+end]
		value, ok := lookup(pairs, hole)
		if !ok {
			c.wrong("message %q wants %q", key, hole)
		}
		if value == nil {
			value = ""
		}
		b.WriteString(write(c.say(value), value))
		template = template[open+end+1:]
	}
	return b.String()
}

// template is the message under key, in the form that the pair "count" wants.
func (c *Catalogue) template(key string, pairs []any) string {
	lines := c.messages.of(key)
	if len(lines) == 0 {
		c.wrong("no message %q", key)
		return key
	}
	if c.messages.formOf(lines[0]) == "" {
		return c.messages.wordsOf(lines[0])
	}
	count, _ := lookup(pairs, "count")
	n, ok := toInt(count)
	if !ok {
		c.wrong("message %q wants an integer count", key)
	}
	form, other := c.form(n), ""
	for _, l := range lines {
		switch c.messages.formOf(l) {
		case form:
			return c.messages.wordsOf(l)
		case "other":
			other = c.messages.wordsOf(l)
		}
	}
	return other
}

// form names the plural form of n ("one", "other") by the language's rule.
func (c *Catalogue) form(n int64) string {
	if n < 0 {
		n = -n
	}
	// French takes "many" for whole millions; the catalogues write it "other".
	switch plural.Cardinal.MatchPlural(c.locale, int(min(n, 1_000_000)), 0, 0, 0, 0) {
	case plural.One:
		return "one"
	case plural.Zero:
		return "zero"
	case plural.Two:
		return "two"
	case plural.Few:
		return "few"
	case plural.Other, plural.Many:
	}
	return "other"
}

// say turns a value that is not a string into words.
func (c *Catalogue) say(value any) string {
	switch v := value.(type) {
	case string:
		return Inert(v, 0)
	case time.Time:
		return c.Time(v)
	case time.Duration:
		return c.Duration(v)
	case fmt.Stringer:
		return Inert(v.String(), 0)
	}
	if n, ok := toInt(value); ok {
		return c.Number(n)
	}
	return Inert(fmt.Sprint(value), 0)
}

func toInt(value any) (int64, bool) {
	switch v := value.(type) {
	case int:
		return int64(v), true
	case int64:
		return v, true
	case int32:
		return int64(v), true
	}
	return 0, false
}

func lookup(pairs []any, name string) (any, bool) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == name {
			return pairs[i+1], true
		}
	}
	return nil, false
}

// logged holds the mistakes already told, so that a page that is asked for
// again and again does not fill the log. Their number is bounded by that of
// messages in the source.
var logged sync.Map

// wrong tells of a mistake in our own source: loud in tests, one log line in
// production, where a page with a raw key is better than no page.
func (c *Catalogue) wrong(format string, args ...any) {
	text := "lang: " + c.tag + ": " + fmt.Sprintf(format, args...)
	if testing.Testing() {
		panic(text)
	}
	if _, twice := logged.LoadOrStore(text, true); !twice {
		log.Print(text)
	}
}
