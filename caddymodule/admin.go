package caddymodule

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"

	adminui "github.com/cadenas-gateway/cadenas/admin-ui"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/identity"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/store"
)

func init() {
	caddy.RegisterModule(AdminAPI{})
}

// AdminAPI is what an admin can do, through Caddy's admin endpoint:
// POST /cadenas/<verb> with a JSON object of words, answered with JSON. The
// endpoint is open to every local process, so each call bears the secret of
// a file that only the owner of the data folder can read.
type AdminAPI struct{}

// CaddyModule returns the Caddy module information.
func (AdminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.cadenas", New: func() caddy.Module { return new(AdminAPI) }}
}

// Routes returns the one route.
func (a AdminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: "/cadenas/", Handler: caddy.AdminHandlerFunc(a.serve)}}
}

// current is the app that runs.
var current atomic.Pointer[App]

func setCurrent(a *App)   { current.Store(a) }
func clearCurrent(a *App) { current.CompareAndSwap(a, nil) }

// call is one use of the admin API.
type call struct {
	*running
	words map[string]string
	body  io.Reader
	w     http.ResponseWriter
	by    gate.By
}

// word returns a word that must be there.
func (c *call) word(name string) (string, error) {
	if v := c.words[name]; v != "" {
		return v, nil
	}
	return "", badWords("%s is missing", name)
}

// wordError is a mistake in what was asked; exit code 2 at the command line.
type wordError struct{ msg string }

func (e *wordError) Error() string { return e.msg }

// unknownVerb is a verb that there is none of.
type unknownVerb string

func (v unknownVerb) Error() string { return fmt.Sprintf("there is no verb %q", string(v)) }

func badWords(format string, args ...any) error { return &wordError{fmt.Sprintf(format, args...)} }

func (AdminAPI) serve(w http.ResponseWriter, r *http.Request) error {
	if !bearsSecret(r) {
		return caddy.APIError{HTTPStatus: http.StatusUnauthorized, Err: errors.New("the secret is missing or wrong: run the command as the user that runs Caddy")}
	}
	app := current.Load()
	if app == nil {
		return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: errors.New("cadenas is not running in this Caddy")}
	}
	verb := strings.TrimPrefix(r.URL.Path, "/cadenas/")
	do, ok := verbs[verb]
	if !ok {
		return (&call{running: &running{app: app}, w: w}).fail(unknownVerb(verb))
	}
	if r.Method != http.MethodPost {
		return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: errors.New("use POST")}
	}
	run, err := app.open()
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: err}
	}
	c := &call{running: run, w: w, body: r.Body, words: map[string]string{}, by: gate.By{Who: "command line", From: calledFrom(r), Via: approvals.ViaCommand}}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&c.words); err != nil {
			return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: fmt.Errorf("reading the words: %w", err)}
		}
	} else {
		for k, v := range r.URL.Query() {
			c.words[k] = v[0]
		}
	}
	if who := c.words["by"]; who != "" {
		c.by.Who = who
	}
	answer, err := do(r.Context(), c)
	if err != nil {
		return c.fail(err)
	}
	if unkept[verb] {
		app.log.Info("done by command line", "verb", verb, "application", c.words["app"], "subject", c.subject(), "by", c.by.Who)
	}
	if answer == nil {
		return nil // written already
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(answer)
}

// calledFrom is where a call came from: Caddy's admin endpoint can be made to
// listen beyond this machine.
func calledFrom(r *http.Request) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || at.Addr().Unmap().IsLoopback() {
		return "local" // a Unix socket has no address
	}
	return at.Addr().Unmap().String()
}

// unkept are the verbs that do something which the activity does not keep; what
// it keeps is logged as it is written (see state.wrote).
var unkept = map[string]bool{"notify-test": true, "login-teach": true, "login-again": true, "login-try": true, "login-stop": true}

// subject is what a call is about, as its words name it.
func (c *call) subject() string {
	for _, word := range []string{"name", "user", "id", "email", "admin"} {
		if v := c.words[word]; v != "" {
			return v
		}
	}
	return ""
}

// fail answers with what went wrong. A mistake of who asks is theirs to read
// and no error of the server's: Caddy would log every one that is returned.
func (c *call) fail(err error) error {
	status := statusOf(err)
	if status >= http.StatusInternalServerError {
		return caddy.APIError{HTTPStatus: status, Err: err}
	}
	c.running.app.log.Info("refused to the command line", "error", err)
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	return json.NewEncoder(c.w).Encode(map[string]string{"error": lang.Inert(err.Error(), 0)})
}

func statusOf(err error) int {
	var words *wordError
	var decided *approvals.DecidedError
	var unknown unknownVerb
	var nobody unknownName
	switch {
	case errors.As(err, &words):
		return http.StatusBadRequest
	case errors.As(err, &unknown), errors.As(err, &nobody):
		return http.StatusNotFound
	case errors.Is(err, store.ErrNotFound), errors.Is(err, approvals.ErrNotFound):
		return http.StatusNotFound
	case errors.As(err, &decided), errors.Is(err, gate.ErrPinned), errors.Is(err, adminui.ErrPadlockClosed), errors.Is(err, identity.ErrLessonOther), errors.Is(err, identity.ErrLessonStep):
		return http.StatusConflict
	case errors.Is(err, context.Canceled):
		return 499
	}
	return http.StatusUnprocessableEntity
}

// secretPath is the file with the command line's secret.
func secretPath() string { return filepath.Join(dataFolder(), "command-line.secret") }

// adminSecret returns the command line's secret, made at first use.
func adminSecret() (string, error) {
	b, err := os.ReadFile(secretPath())
	if err == nil && len(b) >= 64 {
		return strings.TrimSpace(string(b)), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("reading the command line's secret: %w", err)
	}
	var raw [32]byte
	rand.Read(raw[:])
	text := hex.EncodeToString(raw[:])
	if err := os.MkdirAll(dataFolder(), 0o700); err != nil {
		return "", fmt.Errorf("making the data folder: %w", err)
	}
	if err := os.WriteFile(secretPath(), []byte(text+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("writing the command line's secret: %w", err)
	}
	return text, nil
}

func bearsSecret(r *http.Request) bool {
	want, err := adminSecret()
	if err != nil {
		return false
	}
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return ok && subtle.ConstantTimeCompare([]byte(given), []byte(want)) == 1
}

// Interface guards
var _ caddy.AdminRouter = (*AdminAPI)(nil)
