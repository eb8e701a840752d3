package caddymodule

import (
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	adminui "github.com/cadenas-gateway/cadenas/admin-ui"
	"github.com/cadenas-gateway/cadenas/approvals"
)

// Limits are how long, and how often, what the gate hands out is good. What is
// left out, or 0, has its default; none can be switched off.
type Limits struct {
	// NumberTries is how often a wrong number may be typed for one request
	// before only the console decides it. Default: 3.
	NumberTries int `json:"number_tries,omitempty"`
	// MailLink is how long the link of a message opens its request. Default:
	// 7d.
	MailLink caddy.Duration `json:"mail_link,omitempty"`
	// Code is how long a code is good with which one lets oneself in, by text
	// message or mail. Default: 10m.
	Code caddy.Duration `json:"code,omitempty"`
	// CodeTries is how many wrong codes one person may type in an hour.
	// Default: 5.
	CodeTries int `json:"code_tries,omitempty"`
	// Held is how long the answer of a login waits for an approval. Default:
	// 30m.
	Held caddy.Duration `json:"held,omitempty"`
	// Refused is how long a refused request is not asked again. Default: 24h.
	Refused caddy.Duration `json:"refused,omitempty"`
	// LoginIdle is how long a sign-in to an application lives that nobody
	// uses. Default: 30d.
	LoginIdle caddy.Duration `json:"login_idle,omitempty"`
	// ConsoleIdle is how long a session of the console lives that nobody uses,
	// ConsoleLife how long it lives in all. Default: 8h and 30d.
	ConsoleIdle caddy.Duration `json:"console_idle,omitempty"`
	ConsoleLife caddy.Duration `json:"console_life,omitempty"`
	// Pass is how long a pass code is good. Default: until midnight.
	Pass caddy.Duration `json:"pass,omitempty"`
}

// limit is one of them: its word, its default and its bounds. Exactly one of
// times and life is set.
type limit struct {
	word              string
	times             func(*Limits) *int
	fewest, some, top int
	life              func(*Limits) *caddy.Duration
	least, usual      string
	most              string
}

// limitTable has them in the order of the documentation. The least is what
// still leaves people the time to act, the most what a stolen link, code or
// session may be worth; `pass` has no usual length, it ends at midnight.
var limitTable = []limit{
	{word: "number_tries", times: func(l *Limits) *int { return &l.NumberTries }, fewest: 1, some: 3, top: 5},
	{word: "mail_link", life: func(l *Limits) *caddy.Duration { return &l.MailLink }, least: "15m", usual: "7d", most: "60d"},
	{word: "code", life: func(l *Limits) *caddy.Duration { return &l.Code }, least: "2m", usual: "10m", most: "1h"},
	{word: "code_tries", times: func(l *Limits) *int { return &l.CodeTries }, fewest: 2, some: 5, top: 10},
	{word: "held", life: func(l *Limits) *caddy.Duration { return &l.Held }, least: "5m", usual: "30m", most: "12h"},
	{word: "refused", life: func(l *Limits) *caddy.Duration { return &l.Refused }, least: "15m", usual: "24h", most: "60d"},
	{word: "login_idle", life: func(l *Limits) *caddy.Duration { return &l.LoginIdle }, least: "1h", usual: "30d", most: "400d"},
	{word: "console_idle", life: func(l *Limits) *caddy.Duration { return &l.ConsoleIdle }, least: "5m", usual: "8h", most: "7d"},
	{word: "console_life", life: func(l *Limits) *caddy.Duration { return &l.ConsoleLife }, least: "1h", usual: "30d", most: "90d"},
	{word: "pass", life: func(l *Limits) *caddy.Duration { return &l.Pass }, least: "15m", most: "7d"},
}

// requestsExpire is the limit that has a word of its own.
var requestsExpire = limit{word: "requests expire", least: "1h", usual: "60d", most: "400d"}

// agree is nil where the limits make sense together.
func (l *Limits) agree() error {
	all := l.complete()
	if all.ConsoleIdle > all.ConsoleLife {
		return fmt.Errorf("console_idle %s is longer than console_life %s: a session ends with the shorter", short(time.Duration(all.ConsoleIdle)), short(time.Duration(all.ConsoleLife)))
	}
	return nil
}

// check is for JSON, where nobody has looked at the bounds yet.
func (l *Limits) check() error {
	if l == nil {
		return nil
	}
	for _, one := range limitTable {
		var err error
		switch {
		case one.times != nil && *one.times(l) != 0:
			err = one.checkTimes(*one.times(l))
		case one.life != nil && *one.life(l) != 0:
			err = one.checkLife(time.Duration(*one.life(l)))
		}
		if err != nil {
			return fmt.Errorf("limits: %w", err)
		}
	}
	if err := l.agree(); err != nil {
		return fmt.Errorf("limits: %w", err)
	}
	return nil
}

// complete has the default for what is left out; nil is all defaults. A session
// whose end is set and whose idle time is not ends idle no later.
func (l *Limits) complete() Limits {
	var all Limits
	if l != nil {
		all = *l
	}
	for _, one := range limitTable {
		switch {
		case one.times != nil && *one.times(&all) == 0:
			*one.times(&all) = one.some
		case one.life != nil && *one.life(&all) == 0 && one.usual != "":
			*one.life(&all) = caddy.Duration(length(one.usual))
		}
	}
	if l == nil || l.ConsoleIdle == 0 {
		all.ConsoleIdle = min(all.ConsoleIdle, all.ConsoleLife)
	}
	return all
}

// approvals are those that requests rest on.
func (a *App) approvalLimits() approvals.Limits {
	all := a.Limits.complete()
	return approvals.Limits{
		Request: time.Duration(a.RequestsExpire), NumberTries: all.NumberTries, MailLink: time.Duration(all.MailLink),
		Code: time.Duration(all.Code), CodeTries: all.CodeTries, Refused: time.Duration(all.Refused), Pass: time.Duration(all.Pass),
	}
}

// limitSettings shows them in the console.
func (a *App) limitSettings() adminui.SettingGroup {
	g := adminui.SettingGroup{Title: "settings.limits", Lines: []adminui.SettingLine{
		{Name: "settings.limit.request", Length: time.Duration(a.RequestsExpire)},
	}}
	all := a.Limits.complete()
	for _, one := range limitTable {
		line := adminui.SettingLine{Name: "settings.limit." + one.word}
		switch {
		case one.times != nil:
			line.Count = *one.times(&all)
		case *one.life(&all) == 0:
			line.Values = []string{"settings.limit.midnight"}
		default:
			line.Length = time.Duration(*one.life(&all))
		}
		g.Lines = append(g.Lines, line)
	}
	return g
}

// length is a duration of the table above.
func length(text string) time.Duration {
	d, err := caddy.ParseDuration(text)
	if err != nil {
		panic("caddymodule: " + err.Error()) // a constant of ours
	}
	return d
}
