package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/store"
)

// verb carries out one thing an admin can do. A nil answer means that it was
// written to c.w already.
type verb func(ctx context.Context, c *call) (answer any, err error)

var verbs map[string]verb

func init() {
	verbs = map[string]verb{
		"applications":  listApplications,
		"requests":      listRequests,
		"approve":       approve,
		"refuse":        refuse,
		"connections":   listConnections,
		"rules":         listRules,
		"rules-add":     addRule,
		"rules-end":     endRule,
		"rules-edit":    editRule,
		"padlock":       showPadlock,
		"padlock-close": closePadlock,
		"padlock-open":  openPadlock,
		"user":          showUser,
		"users":         listUsers,
		"user-treat":    treatUser,
		"user-remove":   removeUser,
		"console-link":  consoleLink,

		"admin-passkeys":       listAdminPasskeys,
		"admin-passkey-remove": removeAdminPasskey,

		"biopass-passkey-remove": removeUserPasskey,

		"pass":          makePass,
		"explain":       explain,
		"explain-token": explainToken,
		"activity":      activity,
		"export":        exportAll,
		"import":        importAll,
		"backup":        backup,
		"restore":       restore,
		"keys-rotate":   rotateKeys,
		"drain":         drain,
		"notify":        listDeliveries,
		"notify-test":   testNotice,
		"end-logins":    endLogins,
		"login":         showLogins,
		"login-teach":   teachLogin,
		"login-lesson":  showLesson,
		"login-again":   againLesson,
		"login-try":     tryLogin,
		"login-keep":    keepLogin,
		"login-stop":    stopLesson,
		"login-forget":  forgetLogin,
		"login-preset":  presetLogin,
		"biopass":       showPrints,
		"biopass-link":  makeBiopassLink,
		"biopass-erase": erasePrints,
	}
}

// apps returns the application named, or all there are.
func (c *call) apps(ctx context.Context) ([]string, error) {
	all := c.applications(ctx)
	name := c.words["app"]
	if name == "" {
		return all, nil
	}
	if !slices.Contains(all, name) {
		return nil, badWords("there is no application %q: %s", name, orNone(all))
	}
	return []string{name}, nil
}

// app returns the application named, or the only one there is.
func (c *call) app(ctx context.Context) (string, error) {
	list, err := c.apps(ctx)
	if err != nil {
		return "", err
	}
	if len(list) != 1 {
		return "", badWords("say which application with --app: %s", orNone(list))
	}
	return list[0], nil
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none is configured"
	}
	return strings.Join(list, ", ")
}

func listApplications(ctx context.Context, c *call) (any, error) { return c.applications(ctx), nil }

func listRequests(ctx context.Context, c *call) (any, error) {
	list, err := c.apps(ctx)
	if err != nil {
		return nil, err
	}
	waiting := []approvals.AccessRequest{}
	for _, app := range list {
		some, err := c.approvals.Waiting(ctx, app)
		if err != nil {
			return nil, err
		}
		for _, ask := range some {
			ask.Number = "" // only the waiting person sees it (L10)
			waiting = append(waiting, ask)
		}
	}
	return waiting, nil
}

// ask finds a request by identifier or reference.
func (c *call) ask(ctx context.Context) (approvals.AccessRequest, error) {
	id, err := c.word("id")
	if err != nil {
		return approvals.AccessRequest{}, err
	}
	list, err := c.apps(ctx)
	if err != nil {
		return approvals.AccessRequest{}, err
	}
	for _, app := range list {
		// Also one that is over: who decided it, and when, is what to say then.
		found, err := c.approvals.Find(ctx, app, id)
		if err == nil || !errors.Is(err, approvals.ErrNotFound) {
			return found, err
		}
	}
	return approvals.AccessRequest{}, fmt.Errorf("request %s: %w", id, approvals.ErrNotFound)
}

func approve(ctx context.Context, c *call) (any, error) { return c.decide(ctx, access.Allow) }
func refuse(ctx context.Context, c *call) (any, error)  { return c.decide(ctx, access.Refuse) }

func (c *call) decide(ctx context.Context, effect access.Effect) (any, error) {
	ask, err := c.ask(ctx)
	if err != nil {
		return nil, err
	}
	choice := approvals.Choice{
		Application: ask.Application, ID: ask.ID, Effect: effect, Version: ask.Version,
		By: books.Admin{Email: c.by.Who, Name: c.by.Who}, From: c.by.From, Via: c.by.Via, SignedIn: true,
		Number: c.words["number"], Sure: c.words["number"] == "", Reply: c.words["reply"],
	}
	if effect == access.Allow {
		choice.Width = approvals.Width(c.words["width"])
		if choice.Width == "" {
			choice.Width = approvals.WidthConnection
		}
		if !slices.Contains(approvals.Widths, choice.Width) {
			return nil, badWords("--width %q: write connection, device, network, everyone or full", choice.Width)
		}
		if choice.Until, err = until(c.words["until"], time.Now()); err != nil {
			return nil, err
		}
	}
	decided, err := c.approvals.Decide(ctx, choice)
	decided.Number = ""
	return decided, err
}

// until reads an end: a date (its last second, local time), a moment, or a
// duration from now. Empty means no end.
func until(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := caddy.ParseDuration(text); err == nil && d > 0 {
		return now.Add(d), nil
	}
	if day, err := time.ParseInLocation("2006-01-02", text, time.Local); err == nil {
		return day.AddDate(0, 0, 1).Add(-time.Second), nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	return time.Time{}, badWords("--until %q: write a date (2027-01-31), a moment (2027-01-31T18:00:00-05:00) or a duration (7d, 12h)", text)
}

func listConnections(ctx context.Context, c *call) (any, error) {
	list, err := c.apps(ctx)
	if err != nil {
		return nil, err
	}
	days, limit := 30, 1000
	for name, into := range map[string]*int{"days": &days, "limit": &limit} {
		if text := c.words[name]; text != "" {
			if *into, err = strconv.Atoi(text); err != nil || *into < 0 {
				return nil, badWords("--%s %q: write a number", name, text)
			}
		}
	}
	if err := c.state.gate.Flush(ctx); err != nil {
		return nil, err
	}
	since := time.Time{}
	if days > 0 {
		since = time.Now().AddDate(0, 0, -days)
	}
	found := []books.Connection{}
	for _, app := range list {
		some, err := connectionsOf(ctx, c, app, since, limit)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	slices.SortFunc(found, func(a, b books.Connection) int { return b.Last.Compare(a.Last) })
	return found[:min(len(found), limit)], nil
}

// connectionsOf returns up to limit connections of an application, those last
// seen first, or those of the user whom the call names.
func connectionsOf(ctx context.Context, c *call, app string, since time.Time, limit int) ([]books.Connection, error) {
	book := c.state.books.Connections
	if user := c.words["user"]; user != "" {
		list, err := book.Of(ctx, app, user, limit)
		return slices.DeleteFunc(list, func(conn books.Connection) bool { return conn.Last.Before(since) }), err
	}
	var list []books.Connection
	var failed error
	err := book.Seen(ctx, app, since, "", func(s books.Sighting) bool {
		if len(list) >= limit {
			return false
		}
		conn, ok, err := book.Load(ctx, s)
		if failed = err; err == nil && ok {
			list = append(list, conn)
		}
		return err == nil
	})
	return list, errors.Join(err, failed)
}

func listRules(ctx context.Context, c *call) (any, error) {
	list, err := c.apps(ctx)
	if err != nil {
		return nil, err
	}
	rules := []access.Rule{}
	for _, app := range append(list, "") {
		some, err := c.state.books.Rules.All(ctx, app)
		if err != nil {
			return nil, err
		}
		rules = append(rules, some...)
	}
	return rules, nil
}

func addRule(ctx context.Context, c *call) (any, error) {
	now := time.Now()
	r := access.Rule{
		User: c.words["user"], Group: c.words["group"], Application: c.words["app"],
		Device: c.words["device"], Kind: access.Kind(c.words["kind"]), Note: c.words["note"],
	}
	if r.Application != "" {
		if _, err := c.app(ctx); err != nil {
			return nil, err
		}
	}
	var err error
	if r.Kind != "" && !slices.Contains(access.Kinds, r.Kind) {
		return nil, badWords("--kind %q: write phone, tablet, computer or other", r.Kind)
	}
	if text := c.words["place"]; text != "" {
		if r.Place, err = access.ParsePlaceKey(text); err != nil {
			return nil, badWords("--place: %v", err)
		}
	}
	if text := c.words["browser"]; text != "" {
		if r.Browser, err = access.ParseBrowserKey(text); err != nil {
			return nil, badWords("--browser: %v", err)
		}
	}
	switch c.words["effect"] {
	case "allow":
		r.Effect = access.Allow
	case "refuse":
		r.Effect = access.Refuse
	default:
		return nil, badWords("--effect %q: write allow or refuse", c.words["effect"])
	}
	if r.Until, err = until(c.words["until"], now); err != nil {
		return nil, err
	}
	if err := gate.CheckRule(r, now); err != nil {
		return nil, badWords("%v", err)
	}
	return c.state.gate.AddRule(ctx, r, c.by)
}

func (c *call) entry(now time.Time, what, app, subject string, detail map[string]string) books.Entry {
	return books.Entry{At: now, Who: c.by.Who, From: c.by.From, Via: c.by.Via, What: what, Application: app, Subject: subject, Detail: detail}
}

func endRule(ctx context.Context, c *call) (any, error) {
	id, err := c.word("id")
	if err != nil {
		return nil, err
	}
	list, err := c.apps(ctx)
	if err != nil {
		return nil, err
	}
	for _, app := range append(list, "") {
		r, err := c.state.gate.EndRule(ctx, app, id, c.by)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		return r, err
	}
	return nil, fmt.Errorf("there is no rule %q: `caddy cadenas rules` lists them", id)
}

func showPadlock(ctx context.Context, c *call) (any, error) {
	list, err := c.apps(ctx)
	if err != nil {
		return nil, err
	}
	locks := []books.Padlock{}
	for _, app := range list {
		p, err := c.state.gate.Padlock(ctx, app)
		if err != nil {
			return nil, err
		}
		p.Application = app
		locks = append(locks, p)
	}
	return locks, nil
}

func closePadlock(ctx context.Context, c *call) (any, error) {
	app, err := c.app(ctx)
	if err != nil {
		return nil, err
	}
	if c.words["yes"] == "" {
		if err := c.state.gate.Flush(ctx); err != nil {
			return nil, err
		}
		p, err := c.state.gate.Preview(ctx, app)
		return map[string]any{"closed": false, "preview": p}, err
	}
	p, err := c.state.gate.Close(ctx, app, c.by)
	return map[string]any{"closed": err == nil, "preview": p}, err
}

func openPadlock(ctx context.Context, c *call) (any, error) {
	app, err := c.app(ctx)
	if err != nil {
		return nil, err
	}
	return map[string]any{"application": app}, c.state.gate.OpenPadlock(ctx, app, c.by)
}

func listUsers(ctx context.Context, c *call) (any, error) { return c.state.books.Users.All(ctx) }

func showUser(ctx context.Context, c *call) (any, error) {
	name, err := c.word("name")
	if err != nil {
		return nil, err
	}
	u, err := c.state.books.Users.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	seen, err := c.seen(ctx, name)
	return treated{u, seen}, err
}

func treatUser(ctx context.Context, c *call) (any, error) {
	name, err := c.word("name")
	if err != nil {
		return nil, err
	}
	if app := c.words["app"]; app != "" {
		if _, err := c.apps(ctx); err != nil {
			return nil, err
		}
	}
	ways := map[string]gate.Treatment{
		"lock": gate.TreatLocked, "unlock": gate.TreatByRules, "full-access": gate.TreatFullAccess, "by-rules": gate.TreatByRules,
	}
	way, ok := ways[c.words["treat"]]
	if !ok {
		return nil, badWords("user %s does not know %q: write lock, unlock, full-access or by-rules", name, c.words["treat"])
	}
	seen, err := c.seen(ctx, name)
	if err != nil {
		return nil, err
	}
	if c.words["treat"] == "unlock" {
		if err := c.isLocked(ctx, name); err != nil {
			return nil, err // or it would take full access away
		}
	}
	u, err := c.state.gate.Treat(ctx, name, c.words["app"], way, c.words["why"], c.by)
	if err == nil && way == gate.TreatByRules {
		err = otherScope(u.User, u.Locked, c.words["app"], "is still locked")
		if err == nil && c.words["treat"] == "by-rules" {
			err = otherScope(u.User, u.FullAccess, c.words["app"], "still has full access")
		}
	}
	return treated{u, seen}, err
}

// treated is a user as the command line tells of them.
type treated struct {
	books.User
	// Seen says that somebody of that name was here, or that an admin wrote
	// them down.
	Seen bool
}

// seen reports whether a name is somebody's: what is said of a mistyped one
// would never count.
func (c *call) seen(ctx context.Context, user string) (bool, error) {
	u, err := c.state.books.Users.Get(ctx, user)
	if err != nil || !u.Created.IsZero() {
		return err == nil, err
	}
	for _, app := range c.applications(ctx) {
		list, err := c.state.books.Connections.Of(ctx, app, user, 1)
		if err != nil || len(list) > 0 {
			return err == nil, err
		}
	}
	return false, nil
}

// isLocked is nil where a user is locked in the scope that is named.
func (c *call) isLocked(ctx context.Context, user string) error {
	u, err := c.state.books.Users.Get(ctx, user)
	if err != nil {
		return err
	}
	if _, here := u.Locked[c.words["app"]]; here {
		return nil
	}
	if err := otherScope(u.User, u.Locked, c.words["app"], "is locked"); err != nil {
		return err
	}
	return fmt.Errorf("%s is not locked", user)
}

// otherScope is an error where a mark stands for another scope than the one
// that is named: who unlocks somebody wants them in.
func otherScope(user string, marks map[string]books.Mark, application, word string) error {
	for app := range marks {
		switch {
		case app == application:
		case app == "":
			return fmt.Errorf("%s %s in all applications: leave out --app", user, word)
		case application == "":
			return fmt.Errorf("%s %s in %s: add --app %s", user, word, app, app)
		}
	}
	return nil
}

func endLogins(ctx context.Context, c *call) (any, error) {
	name, err := c.word("name")
	if err != nil {
		return nil, err
	}
	ended := []string{}
	for _, h := range c.handlers() {
		if w := h.watching(); w != nil && (c.words["app"] == "" || c.words["app"] == h.name) {
			if err := w.EndAll(ctx, name); err != nil {
				return nil, err
			}
			ended = append(ended, h.name)
			if err := c.state.books.Audit.Append(ctx, c.entry(time.Now(), "user.sign-out", h.name, name, nil)); err != nil {
				return nil, err
			}
		}
	}
	return ended, nil
}

func makePass(ctx context.Context, c *call) (any, error) {
	user, err := c.word("user")
	if err != nil {
		return nil, err
	}
	app, err := c.app(ctx)
	if err != nil {
		return nil, err
	}
	code, end, err := c.approvals.MakePass(ctx, app, user, c.by.Who, c.by.From, c.by.Via)
	return map[string]any{"code": code, "until": end, "user": user, "application": app}, err
}

func activity(ctx context.Context, c *call) (any, error) {
	list, err := c.apps(ctx)
	if err != nil {
		return nil, err
	}
	limit := 50
	if text := c.words["limit"]; text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > 10_000 {
			return nil, badWords("--limit %q: write a number up to 10000", text)
		}
	}
	entries := []books.Entry{}
	for _, app := range append(list, "") {
		some, err := c.state.books.Audit.Newest(ctx, app, "", limit)
		if err != nil {
			return nil, err
		}
		entries = append(entries, some...)
	}
	slices.SortFunc(entries, func(a, b books.Entry) int { return b.At.Compare(a.At) })
	return entries[:min(limit, len(entries))], nil
}

func rotateKeys(ctx context.Context, c *call) (any, error) {
	ring, err := books.RotateKeys(ctx, c.state.store, c.state.wrap, time.Now())
	if err != nil {
		return nil, err
	}
	c.state.ring.Store(ring)
	return map[string]any{"rotated": true}, c.state.books.Audit.Append(ctx, c.entry(time.Now(), "keys.rotate", "", "", nil))
}

func drain(ctx context.Context, c *call) (any, error) {
	app, err := c.app(ctx)
	if err != nil {
		return nil, err
	}
	stop := c.words["stop"] != ""
	p, err := c.state.books.Padlocks.Update(ctx, app, func(p *books.Padlock) ([]store.Write, bool, error) {
		if !stop && p.Closed {
			return nil, false, badWords("open the padlock of %s first: while it drains everybody gets in", app)
		}
		p.Draining = !stop
		return []store.Write{c.state.books.Audit.Write(c.entry(time.Now(), "drain", app, app, map[string]string{"stop": strconv.FormatBool(stop)}))}, true, nil
	})
	return p, err
}

func backup(ctx context.Context, c *call) (any, error) {
	if err := c.state.gate.Flush(ctx); err != nil {
		return nil, err
	}
	c.w.Header().Set("Content-Type", "application/octet-stream")
	_, err := books.Backup(ctx, c.state.store, c.w, time.Now())
	return nil, err
}

func restore(ctx context.Context, c *call) (any, error) {
	n, err := books.Restore(ctx, c.state.store, http.MaxBytesReader(c.w, readCloser{c.body}, 4<<30))
	if err != nil {
		return nil, err
	}
	return map[string]any{"records": n}, c.state.books.Audit.Append(ctx, c.entry(time.Now(), "restore", "", "", nil))
}
