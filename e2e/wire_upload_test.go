package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// peak is the most memory that the Caddy process ever held, in bytes.
func (c *Caddy) peak() int64 {
	c.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.process.cmd.Process.Pid))
	if err != nil {
		c.t.Fatalf("reading the memory of the process: %v", err)
	}
	kilobytes, err := strconv.ParseInt(strings.TrimSpace(between(string(status), "VmHWM:", "kB")), 10, 64)
	if err != nil {
		c.t.Fatalf("reading the memory of the process: %v", err)
	}
	return kilobytes << 10
}

// A large upload, and a large download, pass in constant memory on every path
// but the login's own.
func TestWire_TwoGigabytesPassInConstantMemory(t *testing.T) {
	const size, room = 2 << 30, 48 << 20
	zeros := make([]byte, 1<<20)
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/download" {
			w.Header().Set("Content-Length", strconv.Itoa(size/8))
			for range size / 8 / len(zeros) {
				if _, err := w.Write(zeros); err != nil {
					return
				}
			}
			return
		}
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r.Body}, make([]byte, 1<<20))
		_, _ = fmt.Fprintf(w, "%d %v", n, err)
	}))
	t.Cleanup(sink.Close)
	site := NewSite(t, "app.localhost")
	g := &Gate{Name: "known", Site: site}
	g.Caddy = StartCaddy(t, fmt.Sprintf("{\nauto_https off\n}\n%s {\ncadenas known {\nlogin /login {\nuser user\n}\nidentity header X-Who\npadlock closed\n}\nreverse_proxy %s\n}\n", site, sink.Listener.Addr()))
	g.Must("rules", "add", "--user", "julie", "--app", "known", "--effect", "allow")

	exchange := func(line string, upload int, headers ...string) (*http.Response, func()) {
		t.Helper()
		socket, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", site.Port), patience)
		if err != nil {
			t.Fatal(err)
		}
		_ = socket.SetDeadline(time.Now().Add(2 * patience))
		if _, err := io.WriteString(socket, say(line, site.host(), append(headers, "X-Who: julie", "User-Agent: "+ChromeLinux, "Connection: close")...)); err != nil {
			t.Fatal(err)
		}
		for range upload / len(zeros) {
			if _, err := socket.Write(zeros); err != nil {
				t.Fatalf("uploading: %v", err)
			}
		}
		response, err := http.ReadResponse(bufio.NewReader(socket), &http.Request{Method: strings.Fields(line)[0]})
		if err != nil {
			t.Fatal(err)
		}
		return response, func() { _ = response.Body.Close(); _ = socket.Close() }
	}
	small, done := exchange("POST /upload HTTP/1.1", 4<<20, fmt.Sprintf("Content-Length: %d", 4<<20), "Content-Type: application/x-www-form-urlencoded")
	if small.StatusCode != http.StatusOK {
		t.Fatalf("a small upload: %d", small.StatusCode)
	}
	done()
	before := g.peak()

	response, done := exchange("POST /upload HTTP/1.1", size, fmt.Sprintf("Content-Length: %d", size), "Content-Type: application/x-www-form-urlencoded")
	body, _ := io.ReadAll(response.Body)
	done()
	if response.StatusCode != http.StatusOK || string(body) != fmt.Sprintf("%d <nil>", size) {
		t.Errorf("the upload: %d %s", response.StatusCode, body)
	}
	if grown := g.peak() - before; grown > room {
		t.Errorf("the upload took %d MB of memory", grown>>20)
	}
	response, done = exchange("GET /download HTTP/1.1", 0)
	n, err := io.Copy(io.Discard, response.Body)
	done()
	if n != size/8 || err != nil {
		t.Errorf("the download: %d, %v", n, err)
	}
	if grown := g.peak() - before; grown > room {
		t.Errorf("the download took %d MB of memory", grown>>20)
	}
	t.Logf("%d MB at the most, %d MB before", g.peak()>>20, before>>20)
}
