package lang

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// entries are the messages as they were read.
func (m *messages) entries() map[string]entry {
	all := map[string]entry{}
	for _, l := range m.lines {
		key, form := m.keyOf(l), m.formOf(l)
		e := all[key]
		if form == "" {
			e.text = m.wordsOf(l)
		} else {
			if e.forms == nil {
				e.forms = map[string]string{}
			}
			e.forms[form] = m.wordsOf(l)
		}
		all[key] = e
	}
	return all
}

// texts are all forms of a message.
func (m entry) texts() []string {
	if m.forms == nil {
		return []string{m.text}
	}
	var all []string
	for _, text := range m.forms {
		all = append(all, text)
	}
	return all
}

var holes = regexp.MustCompile(`\{[^{}]*\}`)

func holesOf(m entry) []string {
	seen := map[string]bool{}
	for _, text := range m.texts() {
		for _, hole := range holes.FindAllString(text, -1) {
			seen[hole] = true
		}
	}
	var all []string
	for hole := range seen {
		all = append(all, hole)
	}
	slices.Sort(all)
	return all
}

func TestBothCataloguesSayTheSameThings(t *testing.T) {
	en, fr := For("en").messages.entries(), For("fr").messages.entries()
	for key, m := range en {
		other, ok := fr[key]
		if !ok {
			t.Errorf("%s is not in French", key)
			continue
		}
		if a, b := holesOf(m), holesOf(other); !slices.Equal(a, b) {
			t.Errorf("%s: English has the holes %v, French %v", key, a, b)
		}
		if (m.forms == nil) != (other.forms == nil) {
			t.Errorf("%s: plural forms in one language only", key)
		}
	}
	for key := range fr {
		if _, ok := en[key]; !ok {
			t.Errorf("%s is not in English", key)
		}
	}
}

func TestMessagesAreWellFormed(t *testing.T) {
	name := regexp.MustCompile(`^\{[a-z_]+\}$`)
	for _, tag := range Tags() {
		for key, m := range For(tag).messages.entries() {
			if m.forms != nil && (m.forms["one"] == "" || m.forms["other"] == "" || len(m.forms) != 2) {
				t.Errorf("%s %s: wants the forms one and other", tag, key)
			}
			for _, text := range m.texts() {
				if text == "" || text != strings.TrimSpace(text) {
					t.Errorf("%s %s: empty, or a space at an end: %q", tag, key, text)
				}
				if strings.Contains(text, "'") || strings.Contains(text, "...") || strings.Contains(text, "  ") {
					t.Errorf("%s %s: straight apostrophe, three dots or two spaces: %q", tag, key, text)
				}
				if strings.ContainsAny(text, "<>&") {
					t.Errorf("%s %s: a message has no markup: %q", tag, key, text)
				}
				if Inert(text, 0) != text {
					t.Errorf("%s %s: a sign that cannot be shown: %q", tag, key, text)
				}
				for _, hole := range holes.FindAllString(text, -1) {
					if !name.MatchString(hole) {
						t.Errorf("%s %s: %s is no hole", tag, key, hole)
					}
				}
			}
		}
	}
}

func TestQuebecTypography(t *testing.T) {
	wrong := []struct {
		name string
		find *regexp.Regexp
	}{
		{"a colon has a non-breaking space before it", regexp.MustCompile(`[^\x{a0}0-9]:( |$)`)},
		{"no space before ? ! ;", regexp.MustCompile(`[\s\x{a0}\x{202f}][?!;]`)},
		{"guillemets keep their text close", regexp.MustCompile(`«[^\x{a0}]|[^\x{a0}]»`)},
		{"no English quotation marks", regexp.MustCompile(`["“”]`)},
		{"a percent sign keeps its number close", regexp.MustCompile(`[^\x{a0}]%`)},
	}
	for key, m := range For("fr").messages.entries() {
		for _, text := range m.texts() {
			for _, rule := range wrong {
				if rule.find.MatchString(text) {
					t.Errorf("%s: %s: %q", key, rule.name, text)
				}
			}
		}
	}
}

// TestKeys reads the sources: every key they name is in the catalogues, and
// every key of the catalogues is named. A key put together at run time counts
// as used when the sources have the part before it, up to a dot.
func TestKeys(t *testing.T) {
	quoted := regexp.MustCompile("[\"`]([a-z][a-z0-9_-]*(?:\\.[a-zA-Z0-9_-]+)*\\.?)[\"`]")
	named := regexp.MustCompile(`(?:\{\{-?\s*|\(|\s)(?:t|plain) "([^"]+)"|\.Text\(\s*"([^"]+)"`)
	literals, asked := map[string]bool{}, map[string]string{}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		if entry.IsDir() {
			if base == "testdata" || base == "node_modules" || (strings.HasPrefix(base, ".") && base != "..") {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(base, "_test.go") || !slices.Contains([]string{".go", ".html", ".txt", ".js"}, filepath.Ext(base)) {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range quoted.FindAllSubmatch(data, -1) {
			literals[string(m[1])] = true
		}
		if ext := filepath.Ext(base); ext == ".js" {
			return nil
		}
		for _, m := range named.FindAllSubmatch(data, -1) {
			if key := string(m[1]) + string(m[2]); !strings.HasSuffix(key, ".") {
				asked[key] = path
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	en := For("en")
	for key, path := range asked {
		if !en.Has(key) {
			t.Errorf("%s asks for %q, which no catalogue has", path, key)
		}
	}
	for key := range en.messages.entries() {
		used := literals[key]
		for i := len(key) - 1; i > 0 && !used; i-- {
			if key[i] == '.' {
				used = literals[key[:i+1]]
			}
		}
		if !used {
			t.Errorf("nothing uses %q", key)
		}
	}
}
