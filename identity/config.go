package identity

import (
	"time"
)

// Config is one application's `login` block, and the words beside it that
// the watcher needs. The JSON names are the Caddyfile's words. NewWatcher
// checks it; its errors name the word at fault.
type Config struct {
	// Application names the application; it is part of every stamp.
	Application string `json:"application,omitempty"`

	// Path is where the login form is posted to, as the backend knows it:
	// "/login", "/doku.php". A query ("/index.php?do=login") makes only the
	// requests that bear those parameters logins. Required.
	Path string `json:"path,omitempty"`

	// User is the field with the user's name: a form field ("email",
	// "auth[username]"), a path into JSON ("user.email"), or "basic" for a
	// backend with basic authentication of its own. Empty: it is found out.
	User string `json:"user,omitempty"`

	// Session are the names of session cookies; "*" stands for any text
	// ("DW*"). Empty: those found out, see Names.
	Session []string `json:"session,omitempty"`

	// Token is the path of a bearer token in the JSON the login answers
	// with. Empty: "access_token", "token" and the like are looked for.
	Token string `json:"token,omitempty"`

	// TokenPaths are paths that answer with a new token for an old one.
	TokenPaths []string `json:"token_paths,omitempty"`

	// Success says how a right password shows. All rules must hold. Empty:
	// it is found out, and where it cannot be the sign-in does not count.
	Success []Success `json:"success,omitempty"`

	// Second are the paths (with an optional query, "*" stands for any text)
	// of a second step that the backend asks for after the password: a code,
	// a key. An answer that leads there signs nobody in; what is posted there
	// afterwards is judged as the sign-in of the name that was typed. They are
	// public.
	Second []string `json:"second,omitempty"`

	// Whoami is a page of the backend that names the user of a session.
	Whoami Whoami `json:"whoami,omitzero"`

	// Logout is the path that signs out; it ends the login here too.
	Logout string `json:"logout,omitempty"`

	// Public are the paths (with an optional query) on which a session that
	// nobody signed into goes to the backend although the padlock is closed.
	// "*" stands for any text. The login's own path is always among them.
	Public []string `json:"public,omitempty"`

	// Unbound says what becomes of sessions from before the gate while the
	// padlock is open: "adopt" (the default) lets them pass, "relogin"
	// removes them.
	Unbound string `json:"unbound,omitempty"`

	// Hold keeps a login by script open this long while it waits for an
	// approval. 0 answers at once. At most 5 minutes.
	Hold time.Duration `json:"hold,omitempty"`

	// CookieDomain is the parent domain whose session cookies are watched
	// too; the device cookie then is one of that domain. The watcher itself
	// treats every session cookie alike, whatever its domain.
	CookieDomain string `json:"cookie_domain,omitempty"`

	// KeepAuthorization says that an identity source reads the Authorization
	// header: it is then left on the request.
	KeepAuthorization bool `json:"-"`

	// HeldFor is how long an answer is held; 0 means 30 minutes. Idle is how
	// long a login lives that nobody uses; 0 means books.LoginIdle.
	HeldFor, Idle time.Duration `json:"-"`

	// MaxBody is the greatest login body that is read, in bytes; 0 means
	// 1 MiB. With the padlock closed a longer one is refused with 413, open
	// it passes unread.
	MaxBody int64 `json:"max_body,omitempty"`

	// Timeout bounds the call of the backend that carries a login; 0 means a
	// minute.
	Timeout time.Duration `json:"timeout,omitempty"`
}

// Success is one rule about the answer to a right password.
type Success struct {
	// Kind is "status", "cookie", "location", "json", "page" or "whoami".
	Kind string `json:"kind,omitempty"`

	// Args are the rule's words:
	//
	//	status <code>...             one of these codes; "2xx" stands for a class
	//	cookie <name>...             one of these cookies is set, and not cleared; "*" stands for any text
	//	location <path>...           the answer leads to one of these; "*" stands for any text
	//	json <path> [<value>...]     the JSON answer has this member, neither null nor false nor empty, or with one of these values
	//	page <path>                  this page answers 200 to the session the login gave; {user} in it is the name that was typed
	//	whoami                       the whoami page names somebody
	Args []string `json:"args,omitempty"`
}

// Whoami is a page of the backend that names the user of a session.
type Whoami struct {
	// Path is requested with GET and the session's cookies only.
	Path string `json:"path,omitempty"`

	// JSON is where in the JSON answer the name stands ("data.user.email").
	JSON string `json:"json,omitempty"`
}
