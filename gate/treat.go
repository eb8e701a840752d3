package gate

import (
	"context"
	"fmt"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// Treatment is how a user is treated, whatever their connections.
type Treatment string

// The treatments. ByRules is what everybody starts with.
const (
	TreatLocked     Treatment = "locked"
	TreatByRules    Treatment = "by-rules"
	TreatFullAccess Treatment = "full-access"
)

// Treats returns how a user is treated in an application, "" for all of them,
// and the mark that says since when and by whom.
func Treats(u books.User, application string) (Treatment, books.Mark) {
	for _, of := range []struct {
		t     Treatment
		marks map[string]books.Mark
	}{{TreatLocked, u.Locked}, {TreatFullAccess, u.FullAccess}} {
		for _, key := range []string{application, ""} {
			if m, ok := of.marks[key]; ok {
				return of.t, m
			}
		}
	}
	return TreatByRules, books.Mark{}
}

// Treat locks a user, gives them full access, or leaves them to the rules, in
// one application or, with "", in all. What was said of the same scope before
// is replaced; what was said of another scope stays.
func (g *Gate) Treat(ctx context.Context, user, application string, t Treatment, why string, by By) (books.User, error) {
	now := g.opt.Clock()
	mark := books.Mark{By: by.Who, At: now, Why: why}
	u, err := g.books.Users.Update(ctx, user, func(u *books.User) ([]store.Write, bool, error) {
		before, _ := Treats(*u, application)
		_, lockedHere := u.Locked[application]
		_, fullHere := u.FullAccess[application]
		delete(u.Locked, application)
		delete(u.FullAccess, application)
		switch t {
		case TreatLocked:
			put(&u.Locked, application, mark)
		case TreatFullAccess:
			put(&u.FullAccess, application, mark)
		case TreatByRules:
		default:
			return nil, false, fmt.Errorf("%q is no way to treat a user: use locked, by-rules or full-access", t)
		}
		if (t == TreatLocked && lockedHere) || (t == TreatFullAccess && fullHere) ||
			(t == TreatByRules && !lockedHere && !fullHere) {
			return nil, false, nil // as it was: keep who did it first
		}
		began(u, now)
		return []store.Write{g.userEntry("user."+string(t), user, application, by, map[string]string{"before": string(before)})}, true, nil
	})
	if err != nil {
		return u, fmt.Errorf("changing how %s is treated: %w", user, err)
	}
	g.changedPerson(ctx, application, user)
	return u, nil
}

// Exempt exempts a user from waiting in an application ("" for all), or ends
// that.
func (g *Gate) Exempt(ctx context.Context, user, application string, exempt bool, why string, by By) (books.User, error) {
	now := g.opt.Clock()
	u, err := g.books.Users.Update(ctx, user, func(u *books.User) ([]store.Write, bool, error) {
		if _, is := u.Exempt[application]; is == exempt {
			return nil, false, nil
		}
		what := "user.exempt"
		if exempt {
			put(&u.Exempt, application, books.Mark{By: by.Who, At: now, Why: why})
		} else {
			delete(u.Exempt, application)
			what = "user.exempt.end"
		}
		began(u, now)
		return []store.Write{g.userEntry(what, user, application, by, nil)}, true, nil
	})
	if err != nil {
		return u, fmt.Errorf("changing the exemption of %s: %w", user, err)
	}
	g.changedPerson(ctx, application, user)
	return u, nil
}

// userEntry is the audit entry of a change to a user's record. The record is
// shared by all applications, so the entry lies beside it, and names the one
// it is about.
func (g *Gate) userEntry(what, user, application string, by By, detail map[string]string) store.Write {
	if detail == nil {
		detail = map[string]string{}
	}
	if application != "" {
		detail["application"] = application
	}
	return g.books.Audit.Write(books.Entry{
		At: g.opt.Clock(), Who: by.Who, From: by.From, Via: by.Via, What: what, Subject: user, Detail: detail,
	})
}

func put(m *map[string]books.Mark, key string, mark books.Mark) {
	if *m == nil {
		*m = map[string]books.Mark{}
	}
	(*m)[key] = mark
}

func began(u *books.User, now time.Time) {
	if u.Created.IsZero() {
		u.Created = now
	}
}
