package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// X10, L20: over HTTP/2 the requests of several people share a connection, as
// behind a proxy. What one of them has open is cut, and nothing else.
func TestThreat_L20_ALockCutsTheStreamsOfOnePersonOnASharedConnection(t *testing.T) {
	t.Parallel()
	uploads := make(chan error, 1)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/events":
			w.Header().Set("Content-Type", "text/event-stream")
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, "data: tick\n\n")
				_ = http.NewResponseController(w).Flush()
				time.Sleep(10 * time.Millisecond)
			}
		case "/silent":
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		case "/upload":
			_ = http.NewResponseController(w).EnableFullDuplex()
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			_, err := io.Copy(io.Discard, r.Body)
			uploads <- err
		}
	}))
	t.Cleanup(backend.Close)
	t.Cleanup(backend.CloseClientConnections)

	site := NewSite(t, "app.localhost")
	site.Scheme = "https"
	g := &Gate{Caddy: StartCaddy(t, fmt.Sprintf("{\nskip_install_trust\nauto_https disable_redirects\n}\n%s {\ntls internal\ncadenas attendance {\nidentity header X-Who\npadlock closed\n}\nreverse_proxy %s\n}\n",
		site, backend.Listener.Addr()))}
	for _, who := range []string{"julie", "marie"} {
		g.Must("rules", "add", "--app", "attendance", "--user", who, "--effect", "allow")
	}
	client := http2Client(t, g.Caddy, site)
	open := func(who, path string, body io.Reader) *http.Response {
		t.Helper()
		method := http.MethodGet
		if body != nil {
			method = http.MethodPost
		}
		r, err := http.NewRequestWithContext(t.Context(), method, site.URL(path), body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"X-Who": {who}, "User-Agent": {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"}, "Sec-Fetch-Mode": {"cors"}}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatalf("%s, %s: %v", who, path, err)
		}
		t.Cleanup(func() { _ = answer.Body.Close() })
		if answer.ProtoMajor != 2 || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s, %s: %s %d", who, path, answer.Proto, answer.StatusCode)
		}
		return answer
	}
	hers := open("marie", "/events", nil)
	events, silent := open("julie", "/events", nil), open("julie", "/silent", nil)
	more, upload := io.Pipe()
	t.Cleanup(func() { _ = upload.Close() })
	go func() {
		for {
			if _, err := upload.Write(make([]byte, 1000)); err != nil {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	sent := open("julie", "/upload", more)

	g.Must("user", "lock", "julie")
	locked := time.Now()
	for what, answer := range map[string]*http.Response{"the event stream": events, "the silent answer": silent, "the upload": sent} {
		if _, err := io.Copy(io.Discard, answer.Body); err == nil {
			t.Errorf("%s ends as if it were whole", what)
		}
	}
	if err := <-uploads; err == nil {
		t.Error("the backend took the upload for whole")
	}
	if took := time.Since(locked); took > 2*time.Second {
		t.Errorf("cut after %s", took)
	}
	lines, after := bufio.NewScanner(hers.Body), time.Now()
	for ticks := 0; ticks < 20 || time.Since(after) < 200*time.Millisecond; {
		if !lines.Scan() {
			t.Fatalf("marie's events on the same connection: %v", lines.Err())
		}
		if strings.HasPrefix(lines.Text(), "data:") {
			ticks++
		}
	}
}
