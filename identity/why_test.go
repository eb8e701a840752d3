package identity_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/identity"
	"github.com/cadenas-gateway/cadenas/lang"
)

// spoken fails the test where a page could not say key in both languages.
func spoken(t *testing.T, key, what string) {
	t.Helper()
	texts := map[string]bool{}
	for _, l := range []string{"en", "fr"} {
		c := lang.For(l)
		text := c.Text(key, "what", what)
		if text == "" || strings.Contains(text, key) || strings.Contains(text, "{what}") {
			t.Errorf("%s in %s: %q", key, l, text)
		}
		texts[text] = true
	}
	if len(texts) != 2 {
		t.Errorf("%s is the same in both languages: %v", key, texts)
	}
}

// Every reason that judging a sign-in can give is said in the reader's
// language. The reasons are read in the sources, so that a new one fails here.
func TestEveryReasonOfAJudgementIsSaidInBothLanguages(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			var reason ast.Expr
			switch n := n.(type) {
			case *ast.CompositeLit:
				if name, ok := n.Type.(*ast.Ident); ok && name.Name == "finding" && len(n.Elts) == 3 {
					reason = n.Elts[1]
				}
			case *ast.AssignStmt:
				if field, ok := n.Lhs[0].(*ast.SelectorExpr); ok && field.Sel.Name == "Reason" && file == "lesson_watch.go" && len(n.Lhs) == 1 {
					reason = n.Rhs[0]
				}
			}
			text := ""
			if reason != nil {
				text = said(reason)
			}
			if text == "" || strings.HasPrefix(text, ";") || strings.HasPrefix(text, "X;") || text == "X" {
				return true
			}
			seen++
			tried := identity.Tried{Reason: text}
			code, what := tried.Why()
			if code == "" {
				t.Errorf("%s: %q has no words of its own", file, text)
				return true
			}
			spoken(t, "teach.why."+code, what)
			return true
		})
	}
	if seen < 30 {
		t.Errorf("only %d reasons were found", seen)
	}
}

// said is an expression as text, X for what is not known before.
func said(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, _ := strconv.Unquote(e.Value)
		return text
	case *ast.BinaryExpr:
		return said(e.X) + said(e.Y)
	}
	return "X"
}

func TestWhatIsWrongWithWordsIsSaidInBothLanguages(t *testing.T) {
	for name, w := range map[string]identity.Words{
		"path_missing":      {},
		"too_many":          {Path: "/login", Public: strings.Split(strings.Repeat("/x ", 33), " ")[:33]},
		"too_long":          {Path: "/login", User: strings.Repeat("x", 501)},
		"unwritable":        {Path: "/login", User: "{$SECRET}"},
		"no_path":           {Path: "login"},
		"success_empty":     {Path: "/login", Success: []identity.Success{{Kind: "status"}}},
		"success_page":      {Path: "/login", Success: []identity.Success{{Kind: "page"}}},
		"success_page_path": {Path: "/login", Success: []identity.Success{{Kind: "page", Args: []string{"/%zz"}}}},
		"success_whoami":    {Path: "/login", Success: []identity.Success{{Kind: "whoami"}}},
		"success_unknown":   {Path: "/login", Success: []identity.Success{{Kind: "luck", Args: []string{"1"}}}},
		"whoami":            {Path: "/login", Whoami: identity.Whoami{Path: "/me"}},
	} {
		t.Run(name, func(t *testing.T) {
			var wrong *identity.WordsError
			if err := w.Check(); !errors.As(err, &wrong) || wrong.Code != name || wrong.Error() == "" {
				t.Fatalf("%+v says %v", w, err)
			}
			spoken(t, "teach.wrong."+wrong.Code, wrong.What)
		})
	}
}
