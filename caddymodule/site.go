package caddymodule

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/fingerprint"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/identity"
	"github.com/cadenas-gateway/cadenas/passkey"
)

// site is a handler at work: what the configuration says, joined with the
// state.
type site struct {
	name    string
	sum     uint64 // of the name, under the seed of familiar requests
	run     *running
	handler *Handler
	policy  access.Policy
	login   atomic.Pointer[loginAtWork]
	lesson  atomic.Pointer[identity.Lesson] // a login is being taught here
	reader  *fingerprint.Reader
	exempt  map[string]bool
	groups  map[string]bool
	waiting http.Handler
	gate    string                 // where waiting pages stand; empty for in place
	host    string                 // the first of the site's; empty where it has none
	seen    atomic.Pointer[string] // its address, as one that was let in called it
	keys    *passkey.Party         // asks for users' passkeys; nil where none count
	log     *slog.Logger
	loose   looseOnce
	habit   atomic.Pointer[habit]
	// offers are those who have nothing to be offered for now.
	offers recollection
	// confirmations are those of `biopass always` where no login is watched.
	confirmations recollection
	lock          gate.Lock
}

func newSite(run *running, h *Handler, name string) (*site, error) {
	policy, err := h.policy()
	if err != nil {
		return nil, err
	}
	s := &site{
		name: name, run: run, handler: h, policy: policy, reader: run.state.reader,
		exempt: map[string]bool{}, groups: map[string]bool{}, gate: h.Intercept,
		log: run.app.log.With("application", name),
	}
	if s.gate == "" {
		s.gate = run.app.Console
	}
	s.gate = strings.TrimSuffix(s.gate, "/")
	if s.keys, err = run.newParty(h, name, s.gate); err != nil {
		return nil, err
	}
	if h.Exempt != nil {
		for _, u := range h.Exempt.User {
			user, err := identity.Canonical(u)
			if err != nil {
				return nil, err
			}
			s.exempt[user] = true
		}
		for _, g := range h.Exempt.Group {
			s.groups[g] = true
		}
	}
	if err := s.readLogin(context.Background()); err != nil {
		return nil, err
	}
	s.readLesson(context.Background())
	s.waiting = run.approvals.WaitHandler(holderOf, run.app.stopping)
	s.configure(run.state.gate)
	s.lock = run.state.gate.Lock(name)
	s.sum = maphash.String(run.familiar.seed, name)
	return s, nil
}

// probe makes a request of our own go through the routes like one that came
// in: with a Replacer and variables of its own (tried: on the parent's
// context `handle` blocks are skipped).
func probe(p, parent *http.Request, w http.ResponseWriter) *http.Request {
	server, _ := parent.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	return caddyhttp.PrepareRequest(p, caddy.NewReplacer(), w, server)
}

// canClose says why the padlock cannot be closed yet.
func (s *site) canClose() error {
	if w := s.watching(); w != nil {
		return w.CanClose()
	}
	return nil
}

func (h *Handler) policy() (access.Policy, error) {
	var p access.Policy
	var err error
	if u := h.Unknown; u != nil {
		for _, f := range []struct {
			word, text string
			into       *access.Answer
		}{{"device", u.Device, &p.Device}, {"place", u.Place, &p.Place}, {"browser", u.Browser, &p.Browser}, {"combination", u.Combination, &p.Combination}} {
			if f.text == "" {
				continue
			}
			if *f.into, err = access.ParseAnswer(f.text); err != nil {
				return p, errors.Join(errors.New("unknown "+f.word), err)
			}
		}
	}
	if h.Same != nil {
		for _, text := range h.Same.Place {
			one, err := access.ParseSame(text)
			if err != nil {
				return p, errors.Join(errors.New("same place"), err)
			}
			p.SamePlace = append(p.SamePlace, one)
		}
		p.SameBrowser = access.SameBrowser(h.Same.Browser)
	}
	return p, nil
}

func (h *Handler) watcherConfig(name string) identity.Config {
	c := identity.Config{
		Application: name, Public: h.Public, Unbound: h.Unbound, Hold: time.Duration(h.Hold),
		CookieDomain: h.CookieDomain, KeepAuthorization: h.authorization,
	}
	l := h.Login
	if l == nil {
		return c
	}
	c.Path, c.User, c.Session, c.Token, c.Logout, c.Second = l.Path, l.User, l.Session, l.Token, l.Logout, l.Second
	for _, words := range l.Success {
		if len(words) == 0 {
			continue
		}
		c.Success = append(c.Success, identity.Success{Kind: words[0], Args: words[1:]})
	}
	if l.Whoami != nil {
		c.Whoami = identity.Whoami{Path: l.Whoami.Path, JSON: l.Whoami.Name}
	}
	return c
}

// followRequests ends the held logins of requests that were refused or taken
// back, whoever decided on whichever instance.
func (s *site) followRequests(ctx context.Context) {
	told := false
	for ctx.Err() == nil {
		changes, err := s.run.approvals.Subscribe(ctx, s.name, "")
		if err == nil {
			told = false
			for ask := range changes {
				s.followed(ctx, ask)
			}
		} else if !told && ctx.Err() == nil {
			told = true
			s.log.Error("requests are not followed; this is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (s *site) followed(ctx context.Context, ask approvals.AccessRequest) {
	switch ask.State {
	case approvals.Refused, approvals.Cancelled, approvals.Expired:
	default:
		return
	}
	for _, id := range append(ask.Logins, ask.LoginID) {
		if id == "" {
			continue
		}
		w := s.watching()
		if w == nil {
			return
		}
		if err := w.End(ctx, id); err != nil && ctx.Err() == nil {
			s.log.Error("a refused sign-in could not be ended", "error", err)
		}
	}
}

// origin is how the browser calls this host: "https://app.example.com".
func origin(r *http.Request) string {
	scheme := "http"
	if isHTTPS(r) {
		scheme = "https"
	}
	return (&url.URL{Scheme: scheme, Host: r.Host}).String()
}
