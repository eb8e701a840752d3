package approvals

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

// How often an ask that changes nothing is written down, one that changes
// the connection, and the attempts that were not kept.
const (
	touchEvery  = time.Minute
	changeEvery = time.Second
	othersEvery = 10 * time.Second
	// justApproved is how long after an approval an ask of the very same
	// connection is taken for one that was on its way: it opens nothing.
	justApproved = 10 * time.Second
	maxLogins    = 8
)

// errNobody says that an ask names nobody: there is no one to approve.
var errNobody = errors.New("an access request needs a user and an application")

// Open opens the request of an ask, or joins the one that its user and device
// have already; opened tells which. A request refused not long ago (Limits.Refused)
// is returned as it is. With ErrTooMany comes a request that was not kept (ID
// empty) but can be shown. The request, its audit entry and its notices are
// written in one batch.
func (s *Service) Open(ctx context.Context, a Ask) (ask AccessRequest, opened bool, err error) {
	if a.Person.User == "" || a.Application == "" {
		return AccessRequest{}, false, errNobody
	}
	a.Person.Name = CleanText(a.Person.Name, 80)
	if ask, err = s.join(ctx, a); err != nil || ask.ID != "" {
		return ask, false, err
	}
	// One at a time from here, so that the caps hold in this instance; two
	// instances may overshoot them by one each.
	s.opening.Lock()
	defer s.opening.Unlock()
	for range maxTries {
		if ask, err = s.join(ctx, a); err != nil || ask.ID != "" {
			return ask, false, err
		}
		ask, err = s.openNew(ctx, a)
		switch {
		case err == nil:
			return ask, true, nil
		case errors.Is(err, ErrTooMany):
			return s.imitate(a), false, err
		case !errors.Is(err, store.ErrConflict):
			return AccessRequest{}, false, err
		}
	}
	return AccessRequest{}, false, fmt.Errorf("opening access request: %w", store.ErrConflict)
}

// join finds the request that an ask belongs to and notes the ask on it; the
// zero request where there is none.
func (s *Service) join(ctx context.Context, a Ask) (AccessRequest, error) {
	id, err := s.st.Get(ctx, pairKey(a.Application, a.Device.ID, a.Person.User))
	if errors.Is(err, store.ErrNotFound) {
		return AccessRequest{}, nil
	}
	if err != nil {
		return AccessRequest{}, fmt.Errorf("looking for the access request: %w", err)
	}
	fresh := false
	ask, err := s.edit(ctx, a.Application, string(id), func(ask *AccessRequest, now time.Time) (change, error) {
		fresh = s.over(*ask, a, now)
		if fresh || ask.State != Waiting {
			return change{Keep: true}, nil
		}
		return change{Keep: !s.merge(ask, a, now)}, nil
	})
	if errors.Is(err, ErrNotFound) || fresh {
		return AccessRequest{}, nil
	}
	return ask, err
}

// over reports whether a request no longer answers for an ask of its pair.
func (s *Service) over(ask AccessRequest, a Ask, now time.Time) bool {
	switch ask.State {
	case Waiting:
		return !now.Before(ask.Ends)
	case Deciding:
		return false
	case Refused:
		return now.Sub(ask.Decision.At) >= s.conf.Limits.Refused
	case Approved:
		return now.Sub(ask.Decision.At) >= justApproved || s.differs(ask, a)
	case Cancelled, Expired:
	}
	return true
}

// differs reports whether an ask is about another connection than the request
// shows, under what the application takes for the same.
func (s *Service) differs(ask AccessRequest, a Ask) bool {
	app := s.conf.Application(ask.Application)
	was, wasPlaced := app.SamePlace.Key(ask.Place.For(ask.Person.User))
	is, isPlaced := app.SamePlace.Key(a.Place.For(a.Person.User))
	return was != is || wasPlaced != isPlaced ||
		app.SameBrowser.Key(ask.Browser) != app.SameBrowser.Key(a.Browser) ||
		ask.Device.Kind != a.Device.Kind || ask.Device.Label != a.Device.Label ||
		ask.Asked != a.Asked || !slices.Equal(ask.New, a.New)
}

// merge notes an ask on the request it joins and reports whether there is
// something worth writing.
func (s *Service) merge(ask *AccessRequest, a Ask, now time.Time) bool {
	write := now.Sub(ask.Last) >= touchEvery
	if write {
		ask.Count++
	}
	if a.LoginID != "" && !ask.HeldBy(a.LoginID) {
		write = true
		ask.Logins = append(ask.Logins, a.LoginID)
		if n := len(ask.Logins) - maxLogins; n > 0 {
			ask.Logins = slices.Clone(ask.Logins[n:])
		}
		ask.LoginID = a.LoginID
	}
	renamed := a.Person.Source != SourceDevice && (ask.Person.Name != a.Person.Name || ask.Person.Email != a.Person.Email)
	if (s.differs(*ask, a) || renamed) && (write || now.Sub(ask.Last) >= changeEvery) {
		write = true
		ask.Version++
		name := ask.Person.Name
		ask.Person = a.Person
		if a.Person.Source == SourceDevice && a.Person.Name == "" {
			ask.Person.Name = name // what they said on the waiting page
		}
		ask.Device, ask.Browser, ask.Place = a.Device, a.Browser, a.Place
		ask.New, ask.Asked = a.New, a.Asked
	}
	if write {
		ask.Last = now
	}
	return write
}

// openNew writes a new request with its notices, or returns ErrTooMany.
func (s *Service) openNew(ctx context.Context, a Ask) (AccessRequest, error) {
	now := s.conf.Clock()
	ask := AccessRequest{
		Application: a.Application, Person: a.Person, Device: a.Device, Browser: a.Browser, Place: a.Place,
		New: a.New, Asked: a.Asked, LoginID: a.LoginID, Language: a.Language,
		Opened: now, Last: now, Ends: now.Add(s.conf.Limits.Request), Count: 1, State: Waiting, Version: 1,
	}
	if a.LoginID != "" {
		ask.Logins = []string{a.LoginID}
	}
	if err := s.room(ctx, ask, now); err != nil {
		return ask, err
	}
	ask.ID, ask.Reference, ask.Number = books.NewID(now), newReference(), newNumber()

	pair := pairKey(a.Application, a.Device.ID, a.Person.User)
	old, err := s.st.Get(ctx, pair)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return ask, fmt.Errorf("opening access request: %w", err)
	}
	if len(old) > 0 { // somebody may have opened one since join looked
		if now, err := s.Get(ctx, a.Application, string(old)); err == nil && now.State.Open() {
			return ask, store.ErrConflict
		}
	}
	notices, checks, err := s.noticesOpened(ctx, ask, now)
	if err != nil {
		return ask, err
	}
	writes := append(s.put(ask, now), notices...)
	writes = append(writes,
		store.Write{Key: pair, Value: []byte(ask.ID), TTL: s.conf.Limits.Request + s.conf.Limits.Refused + afterEnd},
		s.audit(ask, now, books.Entry{Who: userWho(ask), Via: "gate", What: "ask", Detail: map[string]string{
			"asked": string(ask.Asked), "new": joinParts(ask.New),
		}}))
	err = s.st.Apply(ctx, store.Batch{
		Checks: append(checks, store.Check{Key: pair, Value: old}),
		Writes: writes,
	})
	if err != nil {
		return ask, fmt.Errorf("opening access request: %w", err)
	}
	return ask, nil
}

// room is nil while the caps leave room for one more request (threat L22).
func (s *Service) room(ctx context.Context, ask AccessRequest, now time.Time) error {
	ids, traces, err := s.live(ctx, ask.Application)
	if err != nil {
		return err
	}
	mine := traceOf(ask)
	var ofUser, ofNetwork int
	newest := ""
	for i, t := range traces {
		if t.User == mine.User {
			ofUser++
			if t.State == Waiting {
				newest = ids[i]
			}
		}
		if t.Network == mine.Network {
			ofNetwork++
		}
	}
	caps := s.conf.Caps
	switch {
	case ofUser >= caps.PerUser:
		s.countOther(ctx, ask.Application, newest, now)
		return fmt.Errorf("%w: %d of this user", ErrTooMany, ofUser)
	case ofNetwork >= caps.PerNetwork:
		s.turnAway(ctx, ask.Application, now)
		return fmt.Errorf("%w: %d from this network", ErrTooMany, ofNetwork)
	case len(ids) >= caps.PerApplication:
		s.turnAway(ctx, ask.Application, now)
		return fmt.Errorf("%w: %d in this application", ErrTooMany, len(ids))
	}
	return nil
}

// others are attempts not yet written down on the request they belong to.
type others struct {
	count int
	wrote time.Time
}

// countOther notes on the user's newest waiting request that there was
// another attempt; it is written now and then, and in memory only between.
// The caller holds s.opening.
func (s *Service) countOther(ctx context.Context, application, id string, now time.Time) {
	if id == "" {
		return
	}
	if len(s.others) > 4096 {
		clear(s.others)
	}
	key := application + "\x00" + id
	o := s.others[key]
	o.count++
	if now.Sub(o.wrote) >= othersEvery {
		_, err := s.edit(ctx, application, id, func(ask *AccessRequest, _ time.Time) (change, error) {
			ask.Others += o.count
			return change{Keep: ask.State != Waiting}, nil
		})
		if err != nil {
			s.conf.Log.Warn("counting attempts on an access request", "application", application, "error", err)
		}
		o = others{wrote: now}
	}
	s.others[key] = o
}

func joinParts(parts []access.Part) string {
	s := ""
	for i, p := range parts {
		if i > 0 {
			s += ", "
		}
		s += string(p)
	}
	return s
}
