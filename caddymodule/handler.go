package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cadenas-gateway/cadenas/identity"
)

func init() {
	caddy.RegisterModule(new(Handler))
}

// Handler stands in front of one application. It learns who is behind a
// request, asks the gate, and forwards, or shows the page on which one waits.
type Handler struct {
	// Application names the site in stores, rules and pages. Default: the
	// first host of the site.
	Application string `json:"application,omitempty"`
	// Login is the backend's own login form to watch.
	Login *Login `json:"login,omitempty"`
	// IdentitiesRaw are the other identity sources, asked in order. With
	// neither these nor a login: the user that Caddy's own authentication
	// set, else the device alone.
	IdentitiesRaw []json.RawMessage `json:"identity,omitempty" caddy:"namespace=cadenas.identities inline_key=source"`
	// Public are paths, with query, on which sessions that nobody signed into
	// reach the backend although the padlock is closed.
	Public []string `json:"public,omitempty"`
	// Exempt never waits.
	Exempt *Exempt `json:"exempt,omitempty"`
	// Unknown is the policy for what is new. Default: approval for each.
	Unknown *Unknown `json:"unknown,omitempty"`
	// Same says what is compared.
	Same *Same `json:"same,omitempty"`
	// Biopass says when four words are typed. Default: where the policy says
	// biopass, enrolment being offered at the first allowed sign-in.
	Biopass *SiteBiopass `json:"biopass,omitempty"`
	// Badge puts a small mark on the backend's login page that says that
	// Biopass guards it.
	Badge bool `json:"badge,omitempty"`
	// Padlock pins the padlock "open" or "closed". Default: console and
	// command line turn it.
	Padlock string `json:"padlock,omitempty"`
	// GrantFor is the end that approvals propose. Default: none.
	GrantFor caddy.Duration `json:"grant_for,omitempty"`
	// Self is the second channel over which one may authorise oneself: sms,
	// mail or off. Default: admins may, over any channel that reaches them.
	Self string `json:"self,omitempty"`
	// Hold keeps a login by script open this long instead of refusing it at
	// once. Default: 0.
	Hold caddy.Duration `json:"hold,omitempty"`
	// Unbound says what becomes of sessions from before the gate while the
	// padlock is open: "adopt" (default) or "relogin".
	Unbound string `json:"unbound,omitempty"`
	// CookieDomain is the parent domain that several sites share sessions on.
	CookieDomain string `json:"cookie_domain,omitempty"`
	// Intercept is the host on which waiting pages stand. Default: the
	// console's, if there is one; else they stand in place.
	Intercept string `json:"intercept,omitempty"`
	// FactorsHeader is a header that tells the backend which steps were
	// passed: "login", "login approval", "login biopass".
	FactorsHeader string `json:"factors_header,omitempty"`

	app     *App
	ctx     caddy.Context
	sources []identity.Source
	// named are the identity sources that the configuration names; Caddy empties
	// IdentitiesRaw when it loads them.
	named []string
	// biopassAt is where the Caddyfile says `biopass`, for what is wrong with it
	// together with other words.
	biopassAt caddyfile.Dispenser
	device    bool // where no source names a user, the device is the user
	trusted   []string
	aliases   *identity.Aliases // headers of ours, and those we believe, under other names
	peers     *peersOnly
	server    *caddyhttp.Server // where it stands; nil where Caddy does not tell
	// authorization says that a source reads the Authorization header.
	authorization bool
	matcher       exemptPaths
	site          atomic.Pointer[site]
}

// Login is the backend's login form.
type Login struct {
	// Path is where the form is posted to.
	Path string `json:"path"`
	// User is the form field, or JSON path, of the user's name. Default:
	// found out.
	User string `json:"user,omitempty"`
	// Session are the names of session cookies, "*" stands for any text.
	// Default: the HttpOnly cookies of the login's answer.
	Session []string `json:"session,omitempty"`
	// Token is the JSON path of a token in the login's answer.
	Token string `json:"token,omitempty"`
	// Success are rules about the answer to a right password, a list of words
	// each: ["status", "303"].
	Success [][]string `json:"success,omitempty"`
	// Second are the paths of a second step that the backend asks for after
	// the password: nobody is signed in before it was passed.
	Second []string `json:"second,omitempty"`
	// Whoami is a page of the backend that names the user of a session.
	Whoami *Whoami `json:"whoami,omitempty"`
	// Logout is the path that signs out.
	Logout string `json:"logout,omitempty"`
}

// Whoami is a page of the backend that names the user of a session.
type Whoami struct {
	Path string `json:"path"`
	// Name is the JSON path of the name in the answer.
	Name string `json:"name"`
}

// Exempt is what never waits.
type Exempt struct {
	Path  []string `json:"path,omitempty"`
	User  []string `json:"user,omitempty"`
	Group []string `json:"group,omitempty"`
}

// Unknown is the policy for what is new: allow, biopass, approval or refuse.
type Unknown struct {
	Device      string `json:"device,omitempty"`
	Place       string `json:"place,omitempty"`
	Browser     string `json:"browser,omitempty"`
	Combination string `json:"combination,omitempty"`
}

// Same says what is compared.
type Same struct {
	// Place is any of address, network, city, country, owner. Default: the
	// network's name, else city with owner, else country with owner, else the
	// prefix.
	Place []string `json:"place,omitempty"`
	// Browser is family (default) or version.
	Browser string `json:"browser,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.cadenas", New: func() caddy.Module { return new(Handler) }}
}

// Provision prepares the handler; the store is not opened yet.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.ctx = ctx
	app, err := ctx.App("cadenas")
	if err != nil {
		return err
	}
	h.app = app.(*App)
	repl := caddy.NewReplacer()
	h.Intercept = repl.ReplaceKnown(h.Intercept, "")
	if h.IdentitiesRaw != nil {
		h.named = sourceNames(h.IdentitiesRaw)
		mods, err := ctx.LoadModule(h, "IdentitiesRaw")
		if err != nil {
			return fmt.Errorf("loading identity: %w", err)
		}
		for _, m := range mods.([]any) {
			if _, ok := m.(*DeviceAlone); ok {
				h.device = true
				continue
			}
			if t, ok := m.(trusting); ok {
				h.trusted, h.peers = append(h.trusted, t.Trusts()...), new(peersOnly)
			}
			if a, ok := m.(authorized); ok {
				h.authorization = h.authorization || a.readsAuthorization()
			}
			h.sources = append(h.sources, m.(identity.Source))
		}
	}
	if h.Login == nil && len(h.sources) == 0 && !h.device {
		h.sources, h.device = []identity.Source{caddyUser{}}, true
	}
	ours := []string{explainHeader, reasonHeader}
	if h.FactorsHeader != "" {
		ours = append(ours, h.FactorsHeader)
	}
	h.aliases = identity.NewAliases(ours, h.trusted)
	if h.matcher, err = newExemptPaths(h.Exempt); err != nil {
		return err
	}
	if err := h.validate(); err != nil {
		return err
	}
	h.server, _ = ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	h.lay()
	h.app.register(h)
	return nil
}

// sourceNames are the words that follow `identity` in a configuration.
func sourceNames(raw []json.RawMessage) []string {
	var names []string
	for _, r := range raw {
		var named struct{ Source string }
		if json.Unmarshal(r, &named) == nil {
			names = append(names, named.Source)
		}
	}
	return names
}

// validate finds what the Caddyfile would have refused, in JSON too.
func (h *Handler) validate() error {
	if h.Application == "_" {
		return fmt.Errorf("application %q is taken: use the site's host or a short word", h.Application)
	}
	if err := h.validateBiopass(); err != nil {
		return err
	}
	_, err := h.policy()
	return err
}

// ServeHTTP reads, asks once, and does what the verdict says.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	deepen(false)
	s, err := h.ready()
	if err != nil {
		identity.Bare(r) // whatever comes after an error sees no credentials
		return caddyhttp.Error(http.StatusServiceUnavailable, fmt.Errorf("cadenas: %w", err))
	}
	if h.Badge {
		next = h.badged(next)
	}
	if s.lesson.Load() != nil {
		next = s.teaching(next, r)
	}
	return s.serve(w, r, next)
}

// ready returns what the handler works with; the app may start after the
// server whose requests come here.
func (h *Handler) ready() (*site, error) {
	if s := h.site.Load(); s != nil {
		return s, nil
	}
	if _, err := h.app.open(); err != nil {
		return nil, err
	}
	if s := h.site.Load(); s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("application is not ready")
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
