package caddymodule

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/cadenas-gateway/cadenas/books"
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
		"rules-try":     tryRule,
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

		"pass":           makePass,
		"explain":        explain,
		"explain-token":  explainToken,
		"activity":       activity,
		"export":         exportAll,
		"import":         importAll,
		"backup":         backup,
		"restore":        restore,
		"keys-rotate":    rotateKeys,
		"drain":          drain,
		"notify":         listDeliveries,
		"notify-test":    testNotice,
		"end-logins":     endLogins,
		"login":          showLogins,
		"login-teach":    teachLogin,
		"login-lesson":   showLesson,
		"login-again":    againLesson,
		"login-try":      tryLogin,
		"login-keep":     keepLogin,
		"login-stop":     stopLesson,
		"login-forget":   forgetLogin,
		"login-preset":   presetLogin,
		"biopass":        showPrints,
		"biopass-link":   makeBiopassLink,
		"biopass-erase":  erasePrints,
		"biopass-rename": renameKeyboard,
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

func (c *call) entry(now time.Time, what, app, subject string, detail map[string]string) books.Entry {
	return books.Entry{At: now, Who: c.by.Who, From: c.by.From, Via: c.by.Via, What: what, Application: app, Subject: subject, Detail: detail}
}
