package pages

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	tree "text/template/parse"
	"time"

	"github.com/cadenas-gateway/cadenas/lang"
)

//go:embed templates/*.html
var ownTemplates embed.FS

// Set is a family of pages. A page is one file; its name is the file's
// without ".html". It is safe for concurrent use.
//
// A page is parsed when somebody first sees it, in their language, and only
// with the partials that it comes to: what nobody looks at would lie in memory
// in tens of thousands of small pieces, which the collector of garbage goes
// through again and again.
type Set struct {
	files    fs.FS
	partials []fs.FS
	pages    map[string]map[string]*page // language, page
}

// New looks through every .html file of files, and returns the first mistake
// in any of them. A file whose name begins with "_" is not a page but a
// partial that all of them can call, like those of shared and like ours
// ("door" and "console", the layouts; "five", "pins", "state", "token",
// "padlock", "logo").
//
// A page calls its layout and defines its blocks:
//
//	{{template "door" .}}
//	{{define "title"}}{{plain "waiting.title"}}{{end}}
//	{{define "main"}}...{{end}}
func New(files fs.FS, shared ...fs.FS) (*Set, error) {
	s := &Set{files: files, pages: map[string]map[string]*page{}}
	s.partials = append(append([]fs.FS{Sub(ownTemplates, "templates")}, shared...), files)
	names, err := htmlFiles(files, false)
	if err != nil {
		return nil, err
	}
	for _, tag := range lang.Tags() {
		calls := funcs(lang.For(tag))
		s.pages[tag] = map[string]*page{}
		for _, name := range names {
			s.pages[tag][strings.TrimSuffix(path.Base(name), ".html")] = &page{set: s, file: name, funcs: calls}
		}
	}
	calls := funcs(lang.For(lang.Tags()[0]))
	for _, from := range s.partials {
		if err := parse(template.New("").Funcs(calls), from, true); err != nil {
			return nil, err
		}
	}
	return s, parse(template.New("").Funcs(calls), files, false)
}

// parsed is the template of one page, with what it comes to of all partials.
func (s *Set) parsed(file string, calls template.FuncMap) (*template.Template, error) {
	all := template.New("").Funcs(calls)
	for _, from := range s.partials {
		if err := parse(all, from, true); err != nil {
			return nil, err
		}
	}
	text, err := fs.ReadFile(s.files, file)
	if err != nil {
		return nil, fmt.Errorf("reading page: %w", err)
	}
	name := path.Base(file)
	if _, err := all.New(name).Parse(string(text)); err != nil {
		return nil, fmt.Errorf("parsing page %s: %w", file, err)
	}
	one := template.New("").Funcs(calls).Option("missingkey=error")
	for _, called := range reached(all, name) {
		if _, err := one.AddParseTree(called, all.Lookup(called).Tree); err != nil {
			return nil, fmt.Errorf("parsing page %s: %w", file, err)
		}
	}
	return one.Lookup(name), nil
}

// reached are the names of a template and of all that it calls, however far.
func reached(all *template.Template, name string) []string {
	names := []string{name}
	for i := 0; i < len(names); i++ {
		walk(all.Lookup(names[i]).Tree.Root, func(n tree.Node) {
			if call, ok := n.(*tree.TemplateNode); ok && !slices.Contains(names, call.Name) && defined(all, call.Name) {
				names = append(names, call.Name) // what is not there is told when it is drawn
			}
		})
	}
	return names
}

func defined(all *template.Template, name string) bool {
	t := all.Lookup(name)
	return t != nil && t.Tree != nil
}

// walk calls see with every node that stands on its own below list.
func walk(list *tree.ListNode, see func(tree.Node)) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		see(node)
		switch n := node.(type) {
		case *tree.IfNode:
			walk(n.List, see)
			walk(n.ElseList, see)
		case *tree.WithNode:
			walk(n.List, see)
			walk(n.ElseList, see)
		case *tree.RangeNode:
			walk(n.List, see)
			walk(n.ElseList, see)
		}
	}
}

// Must is New for embedded templates: it panics where they do not parse.
func Must(s *Set, err error) *Set {
	if err != nil {
		panic(fmt.Sprintf("pages: %v", err))
	}
	return s
}

func parse(into *template.Template, from fs.FS, partials bool) error {
	names, err := htmlFiles(from, partials)
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := fs.ReadFile(from, name)
		if err != nil {
			return fmt.Errorf("reading template: %w", err)
		}
		if _, err := into.New(path.Base(name)).Parse(string(text)); err != nil {
			return fmt.Errorf("parsing template %s: %w", name, err)
		}
	}
	return nil
}

// htmlFiles lists the partials, or the pages, anywhere in files.
func htmlFiles(files fs.FS, partials bool) ([]string, error) {
	var names []string
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !entry.IsDir() && path.Ext(name) == ".html" && strings.HasPrefix(path.Base(name), "_") == partials {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing templates: %w", err)
	}
	return names, nil
}

// Render writes one page in the catalogue's language, to tests, mails or a
// buffer. Write is for answers over HTTP.
func (s *Set) Render(w io.Writer, c *lang.Catalogue, name string, data any) error {
	one := s.pages[c.Tag()][name]
	if one == nil {
		return fmt.Errorf("rendering page: no page %q", name)
	}
	if err := one.draw(w, data); err != nil {
		return fmt.Errorf("rendering page %s: %w", name, err)
	}
	return nil
}

// funcs are what templates can call, bound to one language.
func funcs(c *lang.Catalogue) template.FuncMap {
	return template.FuncMap{
		// t is a message with its holes filled. What came from outside is
		// escaped and isolated, so that a right-to-left name cannot reorder the
		// sentence (threat L14). In an attribute html/template strips the tags.
		"t": func(key string, pairs ...any) template.HTML { return message(c, key, pairs) },
		// plain is the same without any tag, for <title> and <textarea>.
		"plain": func(key string, pairs ...any) string { return c.Text(key, pairs...) },
		// bdi is text from outside, escaped, isolated and inert.
		"bdi":   bdi,
		"inert": func(s string) string { return lang.Inert(s, 0) },

		// state makes what the partial of that name takes.
		"state": func(answer string, word ...string) State { return State{Answer: answer, Word: strings.Join(word, " ")} },

		"icon":  Icon,
		"asset": Asset,

		"clock":  func(t time.Time) template.HTML { return stamp(t, c.Time(t)) },
		"date":   func(t time.Time) template.HTML { return stamp(t, c.Date(t)) },
		"moment": func(t time.Time) template.HTML { return stamp(t, c.DateTime(t)) },
		"when":   func(t, now time.Time) template.HTML { return stamp(t, c.When(t, now)) },
		"until":  c.Until,
		"ago":    c.Ago,
		"lasts":  c.Duration,
		"span":   c.Span,
		"number": func(n int) string { return c.Number(int64(n)) },

		"lang":     c.Tag,
		"htmlLang": c.HTML,
		"others":   func(tags []string) []string { return others(c, tags) },
		"language": func(tag string) string { return lang.For(tag).Text("language." + tag) },
		"langHref": langHref,
		"htmlOf":   func(tag string) string { return lang.For(tag).HTML() },
	}
}

func message(c *lang.Catalogue, key string, pairs []any) template.HTML {
	return template.HTML(c.Fill(func(piece string, value any) string { //nolint:gosec // every piece is escaped or ours
		switch v := value.(type) {
		case template.HTML:
			return string(v)
		case string:
			return string(bdi(piece))
		}
		return template.HTMLEscapeString(piece)
	}, key, pairs...))
}

// bdi keeps what comes from outside from reordering what is around it (threat
// L14). A list of parts, like a place, runs as the page does.
func bdi(s string) template.HTML {
	open := "<bdi>"
	if lang.RunsOn(s) {
		open = `<bdi dir="ltr">`
	}
	return template.HTML(open + template.HTMLEscapeString(lang.Inert(s, 0)) + "</bdi>") //nolint:gosec // escaped
}

func stamp(t time.Time, words string) template.HTML {
	return template.HTML(`<time datetime="` + t.UTC().Format(time.RFC3339) + `">` + //nolint:gosec // escaped
		template.HTMLEscapeString(words) + `</time>`)
}
