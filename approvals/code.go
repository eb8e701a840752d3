package approvals

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store"
)

// A code goes to the very person who asks, by the second channel that the
// policy names, and lets in this one connection. Counts are kept for the
// person under a folded name, so that spellings share them (threat L16), for
// the network, and for the application, since each text costs money.
const (
	codeLength = 6
	codeWindow = time.Hour
	// networkTries bounds the wrong codes from one network in an hour, where
	// many may sit; Limits.CodeTries those of one person.
	networkTries = 20
	// Sends in an hour: to one person, from one network, in one application.
	personSends, networkSends, applicationSends = 3, 20, 200
	// dormant is how long somebody may have stayed away and still let
	// themself in (threat L21).
	dormant = 60 * 24 * time.Hour
)

// code is a code as it is kept; see pass. It is good for the version of the
// request for which it was sent: another place or browser wants another code.
type code struct {
	Key, MAC []byte
	Version  int
	Channel  string
	Until    time.Time
}

func codeKey(application, id string) string { return books.Key(application, "code", id) }

// tally is what one person, one network or one application used up in the
// hour from Start on.
type tally struct {
	Start       time.Time
	Wrong, Sent int

	key string
	raw []byte
}

func (s *Service) readTally(ctx context.Context, now time.Time, application string, parts ...string) (tally, error) {
	t := tally{key: books.Key(application, append([]string{"code-count"}, parts...)...)}
	raw, err := s.getMaybe(ctx, t.key)
	if err != nil {
		return t, fmt.Errorf("reading how many codes were used: %w", err)
	}
	if raw != nil {
		if err := books.Decode(raw, &t); err != nil {
			return t, err
		}
	}
	t.raw = raw
	if now.Sub(t.Start) >= codeWindow || now.Before(t.Start) {
		t.Start, t.Wrong, t.Sent = now, 0, 0
	}
	return t, nil
}

func (t tally) write() (store.Write, store.Check) {
	return store.Write{Key: t.key, Value: books.Encode(t), TTL: codeWindow}, store.Check{Key: t.key, Value: t.raw}
}

// tallies are those of a request: its person's, its network's and its
// application's.
func (s *Service) tallies(ctx context.Context, ask AccessRequest, now time.Time) (person, network, all tally, err error) {
	if person, err = s.readTally(ctx, now, ask.Application, "user", access.FoldUser(ask.Person.User)); err != nil {
		return
	}
	if network, err = s.readTally(ctx, now, ask.Application, "network", networkOf(ask.Place)); err != nil {
		return
	}
	all, err = s.readTally(ctx, now, ask.Application, "all")
	return
}

// way is how somebody may let themself in.
type way struct {
	channel string
	to      Recipient
}

// selfWay is the second channel by which who asks may let themself in with a
// code; ok is false where there is none. The address is the admin record's,
// the user record's or the identity source's, never one that the request
// brought (threat L24): a person who is known by the device alone has none.
func (s *Service) selfWay(ctx context.Context, ask AccessRequest) (w way, ok bool, err error) {
	if ask.Person.Source == sourceDevice || ask.Person.User == "" {
		return way{}, false, nil
	}
	if w, ok = s.selfAddress(ctx, ask); !ok {
		return way{}, false, nil
	}
	rested, err := s.rested(ctx, ask)
	if err != nil || rested {
		return way{}, false, err
	}
	if w.to.Admin {
		// Later connections of an admin are asked about by push and mail.
		first, err := s.firstTime(ctx, ask)
		return w, first, err
	}
	return w, true, nil
}

func (s *Service) selfAddress(ctx context.Context, ask AccessRequest) (way, bool) {
	for _, a := range s.conf.Admins() {
		if !a.Is(ask.Application, ask.Person.User) || !a.LooksAfter(ask.Application) {
			continue
		}
		return way{channelSMS, recipient(a)}, s.selfChannel(ask.Application, channelSMS) && s.reaches(channelSMS, recipient(a))
	}
	channel := s.conf.Application(ask.Application).SelfUsers
	if channel == "" {
		return way{}, false
	}
	kept, err := s.conf.Books.Users.Get(ctx, ask.Person.User)
	if err != nil {
		s.conf.Log.Warn("a user's record could not be read: no code is sent", "application", ask.Application, "error", err)
		return way{}, false
	}
	to := Recipient{Name: ask.Who(), Language: ask.Language}
	switch channel {
	case channelSMS:
		to.Mobile = firstOf(kept.Mobile, ask.Person.Mobile)
	case channelMail:
		to.Email = firstOf(kept.Email, ask.Person.Email)
		if !plainAddress(to.Email) {
			return way{}, false
		}
	}
	return way{channel, to}, (to.Email != "" || to.Mobile != "") && s.reaches(channel, to)
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// firstTime reports whether nothing of the user was ever authorised here.
func (s *Service) firstTime(ctx context.Context, ask AccessRequest) (bool, error) {
	rules, err := s.conf.Books.Rules.For(ctx, ask.Application, ask.Person.User)
	if err != nil {
		return false, fmt.Errorf("reading what was authorised: %w", err)
	}
	for _, r := range rules {
		if r.User == ask.Person.User && r.Effect == access.Allow {
			return false, nil
		}
	}
	return true, nil
}

// rested reports whether the user was here, and not for a long time: who
// finds the password of an account that nobody uses enrols nothing.
func (s *Service) rested(ctx context.Context, ask AccessRequest) (bool, error) {
	list, err := s.conf.Books.Connections.Of(ctx, ask.Application, ask.Person.User, 50)
	if err != nil {
		return false, fmt.Errorf("reading the user's connections: %w", err)
	}
	var last time.Time
	for _, c := range list {
		// What is recorded of this very attempt is no sign of life.
		if c.Last.After(last) && c.First.Before(ask.Opened.Add(-time.Hour)) {
			last = c.Last
		}
	}
	return !last.IsZero() && ask.Opened.Sub(last) >= dormant, nil
}

// codeOpened sends the code of a new request where there is a way to do so.
func (s *Service) codeOpened(ctx context.Context, ask AccessRequest, now time.Time) ([]store.Write, bool, []store.Check, error) {
	w, ok, err := s.selfWay(ctx, ask)
	if err != nil || !ok {
		return nil, false, nil, err
	}
	writes, checks, err := s.newCode(ctx, ask, w, now)
	if errors.Is(err, ErrCodeSends) {
		return nil, false, nil, nil // the approvers are there
	}
	return writes, err == nil, checks, err
}

// newCode writes a code and its notice; the one before is void. The error is
// ErrCodeSends where enough were sent.
func (s *Service) newCode(ctx context.Context, ask AccessRequest, w way, now time.Time) ([]store.Write, []store.Check, error) {
	person, network, all, err := s.tallies(ctx, ask, now)
	if err != nil {
		return nil, nil, err
	}
	if person.Sent >= personSends || network.Sent >= networkSends || all.Sent >= applicationSends ||
		person.Wrong >= s.conf.Limits.CodeTries || network.Wrong >= networkTries {
		return nil, nil, ErrCodeSends
	}
	digits := randomText("0123456789", codeLength)
	key := seal.NewKey()
	c := code{
		Key: s.conf.Ring().Seal(nil, key, "code", ask.Application, ask.ID), Version: ask.Version, Channel: w.channel, Until: now.Add(s.conf.Limits.Code),
		MAC: passMAC(key, ask.Application, ask.ID, digits),
	}
	n := s.notice(NoticeCode, ask.Application, w.to, w.channel, now)
	n.Own, n.Life = true, s.conf.Limits.Code
	p := parcel{Notice: n, AskID: ask.ID, Due: now, Code: s.conf.Ring().Seal(nil, []byte(digits), "notice-code", n.ID)}
	waiting, err := s.waitingFor(ctx, ask.Application, ask.ID)
	if err != nil {
		return nil, nil, err
	}
	var writes []store.Write
	for _, w := range waiting {
		if w.Notice.Kind == NoticeCode {
			writes = append(writes, store.Write{Key: w.key()}) // void now
		}
	}
	writes = append(writes, store.Write{Key: codeKey(ask.Application, ask.ID), Value: books.Encode(c), TTL: s.conf.Limits.Code}, p.write())
	var checks []store.Check
	for _, t := range []*tally{&person, &network, &all} {
		t.Sent++
		w, c := t.write()
		writes, checks = append(writes, w), append(checks, c)
	}
	return writes, checks, nil
}

// SendCode sends a waiting person another code, or returns ErrCodeSends where
// there is no channel or enough were sent.
func (s *Service) SendCode(ctx context.Context, application, id string) (AccessRequest, error) {
	return s.edit(ctx, application, id, func(ask *AccessRequest, now time.Time) (change, error) {
		if err := stillWaiting(*ask, now); err != nil {
			return change{}, err
		}
		w, ok, err := s.selfWay(ctx, *ask)
		if err != nil {
			return change{}, err
		}
		if !ok {
			return change{}, ErrCodeSends
		}
		writes, checks, err := s.newCode(ctx, *ask, w, now)
		return change{Writes: writes, Checks: checks}, err
	})
}

// CodeWay tells a waiting page by which channel its person gets a code, and
// the end of the number or address, as they know it; ok is false where there
// is none. It tells the same for a request that nobody keeps (threat L17).
func (s *Service) CodeWay(ctx context.Context, ask AccessRequest) (channel, hint string, ok bool, err error) {
	w, ok, err := s.selfWay(ctx, ask)
	if err != nil || !ok {
		return "", "", false, err
	}
	if w.channel == channelSMS {
		return w.channel, w.to.Mobile[max(0, len(w.to.Mobile)-2):], true, nil
	}
	return w.channel, "", true, nil
}

// UseCode approves a waiting request by a code that came over the second
// channel, for this connection only. Errors: ErrCode for any code that is not
// good, ErrCodeTries after too many of these, and those of Decide.
func (s *Service) UseCode(ctx context.Context, application, id, text string) (AccessRequest, error) {
	text = strings.NewReplacer(" ", "", "-", "", "\u00a0", "", "\u202f", "").Replace(text)
	return s.edit(ctx, application, id, func(ask *AccessRequest, now time.Time) (change, error) {
		if err := stillWaiting(*ask, now); err != nil {
			return change{}, err
		}
		person, network, _, err := s.tallies(ctx, *ask, now)
		if err != nil {
			return change{}, err
		}
		if person.Wrong >= s.conf.Limits.CodeTries || network.Wrong >= networkTries {
			return change{}, ErrCodeTries
		}
		key := codeKey(application, id)
		raw, err := s.getMaybe(ctx, key)
		if err != nil {
			return change{}, fmt.Errorf("reading a code: %w", err)
		}
		var c code
		if raw != nil {
			if err := books.Decode(raw, &c); err != nil {
				return change{}, err
			}
		}
		check := store.Check{Key: key, Value: raw}
		if !s.codeFits(c, *ask, text, now) {
			person.Wrong++
			network.Wrong++
			w1, c1 := person.write()
			w2, c2 := network.write()
			ch := change{Writes: []store.Write{w1, w2}, Checks: []store.Check{check, c1, c2}, Err: ErrCode}
			if person.Wrong >= s.conf.Limits.CodeTries {
				// Somebody may be guessing: no code counts any more.
				ch.Err = ErrCodeTries
				ch.Writes = append(ch.Writes, store.Write{Key: key}, s.audit(*ask, now, books.Entry{
					Who: userWho(*ask), Via: ViaSelf, What: "code.closed", Detail: map[string]string{"wrong_codes": strconv.Itoa(person.Wrong)},
				}))
			}
			return ch, nil
		}
		if !s.mayUseCode(*ask, c.Channel) {
			return change{}, ErrCode // the policy changed meanwhile
		}
		var until time.Time
		if d := s.conf.Application(application).GrantFor; d > 0 {
			until = now.Add(d)
		}
		ch, err := s.approveAs(ctx, ask, now, ViaSelf, until, map[string]string{"own": "true", "channel": c.Channel, "code": "true"})
		ch.Writes, ch.Checks = append(ch.Writes, store.Write{Key: key}), append(ch.Checks, check)
		return ch, err
	})
}

func (s *Service) mayUseCode(ask AccessRequest, channel string) bool {
	app := s.conf.Application(ask.Application)
	return app.SelfUsers == channel || slices.Contains(app.Self, channel)
}

func (s *Service) codeFits(c code, ask AccessRequest, text string, now time.Time) bool {
	if len(c.Key) == 0 || !now.Before(c.Until) || c.Version != ask.Version {
		return false
	}
	key, err := s.conf.Ring().Open(nil, c.Key, "code", ask.Application, ask.ID)
	return err == nil && hmac.Equal(c.MAC, passMAC(key, ask.Application, ask.ID, text))
}
