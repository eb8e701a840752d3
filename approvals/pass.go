package approvals

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store"
)

// How often a wrong code may be typed: for one request, and for one pass by
// whoever knows the user's password (threat L16).
const (
	passTriesAsk  = 5
	passTriesPass = 10
	passLength    = 8
)

// pass is a code as it is kept: its MAC under a key of its own, and that key
// sealed, so that a copy of the store without the gate's keys cannot be
// searched for the 40 bits of a code.
type pass struct {
	Key, MAC []byte
	By       string
	Until    time.Time
	Tries    int

	books.Unknown
}

func passKey(application, user string) string { return books.Key(application, "pass", user) }

// MakePass makes a code that lets one user in once, until midnight (by the
// clock of the machine) unless the limits say otherwise, on whatever they hold. One made before for the same
// user is void. By is an admin's e-mail.
func (s *Service) MakePass(ctx context.Context, application, user, by, from, via string) (code string, until time.Time, err error) {
	if user == "" || application == "" {
		return "", time.Time{}, errors.New("a pass needs a user and an application")
	}
	now := s.conf.Clock()
	until = s.conf.Limits.PassEnds(now)
	code = randomText(referenceLetters, passLength)
	key := seal.NewKey()
	p := pass{
		Key: s.conf.Ring().Seal(nil, key, "pass", application, user),
		MAC: passMAC(key, application, user, code),
		By:  by, Until: until,
	}
	e := books.Entry{
		At: now, Who: by, From: from, Via: via, What: "pass.make", Application: application, Subject: user,
		Detail: map[string]string{"until": until.UTC().Format(time.RFC3339)},
	}
	err = s.st.Apply(ctx, store.Batch{Writes: []store.Write{
		{Key: passKey(application, user), Value: books.Encode(p), TTL: until.Sub(now)},
		s.conf.Books.Audit.Write(e),
	}})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("making a pass: %w", err)
	}
	return code[:4] + "-" + code[4:], until, nil
}

// UsePass approves a waiting request by a pass code, until the pass ends. The
// error is ErrPass for any code that is not good.
func (s *Service) UsePass(ctx context.Context, application, id, code string) (AccessRequest, error) {
	code = strings.NewReplacer(" ", "", "-", "", "\u00a0", "").Replace(strings.ToUpper(code))
	return s.edit(ctx, application, id, func(ask *AccessRequest, now time.Time) (change, error) {
		if err := stillWaiting(*ask, now); err != nil {
			return change{}, err
		}
		if ask.PassTries >= passTriesAsk {
			return change{}, ErrPass
		}
		key := passKey(application, ask.Person.User)
		raw, err := s.st.Get(ctx, key)
		if errors.Is(err, store.ErrNotFound) {
			ask.PassTries++
			return change{Err: ErrPass}, nil
		}
		if err != nil {
			return change{}, fmt.Errorf("reading a pass: %w", err)
		}
		var p pass
		if err := books.Decode(raw, &p); err != nil {
			return change{}, err
		}
		check := []store.Check{{Key: key, Value: raw}}
		if !s.passFits(p, *ask, code, now) {
			ask.PassTries++
			p.Tries++
			w := store.Write{Key: key, Value: books.Encode(p), TTL: max(p.Until.Sub(now), time.Second)}
			if p.Tries >= passTriesPass {
				w = store.Write{Key: key}
			}
			return change{Writes: []store.Write{w}, Checks: check, Err: ErrPass}, nil
		}
		ch, err := s.approveAs(ctx, ask, now, ViaPass, p.Until, map[string]string{"pass_by": p.By})
		ch.Writes, ch.Checks = append(ch.Writes, store.Write{Key: key}), check
		return ch, err
	})
}

func (s *Service) passFits(p pass, ask AccessRequest, code string, now time.Time) bool {
	if !now.Before(p.Until) || p.Tries >= passTriesPass {
		return false
	}
	key, err := s.conf.Ring().Open(nil, p.Key, "pass", ask.Application, ask.Person.User)
	return err == nil && hmac.Equal(p.MAC, passMAC(key, ask.Application, ask.Person.User, code))
}

func passMAC(key []byte, application, user, code string) []byte {
	h := hmac.New(sha256.New, key)
	for _, part := range []string{application, user, code} {
		_, _ = fmt.Fprintf(h, "%d:%s,", len(part), part) // a hash never fails
	}
	return h.Sum(nil)
}
