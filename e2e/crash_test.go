package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/examples/demo/app"
)

// promises are what the gate has acknowledged: a crash may not take them
// back.
type promises struct {
	mu sync.Mutex
	// held are those who were told that they wait, with their devices.
	held map[string]*Client
	// tried are requests whose approval was asked for; approved those where
	// the command said that it was done.
	tried, approved map[string]bool
	// closed is what the other application's padlock was last said to be,
	// asked what it was last told to be.
	closed, asked bool
}

func (p *promises) do(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// attempt posts a login; the answer's status, 0 where there was none.
func attempt(c *Client, site Site, user, password string) int {
	form := url.Values{"username": {user}, "password": {password}}
	r := navigation(c.Request(http.MethodPost, site.URL("/login"), strings.NewReader(form.Encode())), "same-origin")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
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

// tell uses the admin API as the command line does, for a gate that may die
// meanwhile: the status is 0 where there was no answer.
func (g *Gate) tell(verb string, words map[string]string) (answer []byte, status int) {
	secret, err := os.ReadFile(filepath.Join(g.Data, "cadenas", "command-line.secret"))
	if err != nil {
		return nil, 0
	}
	body, err := json.Marshal(words)
	if err != nil {
		return nil, 0
	}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+g.Admin+"/cadenas/"+verb, bytes.NewReader(body))
	if err != nil {
		return nil, 0
	}
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(secret)))
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, 0
	}
	defer func() { _ = response.Body.Close() }()
	if answer, err = io.ReadAll(response.Body); err != nil {
		return nil, 0
	}
	return answer, response.StatusCode
}

// X12: kill -9 at any moment, under load, takes back nothing that was said:
// no request, no grant, no held answer, no padlock, no mail.
func TestCrash_NothingThatWasSaidIsTakenBack(t *testing.T) {
	t.Parallel()
	const rounds, perRound, password = 5, 3, "maple-window-17"
	var accounts []app.Account
	for i := range rounds * perRound {
		accounts = append(accounts, app.Account{User: fmt.Sprintf("person%02d", i), Name: fmt.Sprintf("Person %d", i), Password: password})
	}
	accounts = append(accounts, app.Account{User: "julie", Name: "Julie", Password: password})
	demo := &Demo{Options: app.Options{Accounts: accounts}}
	ca := NewAuthority(t)
	site := NewSite(t, "app.localhost")
	g := &Gate{App: demo, Name: "attendance", Site: site, Console: site.As("console.localhost"), Mail: StartMail(t, ca), Backend: demo.Start(t)}
	text := g.Text(GateOptions{Site: "padlock closed"}) + fmt.Sprintf("%s {\ncadenas other {\nidentity header X-Who\n}\nrespond ok\n}\n", site.As("other.localhost"))
	g.Caddy = StartCaddy(t, text, Trusting(ca))
	g.Must("rules", "add", "--user", "julie", "--app", "attendance", "--effect", "allow")
	julie := NewClient(t)
	if status := attempt(julie, site, "julie", password); status != http.StatusSeeOther {
		t.Fatalf("Julie: %d", status)
	}
	g.Mail.Close() // mails wait in the outbox until the end
	p := &promises{held: map[string]*Client{}, tried: map[string]bool{}, approved: map[string]bool{}}
	clients := make([]*Client, rounds*perRound)
	for i := range clients {
		clients[i] = NewClient(t)
	}

	// A browser whose sign-in the crash cut in two is told nothing for a minute:
	// none that waits may be among those.
	stranger := NewClient(t)

	seed := uint64(time.Now().UnixNano()) //nolint:gosec // any number
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // moments, not secrets
	for round := range rounds {
		ctx, stop := context.WithCancel(t.Context())
		before := len(p.held)
		var load sync.WaitGroup
		load.Go(func() { // people sign in, rightly and wrongly
			for i := round * perRound; i < (round+1)*perRound && ctx.Err() == nil; i++ {
				user := accounts[i].User
				attempt(clients[i], site, user, "wrong")
				if attempt(clients[i], site, user, password) == http.StatusForbidden {
					p.do(func() { p.held[user] = clients[i] })
				}
			}
			for ctx.Err() == nil {
				attempt(stranger, site, "nobody", "wrong")
			}
		})
		load.Go(func() { // an admin approves every other one
			for ctx.Err() == nil {
				var waiting []Request
				if said, status := g.tell("requests", nil); status != http.StatusOK || json.Unmarshal(said, &waiting) != nil {
					continue
				}
				for _, w := range waiting {
					if user := w.Person.User; user[len(user)-1]%2 == 0 && ctx.Err() == nil {
						p.do(func() { p.tried[user] = true })
						if _, status := g.tell("approve", map[string]string{"id": w.ID}); status == http.StatusOK {
							p.do(func() { p.approved[user] = true })
						}
					}
				}
			}
		})
		load.Go(func() { // another turns the other padlock
			for closing := !p.closed; ctx.Err() == nil; closing = !closing {
				p.do(func() { p.asked = closing })
				args := []string{"padlock", "open", "other"}
				if closing {
					args = []string{"padlock", "close", "other", "--yes"}
				}
				if g.Cadenas(args...).Exit == 0 {
					p.do(func() { p.closed = closing })
				}
			}
		})
		load.Go(func() { // and Julie works
			for ctx.Err() == nil {
				r := julie.Request("GET", site.URL("/api/me"), nil)
				if response, err := julie.Try(r); err == nil {
					_ = response.Body.Close()
				}
			}
		})
		Eventually(t, func() (err error) { // somebody waits, and things are under way
			p.do(func() { err = whether(len(p.held) > before, "nobody waits") })
			return err
		})
		moment := time.NewTimer(time.Duration(chance.IntN(600)) * time.Millisecond)
		<-moment.C
		stop() // nothing new begins; what was begun is cut in its midst
		g.Kill()
		load.Wait()
		g.Start()

		waiting := map[string]bool{}
		for _, r := range g.Requests() {
			waiting[r.Person.User] = true
		}
		p.do(func() {
			for user := range p.held {
				if !waiting[user] && !p.tried[user] {
					t.Errorf("round %d: %s was told to wait, and no request waits", round, user)
				}
			}
			for user := range p.approved {
				if waiting[user] {
					t.Errorf("round %d: %s was approved, and waits again", round, user)
				}
			}
			closed := strings.Contains(strings.ToLower(g.Must("padlock", "--json", "--app", "other")), `"closed": true`)
			if closed != p.closed && closed != p.asked {
				t.Errorf("round %d: the padlock is closed %v, was said to be %v", round, closed, p.closed)
			}
			p.closed = closed
		})
		if who := demo.Who(julie, site); who != "julie" {
			t.Errorf("round %d: the application knows Julie as %q", round, who)
		}
	}
	if len(p.held) < rounds || len(p.approved) < 2 {
		t.Fatalf("%d waited, %d were approved: the test tests nothing", len(p.held), len(p.approved))
	}

	// Who was approved takes the answer that was held across the crashes.
	for user := range p.approved {
		c := p.held[user]
		if c == nil {
			continue // the answer to the sign-in itself was lost
		}
		if page := c.Waiting(c.Visit(site.URL("/"))); strings.Contains(page.Text(), "data-open") {
			c.Release(page)
		}
		if who := demo.Who(c, site); who != user {
			t.Errorf("%s was approved, and the application knows %q", user, who)
		}
	}
	// Nothing is half-written: every approval that the activity tells of has
	// its rule, and everything can be read.
	var rules []struct{ ID string }
	if err := json.Unmarshal([]byte(g.Must("rules", "--json")), &rules); err != nil {
		t.Fatal(err)
	}
	has := map[string]bool{}
	for _, r := range rules {
		has[r.ID] = true
	}
	approvals := 0
	for _, e := range g.entries() {
		if e.What == "approve" {
			approvals++
			if !has[e.Detail["rule"]] {
				t.Errorf("an approval without its rule: %+v", e)
			}
		}
	}
	if approvals < len(p.approved) {
		t.Errorf("%d approvals are written down, %d were made", approvals, len(p.approved))
	}
	g.Must("backup", t.TempDir()+"/backup")
	g.Must("connections", "--days", "0")

	// The mails about those who still wait go out, once there is a server.
	g.Mail.Open()
	left := g.Requests()
	missing := func() (users []string) {
		for _, r := range left {
			if !slices.ContainsFunc(g.Mail.Mails(), func(m *Mail) bool {
				return m.To[0] == "paul@example.com" && strings.Contains(m.Text, r.Person.User)
			}) {
				users = append(users, r.Person.User)
			}
		}
		return users
	}
	Eventually(t, func() error {
		users := missing()
		return whether(len(users) == 0, fmt.Sprintf("no mail about %v", users))
	})
}

// X12: a reload drops no request, whatever is under way; a configuration can
// be validated beside the running server.
func TestCrash_AReloadDropsNoRequest(t *testing.T) {
	t.Parallel()
	slow := http.NewServeMux()
	slow.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			select {
			case <-time.After(300 * time.Millisecond): // a backend that takes its time
			case <-r.Context().Done():
				return
			}
		}
		_, _ = io.WriteString(w, protected)
	})
	backend := record(t, slow)
	site := NewSite(t, "app.localhost")
	g := &Gate{Name: "known", Site: site}
	text := func(n int) string {
		return fmt.Sprintf("{\nauto_https off\ngrace_period 10s\ncadenas {\nplace \"Place %d\" 198.51.100.%d\n}\n}\n%s {\nheader X-Round %d\ncadenas known {\nlogin /login {\nuser user\nsuccess status 303\n}\nidentity header X-Who\n}\nreverse_proxy %s\n}\n",
			n, n+1, site, n, backend.Address)
	}
	g.Caddy = StartCaddy(t, text(0))
	g.Must("rules", "add", "--user", "julie", "--app", "known", "--effect", "allow")
	g.Must("padlock", "close", "known", "--yes", "--json")

	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	var mu sync.Mutex
	answered := map[string]int{}
	for i := range 8 {
		load.Go(func() {
			c := NewClient(t)
			c.Header.Set("X-Who", "julie")
			for n := 0; ctx.Err() == nil; n++ {
				path := "/"
				if i%2 == 0 {
					path = "/slow"
				}
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, site.URL(path), nil)
				if err != nil {
					t.Error(err)
					return
				}
				r.Close = i%4 == 0 // connections of its own, and ones that are kept
				response, err := c.Try(r)
				if err != nil {
					t.Errorf("a request was dropped: %v", err)
					return
				}
				body, err := io.ReadAll(response.Body)
				_ = response.Body.Close()
				if err != nil || response.StatusCode != http.StatusOK || string(body) != protected {
					t.Errorf("a request was answered %d, %v: %.200s", response.StatusCode, err, body)
					return
				}
				mu.Lock()
				answered[response.Header.Get("X-Round")]++
				mu.Unlock()
			}
		})
	}
	for n := 1; n <= 3; n++ {
		g.Reload(text(n))
		if r := g.Run("validate", "--config", g.file, "--adapter", "caddyfile"); r.Exit != 0 {
			t.Errorf("validating beside the running server: %s", r.Stderr)
		}
		Eventually(t, func() error {
			mu.Lock()
			defer mu.Unlock()
			return whether(answered[fmt.Sprint(n)] > 10, fmt.Sprintf("round %d answers nothing: %v", n, answered))
		})
	}
	stop()
	load.Wait()
	if !strings.Contains(strings.ToLower(g.Must("padlock", "--json")), `"closed": true`) || !strings.Contains(g.Must("rules", "--json"), "julie") {
		t.Error("the reloads lost something")
	}
}

// SIGTERM ends in time although streams are open: ours at once, those of the
// backend within the grace.
func TestCrash_SIGTERMEndsInTimeWithOpenStreams(t *testing.T) {
	t.Run("our own", func(t *testing.T) {
		g := StartGate(t, &Demo{}, GateOptions{NoMail: true, Site: "padlock closed"})
		c, _, _ := g.wait("julie", Accounts[1].Password)
		paul := NewClient(t)
		g.enter(paul, "paul@example.com")
		for what, stream := range map[string]*http.Response{
			"the waiting page's": c.Send(eventsOf(c, g.Console.URL("/.cadenas/wait/events"))), //nolint:bodyclose // closed below
			"the console's":      paul.Send(eventsOf(paul, g.Console.URL("/events"))),         //nolint:bodyclose // closed below
		} {
			defer func() { _ = stream.Body.Close() }()
			if kind := stream.Header.Get("Content-Type"); stream.StatusCode != http.StatusOK || !strings.HasPrefix(kind, "text/event-stream") {
				t.Fatalf("%s events: %d %s", what, stream.StatusCode, kind)
			}
			if _, err := stream.Body.Read(make([]byte, 1)); err != nil {
				t.Fatalf("%s events: %v", what, err)
			}
		}
		began := time.Now()
		g.Stop()
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("stopping took %s", took)
		}
	})
	t.Run("the backend's", func(t *testing.T) {
		g := StartGate(t, &Demo{}, GateOptions{NoMail: true})
		c := NewClient(t)
		g.App.SignIn(c, g.Site, "julie", Accounts[1].Password)
		streams := stream(t, g.App, c, g.Site)
		began := time.Now()
		g.Stop()
		if took := time.Since(began); took > 8*time.Second { // grace_period is 5s
			t.Errorf("stopping took %s", took)
		}
		streams.cut(t, "stopped", time.Now())
	})
}

// eventsOf asks for an event stream as a page of the same site does.
func eventsOf(c *Client, address string) *http.Request {
	r := c.Request(http.MethodGet, address, nil)
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Sec-Fetch-Mode", "cors")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Sec-Fetch-Dest", "empty")
	return r
}
