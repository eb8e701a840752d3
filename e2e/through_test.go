package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/examples/demo/app"
)

// known starts a gate, signs an account in on a new client with the padlock
// open, and closes the padlock.
func known(t *testing.T, a App, o GateOptions, account int) (*Gate, *Client) {
	t.Helper()
	g := StartGate(t, a, o)
	c := NewClient(t)
	answer := a.SignIn(c, g.Site, Accounts[account].User, Accounts[account].Password)
	if !a.Accepted(answer) {
		t.Fatalf("signing in: %d\n%.500s", answer.Status, answer.Body)
	}
	a.Keep(c, answer)
	Eventually(t, func() error { return whether(g.knows(Accounts[account].User), "the connection is not recorded") })
	g.ClosePadlock()
	return g, c
}

// memory is what a process holds, in bytes.
func memory(t *testing.T, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmHWM:" {
			kb, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

func TestALargeUploadStreamsThroughInConstantMemory(t *testing.T) {
	t.Parallel()
	const size = 2 << 30
	g, c := known(t, &Demo{}, GateOptions{NoMail: true}, 1)
	before := memory(t, g.process.cmd.Process.Pid)
	r := c.Request(http.MethodPost, g.Site.URL("/upload"), io.NopCloser(&app.Pattern{Size: size}))
	r.ContentLength = size
	r.Header.Set("Content-Type", "application/octet-stream")
	var got struct{ Bytes int64 }
	c.Do(r).Expect(http.StatusOK).JSON(&got)
	if got.Bytes != size {
		t.Errorf("%d bytes came", got.Bytes)
	}
	if grown := memory(t, g.process.cmd.Process.Pid) - before; grown > 64<<20 {
		t.Errorf("Caddy grew by %d MB", grown>>20)
	}
}

func TestRangesComeThroughTheGate(t *testing.T) {
	t.Parallel()
	g, c := known(t, &Demo{}, GateOptions{NoMail: true}, 1)
	r := c.Request(http.MethodGet, g.Site.URL("/download?size=8000000000"), nil)
	r.Header.Set("Range", "bytes=7999999990-")
	a := c.Do(r).Expect(http.StatusPartialContent)
	if len(a.Body) != 10 || a.Body[3] != app.PatternAt(7999999993) || a.Header.Get("Content-Range") != "bytes 7999999990-7999999999/8000000000" {
		t.Errorf("%d bytes, Content-Range %q", len(a.Body), a.Header.Get("Content-Range"))
	}
}

func TestAnswersAreCompressedBehindTheGate(t *testing.T) {
	t.Parallel()
	a := &Demo{}
	site := NewSite(t, "app.localhost")
	backend := a.Start(t)
	StartCaddy(t, fmt.Sprintf("{\nauto_https off\n}\n%s {\nencode gzip\ncadenas attendance {\n%s}\nreverse_proxy %s\n}\n", site, a.Login(), backend))
	c := NewClient(t)
	if answer := a.SignIn(c, site, "julie", Accounts[1].Password); !a.Accepted(answer) {
		t.Fatalf("signing in: %d", answer.Status)
	}
	r := c.Request(http.MethodGet, site.URL("/"), nil)
	r.Header.Set("Accept-Encoding", "gzip")
	answer := c.Do(r).Expect(http.StatusOK)
	if answer.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("Content-Encoding %q", answer.Header.Get("Content-Encoding"))
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(answer.Body))
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(unzipped)
	if err != nil || !bytes.Contains(page, []byte("Julie Tremblay")) {
		t.Errorf("%v, %.200s", err, page)
	}
}

func TestStreamsRunThroughTheGateAndALockCutsThem(t *testing.T) {
	g, c := known(t, &Demo{app.Options{Tick: 20 * time.Millisecond}}, GateOptions{NoMail: true}, 1)

	socket, refusal := c.Socket(g.Site.URL("/live"))
	if socket == nil {
		t.Fatalf("the WebSocket was refused: %d", refusal.StatusCode)
	}
	r := c.Request(http.MethodGet, g.Site.URL("/events"), nil)
	r.Header.Set("Accept", "text/event-stream")
	events := c.Send(r)
	defer func() { _ = events.Body.Close() }()
	lines := bufio.NewScanner(events.Body)
	for ticks := 0; ticks < 3; {
		if _, _, err := socket.Read(t.Context()); err != nil {
			t.Fatalf("the WebSocket: %v", err)
		}
		if !lines.Scan() {
			t.Fatalf("the event stream: %v", lines.Err())
		}
		if strings.HasPrefix(lines.Text(), "data:") {
			ticks++
		}
	}

	// X10: within a second, on both.
	g.Must("user", "lock", "julie")
	locked := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		if _, _, err := socket.Read(ctx); err != nil {
			break
		}
	}
	for lines.Scan() {
		// until it is cut
	}
	if took := time.Since(locked); took > 2*time.Second {
		t.Errorf("cut after %s", took)
	}
	if a := c.Fetch(http.MethodGet, g.Site.URL("/api/me"), "", nil); a.Status != http.StatusForbidden && a.Status != http.StatusUnauthorized {
		t.Errorf("after the lock: %d", a.Status)
	}
	g.Must("user", "unlock", "julie")
}

// X9: what cannot show a page gets 403 and problem+json.
func TestWhatCannotShowAPageIsToldInJSON(t *testing.T) {
	t.Parallel()
	g, stopped := known(t, &Demo{}, GateOptions{NoMail: true}, 1)
	g.Must("rules", "add", "--app", g.Name, "--user", "julie", "--kind", "computer", "--effect", "refuse",
		"--place", "name=Office", "--browser", "family=Chrome platform=Linux")

	check := func(what string, status int, header http.Header) {
		t.Helper()
		if kind, _, _ := strings.Cut(header.Get("Content-Type"), ";"); status != http.StatusForbidden || kind != "application/problem+json" {
			t.Errorf("%s: %d %s", what, status, header.Get("Content-Type"))
		}
		if !strings.Contains(header.Get("Cache-Control"), "no-store") {
			t.Errorf("%s: Cache-Control %q", what, header.Get("Cache-Control"))
		}
		if header.Get("Location") != "" {
			t.Errorf("%s: leads to %q", what, header.Get("Location"))
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		a := stopped.Fetch(method, g.Site.URL("/api/present"), "", nil)
		check("a fetch by "+method, a.Status, a.Header)
	}
	r := stopped.Request(http.MethodGet, g.Site.URL("/events"), nil)
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Sec-Fetch-Mode", "cors")
	a := stopped.Do(r)
	check("an event stream", a.Status, a.Header)

	socket, refusal := stopped.Socket(g.Site.URL("/live"))
	if socket != nil {
		t.Fatal("the WebSocket was opened")
	}
	_ = refusal.Body.Close()
	check("a WebSocket", refusal.StatusCode, refusal.Header)
	if !refusal.Close {
		t.Error("the refused WebSocket keeps its socket (L18)")
	}
}

// An upload is what it was.
func TestAnUploadIsTheSameOnBothSides(t *testing.T) {
	t.Parallel()
	g, c := known(t, &Demo{}, GateOptions{NoMail: true}, 1)
	body := make([]byte, 3<<20)
	for i := range body {
		body[i] = app.PatternAt(int64(i))
	}
	sum := sha256.Sum256(body)
	var got struct{ SHA256 string }
	c.Fetch(http.MethodPost, g.Site.URL("/upload"), "application/octet-stream", body).Expect(http.StatusOK).JSON(&got)
	if got.SHA256 != hex.EncodeToString(sum[:]) {
		t.Error("the bytes changed")
	}
}
