package pages

import (
	"html/template"
	"io"
	"slices"
	"strings"
	"sync"
	tree "text/template/parse"
)

// page is one page in one language. Most of a page are words that are the
// same for everybody; they are filled in once, at the first drawing, since to
// look them up through reflection each time is most of what a page costs.
type page struct {
	set   *Set
	file  string
	funcs template.FuncMap

	first    sync.Once
	template *template.Template
	wrong    error
}

func (p *page) draw(w io.Writer, data any) error {
	p.first.Do(func() {
		if p.template, p.wrong = p.set.parsed(p.file, p.funcs); p.wrong == nil {
			p.fill()
		}
	})
	if p.wrong != nil {
		return p.wrong
	}
	return p.template.Execute(w, data)
}

// contexts are where a word can be filled in: html/template has written into
// the pipeline which escaper the place wants, and the same place around the
// same call gives the same text.
var contexts = map[string]struct{ before, after string }{
	"_html_template_htmlescaper": {"<p>", "</p>"},
	"_html_template_attrescaper": {`<p title="`, `"></p>`},
}

// constant are the functions that say the same whoever is looking.
var constant = []string{"t", "plain", "icon", "htmlLang"}

// fill replaces calls of constant functions with what they return. What it
// does not understand stays a call.
func (p *page) fill() {
	// Drawn without data to have it escaped; it fails at the first field, and
	// an error of the page itself comes again with the data.
	_ = p.template.Execute(io.Discard, nil)
	for _, t := range p.template.Templates() {
		if t.Tree != nil {
			p.fillList(t.Tree.Root)
		}
	}
}

func (p *page) fillList(list *tree.ListNode) {
	if list == nil {
		return
	}
	for i, node := range list.Nodes {
		switch n := node.(type) {
		case *tree.ActionNode:
			if text, ok := p.text(n.Pipe); ok {
				list.Nodes[i] = &tree.TextNode{NodeType: tree.NodeText, Pos: n.Pos, Text: text}
			}
		case *tree.IfNode:
			p.fillList(n.List)
			p.fillList(n.ElseList)
		case *tree.WithNode:
			p.fillList(n.List)
			p.fillList(n.ElseList)
		case *tree.RangeNode:
			p.fillList(n.List)
			p.fillList(n.ElseList)
		}
	}
	list.Nodes = joined(list.Nodes)
}

// joined makes one text of those that stand side by side.
func joined(nodes []tree.Node) []tree.Node {
	var out []tree.Node
	for _, node := range nodes {
		if text, ok := node.(*tree.TextNode); ok && len(out) > 0 {
			if last, ok := out[len(out)-1].(*tree.TextNode); ok {
				out[len(out)-1] = &tree.TextNode{NodeType: tree.NodeText, Pos: last.Pos, Text: slices.Concat(last.Text, text.Text)}
				continue
			}
		}
		out = append(out, node)
	}
	return out
}

// text is what a pipeline writes, if it is one call of a constant function
// with nothing but texts, and one escaper.
func (p *page) text(pipe *tree.PipeNode) ([]byte, bool) {
	if len(pipe.Decl) > 0 || len(pipe.Cmds) != 2 {
		return nil, false
	}
	call, escaper := pipe.Cmds[0], pipe.Cmds[1]
	around, ok := contexts[escaper.String()]
	if !ok || !slices.Contains(constant, call.Args[0].String()) {
		return nil, false
	}
	for _, arg := range call.Args[1:] {
		if _, ok := arg.(*tree.StringNode); !ok {
			return nil, false
		}
	}
	small, err := template.New("").Funcs(p.funcs).Parse(around.before + "{{" + call.String() + "}}" + around.after)
	if err != nil {
		return nil, false
	}
	var b strings.Builder
	if err := small.Execute(&b, nil); err != nil {
		return nil, false
	}
	text, ok := strings.CutPrefix(b.String(), around.before)
	if !ok {
		return nil, false
	}
	text, ok = strings.CutSuffix(text, around.after)
	return []byte(text), ok
}
