package approvals

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// What is kept, in the application's own partition:
//
//	ask/<id>                    the request
//	ask-of/<device>/<user>      the identifier of the newest request of the two
//	ask-live/<id>               trace: what the caps count
//	outbox/<id>/<notice>        parcel: a notice that has to go out
//	outbox-done/<notice>        Delivery: what became of one
//	notice-caps                 hours: how much each approver was told
//	pass/<user>                 pass: a code that was given
//	code/<id>                   code: one that was sent to the person who asks
//	code-count/<whose>          tally: how many codes were sent and wrong
//	turned                      turned: attempts that were not kept
func askKey(application, id string) string { return books.Key(application, "ask", id) }

func pairKey(application, device, user string) string {
	return books.Key(application, "ask-of", device, user)
}

func liveKey(application, id string) string { return books.Key(application, "ask-live", id) }

// trace is what the caps need to know of a request without reading it.
type trace struct {
	// User is folded, so that spellings of one name share a count (threat L16).
	User    string
	Network string
	State   State
}

func traceOf(ask AccessRequest) trace {
	return trace{User: access.FoldUser(ask.Person.User), Network: networkOf(ask.Place), State: ask.State}
}

// networkOf is the /24 or /56 that an address lies in, "" for an unknown one.
func networkOf(p access.Place) string {
	p.Name = ""
	key, _ := access.SamePlace{access.SameNetwork}.Key(p)
	return key.Prefix
}

// afterEnd is how long a request can still be read once it is over, so that
// a page that waited for it can say so.
const afterEnd = 24 * time.Hour

// put writes a request and what points to it.
func (s *Service) put(ask AccessRequest, now time.Time) []store.Write {
	life := max(ask.Ends.Sub(now), 0) + afterEnd
	if ask.State == Refused {
		life = max(life, s.conf.Limits.Refused+afterEnd) // it has to be found as long as it is not asked again
	}
	writes := []store.Write{{Key: askKey(ask.Application, ask.ID), Value: books.Encode(ask), TTL: life}}
	live := store.Write{Key: liveKey(ask.Application, ask.ID)}
	switch ask.State {
	case Waiting, Deciding:
		live.Value, live.TTL = books.Encode(traceOf(ask)), life
	case Refused, Cancelled:
		// These count on for a while, or asking anew would be a way to push-bomb.
		live.Value, live.TTL = books.Encode(traceOf(ask)), s.conf.Limits.Refused
	case Approved, Expired:
	}
	return append(writes, live)
}

// change is what an edit of a request wants done.
type change struct {
	// Keep leaves everything as it is.
	Keep bool
	// Writes and Checks go into the batch, of the same partition.
	Writes []store.Write
	Checks []store.Check
	// Err is returned to the caller though the batch is written.
	Err error
}

// edit reads a request, lets alter change it, and writes it with what alter
// adds, in one batch; it starts again when somebody else wrote meanwhile. An
// error of alter changes nothing.
func (s *Service) edit(ctx context.Context, application, id string, alter func(ask *AccessRequest, now time.Time) (change, error)) (AccessRequest, error) {
	key := askKey(application, id)
	for try := 0; ; try++ {
		raw, err := s.st.Get(ctx, key)
		if errors.Is(err, store.ErrNotFound) || id == "" {
			return AccessRequest{}, ErrNotFound
		}
		if err != nil {
			return AccessRequest{}, fmt.Errorf("reading access request: %w", err)
		}
		var ask AccessRequest
		if err := books.Decode(raw, &ask); err != nil {
			return AccessRequest{}, err
		}
		now := s.conf.Clock()
		ch, err := alter(&ask, now)
		if err != nil || ch.Keep {
			return ask, err
		}
		err = s.st.Apply(ctx, store.Batch{
			Checks: append(ch.Checks, store.Check{Key: key, Value: raw}),
			Writes: append(ch.Writes, s.put(ask, now)...),
		})
		if errors.Is(err, store.ErrConflict) && try < maxTries {
			continue
		}
		if err != nil {
			return AccessRequest{}, fmt.Errorf("writing access request: %w", err)
		}
		return ask, ch.Err
	}
}

// maxTries is how often a batch starts again because others write too.
const maxTries = 50

// Get returns one request, or ErrNotFound.
func (s *Service) Get(ctx context.Context, application, id string) (AccessRequest, error) {
	if id == "" {
		return AccessRequest{}, ErrNotFound
	}
	ask, err := books.Get[AccessRequest](ctx, s.st, askKey(application, id))
	if errors.Is(err, store.ErrNotFound) {
		return AccessRequest{}, ErrNotFound
	}
	if err != nil {
		return AccessRequest{}, fmt.Errorf("reading access request: %w", err)
	}
	return s.asOf(ask, s.conf.Clock()), nil
}

// asOf shows a request whose time is over as expired, before the sweep came
// to it.
func (s *Service) asOf(ask AccessRequest, now time.Time) AccessRequest {
	if ask.State == Waiting && !now.Before(ask.Ends) {
		ask.State = Expired
	}
	return ask
}

// live returns the traces of an application by identifier, oldest first.
func (s *Service) live(ctx context.Context, application string) (ids []string, traces []trace, err error) {
	prefix := books.Prefix(application, "ask-live")
	err = books.Each(ctx, s.st, store.Query{Prefix: prefix}, func(key string, t trace) bool {
		ids, traces = append(ids, key[len(prefix):]), append(traces, t)
		return true
	})
	if err != nil {
		return nil, nil, fmt.Errorf("reading who waits: %w", err)
	}
	return ids, traces, nil
}

// Waiting returns the requests of an application that wait, oldest first.
func (s *Service) Waiting(ctx context.Context, application string) ([]AccessRequest, error) {
	ids, traces, err := s.live(ctx, application)
	if err != nil {
		return nil, err
	}
	var list []AccessRequest
	for i, id := range ids {
		if !traces[i].State.Open() {
			continue
		}
		ask, err := s.Get(ctx, application, id)
		if errors.Is(err, ErrNotFound) {
			continue // went between the two reads
		}
		if err != nil {
			return nil, err
		}
		if ask.State.Open() {
			list = append(list, ask)
		}
	}
	return list, nil
}

// List returns up to limit requests of an application, newest first, whatever
// their state, that were opened before the one named by before ("" for the
// newest).
func (s *Service) List(ctx context.Context, application, before string, limit int) ([]AccessRequest, error) {
	if limit <= 0 {
		return nil, nil
	}
	q := store.Query{Prefix: books.Prefix(application, "ask"), Reverse: true, Limit: min(limit, 1000)}
	if before != "" {
		q.After = askKey(application, before)
	}
	var list []AccessRequest
	now := s.conf.Clock()
	err := books.Each(ctx, s.st, q, func(_ string, ask AccessRequest) bool {
		list = append(list, s.asOf(ask, now))
		return len(list) < limit
	})
	if err != nil {
		return nil, fmt.Errorf("reading access requests: %w", err)
	}
	return list, nil
}

// Find returns the request of an identifier or of a reference in any
// spelling, the newest where several bear it, or ErrNotFound.
func (s *Service) Find(ctx context.Context, application, name string) (AccessRequest, error) {
	ask, err := s.Get(ctx, application, name)
	if !errors.Is(err, ErrNotFound) {
		return ask, err
	}
	plain := strings.NewReplacer("-", "", " ", "")
	want := plain.Replace(strings.ToUpper(name))
	if want == "" {
		return AccessRequest{}, ErrNotFound
	}
	found := AccessRequest{}
	q := store.Query{Prefix: books.Prefix(application, "ask"), Reverse: true}
	err = books.Each(ctx, s.st, q, func(_ string, ask AccessRequest) bool {
		if plain.Replace(ask.Reference) == want {
			found = s.asOf(ask, s.conf.Clock())
		}
		return found.ID == ""
	})
	if err != nil {
		return AccessRequest{}, fmt.Errorf("looking for access request %s: %w", name, err)
	}
	if found.ID == "" {
		return AccessRequest{}, ErrNotFound
	}
	return found, nil
}

// ForHolder returns the newest request that a device holds (for one of its
// logins, where login is not empty), whatever its state, or ErrNotFound.
func (s *Service) ForHolder(ctx context.Context, application, device, login string) (AccessRequest, error) {
	if device == "" {
		return AccessRequest{}, ErrNotFound // no cookie, nothing held
	}
	entries, err := s.st.Range(ctx, store.Query{Prefix: books.Prefix(application, "ask-of", device), Limit: 100})
	if err != nil {
		return AccessRequest{}, fmt.Errorf("reading the device's access requests: %w", err)
	}
	var newest AccessRequest
	for _, e := range entries {
		ask, err := s.Get(ctx, application, string(e.Value))
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return AccessRequest{}, err
		}
		if ask.Device.ID == device && (login == "" || ask.HeldBy(login)) && (newest.ID == "" || ask.Opened.After(newest.Opened)) {
			newest = ask
		}
	}
	if newest.ID == "" {
		return AccessRequest{}, ErrNotFound
	}
	return newest, nil
}

// Note sets the person's word on a waiting request.
func (s *Service) Note(ctx context.Context, application, id, note string) (AccessRequest, error) {
	note = CleanText(note, NoteLimit)
	return s.edit(ctx, application, id, func(ask *AccessRequest, now time.Time) (change, error) {
		if err := stillWaiting(*ask, now); err != nil {
			return change{}, err
		}
		same := ask.Note == note
		ask.Note = note
		return change{Keep: same}, nil
	})
}

// Name sets the name by which the person wants to be known, where identity is
// the device alone. It names for people and decides nothing; what was shown
// to an approver under another name has to be looked at again.
func (s *Service) Name(ctx context.Context, application, id, name string) (AccessRequest, error) {
	name = CleanText(name, 80)
	return s.edit(ctx, application, id, func(ask *AccessRequest, now time.Time) (change, error) {
		if err := stillWaiting(*ask, now); err != nil {
			return change{}, err
		}
		if ask.Person.Source != SourceDevice || name == "" || ask.Person.Name == name {
			return change{Keep: true}, nil
		}
		ask.Person.Name = name
		ask.Version++
		return change{}, nil
	})
}

// SourceDevice is the Person.Source of the identity that is the device alone:
// only such people may say on the waiting page what they are called.
const SourceDevice = sourceDevice

// Cancel takes a waiting request back, on the word of the person who asked.
// Notices that did not go out yet are dropped.
func (s *Service) Cancel(ctx context.Context, application, id string) error {
	_, err := s.edit(ctx, application, id, func(ask *AccessRequest, now time.Time) (change, error) {
		if err := stillWaiting(*ask, now); err != nil {
			return change{}, err
		}
		ask.State = Cancelled
		ask.Decision = Decision{By: userWho(*ask), At: now, Via: ViaSelf}
		writes, _, err := s.dropNotices(ctx, application, id)
		return change{Writes: append(writes, s.audit(*ask, now, books.Entry{Who: userWho(*ask), Via: "gate", What: "cancel"}))}, err
	})
	return err
}

// Expire ends the requests of an application that waited too long and returns
// how many.
func (s *Service) Expire(ctx context.Context, application string) (int, error) {
	ids, traces, err := s.live(ctx, application)
	if err != nil {
		return 0, err
	}
	count := 0
	for i, id := range ids {
		if traces[i].State != Waiting {
			continue
		}
		_, err := s.edit(ctx, application, id, func(ask *AccessRequest, now time.Time) (change, error) {
			if ask.State != Waiting || now.Before(ask.Ends) {
				return change{Keep: true}, nil
			}
			ask.State = Expired
			count++
			writes, _, err := s.dropNotices(ctx, application, id)
			return change{Writes: append(writes, s.audit(*ask, now, books.Entry{Who: "system", Via: "gate", What: "expire"}))}, err
		})
		if err != nil && !errors.Is(err, ErrNotFound) {
			return count, err
		}
	}
	return count, nil
}

// stillWaiting is nil while a request waits, else why nothing can be done
// with it any more.
func stillWaiting(ask AccessRequest, now time.Time) error {
	switch ask.State {
	case Waiting:
		if now.Before(ask.Ends) {
			return nil
		}
		return ErrExpired
	case Cancelled:
		return ErrCancelled
	case Approved, Refused, Deciding:
		return &DecidedError{Ask: ask}
	case Expired:
	}
	return ErrExpired
}

func userWho(ask AccessRequest) string { return "user:" + ask.Person.User }

// audit is the write of an entry about a request; e brings who, via, what and
// more detail.
func (s *Service) audit(ask AccessRequest, now time.Time, e books.Entry) store.Write {
	e.At, e.Application, e.Subject = now, ask.Application, ask.Person.User
	if e.From == "" && ask.Place.Address.IsValid() && e.Who == userWho(ask) {
		e.From = ask.Place.Address.String()
	}
	detail := map[string]string{
		"request": ask.ID, "reference": ask.Reference,
		"device": ask.Device.Label, "device_id": ask.Device.ID, "kind": string(ask.Device.Kind),
		"browser": ask.Browser.Family + " / " + ask.Browser.Platform, "place": placeWords(ask.Place),
	}
	for k, v := range e.Detail {
		detail[k] = v
	}
	e.Detail = detail
	return s.conf.Books.Audit.Write(e)
}

// placeWords is a place in one line, for the audit; pages say it in the
// reader's language.
func placeWords(p access.Place) string {
	key, ok := access.SamePlace(nil).Key(p)
	if !ok {
		return "unknown"
	}
	return key.String()
}
