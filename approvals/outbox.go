package approvals

import (
	"context"
	"fmt"
	"net/mail"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// The outbox: notices are written in the batch of what they tell of, and go
// out from there, at least once. Each channel tells repeats apart by the
// notice's identifier.
const (
	giveUpAfter  = 24 * time.Hour
	sentKept     = 7 * 24 * time.Hour
	failedKept   = 30 * 24 * time.Hour
	sendTimeout  = 30 * time.Second
	leaseFor     = time.Minute // longer than sendTimeout, or two instances send
	firstBackoff = 5 * time.Second
	lastBackoff  = time.Hour
)

// parcel is a notice on its way.
type parcel struct {
	// Notice is without its Ask and Link: they are put in when it goes out.
	Notice Notice
	AskID  string
	// Link is the sealed link of a notice that brought its own.
	Link []byte
	Due  time.Time
	// LeaseBy is the instance that is sending it, until LeaseUntil: of
	// several instances one sends, and one that died holds it up shortly.
	LeaseBy    string
	LeaseUntil time.Time
	Tries      int
	LastError  string

	// raw is what the store holds.
	raw []byte
}

// group is the key part under which a request's parcels lie.
func (p parcel) group() string {
	if p.AskID == "" {
		return "~" // behind all identifiers of requests
	}
	return p.AskID
}

func (p parcel) key() string {
	return books.Key(p.Notice.Application, "outbox", p.group(), p.Notice.ID)
}

func (p parcel) write() store.Write {
	return store.Write{Key: p.key(), Value: books.Encode(p), TTL: giveUpAfter + 7*24*time.Hour}
}

// DeliveryState says what became of a notice.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryPending DeliveryState = "pending"
	DeliverySent    DeliveryState = "sent"
	DeliveryFailed  DeliveryState = "failed"
)

// Delivery is what became of one notice, for the console.
type Delivery struct {
	// Notice has neither Ask nor Link.
	Notice Notice
	AskID  string
	State  DeliveryState
	// At is when it was sent or given up; for a pending one when it is tried
	// next.
	At    time.Time
	Tries int
	// Error is why it failed, or why it was not sent yet.
	Error string
}

func doneKey(n Notice) string { return books.Key(n.Application, "outbox-done", n.ID) }

// Deliveries returns what became of an application's notices: up to limit
// that wait, then up to limit that are done with, the newest of these first.
// The application "" has those that belong to none.
func (s *Service) Deliveries(ctx context.Context, application string, limit int) ([]Delivery, error) {
	var list []Delivery
	err := books.Each(ctx, s.st, store.Query{Prefix: books.Prefix(application, "outbox"), Limit: limit}, func(_ string, p parcel) bool {
		list = append(list, Delivery{
			Notice: p.Notice, AskID: p.AskID, State: DeliveryPending, At: p.Due, Tries: p.Tries, Error: p.LastError,
		})
		return len(list) < limit
	})
	if err != nil {
		return nil, fmt.Errorf("reading the outbox: %w", err)
	}
	done := 0
	q := store.Query{Prefix: books.Prefix(application, "outbox-done"), Reverse: true, Limit: limit}
	err = books.Each(ctx, s.st, q, func(_ string, d Delivery) bool {
		list = append(list, d)
		done++
		return done < limit
	})
	if err != nil {
		return nil, fmt.Errorf("reading sent notices: %w", err)
	}
	return list, nil
}

// Queue puts a notice into the outbox that comes from elsewhere: a console's
// sign-in link, or a test message. ID and Created are set where they are
// missing; a Link is kept sealed until it goes out. Application may be empty.
func (s *Service) Queue(ctx context.Context, n Notice) error {
	now := s.conf.Clock()
	if n.ID == "" {
		n.ID = books.NewID(now)
	}
	if n.Created.IsZero() {
		n.Created = now
	}
	p := parcel{Notice: n, Due: now}
	if n.Link != "" {
		p.Link = s.conf.Ring().Seal(nil, []byte(n.Link), "notice-link", n.ID)
	}
	p.Notice.Link, p.Notice.Ask = "", AccessRequest{}
	if err := s.st.Apply(ctx, store.Batch{Writes: []store.Write{p.write()}}); err != nil {
		return fmt.Errorf("queueing a notice: %w", err)
	}
	return nil
}

// dropNotices are the writes that take a request's waiting notices out: once
// decided, nobody need be asked. One that is being sent at this moment may
// still arrive; its page then says who decided.
func (s *Service) dropNotices(ctx context.Context, application, ask string) ([]store.Write, error) {
	entries, err := s.st.Range(ctx, store.Query{Prefix: books.Prefix(application, "outbox", ask), KeysOnly: true})
	if err != nil {
		return nil, fmt.Errorf("reading the outbox: %w", err)
	}
	writes := make([]store.Write, 0, len(entries)+4)
	for _, e := range entries {
		writes = append(writes, store.Write{Key: e.Key})
	}
	return writes, nil
}

// hour is how much one approver was told about in the hour from Start on.
type hour struct {
	Start time.Time
	Told  int
	More  int
	// Digest is the identifier of the notice that says how many more.
	Digest string
}

// noticesOpened are the notices to all approvers that somebody waits: one a
// channel of each, or, where they were told too much in this hour, one digest
// that counts (threat L22). The checks keep the count whole.
func (s *Service) noticesOpened(ctx context.Context, ask AccessRequest, now time.Time) ([]store.Write, []store.Check, error) {
	key := books.Key(ask.Application, "notice-caps")
	raw, err := s.getMaybe(ctx, key)
	if err != nil {
		return nil, nil, fmt.Errorf("reading how much approvers were told: %w", err)
	}
	hours := map[string]hour{}
	if raw != nil {
		if err := books.Decode(raw, &hours); err != nil {
			return nil, nil, err
		}
	}
	for email, h := range hours {
		if now.Sub(h.Start) >= time.Hour || now.Before(h.Start) {
			delete(hours, email)
		}
	}
	var writes []store.Write
	for _, a := range s.conf.Admins() {
		if !a.LooksAfter(ask.Application) {
			continue
		}
		steps := s.steps(a, ask)
		if len(steps) == 0 {
			continue
		}
		h, ok := hours[a.Email]
		if !ok {
			h = hour{Start: now}
		}
		if h.Told < s.conf.Caps.NoticesPerHour {
			h.Told++
			for _, st := range steps {
				n := s.notice(NoticeOpened, ask.Application, recipient(a), st.channel, now)
				due := now.Add(st.after)
				if rings(st.channel) {
					due = afterQuiet(due, a.QuietFrom, a.QuietTo)
				}
				writes = append(writes, parcel{Notice: n, AskID: ask.ID, Due: due}.write())
			}
		} else {
			h.More++
			if h.Digest == "" {
				h.Digest = books.NewID(now)
			}
			n := s.notice(NoticeDigest, ask.Application, recipient(a), steps[0].channel, now)
			n.ID, n.More = h.Digest, h.More
			writes = append(writes, parcel{Notice: n, Due: h.Start.Add(time.Hour)}.write())
		}
		hours[a.Email] = h
	}
	if len(writes) == 0 {
		return nil, nil, nil
	}
	writes = append(writes, store.Write{Key: key, Value: books.Encode(hours), TTL: time.Hour})
	return writes, []store.Check{{Key: key, Value: raw}}, nil
}

func (s *Service) getMaybe(ctx context.Context, key string) ([]byte, error) {
	raw, err := s.st.Get(ctx, key)
	if isNotFound(err) {
		return nil, nil
	}
	return raw, err
}

// step is one channel of an approver, and how long after the request it is
// used.
type step struct {
	channel string
	after   time.Duration
}

// steps are the ways to an approver about a request, in their order: what
// they chose, else every channel there is that reaches them. A channel that
// does not reach them takes no time. About their own
// request they are told only where the policy lets them answer (threat L24).
func (s *Service) steps(a books.Admin, ask AccessRequest) []step {
	own := IsOwn(ask, a)
	usable := func(name string) bool {
		n, ok := s.channels[name]
		if !ok || own && !s.selfChannel(ask.Application, name) {
			return false
		}
		r, asks := n.(Reacher)
		return !asks || r.Reaches(recipient(a))
	}
	var list []step
	var wait time.Duration
	for _, c := range a.Notify {
		switch {
		case c.Name == "": // a wait before the first: this one is asked second
			wait += c.Wait
		case usable(c.Name):
			list = append(list, step{c.Name, wait})
			wait += c.Wait
		}
	}
	if len(list) > 0 {
		return list
	}
	for _, n := range s.conf.Notifiers {
		if usable(n.Name()) {
			list = append(list, step{channel: n.Name()})
		}
	}
	return list
}

// rings reports whether a channel wakes people up: quiet hours hold it back.
func rings(channel string) bool {
	switch channel {
	case "email", "log", "webhook":
		return false
	}
	return true
}

// afterQuiet is when somebody may be told who does not want to be woken
// between two times of day ("22:00", "06:00"; by the clock of the machine).
func afterQuiet(due time.Time, from, to string) time.Time {
	start, err1 := time.Parse("15:04", from)
	end, err2 := time.Parse("15:04", to)
	if err1 != nil || err2 != nil || from == to {
		return due
	}
	at := func(day int, t time.Time) time.Time {
		return time.Date(due.Year(), due.Month(), due.Day()+day, t.Hour(), t.Minute(), 0, 0, due.Location())
	}
	for day := -1; day <= 0; day++ {
		opens, closes := at(day, start), at(day, end)
		if !closes.After(opens) {
			closes = at(day+1, end)
		}
		if !due.Before(opens) && due.Before(closes) {
			return closes
		}
	}
	return due
}

// noticesDecided tell the other approvers, and the person who asked where
// they have an e-mail, each by the first channel that reaches them.
func (s *Service) noticesDecided(ask AccessRequest, now time.Time) []store.Write {
	var writes []store.Write
	for _, a := range s.conf.Admins() {
		if a.Email == ask.Decision.By || !a.LooksAfter(ask.Application) || IsOwn(ask, a) {
			continue
		}
		if steps := s.steps(a, ask); len(steps) > 0 {
			n := s.notice(NoticeDecided, ask.Application, recipient(a), steps[0].channel, now)
			writes = append(writes, parcel{Notice: n, AskID: ask.ID, Due: now}.write())
		}
	}
	to := Recipient{Email: ask.Person.Email, Name: ask.Who(), Language: ask.Language}
	if channel := s.mailChannel(); channel != "" && plainAddress(to.Email) {
		n := s.notice(NoticeOutcome, ask.Application, to, channel, now)
		writes = append(writes, parcel{Notice: n, AskID: ask.ID, Due: now}.write())
	}
	return writes
}

// mailChannel is the channel that reaches people who are no admins: mail, or
// the log that stands in for it.
func (s *Service) mailChannel() string {
	for _, name := range []string{"email", "log"} {
		if _, ok := s.channels[name]; ok {
			return name
		}
	}
	return ""
}

// plainAddress reports whether a user's e-mail, which an identity source
// named, is one bare address.
func plainAddress(email string) bool {
	a, err := mail.ParseAddress(email)
	return err == nil && a.Address == email && a.Name == ""
}

func recipient(a books.Admin) Recipient {
	return Recipient{Email: a.Email, Mobile: a.Mobile, Name: a.Name, Language: a.Language, Admin: true}
}

func (s *Service) notice(kind NoticeKind, application string, to Recipient, channel string, now time.Time) Notice {
	return Notice{
		ID: books.NewID(now), Kind: kind, Channel: channel, To: to, Application: application,
		ApplicationName: s.conf.Application(application).Name, Created: now,
	}
}
