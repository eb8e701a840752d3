package approvals

import (
	"context"
	"fmt"
	"net/mail"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// Who is told what, and when. An approver is told through the channels of
// their order; a room once for all; the person who asks, where the policy
// names a second channel, before all others.
const (
	// codeFirst is how long a code may take before the person's other channels
	// are used, selfFirst how long the person has before others are asked.
	codeFirst = 2 * time.Minute
	selfFirst = 5 * time.Minute
)

// hour is how much one approver was told about in the hour from Start on.
type hour struct {
	Start time.Time
	Told  int
	More  int
	// Digest is the identifier of the notice that says how many more.
	Digest string
}

// told are the hours of an application's approvers, by e-mail, and of its
// rooms, by "room " and the channel.
type told struct {
	key   string
	raw   []byte
	hours map[string]hour
}

func (s *Service) readTold(ctx context.Context, application string, now time.Time) (told, error) {
	t := told{key: books.Key(application, "notice-caps"), hours: map[string]hour{}}
	var err error
	if t.raw, err = s.getMaybe(ctx, t.key); err != nil {
		return t, fmt.Errorf("reading how much approvers were told: %w", err)
	}
	if t.raw != nil {
		if err := books.Decode(t.raw, &t.hours); err != nil {
			return t, err
		}
	}
	for who, h := range t.hours {
		if now.Sub(h.Start) >= time.Hour || now.Before(h.Start) {
			delete(t.hours, who)
		}
	}
	return t, nil
}

// finish are the writes and the check that keep the count whole.
func (t told) finish(writes []store.Write) ([]store.Write, []store.Check) {
	writes = append(writes, store.Write{Key: t.key, Value: books.Encode(t.hours), TTL: time.Hour})
	return writes, []store.Check{{Key: t.key, Value: t.raw}}
}

// noticesOpened are the notices that somebody waits: to the person, where they
// may let themself in, and to all approvers and rooms; or, where these were
// told too much in this hour, one digest that counts (threat L22). The checks
// keep the count whole.
func (s *Service) noticesOpened(ctx context.Context, ask AccessRequest, now time.Time) ([]store.Write, []store.Check, error) {
	counts, err := s.readTold(ctx, ask.Application, now)
	if err != nil {
		return nil, nil, err
	}
	writes, coded, checks, err := s.codeOpened(ctx, ask, now)
	if err != nil {
		return nil, nil, err
	}
	admins := s.conf.Admins()
	first := coded // the person was told and has some minutes to themself
	for _, a := range admins {
		first = first || a.LooksAfter(ask.Application) && IsOwn(ask, a) && len(s.steps(a, ask)) > 0
	}
	for _, a := range admins {
		if !a.LooksAfter(ask.Application) {
			continue
		}
		own := IsOwn(ask, a)
		begin := now
		switch {
		case own && coded:
			begin = now.Add(codeFirst)
		case !own && first:
			begin = now.Add(selfFirst)
		}
		writes = append(writes, s.tell(counts, a.Email, recipient(a), s.steps(a, ask), ask, begin, now, own, a)...)
	}
	begin := now
	if first {
		begin = now.Add(selfFirst)
	}
	s.eachRoom(func(channel string, to Recipient) {
		steps := []step{{channel: channel, after: s.roomWait(channel, ask.Application)}}
		writes = append(writes, s.tell(counts, "room "+channel+" "+to.Name, to, steps, ask, begin, now, false, books.Admin{})...)
	})
	if len(writes) == 0 {
		return nil, nil, nil
	}
	writes, more := counts.finish(writes)
	return writes, append(checks, more...), nil
}

// tell are the notices to one recipient, or their digest.
func (s *Service) tell(counts told, who string, to Recipient, steps []step, ask AccessRequest, begin, now time.Time, own bool, a books.Admin) []store.Write {
	if len(steps) == 0 {
		return nil
	}
	h, ok := counts.hours[who]
	if !ok {
		h = hour{Start: now}
	}
	var writes []store.Write
	if h.Told < s.conf.Caps.NoticesPerHour {
		h.Told++
		for _, st := range steps {
			n := s.notice(NoticeOpened, ask.Application, to, st.channel, now)
			n.Own = own
			due := begin.Add(st.after)
			if rings(st.channel) && !own { // who asks is awake
				due = afterQuiet(due, a.QuietFrom, a.QuietTo)
			}
			writes = append(writes, parcel{Notice: n, AskID: ask.ID, Due: due}.write())
		}
	} else {
		h.More++
		writes = append(writes, s.digest(&h, ask.Application, to, steps[0].channel, a, now))
	}
	counts.hours[who] = h
	return writes
}

// digest is the one notice that says what was left out of an hour; it grows
// until it goes out.
func (s *Service) digest(h *hour, application string, to Recipient, channel string, a books.Admin, now time.Time) store.Write {
	if h.Digest == "" {
		h.Digest = books.NewID(now)
	}
	n := s.notice(NoticeDigest, application, to, channel, now)
	n.ID, n.More = h.Digest, h.More
	due := h.Start.Add(time.Hour)
	if rings(channel) {
		due = afterQuiet(due, a.QuietFrom, a.QuietTo)
	}
	return parcel{Notice: n, Due: due, From: h.Start}.write()
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
// does not reach them takes no time. About their own request they are told
// only where the policy lets them answer (threat L24), and unless they chose
// otherwise by push and mail: a text is for the first time, and for who has
// nothing else.
func (s *Service) steps(a books.Admin, ask AccessRequest) []step {
	own := IsOwn(ask, a)
	usable := func(name string) bool {
		return s.reaches(name, recipient(a)) && (!own || s.selfChannel(ask.Application, name))
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
	if own && len(list) > 1 {
		kept := list[:0]
		for _, st := range list {
			if st.channel != channelSMS {
				kept = append(kept, st)
			}
		}
		list = kept
	}
	return list
}

// The channels that are more than a name to us.
const (
	channelMail = "email"
	channelSMS  = "sms"
	channelPush = "web_push"
	channelLog  = "log"
)

// reaches reports whether a channel is one person's and has a way to them.
func (s *Service) reaches(channel string, to Recipient) bool {
	n, ok := s.channels[channel]
	if !ok {
		return false
	}
	if _, rooms := n.(Roomy); rooms {
		return false
	}
	r, asks := n.(Reacher)
	return !asks || r.Reaches(to)
}

// roomWait is how long after the request a room is told: the shortest wait of
// the admins who put it into their order, else none.
func (s *Service) roomWait(channel, application string) time.Duration {
	shortest := time.Duration(-1)
	for _, a := range s.conf.Admins() {
		if !a.LooksAfter(application) {
			continue
		}
		var wait time.Duration
		for _, c := range a.Notify {
			if c.Name == channel && (shortest < 0 || wait < shortest) {
				shortest = wait
			}
			if c.Name == "" || s.channels[c.Name] != nil {
				wait += c.Wait
			}
		}
	}
	return max(shortest, 0)
}

// eachRoom hands every room of every channel that has such.
func (s *Service) eachRoom(do func(channel string, to Recipient)) {
	for _, n := range s.conf.Notifiers {
		rooms, ok := n.(Roomy)
		if !ok {
			continue
		}
		for _, to := range rooms.Rooms() {
			to.Admin = true
			do(n.Name(), to)
		}
	}
}

// rings reports whether a channel wakes people up: quiet hours hold it back.
func rings(channel string) bool {
	switch channel {
	case channelMail, channelLog, "webhook":
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
	for day := -1; day <= 0; day++ {
		opens, _ := clockOn(due, day, start)
		_, closes := clockOn(due, day, end)
		if !closes.After(opens) {
			_, closes = clockOn(due, day+1, end)
		}
		if !due.Before(opens) && due.Before(closes) {
			return closes
		}
	}
	return due
}

// clockOn is when a clock shows a time of day, some days after t: the first and
// the last time, which differ where the clock is set back. A time that is left
// out where it is set forward comes as much later.
func clockOn(t time.Time, days int, clock time.Time) (first, last time.Time) {
	at := time.Date(t.Year(), t.Month(), t.Day()+days, clock.Hour(), clock.Minute(), 0, 0, t.Location())
	shows := func(x time.Time) bool { return x.Hour() == clock.Hour() && x.Minute() == clock.Minute() }
	first, last = at, at
	switch {
	case !shows(at) && at.Hour() < clock.Hour():
		return at.Add(time.Hour), at.Add(time.Hour)
	case shows(at.Add(time.Hour)):
		last = at.Add(time.Hour)
	case shows(at.Add(-time.Hour)):
		first = at.Add(-time.Hour)
	}
	return first, last
}

// noticesDecided tell the other approvers, and the person who asked where
// they have an e-mail, each by the first channel that reaches them. Dropped
// are the notices that had not gone out: who was not asked yet need not hear
// that a person let themself in. Where a push asked, a push takes its place:
// also on the phone of who decided.
func (s *Service) noticesDecided(ask AccessRequest, dropped []parcel, now time.Time) []store.Write {
	waited := map[string]bool{}
	for _, p := range dropped {
		if p.Notice.Kind == NoticeOpened {
			waited[p.Notice.Channel+" "+p.Notice.To.Email+p.Notice.To.room()] = true
		}
	}
	byMachine := ask.Decision.By == ViaSelf || ask.Decision.By == ViaPass || ask.Decision.By == authorBiopass
	var writes []store.Write
	add := func(to Recipient, channel string) {
		n := s.notice(NoticeDecided, ask.Application, to, channel, now)
		writes = append(writes, parcel{Notice: n, AskID: ask.ID, Due: now}.write())
	}
	for _, a := range s.conf.Admins() {
		steps := s.steps(a, ask)
		if !a.LooksAfter(ask.Application) || len(steps) == 0 {
			continue
		}
		asked, pushed := false, false
		for _, st := range steps {
			wasAsked := !waited[st.channel+" "+a.Email]
			asked = asked || wasAsked
			pushed = pushed || wasAsked && st.channel == channelPush
		}
		quiet := a.Email == ask.Decision.By || IsOwn(ask, a) || byMachine && !asked
		if !quiet {
			add(recipient(a), steps[0].channel)
		}
		if pushed && (quiet || steps[0].channel != channelPush) && asked {
			add(recipient(a), channelPush)
		}
	}
	s.eachRoom(func(channel string, to Recipient) {
		if !byMachine || !waited[channel+" "+to.room()] {
			add(to, channel)
		}
	})
	to := Recipient{Email: ask.Person.Email, Name: ask.Who(), Language: ask.Language}
	if channel := s.mailChannel(); channel != "" && plainAddress(to.Email) {
		n := s.notice(NoticeOutcome, ask.Application, to, channel, now)
		writes = append(writes, parcel{Notice: n, AskID: ask.ID, Due: now}.write())
	}
	return writes
}

// authorBiopass is the author of what a typed match approved.
const authorBiopass = "biopass"

// mailChannel is the channel that reaches people who are no admins: mail, or
// the log that stands in for it.
func (s *Service) mailChannel() string {
	for _, name := range []string{channelMail, channelLog} {
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

// room names a recipient that is a room, and is empty for a person.
func (r Recipient) room() string {
	if r.Email == "" && r.Mobile == "" {
		return r.Name
	}
	return ""
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
