package identity_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/identity"
	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

// school is a lesson over a backend, and the browser that it watches.
type school struct {
	t       *testing.T
	lessons *identity.Lessons
	store   store.Store
	now     time.Time
	log     bytes.Buffer
	cookie  string
	backend http.HandlerFunc
}

var marie = identity.Teacher{Who: "marie", Session: "s1", Secret: "form secret"}

func newSchool(t *testing.T, backend http.HandlerFunc) *school {
	ring, err := seal.NewRing(map[byte][]byte{1: seal.NewKey()}, 1)
	if err != nil {
		t.Fatal(err)
	}
	s := &school{t: t, store: memory.New(), now: time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC), backend: backend}
	s.lessons = &identity.Lessons{
		Books: books.New(s.store), Ring: func() *seal.Ring { return ring }, Clock: func() time.Time { return s.now }, Log: slog.New(slog.NewTextHandler(&s.log, nil)),
	}
	return s
}

// begin starts a lesson and opens its link.
func (s *school) begin() {
	s.t.Helper()
	_, link, err := s.lessons.Start(s.t.Context(), "shop", marie)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.cookie, err = s.lessons.Open(s.t.Context(), "shop", link); err != nil {
		s.t.Fatal(err)
	}
}

// send is one request of the browser that is watched.
func (s *school) send(method, target, kind, body string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	r.Header.Set("Accept", "text/html,application/json")
	rw := httptest.NewRecorder()
	next := func(w http.ResponseWriter, r *http.Request) error { s.backend(w, r); return nil }
	if err := s.lessons.Watch("shop", s.cookie, r, next)(rw, r); err != nil {
		s.t.Fatal(err)
	}
	return rw
}

func (s *school) form(target, body string) *httptest.ResponseRecorder {
	return s.send(http.MethodPost, target, "application/x-www-form-urlencoded", body)
}

func (s *school) lesson() identity.Lesson {
	s.t.Helper()
	l, err := s.lessons.Get(s.t.Context(), "shop")
	if err != nil {
		s.t.Fatal(err)
	}
	return l
}

// kept is everything that the store and the log hold.
func (s *school) kept() string {
	s.t.Helper()
	entries, err := s.store.Range(s.t.Context(), store.Query{Prefix: "shop/"})
	if err != nil {
		s.t.Fatal(err)
	}
	all := s.log.String()
	for _, e := range entries {
		all += e.Key + string(e.Value)
	}
	return all
}

const (
	typedName     = "julie.tremblay"
	typedWrong    = "Not-The-One-51"
	typedPassword = "The-Right-One-82"
)

// What each backend answers, and what the lesson makes of it.
func TestALessonFindsWhatTellsARightPassword(t *testing.T) {
	right := func(r *http.Request) bool {
		body, _ := io.ReadAll(r.Body)
		return strings.Contains(string(body), typedPassword)
	}
	for _, c := range []struct {
		name    string
		backend http.HandlerFunc
		found   string
	}{
		{"the form again, or a redirect with a session", func(w http.ResponseWriter, r *http.Request) {
			if right(r) {
				w.Header().Set("Set-Cookie", "sid=new; HttpOnly")
				w.Header().Set("Location", "/home")
				w.WriteHeader(http.StatusSeeOther)
				return
			}
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, `<form><input type=password></form>`)
		}, "login /in {\n\tuser who\n}\n"},
		{"a status alone", func(w http.ResponseWriter, r *http.Request) {
			if right(r) {
				w.WriteHeader(http.StatusNoContent)
			}
		}, "login /in {\n\tuser who\n\tsuccess status 204\n}\n"},
		{"a cookie alone", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add("Set-Cookie", "sid=x; HttpOnly")
			if right(r) {
				w.Header().Add("Set-Cookie", "auth_0123456789abcdef0123=y; HttpOnly")
			}
			w.Header().Set("Location", "/in")
			w.WriteHeader(http.StatusFound)
		}, "login /in {\n\tuser who\n\tsuccess cookie auth_*\n}\n"},
		{"a member of the JSON alone", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if right(r) {
				io.WriteString(w, `{"menu":{"settings":true},"message":"hello"}`)
				return
			}
			io.WriteString(w, `{"message":"try again"}`)
		}, "login /in {\n\tuser who\n\tsuccess json menu\n}\n"},
		{"where it leads alone", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/in?try=2")
			if right(r) {
				w.Header().Set("Location", "/welcome")
			}
			w.WriteHeader(http.StatusFound)
		}, "login /in {\n\tuser who\n\tsuccess location /welcome\n}\n"},
		{"nothing at all", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "thanks") }, "login /in {\n\tuser who\n}\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSchool(t, c.backend)
			s.begin()
			s.form("/in?ref=mail", "who="+typedName+"&pass="+typedWrong)
			s.form("/in?ref=mail", "who="+typedName+"&pass="+typedPassword)
			l, err := s.lessons.Skip(t.Context(), "shop", marie)
			if err != nil {
				t.Fatal(err)
			}
			if got := l.Words.Lines(); got != c.found {
				t.Errorf("found\n%s\nwants\n%s\nwrong %+v\nright %+v", got, c.found, l.Wrong, l.Right)
			}
			if alike := l.Alike(); alike != (c.name == "nothing at all") {
				t.Errorf("alike: %v", alike)
			}
			for _, secret := range []string{typedName, typedWrong, typedPassword, "0123456789abcdef"} {
				if strings.Contains(s.kept(), secret) {
					t.Errorf("%q is kept", secret)
				}
			}
		})
	}
}

// The answer that names the user is found by the name, unless it names them to
// anybody; addresses lose what is a value.
func TestALessonFindsWhoNamesTheUserAndKeepsNoValue(t *testing.T) {
	s := newSchool(t, nil)
	s.backend = func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/team":
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"owner":"`+typedName+`"}`)
		case "/api/me":
			w.Header().Set("Content-Type", "application/json")
			if r.Header.Get("Cookie") == "" {
				io.WriteString(w, `{"data":{"user":null}}`)
				return
			}
			io.WriteString(w, `{"data":{"user":{"login":"`+strings.ToUpper(typedName)+`"}},"token":"abcdef0123456789abcdef"}`)
		case "/bye":
			w.Header().Set("Set-Cookie", "sid=; Max-Age=0")
		default:
			w.Header().Set("Set-Cookie", "sid=secret-session-value; HttpOnly")
			w.Header().Set("Location", "/people/"+typedName+"?key=abcdef0123456789abcdef&u="+typedName+"&tab=1")
			w.WriteHeader(http.StatusFound)
		}
	}
	s.begin()
	get := func(target string) {
		r := httptest.NewRequest(http.MethodGet, target, nil)
		r.Header.Set("Accept", "text/html")
		r.Header.Set("Cookie", "sid=secret-session-value")
		next := func(w http.ResponseWriter, r *http.Request) error { s.backend(w, r); return nil }
		if err := s.lessons.Watch("shop", s.cookie, r, next)(httptest.NewRecorder(), r); err != nil {
			t.Fatal(err)
		}
	}
	s.form("/in", "who="+typedName+"&pass="+typedWrong)
	s.form("/in", "who="+typedName+"&pass="+typedPassword)
	get("/people/" + typedName + "?key=abcdef0123456789abcdef&u=" + typedName + "&tab=1")
	get("/api/team")
	get("/api/me")
	get("/bye")
	l := s.lesson()
	if l.Step != identity.LessonFound || l.Words.Whoami != (identity.Whoami{Path: "/api/me", JSON: "data.user.login"}) || l.Words.Logout != "/bye" {
		t.Errorf("%s %+v", l.Step, l.Words)
	}
	if want := "/people/{user}?u={user}&tab=1"; l.Right.Location != want || l.Right.After[0].Path != want {
		t.Errorf("the address is kept as %q and %+v", l.Right.Location, l.Right.After)
	}
	kept := s.kept()
	for _, secret := range []string{typedName, strings.ToUpper(typedName), typedPassword, "abcdef0123456789", "secret-session-value", s.cookie} {
		if strings.Contains(kept, secret) {
			t.Errorf("%q is kept", secret)
		}
	}
}

func TestALessonIsOneBrowsersAndOneSessions(t *testing.T) {
	s := newSchool(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "x") })
	ctx := t.Context()
	_, link, err := s.lessons.Start(ctx, "shop", marie)
	if err != nil {
		t.Fatal(err)
	}
	if l := s.lesson(); l.LinkOf(marie) != link || l.LinkOf(identity.Teacher{Secret: "another"}) != "" || strings.Contains(s.kept(), link) {
		t.Error("the link is another session's to see, or is kept")
	}
	paul := identity.Teacher{Who: "paul", Session: "s2", Secret: "other"}
	if _, _, err := s.lessons.Start(ctx, "shop", paul); !errors.Is(err, identity.ErrLessonOther) {
		t.Errorf("another admin took the lesson over: %v", err)
	}
	if _, err := s.lessons.Open(ctx, "shop", "guess"); !errors.Is(err, identity.ErrLessonLink) {
		t.Errorf("a guessed link opened: %v", err)
	}
	if s.cookie, err = s.lessons.Open(ctx, "shop", link); err != nil {
		t.Fatal(err)
	}
	if _, err := s.lessons.Open(ctx, "shop", link); !errors.Is(err, identity.ErrLessonLink) {
		t.Errorf("the link opened twice: %v", err)
	}
	mine := s.cookie
	s.cookie = "another browser's"
	s.form("/in", "user=x&pass=y")
	if step := s.lesson().Step; step != identity.LessonWrong {
		t.Errorf("another browser was watched: %s", step)
	}
	s.cookie = mine
	for name, do := range map[string]func() error{
		"went back": func() error { _, err := s.lessons.Again(ctx, "shop", paul, identity.LessonWrong); return err },
		"tried":     func() error { _, err := s.lessons.Try(ctx, "shop", paul, identity.Words{Path: "/in"}); return err },
		"stopped":   func() error { return s.lessons.Stop(ctx, "shop", paul) },
	} {
		if err := do(); !errors.Is(err, identity.ErrLessonOther) {
			t.Errorf("another admin %s: %v", name, err)
		}
	}
	if err := s.lessons.StopOf(ctx, "s2", []string{"shop"}); err != nil || s.lesson().Step != identity.LessonWrong {
		t.Errorf("another session's end ended the lesson: %v", err)
	}
	s.now = s.now.Add(identity.LessonLife)
	if _, err := s.lessons.Get(ctx, "shop"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("after its time: %v", err)
	}
	if _, _, err := s.lessons.Start(ctx, "shop", paul); err != nil {
		t.Errorf("after its time another admin begins: %v", err)
	}
	if err := s.lessons.StopOf(ctx, "s2", []string{"shop"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.lessons.Get(ctx, "shop"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the session's end left the lesson: %v", err)
	}
}

// What passes through a lesson arrives and comes back as without it.
func TestALessonChangesNothingOnTheWay(t *testing.T) {
	body := "who=" + typedName + "&pass=" + typedPassword + "&x=%zz&&"
	var arrived string
	s := newSchool(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		arrived = string(b)
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
		w.Header().Set("X-Thing", "y")
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, strings.Repeat("z", 5<<20)) // longer than what is kept back
	})
	s.begin()
	got := s.form("/in", body)
	if arrived != body {
		t.Errorf("%q arrived", arrived)
	}
	if got.Code != http.StatusTeapot || got.Body.Len() != 5<<20 || len(got.Header().Values("Set-Cookie")) != 2 || got.Header().Get("X-Thing") != "y" {
		t.Errorf("%d, %d bytes, %v", got.Code, got.Body.Len(), got.Header())
	}
	if s.lesson().Step != identity.LessonRight {
		t.Errorf("the lesson stands at %s", s.lesson().Step)
	}
}

// basic is one request of the watched browser with basic authentication; no
// name for none.
func (s *school) basic(target, user, password string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Header.Set("Accept", "text/html")
	if user != "" {
		r.SetBasicAuth(user, password)
	}
	rw := httptest.NewRecorder()
	next := func(w http.ResponseWriter, r *http.Request) error { s.backend(w, r); return nil }
	if err := s.lessons.Watch("shop", s.cookie, r, next)(rw, r); err != nil {
		s.t.Fatal(err)
	}
	return rw
}

// challenges is a backend with basic authentication of its own.
func challenges(w http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	switch {
	case passwords[user] == "" || passwords[user] != password:
		w.Header().Set("WWW-Authenticate", `Basic realm="shop"`)
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Path == "/favicon.ico":
		w.WriteHeader(http.StatusNotFound)
	default:
		io.WriteString(w, "hello "+user)
	}
}

// There is no form and no sign-out; and a browser sends what it was told once
// with every request.
func TestALessonUnderstandsBasicAuthentication(t *testing.T) {
	s := newSchool(t, challenges)
	s.begin()
	s.basic("/reports", "", "")
	if l := s.lesson(); l.Step != identity.LessonWrong {
		t.Fatalf("after the challenge: %s", l.Step)
	}
	s.basic("/reports", "ann", "mistyped")
	s.basic("/reports", "ann", "mistyped again") // the browser asks again
	if l := s.lesson(); l.Step != identity.LessonRight || l.Wrong == nil || l.Wrong.Kind != "basic" || l.Wrong.Status != http.StatusUnauthorized {
		t.Fatalf("after a wrong password: %+v", l)
	}
	s.basic("/reports", "ann", passwords["ann"])
	s.basic("/favicon.ico", "ann", passwords["ann"])
	l := s.lesson()
	if l.Step != identity.LessonFound || !l.Told() || l.Alike() {
		t.Fatalf("after the right one: %+v", l)
	}
	if lines := l.Words.Lines(); lines != "login /reports {\n\tuser basic\n}\n" {
		t.Fatalf("the lines: %s", lines)
	}
	l, err := s.lessons.Try(t.Context(), "shop", marie, l.Words)
	if err != nil || l.Step != identity.LessonTried || !l.Passed() {
		t.Fatalf("tried: %+v, %v", l, err)
	}
	for _, secret := range []string{"mistyped", passwords["ann"], "ann"} {
		if strings.Contains(s.kept(), secret) {
			t.Errorf("%q was kept", secret)
		}
	}
}

// What the browser knew before the lesson cannot be typed wrongly in it, and
// the lesson says so.
func TestABrowserThatKnowsThePasswordAlreadyTeachesNothing(t *testing.T) {
	s := newSchool(t, challenges)
	s.begin()
	s.basic("/favicon.ico", "ann", passwords["ann"])
	if l := s.lesson(); l.Known || l.Step != identity.LessonWrong {
		t.Fatalf("after a page that is not there: %+v", l)
	}
	s.basic("/reports", "ann", passwords["ann"])
	if l := s.lesson(); !l.Known || l.Step != identity.LessonWrong {
		t.Fatalf("after a right password: %+v", l)
	}
	s.basic("/reports", "ann", "mistyped")
	if l := s.lesson(); l.Known || l.Step != identity.LessonRight {
		t.Fatalf("after a wrong one: %+v", l)
	}
}

// The answer to the password of one who has a second factor is no sign-in: what
// is learnt is the answer to the code, and where it is asked for.
func TestALessonFindsASecondStep(t *testing.T) {
	sessions := map[string]string{}
	s := newSchool(t, nil)
	signed := ""
	s.backend = func(w http.ResponseWriter, r *http.Request) {
		lead := func(to string) {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
		}
		begin := func(state string) {
			id := fresh()
			sessions[id], signed = state, id
			w.Header().Add("Set-Cookie", "sid="+id+"; Path=/; HttpOnly")
		}
		switch {
		case r.URL.Path == "/login" && r.Method == http.MethodPost && r.PostFormValue("pass") == passwords["ann"]:
			begin("waits")
			lead("/login/code")
		case r.URL.Path == "/login/code" && r.Method == http.MethodPost && r.PostFormValue("code") == code:
			begin("in")
			lead("/")
		case r.URL.Path == "/login/code" && r.Method == http.MethodPost:
			lead("/login/code")
		case r.Method == http.MethodPost:
			lead("/login?error=1")
		default:
			io.WriteString(w, "page")
		}
	}
	pair := func() {
		s.form("/login", "user=ann&pass=mistyped")
		s.form("/login", "user=ann&pass="+passwords["ann"])
		s.form("/login/code", "code=000000")
		s.form("/login/code", "code="+code)
	}
	s.begin()
	pair()
	l, err := s.lessons.Skip(t.Context(), "shop", marie)
	if err != nil {
		t.Fatal(err)
	}
	if lines := l.Words.Lines(); lines != "login /login {\n\tuser user\n\tsecond /login/code\n}\n" {
		t.Fatalf("the lines: %s", lines)
	}
	if _, err := s.lessons.Try(t.Context(), "shop", marie, l.Words); err != nil {
		t.Fatal(err)
	}
	pair()
	if l := s.lesson(); !l.Passed() {
		t.Fatalf("tried: %+v %+v", l.TriedWrong, l.TriedRight)
	}
	for _, secret := range []string{"mistyped", passwords["ann"], code, signed} {
		if strings.Contains(s.kept(), secret) {
			t.Errorf("%q was kept", secret)
		}
	}
}
