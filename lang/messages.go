package lang

import (
	"cmp"
	"slices"
	"sort"
	"strings"
)

// messages are all messages of one language: one long text, and where in it
// each message is. Thousands of them in a map are thousands of pieces of
// memory that the collector of garbage looks at again and again.
type messages struct {
	text  string
	lines []line // by key, then form
}

// line is one message, or one of its plural forms: key, form and words stand
// behind each other in the text, and end there.
type line struct{ start, key, form, words uint32 }

func (m *messages) keyOf(l line) string   { return m.text[l.start:l.key] }
func (m *messages) formOf(l line) string  { return m.text[l.key:l.form] }
func (m *messages) wordsOf(l line) string { return m.text[l.form:l.words] }

// packed makes messages of what was read.
func packed(all map[string]entry) messages {
	var m messages
	var b strings.Builder
	add := func(key, form, words string) {
		l := line{start: uint32(b.Len())} //nolint:gosec // the catalogues are some hundred kilobytes
		for _, part := range []struct {
			text string
			end  *uint32
		}{{key, &l.key}, {form, &l.form}, {words, &l.words}} {
			b.WriteString(part.text)
			*part.end = uint32(b.Len()) //nolint:gosec // as above
		}
		m.lines = append(m.lines, l)
	}
	for key, e := range all {
		if e.forms == nil {
			add(key, "", e.text)
		}
		for form, words := range e.forms {
			add(key, form, words)
		}
	}
	m.text = b.String()
	m.lines = slices.Clip(m.lines)
	slices.SortFunc(m.lines, func(a, b line) int {
		return cmp.Or(cmp.Compare(m.keyOf(a), m.keyOf(b)), cmp.Compare(m.formOf(a), m.formOf(b)))
	})
	return m
}

// of are the lines of a key: one, or its plural forms, or none.
func (m *messages) of(key string) []line {
	from := sort.Search(len(m.lines), func(i int) bool { return m.keyOf(m.lines[i]) >= key })
	to := from
	for to < len(m.lines) && m.keyOf(m.lines[to]) == key {
		to++
	}
	return m.lines[from:to]
}
