package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Backends and clients for what only the wire shows: what reached the backend
// byte for byte, and requests that no library would send.

// arrival is one request as it reached a backend.
type arrival struct {
	Method, URI, Host, Proto string
	Header, Trailer          http.Header
	Length                   int64
	Encoding                 []string
	Body                     []byte
}

// folded returns the values of every header that some backend reads under a
// name: in other case, with "_" or "." for "-".
func (a arrival) folded(name string) []string {
	fold := func(s string) string {
		return strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(strings.TrimSpace(s)))
	}
	values := []string{}
	for _, from := range []http.Header{a.Header, a.Trailer} {
		for key, some := range from {
			if fold(key) == fold(name) {
				values = append(values, some...)
			}
		}
	}
	slices.Sort(values)
	return values
}

// recorder is a backend that remembers what reached it.
type recorder struct {
	// Address is host:port.
	Address string
	mu      sync.Mutex
	seen    []arrival
}

// protected is what the backend says to everything: no answer of the gate's
// contains it.
const protected = "PROTECTED CONTENT"

// record starts a backend that remembers its requests, bodies included, and
// answers by next; a nil next answers 200 and the word.
func record(t testing.TB, next http.Handler) *recorder {
	t.Helper()
	rec := &recorder{}
	if next == nil {
		next = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, protected)
		})
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 8<<20))
		a := arrival{
			Method: r.Method, URI: r.RequestURI, Host: r.Host, Proto: r.Proto, Header: r.Header.Clone(), Trailer: r.Trailer.Clone(),
			Length: r.ContentLength, Encoding: r.TransferEncoding, Body: body,
		}
		rec.mu.Lock()
		rec.seen = append(rec.seen, a)
		rec.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	rec.Address = server.Listener.Addr().String()
	return rec
}

// take returns what came since the last take.
func (rec *recorder) take() []arrival {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	seen := rec.seen
	rec.seen = nil
	return seen
}

// one returns the only request that came since the last take.
func (rec *recorder) one(t testing.TB) arrival {
	t.Helper()
	seen := rec.take()
	if len(seen) != 1 {
		t.Fatalf("%d requests reached the backend, not one: %+v", len(seen), seen)
	}
	return seen[0]
}

// errClosed says that the server closed without an answer.
var errClosed = errors.New("closed without an answer")

// speak sends bytes to a port of loopback as they are, and reads one answer;
// answers of 1xx come before it and are returned by their status.
func speak(t testing.TB, port int, text string) (a *Answer, interim []int, err error) {
	t.Helper()
	socket, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), patience)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	_ = socket.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(socket, text); err != nil {
		return nil, nil, errClosed
	}
	return hear(t, bufio.NewReader(socket), text)
}

// hear reads one answer to a request.
func hear(t testing.TB, from *bufio.Reader, request string) (a *Answer, interim []int, err error) {
	t.Helper()
	method, _, _ := strings.Cut(request, " ")
	for {
		response, err := http.ReadResponse(from, &http.Request{Method: method})
		if err != nil {
			return nil, interim, errClosed
		}
		if response.StatusCode < 200 && response.StatusCode != http.StatusSwitchingProtocols {
			interim = append(interim, response.StatusCode)
			_ = response.Body.Close()
			continue
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			return nil, interim, fmt.Errorf("reading an answer: %w", err)
		}
		return &Answer{Status: response.StatusCode, Header: response.Header, Body: body, Cookies: response.Cookies(), t: t}, interim, nil
	}
}

// say makes the text of a request: a line, and headers with the Host first.
func say(line string, host string, headers ...string) string {
	return line + "\r\nHost: " + host + "\r\n" + strings.Join(append(headers, "", ""), "\r\n")
}

// hosts is the Host header of a site.
func (s Site) host() string { return fmt.Sprintf("%s:%d", s.Name, s.Port) }
