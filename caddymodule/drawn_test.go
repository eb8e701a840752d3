package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
)

// looks is somebody's page, as a browser asks for it.
func (q *hot) looks(method, path, body string, change ...func(r *http.Request)) (int, string) {
	q.t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(q.t.Context(), method, "https://app.example.com"+path, strings.NewReader(body))
	r.Header = http.Header{
		"User-Agent": {hotAgent}, "Sec-Fetch-Mode": {"navigate"}, "Cookie": {q.cookies}, "Accept-Language": {"en"}, "Origin": {"https://app.example.com"},
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, c := range change {
		c(r)
	}
	if err := q.serve(w, arrived(r, w), caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusOK)
		return nil
	})); err != nil {
		q.t.Fatal(err)
	}
	return w.Code, w.Body.String()
}

func (q *hot) drawnOf(device string) (drawnPage, bool) {
	return q.run.drawn.cache.GetIfPresent(drawnKey{"app", device})
}

// A page that is shown again is still nobody else's, and no verdict.
func TestAWaitingPageIsDrawnOnceAMoment(t *testing.T) {
	q := newHot(t)
	if _, err := q.run.state.gate.EndRule(t.Context(), "app", "r1", gate.By{Who: "marie@example.com"}); err != nil {
		t.Fatal(err)
	}
	q.cookies = ""
	q.answer(http.MethodGet, "/", "", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	if status := q.answer(http.MethodPost, "/login", "user=marie&password=x", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "sid=fedcba9876543210fedcba9876543210; Path=/; HttpOnly")
		w.WriteHeader(http.StatusSeeOther)
	}); status != http.StatusForbidden {
		t.Fatalf("the sign-in on a new device: %d", status)
	}
	asks, err := q.run.approvals.List(t.Context(), "app", "", 10)
	if err != nil || len(asks) != 1 {
		t.Fatalf("%d requests, %v", len(asks), err)
	}
	ask := asks[0]
	status, first := q.looks(http.MethodGet, "/", "")
	if status != http.StatusForbidden || !strings.Contains(first, ask.Reference) {
		t.Fatalf("%d %.200s", status, first)
	}
	if _, ok := q.drawnOf(ask.Device.ID); !ok {
		t.Fatal("the page was not kept")
	}
	if _, again := q.looks(http.MethodGet, "/", ""); again != first {
		t.Error("another page for the same request")
	}
	for what, change := range map[string]func(r *http.Request){
		"another language":   func(r *http.Request) { r.Header.Set("Accept-Language", "fr") },
		"another device":     func(r *http.Request) { r.Header.Del("Cookie") },
		"a script's request": func(r *http.Request) { r.Header.Set("Sec-Fetch-Mode", "cors") },
	} {
		if _, other := q.looks(http.MethodGet, "/", "", change); other == first {
			t.Errorf("%s has the same answer", what)
		}
	}
	for _, path := range []string{"/?a=b", "/"} {
		q.looks(http.MethodGet, path, "")
		if kept, _ := q.drawnOf(ask.Device.ID); kept.uri != path {
			t.Errorf("what was drawn for %s answers %s", kept.uri, path)
		}
	}
	if status, _ := q.looks(http.MethodPost, approvals.WaitPath+"/note", url.Values{"note": {"It is the new tablet."}}.Encode()); status >= 400 {
		t.Fatalf("a note: %d", status)
	}
	if _, ok := q.drawnOf(ask.Device.ID); ok {
		t.Error("a form was sent and the page is kept")
	}
	if _, noted := q.looks(http.MethodGet, "/", ""); !strings.Contains(noted, "It is the new tablet.") {
		t.Error("the note is not on the page")
	}
	admin := books.Admin{Name: "Marie Roy", Email: "marie@example.com"}
	if _, err := q.run.approvals.Decide(t.Context(), approvals.Choice{
		Application: "app", ID: ask.ID, Effect: access.Allow, Width: approvals.WidthConnection, By: admin, Via: "console", SignedIn: true, Sure: true,
	}); err != nil {
		t.Fatal(err)
	}
	q.soon("an approval is seen by who loads the page again", func() bool {
		_, page := q.looks(http.MethodGet, "/", "")
		return strings.Contains(page, approvals.FieldTicket)
	})
}
