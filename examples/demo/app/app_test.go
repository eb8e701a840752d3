package app

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// visitor is a browser of the application: cookies, and no redirects of its
// own accord.
type visitor struct {
	t    *testing.T
	base string
	*http.Client
}

func visit(t *testing.T, o Options) visitor {
	t.Helper()
	server := httptest.NewServer(New(o))
	t.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	return visitor{t, server.URL, client}
}

func (v visitor) answer(response *http.Response, err error) (int, string, http.Header) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return response.StatusCode, string(body), response.Header
}

func (v visitor) open(path string) (int, string, http.Header) {
	v.t.Helper()
	return v.answer(v.Get(v.base + path))
}

func (v visitor) post(path string, form url.Values) (int, string, http.Header) {
	v.t.Helper()
	return v.answer(v.PostForm(v.base+path, form))
}

func (v visitor) sid() string {
	at, _ := url.Parse(v.base)
	for _, cookie := range v.Jar.Cookies(at) {
		if cookie.Name == cookieName {
			return cookie.Value
		}
	}
	return ""
}

func typed(user, password string) url.Values {
	return url.Values{"username": {user}, "password": {password}}
}

func TestTheRegisterSendsNobodyToTheLogin(t *testing.T) {
	v := visit(t, Options{})
	status, _, header := v.open("/")
	if status != http.StatusSeeOther || header.Get("Location") != "/login" {
		t.Errorf("got %d to %q", status, header.Get("Location"))
	}
	if status, _, _ := v.open("/api/me"); status != http.StatusUnauthorized {
		t.Errorf("/api/me answered %d to nobody", status)
	}
}

func TestAWrongPasswordShowsTheFormAgain(t *testing.T) {
	for _, wrong := range []url.Values{typed("marie", "no"), typed("nobody", ""), typed("", ""), typed("julie", Accounts[0].Password)} {
		v := visit(t, Options{})
		status, body, _ := v.post("/login", wrong)
		if status != http.StatusOK || !strings.Contains(body, "is wrong.") {
			t.Errorf("%v: got %d", wrong, status)
		}
		if status, _, _ := v.open("/api/me"); status != http.StatusUnauthorized {
			t.Errorf("%v signed in", wrong)
		}
	}
}

func TestARightPasswordOpensTheRegisterUntilSignOut(t *testing.T) {
	v := visit(t, Options{})
	v.open("/login")
	before := v.sid()
	status, _, header := v.post("/login", typed("marie", Accounts[0].Password))
	if status != http.StatusSeeOther || header.Get("Location") != "/" {
		t.Fatalf("got %d to %q", status, header.Get("Location"))
	}
	if v.sid() == before || before == "" {
		t.Errorf("the session did not rotate: %q then %q", before, v.sid())
	}
	if status, body, _ := v.open("/"); status != http.StatusOK || !strings.Contains(body, "Marie Roy") {
		t.Errorf("the register answered %d", status)
	}
	_, body, _ := v.open("/api/me")
	var me struct {
		User struct{ Name string }
	}
	if err := json.Unmarshal([]byte(body), &me); err != nil || me.User.Name != "marie" {
		t.Errorf("/api/me: %q, %v", body, err)
	}
	v.post("/logout", nil)
	if status, _, _ := v.open("/api/me"); status != http.StatusUnauthorized {
		t.Errorf("signed out, and /api/me answered %d", status)
	}
}

func TestAKeptSessionHasTheSameValueAfterTheSignIn(t *testing.T) {
	v := visit(t, Options{KeepSession: true})
	v.open("/login")
	before := v.sid()
	_, _, header := v.post("/login", typed("marie", Accounts[0].Password))
	if v.sid() != before || header.Get("Set-Cookie") != "" {
		t.Errorf("session %q became %q, Set-Cookie %q", before, v.sid(), header.Get("Set-Cookie"))
	}
	if status, _, _ := v.open("/api/me"); status != http.StatusOK {
		t.Errorf("/api/me answered %d", status)
	}
}

func TestAFormWithoutItsTokenIsRefused(t *testing.T) {
	v := visit(t, Options{FormToken: true})
	form := typed("marie", Accounts[0].Password)
	if status, _, _ := v.post("/login", form); status != http.StatusForbidden {
		t.Errorf("without a token: %d", status)
	}
	_, body, _ := v.open("/login")
	_, rest, _ := strings.Cut(body, `name="token" value="`)
	token, _, _ := strings.Cut(rest, `"`)
	form.Set("token", token)
	if status, _, _ := v.post("/login", form); status != http.StatusSeeOther {
		t.Errorf("with the token %q: %d", token, status)
	}
}

func TestAJSONLoginAnswersAScript(t *testing.T) {
	v := visit(t, Options{Login: JSON})
	send := func(body string) int {
		status, _, _ := v.answer(v.Post(v.base+"/login", "application/json", strings.NewReader(body)))
		return status
	}
	if status := send(`{"username":"julie","password":"no"}`); status != http.StatusUnauthorized {
		t.Errorf("wrong password: %d", status)
	}
	if status := send(`{"username":"julie","password":"maple-window-17"}`); status != http.StatusOK || v.sid() == "" {
		t.Errorf("right password: %d, session %q", status, v.sid())
	}
	if status, _, _ := v.open("/api/me"); status != http.StatusOK {
		t.Errorf("/api/me answered %d", status)
	}
}

func TestATokenLoginSetsNoCookie(t *testing.T) {
	v := visit(t, Options{Login: Token})
	if _, _, header := v.open("/login"); header.Get("Set-Cookie") != "" {
		t.Errorf("the form set a cookie")
	}
	_, body, header := v.post("/login", typed("samuel", Accounts[2].Password))
	var granted struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &granted); err != nil || granted.Token == "" || header.Get("Set-Cookie") != "" {
		t.Fatalf("%q, %v", body, err)
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, v.base+"/api/me", nil)
	r.Header.Set("Authorization", "Bearer "+granted.Token)

	if status, body, _ := v.answer(v.Do(r)); status != http.StatusOK || !strings.Contains(body, "samuel") {
		t.Errorf("/api/me answered %d %s", status, body)
	}
}

func TestAChildWhoArrivesIsCounted(t *testing.T) {
	v := visit(t, Options{})
	v.post("/login", typed("marie", Accounts[0].Password))
	v.post("/present", url.Values{"child": {"4"}, "here": {"yes"}})
	if _, body, _ := v.open("/api/present"); !strings.Contains(body, `"here":8,"of":9`) {
		t.Errorf("got %s", body)
	}
	if _, body, _ := v.open("/register.csv"); !strings.Contains(body, "Émile Pelletier,Otters,true") {
		t.Errorf("got %s", body)
	}
}

func TestStreamsTick(t *testing.T) {
	v := visit(t, Options{Tick: time.Millisecond})
	v.post("/login", typed("marie", Accounts[0].Password))

	response, err := v.Get(v.base + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewScanner(response.Body)
	for seen := 0; seen < 3 && lines.Scan(); {
		if strings.HasPrefix(lines.Text(), `data: {"tick":`) {
			seen++
		}
	}
	if err := lines.Err(); err != nil {
		t.Errorf("reading the event stream: %v", err)
	}

	socket, _, err := websocket.Dial(t.Context(), v.base+"/live", &websocket.DialOptions{HTTPClient: v.Client})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.CloseNow() }()
	for range 3 {
		if _, message, err := socket.Read(t.Context()); err != nil || !strings.HasPrefix(string(message), `{"tick":`) {
			t.Fatalf("got %s, %v", message, err)
		}
	}
}

func TestFilesOfAnySizeComeAndGo(t *testing.T) {
	v := visit(t, Options{})
	v.post("/login", typed("marie", Accounts[0].Password))

	const size = 3 << 20

	_, body, _ := v.answer(v.Post(v.base+"/upload", "application/octet-stream", &Pattern{Size: size}))
	if !strings.Contains(body, `"bytes":3145728`) {
		t.Errorf("upload: %s", body)
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, v.base+"/download?size=8000000000", nil)
	r.Header.Set("Range", "bytes=7999999990-")

	status, body, _ := v.answer(v.Do(r))
	if status != http.StatusPartialContent || len(body) != 10 || body[0] != PatternAt(7999999990) {
		t.Errorf("range: %d, %d bytes", status, len(body))
	}
}
