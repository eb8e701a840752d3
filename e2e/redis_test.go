package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// together are options with which several gates are one.
func together(redis *Redis, away string) GateOptions {
	return GateOptions{Cadenas: fmt.Sprintf("store redis %s {\naway %s\n}", redis.URL, away)}
}

// status is what the gate or the application answers to a page.
func status(c *Client, site Site, path string) int {
	return c.Fetch("GET", site.URL(path), "", nil).Status
}

// Row L20, and X10: several instances on one Redis are one gate, whichever is
// asked.
func TestThreat_L20_InstancesOnOneRedisAreOneGate(t *testing.T) {
	redis := StartRedis(t)
	o := together(redis, "60s")
	a := StartGate(t, &Demo{}, o)
	b := a.Twin(o)
	c := a.Twin(o)
	demo, password := a.App, Accounts[1].Password

	// A login through A passes on B and C: the stamp, the row and the device
	// are everybody's.
	known := NewClient(t)
	if first := demo.SignIn(known, a.Site, "julie", password); !demo.Accepted(first) {
		t.Fatalf("with the padlock open: %d\n%.800s", first.Status, first.Body)
	}
	for _, g := range []*Gate{a, b, c} {
		if who := demo.Who(known, g.Site); who != "julie" {
			t.Errorf("through %s the application knows Julie as %q", g.Site, who)
		}
	}
	Eventually(t, func() error { return whether(b.knows("julie"), "B does not know Julie's connection") })

	// The padlock closed on A is closed on B and C.
	a.ClosePadlock()
	for _, g := range []*Gate{b, c} {
		Eventually(t, func() error {
			return whether(strings.Contains(strings.ToLower(g.Must("padlock", "--json")), `"closed": true`), "the padlock is open on "+g.Site.String())
		})
		if who := demo.Who(known, g.Site); who != "julie" {
			t.Errorf("after the closing %s knows Julie as %q", g.Site, who)
		}
	}

	// A stranger with the right password waits on B; approved on A, the page
	// on B opens. One notice goes to each admin, although three could send it.
	stranger := NewClient(t)
	held := demo.SignIn(stranger, b.Site, "julie", password)
	refusedByTheGate(t, demo, held)
	a.Mail.Await(t, "the notice to Paul", To("paul@example.com"), 0)
	a.Mail.Await(t, "the notice to Marie", To("marie@example.com"), 0)
	page := stranger.Waiting(held)
	opened := make(chan time.Time, 1)
	stream := stranger.Send(stranger.Request("GET", page.URL.Scheme+"://"+page.URL.Host+"/.cadenas/wait/events", nil))
	if stream.StatusCode != http.StatusOK {
		t.Fatalf("the stream of the waiting page: %d", stream.StatusCode)
	}
	go func() {
		defer func() { _ = stream.Body.Close() }()
		text, _ := io.ReadAll(stream.Body) // the stream ends with the decision
		if strings.Contains(string(text), "approved") {
			opened <- time.Now()
		}
		close(opened)
	}()
	began := time.Now()
	a.Approve("julie")
	if at := <-opened; at.IsZero() {
		t.Error("the waiting page on B heard of no approval")
	} else if took := at.Sub(began); took > 5*time.Second {
		t.Errorf("B's waiting page heard after %s", took)
	}
	released := stranger.Release(stranger.Waiting(stranger.Visit(b.Site.URL("/"))))
	if !demo.Accepted(released) && released.Status != http.StatusSeeOther {
		t.Fatalf("released on B: %d\n%.800s", released.Status, released.Body)
	}
	for _, g := range []*Gate{a, b, c} {
		if who := demo.Who(stranger, g.Site); who != "julie" {
			t.Errorf("approved, but %s knows her as %q", g.Site, who)
		}
	}
	notices := map[string]int{}
	for _, mail := range a.Mail.Mails() {
		for _, to := range mail.To {
			if strings.Contains(mail.HTML, `class="key"`) {
				notices[to]++
			}
		}
	}
	if len(notices) != 2 || notices["paul@example.com"] != 1 || notices["marie@example.com"] != 1 {
		t.Errorf("notices: %v", notices)
	}

	// Locked on A: 403 on B under a second, and her socket there is cut.
	socket, refused := known.Socket(b.Site.URL("/live"))
	if socket == nil {
		t.Fatalf("the WebSocket through B was refused: %d", refused.StatusCode)
	}
	if _, _, err := socket.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	cut := make(chan time.Time, 1)
	go func() {
		for {
			if _, _, err := socket.Read(context.WithoutCancel(t.Context())); err != nil {
				cut <- time.Now()
				return
			}
		}
	}()
	a.Must("user", "lock", "julie")
	locked := time.Now() // the command has answered: what it took is behind us
	Eventually(t, func() error {
		return whether(status(known, b.Site, "/api/me") == http.StatusForbidden, "locked, and B lets in")
	})
	if took := time.Since(locked); took > time.Second {
		t.Errorf("403 on B after %s", took)
	}
	select {
	case at := <-cut:
		if took := at.Sub(locked); took > time.Second {
			t.Errorf("the socket on B was cut after %s", took)
		}
	case <-time.After(patience):
		t.Error("the socket on B was not cut")
	}
	c.Must("user", "unlock", "julie")
	Eventually(t, func() error {
		return whether(status(known, a.Site, "/api/me") == http.StatusOK, "unlocked on C, and A refuses")
	})

	for _, g := range []*Gate{a, b, c} {
		if strings.Contains(g.Log.Text(), redis.Password) {
			t.Errorf("the log of %s has the password of Redis", g.Site)
		}
	}
}

// Row L21: without Redis the known go on for a set time and nobody else comes
// in; then it closes; it heals by itself.
func TestThreat_L21_WithoutRedisTheKnownGoOnForASetTime(t *testing.T) {
	const away = 6 * time.Second
	redis := StartRedis(t)
	o := together(redis, away.String())
	o.NoMail = true
	a := StartGate(t, &Demo{}, o)
	b := a.Twin(o)
	demo, password := a.App, Accounts[1].Password
	known := NewClient(t)
	if first := demo.SignIn(known, a.Site, "julie", password); !demo.Accepted(first) {
		t.Fatalf("with the padlock open: %d\n%.800s", first.Status, first.Body)
	}
	a.ClosePadlock()
	both := []*Gate{a, b}
	for _, g := range both {
		Eventually(t, func() error {
			return whether(demo.Who(known, g.Site) == "julie", "Julie is not known on "+g.Site.String())
		})
	}

	rooms := map[string]*Browser{}
	for name, view := range map[string]View{"away": {Size: Phone, Language: "fr"}, "away, dark": {Size: Desk, Dark: true}} {
		rooms[name] = OpenBrowser(t, view)
		rooms[name].Open(b.ConsoleLink("paul@example.com"))
		rooms[name].Go("form button")
		rooms[name].Open(b.Console.URL("/connections"))
		rooms[name].SeeText("julie")
	}

	for _, g := range both { // who is known is in memory where they were asked last
		if who := demo.Who(known, g.Site); who != "julie" {
			t.Fatalf("%s knows Julie as %q", g.Site, who)
		}
	}
	redis.Kill()
	killed := time.Now()
	for time.Since(killed) < away/2 {
		for _, g := range both {
			if got := status(known, g.Site, "/api/me"); got != http.StatusOK {
				t.Fatalf("%s after Redis went, a known person gets %d on %s", time.Since(killed), got, g.Site)
			}
		}
	}
	stranger := NewClient(t)
	for _, g := range both {
		answer := demo.SignIn(stranger, g.Site, "julie", password)
		if demo.Accepted(answer) || answer.Status < 400 {
			t.Errorf("a stranger with the right password got %d on %s", answer.Status, g.Site)
		}
		if who := demo.Who(stranger, g.Site); who != "" {
			t.Errorf("the stranger is in as %q", who)
		}
	}
	for _, g := range both {
		Eventually(t, func() error {
			got := status(known, g.Site, "/api/me")
			if took := time.Since(killed); took > away+3*time.Second && got == http.StatusOK {
				t.Fatalf("%s after Redis went %s still lets in", took, g.Site)
			}
			return whether(got == http.StatusServiceUnavailable, fmt.Sprintf("a known person gets %d", got))
		})
	}
	if took := time.Since(killed); took < away-2*time.Second {
		t.Errorf("closed after %s of %s", took, away)
	}

	// Rooms that are open say so, and keep what they show; a new one says it
	// instead.
	for name, room := range rooms {
		room.Await("the alarm", `!document.getElementById("siren").hidden`)
		room.SeeText("julie")
		room.Fits()
		room.Axe(name)
		room.Shot(name)
		room.Allow("503|/events")
	}
	if page := NewClient(t).Visit(b.Console.URL("/")); page.Status != http.StatusServiceUnavailable && page.Status >= 500 {
		t.Errorf("a new page of the console: %d\n%.800s", page.Status, page.Body)
	}

	redis.Start()
	for _, g := range both {
		Eventually(t, func() error {
			return whether(status(known, g.Site, "/api/me") == http.StatusOK, "Redis is back, and "+g.Site.String()+" is closed")
		})
	}
	for _, room := range rooms {
		room.Await("the alarm ends", `document.getElementById("siren").hidden`)
	}
	held := demo.SignIn(stranger, a.Site, "julie", password)
	refusedByTheGate(t, demo, held)
	if waiting := b.Requests(); len(waiting) != 1 {
		t.Errorf("through B %d wait", len(waiting))
	}
	a.Must("user", "lock", "julie")
	Eventually(t, func() error {
		return whether(status(known, b.Site, "/api/me") == http.StatusForbidden, "healed, and B hears of nothing")
	})
}

// A store moves from a file to Redis and back, and people stay in.
func TestAStoreMovesFromAFileToRedisAndBack(t *testing.T) {
	t.Parallel()
	redis := StartRedis(t)
	g := StartGate(t, &Demo{}, GateOptions{NoMail: true})
	demo := g.App
	known := NewClient(t)
	if first := demo.SignIn(known, g.Site, "julie", Accounts[1].Password); !demo.Accepted(first) {
		t.Fatalf("with the padlock open: %d", first.Status)
	}
	Eventually(t, func() error { return whether(g.knows("julie"), "Julie's connection is not recorded") })
	g.ClosePadlock()
	file := g.Data + "/cadenas/cadenas.db"
	g.Stop()

	copied := g.Must("store", "copy", file, redis.URL)
	if !strings.Contains(copied, "entries copied and checked") {
		t.Errorf("it says %q", copied)
	}
	if again := g.Cadenas("store", "copy", file, redis.URL); again.Exit != 1 || !strings.Contains(again.Stderr, "not empty") || strings.Contains(again.Stderr, redis.Password) {
		t.Errorf("into a store with something in it: exit %d, %q", again.Exit, again.Stderr)
	}
	if wrong := g.Cadenas("store", "copy", file); wrong.Exit != 2 {
		t.Errorf("without a target: exit %d", wrong.Exit)
	}
	if missing := g.Cadenas("store", "copy", file+"x", redis.URL); missing.Exit != 1 {
		t.Errorf("from a file that is not there: exit %d", missing.Exit)
	}
	o := together(redis, "60s")
	o.NoMail = true
	g.Rewrite(g.Text(o))
	g.Start()
	if who := demo.Who(known, g.Site); who != "julie" {
		t.Errorf("on Redis the application knows Julie as %q", who)
	}
	g.Stop()
	back := g.Data + "/cadenas/back.db"
	g.Must("store", "copy", redis.URL, back)
	g.Rewrite(g.Text(GateOptions{Cadenas: "store bolt " + back}))
	g.Start()
	if who := demo.Who(known, g.Site); who != "julie" {
		t.Errorf("back in a file the application knows Julie as %q", who)
	}
	refusedByTheGate(t, demo, demo.SignIn(NewClient(t), g.Site, "julie", Accounts[1].Password))
}
