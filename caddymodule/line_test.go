package caddymodule

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/identity"
	"github.com/cadenas-gateway/cadenas/store"
)

// lined is a hot site behind a real server, whose backend tells of what it
// answers.
type lined struct {
	*hot
	*httptest.Server
	begun  chan *http.Request
	ended  chan error
	enough chan struct{} // ends /beside
}

// newLined begins each answer, and goes on with it until it cannot.
func newLined(t *testing.T) *lined {
	l := unstartedLined(t, nil)
	l.Start()
	t.Cleanup(l.Close)
	return l
}

// unstartedLined is newLined whose server is to be started; under, where it is
// not nil, is put between that and the gate.
func unstartedLined(t *testing.T, under func(http.ResponseWriter) http.ResponseWriter) *lined {
	l := &lined{hot: newHot(t), begun: make(chan *http.Request, 1), ended: make(chan error, 1), enough: make(chan struct{})}
	backend := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		if r.URL.Path == "/short" {
			_, err := io.WriteString(w, "short")
			return err
		}
		if r.URL.Path == "/logout" {
			before := l.run.state.gate.Reviews()
			w.WriteHeader(http.StatusFound)
			for l.run.state.gate.Reviews() == before { // the login has ended: what is under way with it is looked at
				time.Sleep(time.Millisecond)
			}
			_, err := io.WriteString(w, strings.Repeat("good bye\n", 20_000))
			return err
		}
		l.begun <- r
		if r.URL.Path == "/reads" {
			err := http.NewResponseController(w).Flush()
			_, read := io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			l.ended <- errors.Join(err, read)
			return nil
		}
		for {
			_, err := io.WriteString(w, "more\n")
			if err == nil {
				err = http.NewResponseController(w).Flush()
			}
			if err != nil || r.Context().Err() != nil {
				l.ended <- errors.Join(err, r.Context().Err())
				return nil
			}
			if r.URL.Path == "/quiet" {
				<-r.Context().Done() // a backend that says nothing for a long time
			}
		}
	})
	l.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/beside" { // what another handler answers on the same connection
			_ = http.NewResponseController(w).Flush()
			<-l.enough
			_, _ = io.WriteString(w, "beside")
			return
		}
		if under != nil {
			w = under(w)
		}
		if err := l.serve(w, arrived(r, w), backend); err != nil {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	l.Config.ConnContext = onLine
	return l
}

// device is that of Marie's browser.
func (l *lined) device() string {
	shown, from := l.handler.show(l.r), l.handler.hop(l.r)
	one := request{site: l.site, loginAtWork: l.login.Load(), r: l.r, now: time.Now(), session: &noSession}
	one.look(from, &shown)
	return one.print.Device.ID
}

// ask sends a request of Marie's browser, and more behind it.
func (l *lined) ask(path, headers, more string) (net.Conn, *bufio.Reader) {
	l.t.Helper()
	conn, err := net.Dial("tcp", l.Listener.Addr().String())
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		l.t.Fatal(err)
	}
	text := "GET " + path + " HTTP/1.1\r\nHost: app.example.com\r\nUser-Agent: " + hotAgent + "\r\nCookie: " + l.cookies + "\r\n" + headers + "\r\n" + more
	if _, err := io.WriteString(conn, text); err != nil {
		l.t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

// withdraw takes away the rule that lets Marie in.
func (l *lined) withdraw() {
	l.t.Helper()
	rule := access.Rule{ID: "r2", Application: "app", User: "marie", Effect: access.Refuse, Created: time.Now()}
	write := store.Write{Key: l.run.state.books.Rules.Key(rule), Value: books.Encode(rule)}
	if err := l.run.state.store.Apply(l.t.Context(), store.Batch{Writes: []store.Write{write}}); err != nil {
		l.t.Fatal(err)
	}
}

func TestThreat_L20_WhatIsUnderWayEndsWithItsConnection(t *testing.T) {
	for _, c := range []struct{ name, path, headers, more string }{
		{"an answer that goes on", "/", "", ""},
		{"a backend that is silent", "/quiet", "", ""},
		{"a client that sends the next request ahead", "/", "", "GET /"},
		{"a request with a body", "/quiet", "Connection: close\r\nContent-Length: 4\r\n", "body"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLined(t)
			_, answer := l.ask(c.path, c.headers, c.more)
			<-l.begun
			if line, err := answer.ReadString('\n'); err != nil || !strings.Contains(line, "200") {
				t.Fatalf("%q, %v", line, err)
			}
			l.withdraw()
			if err := <-l.ended; err == nil {
				t.Error("the backend's answer went on")
			}
			if _, err := io.Copy(io.Discard, answer); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
				var late net.Error
				if errors.As(err, &late) && late.Timeout() {
					t.Errorf("the connection stays open: %v", err)
				}
			}
		})
	}
}

// twoer is a browser of Marie's on HTTP/2, at a site behind a real server.
func (l *lined) twoer() *http.Client {
	l.EnableHTTP2 = true
	l.StartTLS()
	l.t.Cleanup(l.Close)
	return l.Client()
}

func (l *lined) send(client *http.Client, path string, body io.Reader) (*http.Response, error) {
	l.t.Helper()
	method := http.MethodGet
	if body != nil {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(l.t.Context(), method, l.URL+path, body)
	if err != nil {
		l.t.Fatal(err)
	}
	r.Host = "app.example.com"
	r.Header = http.Header{"User-Agent": {hotAgent}, "Cookie": {l.cookies}}
	return client.Do(r)
}

func TestThreat_L20_WhatIsUnderWayEndsWithItsStream(t *testing.T) {
	for _, c := range []struct {
		name, path string
		body       bool
		hidden     bool
		under      func(http.ResponseWriter) http.ResponseWriter
	}{
		{name: "an answer that goes on", path: "/"},
		{name: "a backend that is silent", path: "/quiet"},
		{name: "a backend that reads", path: "/reads", body: true},
		{name: "below writers of others", path: "/quiet", under: func(w http.ResponseWriter) http.ResponseWriter {
			return &caddyhttp.ResponseWriterWrapper{ResponseWriter: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}}
		}},
		{name: "below a writer that hides the stream", path: "/quiet", hidden: true, under: func(w http.ResponseWriter) http.ResponseWriter {
			return struct {
				http.ResponseWriter
				http.Flusher
			}{w, w.(http.Flusher)} //nolint:forcetypeassert // of net/http
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := unstartedLined(t, c.under)
			client := l.twoer()
			var body io.Reader
			if c.body {
				upload, more := io.Pipe()
				t.Cleanup(func() { _ = more.Close() })
				body = upload
				go io.WriteString(more, "a part of it") //nolint:errcheck // the rest never comes
			}
			answer, err := l.send(client, c.path, body)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close() //nolint:errcheck // of a test
			if r := <-l.begun; answer.ProtoMajor != 2 || r.ProtoMajor != 2 {
				t.Fatalf("%s, %s", answer.Proto, r.Proto)
			}
			beside, err := l.send(client, "/beside", nil)
			if err != nil || beside.StatusCode != http.StatusOK {
				t.Fatalf("%v, %v", beside, err)
			}
			defer beside.Body.Close() //nolint:errcheck // of a test
			l.withdraw()
			if err := <-l.ended; err == nil {
				t.Error("the backend's answer went on")
			}
			if _, err := io.Copy(io.Discard, answer.Body); err == nil && !c.hidden { // then it is for the backend's handler to say
				t.Error("the answer ends as if it were whole")
			}
			close(l.enough)
			if said, err := io.ReadAll(beside.Body); err != nil || string(said) != "beside" {
				t.Errorf("beside it: %q, %v", said, err)
			}
			for l.run.state.gate.Open() > 0 {
				time.Sleep(time.Millisecond)
			}
		})
	}
}

// A request that is over is not cut: its stream's writer may be another's by then.
func TestAStreamThatIsOverIsLeftAlone(t *testing.T) {
	l := unstartedLined(t, nil)
	client := l.twoer()
	stop := make(chan struct{})
	cutting := make(chan struct{})
	go func() {
		defer close(cutting)
		for {
			select {
			case <-stop:
				return
			default:
				l.run.state.gate.Cut("app", "somebody else's device", "")
				l.run.state.gate.Cut("app", l.device(), "")
			}
		}
	}()
	cut := 0
	for range 300 {
		answer, err := l.send(client, "/short", nil)
		if err != nil {
			cut++
			continue
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil {
			cut++
		} else if string(body) != "short" || answer.StatusCode != http.StatusOK {
			t.Fatalf("%d %q", answer.StatusCode, body)
		}
	}
	close(stop)
	<-cutting
	t.Logf("%d of 300 were cut", cut)
	if n := l.run.state.gate.Open(); n != 0 {
		t.Errorf("%d requests are under way", n)
	}
}

// Nothing must tell apart the connection of a request that may go on.
func TestTheConnectionOfARequestThatMayGoOnServesTheNext(t *testing.T) {
	l := newLined(t)
	conn, answers := l.ask("/short", "", "")
	for range 3 {
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil || string(body) != "short" || answer.StatusCode != http.StatusOK {
			t.Fatalf("%d %q, %v", answer.StatusCode, body, err)
		}
		l.run.state.gate.Cut("app", "somebody else's device", "")
		if _, err := io.WriteString(conn, "GET /short HTTP/1.1\r\nHost: app.example.com\r\nUser-Agent: "+hotAgent+"\r\nCookie: "+l.cookies+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhoSignsOutGetsTheWholeAnswer(t *testing.T) {
	l := newLined(t)
	_, other := l.ask("/", "", "")
	<-l.begun
	_, answers := l.ask("/logout", "", "")
	answer, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // of a test
	if body, err := io.ReadAll(answer.Body); err != nil || len(body) != 180_000 {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	if err := <-l.ended; err == nil {
		t.Error("what went on beside it with the same sign-in goes on")
	}
	if _, err := io.Copy(io.Discard, other); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the other connection: %v", err)
	}
}

// Between the gate's yes and the list of requests under way nobody would look.
func TestThreat_L20_AccessWithdrawnJustAfterTheVerdictIsNoAccess(t *testing.T) {
	q := newHot(t)
	shown, from := q.handler.show(q.r), q.handler.hop(q.r)
	one := request{
		site: q.site, loginAtWork: q.login.Load(), r: q.r, now: time.Now(), session: &noSession, person: &noSession.Person, place: &noPlace,
		mode: identity.Closed, reviews: q.run.state.gate.Reviews(),
		next: caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
			t.Error("the request came to the backend")
			return nil
		}),
	}
	one.guard.ResponseWriter = httptest.NewRecorder()
	one.w = &one.guard
	one.look(from, &shown)
	one.clean(from, &shown)
	one.locate(one.session.Person.User)
	person := one.session.Person
	if v, err := one.decided(t.Context(), &person); err != nil || v.Answer != access.LetIn {
		t.Fatalf("%+v, %v", v, err)
	}
	(&lined{hot: q}).withdraw()
	for one.reviews == q.run.state.gate.Reviews() {
		time.Sleep(time.Millisecond)
	}
	if err := one.forward(&person); err != nil {
		t.Fatal(err)
	}
	if n := q.run.state.gate.Open(); n != 0 {
		t.Errorf("%d requests are under way", n)
	}
}
