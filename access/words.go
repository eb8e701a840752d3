package access

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The words a person may type, in the order they are offered.
var (
	// Answers are those of `unknown`, from mildest to strictest.
	Answers = []Answer{LetIn, Biopass, Approval, Deny}
	// Sames are those of `same place`.
	Sames = []Same{SameAddress, SameNetwork, SameCity, SameCountry, SameOwner}
	// SameBrowsers are those of `same browser`.
	SameBrowsers = []SameBrowser{SameFamily, SameVersion}
	// Parts are those of `unknown`.
	Parts = []Part{PartDevice, PartPlace, PartBrowser, PartCombination}
	// Effects are those of a rule.
	Effects = []Effect{Allow, Refuse}
)

// ParseAnswer reads one of Answers.
func ParseAnswer(s string) (Answer, error) { return word(s, "an answer", Answers) }

// ParseSame reads one of Sames.
func ParseSame(s string) (Same, error) { return word(s, "a way to compare places", Sames) }

// ParseSameBrowser reads one of SameBrowsers.
func ParseSameBrowser(s string) (SameBrowser, error) {
	return word(s, "a way to compare browsers", SameBrowsers)
}

// ParseKind reads one of Kinds.
func ParseKind(s string) (Kind, error) { return word(s, "a kind of device", Kinds) }

// ParsePart reads one of Parts.
func ParsePart(s string) (Part, error) { return word(s, "a thing that can be new", Parts) }

// ParseEffect reads one of Effects.
func ParseEffect(s string) (Effect, error) { return word(s, "an effect", Effects) }

// word finds s in a closed list; words are compared whole and as they are
// written (threat L23).
func word[W ~string](s, what string, words []W) (W, error) {
	if i := slices.Index(words, W(s)); i >= 0 {
		return words[i], nil
	}
	names := make([]string, len(words))
	for i, w := range words {
		names[i] = string(w)
	}
	return "", fmt.Errorf("%q is not %s: use %s", s, what, strings.Join(names, ", "))
}

// field is one part of a key under its name.
type field struct {
	name  string
	value *string
}

func (k *PlaceKey) fields() []field {
	return []field{
		{"name", &k.Name},
		{"city", &k.City},
		{"region", &k.Region},
		{"country", &k.Country},
		{"owner", &k.Owner},
		{"prefix", &k.Prefix},
	}
}

func (k *BrowserKey) fields() []field {
	return []field{{"family", &k.Family}, {"platform", &k.Platform}, {"version", &k.Version}}
}

// String is the key in one line, for logs and the command line:
// "city=Laval region=Quebec country=CA owner=Bell Canada". A value that could
// be taken for another field is quoted. Any place is "".
func (k PlaceKey) String() string { return join(k.fields()) }

// ParsePlaceKey reads what String writes, in any order; "" and "any" mean any
// place. A prefix may be written as an address; it is kept in its one
// spelling.
func ParsePlaceKey(text string) (PlaceKey, error) {
	var k PlaceKey
	if err := split(text, "place", k.fields()); err != nil {
		return PlaceKey{}, err
	}
	if k.Prefix != "" {
		p, err := parsePrefix(k.Prefix)
		if err != nil {
			return PlaceKey{}, err
		}
		k.Prefix = p.String()
	}
	return k, nil
}

// MarshalText makes String the form of the key in JSON.
func (k PlaceKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (k *PlaceKey) UnmarshalText(text []byte) (err error) {
	*k, err = ParsePlaceKey(string(text))
	return err
}

// String is the key in one line: "family=Chrome platform=Android". Any
// browser is "".
func (k BrowserKey) String() string { return join(k.fields()) }

// ParseBrowserKey reads what String writes, in any order; "" and "any" mean
// any browser.
func ParseBrowserKey(text string) (BrowserKey, error) {
	var k BrowserKey
	if err := split(text, "browser", k.fields()); err != nil {
		return BrowserKey{}, err
	}
	return k, nil
}

// MarshalText makes String the form of the key in JSON.
func (k BrowserKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (k *BrowserKey) UnmarshalText(text []byte) (err error) {
	*k, err = ParseBrowserKey(string(text))
	return err
}

func join(fields []field) string {
	var b strings.Builder
	for _, f := range fields {
		if *f.value == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(f.name)
		b.WriteByte('=')
		if plain(*f.value) {
			b.WriteString(*f.value)
		} else {
			b.WriteString(strconv.Quote(*f.value))
		}
	}
	return b.String()
}

// plain reports whether a value reads back as itself without quotes.
func plain(s string) bool {
	return !strings.ContainsAny(s, `="\`) && strings.TrimSpace(s) == s &&
		strings.IndexFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) < 0
}

// split reads "name=value name=value"; an unquoted value goes on to the next
// word that holds an equals sign.
func split(text, what string, fields []field) error {
	rest := strings.TrimSpace(text)
	if rest == "any" {
		return nil
	}
	for rest != "" {
		name, after, ok := strings.Cut(rest, "=")
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		if !ok || i < 0 {
			return fmt.Errorf("%s %q: write it as %s", what, text, usage(fields))
		}
		if *fields[i].value != "" {
			return fmt.Errorf("%s %q: %s is given twice", what, text, name)
		}
		value, left, err := cutValue(after)
		if err != nil || value == "" {
			return fmt.Errorf("%s %q: the value of %s cannot be read", what, text, name)
		}
		*fields[i].value, rest = value, strings.TrimSpace(left)
	}
	return nil
}

// cutValue takes the value text starts with, and returns what follows.
func cutValue(text string) (value, rest string, err error) {
	if strings.HasPrefix(text, `"`) {
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return "", "", fmt.Errorf("reading quoted value: %w", err)
		}
		rest = text[len(quoted):]
		if rest != "" && rest[0] != ' ' {
			return "", "", fmt.Errorf("no space after %s", quoted)
		}
		value, err = strconv.Unquote(quoted)
		return value, rest, err
	}
	end := len(text)
	if eq := strings.IndexByte(text, '='); eq >= 0 {
		if end = strings.LastIndexByte(text[:eq], ' '); end < 0 {
			return "", "", fmt.Errorf("two equals signs in %s", text)
		}
	}
	return strings.TrimSpace(text[:end]), text[end:], nil
}

func usage(fields []field) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name + "=…"
	}
	return "any, or one or more of " + strings.Join(names, " ")
}
