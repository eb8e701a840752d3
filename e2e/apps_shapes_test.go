package e2e

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// Applications of shapes that are common, beside those that come from
// packages: what their frameworks do, in a page of Go each. The gate is told
// where the login is and which field names the user, no more.

// accounts checks a password.
func rightPassword(user, password string) bool {
	for _, a := range Accounts {
		if a.User == user && a.Password == password {
			return true
		}
	}
	return false
}

// visits are the open sessions of a backend: what each knows.
type visits struct {
	mu   sync.Mutex
	open map[string]map[string]string
}

func (v *visits) get(id string) map[string]string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.open[id]
}

// start opens a session.
func (v *visits) start(with map[string]string) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.open == nil {
		v.open = map[string]map[string]string{}
	}
	id := strings.ToLower(rand.Text())
	v.open[id] = with
	return id
}

func (v *visits) end(id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.open, id)
}

func serveApp(t testing.TB, h http.Handler) string {
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.Listener.Addr().String()
}

// streams answers /ws and /stream as long as the context lives.
func streams(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/ws" {
		socket, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		ctx := socket.CloseRead(r.Context())
		_ = socket.Write(ctx, websocket.MessageText, []byte("here"))
		<-ctx.Done()
		_ = socket.CloseNow()
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, "data: here\n\n")
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// Djangoish: no session before the sign-in, a CSRF cookie that scripts read
// and a masked token in each form, 200 and the form again for a wrong
// password, 302 to ?next for a right one.
type Djangoish struct{ visits visits }

// Name is a word for logs.
func (*Djangoish) Name() string { return "Djangoish" }

// Login says where it is.
func (*Djangoish) Login() string {
	return "login /accounts/login/ {\nuser username\nlogout /accounts/logout/\n}\n"
}

var djangoForm = template.Must(template.New("").Parse(`<!doctype html><title>Log in</title>
{{if .Wrong}}<p class="errornote">Please enter a correct username and password.</p>{{end}}
<form method="post"><input type="hidden" name="csrfmiddlewaretoken" value="{{.Token}}"><input name="username"><input type="password" name="password"><input type="hidden" name="next" value="{{.Next}}"></form>`))

// Start serves it.
func (d *Djangoish) Start(t testing.TB) string {
	t.Helper()
	return serveApp(t, d)
}

func (d *Djangoish) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Add("Vary", "Cookie")
	secret := ""
	if c, err := r.Cookie("csrftoken"); err == nil {
		secret = c.Value
	}
	rotate := func() {
		secret = rand.Text()
		http.SetCookie(w, &http.Cookie{Name: "csrftoken", Value: secret, Path: "/", MaxAge: 31449600, SameSite: http.SameSiteLaxMode})
	}
	session, user := "", ""
	if c, err := r.Cookie("sessionid"); err == nil {
		session = c.Value
		user = d.visits.get(session)["user"]
	}
	forged := r.Method == http.MethodPost && (secret == "" || !strings.HasSuffix(r.PostFormValue("csrfmiddlewaretoken"), secret) || r.Header.Get("Origin") == "")
	switch {
	case forged:
		http.Error(w, "CSRF verification failed. Request aborted.", http.StatusForbidden)
	case r.URL.Path == "/accounts/login/":
		wrong := false
		if r.Method == http.MethodPost {
			if rightPassword(r.PostFormValue("username"), r.PostFormValue("password")) {
				d.visits.end(session)
				id := d.visits.start(map[string]string{"user": r.PostFormValue("username")})
				http.SetCookie(w, &http.Cookie{Name: "sessionid", Value: id, Path: "/", MaxAge: 1209600, HttpOnly: true, SameSite: http.SameSiteLaxMode})
				rotate()
				next := r.PostFormValue("next")
				if next == "" {
					next = "/accounts/profile/"
				}
				http.Redirect(w, r, next, http.StatusFound)
				return
			}
			wrong = true
		}
		if secret == "" {
			rotate()
		}
		_ = djangoForm.Execute(w, map[string]any{"Wrong": wrong, "Token": rand.Text()[:8] + secret, "Next": r.FormValue("next")})
	case r.URL.Path == "/accounts/logout/" && r.Method == http.MethodPost:
		d.visits.end(session)
		http.SetCookie(w, &http.Cookie{Name: "sessionid", Value: "", Path: "/", Expires: time.Unix(0, 0), MaxAge: -1, SameSite: http.SameSiteLaxMode})
		http.Redirect(w, r, "/", http.StatusFound)
	case user == "":
		http.Redirect(w, r, "/accounts/login/?next="+url.QueryEscape(r.URL.Path), http.StatusFound)
	case r.URL.Path == "/ws" || r.URL.Path == "/stream":
		streams(w, r)
	default:
		_, _ = fmt.Fprintf(w, `<p id=user>%s</p><form method=post action="/accounts/logout/"><input type="hidden" name="csrfmiddlewaretoken" value="%s"></form>`, user, rand.Text()[:8]+secret)
	}
}

// SignIn sends the form with its token.
func (*Djangoish) SignIn(c *Client, site Site, user, password string) *Answer {
	c.t.Helper()
	form := c.Open(site.URL("/accounts/login/?next=/reports/"))
	return c.Submit(site.URL("/accounts/login/?next=/reports/"), url.Values{
		"csrfmiddlewaretoken": {between(form.Text(), `name="csrfmiddlewaretoken" value="`, `"`)}, "username": {user}, "password": {password}, "next": {"/reports/"},
	})
}

// Accepted is 302 to the page that was asked for.
func (*Djangoish) Accepted(a *Answer) bool { return a.Status == 302 && a.Location() == "/reports/" }

// Keep has nothing to do.
func (*Djangoish) Keep(*Client, *Answer) {}

// Who reads the page.
func (*Djangoish) Who(c *Client, site Site) string {
	c.t.Helper()
	return between(c.Open(site.URL("/reports/")).Text(), "<p id=user>", "</p>")
}

// Path is a page for those who are in.
func (*Djangoish) Path() string { return "/reports/" }

// SignOut sends the form of the page.
func (*Djangoish) SignOut(c *Client, site Site) {
	c.t.Helper()
	page := c.Open(site.URL("/reports/"))
	c.Submit(site.URL("/accounts/logout/"), url.Values{"csrfmiddlewaretoken": {between(page.Text(), `name="csrfmiddlewaretoken" value="`, `"`)}})
}

// Laravelish: both cookies are sealed anew in every answer, so that the value
// of one session is never twice the same and old ones stay good; a long token
// for scripts; 302 back to the login for a wrong password, with the error in
// the session; a cookie that remembers for years.
type Laravelish struct{ visits visits }

// Name is a word for logs.
func (*Laravelish) Name() string { return "Laravelish" }

// Login says where it is.
func (*Laravelish) Login() string { return "login /login {\nuser email\nlogout /logout\n}\n" }

// Start serves it.
func (l *Laravelish) Start(t testing.TB) string {
	t.Helper()
	return serveApp(t, l)
}

// sealed is a value as such frameworks encrypt it: other bytes each time.
func sealed(id string) string {
	text, _ := json.Marshal(map[string]string{"iv": rand.Text(), "value": id, "mac": rand.Text() + rand.Text(), "tag": ""})
	return url.QueryEscape(base64.StdEncoding.EncodeToString(text))
}

func unsealed(value string) string {
	plain, err := url.QueryUnescape(value)
	if err != nil {
		return ""
	}
	text, err := base64.StdEncoding.DecodeString(plain)
	if err != nil {
		return ""
	}
	var box map[string]string
	_ = json.Unmarshal(text, &box)
	return box["value"]
}

func (l *Laravelish) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	cookie := func(name string) string {
		c, err := r.Cookie(name)
		if err != nil {
			return ""
		}
		return unsealed(c.Value)
	}
	id := cookie("laravel_session")
	session := l.visits.get(id)
	if session == nil {
		session = map[string]string{"_token": rand.Text()}
		if who := l.visits.get("remember " + cookie("remember_web_59ba36addc2b2f9401580f014c7f58ea4e30989d")); who != nil {
			session["user"] = who["user"]
		}
		id = l.visits.start(session)
	}
	answer := func(status int, location, body string) {
		for _, c := range []*http.Cookie{
			{Name: "XSRF-TOKEN", Value: sealed(session["_token"]), Path: "/", MaxAge: 7200, SameSite: http.SameSiteLaxMode},
			{Name: "laravel_session", Value: sealed(id), Path: "/", MaxAge: 7200, HttpOnly: true, SameSite: http.SameSiteLaxMode},
		} {
			http.SetCookie(w, c)
		}
		w.Header().Set("Cache-Control", "no-cache, private")
		if location != "" {
			w.Header().Set("Location", location)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
	token := r.PostFormValue("_token")
	if token == "" {
		token = unsealed(r.Header.Get("X-XSRF-TOKEN"))
	}
	switch {
	case r.Method != http.MethodGet && token != session["_token"]:
		answer(419, "", "Page Expired")
	case r.URL.Path == "/login" && r.Method == http.MethodPost:
		if !rightPassword(r.PostFormValue("email"), r.PostFormValue("password")) {
			session["error"] = "These credentials do not match our records."
			answer(http.StatusFound, "http://"+r.Host+"/login", "")
			return
		}
		l.visits.end(id)
		session = map[string]string{"_token": rand.Text(), "user": r.PostFormValue("email")}
		id = l.visits.start(session)
		if r.PostFormValue("remember") != "" {
			remembered := rand.Text()
			l.visits.mu.Lock()
			l.visits.open["remember "+remembered] = map[string]string{"user": session["user"]}
			l.visits.mu.Unlock()
			http.SetCookie(w, &http.Cookie{Name: "remember_web_59ba36addc2b2f9401580f014c7f58ea4e30989d", Value: sealed(remembered), Path: "/", MaxAge: 157680000, HttpOnly: true, SameSite: http.SameSiteLaxMode})
		}
		answer(http.StatusFound, "http://"+r.Host+"/home", `<meta http-equiv="refresh" content="0;url='/home'">`)
	case r.URL.Path == "/login":
		wrong := session["error"]
		delete(session, "error")
		answer(http.StatusOK, "", `<p>`+wrong+`</p><form method="POST" action="/login"><input type="hidden" name="_token" value="`+session["_token"]+`"><input type="password" name="password"></form>`)
	case r.URL.Path == "/logout" && r.Method == http.MethodPost:
		l.visits.end(id)
		session = map[string]string{"_token": rand.Text()}
		id = l.visits.start(session)
		http.SetCookie(w, &http.Cookie{Name: "remember_web_59ba36addc2b2f9401580f014c7f58ea4e30989d", Value: "", Path: "/", MaxAge: -1, HttpOnly: true})
		answer(http.StatusFound, "http://"+r.Host+"/", "")
	case session["user"] == "":
		answer(http.StatusFound, "http://"+r.Host+"/login", "")
	case r.URL.Path == "/ws" || r.URL.Path == "/stream":
		streams(w, r)
	default:
		answer(http.StatusOK, "", `<p id=user>`+session["user"]+`</p><form method="POST" action="/logout"><input type="hidden" name="_token" value="`+session["_token"]+`"></form>`)
	}
}

// SignIn sends the form, remembered.
func (*Laravelish) SignIn(c *Client, site Site, user, password string) *Answer {
	c.t.Helper()
	form := c.Open(site.URL("/login"))
	return c.Submit(site.URL("/login"), url.Values{
		"_token": {between(form.Text(), `name="_token" value="`, `"`)}, "email": {user}, "password": {password}, "remember": {"on"},
	})
}

// Accepted is 302 to the home page.
func (*Laravelish) Accepted(a *Answer) bool {
	return a.Status == 302 && strings.HasSuffix(a.Location(), "/home")
}

// Keep has nothing to do.
func (*Laravelish) Keep(*Client, *Answer) {}

// Who reads the page.
func (*Laravelish) Who(c *Client, site Site) string {
	c.t.Helper()
	return between(c.Open(site.URL("/home")).Text(), "<p id=user>", "</p>")
}

// Path is a page for those who are in.
func (*Laravelish) Path() string { return "/home" }

// SignOut sends the form of the page.
func (*Laravelish) SignOut(c *Client, site Site) {
	c.t.Helper()
	page := c.Open(site.URL("/home"))
	c.Submit(site.URL("/logout"), url.Values{"_token": {between(page.Text(), `name="_token" value="`, `"`)}})
}

// SinglePage: one page for everybody, whose script signs in by JSON with a
// cookie; everybody has a session, 200 says no as well as yes, and DELETE
// signs out.
type SinglePage struct{ visits visits }

// Name is a word for logs.
func (*SinglePage) Name() string { return "single page" }

// Login says where it is.
func (*SinglePage) Login() string {
	return "login /api/session {\nuser credentials.email\nlogout /api/session\n}\n"
}

// Start serves it.
func (s *SinglePage) Start(t testing.TB) string {
	t.Helper()
	return serveApp(t, s)
}

func (s *SinglePage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := ""
	if c, err := r.Cookie("connect.sid"); err == nil {
		id = strings.TrimPrefix(c.Value, "s%3A")
	}
	session := s.visits.get(id)
	if session == nil {
		session = map[string]string{}
		id = s.visits.start(session)
		http.SetCookie(w, &http.Cookie{Name: "connect.sid", Value: "s%3A" + id, Path: "/", HttpOnly: true})
	}
	say := func(status int, v any) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	switch {
	case r.URL.Path == "/api/session" && r.Method == http.MethodPost:
		var typed struct {
			Credentials struct{ Email, Password string }
		}
		if json.NewDecoder(r.Body).Decode(&typed) != nil || !rightPassword(typed.Credentials.Email, typed.Credentials.Password) {
			say(http.StatusOK, map[string]any{"success": false, "message": "Wrong e-mail or password"})
			return
		}
		s.visits.end(id)
		http.SetCookie(w, &http.Cookie{Name: "connect.sid", Value: "s%3A" + s.visits.start(map[string]string{"user": typed.Credentials.Email}), Path: "/", HttpOnly: true})
		say(http.StatusOK, map[string]any{"success": true, "user": map[string]any{"email": typed.Credentials.Email}})
	case r.URL.Path == "/api/session" && r.Method == http.MethodDelete:
		s.visits.end(id)
		http.SetCookie(w, &http.Cookie{Name: "connect.sid", Value: "", Path: "/", MaxAge: -1, HttpOnly: true})
		w.WriteHeader(http.StatusNoContent)
	case strings.HasPrefix(r.URL.Path, "/api/") && session["user"] == "", strings.HasPrefix(r.URL.Path, "/ws") && session["user"] == "", r.URL.Path == "/stream" && session["user"] == "":
		say(http.StatusUnauthorized, map[string]any{"error": "unauthorized"})
	case r.URL.Path == "/api/me":
		say(http.StatusOK, map[string]any{"user": map[string]any{"email": session["user"]}})
	case r.URL.Path == "/ws" || r.URL.Path == "/stream":
		streams(w, r)
	default:
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<!doctype html><div id=app></div><script type=module src=/app.js></script>`)
	}
}

// SignIn sends what the script sends.
func (*SinglePage) SignIn(c *Client, site Site, user, password string) *Answer {
	c.t.Helper()
	c.Open(site.URL("/"))
	body, _ := json.Marshal(map[string]any{"credentials": map[string]any{"email": user, "password": password}})
	return c.Fetch("POST", site.URL("/api/session"), "application/json", body)
}

// Accepted is 200 and what it says.
func (*SinglePage) Accepted(a *Answer) bool {
	return a.Status == 200 && strings.Contains(a.Text(), `"success":true`)
}

// Keep has nothing to do.
func (*SinglePage) Keep(*Client, *Answer) {}

// Who asks the API.
func (*SinglePage) Who(c *Client, site Site) string {
	c.t.Helper()
	a := c.Fetch("GET", site.URL("/api/me"), "", nil)
	return between(a.Text(), `"email":"`, `"`)
}

// Path is what only those who are in may fetch.
func (*SinglePage) Path() string { return "/api/me" }

// SignOut sends what the script sends.
func (*SinglePage) SignOut(c *Client, site Site) {
	c.t.Helper()
	c.Fetch("DELETE", site.URL("/api/session"), "", nil)
}
