package adminui

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// Ends of a session. Idle counts what a person does: what a page left open
// fetches by itself keeps nothing alive.
const (
	// The defaults of Deps.SessionIdle and Deps.SessionLife.
	sessionIdle = 8 * time.Hour
	sessionLife = 30 * 24 * time.Hour
	// sessionTurn is how long a session keeps its secret while it is used.
	sessionTurn = time.Hour
	// sessionGrace is how long the former secret is good once the new one has
	// come back: requests sent side by side bear the old one.
	sessionGrace = 30 * time.Second
	// sessionTouch is how coarse the last use is written.
	sessionTouch = time.Minute
)

// operator names the session that the command line's link opens while there
// is no admin at all. It may add the first admin, and nothing else.
const operator = ""

// session is one signed-in browser, as the store keeps it under the hash of
// its secret.
type session struct {
	// ID names it in lists and stays when the secret turns; it is no secret.
	ID string
	// Email is the admin's, or operator.
	Email string
	// Form is the secret that forms of this session carry (threat L11).
	Form                  string
	Created, Last, Turned time.Time
	// From and Agent are where it was signed in, for its owner to recognise.
	From, Agent string
	// Former is the key of the secret before this one, until this one was
	// used once.
	Former string
	// Passkey is the identifier of the passkey that opened it, if one did.
	Passkey string
	// Ends is set on a former secret.
	Ends time.Time
}

// over says whether a session has ended at a moment.
func (b sessions) over(s session, now time.Time) bool {
	return now.Sub(s.Last) >= b.idle || now.Sub(s.Created) >= b.life ||
		(!s.Ends.IsZero() && !now.Before(s.Ends)) || now.Before(s.Created.Add(-time.Hour))
}

var errNoSession = errors.New("no session")

// sessions keeps them, hashed, in the shared partition.
type sessions struct {
	st    store.Store
	clock func() time.Time
	// idle and life are its ends without use, and in all.
	idle, life time.Duration
}

const sessionKind = "console-session"

func sessionKey(secret string) string { return books.Key("", sessionKind, hashed(secret)) }

func (b sessions) write(key string, s session) store.Write {
	return store.Write{Key: key, Value: books.Encode(s), TTL: max(s.Created.Add(b.life).Sub(b.clock()), time.Second)}
}

// open begins a session and returns its secret. Key is the passkey that opened
// it, if one did.
func (b sessions) open(ctx context.Context, email, from, agent, key string) (string, session, error) {
	now := b.clock()
	secret := newSecret()
	s := session{
		ID: books.NewID(now), Email: email, Form: newSecret(), Created: now, Last: now, Turned: now,
		From: from, Agent: agent, Passkey: key,
	}
	err := b.st.Apply(ctx, store.Batch{Writes: []store.Write{b.write(sessionKey(secret), s)}})
	if err != nil {
		return "", session{}, fmt.Errorf("opening a session: %w", err)
	}
	return secret, s, nil
}

// find returns the session of a secret, or errNoSession; any other error
// means that it cannot be told, and is no session either.
func (b sessions) find(ctx context.Context, secret string) (session, error) {
	if !plausible(secret) {
		return session{}, errNoSession
	}
	s, err := books.Get[session](ctx, b.st, sessionKey(secret))
	if errors.Is(err, store.ErrNotFound) || (err == nil && b.over(s, b.clock())) {
		return session{}, errNoSession
	}
	return s, err
}

// used notes that a person did something, and turns the secret when it is due
// and turn allows it (the answer can carry a cookie). It returns the secret to
// use from now on. Whoever ends the session meanwhile wins: a check holds the
// record against what was read.
func (b sessions) used(ctx context.Context, secret string, s session, turn bool) (string, error) {
	now := b.clock()
	key := sessionKey(secret)
	old := books.Encode(s)
	batch := store.Batch{Checks: []store.Check{{Key: key, Value: old}}}
	next := secret
	switch {
	case !s.Ends.IsZero():
		return secret, nil // a former secret in its grace
	case turn && now.Sub(s.Turned) >= sessionTurn:
		next = newSecret()
		fresh := s
		fresh.Last, fresh.Turned, fresh.Former = now, now, key
		batch.Writes = append(batch.Writes, b.write(sessionKey(next), fresh))
		// The former stays good until the new one comes back: an answer may
		// be lost on the way. It turns no more often than the new one would.
		s.Last, s.Turned = now, now
		batch.Writes = append(batch.Writes, b.write(key, s))
	case s.Former != "":
		former, err := books.Get[session](ctx, b.st, s.Former)
		if err == nil {
			former.Ends = now.Add(sessionGrace)
			batch.Writes = append(batch.Writes, b.write(s.Former, former))
		} else if !errors.Is(err, store.ErrNotFound) {
			return secret, err
		}
		s.Former, s.Last = "", now
		batch.Writes = append(batch.Writes, b.write(key, s))
	case now.Sub(s.Last) >= sessionTouch:
		s.Last = now
		batch.Writes = append(batch.Writes, b.write(key, s))
	default:
		return secret, nil
	}
	err := b.st.Apply(ctx, batch)
	if errors.Is(err, store.ErrConflict) {
		return secret, nil // a request beside this one did it, or ended it
	}
	if err != nil {
		return secret, fmt.Errorf("noting the use of a session: %w", err)
	}
	return next, nil
}

// held is a session with its key.
type held struct {
	key string
	session
}

// of returns an admin's sessions that are not over.
func (b sessions) of(ctx context.Context, email string) ([]held, error) {
	var list []held
	now := b.clock()
	err := books.Each(ctx, b.st, store.Query{Prefix: books.Prefix("", sessionKind)}, func(key string, s session) bool {
		if s.Email == email && !b.over(s, now) {
			list = append(list, held{key, s})
		}
		return true
	})
	return list, err
}

// end ends those of an admin's sessions that which says yes to, with their
// former secrets.
func (b sessions) end(ctx context.Context, email string, which func(session) bool) (int, error) {
	list, err := b.of(ctx, email)
	if err != nil {
		return 0, err
	}
	var writes []store.Write
	ended := map[string]bool{}
	for _, h := range list {
		if which(h.session) {
			writes = append(writes, store.Write{Key: h.key})
			ended[h.ID] = true
		}
	}
	if len(writes) == 0 {
		return 0, nil
	}
	if err := b.st.Apply(ctx, store.Batch{Writes: writes}); err != nil {
		return 0, fmt.Errorf("ending sessions: %w", err)
	}
	return len(ended), nil
}

// pass hands the operator's session to the admin they made of themself.
func (b sessions) pass(ctx context.Context, secret string, s session, email string) (string, error) {
	next := newSecret()
	now := b.clock()
	fresh := s
	fresh.Email, fresh.Form, fresh.Last, fresh.Turned, fresh.Former = email, newSecret(), now, now, ""
	err := b.st.Apply(ctx, store.Batch{
		Checks: []store.Check{{Key: sessionKey(secret), Value: books.Encode(s)}},
		Writes: []store.Write{{Key: sessionKey(secret)}, b.write(sessionKey(next), fresh)},
	})
	if err != nil {
		return "", fmt.Errorf("handing the session over: %w", err)
	}
	return next, nil
}
