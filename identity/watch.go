package identity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// storePatience bounds a store write that an answer waits for.
const storePatience = 5 * time.Second

// defaultMaxBody is Config.MaxBody's default.
const defaultMaxBody = 1 << 20

// Watcher watches the login of one application. All methods may be called by
// several goroutines at once.
type Watcher struct {
	cfg   Config
	deps  Deps
	clock func() time.Time
	log   *slog.Logger

	login   target
	logout  *target
	public  []target
	second  []target
	tokens  []target
	names   *names
	logins  *logins
	values  *values
	taken   *taken
	streams *streams
	asked   *otter.Cache[string, time.Time]
	doubts  *otter.Cache[string, doubt]
	warned  sync.Map
}

// NewWatcher checks cfg and makes a watcher. It reads nothing from the store
// before the first request.
func NewWatcher(cfg Config, deps Deps) (*Watcher, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if deps.Books == nil || deps.Ring == nil {
		return nil, errors.New("a login watcher needs books and a ring")
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = defaultMaxBody
	}
	if cfg.HeldFor == 0 {
		cfg.HeldFor = heldFor
	}
	if cfg.Idle == 0 {
		cfg.Idle = books.LoginIdle
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Minute
	}
	w := &Watcher{cfg: cfg, deps: deps, clock: deps.Clock, log: deps.Log, login: parseTarget(cfg.Path), streams: newStreams(deps.Cut)}
	if w.clock == nil {
		w.clock = time.Now
	}
	if w.log == nil {
		w.log = slog.Default()
	}
	if cfg.Logout != "" {
		t := parseTarget(cfg.Logout)
		w.logout = &t
	}
	for _, p := range cfg.Public {
		w.public = append(w.public, parseTarget(p))
	}
	for _, p := range cfg.Second {
		w.second = append(w.second, parseTarget(p))
	}
	for _, p := range cfg.TokenPaths {
		w.tokens = append(w.tokens, parseTarget(p))
	}
	var err error
	if w.names, err = newNames(cfg, deps.Books.Store); err != nil {
		return nil, err
	}
	if w.logins, err = newLogins(cfg.Application, deps.Books, w.clock, cfg.Idle); err != nil {
		return nil, err
	}
	if w.values, err = newValues(cfg.Application, deps.Books.Store, deps.Ring, w.clock, valueLife(cfg.Idle)); err != nil {
		return nil, err
	}
	w.taken = &taken{application: cfg.Application, st: deps.Books.Store, clock: w.clock, life: valueLife(cfg.Idle)}
	w.asked, err = otter.New(&otter.Options[string, time.Time]{MaximumSize: remembered})
	if err != nil {
		return nil, fmt.Errorf("making the memory of whoami: %w", err)
	}
	if w.doubts, err = otter.New(&otter.Options[string, doubt]{MaximumSize: remembered}); err != nil {
		return nil, fmt.Errorf("making the memory of doubts: %w", err)
	}
	return w, nil
}

func (c Config) check() error {
	if c.Application == "" {
		return errors.New("login: no application is named")
	}
	for _, p := range append([]string{c.Path}, c.paths()...) {
		if !strings.HasPrefix(p, "/") && !strings.HasPrefix(p, "*") {
			return &WordsError{"no_path", p, fmt.Sprintf("login: %q is no path: it must begin with /", p)}
		}
	}
	for _, s := range c.Success {
		switch s.Kind {
		case "status", "cookie", "location", "json":
			if len(s.Args) == 0 {
				return &WordsError{"success_empty", s.Kind, fmt.Sprintf("login: success %s says nothing: write what it must be", s.Kind)}
			}
		case "page":
			if len(s.Args) != 1 || !strings.HasPrefix(s.Args[0], "/") {
				return &WordsError{"success_page", "", "login: success page takes one path that only those who signed in can see: `success page /account`"}
			}
			if _, err := url.ParseRequestURI(pagePath(s.Args[0], "user")); err != nil {
				return &WordsError{"success_page_path", s.Args[0], fmt.Sprintf("login: success page %q is no path", s.Args[0])}
			}
		case "whoami":
			if c.Whoami.Path == "" {
				return &WordsError{"success_whoami", "", "login: success whoami needs a line `whoami <path> <json path>`"}
			}
		default:
			return &WordsError{"success_unknown", s.Kind, fmt.Sprintf("login: success %q is unknown: status, cookie, location, json, page or whoami", s.Kind)}
		}
	}
	if c.Whoami.Path != "" {
		if _, err := url.ParseRequestURI(c.Whoami.Path); err != nil || c.Whoami.JSON == "" {
			return &WordsError{"whoami", "", "login: whoami needs a path and where in its JSON the name stands"}
		}
	}
	switch c.Unbound {
	case "", "adopt", "relogin":
	default:
		return fmt.Errorf("unbound %q is unknown: adopt or relogin", c.Unbound)
	}
	if c.Hold < 0 || c.Hold > 5*time.Minute {
		return errors.New("hold: at most 5m")
	}
	if c.MaxBody < 0 || c.Timeout < 0 || c.HeldFor < 0 || c.Idle < 0 {
		return errors.New("login: a limit is negative")
	}
	return nil
}

func (c Config) paths() []string {
	paths := slices.Concat(c.Public, c.Second, c.TokenPaths)
	if c.Logout != "" {
		paths = append(paths, c.Logout)
	}
	return paths
}

// Classify says what the request is to the watcher. For a POST to the login
// it reads the body, which the request then still has.
func (w *Watcher) Classify(r *http.Request, s *Session) Step {
	if s.State == books.LoginNobody && w.basicLogin(r) {
		return StepLogin
	}
	if w.login.watched(r.URL) {
		if step, ok := w.classifyLogin(r); ok {
			return step
		}
	}
	if len(w.second) > 0 && w.isSecond(r.URL) {
		if step, ok := w.classifySecond(r, s); ok {
			return step
		}
	}
	switch {
	case w.isLogout(r):
		return StepLogout
	case w.isToken(r):
		return StepToken
	case w.isPublic(r.URL):
		return StepPublic
	}
	return StepOther
}

func (w *Watcher) classifyLogin(r *http.Request) (Step, bool) {
	if _, long := r.Body.(*screened); long {
		return StepOther, false
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		// Backends that read the query as they read a form (PHP's $_REQUEST)
		// can be signed into with a GET.
		if field := w.userField(); field != "" && field != "basic" && r.Method != http.MethodOptions && queryHas(r.URL, foldField(field)) {
			return StepLogin, true
		}
		return StepOther, false
	}
	k := keep(r, w.cfg.MaxBody)
	if ticketOf(k) != "" {
		return StepRelease, true
	}
	t, err := readUser(r, k, w.userField())
	if k.err != nil || err != nil || t.user != "" {
		return StepLogin, true
	}
	return StepOther, false
}

// Words are those the watcher works with, configured and taught.
func (w *Watcher) Words() Words {
	c := w.cfg
	return Words{
		Path: c.Path, User: c.User, Session: c.Session, Token: c.Token, Success: c.Success, Whoami: c.Whoami, Logout: c.Logout, Public: c.Public,
		Second: c.Second,
	}
}

// IsLoginPath reports whether a request may be one to the login.
func (w *Watcher) IsLoginPath(r *http.Request) bool { return w.login.watched(r.URL) }

// CanClose says in words why the padlock must not be closed yet: a right
// password cannot be told from a wrong one, so nobody could come in.
func (w *Watcher) CanClose() error {
	if len(w.cfg.Success) > 0 || w.cfg.Whoami.Path != "" || w.cfg.User == "basic" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), storePatience)
	defer cancel()
	if w.names.load(ctx); w.names.known().Proved {
		return nil
	}
	return &Untaught{fmt.Sprintf("no sign-in at %s of %s has been understood yet: sign in once while the padlock is open, teach it (caddy cadenas login teach %s), or write `success` or `whoami` into its login block",
		w.cfg.Path, w.cfg.Application, w.cfg.Application)}
}

// Bound reports whether a login is bound: allowed once, and not ended since.
// What cannot be read is not bound.
func (w *Watcher) Bound(ctx context.Context, id string) bool {
	r, ok, err := w.logins.get(ctx, id, w.clock())
	return err == nil && ok && r.login.State == books.LoginBound
}

// userField is the field of the user's name, configured or learnt.
func (w *Watcher) userField() string {
	if w.cfg.User != "" {
		return w.cfg.User
	}
	return w.names.known().User
}

func ticketOf(k *keptBody) string {
	if k.err != nil || k.form.json || len(k.form.fields) != 1 || k.form.fields[0].name != TicketField {
		return ""
	}
	return k.form.fields[0].value
}

func (w *Watcher) isLogout(r *http.Request) bool { return w.logout != nil && w.logout.watched(r.URL) }

func (w *Watcher) isToken(r *http.Request) bool {
	for _, t := range w.tokens {
		if t.watched(r.URL) {
			return true
		}
	}
	return false
}

// mayBeLogin is asked of every request before its path is written as it came.
func (w *Watcher) mayBeLogin(u *url.URL) bool {
	return len(u.Path) == len(w.login.path) || u.RawPath != "" || strings.IndexByte(w.login.path, '%') >= 0
}

// isPublic reports whether nobody's session may be seen there.
func (w *Watcher) isPublic(u *url.URL) bool {
	if w.mayBeLogin(u) && u.EscapedPath() == w.login.path && plainPath(w.login.path) && w.login.watched(u) {
		return true
	}
	for _, t := range w.public {
		if t.public(u) {
			return true
		}
	}
	return w.isSecond(u)
}

// Watch is to be given every event of the application's partition, and those
// with store.ErrGap: the watcher forgets what changed, and cuts the streams
// of logins that ended elsewhere.
func (w *Watcher) Watch(e store.Event) {
	if e.Err != nil {
		w.logins.forgetAll()
		w.values.forgetAll()
		w.taken.forget()
		w.asked.InvalidateAll()
		w.names.forget()
		return
	}
	rest, ok := strings.CutPrefix(e.Key, books.Partition(w.cfg.Application)+"/")
	if !ok {
		return
	}
	kind, id, _ := strings.Cut(rest, "/")
	switch kind {
	case "login":
		w.logins.forget(id)
		if e.Value == nil {
			w.streams.endLogin(id)
		}
	case "session":
		w.values.forget(id)
	case "taken":
		w.taken.note(id, e.Value != nil)
	case "learnt":
		w.names.forget()
	}
}

// Touch writes the last use of logins, coarsely; call it every few minutes.
func (w *Watcher) Touch(ctx context.Context) error {
	// The values first: what the logins' touch writes leaves memory.
	err := w.values.touch(ctx, func(id string) bool {
		_, ok := w.logins.rows.GetIfPresent(id)
		return ok
	})
	return errors.Join(err, w.logins.touch(ctx))
}

// End ends one login: sign-out, revocation. One that has ended is no error.
func (w *Watcher) End(ctx context.Context, id string) error {
	l, err := w.deps.Books.Logins.Get(ctx, w.cfg.Application, id)
	if errors.Is(err, store.ErrNotFound) {
		w.logins.forget(id)
		return nil
	}
	if err != nil {
		return fmt.Errorf("ending a login: %w", err)
	}
	err = w.logins.end(ctx, l)
	w.streams.endLogin(id)
	return err
}

// Refuse ends a held login whose access request was refused.
func (w *Watcher) Refuse(ctx context.Context, l books.Login) error { return w.End(ctx, l.ID) }

// EndAll ends all logins of a user in the application.
func (w *Watcher) EndAll(ctx context.Context, user string) error {
	list, err := w.deps.Books.Logins.Of(ctx, w.cfg.Application, user)
	if err != nil {
		return fmt.Errorf("ending a user's logins: %w", err)
	}
	for _, l := range list {
		err = errors.Join(err, w.End(ctx, l.ID))
	}
	return err
}

// mapValue writes what became of a session value.
func (w *Watcher) mapValue(ctx context.Context, name, val string, f fate, login, device string) error {
	hashed, err := w.values.hash(ctx, name, val)
	if err != nil {
		return err
	}
	err = w.deps.Books.Store.Apply(ctx, store.Batch{Writes: []store.Write{w.values.put(hashed, f, login, device)}})
	w.values.forget(hashed)
	return err
}

func (w *Watcher) warnOnce(key, message string, args ...any) {
	if _, told := w.warned.LoadOrStore(key, true); !told {
		w.log.Warn(message, args...)
	}
}
