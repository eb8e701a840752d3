package adminui_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	adminui "github.com/cadenas-gateway/cadenas/admin-ui"
	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/biopass"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

const host = "https://gate.example.com"

// house is a console with all that it stands on, and a clock one can turn.
type house struct {
	t       *testing.T
	st      store.Store
	books   *books.Books
	gate    *gate.Gate
	asks    *approvals.Service
	console *adminui.Console
	log     *strings.Builder

	mu     sync.Mutex
	now    time.Time
	admins []books.Admin
	mails  []mail
	ring   *seal.Ring
	typing *biopass.Service
}

type mail struct {
	to  string
	url string
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// build makes a house whose admins are given; none is none.
func build(t *testing.T, admins ...books.Admin) *house {
	t.Helper()
	return buildOn(t, memory.New(), admins...)
}

// buildOn is build on a store that may hold something.
func buildOn(t *testing.T, st store.Store, admins ...books.Admin) *house {
	t.Helper()
	return buildWith(t, st, nil, admins...)
}

// buildWith is buildOn with channels that admins are told over.
func buildWith(t *testing.T, st store.Store, channels []approvals.Notifier, admins ...books.Admin) *house {
	t.Helper()
	h := &house{t: t, st: st, books: books.New(st), admins: admins, log: &strings.Builder{}, now: time.Now()}
	log := slog.New(slog.NewTextHandler(h.log, nil))
	h.gate = gate.New(h.books, gate.Options{Clock: h.clock, Log: log})
	for id := range fixture.Applications {
		h.gate.Configure(gate.Application{Name: id})
	}
	ring, err := seal.NewRing(map[byte][]byte{1: seal.NewKey()}, 1)
	if err != nil {
		t.Fatal(err)
	}
	h.ring = ring
	all := func() []books.Admin {
		stored, err := h.books.Admins.All(context.Background())
		if err != nil {
			t.Error(err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		return append(stored, h.admins...)
	}
	name := func(id string) string { return fixture.Applications[id] }
	h.asks = approvals.New(approvals.Config{
		Books: h.books, Ring: func() *seal.Ring { return ring }, Admins: all, Applications: h.gate.Applications,
		Application: func(id string) approvals.Application { return approvals.Application{Name: name(id)} },
		Console:     host, Clock: h.clock, Log: log, Notifiers: channels,
		Judge: func(ctx context.Context, v access.Visit) (access.Verdict, error) {
			h.gate.Forget(v.Application, v.User)
			return h.gate.Explain(ctx, v, gate.Circumstance{})
		},
	})
	if h.typing, err = fixture.Typing(h.books, ring, h.clock, log, biopass.Policy{}); err != nil {
		t.Fatal(err)
	}
	link := func(ctx context.Context, app, user, by, via string) (string, time.Time, error) {
		token, until, err := h.typing.MakeLink(ctx, app, user, by, via)
		return "https://" + app + ".example.com" + biopass.LinkPath + "?k=" + token, until, err
	}
	h.console, err = adminui.New(adminui.Deps{
		Biopass: &adminui.Biopass{Service: h.typing, Link: link},
		Books:   h.books, Gate: h.gate, Approvals: h.asks, Admins: all, URL: host,
		SendLink: func(_ context.Context, a books.Admin, url string) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.mails = append(h.mails, mail{a.Email, url})
			return nil
		},
		Ring: func() *seal.Ring { return ring }, ApplicationName: name, Clock: h.clock, Log: log,
		Settings: fixture.Settings, Recognise: fixture.Recognise(),
		Teaching: fixture.Teaching(h.books, func() *seal.Ring { return ring }, h.clock, log),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() && h.log.Len() > 0 {
			t.Log(h.log.String())
		}
	})
	return h
}

// browser keeps cookies, follows nothing, and posts as a page of the console
// does.
type browser struct {
	h       *house
	cookies map[string]string
	// token is that of the last page with a form.
	token string
}

func (h *house) browser() *browser { return &browser{h: h, cookies: map[string]string{}} }

// answer is what came back.
type answer struct {
	*http.Response
	body string
}

func (b *browser) send(r *http.Request) answer {
	b.h.t.Helper()
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	b.h.console.ServeHTTP(w, r)
	res := w.Result()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.h.t.Fatal(err)
	}
	for _, c := range res.Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	if m := formToken.FindStringSubmatch(string(body)); m != nil {
		b.token = m[1] + m[2]
	}
	return answer{res, strings.ReplaceAll(string(body), "\u00a0", " ")}
}

var formToken = regexp.MustCompile(`name="token" value="([^"]+)"|/sign-out\?token=([\w-]+)`)

// get asks for a page as a click in the console does.
func (b *browser) get(path string) answer {
	b.h.t.Helper()
	r := httptest.NewRequest(http.MethodGet, host+path, nil)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Accept-Language", "en")
	return b.send(r)
}

// post sends a form as a page of the console does, token and all.
func (b *browser) post(path string, pairs ...string) answer {
	b.h.t.Helper()
	r := form(path, b.token, pairs...)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", host)
	return b.send(r)
}

func form(path, token string, pairs ...string) *http.Request {
	values := url.Values{}
	if token != "" {
		values.Set("token", token)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, host+path, strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept-Language", "en")
	return r
}

// signIn signs a browser in by a link of the command line.
func (h *house) signIn(email string) *browser {
	h.t.Helper()
	link, err := h.console.Link(context.Background(), email)
	if err != nil {
		h.t.Fatal(err)
	}
	b := h.browser()
	if a := b.post(strings.TrimPrefix(link, host)); a.StatusCode != http.StatusSeeOther {
		h.t.Fatalf("signing in: %d %s", a.StatusCode, a.body)
	}
	if a := b.get("/connections"); a.StatusCode != http.StatusOK {
		h.t.Fatalf("signed in: %d %s", a.StatusCode, a.body)
	}
	return b
}

func (h *house) fill(connections, requests int) []approvals.AccessRequest {
	h.t.Helper()
	ctx := context.Background()
	if err := fixture.Fill(ctx, h.books, h.now, connections); err != nil {
		h.t.Fatal(err)
	}
	list, err := fixture.Ask(ctx, h.asks, requests)
	if err != nil {
		h.t.Fatal(err)
	}
	return list
}

func TestEveryRoomAnswersInBothLanguages(t *testing.T) {
	for _, size := range []struct{ connections, requests int }{{0, 0}, {1, 1}, {40, 8}} {
		h := build(t, fixture.Marie, fixture.Paul)
		h.fill(size.connections, size.requests)
		b := h.signIn(fixture.Marie.Email)
		for _, path := range []string{
			"/requests", "/connections", "/connections?window=all&page=2&sort=count&q=laval&kind=phone&browser=Chrome&place=Laval&state=in",
			"/padlock/register/close", "/padlock/register/open", "/people", "/people?q=julie",
			"/people/julie.tremblay@lucioles.example", "/people/nobody", "/columns?app=register", "/columns?person=hostile&app=register",
			"/rules", "/rules?app=register&q=marie", "/rules/new", "/rules/new?user=hostile", "/activity", "/activity?q=marie&app=register",
			"/admins", "/admins/new", "/admins/marie@lucioles.example", "/settings", "/devices", "/devices?view=all", "/devices?view=unused&q=ipad", "/explain?app=register", "/explain?app=register&user=nobody&address=203.0.113.9", "/connections.csv?app=register&window=all", "/connections.json?app=register&kind=phone", "/messages", "/more", "/account", "/places",
		} {
			for _, language := range []string{"en", "fr"} {
				sep := "?"
				if strings.Contains(path, "?") {
					sep = "&"
				}
				a := b.get(path + sep + "cadenas_lang=" + language)
				if a.StatusCode != http.StatusOK {
					t.Errorf("%s in %s with %d connections: %d\n%s", path, language, size.connections, a.StatusCode, a.body)
				}
			}
		}
	}
}
