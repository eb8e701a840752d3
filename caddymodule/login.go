package caddymodule

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	adminui "github.com/cadenas-gateway/cadenas/admin-ui"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/identity"
	"github.com/cadenas-gateway/cadenas/store"
)

// loginAtWork is how an application's users are known at the moment: what the
// configuration says, and what it leaves out as it was taught.
type loginAtWork struct {
	watcher *identity.Watcher // nil where no login is watched
	sources []identity.Source
	device  bool // where nobody is named, the device is the user
	// taught is the login that was taught; nil where none was, or where the
	// configuration names a login at another path.
	taught *identity.Taught
}

// watching returns the login watcher of the moment, nil for none.
func (s *site) watching() *identity.Watcher { return s.login.Load().watcher }

// mayTeach says why no login can be taught here: nil where it can.
func (h *Handler) mayTeach() error {
	if h.Login == nil && len(h.named) > 0 {
		return errors.New("the Caddyfile says with `identity` who the user is: a login that is taught would not be asked")
	}
	return nil
}

// readLogin joins the configuration with the login that was taught, if one
// was. The Caddyfile wins.
func (s *site) readLogin(ctx context.Context) error {
	h, lessons := s.handler, s.run.lessons()
	at := &loginAtWork{sources: h.sources, device: h.device}
	taught, err := lessons.Taught(ctx, s.name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	config := h.watcherConfig(s.name)
	limits := s.run.app.Limits.complete()
	config.HeldFor, config.Idle = time.Duration(limits.Held), time.Duration(limits.LoginIdle)
	if err == nil && h.mayTeach() == nil {
		if joined := config.With(taught.Words); joined.Path == taught.Words.Path {
			config, at.taught = joined, &taught
			if h.Login == nil {
				at.sources, at.device = nil, false // as with a login of the Caddyfile
			}
		}
	}
	if config.Path != "" {
		at.watcher, err = identity.NewWatcher(config, identity.Deps{
			Books: s.run.state.books, Ring: s.run.state.keys, Log: s.log, Probe: probe,
			Cut: func(device, login string) { s.run.state.gate.Cut(s.name, device, login) },
		})
		if err != nil {
			return err
		}
	}
	s.login.Store(at)
	return nil
}

// readLesson notes whether a login is being taught here: requests look for a
// teaching cookie only then.
func (s *site) readLesson(ctx context.Context) {
	l, err := s.run.lessons().Get(ctx, s.name)
	if err != nil {
		s.lesson.Store(nil)
		return
	}
	s.lesson.Store(&l)
}

// heardOfLogin takes up what another request, or another instance, wrote about
// lessons and taught logins.
func (s *site) heardOfLogin(ctx context.Context, e store.Event) {
	kind := ""
	if e.Err == nil {
		_, rest, _ := strings.Cut(e.Key, "/")
		kind, _, _ = strings.Cut(rest, "/")
	}
	if e.Err != nil || kind == identity.KindLesson {
		s.readLesson(ctx)
	}
	if e.Err != nil && s.login.Load().taught == nil && s.watching() != nil && s.handler.Login != nil {
		return // nothing taught was in use: a new watcher would only forget
	}
	if e.Err != nil || kind == identity.KindTaught {
		if err := s.readLogin(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("the login that was taught could not be taken up: the one before it stays", "error", err)
		}
	}
}

// lessons are the lessons and taught logins of all applications.
func (run *running) lessons() *identity.Lessons {
	return &identity.Lessons{Books: run.state.books, Ring: run.state.keys, Log: run.app.log, Probe: probe}
}

// told says how an application's login is known.
func (s *site) told() adminui.LoginKnown {
	at := s.login.Load()
	t := adminui.LoginKnown{Application: s.name, Taught: at.taught, Closable: true, Teachable: true, Address: s.address()}
	switch h := s.handler; {
	case h.Login != nil:
		t.By = "caddyfile"
	case at.taught != nil:
		t.By = "taught"
	case len(h.named) > 0:
		t.By = "identity"
	default:
		t.By = "device"
	}
	if at.watcher != nil {
		t.Words = at.watcher.Words()
		t.Lines = t.Words.Lines()
	}
	if err := s.canClose(); err != nil {
		t.Closable, t.Cannot = false, err.Error()
	}
	if err := s.handler.mayTeach(); err != nil {
		t.Teachable, t.NotTeachable = false, err.Error()
	}
	return t
}

// keepLogin keeps a taught login, with its line in the activity, and takes it
// up at once.
func (run *running) keepLogin(ctx context.Context, s *site, t identity.Taught, e books.Entry) error {
	if err := s.handler.mayTeach(); err != nil {
		return err
	}
	if h := s.handler; h.Login != nil && h.Login.Path != t.Words.Path {
		return badWords("the Caddyfile says `login %s`: a login taught at %s would not be asked", h.Login.Path, t.Words.Path)
	}
	if err := run.mustBeOpen(ctx, s.name); err != nil {
		return err
	}
	e.What, e.Detail = "login.taught", map[string]string{"login": t.Words.Path, "preset": t.Preset}
	if err := run.lessons().Keep(ctx, s.name, t, run.state.books.Audit.Write(e)); err != nil {
		return err
	}
	return run.takeUp(ctx, s.name)
}

// takeUp makes what was just written count here at once; elsewhere it does
// when the event arrives.
func (run *running) takeUp(ctx context.Context, app string) error {
	var failed error
	for _, s := range run.every {
		if s.name == app {
			s.readLesson(ctx)
			failed = errors.Join(failed, s.readLogin(ctx))
		}
	}
	return failed
}

// forgetLogin forgets a taught login: the Caddyfile alone says how people are
// known.
func (run *running) forgetLogin(ctx context.Context, s *site, e books.Entry) error {
	if _, err := run.lessons().Taught(ctx, s.name); err != nil {
		return err
	}
	if err := run.mustBeOpen(ctx, s.name); err != nil {
		return err
	}
	e.What = "login.forgotten"
	if err := run.lessons().Forget(ctx, s.name, run.state.books.Audit.Write(e)); err != nil {
		return err
	}
	return run.takeUp(ctx, s.name)
}

// mustBeOpen refuses what would leave people outside, or let in who was never
// seen to sign in: how users are known changes with the padlock open only.
func (run *running) mustBeOpen(ctx context.Context, app string) error {
	lock, err := run.state.gate.Padlock(ctx, app)
	if err != nil {
		return err
	}
	if lock.Closed {
		return adminui.ErrPadlockClosed
	}
	return nil
}

// loginSite is the site whose login is asked about, of the sites of one name
// the one that has it.
func (run *running) loginSite(app string) (*site, bool) {
	i := slices.IndexFunc(run.sites, func(s *site) bool { return s.name == app })
	if i < 0 {
		return nil, false
	}
	return run.sites[i], true
}

// teaching is what the console needs to teach logins.
func (run *running) teaching() *adminui.Teaching {
	return &adminui.Teaching{
		Lessons: run.lessons(),
		Login: func(app string) adminui.LoginKnown {
			if s, ok := run.loginSite(app); ok {
				return s.told()
			}
			return adminui.LoginKnown{Application: app, By: "device"}
		},
		Start: func(ctx context.Context, app string, by identity.Teacher) error {
			s, ok := run.loginSite(app)
			if !ok {
				return store.ErrNotFound
			}
			_, _, err := run.startLesson(ctx, s, by)
			return err
		},
		Keep: func(ctx context.Context, app string, t identity.Taught, by gate.By) error {
			s, ok := run.loginSite(app)
			if !ok {
				return store.ErrNotFound
			}
			return run.keepLogin(ctx, s, t, entryOf(by, app))
		},
		Forget: func(ctx context.Context, app string, by gate.By) error {
			s, ok := run.loginSite(app)
			if !ok {
				return store.ErrNotFound
			}
			return run.forgetLogin(ctx, s, entryOf(by, app))
		},
	}
}

// note says who calls, for an audit entry whose rest is said where it is written.
func (c *call) note() books.Entry {
	return books.Entry{Who: c.by.Who, From: c.by.From, Via: c.by.Via}
}

// entryOf is a line of the activity about an application.
func entryOf(by gate.By, app string) books.Entry {
	return books.Entry{At: time.Now(), Who: by.Who, From: by.From, Via: by.Via, Application: app, Subject: app}
}
