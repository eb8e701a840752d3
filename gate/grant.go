package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// Errors of Authorise and Withdraw that callers tell apart.
var (
	// ErrInexact says that a connection lacks what an exact rule rests on: a
	// device with a cookie, a place that can be told. A rule made of it would
	// reach further than the connection.
	ErrInexact = errors.New("no rule can name exactly this connection")
	// ErrAlwaysIn says that rules do not decide about the user: full access or
	// an exemption does.
	ErrAlwaysIn = errors.New("full access or an exemption lets this user in")
	// ErrLocked says that the user is locked: no rule lets them in.
	ErrLocked = errors.New("this user is locked")
	// ErrMovedSince says that a move cannot be taken back: the rules of the
	// connection are others now, or it is gone. Whoever changed that knew what
	// the move had done, and must not find it undone.
	ErrMovedSince = errors.New("this connection was changed since")
)

// Move is what became of the exact rules of one connection, so that it can be
// taken back.
type Move struct {
	Application, Connection string
	// Made are the rules written, Ended those deleted.
	Made, Ended []access.Rule
}

// Authorise lets exactly one recorded connection in: a refusal of exactly it
// ends, and a rule that allows it is written. ErrLocked where the user is
// locked, ErrInexact where the connection cannot be named.
func (g *Gate) Authorise(ctx context.Context, c books.Connection, by By) (Move, error) {
	policy := g.Application(c.Application).Policy
	rule, err := g.exactRule(c, policy, by.Who)
	if err != nil {
		return Move{}, err
	}
	s, _, err := g.standing(ctx, c)
	if err != nil {
		return Move{}, err
	}
	if s.Locked {
		return Move{}, ErrLocked
	}
	m := Move{Application: c.Application, Connection: c.ID}
	for _, r := range s.Rules {
		if exact(r, c) && (r.Effect == access.Refuse || r.ID == rule.ID) {
			m.Ended = append(m.Ended, r)
		}
	}
	m.Made = []access.Rule{rule}
	return m, g.carryOut(ctx, m, "connection.authorise", c.User, by)
}

// Withdraw takes away what lets exactly one recorded connection in: the rules
// that allow exactly it end, and where something broader still lets it in, a
// rule that refuses it is written. ErrAlwaysIn where no rule decides.
func (g *Gate) Withdraw(ctx context.Context, c books.Connection, by By) (Move, error) {
	policy := g.Application(c.Application).Policy
	s, v, err := g.standing(ctx, c)
	if err != nil {
		return Move{}, err
	}
	if s.FullAccess || s.Exempt {
		return Move{}, ErrAlwaysIn
	}
	m := Move{Application: c.Application, Connection: c.ID}
	var left []access.Rule
	for _, r := range s.Rules {
		if exact(r, c) && r.Effect == access.Allow {
			m.Ended = append(m.Ended, r)
			continue
		}
		left = append(left, r)
	}
	s.Rules = left
	if access.Decide(v, s, g.opt.Clock()).Answer == access.LetIn {
		rule, err := g.exactRule(c, policy, by.Who)
		if err != nil {
			return Move{}, err
		}
		rule.Effect = access.Refuse
		m.Made = []access.Rule{rule}
	}
	return m, g.carryOut(ctx, m, "connection.withdraw", c.User, by)
}

// TakeBack undoes a move: what it made goes, what it ended comes back.
// ErrMovedSince where somebody has changed the connection's own rules since, or
// it was forgotten.
func (g *Gate) TakeBack(ctx context.Context, m Move, user string, by By) error {
	checks, err := g.asMoved(ctx, m, user)
	if err != nil {
		return err
	}
	err = g.carryOut(ctx, Move{
		Application: m.Application, Connection: m.Connection, Made: m.Ended, Ended: m.Made,
	}, "connection.undo", user, by, checks...)
	if errors.Is(err, store.ErrConflict) {
		return ErrMovedSince
	}
	return err
}

// asMoved returns the checks that the rules of a connection are still what a
// move left, or ErrMovedSince.
func (g *Gate) asMoved(ctx context.Context, m Move, user string) ([]store.Check, error) {
	c, err := g.books.Connections.Get(ctx, m.Application, m.Connection)
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrMovedSince
	}
	if err != nil {
		return nil, err
	}
	rules, err := g.books.Rules.Of(ctx, m.Application, user)
	if err != nil {
		return nil, err
	}
	left := 0
	for _, r := range rules {
		if !exact(r, c) {
			continue
		}
		if !slices.ContainsFunc(m.Made, func(made access.Rule) bool { return sameRule(made, r) }) {
			return nil, ErrMovedSince
		}
		left++
	}
	if left != len(m.Made) {
		return nil, ErrMovedSince
	}
	// Between now and the writing nothing may change either.
	var checks []store.Check
	held := map[string]bool{}
	for _, r := range m.Made {
		key := g.books.Rules.Key(r)
		value, err := g.books.Store.Get(ctx, key)
		if errors.Is(err, store.ErrNotFound) {
			return nil, ErrMovedSince
		}
		if err != nil {
			return nil, err
		}
		checks, held[key] = append(checks, store.Check{Key: key, Value: value}), true
	}
	for _, r := range m.Ended {
		if key := g.books.Rules.Key(r); !held[key] {
			checks, held[key] = append(checks, store.Check{Key: key}), true
		}
	}
	return checks, nil
}

// sameRule reports whether b is still what was made as a. Moments come back from
// the store a little off.
func sameRule(a, b access.Rule) bool {
	return a.ID == b.ID && a.Effect == b.Effect && a.Author == b.Author && a.Note == b.Note &&
		a.Created.Sub(b.Created).Abs() < time.Millisecond && a.Until.Sub(b.Until).Abs() < time.Millisecond
}

// carryOut writes a move and its audit entry in one batch.
func (g *Gate) carryOut(ctx context.Context, m Move, what, user string, by By, checks ...store.Check) error {
	if len(m.Made) == 0 && len(m.Ended) == 0 {
		return nil
	}
	var writes []store.Write
	for _, r := range m.Ended {
		writes = append(writes, g.books.Rules.Delete(r)...)
	}
	detail := map[string]string{"connection": m.Connection}
	for _, r := range m.Made { // after the deletions: a rule may take its own place
		writes = append(writes, g.books.Rules.Put(r)...)
		detail["rule"], detail["effect"] = r.ID, string(r.Effect)
	}
	writes = append(writes, g.books.Audit.Write(books.Entry{
		At: g.opt.Clock(), Who: by.Who, From: by.From, Via: by.Via, What: what,
		Application: m.Application, Subject: user, Detail: detail,
	}))
	if err := g.books.Store.Apply(ctx, store.Batch{Checks: checks, Writes: writes}); err != nil {
		return fmt.Errorf("changing the rules of a connection: %w", err)
	}
	g.changedPerson(ctx, m.Application, user)
	return nil
}

// exactRule is ruleFor, where every part of the connection can be named.
func (g *Gate) exactRule(c books.Connection, policy access.Policy, author string) (access.Rule, error) {
	r := g.ruleFor(c, policy, author, g.opt.Clock())
	if !nameable(r) {
		return access.Rule{}, ErrInexact
	}
	return r, nil
}

// exact reports whether a rule names all of the five and means this
// connection.
func exact(r access.Rule, c books.Connection) bool {
	return r.User == c.User && r.Device != "" && r.Weight() == 5 && r.Matches(c.Visit())
}

// standing is what a connection is judged by with the padlock closed, and the
// visit that it would be.
func (g *Gate) standing(ctx context.Context, c books.Connection) (access.Standing, access.Visit, error) {
	var s access.Standing
	user, err := g.books.Users.Get(ctx, c.User)
	if err != nil {
		return s, access.Visit{}, err
	}
	groups, err := g.books.Groups.Of(ctx, c.Application, c.User)
	if err != nil {
		return s, access.Visit{}, err
	}
	rules, err := g.books.Rules.For(ctx, c.Application, c.User)
	if err != nil {
		return s, access.Visit{}, err
	}
	seen, err := g.books.Connections.Of(ctx, c.Application, c.User, g.opt.PerPerson)
	if err != nil {
		return s, access.Visit{}, err
	}
	conf := g.Application(c.Application)
	s = access.Standing{
		Locked: user.IsLocked(c.Application), FullAccess: user.HasFullAccess(c.Application),
		Exempt: user.IsExempt(c.Application) || conf.exempts(c.User, groups), Closed: true, Rules: rules, Policy: conf.Policy,
	}
	for _, one := range seen {
		s.Seen = append(s.Seen, one.Visit())
	}
	return s, recorded(c, groups), nil
}
