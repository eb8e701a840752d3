package approvals

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// room is a channel into which several read.
type room struct {
	channel
	names []string
}

func (r *room) Rooms() []Recipient {
	var list []Recipient
	for _, n := range r.names {
		list = append(list, Recipient{Name: n, Language: "fr"})
	}
	return list
}

// stamped is when a channel got which notice.
type stamped struct {
	at time.Time
	n  Notice
}

// timed is a channel that notes when it got what, and works as it is told.
type timed struct {
	channel
	work func(ctx context.Context) error
	got  []stamped
}

func (c *timed) Notify(ctx context.Context, n Notice) error {
	if err := c.work(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, stamped{time.Now(), n})
	return nil
}

// once fails the test where a channel told somebody twice about one event.
func (c *timed) once(t *testing.T) {
	t.Helper()
	seen := map[string]bool{}
	for _, s := range c.got {
		key := fmt.Sprint(s.n.Kind, s.n.To.Email, s.n.To.room(), s.n.Ask.ID, s.n.More)
		if seen[key] {
			t.Errorf("%s told %s twice of %s %s", c.name, s.n.To.Email, s.n.Kind, s.n.Ask.ID)
		}
		seen[key] = true
	}
}

func TestMailAwayForAnHourTextsAtTheirLimitAndSlowPushesLoseAndDoubleNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		away := func() bool { return time.Since(began) < time.Hour }
		calm := func(context.Context) error { return nil }
		mail := &timed{channel: channel{name: "email"}, work: func(context.Context) error {
			if away() {
				return errors.New("mail server smtp.example.com:587: connection refused")
			}
			return nil
		}}
		limit := 0
		sms := &timed{channel: channel{name: "sms"}, work: func(context.Context) error {
			if limit++; away() {
				return Later(90*time.Second, "twilio 20429: Too Many Requests")
			}
			return nil
		}}
		push := &timed{channel: channel{name: "web_push"}, work: func(ctx context.Context) error {
			select { // the push service takes 20 s for each
			case <-time.After(20 * time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		hook := &timed{channel: channel{name: "log"}, work: calm}
		s := newService(t, with(mail, sms, push, hook), func(c *Config) { c.Caps.NoticesPerHour = 100 })
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = s.Run(ctx) }()
		defer func() { cancel(); <-ended }()

		const people = 10
		asked := map[string]time.Time{}
		for i := range people {
			a := julie()
			a.Person.User, a.Device.ID = fmt.Sprint("user", i), fmt.Sprint("dev", i)
			asked[mustOpen(t, s, a).ID] = time.Now()
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		// On time: the channels that work do not notice the others.
		for _, c := range []struct {
			channel *timed
			within  time.Duration
		}{{hook, time.Second}, {push, 25 * time.Second}} {
			if len(c.channel.got) != 2*people {
				t.Errorf("%s: %d of %d", c.channel.name, len(c.channel.got), 2*people)
			}
			for _, g := range c.channel.got {
				if late := g.at.Sub(asked[g.n.Ask.ID]); late > c.within {
					t.Errorf("%s was %s late", c.channel.name, late)
				}
			}
		}
		if len(mail.got)+len(sms.got) != 0 {
			t.Fatal("the test's channels are not away")
		}
		if limit > 2*people*12 {
			t.Errorf("%d calls of a service that said to wait 90 seconds", limit)
		}
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		for _, c := range []*timed{mail, sms, push, hook} {
			if len(c.got) != 2*people {
				t.Errorf("%s: %d of %d arrived", c.name, len(c.got), 2*people)
			}
			c.once(t)
		}
		list, err := s.Deliveries(t.Context(), app, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			if d.State != DeliverySent {
				t.Errorf("%+v", d)
			}
		}
	})
}

func TestThreat_L22_OnePersonTenThousandTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail := &timed{channel: channel{name: "email"}, work: func(context.Context) error { return nil }}
		s := newService(t, with(mail))
		go func() { _ = s.Run(t.Context()) }()
		var first AccessRequest
		for i := range 10_000 {
			a := julie()
			a.Device.ID = fmt.Sprint("dev", i)
			ask, _, err := s.Open(t.Context(), a)
			if err != nil && !errors.Is(err, ErrTooMany) {
				t.Fatal(err)
			}
			if i == 0 {
				first = ask
			}
			if i%100 == 0 {
				time.Sleep(time.Second)
			}
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if n := len(mail.got); n > 2*5 {
			t.Errorf("%d notices about one person", n)
		}
		mail.once(t)
		waiting, err := s.Waiting(t.Context(), app)
		if err != nil || len(waiting) != 5 {
			t.Fatalf("%d wait, %v", len(waiting), err)
		}
		others := 0
		for _, w := range waiting {
			others += w.Others
		}
		if others < 8_900 || others > 10_000 {
			t.Errorf("%d attempts are counted on the requests", others) // those of the last ten seconds may lack
		}
		bounded(t, s, 400)
		_ = first
	})
}

func TestThreat_L22_TenThousandPeopleOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail := &timed{channel: channel{name: "email"}, work: func(context.Context) error { return nil }}
		chat := &room{channel{name: "webhook"}, []string{"chat.example.com"}}
		s := newService(t, with(mail, chat), func(c *Config) { c.Caps.PerApplication = 200 })
		go func() { _ = s.Run(t.Context()) }()
		for i := range 10_000 {
			a := julie()
			a.Person.User, a.Person.Email, a.Device.ID = fmt.Sprint("user", i), "", fmt.Sprint("dev", i)
			if _, _, err := s.Open(t.Context(), a); err != nil && !errors.Is(err, ErrTooMany) {
				t.Fatal(err)
			}
			if i%500 == 0 {
				time.Sleep(time.Second)
			}
		}
		// One network fills its own share and no more: 50 of this application.
		if list, err := s.Waiting(t.Context(), app); err != nil || len(list) != 50 {
			t.Fatalf("%d wait, %v", len(list), err)
		}
		time.Sleep(90 * time.Minute)
		synctest.Wait()
		for _, who := range []string{marie.Email, paul.Email} {
			opened, more, turned, still := 0, 0, 0, 0
			for _, g := range mail.got {
				if g.n.To.Email != who {
					continue
				}
				switch g.n.Kind { //nolint:exhaustive // the rest is not to be there
				case NoticeOpened:
					opened++
				case NoticeDigest:
					more, turned, still = more+g.n.More, turned+g.n.Turned, g.n.StillWaiting
				default:
					t.Errorf("%+v", g.n)
				}
			}
			if opened != 20 || opened+more != 50 || opened+more+turned != 10_000 || still != 50 {
				t.Errorf("%s was told of %d, then %d more, %d not kept, %d waiting", who, opened, more, turned, still)
			}
		}
		if n := len(chat.got()); n != 21 {
			t.Errorf("%d notices into the room", n)
		}
		mail.once(t)
		digest := mail.got[len(mail.got)-1].n
		m, err := RenderMail(digest)
		if err != nil || !strings.Contains(m.Text, "9") || !strings.Contains(m.Subject, "30") {
			t.Errorf("%v\n%s\n%s", err, m.Subject, m.Text)
		}
		bounded(t, s, 2000)
	})
}

// bounded fails where an application left more keys than a flood may.
func bounded(t *testing.T, s *Service, keys int) {
	t.Helper()
	entries, err := s.st.Range(t.Context(), store.Query{Prefix: app + "/", KeysOnly: true, Limit: 100_000})
	if err != nil || len(entries) > keys {
		t.Errorf("%d keys, %v", len(entries), err)
	}
	if len(s.madeUp) > 4096 || len(s.others) > 4096 || len(s.turned) > 10 {
		t.Errorf("in memory: %d, %d, %d", len(s.madeUp), len(s.others), len(s.turned))
	}
}

func TestARoomIsToldOnceWhoeverTheAdminsAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chat := &room{channel{name: "webhook"}, []string{"a.example.com", "b.example.com"}}
		mail := &channel{name: "email"}
		s := newService(t, with(mail, chat), admins(marie, paul, books.Admin{Email: "third@example.com"}))
		go func() { _ = s.Run(t.Context()) }()
		ask := mustOpen(t, s, julie())
		synctest.Wait()
		got := chat.got()
		if len(got) != 2 || got[0].To.Name == got[1].To.Name || got[0].Link != "https://gate.example.com" || got[0].To.Language != "fr" {
			t.Fatalf("%+v", got)
		}
		if _, err := s.Decide(t.Context(), approve(ask, marie)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		got = chat.got()
		if len(got) != 4 || got[3].Kind != NoticeDecided || strings.Contains(got[3].Link, "/decide/") {
			t.Fatalf("%+v", got)
		}
	})
}

func TestARoomWaitsAsLongAsTheFirstAdminsOrderSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chat := &room{channel{name: "webhook"}, []string{"a.example.com"}}
		m := marie
		m.Notify = []books.Channel{{Name: "email", Wait: 5 * time.Minute}, {Name: "webhook"}}
		s := newService(t, with(&channel{name: "email"}, chat), admins(m, paul))
		go func() { _ = s.Run(t.Context()) }()
		mustOpen(t, s, julie())
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		if len(chat.got()) != 0 {
			t.Error("too early")
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if len(chat.got()) != 1 {
			t.Error("too late")
		}
	})
}

func TestAPushIsReplacedWhenSomebodyDecided(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail, push := &channel{name: "email"}, &channel{name: "web_push"}
		s := newService(t, with(mail, push))
		go func() { _ = s.Run(t.Context()) }()
		ask := mustOpen(t, s, julie())
		synctest.Wait()
		if _, err := s.Decide(t.Context(), approve(ask, marie)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		over := map[string]int{}
		for _, n := range push.got() {
			if n.Kind == NoticeDecided {
				over[n.To.Email]++
			}
		}
		if over[marie.Email] != 1 || over[paul.Email] != 1 || len(over) != 2 {
			t.Errorf("%v: on the phone of who decided too, and once", over)
		}
	})
}

func TestATestGoesOverOneChannelOrAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var counted []string
		chat := &room{channel{name: "webhook"}, []string{"a.example.com"}}
		x := play(t, func(c *Config) {
			c.Notifiers = append(c.Notifiers, chat)
			c.Counted = func(channel string, kind NoticeKind, result string) {
				counted = append(counted, fmt.Sprint(channel, " ", kind, " ", result))
			}
		})
		if _, err := x.Test(t.Context(), marie, "sms"); !errors.Is(err, ErrNoChannel) {
			t.Errorf("without a number: %v", err)
		}
		if _, err := x.Test(t.Context(), marie, "pigeon"); !errors.Is(err, ErrNoChannel) {
			t.Errorf("no such channel: %v", err)
		}
		ids, err := x.Test(t.Context(), julieAdmin, "")
		if err != nil || len(ids) != 4 {
			t.Fatalf("%v, %v", ids, err)
		}
		synctest.Wait()
		if len(x.mail.got()) != 1 || len(x.sms.got()) != 1 || len(x.push.got()) != 1 || len(chat.got()) != 1 || len(counted) != 4 {
			t.Errorf("%d %d %d %d %v", len(x.mail.got()), len(x.sms.got()), len(x.push.got()), len(chat.got()), counted)
		}
		mail, err := RenderMail(x.mail.got()[0])
		if err != nil || !strings.Contains(mail.Subject, "Essai") {
			t.Errorf("%+v, %v", mail, err)
		}
	})
}
