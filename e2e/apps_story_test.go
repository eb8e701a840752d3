package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/cadenas-gateway/cadenas/examples/demo/app"
)

// leaver is an application that one can sign out of.
type leaver interface{ SignOut(c *Client, site Site) }

// SignOut sends the register's form.
func (d *Demo) SignOut(c *Client, site Site) {
	c.t.Helper()
	if d.Options.Login == app.Token {
		c.Fetch("POST", site.URL("/logout"), "", nil)
		return
	}
	c.Submit(site.URL("/logout"), url.Values{})
}

// SignOut revokes the token, as the editor does.
func (NodeRED) SignOut(c *Client, site Site) {
	c.t.Helper()
	body, _ := json.Marshal(map[string]string{"token": c.Bearer})
	c.Fetch("POST", site.URL("/auth/revoke"), "application/json", body)
}

// opened are the streams of a signed-in client: a WebSocket and an event
// stream, where the application has them. Both are read all the time.
type opened struct {
	socket *websocket.Conn
	// over tells of each that ended.
	over map[string]chan struct{}
}

// stream opens what an application has, and reads the first message of each.
func stream(t *testing.T, a App, c *Client, site Site) (o opened) {
	t.Helper()
	ws, sse := "/ws", "/stream"
	switch d := a.(type) {
	case *Demo:
		ws, sse = "/live", "/events"
		if d.Options.Login == app.Token {
			ws, sse = ws+"?access_token="+c.Bearer, sse+"?access_token="+c.Bearer
		}
	case *Djangoish, *Laravelish, *SinglePage:
	default:
		return opened{}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	socket, refused := c.Socket(site.URL(ws)) //nolint:bodyclose // a socket has none
	if socket == nil {
		t.Fatalf("the WebSocket was refused: %d", refused.StatusCode)
	}
	if _, _, err := socket.Read(ctx); err != nil {
		t.Fatalf("the WebSocket: %v", err)
	}
	r := c.Request("GET", site.URL(sse), nil)
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Sec-Fetch-Mode", "cors")
	events := c.Send(r)
	if events.StatusCode != http.StatusOK {
		t.Fatalf("the event stream was refused: %d", events.StatusCode)
	}
	if _, err := events.Body.Read(make([]byte, 1)); err != nil {
		t.Fatalf("the event stream: %v", err)
	}
	o = opened{socket, map[string]chan struct{}{"WebSocket": make(chan struct{}), "event stream": make(chan struct{})}}
	go func() {
		defer close(o.over["WebSocket"])
		for {
			if _, _, err := socket.Read(context.Background()); err != nil {
				return
			}
		}
	}()
	go func() {
		defer close(o.over["event stream"])
		_, _ = io.Copy(io.Discard, events.Body)
	}()
	t.Cleanup(func() { _ = events.Body.Close() })
	return o
}

// cut fails the test unless both end within a second of since.
func (o opened) cut(t *testing.T, what string, since time.Time) {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for which, over := range o.over {
		select {
		case <-over:
			if took := time.Since(since); took > time.Second {
				t.Errorf("%s: the %s was cut after %s", what, which, took)
			}
		case <-limit.C:
			t.Fatalf("%s: the %s is still open", what, which)
		}
	}
}

// alive fails the test when one has ended.
func (o opened) alive(t *testing.T, what string) {
	t.Helper()
	if o.socket == nil {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := o.socket.Ping(ctx); err != nil { // the application answers it
		t.Errorf("%s: the WebSocket was cut: %v", what, err)
	}
	select {
	case <-o.over["event stream"]:
		t.Errorf("%s: the event stream was cut", what)
	default:
	}
}

// The login story to its end: what is authorised is withdrawn, and whoever
// signs out is out. Applications from packages and shapes that are common.
func TestApps_WhoIsInGoesOnUntilItEnds(t *testing.T) {
	shapes := []App{&Djangoish{}, &Laravelish{}, &SinglePage{}}
	for _, a := range append(shapes, Apps()...) {
		t.Run(a.Name(), func(t *testing.T) {
			password := Accounts[1].Password
			g := StartGate(t, a, GateOptions{NoMail: true})
			site := g.Site
			known := NewClient(t)

			// The padlock is open: a wrong password, then the right one.
			if full := slices.Contains(shapes, a); full {
				wrong := a.SignIn(known, site, "julie", "not her password")
				if a.Accepted(wrong) || a.Who(known, site) != "" || g.knows("julie") {
					t.Fatalf("a wrong password: %d", wrong.Status)
				}
			}
			first := a.SignIn(known, site, "julie", password)
			if !a.Accepted(first) {
				t.Fatalf("with the padlock open: %d\n%.600s", first.Status, first.Body)
			}
			a.Keep(known, first)
			if who := a.Who(known, site); who != "julie" {
				t.Fatalf("with the padlock open the application knows Julie as %q", who)
			}
			early := stream(t, a, known, site)
			Eventually(t, func() error { return whether(g.knows("julie"), "not recorded") })

			// It closes, and nothing is cut of those who were there.
			g.ClosePadlock()
			early.alive(t, "when the padlock closed")
			for range 3 { // whatever the application rotates
				if who := a.Who(known, site); who != "julie" {
					t.Fatalf("padlock closed, the application knows Julie as %q", who)
				}
			}
			second := stream(t, a, known, site)

			// Another device waits, is approved, and comes in. The session of
			// the first is worth nothing there.
			stranger, thief := NewClient(t), NewClient(t)
			if slices.Contains(shapes, a) {
				if wrong := a.SignIn(stranger, site, "julie", "not her password"); a.Accepted(wrong) {
					t.Errorf("a wrong password: %d", wrong.Status)
				}
			}
			held := a.SignIn(stranger, site, "julie", password)
			refusedByTheGate(t, a, held)
			if who := a.Who(stranger, site); who != "" {
				t.Errorf("while waiting the application knows the stranger as %q", who)
			}
			thief.Bearer = known.Bearer
			if !byToken(a) {
				thief.Steal(known, site.URL(a.Path()))
			}
			if who := a.Who(thief, site); who != "" {
				t.Errorf("the stolen session signed in %q", who)
			}
			g.Approve("julie", "--width", "device")
			admit(t, a, stranger, site, password)
			third := stream(t, a, stranger, site)

			// What the approval made is withdrawn: cut within a second, and
			// refused. The first device goes on.
			rule := g.ruleOf("julie", stranger)
			g.Must("rules", "end", rule)
			since := time.Now()
			third.cut(t, "the approval withdrawn", since)
			Eventually(t, func() error { return whether(a.Who(stranger, site) == "", "still in") })
			if took := time.Since(since); took > 2*time.Second {
				t.Errorf("refused only after %s", took)
			}
			second.alive(t, "when another device's approval was withdrawn")
			if who := a.Who(known, site); who != "julie" {
				t.Errorf("after another device's approval was withdrawn the application knows Julie as %q", who)
			}

			// Out is out: also for whoever kept the session.
			if l, ok := a.(leaver); ok {
				before := NewClient(t)
				before.Bearer = known.Bearer
				if !byToken(a) {
					before.Steal(known, site.URL(a.Path()))
					before.Steal(known, site.URL("/"), known.ours(site).Name) // the device and all
				}
				l.SignOut(known, site)
				if who := a.Who(known, site); who != "" {
					t.Errorf("signed out, and the application knows Julie as %q", who)
				}
				if who := a.Who(before, site); who != "" {
					t.Errorf("signed out, and a copy of the session is known as %q", who)
				}
				second.cut(t, "signed out", time.Now())
				again := a.SignIn(known, site, "julie", password)
				if !a.Accepted(again) {
					t.Fatalf("signed in again: %d\n%.600s", again.Status, again.Body)
				}
				a.Keep(known, again)
			}

			// Locked: cut and refused at once, everywhere.
			last := stream(t, a, known, site)
			g.Must("user", "lock", "julie")
			last.cut(t, "locked", time.Now())
			if who := a.Who(known, site); who != "" {
				t.Errorf("locked, and the application knows Julie as %q", who)
			}
			if again := a.SignIn(NewClient(t), site, "julie", password); a.Accepted(again) {
				if _, tells := a.(*Adminer); !tells {
					t.Errorf("locked, and signed in: %d", again.Status)
				}
			}
		})
	}
}

// admit takes what was held once it is approved: released, or signed in again
// where the login answers with a token.
func admit(t *testing.T, a App, c *Client, site Site, password string) {
	t.Helper()
	if byToken(a) {
		again := a.SignIn(c, site, "julie", password)
		if !a.Accepted(again) {
			t.Fatalf("approved, signed in again: %d\n%.600s", again.Status, again.Body)
		}
		a.Keep(c, again)
	} else {
		page := c.Waiting(c.Visit(site.URL(a.Path())))
		if released := c.Release(page); !a.Accepted(released) && released.Status != http.StatusSeeOther {
			t.Fatalf("released: %d\n%.600s", released.Status, released.Body)
		}
	}
	if who := a.Who(c, site); who != "julie" {
		t.Fatalf("approved, the application knows her as %q", who)
	}
}

// ruleOf is the rule that lets a user in on a client's device.
func (g *Gate) ruleOf(user string, c *Client) string {
	g.t.Helper()
	var rules []struct{ ID, User, Device, Author string }
	if err := json.Unmarshal([]byte(g.Must("rules", "--json")), &rules); err != nil {
		g.t.Fatal(err)
	}
	var newest string
	for _, r := range rules {
		if r.User == user && !strings.HasPrefix(r.Author, "import") && r.ID > newest {
			newest = r.ID
		}
	}
	if newest == "" {
		g.t.Fatalf("no rule for %s: %+v", user, rules)
	}
	return newest
}
