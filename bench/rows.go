package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"

// browser is what each request of a person's browser carries.
var browser = []string{
	"User-Agent: " + agent, "Accept: */*", "Accept-Language: fr-CA,fr;q=0.9,en;q=0.8", "Accept-Encoding: gzip, deflate, br",
	"Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty", "Sec-Fetch-Site: same-origin", "X-Forwarded-For: " + address,
}

// person is somebody with a browser: what its Cookie header is.
type person struct{ cookies string }

func (p person) headers() []string {
	return append(slices.Clone(browser), "Cookie: theme=dark; "+p.cookies)
}

// signIn signs somebody in through a gate on a new device.
func (b *bench) signIn(c *caddy, user string) (person, int, error) {
	jar := map[string]string{}
	var order []string
	status := 0
	ask := func(method, path string, form url.Values) error {
		r, err := http.NewRequestWithContext(b.ctx, method, "http://app.localhost"+path, strings.NewReader(form.Encode()))
		if err != nil {
			return err
		}
		for _, h := range browser {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Set(name, value)
		}
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		r.Header.Set("Sec-Fetch-Dest", "document")
		if form != nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		for _, name := range order {
			//nolint:gosec // a request's cookie has a name and a value only
			r.AddCookie(&http.Cookie{Name: name, Value: jar[name]})
		}
		answer, err := c.client().Do(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close() //nolint:errcheck // read below
		status = answer.StatusCode
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			return err
		}
		b.said = fmt.Sprintf("%s %s: %.300q", c.name, path, text)
		for _, cookie := range answer.Cookies() {
			if _, ok := jar[cookie.Name]; !ok {
				order = append(order, cookie.Name)
			}
			jar[cookie.Name] = cookie.Value
		}
		return nil
	}
	if err := ask(http.MethodGet, "/", nil); err != nil {
		return person{}, 0, err
	}
	if err := ask(http.MethodPost, "/login", url.Values{"user": {user}, "password": {"x"}}); err != nil {
		return person{}, 0, err
	}
	var pairs []string
	for _, name := range order {
		pairs = append(pairs, name+"="+jar[name])
	}
	return person{strings.Join(pairs, "; ")}, status, nil
}

// arrive signs Marie in, closes the padlock, and lets Julie wait.
func (b *bench) arrive(c *caddy) error {
	var status int
	var err error
	if b.known, status, err = b.signIn(c, "marie"); err != nil || status != http.StatusSeeOther {
		return fmt.Errorf("signing in with the padlock open, %s: %d %w", b.said, status, orNothing(err))
	}
	if _, status, err = b.signIn(c, "julie"); err != nil || status != http.StatusSeeOther {
		return fmt.Errorf("signing in with the padlock open, %s: %d %w", b.said, status, orNothing(err))
	}
	time.Sleep(2 * time.Second) // what was seen is written each second
	for _, name := range []string{"app", "header"} {
		if err := c.cadenas("padlock", "close", name, "--yes"); err != nil {
			return err
		}
	}
	if b.held, status, err = b.signIn(c, "julie"); err != nil || status != http.StatusForbidden {
		return fmt.Errorf("another device with the padlock closed: %d %w", status, orNothing(err))
	}
	return nil
}

func orNothing(err error) error {
	if err == nil {
		return errNothing
	}
	return err
}

// row is one line of the table.
type row struct {
	name string
	load load
	// bare is what bare Caddy is asked instead, where the same would have
	// another answer.
	bare *load
	// bars: the greatest ratio of processor, p50 and p99, and the least of
	// requests; 0 for none.
	requests, cpu, p50, p99 float64
}

const loginLua = `wrk.method = "POST"
wrk.path = "/login"
wrk.body = "user=marie&password=x"
wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
`

// agentsLua makes each request's user agent one that was never seen.
const agentsLua = `local n = 0
math.randomseed(os.time())
local salt = math.random(1000000)
request = function()
  n = n + 1
  wrk.headers["User-Agent"] = "Mozilla/5.0 (Thing " .. salt .. "; Device " .. n .. ") Engine/" .. n .. ".1 Unheard/" .. (n * 7) .. " Of/" .. salt
  return wrk.format()
end
`

// usersLua makes each request another person's.
const usersLua = `local n = 0
math.randomseed(os.time())
local salt = math.random(1000000000)
request = function()
  n = n + 1
  wrk.headers["Remote-User"] = "u" .. salt .. "-" .. n
  return wrk.format()
end
`

func (b *bench) table() []row {
	at := func(sockets int, h2 bool, headers []string, status byte) load {
		return load{h2: h2, sockets: sockets, host: "app.localhost", path: "/api/children?group=otters", headers: headers, status: status}
	}
	known := b.known.headers()
	login := load{sockets: 8, host: "app.localhost", path: "/login", headers: known, lua: loginLua, status: '3'}
	learn := load{sockets: 32, host: "learn.localhost", path: "/", headers: browser, lua: usersLua, status: '2'}
	unknown := load{sockets: 32, host: "header.localhost", path: "/", headers: append(slices.Clone(browser), "Remote-User: somebody"), status: '4'}
	page := append(b.held.headers(), "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
	page = slices.DeleteFunc(page, func(h string) bool { return h == "Sec-Fetch-Mode: cors" || h == "Sec-Fetch-Dest: empty" })
	pass := at(32, false, known, '2')
	return []row{
		{name: "known, HTTP/1.1, 32 sockets", load: pass, requests: 0.97, cpu: 1.03, p99: 1.10},
		{name: "known, HTTP/1.1, 1 socket", load: at(1, false, known, '2'), p50: 1.08},
		{name: "known, HTTP/2, 32 sockets", load: at(32, true, known, '2'), requests: 0.97, cpu: 1.03, p99: 1.10},
		{name: "known, HTTP/2, 1 socket", load: at(1, true, known, '2'), p50: 1.08},
		{name: "intercept, a script's request, 32 sockets", load: unknown, bare: &pass, cpu: 2.0},
		{name: "intercept, the waiting page, 32 sockets", load: at(32, false, page, '4'), bare: &pass, cpu: 2.0},
		{name: "login, HTTP/1.1, 8 sockets", load: login},
		{name: "learning, each request somebody new, 32 sockets", load: learn},
	}
}

// rows measures bare and gate by turns.
func (b *bench) rows() error {
	some := slices.ContainsFunc(b.table(), func(r row) bool { return b.wanted(r.name) })
	if !some {
		return nil
	}
	bare, err := b.start("bare", nil)
	if err != nil {
		return err
	}
	defer bare.stop()
	gate, err := b.start("gate", &settings{})
	if err != nil {
		return err
	}
	defer gate.stop()
	if err := b.arrive(gate); err != nil {
		return err
	}
	fmt.Printf("%d pairs of %s, bare Caddy and the gate by turns. Median of the ratios of the gate to bare Caddy before and after it (least to greatest), the same for bare Caddy itself.\n\n", b.pairs, b.time)
	fmt.Println(heads)
	for _, r := range b.table() {
		if !b.wanted(r.name) {
			continue
		}
		if err := b.measure(r, bare, gate); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	fmt.Println()
	return nil
}

func (b *bench) measure(r row, bare, gate *caddy) error {
	plain := r.load
	if r.bare != nil {
		plain = *r.bare
	}
	if err := b.turns(r, plain, []*caddy{bare}, []*caddy{gate}); err != nil {
		return err
	}
	return b.profiles(r, plain, bare, gate)
}

// fresh is after how many pairs all processes are started anew: the same program
// is up to a tenth faster or slower for as long as it runs, as its memory happens
// to lie.
const fresh = 3

// turns measures bare Caddys and gates by turns, and prints the row. Several of
// a kind are asked at the same time.
func (b *bench) turns(r row, plain load, bares, gates []*caddy) error {
	warm := func() error {
		if _, err := b.together(bares, plain, time.Second); err != nil {
			return err
		}
		_, err := b.together(gates, r.load, time.Second)
		return err
	}
	if err := warm(); err != nil {
		return err
	}
	for try := 0; ; try++ {
		var ones, twos []sample
		for i := range b.pairs {
			if i > 0 && i%fresh == 0 {
				for _, c := range slices.Concat(bares, gates) {
					if err := c.restart(); err != nil {
						return err
					}
				}
				if err := warm(); err != nil {
					return err
				}
			}
			one, err := b.together(bares, plain, b.time)
			if err != nil {
				return err
			}
			two, err := b.together(gates, r.load, b.time)
			if err != nil {
				return err
			}
			ones, twos = append(ones, one), append(twos, two)
		}
		last, err := b.together(bares, plain, b.time)
		if err != nil {
			return err
		}
		ones = append(ones, last)
		around := noise(ones, func(s sample) float64 { return s.requests })
		if !quiet(around) && try < b.retries {
			fmt.Fprintf(os.Stderr, "%s: bare against bare is %s: again\n", r.name, around)
			continue
		}
		print(r, ones, twos)
		return nil
	}
}

// together runs a load against several Caddys at once, its sockets shared among
// them: requests and memory are the sum, times those of the slowest.
func (b *bench) together(all []*caddy, l load, d time.Duration) (sum sample, err error) {
	if len(all) == 1 {
		return b.against(all[0], l, d)
	}
	l.sockets = max(1, l.sockets/len(all))
	samples, errs := make([]sample, len(all)), make([]error, len(all))
	var running sync.WaitGroup
	for i, c := range all {
		running.Go(func() { samples[i], errs[i] = b.against(c, l, d) })
	}
	running.Wait()
	for _, s := range samples {
		sum.requests += s.requests
		sum.cpu += s.cpu * s.requests
		sum.p50, sum.p99 = max(sum.p50, s.p50), max(sum.p99, s.p99)
		sum.rss += s.rss
	}
	sum.cpu /= max(sum.requests, 1)
	return sum, errors.Join(errs...)
}

const heads = "| what | requests/s | CPU a request | p50 | p99 | bare: req/s, CPU | noise: req/s, CPU | RSS over bare |\n|---|---|---|---|---|---|---|---|"
