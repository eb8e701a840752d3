package approvals

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
)

// door is an application's host with what is below the waiting page.
type door struct {
	s        *Service
	server   *httptest.Server
	client   *http.Client
	stopping chan struct{}
	back     string
}

func newDoor(t *testing.T, change ...func(*Config)) *door {
	t.Helper()
	d := &door{s: newService(t, change...), stopping: make(chan struct{})}
	d.server = httptest.NewServer(d.s.WaitHandler(func(r *http.Request) (Holder, bool) {
		// The lead reads a sealed cookie; here a header stands for it.
		device := r.Header.Get("Device")
		return Holder{Application: app, DeviceID: device, LoginID: r.Header.Get("Login"), Back: d.back}, device != ""
	}, d.stopping))
	t.Cleanup(d.server.Close)
	d.client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return d
}

func (d *door) do(t *testing.T, method, path string, form url.Values, header ...string) (int, http.Header, Status) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, d.server.URL+WaitPath+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Device", "dev1")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := d.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var st Status
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		if err := json.NewDecoder(resp.Body).Decode(&st); err != nil {
			t.Fatal(err)
		}
	}
	return resp.StatusCode, resp.Header, st
}

// stream reads the events of one waiting page.
func (d *door) stream(t *testing.T, ctx context.Context, device string) (<-chan Status, *http.Response) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, "GET", d.server.URL+WaitPath+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Device", device)
	resp, err := d.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan Status, 10)
	go func() {
		defer close(events)
		defer func() { _ = resp.Body.Close() }()
		lines := bufio.NewScanner(resp.Body)
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				var st Status
				if json.Unmarshal([]byte(data), &st) == nil {
					events <- st
				}
			}
		}
	}()
	return events, resp
}

func next(t *testing.T, events <-chan Status) (Status, bool) {
	t.Helper()
	select {
	case st, ok := <-events:
		return st, ok
	case <-time.After(5 * time.Second):
		t.Fatal("no event")
	}
	return Status{}, false
}

func TestTheWaitingPageHearsWithinASecond(t *testing.T) {
	d := newDoor(t)
	ask := mustOpen(t, d.s, julie())
	events, resp := d.stream(t, t.Context(), "dev1")
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	if st, _ := next(t, events); st.State != "waiting" || st.Reference != ask.Reference {
		t.Fatalf("%+v", st)
	}
	began := time.Now()
	c := approve(ask, marie)
	c.Reply = "Bienvenue"
	if _, err := d.s.Decide(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	st, _ := next(t, events)
	if st.State != "approved" || st.Reply != "Bienvenue" || time.Since(began) > time.Second {
		t.Errorf("%+v after %s", st, time.Since(began))
	}
	if _, more := next(t, events); more {
		t.Error("the stream goes on after the outcome")
	}
}

func TestStreamsEndWhenTheServerStops(t *testing.T) {
	d := newDoor(t)
	mustOpen(t, d.s, julie())
	events, _ := d.stream(t, t.Context(), "dev1")
	next(t, events)
	nobody, _ := d.stream(t, t.Context(), "a refused newcomer")
	if st, _ := next(t, nobody); st != (Status{State: "waiting"}) {
		t.Errorf("who holds nothing sees %+v", st)
	}
	close(d.stopping)
	for _, ch := range []<-chan Status{events, nobody} {
		if _, more := next(t, ch); more {
			t.Error("the stream goes on")
		}
	}
}

func TestThreat_L22_StreamsOfOneDeviceAreBounded(t *testing.T) {
	d := newDoor(t)
	mustOpen(t, d.s, julie())
	ctx, cancel := context.WithCancel(t.Context())
	var streams []<-chan Status
	for i := range maxDeviceStreams + 1 {
		events, resp := d.stream(t, ctx, "dev1")
		if full := i == maxDeviceStreams; full != (resp.StatusCode == http.StatusServiceUnavailable) {
			t.Errorf("stream %d: %d", i, resp.StatusCode)
		}
		if i < maxDeviceStreams {
			next(t, events)
			streams = append(streams, events)
		}
	}
	cancel()
	for _, events := range streams {
		for range events {
		}
	}
}

func TestTheHolderAlone(t *testing.T) {
	d := newDoor(t)
	ask := mustOpen(t, d.s, julie())
	if code, _, st := d.do(t, "GET", "/state", nil); code != 200 || st.Reference != ask.Reference {
		t.Errorf("the holder: %d %+v", code, st)
	}
	if code, _, st := d.do(t, "GET", "/state", nil, "Device", "dev2"); code != 200 || st != (Status{State: "waiting"}) {
		t.Errorf("another device: %d %+v", code, st)
	}
	if code, _, st := d.do(t, "GET", "/state", nil, "Login", "somebody else's"); code != 200 || st != (Status{State: "waiting"}) {
		t.Errorf("another login on the device: %d %+v", code, st)
	}
	if code, _, _ := d.do(t, "GET", "/state", nil, "Device", ""); code != 404 {
		t.Errorf("no device: %d", code)
	}
	for _, c := range []struct{ method, path string }{
		{"POST", "/approve"}, {"GET", "/"}, {"GET", ""}, {"GET", "/state/"}, {"GET", "/../wait/state"}, {"POST", "/decide"},
	} {
		if code, _, _ := d.do(t, c.method, c.path, nil); code != 404 {
			t.Errorf("%s %s: %d", c.method, c.path, code)
		}
	}
	for _, c := range []struct{ method, path string }{{"GET", "/cancel"}, {"HEAD", "/note"}, {"POST", "/state"}, {"PUT", "/note"}} {
		if code, _, _ := d.do(t, c.method, c.path, nil); code != 405 {
			t.Errorf("%s %s: %d", c.method, c.path, code)
		}
	}
	// What another device posts touches nothing, and looks as if it did.
	for _, action := range []string{"note", "cancel", "name"} {
		if code, _, _ := d.do(t, "POST", "/"+action, url.Values{FieldNote: {"x"}, FieldName: {"x"}}, "Device", "dev2"); code != http.StatusSeeOther {
			t.Errorf("%s from another device: %d", action, code)
		}
	}
	if got, _ := d.s.Get(t.Context(), app, ask.ID); got.State != Waiting || got.Note != "" {
		t.Errorf("%+v", got)
	}
}

func TestFormsWorkWithAndWithoutScript(t *testing.T) {
	d := newDoor(t)
	ask := mustOpen(t, d.s, julie())
	code, header, _ := d.do(t, "POST", "/note", url.Values{FieldNote: {"La tablette des poupons"}})
	if code != http.StatusSeeOther || header.Get("Location") != WaitPath+"?said=note" {
		t.Errorf("%d to %s", code, header.Get("Location"))
	}
	code, _, st := d.do(t, "POST", "/note", url.Values{FieldNote: {"Une autre"}}, "Accept", "application/json")
	if code != http.StatusOK || st.Said != "note" || st.Note != "Une autre" {
		t.Errorf("%d %+v", code, st)
	}
	code, header, _ = d.do(t, "POST", "/note", url.Values{FieldNote: {strings.Repeat("é", NoteLimit+1)}})
	if code != http.StatusSeeOther || header.Get("Location") != WaitPath+"?said=long" {
		t.Errorf("%d to %s", code, header.Get("Location"))
	}
	if code, _, _ := d.do(t, "POST", "/note", url.Values{FieldNote: {strings.Repeat("x", formLimit)}}); code != http.StatusBadRequest {
		t.Errorf("a huge note: %d", code)
	}
	if got, _ := d.s.Get(t.Context(), app, ask.ID); got.Note != "Une autre" {
		t.Errorf("note %q", got.Note)
	}

	if code, header, _ := d.do(t, "POST", "/pass", url.Values{FieldCode: {"WRONG"}}); code != http.StatusSeeOther || header.Get("Location") != WaitPath+"?said=pass" {
		t.Errorf("a wrong pass: %d to %s", code, header.Get("Location"))
	}
	pass, _, err := d.s.MakePass(t.Context(), app, "julie", marie.Email, "", ViaConsole)
	if err != nil {
		t.Fatal(err)
	}
	if code, header, _ := d.do(t, "POST", "/pass", url.Values{FieldCode: {pass}}); code != http.StatusSeeOther || header.Get("Location") != WaitPath {
		t.Errorf("a pass: %d to %s", code, header.Get("Location"))
	}
	if _, _, st := d.do(t, "GET", "/state", nil); st.State != "approved" || st.Until == nil {
		t.Errorf("%+v", st)
	}
	// What comes too late is answered with how it stands.
	if code, _, st := d.do(t, "POST", "/cancel", nil, "Accept", "application/json"); code != 200 || st.State != "approved" {
		t.Errorf("cancelled too late: %d %+v", code, st)
	}
}

func TestCancelTakesTheRequestBack(t *testing.T) {
	d := newDoor(t)
	ask := mustOpen(t, d.s, julie())
	if code, _, st := d.do(t, "POST", "/cancel", nil, "Accept", "application/json"); code != 200 || st.State != "cancelled" {
		t.Errorf("%d %+v", code, st)
	}
	if got, _ := d.s.Get(t.Context(), app, ask.ID); got.State != Cancelled {
		t.Errorf("%s", got.State)
	}
}

func TestTheDeviceAloneSaysItsName(t *testing.T) {
	d := newDoor(t)
	a := julie()
	a.Person = access.Person{User: "device:dev1", Source: SourceDevice}
	ask := mustOpen(t, d.s, a)
	if code, _, _ := d.do(t, "POST", "/name", url.Values{FieldName: {" Anne <b> "}}); code != http.StatusSeeOther {
		t.Errorf("%d", code)
	}
	if got, _ := d.s.Get(t.Context(), app, ask.ID); got.Person.Name != "Anne <b>" || got.Person.User != "device:dev1" {
		t.Errorf("%+v", got.Person)
	}
}

func TestThreat_L11_WaitingFormsFromElsewhereDoNothing(t *testing.T) {
	d := newDoor(t)
	ask := mustOpen(t, d.s, julie())
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Site", "", "Origin", "https://evil.example"},
	} {
		for _, action := range []string{"note", "cancel", "name", "pass"} {
			if code, _, _ := d.do(t, "POST", "/"+action, url.Values{FieldNote: {"evil"}}, header...); code != http.StatusForbidden {
				t.Errorf("%s %v: %d", action, header, code)
			}
		}
	}
	if got, _ := d.s.Get(t.Context(), app, ask.ID); got.State != Waiting || got.Note != "" {
		t.Errorf("%+v", got)
	}
}

func TestThreat_L13_FormsReturnToOurOwnHostOnly(t *testing.T) {
	for _, bad := range []string{
		"https://evil.example/", "//evil.example/", `/\evil.example/`, `\\evil.example`, "javascript:alert(1)", "/\t/evil.example", "/a\r\nSet-Cookie: x=y",
		"evil", " //evil.example", "http:evil", "/\x00/evil.example", "data:text/html,x", "///evil.example", "?x", "",
	} {
		got := backPath(bad, "")
		if got != WaitPath {
			t.Errorf("%q leads to %q", bad, got)
		}
	}
	for _, good := range []string{"/", "/login?next=%2Fa", "/a/b#c", "/é"} {
		if got := backPath(good, "note"); got != good {
			t.Errorf("%q leads to %q", good, got)
		}
	}
	// Nothing of the request names where to return.
	d := newDoor(t)
	mustOpen(t, d.s, julie())
	for i, query := range []string{"?back=https://evil.example", "?return_to=//evil.example", "?said=//evil.example", "?next=https://evil.example"} {
		code, header, _ := d.do(t, "POST", "/note"+query, url.Values{FieldNote: {fmt.Sprint("note", i)}, "back": {"https://evil.example"}},
			"Referer", "https://evil.example/", "X-Forwarded-Host", "evil.example", "Host", "evil.example")
		if code != http.StatusSeeOther || header.Get("Location") != WaitPath+"?said=note" {
			t.Errorf("%s: %d to %s", query, code, header.Get("Location"))
		}
	}
	d.back = "/registre?jour=1"
	if _, header, _ := d.do(t, "POST", "/note", url.Values{FieldNote: {"fin"}}); header.Get("Location") != "/registre?jour=1" {
		t.Errorf("to %s", header.Get("Location"))
	}
}

func TestThreat_L12_ThereIsNothingUnderTheWaitingPageThatApproves(t *testing.T) {
	d := newDoor(t)
	ask := mustOpen(t, d.s, julie())
	everything := url.Values{
		FieldDecision: {"approve"}, FieldNumber: {ask.Number}, FieldSure: {"1"}, FieldConfirmed: {"1"},
		FieldCode: {ask.Number}, FieldNote: {"x"}, FieldName: {"x"}, FieldVersion: {"1"},
	}
	for _, action := range []string{"note", "name", "pass"} {
		d.do(t, "POST", "/"+action, everything)
	}
	if got, _ := d.s.Get(t.Context(), app, ask.ID); got.State != Waiting {
		t.Errorf("%s", got.State)
	}
	// And the state tells no number.
	_, _, st := d.do(t, "GET", "/state", nil)
	if b, err := json.Marshal(st); err != nil || strings.Contains(string(b), `"`+ask.Number+`"`) {
		t.Errorf("%s", b)
	}
}

func TestThreat_L17_WhoHoldsNothingLooksLikeWhoWaits(t *testing.T) {
	s := newService(t)
	a := julie()
	made := s.Imitate(a)
	if again := s.Imitate(a); again.Number != made.Number || again.Reference != made.Reference || !again.Opened.Equal(made.Opened) {
		t.Error("a reload tells that it is made up")
	}
	if made.ID != "" || made.State != Waiting || len(made.Number) != 2 || len(made.Reference) != 7 {
		t.Errorf("%+v", made)
	}
	real := mustOpen(t, s, a)
	draw := func(ask AccessRequest) string {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		ask.Reference, ask.Number, ask.Opened = "7KD-4M2", "47", made.Opened
		if err := WriteWaiting(w, r, catalogueEN(), http.StatusForbidden, WaitingPage{Ask: ask, Application: "Registre", Now: made.Opened}); err != nil {
			t.Fatal(err)
		}
		return w.Body.String()
	}
	if draw(made) != draw(real) {
		t.Error("the pages differ in more than their numbers")
	}
}
