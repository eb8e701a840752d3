package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/biopass"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/store"
)

// Biopass is what all sites share of it: four typed words that tell whether
// it is the same typist. A site turns it on.
type Biopass struct {
	// Words is how many words a line has, 4 to 6. Default: 4.
	Words int `json:"words,omitempty"`
	// Attempts is how many tries there are in all, never under 3. Default: 3.
	Attempts int `json:"attempts,omitempty"`
	// AfterFailures is what follows them: "approval" (default), or "lock",
	// which locks the user in that application.
	AfterFailures string `json:"after_failures,omitempty"`
	// Level is "convenient", "balanced" (default) or "strict"; the error rates
	// of each stand in docs/biopass.md.
	Level string `json:"level,omitempty"`
	// Levels are those of kinds of devices (tablet, computer, other)
	// that differ from Level: each kind's keyboards err at rates of their own.
	Levels map[access.Kind]string `json:"levels,omitempty"`
	// Trial records what would have happened and lets people begin again: to
	// see how it goes before it counts. It stops nobody from trying on.
	Trial bool `json:"trial,omitempty"`
	// Retain is how long prints that are not used are kept. Default: 400d.
	Retain caddy.Duration `json:"retain,omitempty"`
	// Model is a file of weights learnt on data of one's own.
	Model string `json:"model,omitempty"`
}

// SiteBiopass is what a site says of Biopass.
type SiteBiopass struct {
	// Mode is "always" (each sign-in), "required" or "optional" (enrolment at
	// the first allowed sign-in, and typing where the policy says biopass) or
	// "off". Default: optional where the policy says biopass anywhere, else
	// off.
	Mode string `json:"mode"`
	// SkipUntil is a day, "2027-01-31", until whose end required enrolment may
	// be put off.
	SkipUntil string `json:"skip_until,omitempty"`
	// Every is how long a match (a passkey, an approval) holds on a device with
	// "always" where no login is watched: then words are asked again. From 15m
	// to 30d. Default: 12h. With a login each sign-in is typed, and nothing else
	// counts.
	Every caddy.Duration `json:"every,omitempty"`
	// Passkey lets people confirm a sign-in with a passkey of theirs in the
	// place of typing. It needs the gate's pages on a host of their own, by
	// `console` or `intercept`. Default: typing alone counts.
	Passkey bool `json:"passkey,omitempty"`
}

func (b *Biopass) policy() biopass.Policy {
	if b == nil {
		return biopass.Policy{}
	}
	return biopass.Policy{Level: b.Level, Levels: b.Levels, Attempts: b.Attempts, Lock: b.AfterFailures == "lock", Trial: b.Trial}
}

func (b *Biopass) validate() error {
	if b == nil {
		return nil
	}
	switch b.AfterFailures {
	case "", "approval", "lock":
	default:
		return fmt.Errorf("biopass: after_failures does not know %q: write approval or lock", b.AfterFailures)
	}
	if b.Words != 0 && (b.Words < 4 || b.Words > 6) {
		return errors.New("biopass: words takes 4, 5 or 6")
	}
	if err := b.policy().Check(); err != nil {
		return fmt.Errorf("biopass: %w", err)
	}
	return nil
}

// mode is what Biopass does on a site.
func (h *Handler) mode() biopass.Mode {
	if h.Biopass != nil {
		return biopass.Mode(h.Biopass.Mode)
	}
	if u := h.Unknown; u != nil && (u.Device == "biopass" || u.Place == "biopass" || u.Browser == "biopass" || u.Combination == "biopass") {
		return biopass.Optional
	}
	return biopass.Off
}

func (h *Handler) validateBiopass() error {
	if h.Badge && (h.Login == nil || h.mode() == biopass.Off) {
		return errors.New("badge needs a login block, and Biopass to guard it: `biopass optional`")
	}
	b := h.Biopass
	if b == nil {
		return nil
	}
	if b.Passkey && biopass.Mode(b.Mode) == biopass.Off {
		return errors.New("biopass off takes no passkey: with it off nobody confirms anything")
	}
	switch biopass.Mode(b.Mode) {
	case biopass.Off, biopass.Optional, biopass.Required:
		if b.Every != 0 {
			return fmt.Errorf("biopass %s takes no `every`: it is for `biopass always`", b.Mode)
		}
	case biopass.Always:
		if err := h.validateAlways(); err != nil {
			return err
		}
	default:
		return fmt.Errorf("biopass does not know %q: write always, required, optional or off", b.Mode)
	}
	_, err := b.skipUntil()
	return err
}

// validateAlways finds whom `biopass always` could never ask: who is no person,
// and has no sign-in either.
func (h *Handler) validateAlways() error {
	sources := h.named
	if h.IdentitiesRaw != nil { // not loaded yet
		sources = sourceNames(h.IdentitiesRaw)
	}
	device := slices.Contains(sources, "device")
	named := len(sources) > 0 && !device
	every := time.Duration(h.Biopass.Every)
	switch {
	case device:
		return errors.New("biopass always cannot stand beside `identity device`: a device alone is nobody who could type; leave one of them out")
	case h.Login == nil && !named:
		return errors.New("biopass always needs to know who comes: write a login block (`login /login`), or `identity header`, `placeholder`, `basic` or `jwt`")
	case every != 0 && !named:
		return errors.New("biopass always takes no `every` with a login block: each sign-in is typed; leave it out")
	case every != 0 && (every < biopass.LeastEvery || every > biopass.MostEvery):
		return errors.New("biopass always every takes 15m to 30d: `biopass always every 12h`")
	}
	return nil
}

// every is how long a confirmation holds where no sign-in is watched; 0 where
// nobody is asked so.
func (h *Handler) every() time.Duration {
	switch {
	case h.mode() != biopass.Always || len(h.sources) == 0:
		return 0
	case h.Biopass.Every == 0:
		return biopass.DefaultEvery
	}
	return time.Duration(h.Biopass.Every)
}

// skipUntil is the end of the day named, zero where there is none.
func (b *SiteBiopass) skipUntil() (time.Time, error) {
	if b == nil || b.SkipUntil == "" {
		return time.Time{}, nil
	}
	day, err := time.ParseInLocation("2006-01-02", b.SkipUntil, time.Local)
	if err != nil {
		return day, fmt.Errorf("biopass: %q is no day: write 2027-01-31", b.SkipUntil)
	}
	return day.AddDate(0, 0, 1), nil
}

// newBiopass makes the service for all sites.
func (run *running) newBiopass() (*biopass.Service, error) {
	a := run.app
	c := biopass.Config{
		Books: run.state.books, Ring: run.state.keys, Policy: a.Biopass.policy(), Languages: a.Languages, Log: a.log,
		Application: func(name string) biopass.Application {
			s := run.siteNamed(name)
			if s == nil {
				return biopass.Application{Name: name, Mode: biopass.Off}
			}
			until, _ := s.handler.Biopass.skipUntil() // validated
			return biopass.Application{Name: name, Mode: s.handler.mode(), SkipUntil: until, Every: s.handler.every()}
		},
		Count:    countTyping,
		Passkeys: run.passkeys,
		Grant:    run.biopassGrant, LockOut: run.biopassLock, AskAdmin: run.biopassAsk, Onward: run.biopassOnward,
	}
	if b := a.Biopass; b != nil {
		c.Words, c.Retain = b.Words, time.Duration(b.Retain)
		if b.Model != "" {
			f, err := os.Open(caddy.NewReplacer().ReplaceKnown(b.Model, ""))
			if err != nil {
				return nil, fmt.Errorf("opening the Biopass model: %w", err)
			}
			model, err := biopass.LoadModel(f)
			if err = errors.Join(err, f.Close()); err != nil {
				return nil, err
			}
			c.Model = model
		}
	}
	return biopass.New(c)
}

func (run *running) siteNamed(name string) *site {
	for _, s := range run.sites {
		if s.name == name {
			return s
		}
	}
	return nil
}

// biopassHolder is the one who came to type, and the request that waits for
// them, if there is one.
func (run *running) biopassWaiting(ctx context.Context, e biopass.Errand) (approvals.AccessRequest, error) {
	ask, err := run.approvals.ForHolder(ctx, e.Application, e.Device.ID, e.Login)
	if errors.Is(err, approvals.ErrNotFound) || (err == nil && ask.Person.User != e.Person.User) {
		return approvals.AccessRequest{}, nil
	}
	return ask, err
}

func askOf(e biopass.Errand) approvals.Ask {
	return approvals.Ask{
		Application: e.Application, Person: e.Person, Device: e.Device, Browser: e.Browser, Place: e.Place,
		New: e.New, Asked: access.Approval, LoginID: e.Login, Language: e.Language,
	}
}

// biopassRule is what a match makes of an errand: a rule about exactly this
// connection. approvals.ErrWidth where the connection cannot be named.
func (s *site) biopassRule(e biopass.Errand, now time.Time) (access.Rule, error) {
	rule, err := approvals.RuleFor(
		approvals.AccessRequest{Application: e.Application, Person: e.Person, Device: e.Device, Browser: e.Browser, Place: e.Place},
		approvals.WidthConnection, now.Add(biopass.GrantFor), "biopass", s.policy.SamePlace, s.policy.SameBrowser)
	rule.ID, rule.Created = books.NewID(now), now
	return rule, err
}

// biopassGrant authorises the connection of somebody who typed like
// themselves. Where a request waits it is approved, and so its page opens.
func (run *running) biopassGrant(ctx context.Context, e biopass.Errand) error {
	now := time.Now()
	ask, err := run.biopassWaiting(ctx, e)
	if err != nil {
		return err
	}
	defer run.state.gate.Forget(e.Application, e.Person.User)
	if ask.ID != "" && ask.State == approvals.Waiting {
		_, err := run.approvals.ApproveAs(ctx, e.Application, ask.ID, "biopass", now.Add(biopass.GrantFor), nil)
		return err
	}
	s := run.siteNamed(e.Application)
	if e.Why != biopass.WhyPolicy || s == nil {
		return nil
	}
	rule, err := s.biopassRule(e, now)
	if err != nil {
		return err
	}
	return run.state.store.Apply(ctx, store.Batch{Writes: append(run.state.books.Rules.Put(rule),
		run.state.books.Audit.Write(books.Entry{
			At: now, Who: "biopass", From: e.Place.Address.String(), Via: "biopass", What: "approve", Application: e.Application,
			Subject: e.Person.User, Detail: map[string]string{"width": string(approvals.WidthConnection), "rule": rule.ID, "until": rule.Until.UTC().Format(time.RFC3339)},
		}),
	)})
}

func (run *running) biopassLock(ctx context.Context, e biopass.Errand) error {
	_, err := run.state.gate.Treat(ctx, e.Person.User, e.Application, gate.TreatLocked, "Biopass did not match", gate.By{
		Who: "biopass", From: e.Place.Address.String(), Via: "gate",
	})
	return err
}

func (run *running) biopassAsk(ctx context.Context, e biopass.Errand) error {
	_, opened, err := run.approvals.Open(ctx, askOf(e))
	if errors.Is(err, approvals.ErrTooMany) {
		err = nil
	}
	if opened {
		countRequest(e.Application)
	}
	return err
}

// biopassOnward finds the answer that is held for an errand's sign-in.
func (run *running) biopassOnward(ctx context.Context, e biopass.Errand) (biopass.Onward, error) {
	on := biopass.Onward{Continue: e.Origin + e.Back, SignIn: e.Origin + "/"}
	s := run.siteNamed(e.Application)
	if e.Login == "" || s == nil || s.watching() == nil {
		return on, nil
	}
	w := s.watching()
	held, ok, err := w.Held(ctx, e.Device.ID)
	switch {
	case err != nil:
		return on, err
	case ok && held.Login.ID == e.Login && held.Token:
		on.Again = true
		return on, run.biopass.Repeat(ctx, e)
	case ok && held.Login.ID == e.Login:
		on.Action, on.Ticket, on.Redirects = e.Origin+held.Action, held.Ticket, held.Redirects
	case !w.Bound(ctx, e.Login):
		on.Again = true // the answer that was held is gone
	}
	return on, nil
}

// serveBiopass is the page on the gate's host. A ticket in the address becomes
// a cookie and leaves the address.
func (run *running) serveBiopass(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Path == biopass.BasePath && r.URL.Query().Get(ticketQuery) != "" {
		return run.takeTicket(w, r, biopass.BasePath)
	}
	t, s, ok := run.ticketOf(r)
	if !ok {
		return run.lost(w, r)
	}
	s.serveTyping(w, r, t.Device)
	return nil
}

// serveTyping hands a request to the pages of Biopass, for a device that was
// told before its cookies were taken off.
func (s *site) serveTyping(w http.ResponseWriter, r *http.Request, device string) {
	ctx := context.WithValue(r.Context(), typistKey{}, biopass.Holder{Application: s.name, DeviceID: device, Waiting: approvals.WaitPath})
	s.run.typing.ServeHTTP(w, r.WithContext(ctx))
}

type typistKey struct{}

func typistOf(r *http.Request) (biopass.Holder, bool) {
	h, ok := r.Context().Value(typistKey{}).(biopass.Holder)
	return h, ok && h.DeviceID != ""
}

func isBiopass(path string) bool {
	return path == biopass.BasePath || strings.HasPrefix(path, biopass.BasePath+"/")
}
