// Package app is the demonstration application: the attendance register of a
// day-care centre, with accounts, a login form and sessions of its own. It
// stands for any application that somebody runs behind Caddy, and knows
// nothing of the gate in front of it.
//
// It keeps everything in memory. Nothing here is meant for real children.
package app

import (
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"sync"
	"time"
)

// Login is how the application lets people sign in.
type Login string

// The ways to sign in that applications are found to have.
const (
	// Form answers a posted form with 303 to the register, or 200 and the
	// form again with an error.
	Form Login = "form"
	// JSON answers a script with 200 and the account, or 401; the session is
	// a cookie.
	JSON Login = "json"
	// Token answers a script with 200 and a bearer token, or 401; there is no
	// cookie at all.
	Token Login = "token"
)

// Options are the ways in which the application can differ. The zero value is
// the application that `go run ./examples/demo` starts.
type Options struct {
	// Login is how people sign in; the zero value means Form.
	Login Login
	// KeepSession leaves the session's value as it is when somebody signs in,
	// as careless applications do. Otherwise it changes.
	KeepSession bool
	// FormToken asks for a hidden field bound to the visitor's session with
	// each login form, against forged posts.
	FormToken bool
	// Code is asked for after the password, on a page of its own (Form only);
	// empty: it is not.
	Code string
	// Accounts are who can sign in; nil means Accounts.
	Accounts []Account
	// Tick is the time between two messages of the event stream and of the
	// WebSocket; zero means one second.
	Tick time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Account is somebody who can sign in.
type Account struct {
	// User is typed into the form, Name is shown.
	User, Name string
	// Role is shown beside the name.
	Role string
	// Password is printed at start: these accounts guard nothing.
	Password string
}

// Accounts are those of the demonstration.
var Accounts = []Account{
	{User: "marie", Name: "Marie Roy", Role: "Director", Password: "brass-lantern-42"},
	{User: "julie", Name: "Julie Tremblay", Role: "Educator, Fireflies", Password: "maple-window-17"},
	{User: "samuel", Name: "Samuel Nguyen", Role: "Educator, Otters", Password: "paper-harbour-58"},
}

//go:embed page
var files embed.FS

var pages = template.Must(template.ParseFS(files, "page/*.html"))

type application struct {
	options  Options
	sessions sessions
	register register
	started  time.Time
}

// New returns the application, ready to serve.
func New(o Options) http.Handler {
	if o.Login == "" {
		o.Login = Form
	}
	if o.Accounts == nil {
		o.Accounts = Accounts
	}
	if o.Tick == 0 {
		o.Tick = time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &application{options: o, started: o.Now()}
	a.register.fill(o.Now())

	mux := http.NewServeMux()
	for path, name := range map[string]string{
		"/style.css": "page/style.css", "/register.js": "page/register.js",
		"/login.js": "page/login.js", "/icon.svg": "page/icon.svg",
	} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			http.ServeFileFS(w, r, files, name)
		})
	}
	mux.HandleFunc("GET /login", a.showLogin)
	mux.HandleFunc("POST /login", a.signIn)
	mux.HandleFunc("GET "+codePath, a.showCode)
	mux.HandleFunc("POST "+codePath, a.checkCode)
	mux.HandleFunc("POST /logout", a.signOut)
	mux.HandleFunc("GET /{$}", a.showRegister)
	mux.HandleFunc("POST /present", a.signedIn(a.mark))
	mux.HandleFunc("GET /api/me", a.signedIn(a.me))
	mux.HandleFunc("GET /api/present", a.signedIn(a.present))
	mux.HandleFunc("GET /live", a.signedIn(a.live))
	mux.HandleFunc("GET /events", a.signedIn(a.events))
	mux.HandleFunc("POST /upload", a.signedIn(a.upload))
	mux.HandleFunc("GET /download", a.signedIn(a.download))
	mux.HandleFunc("GET /register.csv", a.signedIn(a.sheet))
	return secure(mux)
}

// secure sets what a decent application sends with every answer.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// account returns the account of a user name.
func (a *application) account(user string) (Account, bool) {
	for _, account := range a.options.Accounts {
		if account.User == user {
			return account, true
		}
	}
	return Account{}, false
}

// signedIn guards what is not a page: 401 for nobody.
func (a *application) signedIn(next func(http.ResponseWriter, *http.Request, Account)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		account, ok := a.who(r)
		if !ok {
			answer(w, http.StatusUnauthorized, map[string]string{"error": "sign in first"})
			return
		}
		next(w, r, account)
	}
}

func (a *application) me(w http.ResponseWriter, _ *http.Request, account Account) {
	answer(w, http.StatusOK, map[string]any{"user": person(account)})
}

func person(account Account) map[string]string {
	return map[string]string{"name": account.User, "display": account.Name, "role": account.Role}
}

// answer writes v as JSON.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// An error here means that the client left: nobody is there to tell.
	_ = json.NewEncoder(w).Encode(v)
}

// show writes one of the pages.
func show(w http.ResponseWriter, status int, name string, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = pages.ExecuteTemplate(w, name, data)
}

// sessions are the open sessions by the value of their cookie or token.
type sessions struct {
	mu   sync.Mutex
	open map[string]session
}

// session is one visitor; user is empty before a sign-in.
type session struct {
	user string
	// waits is whose code is asked for, after the password.
	waits string
	// token goes into the login form where Options.FormToken asks for it.
	token string
}
