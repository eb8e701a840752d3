package approvals

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
)

// console is the console's host with the page behind a mail's link.
type console struct {
	s      *Service
	server *httptest.Server
	client *http.Client
	// signedIn is who has a session; nil for nobody.
	signedIn *books.Admin
}

func newConsole(t *testing.T, change ...func(*Config)) *console {
	t.Helper()
	c := &console{s: newService(t, change...)}
	c.server = httptest.NewServer(c.s.DecideHandler(func(*http.Request) (books.Admin, bool) {
		if c.signedIn == nil {
			return books.Admin{}, false
		}
		return *c.signedIn, true
	}))
	t.Cleanup(c.server.Close)
	c.client = &http.Client{}
	return c
}

// link is a request's page as an admin's mail has it.
func (c *console) link(ask AccessRequest, admin books.Admin) string {
	return c.server.URL + strings.TrimPrefix(c.s.Link(ask, admin.Email, "email"), "https://gate.example.com")
}

type answer struct {
	status int
	body   string
	header http.Header
	url    *url.URL
}

func (c *console) do(t *testing.T, method, address string, form url.Values, header ...string) answer {
	t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := c.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, string(b), resp.Header, resp.Request.URL}
}

// form is what a browser sends of the page's form that posts, with nothing
// filled in.
func form(t *testing.T, page string) (fields url.Values, buttons []string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	fields = url.Values{}
	attr := func(n *html.Node, name string) (string, bool) {
		for _, a := range n.Attr {
			if a.Key == name {
				return a.Val, true
			}
		}
		return "", false
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		name, _ := attr(n, "name")
		value, _ := attr(n, "value")
		kind, _ := attr(n, "type")
		_, checked := attr(n, "checked")
		switch {
		case n.Data == "button" && name == FieldDecision:
			buttons = append(buttons, value)
		case name == "":
		case n.Data == "input" && (kind == "radio" || kind == "checkbox"):
			if checked {
				fields.Add(name, value)
			}
		case n.Data == "input", n.Data == "textarea":
			fields.Add(name, value)
		}
	}
	return fields, buttons
}

func (c *console) state(t *testing.T, ask AccessRequest) AccessRequest {
	t.Helper()
	got, err := c.s.Get(t.Context(), ask.Application, ask.ID)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestAnApproverDecidesFromTheMail(t *testing.T) {
	c := newConsole(t)
	ask := mustOpen(t, c.s, julie())
	address := c.link(ask, marie)
	page := c.do(t, "GET", address, nil)
	if page.status != http.StatusOK || !strings.Contains(page.body, "Julie Tremblay") || !strings.Contains(page.body, `lang="fr`) {
		t.Fatalf("%d in %s", page.status, page.body)
	}
	if strings.Contains(page.body, `value="`+ask.Number+`"`) || strings.Contains(page.body, ">"+ask.Number+"<") {
		t.Error("the number is on the page")
	}
	fields, _ := form(t, page.body)
	fields.Set(FieldDecision, "approve")
	fields.Set(FieldNumber, ask.Number)
	fields.Set(FieldWidth, string(WidthDevice))
	fields.Set(FieldEnd, string(EndWeek))
	fields.Set(FieldReply, "Bonne journée")
	done := c.do(t, "POST", address, fields)
	if done.status != http.StatusOK || done.url.RawQuery != "done" {
		t.Fatalf("%d at %s: %s", done.status, done.url, done.body)
	}
	got := c.state(t, ask)
	d := got.Decision
	if got.State != Approved || d.By != marie.Email || d.Width != WidthDevice || d.Reply != "Bonne journée" || d.Via != ViaMail ||
		time.Until(d.Until) < 6*24*time.Hour {
		t.Errorf("%+v", got)
	}
	if e := audited(t, c.s, "approve"); len(e) != 1 || e[0].Who != marie.Email || e[0].From != "127.0.0.1" {
		t.Errorf("%+v", e)
	}
	// A second admin who comes later sees who decided, and decides nothing.
	late := c.do(t, "GET", c.link(ask, paul), nil)
	if late.status != http.StatusOK || !strings.Contains(late.body, "Marie Roy") {
		t.Errorf("%d %s", late.status, late.body)
	}
	fields.Set(FieldDecision, "refuse")
	fields.Set(FieldConfirmed, "1")
	if again := c.do(t, "POST", c.link(ask, paul), fields); again.status == http.StatusOK && c.state(t, ask).State != Approved {
		t.Errorf("%d", again.status)
	}
	if c.state(t, ask).Decision.By != marie.Email {
		t.Error("decided twice")
	}
}

func TestAWrongNumberKeepsWhatWasTyped(t *testing.T) {
	c := newConsole(t)
	ask := mustOpen(t, c.s, julie())
	address := c.link(ask, paul)
	fields, _ := form(t, c.do(t, "GET", address, nil).body)
	fields.Set(FieldDecision, "approve")
	fields.Set(FieldNumber, wrongOf(ask.Number))
	fields.Set(FieldReply, "Welcome back")
	fields.Set(FieldWidth, string(WidthNetwork))
	fields.Set(FieldEnd, string(EndTonight))
	for left := 2; left >= 1; left-- {
		got := c.do(t, "POST", address, fields)
		if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "Welcome back") {
			t.Fatalf("%d %s", got.status, got.body)
		}
		again, _ := form(t, got.body)
		if again.Get(FieldWidth) != string(WidthNetwork) || again.Get(FieldEnd) != string(EndTonight) {
			t.Errorf("forgot %v", again)
		}
	}
	if got := c.do(t, "POST", address, fields); got.status != http.StatusForbidden {
		t.Errorf("the third: %d", got.status)
	}
	fields.Set(FieldNumber, ask.Number)
	if got := c.do(t, "POST", address, fields); got.status != http.StatusForbidden || c.state(t, ask).State != Waiting {
		t.Errorf("the right one too late: %d", got.status)
	}
	// The console is another way.
	c.signedIn = &paul
	fields, _ = form(t, c.do(t, "GET", address, nil).body)
	fields.Set(FieldDecision, "approve")
	fields.Set(FieldSure, "1")
	if got := c.do(t, "POST", address, fields); got.status != http.StatusOK || !c.state(t, ask).Decision.Sure {
		t.Errorf("signed in: %d, %+v", got.status, c.state(t, ask).Decision)
	}
	if e := audited(t, c.s, "approve"); len(e) != 1 || e[0].Detail["sure"] != "true" {
		t.Errorf("%+v", e)
	}
}

func TestThreat_L10_LookingAndPressingChangeNothing(t *testing.T) {
	c := newConsole(t)
	ask := mustOpen(t, c.s, julie())
	address := c.link(ask, marie)
	before := c.state(t, ask)
	for _, method := range []string{"GET", "HEAD"} {
		for _, query := range []string{"", "?done", "?" + FieldDecision + "=approve&" + FieldNumber + "=" + ask.Number, "?cadenas_lang=en"} {
			if got := c.do(t, method, address+query, nil); got.status != http.StatusOK {
				t.Errorf("%s %s: %d", method, query, got.status)
			} else if cc := got.header.Get("Cache-Control"); cc != "no-store" {
				t.Errorf("%s: Cache-Control %q", method, cc)
			}
		}
	}
	if got := c.do(t, "OPTIONS", address, nil); got.status != http.StatusMethodNotAllowed {
		t.Errorf("OPTIONS: %d", got.status)
	}
	// A headless browser fetches the page and presses each button it finds.
	fields, buttons := form(t, c.do(t, "GET", address, nil).body)
	if len(buttons) == 0 {
		t.Fatal("no button")
	}
	for _, button := range buttons {
		fields.Set(FieldDecision, button)
		if got := c.do(t, "POST", address, fields); got.status != http.StatusUnprocessableEntity {
			t.Errorf("pressing %s: %d", button, got.status)
		}
	}
	fields.Del(FieldDecision)
	if got := c.do(t, "POST", address, fields); got.status == http.StatusOK {
		t.Errorf("pressing none: %d", got.status)
	}
	after := c.state(t, ask)
	if fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("changed\n%+v\nto\n%+v", before, after)
	}
	if !(Limits{}).LinkOpen(after) {
		t.Error("a scanner used up the tries")
	}
}

func TestThreat_L10_ALinkIsForOneRequestAsItWasShown(t *testing.T) {
	now := time.Now()
	c := newConsole(t, func(conf *Config) { conf.Clock = func() time.Time { return now } })
	ask := mustOpen(t, c.s, julie())
	second := julie()
	second.Device.ID = "dev2"
	otherAsk := mustOpen(t, c.s, second)
	address := c.link(ask, marie)
	fields, _ := form(t, c.do(t, "GET", address, nil).body)
	fields.Set(FieldDecision, "approve")
	fields.Set(FieldNumber, otherAsk.Number)
	// The form of one request on the link of another, and the other's number.
	if got := c.do(t, "POST", c.link(otherAsk, marie), fields); got.status == http.StatusOK || c.state(t, otherAsk).State != Waiting {
		t.Errorf("another's form: %d", got.status)
	}
	// The form of one approver on the link of another.
	fields.Set(FieldNumber, ask.Number)
	if got := c.do(t, "POST", c.link(ask, paul), fields); got.status == http.StatusOK || c.state(t, ask).State != Waiting {
		t.Errorf("another approver's form: %d", got.status)
	}
	// The request changed between showing and deciding.
	now = now.Add(2 * time.Second)
	moved := julie()
	moved.Place.City = "Lagos"
	if _, _, err := c.s.Open(t.Context(), moved); err != nil {
		t.Fatal(err)
	}
	if got := c.do(t, "POST", address, fields); got.status != http.StatusUnprocessableEntity || c.state(t, ask).State != Waiting || !strings.Contains(got.body, "Lagos") {
		t.Errorf("changed meanwhile: %d", got.status)
	}
	// Nor does a version typed by hand help.
	fields.Set(FieldVersion, "2")
	if got := c.do(t, "POST", address, fields); got.status != http.StatusUnprocessableEntity || c.state(t, ask).State != Waiting {
		t.Errorf("a version by hand: %d", got.status)
	}
	for name, bad := range map[string]string{"a token of nobody's": strings.Repeat("A", 80), "none": "", "a path": "a/b"} {
		if got := c.do(t, "GET", c.server.URL+DecidePath+bad, nil); got.status != http.StatusNotFound {
			t.Errorf("%s: %d", name, got.status)
		}
	}
	now = now.Add(Limits{}.complete().MailLink)
	if got := c.do(t, "GET", address, nil); got.status != http.StatusGone {
		t.Errorf("after seven days: %d", got.status)
	}
	if got := c.do(t, "POST", address, fields); got.status != http.StatusGone || c.state(t, ask).State != Waiting {
		t.Errorf("posted after seven days: %d", got.status)
	}
}

func TestThreat_L11_AFormFromElsewhereDecidesNothing(t *testing.T) {
	c := newConsole(t)
	ask := mustOpen(t, c.s, julie())
	address := c.link(ask, marie)
	fields, _ := form(t, c.do(t, "GET", address, nil).body)
	fields.Set(FieldDecision, "approve")
	fields.Set(FieldNumber, ask.Number)
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
		{"Sec-Fetch-Site", "", "Origin", "https://app.example.com"},
		{"Sec-Fetch-Site", "", "Origin", "null"},
	} {
		if got := c.do(t, "POST", address, fields, header...); got.status != http.StatusForbidden {
			t.Errorf("%v: %d", header, got.status)
		}
	}
	fields.Del(FieldToken)
	if got := c.do(t, "POST", address, fields); got.status == http.StatusOK {
		t.Errorf("without the form's token: %d", got.status)
	}
	if c.state(t, ask).State != Waiting {
		t.Error("decided")
	}
}

func TestThreat_L23_ALinkGivesNoRightsItsAdminHasNot(t *testing.T) {
	admins := []books.Admin{marie, paul}
	c := newConsole(t, func(conf *Config) { conf.Admins = func() []books.Admin { return admins } })
	ask := mustOpen(t, c.s, julie())
	address := c.link(ask, marie)
	fields, _ := form(t, c.do(t, "GET", address, nil).body)
	fields.Set(FieldDecision, "approve")
	fields.Set(FieldNumber, ask.Number)
	check := func(what string) {
		t.Helper()
		for _, method := range []string{"GET", "POST"} {
			var f url.Values
			if method == "POST" {
				f = fields
			}
			got := c.do(t, method, address, f)
			if got.status != http.StatusForbidden || strings.Contains(got.body, "Julie") || strings.Contains(got.body, ask.Reference) {
				t.Errorf("%s, %s: %d", what, method, got.status)
			}
		}
		if c.state(t, ask).State != Waiting {
			t.Fatalf("%s: decided", what)
		}
	}
	limited := marie
	limited.Applications = []string{app + ".evil"}
	admins = []books.Admin{limited, paul}
	check("an admin of another application now")
	admins = []books.Admin{paul}
	check("no admin any more")
	admins = []books.Admin{marie, paul}
	c.signedIn = &other
	check("somebody else's session")
}

func TestThreat_L24_AMailLinkDecidesNobodysOwnRequestUnlessThePolicySaysSo(t *testing.T) {
	self := books.Admin{Email: "julie@example.com", Name: "Julie"}
	allowed := []string(nil)
	c := newConsole(t, func(conf *Config) {
		conf.Admins = func() []books.Admin { return []books.Admin{self, marie} }
		conf.Application = func(string) Application { return Application{Name: "Registre", Self: allowed} }
	})
	ask := mustOpen(t, c.s, julie())
	address := c.link(ask, self)
	if got := c.do(t, "GET", address, nil); got.status != http.StatusForbidden {
		t.Errorf("without the policy: %d", got.status)
	}
	// Signed in, on a link that was sent to somebody else.
	allowed = []string{"email"}
	c.signedIn = &self
	if got := c.do(t, "GET", c.link(ask, marie), nil); got.status != http.StatusForbidden {
		t.Errorf("another's link: %d", got.status)
	}
	fields, _ := form(t, c.do(t, "GET", address, nil).body)
	fields.Set(FieldDecision, "approve")
	fields.Set(FieldSure, "1")
	if got := c.do(t, "POST", address, fields); got.status != http.StatusUnprocessableEntity || c.state(t, ask).State != Waiting {
		t.Errorf("signed in without the number: %d", got.status)
	}
	fields.Set(FieldNumber, ask.Number)
	if got := c.do(t, "POST", address, fields); got.status != http.StatusOK || c.state(t, ask).State != Approved {
		t.Errorf("by the channel the policy names: %d", got.status)
	}
}

func TestThreat_L14_WhatStrangersWriteIsInertOnTheDecidingPage(t *testing.T) {
	for _, evil := range []string{
		"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "{{.}}{env.HOME}", "a\u202eb", "javascript:alert(1)", "a\r\nSet-Cookie: x=y",
	} {
		c := newConsole(t)
		a := julie()
		a.Person.User, a.Person.Name, a.Device.Label, a.Browser.Family, a.Place.City = evil, evil, evil, evil, evil
		ask := mustOpen(t, c.s, a)
		if _, err := c.s.Note(t.Context(), app, ask.ID, evil); err != nil {
			t.Fatal(err)
		}
		got := c.do(t, "GET", c.link(ask, marie), nil)
		if got.status != http.StatusOK || strings.Contains(got.body, "<script>alert") || strings.Contains(got.body, "<img src=x") ||
			strings.ContainsRune(got.body, '\u202e') || strings.Contains(got.body, `href="javascript`) || got.header.Get("Set-Cookie") != "" {
			t.Errorf("%q: %d %s", evil, got.status, got.body)
		}
		if !strings.Contains(got.header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("policy %q", got.header.Get("Content-Security-Policy"))
		}
	}
}

func TestThreat_L4_AStoreThatIsAwayDecidesNothing(t *testing.T) {
	c := newConsole(t)
	ask := mustOpen(t, c.s, julie())
	address := c.link(ask, marie)
	fields, _ := form(t, c.do(t, "GET", address, nil).body)
	fields.Set(FieldDecision, "approve")
	fields.Set(FieldNumber, ask.Number)
	st := &faulty{Store: c.s.st, after: 0}
	c.s.st = st
	if got := c.do(t, "POST", address, fields); got.status != http.StatusServiceUnavailable || strings.Contains(got.body, "space left") {
		t.Errorf("%d %s", got.status, got.body)
	}
	if c.state(t, ask).State != Waiting {
		t.Error("decided")
	}
	if _, _, err := c.s.Open(context.Background(), Ask{Application: app, Person: access.Person{User: "x"}}); !errors.Is(err, errDisk) {
		t.Errorf("%v", err)
	}
}
