package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// on are options of gates on the Redis that the URLs name.
func on(urls string) GateOptions {
	return GateOptions{NoMail: true, Cadenas: fmt.Sprintf("store redis %s {\naway 60s\n}", urls)}
}

// threeGates starts three gates in front of one application.
func threeGates(t *testing.T, o GateOptions) []*Gate {
	t.Helper()
	a := StartGate(t, &Demo{}, o)
	return []*Gate{a, a.Twin(o), a.Twin(o)}
}

// as is the same browser once more, for somebody who asks at the same time.
func (c *Client) as() *Client {
	twin := NewClient(c.t)
	twin.Jar = c.Jar
	return twin
}

// ask is the status of a path of the application's API; 0 where there was no
// answer. It fails no test.
func (c *Client) ask(site Site, path string) int {
	r := c.Request(http.MethodGet, site.URL(path), nil)
	r.Header.Set("Sec-Fetch-Mode", "cors")
	response, err := c.Try(r)
	if err != nil {
		return 0
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0
	}
	return response.StatusCode
}

// traffic is who asks without pause on each gate while something happens, and
// what the gates promised.
type traffic struct {
	t     *testing.T
	gates []*Gate
	known *Client // must always get in
	out   []*Client

	mu       sync.Mutex
	asked    map[string]int // by gate and who
	wrong    []string
	promised []string // users of rules that a gate said were written
	// gaps are the longest times between two promises of a gate.
	gaps map[*Gate]time.Duration
}

func (l *traffic) count(g *Gate, who string, status int, right bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked[who]++
	if !right && len(l.wrong) < 20 {
		l.wrong = append(l.wrong, fmt.Sprintf("%s gives %s %d", g.Site, who, status))
	}
}

// run has them ask until ctx ends.
func (l *traffic) run(ctx context.Context) (wait func()) {
	var running sync.WaitGroup
	for i, g := range l.gates {
		known := l.known.as()
		running.Go(func() {
			for ctx.Err() == nil {
				got := known.ask(g.Site, "/api/me")
				l.count(g, "a known person", got, got == http.StatusOK)
			}
		})
		for n, one := range l.out {
			stranger := one.as()
			running.Go(func() {
				for ctx.Err() == nil {
					got := stranger.ask(g.Site, "/api/me")
					l.count(g, fmt.Sprintf("somebody who is out (%d)", n), got, got >= 400)
				}
			})
		}
		running.Go(func() {
			last := time.Now()
			for n := 0; ctx.Err() == nil; n++ {
				user := fmt.Sprintf("granted-%d-%d", i, n)
				_, status := g.tell("rules-add", map[string]string{"app": g.Name, "user": user, "effect": "allow"})
				if status != http.StatusOK {
					continue
				}
				l.mu.Lock()
				l.promised = append(l.promised, user)
				l.gaps[g], last = max(l.gaps[g], time.Since(last)), time.Now()
				l.mu.Unlock()
			}
		})
	}
	return running.Wait
}

// enough waits until everybody has asked and every gate has promised some more.
func (l *traffic) enough(n int) {
	l.t.Helper()
	l.mu.Lock()
	before, promised := l.asked["a known person"], len(l.promised)
	l.mu.Unlock()
	Eventually(l.t, func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		return whether(l.asked["a known person"] >= before+n && len(l.promised) >= promised+n, fmt.Sprintf("asked %v, promised %d", l.asked, len(l.promised)))
	})
}

// rules are the users whom a gate's rules name.
func (g *Gate) ruled() map[string]bool {
	g.t.Helper()
	var rules []struct{ User string }
	if err := json.Unmarshal([]byte(g.Must("rules", "--json")), &rules); err != nil {
		g.t.Fatalf("reading the rules: %v", err)
	}
	users := map[string]bool{}
	for _, r := range rules {
		users[r.User] = true
	}
	return users
}

// Three instances on a Redis that fails over under load: no verdict is wrong,
// no grant is lost, requests under way end well, and the log says for how long
// nothing could be written.
func TestInstances_AFailoverOfSentinelsIsNoticedByNobodyWhoIsKnown(t *testing.T) {
	t.Parallel()
	s := StartSentinels(t)
	survive(t, threeGates(t, on(s.URLs)), func() (back func()) {
		dead := s.Master()
		dead.Kill()
		return func() {
			dead.Start()
			dead.grant()
			dead.await("replication", "role:slave") // a Sentinel tells it so
		}
	})
}

// The same on a cluster of six, of which the node dies that keeps the
// application.
func TestInstances_AFailoverInAClusterIsNoticedByNobodyWhoIsKnown(t *testing.T) {
	t.Parallel()
	c := StartRedisCluster(t)
	survive(t, threeGates(t, on(c.URLs)), func() (back func()) {
		dead := c.Holder("attendance")
		dead.Kill()
		return func() {
			dead.Start()
			dead.grant()
			dead.await("replication", "role:slave")
		}
	})
}

func survive(t *testing.T, gates []*Gate, fail func() (back func())) {
	a, b, c := gates[0], gates[1], gates[2]
	demo := a.App
	password := map[string]string{}
	for _, account := range Accounts {
		password[account.User] = account.Password
	}
	known, locked, stranger := NewClient(t), NewClient(t), NewClient(t)
	for who, client := range map[string]*Client{"julie": known, "samuel": locked} {
		if first := demo.SignIn(client, a.Site, who, password[who]); !demo.Accepted(first) {
			t.Fatalf("%s with the padlock open: %d\n%.800s", who, first.Status, first.Body)
		}
		Eventually(t, func() error { return whether(b.knows(who), "B does not know "+who) })
	}
	a.ClosePadlock()
	b.Must("user", "lock", "samuel")
	for _, g := range gates {
		Eventually(t, func() error {
			return whether(status(known, g.Site, "/api/me") == http.StatusOK && status(locked, g.Site, "/api/me") == http.StatusForbidden, "not ready: "+g.Site.String())
		})
	}
	held := demo.SignIn(stranger, b.Site, "julie", password["julie"])
	refusedByTheGate(t, demo, held)

	// What is under way when it happens: a socket, and an upload half sent.
	socket, refused := known.Socket(c.Site.URL("/live"))
	if socket == nil {
		t.Fatalf("the WebSocket through C was refused: %d", refused.StatusCode)
	}
	body, more := io.Pipe()
	upload := navigation(known.Request(http.MethodPost, b.Site.URL("/upload"), body), "same-origin")
	upload.Header.Set("Content-Type", "application/octet-stream")
	upload.Header.Set("Origin", b.Site.String())
	uploaded := make(chan string, 1)
	go func() {
		response, err := known.as().Try(upload)
		if err != nil {
			uploaded <- err.Error()
			return
		}
		defer func() { _ = response.Body.Close() }()
		text, err := io.ReadAll(response.Body)
		uploaded <- fmt.Sprint(response.StatusCode, " ", string(text), " ", err)
	}()
	half := strings.Repeat("x", 1<<20)
	if _, err := io.WriteString(more, half); err != nil {
		t.Fatal(err)
	}

	l := &traffic{t: t, gates: gates, known: known, out: []*Client{locked, stranger}, asked: map[string]int{}, gaps: map[*Gate]time.Duration{}}
	ctx, stop := context.WithCancel(t.Context())
	wait := l.run(ctx)
	defer func() { stop(); wait() }()
	l.enough(30)
	back := fail()
	l.enough(30)
	back()
	l.enough(30)
	if _, err := io.WriteString(more, half); err != nil {
		t.Errorf("the upload was cut: %v", err)
	}
	if err := more.Close(); err != nil {
		t.Error(err)
	}
	if got := <-uploaded; !strings.HasPrefix(got, "200 ") || !strings.Contains(got, fmt.Sprint(2<<20)) {
		t.Errorf("the upload that was under way: %s", got)
	}
	if _, _, err := socket.Read(t.Context()); err != nil {
		t.Errorf("the socket that was open: %v", err)
	}
	stop()
	wait()

	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.wrong {
		t.Error(w)
	}
	for _, g := range gates {
		t.Logf("%s: nothing could be written for %s at the most", g.Site, l.gaps[g].Round(time.Millisecond))
		there, lost := g.ruled(), 0
		for _, user := range l.promised {
			if !there[user] {
				lost++
			}
		}
		if lost > 0 {
			t.Errorf("%s has lost %d of %d grants", g.Site, lost, len(l.promised))
		}
	}
	t.Logf("asked %v, %d grants", l.asked, len(l.promised))

	// They are one gate as before: decided on A, released on C; locked on B,
	// cut on C.
	a.Approve("julie")
	released := stranger.Release(stranger.Waiting(stranger.Visit(c.Site.URL("/"))))
	if !demo.Accepted(released) && released.Status != http.StatusSeeOther {
		t.Errorf("released on C: %d\n%.800s", released.Status, released.Body)
	}
	b.Must("user", "lock", "julie")
	for _, g := range gates {
		Eventually(t, func() error {
			return whether(status(known, g.Site, "/api/me") == http.StatusForbidden, "locked, and let in on "+g.Site.String())
		})
	}
	ended, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		if _, _, err := socket.Read(ended); err != nil {
			break
		}
	}
	if ended.Err() != nil {
		t.Error("locked, and her socket on C goes on")
	}
}
