package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/examples/demo/app"
)

// doorman is a backend whose login says yes where the header X-Answer does,
// whatever the body: what matters is which bytes reach it. Who has the
// session that it set gets the content.
type doorman struct {
	*recorder
	mu   sync.Mutex
	open map[string]bool
	next int
	// hold makes a login wait until it is closed, where it is set.
	hold chan struct{}
	// came is sent to when a login has come.
	came chan struct{}
}

func newDoorman(t testing.TB) *doorman {
	d := &doorman{open: map[string]bool{}, came: make(chan struct{}, 100)}
	d.recorder = record(t, d)
	return d
}

func (d *doorman) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	carried := ""
	if c, err := r.Cookie("sid"); err == nil {
		carried = c.Value
	}
	switch {
	case r.URL.Path != "/login":
		if d.open[carried] {
			_, _ = io.WriteString(w, protected)
			return
		}
		http.Redirect(w, r, "/login", http.StatusFound)
	case r.Method == http.MethodGet:
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: d.value(), Path: "/", HttpOnly: true})
		_, _ = io.WriteString(w, `<form method=post><input type="password"></form>`)
	case r.Header.Get("X-Answer") == "yes":
		if hold := d.hold; hold != nil {
			d.came <- struct{}{}
			d.mu.Unlock()
			<-hold
			d.mu.Lock()
		}
		value := d.value()
		if r.Header.Get("X-Keep") != "" {
			value = carried
		} else {
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: value, Path: "/", HttpOnly: true})
		}
		d.open[value] = true
		http.Redirect(w, r, "/", http.StatusSeeOther)
	default:
		w.WriteHeader(http.StatusUnauthorized)
	}
}

// value is a new session's; the caller holds mu.
func (d *doorman) value() string {
	d.next++
	return fmt.Sprintf("session%d", d.next)
}

// packed is text as gzip.
func packed(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	return b.String()
}

// parts is a multipart form with a fixed boundary.
func parts(fields ...[2]string) (kind, body string) {
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	_ = m.SetBoundary("----boundaryXYZ")
	for _, f := range fields {
		_ = m.WriteField(f[0], f[1])
	}
	_ = m.Close()
	return m.FormDataContentType(), b.String()
}

// chunked is a body in chunks of odd sizes.
func chunked(body string) string {
	var b strings.Builder
	for n := 1; body != ""; n = n*3 + 1 {
		n = min(n, len(body))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	return b.String() + "0\r\n\r\n"
}

// L26, and the transparency of a login: whatever the encoding, the body
// reaches the backend byte for byte, with the padlock open and closed, and
// the user is learnt.
func TestThreat_L26_ALoginReachesTheBackendByteForByte(t *testing.T) {
	t.Parallel()
	const form = "application/x-www-form-urlencoded"
	multi, multipartBody := parts([2]string{"user", "julieNN"}, [2]string{"password", "maple & window=17%"}, [2]string{"empty", ""})
	long := strings.Repeat("x", 200_000)
	cases := []struct {
		what, kind, body, user string
		pack, chunks, expect   bool
	}{
		{what: "a form", kind: form, body: "user=julieNN&password=maple+window%2b17", user: "julieNN"},
		{what: "a form in odd escapes", kind: form, body: "user=%6A%75lieNN&password=%zz%&x&=&&;a=b", user: "julieNN"},
		{what: "a form with a charset", kind: form + "; charset=ISO-8859-1", body: "user=Ren%E9NN&password=%E9", user: "RenéNN"},
		{what: "a form in Latin-1 that says nothing", kind: form, body: "user=Ren%E9NN&password=%E9", user: "RenéNN"},
		{what: "a form in raw bytes", kind: form, body: "user=Ren\xc3\xa9NN&password=\x01\x02\xff", user: "RenéNN"},
		{what: "a form in Shift JIS", kind: form + "; charset=Shift_JIS", body: "user=%8E%52NN&password=x", user: "山NN"},
		{what: "a multipart form", kind: multi, body: multipartBody, user: "julieNN"},
		{what: "a multipart form with a preamble", kind: multi, body: "preamble\r\n" + multipartBody + "epilogue", user: "julieNN"},
		{what: "JSON", kind: "application/json", body: `{"user":"julieNN","password":"maple\u0020window","deep":{"a":[1,2,{"b":null}]}}`, user: "julieNN"},
		{what: "JSON with spaces", kind: "application/json; charset=utf-8", body: " {\n\t\"user\" : \"\\u006aulieNN\" , \"password\" : \"x\" }\n", user: "julieNN"},
		{what: "JSON of a vendor", kind: "application/vnd.api+json", body: `{"user":"julieNN","password":"x"}`, user: "julieNN"},
		{what: "in chunks", kind: form, body: "user=julieNN&password=maple-window-17", user: "julieNN", chunks: true},
		{what: "packed by gzip", kind: form, body: "user=julieNN&password=x", pack: true, user: "julieNN"},
		{what: "packed, in chunks", kind: "application/json", body: `{"user":"julieNN"}`, pack: true, user: "julieNN", chunks: true},
		{what: "after 100-continue", kind: form, body: "user=julieNN&password=x", user: "julieNN", expect: true},
		{what: "after 100-continue, in chunks", kind: form, body: "user=julieNN&password=x", user: "julieNN", expect: true, chunks: true},
		{what: "a long one", kind: form, body: "user=julieNN&password=" + long, user: "julieNN"},
		{what: "a long one, in chunks", kind: form, body: "user=julieNN&password=" + long, user: "julieNN", chunks: true},
	}
	for _, padlock := range []string{"open", "closed"} {
		t.Run("padlock "+padlock, func(t *testing.T) {
			backend := newDoorman(t)
			site := NewSite(t, "app.localhost")
			g := &Gate{Name: "attendance", Site: site}
			g.Caddy = StartCaddy(t, fmt.Sprintf("{\nauto_https off\n}\n%s {\ncadenas attendance {\nlogin /login {\nuser user\n}\npadlock %s\n}\nreverse_proxy %s\n}\n", site, padlock, backend.Address))
			var learnt []string
			for i, x := range cases {
				// Another user each time: nobody waits twice.
				number := strings.NewReplacer("NN", fmt.Sprintf("%02d", i))
				x.body, x.user = number.Replace(x.body), number.Replace(x.user)
				if x.pack {
					x.body = packed(x.body)
				}
				c := NewClient(t)
				c.Visit(site.URL("/login"))
				backend.take()
				head := []string{"Content-Type: " + x.kind, "X-Answer: yes", "User-Agent: " + ChromeLinux, "Cookie: " + cookieLine(c, site), "Connection: close"}
				if x.pack {
					head = append(head, "Content-Encoding: gzip")
				}
				sent := x.body
				if x.chunks {
					head, sent = append(head, "Transfer-Encoding: chunked"), chunked(x.body)
				} else {
					head = append(head, fmt.Sprintf("Content-Length: %d", len(x.body)))
				}
				a := post(t, site, head, sent, x.expect)
				want := http.StatusSeeOther
				if padlock == "closed" {
					want = http.StatusForbidden
				}
				if a == nil || a.Status != want {
					t.Errorf("%s: %+v", x.what, a)
				}
				seen := backend.take()
				if len(seen) != 1 {
					t.Errorf("%s: %d requests at the backend", x.what, len(seen))
					continue
				}
				got := seen[0]
				if string(got.Body) != x.body {
					t.Errorf("%s: %d bytes came, not the %d sent", x.what, len(got.Body), len(x.body))
				}
				if got.Header.Get("Content-Type") != x.kind || (x.chunks != (len(got.Encoding) > 0)) || (!x.chunks && got.Length != int64(len(x.body))) {
					t.Errorf("%s: came as %q, %d, %v", x.what, got.Header.Get("Content-Type"), got.Length, got.Encoding)
				}
				if x.pack && got.Header.Get("Content-Encoding") != "gzip" {
					t.Errorf("%s: came without its encoding", x.what)
				}
				learnt = append(learnt, x.user)
			}
			waiting := map[string]bool{}
			for _, r := range g.Requests() {
				waiting[r.Person.User] = true
			}
			if padlock == "open" {
				Eventually(t, func() error {
					waiting = g.users()
					return whether(len(waiting) == len(learnt), fmt.Sprintf("%d of %d were learnt", len(waiting), len(learnt)))
				})
			}
			for i, user := range learnt {
				if !waiting[user] {
					t.Errorf("%s: %s is not known", cases[i].what, user)
				}
			}
		})
	}
}

// users are those of whom the gate has a connection.
func (g *Gate) users() map[string]bool {
	g.t.Helper()
	var connections []struct{ User string }
	if err := json.Unmarshal([]byte(g.Must("connections", "--json", "--days", "0")), &connections); err != nil {
		g.t.Fatal(err)
	}
	all := map[string]bool{}
	for _, c := range connections {
		all[c.User] = true
	}
	return all
}

// post sends a login as it stands; with expect, the body comes only after
// 100 Continue.
func post(t *testing.T, site Site, head []string, body string, expect bool) *Answer {
	t.Helper()
	socket, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", site.Port), patience)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	_ = socket.SetDeadline(time.Now().Add(patience))
	from := bufio.NewReader(socket)
	if expect {
		head = append(head, "Expect: 100-continue")
	}
	text := say("POST /login HTTP/1.1", site.host(), head...)
	if _, err := io.WriteString(socket, text); err != nil {
		t.Fatal(err)
	}
	if expect {
		line, err := from.ReadString('\n')
		if err != nil || !strings.Contains(line, "100") {
			t.Fatalf("no 100 Continue: %q, %v", line, err)
		}
		_, _ = from.ReadString('\n')
	}
	if _, err := io.WriteString(socket, body); err != nil {
		t.Fatal(err)
	}
	a, _, err := hear(t, from, text)
	if err != nil {
		return nil
	}
	return a
}

// L26: what cannot be read is no login to the gate. With the padlock open it
// passes byte for byte; closed it is refused, and never reaches the backend.
func TestThreat_L26_AnUnreadableLoginPassesOpenAndIsRefusedClosed(t *testing.T) {
	t.Parallel()
	huge := "user=julie&password=" + strings.Repeat("x", 1<<20)
	multi, multipartBody := parts([2]string{"user", "julie"})
	cases := []struct {
		what, kind, body string
		headers          []string
		status           int // closed
	}{
		{"longer than the limit", "application/x-www-form-urlencoded", huge, nil, 413},
		{"plain text", "text/plain", "user=julie", nil, 415},
		{"XML", "application/xml", "<user>julie</user>", nil, 415},
		{"of no kind", "", "user=julie", nil, 415},
		{"of a broken kind", "application/;;", "user=julie", nil, 415},
		{"broken JSON", "application/json", `{"user":"julie"`, nil, 415},
		{"two documents", "application/json", `{"user":"julie"}{"user":"marie"}`, nil, 415},
		{"a broken multipart form", multi, multipartBody[:len(multipartBody)-20], nil, 415},
		{"multipart without a boundary", "multipart/form-data", multipartBody, nil, 415},
		{"packed by what is not read", "application/x-www-form-urlencoded", "user=julie", []string{"Content-Encoding: br"}, 415},
		{"badly packed", "application/x-www-form-urlencoded", "user=julie", []string{"Content-Encoding: gzip"}, 415},
		{"packed twice", "application/x-www-form-urlencoded", packed(packed("user=julie")), []string{"Content-Encoding: gzip, gzip"}, 415},
		{"packed into a bomb", "application/x-www-form-urlencoded", packed(huge), []string{"Content-Encoding: gzip"}, 413},
		{"of two kinds", "application/x-www-form-urlencoded", "user=julie", []string{"Content-Type: application/json"}, 415},
		{"with an unknown charset", "application/x-www-form-urlencoded; charset=x-nonsense", "user=julie%e9", nil, 415},
		{"with two users", "application/x-www-form-urlencoded", "user=julie&user=marie&password=x", nil, 415},
		{"with two users in JSON", "application/json", `{"user":"julie","user":"marie"}`, nil, 415},
	}
	for _, padlock := range []string{"open", "closed"} {
		t.Run("padlock "+padlock, func(t *testing.T) {
			backend := newDoorman(t)
			site := NewSite(t, "app.localhost")
			g := &Gate{Name: "attendance", Site: site}
			g.Caddy = StartCaddy(t, fmt.Sprintf("{\nauto_https off\n}\n%s {\ncadenas attendance {\nlogin /login {\nuser user\n}\npadlock %s\n}\nreverse_proxy %s\n}\n", site, padlock, backend.Address))
			for _, x := range cases {
				for _, chunks := range []bool{false, true} {
					head := append([]string{"X-Answer: yes", "User-Agent: " + ChromeLinux, "Connection: close"}, x.headers...)
					if x.kind != "" {
						head = append([]string{"Content-Type: " + x.kind}, head...)
					}
					sent := x.body
					if chunks {
						head, sent = append(head, "Transfer-Encoding: chunked"), chunked(x.body)
					} else {
						head = append(head, fmt.Sprintf("Content-Length: %d", len(x.body)))
					}
					a := post(t, site, head, sent, false)
					seen := backend.take()
					if padlock == "closed" {
						if a != nil && a.Status != x.status || len(seen) > 0 {
							t.Errorf("%s, chunks %v: %d, %d at the backend", x.what, chunks, a.Status, len(seen))
						}
						continue
					}
					if a == nil || a.Status != http.StatusSeeOther || len(seen) != 1 || string(seen[0].Body) != x.body {
						t.Errorf("%s, chunks %v: %v, %d at the backend", x.what, chunks, a, len(seen))
					}
				}
			}
			if waiting := g.Requests(); len(waiting) > 0 || g.knows("julie") || g.knows("marie") {
				t.Errorf("a login that cannot be read taught something: %+v", waiting)
			}
		})
	}
}

// L26: whoever hangs up in the middle of a login leaves no session behind
// that is signed in.
func TestThreat_L26_AnAbortedLoginLeavesNobodySignedIn(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{false, true} {
		t.Run(fmt.Sprintf("keeps its session %v", keep), func(t *testing.T) {
			backend := newDoorman(t)
			backend.hold = make(chan struct{})
			site := NewSite(t, "app.localhost")
			g := &Gate{Name: "attendance", Site: site}
			g.Caddy = StartCaddy(t, fmt.Sprintf("{\nauto_https off\n}\n%s {\ncadenas attendance {\nlogin /login {\nuser user\nsuccess status 303\n}\npadlock closed\n}\nreverse_proxy %s\n}\n", site, backend.Address))
			g.Must("rules", "add", "--user", "julie", "--app", "attendance", "--effect", "allow")
			c := NewClient(t)
			c.Visit(site.URL("/login"))
			head := []string{"Content-Type: application/x-www-form-urlencoded", "X-Answer: yes", "User-Agent: " + ChromeLinux, "Cookie: " + cookieLine(c, site), "Content-Length: 10"}
			if keep {
				head = append(head, "X-Keep: 1")
			}
			socket, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", site.Port), patience)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(socket, say("POST /login HTTP/1.1", site.host(), head...)+"user=julie"); err != nil {
				t.Fatal(err)
			}
			select {
			case <-backend.came:
			case <-time.After(patience):
				t.Fatal("the login never came")
			}
			_ = socket.Close()
			// Meanwhile, and afterwards, the session is nobody's.
			ask := func() *Answer { return c.Visit(site.URL("/")) }
			meanwhile := make(chan *Answer)
			go func() { meanwhile <- ask() }()
			close(backend.hold)
			for _, a := range []*Answer{<-meanwhile, ask()} {
				if strings.Contains(a.Text(), protected) {
					t.Errorf("signed in: %d", a.Status)
				}
			}
			Eventually(t, func() error { // the login is judged in its own time
				backend.mu.Lock()
				defer backend.mu.Unlock()
				return whether(len(backend.open) == 1, "the backend has not signed in")
			})
			for range 3 {
				if a := ask(); strings.Contains(a.Text(), protected) {
					t.Errorf("afterwards signed in: %d", a.Status)
				}
			}
			// A second try, not aborted, goes well.
			c.Visit(site.URL("/login"))
			r := c.Request("POST", site.URL("/login"), strings.NewReader("user=julie"))
			r.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "X-Answer": {"yes"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}, "Accept": {"text/html"}}
			if a := c.Do(r); a.Status != http.StatusSeeOther {
				t.Errorf("a second try: %d %.300s", a.Status, a.Body)
			}
			if a := ask(); !strings.Contains(a.Text(), protected) {
				t.Errorf("after a second try: %d", a.Status)
			}
		})
	}
}

// L26: a password is nowhere: not in the log, however much it says, not in
// the store, a mail, a page, an export or a backup.
func TestThreat_L26_APasswordIsNowhere(t *testing.T) {
	t.Parallel()
	const right, wrong, typo = "correct-horse-7f3a91", "battery-staple-5c20de", "unreadable-secret-88be12"
	demo := &Demo{Options: app.Options{Accounts: []app.Account{{User: "julie", Name: "Julie", Password: right}, {User: "marie", Name: "Marie", Password: right}}}}
	g := StartGate(t, demo, GateOptions{Global: "debug\nlog {\nlevel DEBUG\n}\nlog requests {\nlevel DEBUG\n}\nservers {\ntrace\n}"})
	site := g.Site
	post := func(c *Client, kind, body string) *Answer {
		r := c.Request("POST", site.URL("/login"), strings.NewReader(body))
		r.Header = http.Header{"Content-Type": {kind}, "Accept": {"text/html"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}}
		return c.Do(r)
	}
	for _, closed := range []bool{false, true} {
		if closed {
			g.ClosePadlock()
		}
		for _, password := range []string{wrong, right} {
			for _, user := range []string{"julie", "marie", "nobody"} {
				c := NewClient(t)
				demo.SignIn(c, site, user, password)
				c.Visit(site.URL("/"))
				multi, body := parts([2]string{"username", user}, [2]string{"password", password})
				post(NewClient(t), multi, body)
				post(NewClient(t), "application/json", fmt.Sprintf(`{"username":%q,"password":%q}`, user, password))
			}
		}
		c := NewClient(t)
		post(c, "text/plain", typo)
		post(c, "application/json", `{"username":"julie","password":"`+typo)
		post(c, "application/x-www-form-urlencoded", "username=julie&username=marie&password="+typo)
		post(c, "application/x-www-form-urlencoded", "username=julie&password="+typo+strings.Repeat("x", 1<<20))
		post(c, "application/x-www-form-urlencoded", "username=device:x&password="+typo)
	}
	g.Mail.Await(t, "a mail", func(*Mail) bool { return true }, 0)
	for _, r := range g.Requests() {
		g.Must("approve", r.ID)
	}
	paul := NewClient(t)
	g.enter(paul, "paul@example.com")
	texts := map[string]string{
		"the requests": g.Must("requests", "--json"), "the activity": g.Must("activity", "--json", "--limit", "1000"), "the connections": g.Must("connections", "--json"),
	}
	for _, path := range []string{"/requests", "/connections", "/activity", "/messages", "/people", "/settings"} {
		texts["the console's "+path] = paul.Visit(g.Console.URL(path)).Text()
	}
	for _, verb := range []string{"backup", "export"} {
		file := filepath.Join(t.TempDir(), verb)
		g.Must(verb, file)
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts["the "+verb] = string(content)
	}
	for i, mail := range g.Mail.Mails() {
		texts[fmt.Sprintf("mail %d", i)] = string(mail.Raw) + mail.Text + mail.HTML
	}
	g.Stop() // what was in memory is written
	texts["the log"] = g.Log.Text()
	err := filepath.WalkDir(g.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		texts[path] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(texts) < 15 || !strings.Contains(texts["the log"], `"level":"debug"`) {
		t.Fatalf("%d texts searched: the test tests nothing", len(texts))
	}
	for where, text := range texts {
		for _, password := range []string{right, wrong, typo} {
			for _, form := range []string{password, url.QueryEscape(password), base64.StdEncoding.EncodeToString([]byte(password)), base64.RawURLEncoding.EncodeToString([]byte(password)), fmt.Sprintf("%x", password)} {
				if i := strings.Index(text, form); i >= 0 {
					t.Errorf("a password is in %s: %.200q", where, text[max(0, i-100):])
				}
			}
		}
	}
}
