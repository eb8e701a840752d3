package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/pages"
)

// everyPage renders all states in both languages and hands them to check.
func everyPage(t *testing.T, check func(t *testing.T, w *httptest.ResponseRecorder, doc *html.Node)) {
	t.Helper()
	server := handler()
	for kind, states := range map[string][]string{"waiting": names(waitingStates()), "decide": names(decideStates()), "other": names(others)} {
		for _, state := range states {
			for _, tag := range lang.Tags() {
				t.Run(kind+"/"+state+"/"+tag, func(t *testing.T) {
					w := httptest.NewRecorder()
					r := httptest.NewRequest("GET", "/"+kind+"/"+state, nil)
					r.Header.Set("Accept-Language", tag)
					server.ServeHTTP(w, r)
					if !strings.Contains(w.Body.String(), "</html>") {
						t.Fatalf("status %d: %s", w.Code, w.Body)
					}
					doc, err := html.Parse(strings.NewReader(w.Body.String()))
					if err != nil {
						t.Fatal(err)
					}
					check(t, w, doc)
				})
			}
		}
	}
}

func attr(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func elements(doc *html.Node) []*html.Node {
	var all []*html.Node
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode {
			all = append(all, n)
		}
	}
	return all
}

func text(doc *html.Node) string {
	var b strings.Builder
	for n := range doc.Descendants() {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
	}
	return b.String()
}

func TestEveryPageKeepsItsOwnPolicy(t *testing.T) {
	everyPage(t, func(t *testing.T, w *httptest.ResponseRecorder, doc *html.Node) {
		if got := w.Header().Get("Content-Security-Policy"); got != pages.CSP {
			t.Errorf("policy %q", got)
		}
		for _, n := range elements(doc) {
			for _, a := range n.Attr {
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
					t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
				}
				if (a.Key == "href" || a.Key == "src" || a.Key == "action") && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") {
					t.Errorf("<%s %s=%q> leads elsewhere", n.Data, a.Key, a.Val)
				}
			}
			if src, ok := attr(n, "src"); n.Data == "script" && (!ok || n.FirstChild != nil || !strings.HasPrefix(src, pages.AssetPath)) {
				t.Errorf("inline script, or one from elsewhere: %q", src)
			}
			if n.Data == "style" || n.Data == "iframe" || n.Data == "base" || n.Data == "object" {
				t.Errorf("<%s>", n.Data)
			}
		}
	})
}

func TestEveryPageIsSound(t *testing.T) {
	everyPage(t, func(t *testing.T, _ *httptest.ResponseRecorder, doc *html.Node) {
		ids, labelled, refs := map[string]bool{}, map[string]bool{}, []string{}
		var headings []string
		all := elements(doc)
		for _, n := range all {
			if id, ok := attr(n, "id"); ok {
				if ids[id] {
					t.Errorf("two elements with the id %q", id)
				}
				ids[id] = true
			}
			for _, name := range []string{"aria-labelledby", "aria-describedby", "for"} {
				if value, ok := attr(n, name); ok {
					refs = append(refs, strings.Fields(value)...)
				}
			}
			if target, ok := attr(n, "for"); ok && n.Data == "label" {
				labelled[target] = true
			}
			if n.Data == "h1" || n.Data == "h2" {
				headings = append(headings, n.Data)
			}
			if n.Data == "title" && strings.TrimSpace(text(n)) == "" {
				t.Error("no title")
			}
		}
		for _, ref := range refs {
			if !ids[ref] {
				t.Errorf("nothing has the id %q that something refers to", ref)
			}
		}
		if len(headings) == 0 || headings[0] != "h1" || slices.Contains(headings[1:], "h1") {
			t.Errorf("headings %v", headings)
		}
		for _, n := range all {
			switch n.Data {
			case "form":
				method, _ := attr(n, "method")
				action, _ := attr(n, "action")
				if method != "post" || action == "" {
					t.Errorf("form without method or action: %q %q", method, action)
				}
			case "input", "textarea", "select":
				kind, _ := attr(n, "type")
				id, _ := attr(n, "id")
				if kind != "hidden" && !labelled[id] && !inLabel(n) {
					t.Errorf("no label for %v", n.Attr)
				}
			case "button":
				if !inForm(n) {
					t.Errorf("a button outside of any form does nothing without script")
				}
			}
		}
	})
}

func inside(n *html.Node, tag string) bool {
	for up := range n.Ancestors() {
		if up.Data == tag {
			return true
		}
	}
	return false
}

func inLabel(n *html.Node) bool { return inside(n, "label") }
func inForm(n *html.Node) bool  { return inside(n, "form") }

// fault names what a rendered text must not hold whatever came in.
func fault(s string) string {
	for _, r := range s {
		switch {
		case r >= 0x202A && r <= 0x202E, r == 0x2066, r == 0x2067, r == 0x200E, r == 0x200F:
			return fmt.Sprintf("%U reorders", r)
		case r < ' ' && r != '\n' && r != '\t':
			return fmt.Sprintf("%U is a control character", r)
		}
	}
	return ""
}

func TestThreat_L14_NothingFromOutsideActs(t *testing.T) {
	everyPage(t, func(t *testing.T, w *httptest.ResponseRecorder, doc *html.Node) {
		if f := fault(w.Body.String()); f != "" {
			t.Error(f)
		}
		for _, n := range elements(doc) {
			if n.Data == "img" {
				t.Errorf("an <img> nobody of ours wrote: %v", n.Attr)
			}
		}
	})
	for name, notice := range mails() {
		for _, tag := range lang.Tags() {
			notice.To.Language = tag
			mail, err := approvals.RenderMail(notice)
			if err != nil {
				t.Fatal(err)
			}
			if strings.ContainsAny(mail.Subject, "\r\n\t") || mail.Subject == "" || len([]rune(mail.Subject)) > 200 {
				t.Errorf("%s: subject %q", name, mail.Subject)
			}
			for part, s := range map[string]string{"subject": mail.Subject, "text": mail.Text, "html": mail.HTML} {
				if f := fault(s); f != "" {
					t.Errorf("%s: %s: %s", name, part, f)
				}
			}
			if strings.Contains(mail.Text, "evil.example") || strings.Contains(mail.HTML, "evil.example") {
				t.Errorf("%s: a stranger's link stands beside ours", name)
			}
			doc, err := html.Parse(strings.NewReader(mail.HTML))
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range elements(doc) {
				src, _ := attr(n, "src")
				href, isLink := attr(n, "href")
				switch {
				case n.Data == "script", n.Data == "img" && src != "cid:"+approvals.MailLogoID && src != "cid:"+approvals.MailMapID:
					t.Errorf("%s: <%s %v>", name, n.Data, n.Attr)
				case isLink && href != notice.Link:
					t.Errorf("%s: a link to %q", name, href)
				}
			}
		}
	}
}

func TestThreat_L10_NoMailHoldsTheNumber(t *testing.T) {
	for name, notice := range mails() {
		notice.Ask.Number = "83"
		notice.Ask.Note = ""
		mail, err := approvals.RenderMail(notice)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(mail.Subject+mail.Text+mail.HTML, "83") {
			t.Errorf("%s shows the number", name)
		}
	}
}

func TestThreat_L10_APressOnAButtonDecidesNothingByLink(t *testing.T) {
	page := decideStates()["form"]
	w := httptest.NewRecorder()
	if err := approvals.WriteDecide(w, httptest.NewRequest("GET", "/", nil), lang.For("en"), page); err != nil {
		t.Fatal(err)
	}
	doc, err := html.Parse(strings.NewReader(w.Body.String()))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range elements(doc) {
		name, _ := attr(n, "name")
		value, _ := attr(n, "value")
		_, checked := attr(n, "checked")
		_, required := attr(n, "required")
		switch {
		case name == approvals.FieldNumber && (value != "" || !required):
			t.Errorf("the number is there or not required: %v", n.Attr)
		case (name == approvals.FieldConfirmed || name == approvals.FieldSure) && checked:
			t.Errorf("ticked beforehand: %v", n.Attr)
		}
	}
}

func TestAMailReadsTheSameWithoutHTML(t *testing.T) {
	for name, notice := range mails() {
		for _, tag := range lang.Tags() {
			notice.To.Language = tag
			mail, err := approvals.RenderMail(notice)
			if err != nil {
				t.Fatal(err)
			}
			if notice.Link != "" && name != "outcome-no" && name != "test" && !strings.Contains(mail.Text, notice.Link) {
				t.Errorf("%s %s: no link in\n%s", name, tag, mail.Text)
			}
			if strings.Contains(mail.Text, "\n\n\n") || strings.Contains(mail.Text, "<no value>") || strings.Contains(mail.Text, "&#") {
				t.Errorf("%s %s:\n%s", name, tag, mail.Text)
			}
		}
	}
	if _, err := approvals.RenderMail(approvals.Notice{Kind: "nothing"}); err == nil {
		t.Error("an unknown kind is an error")
	}
}

func TestStatusOfEachScene(t *testing.T) {
	for name, want := range map[string]int{
		"form": http.StatusOK, "wrong": http.StatusUnprocessableEntity, "done": http.StatusOK, "decided": http.StatusConflict,
		"expired": http.StatusGone, "closed": http.StatusForbidden, "gone": http.StatusNotFound,
	} {
		if got := decideStates()[name].Status(); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
}
