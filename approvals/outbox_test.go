package approvals

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/seal"
)

// only names the one admin whom most of these stories need.
func only(a books.Admin) func(*Config) {
	return func(c *Config) { c.Admins = func() []books.Admin { return []books.Admin{a} } }
}

func TestEveryApproverIsToldOnceWithALinkOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail := &channel{name: "email"}
		s := newService(t, with(mail))
		go func() { _ = s.Run(t.Context()) }()
		synctest.Wait()
		ask := mustOpen(t, s, julie())
		synctest.Wait() // no clock moves: the watch woke it
		got := mail.got()
		if len(got) != 2 {
			t.Fatalf("%d notices", len(got))
		}
		links := map[string]bool{}
		for _, n := range got {
			if n.Kind != NoticeOpened || n.Ask.ID != ask.ID || n.Ask.Number != "" || !n.To.Admin || n.ApplicationName != "Registre" {
				t.Errorf("notice %+v", n)
			}
			token, ok := strings.CutPrefix(n.Link, "https://gate.example.com/decide/")
			l, err := s.openLink(token)
			if !ok || err != nil || l.Admin != n.To.Email || l.ID != ask.ID || l.Channel != "email" {
				t.Errorf("link %q: %+v, %v", n.Link, l, err)
			}
			links[n.Link] = true
		}
		if len(links) != 2 {
			t.Error("two admins share a link")
		}
		time.Sleep(time.Hour)
		if n := len(mail.got()); n != 2 {
			t.Errorf("%d notices an hour later", n)
		}
		done, err := s.Deliveries(t.Context(), app, 10)
		if err != nil || len(done) != 2 || done[0].State != DeliverySent || done[0].Tries != 1 {
			t.Errorf("%+v, %v", done, err)
		}
	})
}

func TestANoticeIsTriedAgainAndThenGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries []time.Time
		began := time.Now()
		mail := &channel{name: "email", fail: func(Notice) error {
			tries = append(tries, time.Now())
			return errors.New("421 try again\r\nlater")
		}}
		s := newService(t, with(mail), only(marie))
		go func() { _ = s.Run(t.Context()) }()
		mustOpen(t, s, julie())
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := len(tries); n < 5 || n > 9 {
			t.Errorf("%d tries in ten minutes", n)
		}
		list, err := s.Deliveries(t.Context(), app, 10)
		if err != nil || len(list) != 1 || list[0].State != DeliveryPending || list[0].Error != "421 try again later" {
			t.Errorf("%+v, %v", list, err)
		}
		time.Sleep(26 * time.Hour)
		synctest.Wait()
		n := len(tries)
		if last := tries[n-1].Sub(began); last < 24*time.Hour || last > 26*time.Hour || n > 60 {
			t.Errorf("%d tries, the last after %s", n, last)
		}
		list, err = s.Deliveries(t.Context(), app, 10)
		if err != nil || len(list) != 1 || list[0].State != DeliveryFailed {
			t.Errorf("%+v, %v", list, err)
		}
		if len(audited(t, s, "notice.failed")) != 1 {
			t.Error("the audit does not say so")
		}
	})
}

func TestAPermanentErrorIsNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		mail := &channel{name: "email", fail: func(Notice) error {
			tries++
			return Permanent("550 no such user")
		}}
		s := newService(t, with(mail), only(marie))
		go func() { _ = s.Run(t.Context()) }()
		mustOpen(t, s, julie())
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		if tries != 1 {
			t.Errorf("%d tries", tries)
		}
	})
}

func TestAChannelThatHangsOrPanicsHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := &channel{name: "sms"}
		push := &channel{name: "web_push", fail: func(Notice) error { panic("a guest's mistake") }}
		mail := &channel{name: "email"}
		s := newService(t, with(&slow{hangs}, push, mail), only(marie))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = s.Run(ctx)
		}()
		defer func() { // what hangs needs the bubble's clock to end
			cancel()
			<-ended
		}()
		began := time.Now()
		for _, d := range []string{"a", "b", "c"} {
			a := julie()
			a.Device.ID = d
			mustOpen(t, s, a)
			time.Sleep(time.Millisecond) // identifiers sort by the millisecond
		}
		synctest.Wait()
		if n := len(mail.got()); n != 3 || time.Since(began) > 3*time.Millisecond {
			t.Errorf("%d mails after %s", n, time.Since(began))
		}
		// The order is that of the requests.
		got := mail.got()
		for i := 1; i < len(got); i++ {
			if got[i].Ask.ID <= got[i-1].Ask.ID {
				t.Error("out of order")
			}
		}
	})
}

// slow gives up only when its time is over.
type slow struct{ *channel }

func (s *slow) Notify(ctx context.Context, _ Notice) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestOfSeveralInstancesOneSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sending, most, sends atomic.Int32
		mail := &channel{name: "email", fail: func(Notice) error {
			most.Store(max(most.Load(), sending.Add(1)))
			time.Sleep(time.Second)
			sending.Add(-1)
			sends.Add(1)
			return nil
		}}
		s := newService(t, with(mail), only(marie))
		for range 3 {
			go func() { _ = New(s.conf2()).Run(t.Context()) }()
		}
		synctest.Wait()
		for _, d := range []string{"a", "b", "c", "d"} {
			a := julie()
			a.Device.ID = d
			mustOpen(t, s, a)
		}
		time.Sleep(time.Minute)
		if sends.Load() != 4 {
			t.Errorf("%d sends of 4 notices", sends.Load())
		}
	})
}

// conf2 is the configuration for another instance.
func (s *Service) conf2() Config {
	c := s.conf
	c.Instance = ""
	return c
}

func TestADeadInstancesClaimRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail := &channel{name: "email"}
		s := newService(t, with(mail), only(marie))
		mustOpen(t, s, julie())
		var p parcel
		if err := s.eachParcel(t.Context(), app, func(x parcel) { p = x }); err != nil {
			t.Fatal(err)
		}
		p.LeaseBy, p.LeaseUntil = "a process that was killed", time.Now().Add(leaseFor)
		if err := s.st.Apply(t.Context(), batchOf(p.write())); err != nil {
			t.Fatal(err)
		}
		go func() { _ = s.Run(t.Context()) }()
		time.Sleep(leaseFor - time.Second)
		if n := len(mail.got()); n != 0 {
			t.Errorf("%d sent under another's claim", n)
		}
		time.Sleep(2 * time.Second)
		if n := len(mail.got()); n != 1 {
			t.Errorf("%d sent after it ran out", n)
		}
	})
}

func TestADeadInstancesClaimIsWorthNothingWhereThereIsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail := &channel{name: "email"}
		s := newService(t, with(mail), only(marie), func(c *Config) { c.Alone = true })
		mustOpen(t, s, julie())
		var p parcel
		if err := s.eachParcel(t.Context(), app, func(x parcel) { p = x }); err != nil {
			t.Fatal(err)
		}
		p.LeaseBy, p.LeaseUntil = "a process that was killed", time.Now().Add(leaseFor)
		if err := s.st.Apply(t.Context(), batchOf(p.write())); err != nil {
			t.Fatal(err)
		}
		go func() { _ = s.Run(t.Context()) }()
		time.Sleep(time.Second)
		if n := len(mail.got()); n != 1 {
			t.Errorf("%d sent", n)
		}
	})
}

func TestTheNextChannelIsUsedOnlyIfNobodyDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail, sms := &channel{name: "email"}, &channel{name: "sms"}
		m := marie
		m.Notify = []books.Channel{{Name: "web_push"}, {Name: "email", Wait: 5 * time.Minute}, {Name: "sms"}}
		s := newService(t, with(mail, sms), only(m))
		go func() { _ = s.Run(t.Context()) }()
		first := mustOpen(t, s, julie())
		time.Sleep(4 * time.Minute)
		if len(mail.got()) != 1 || len(sms.got()) != 0 {
			t.Fatalf("after four minutes: %d mails, %d texts", len(mail.got()), len(sms.got()))
		}
		if _, err := s.Decide(t.Context(), approve(first, m)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if len(sms.got()) != 0 {
			t.Error("a text about what was decided")
		}
		a := julie()
		a.Device.ID = "dev2"
		mustOpen(t, s, a)
		time.Sleep(5*time.Minute + time.Second)
		if len(sms.got()) != 1 {
			t.Errorf("%d texts after five minutes without an answer", len(sms.got()))
		}
	})
}

func TestWhatIsDecidedIsToldAndWhatWaitedIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail := &channel{name: "email"}
		s := newService(t, with(mail))
		ask := mustOpen(t, s, julie()) // nothing goes out yet: Run does not run
		c := approve(ask, marie)
		c.Effect, c.SignedIn, c.Reply = access.Refuse, true, "Demain"
		if _, err := s.Decide(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		go func() { _ = s.Run(t.Context()) }()
		time.Sleep(time.Minute)
		got := mail.got()
		if len(got) != 2 {
			t.Fatalf("%d notices", len(got))
		}
		for _, n := range got {
			if n.Ask.Decision.By != marie.Email || n.Ask.State != Refused {
				t.Errorf("%+v", n)
			}
			switch n.To.Email {
			case paul.Email:
				if n.Kind != NoticeDecided || !strings.HasPrefix(n.Link, "https://gate.example.com/decide/") {
					t.Errorf("%+v", n)
				}
			case "julie@example.com":
				if n.Kind != NoticeOutcome || n.To.Admin || n.To.Language != "fr" || n.Link != "" {
					t.Errorf("%+v", n)
				}
			default:
				t.Errorf("told %s", n.To.Email)
			}
		}
	})
}

func TestThePersonWhoIsLetInIsLedToTheApplication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail := &channel{name: "email"}
		s := newService(t, with(mail), func(c *Config) {
			c.Application = func(string) Application { return Application{Name: "Registre", Address: "https://app.example.com/"} }
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = s.Run(ctx) }()
		defer func() { cancel(); <-ended }()
		ask := mustOpen(t, s, julie())
		synctest.Wait()
		if _, err := s.Decide(t.Context(), approve(ask, marie)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for _, n := range mail.got() {
			if n.Kind != NoticeOutcome {
				continue
			}
			html, err := RenderMail(n)
			if err != nil || n.Link != "https://app.example.com/" || !strings.Contains(html.HTML, `<a class="key" href="https://app.example.com/"`) || !strings.Contains(html.Text, n.Link) {
				t.Errorf("%v %q\n%s", err, n.Link, html.Text)
			}
			return
		}
		t.Error("nobody told the outcome")
	})
}

func TestAnAddressThatIsNoneIsNotWrittenTo(t *testing.T) {
	for _, email := range []string{"", "julie", "a@b, c@d", "Julie <julie@example.com>", "julie@example.com\r\nBcc: x@y", "@", "julie@"} {
		if plainAddress(email) {
			t.Errorf("%q passed", email)
		}
	}
}

func TestAQueuedLinkIsSealedUntilItGoesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail := &channel{name: "email"}
		s := newService(t, with(mail))
		n := Notice{Kind: NoticeSignIn, Channel: "email", To: recipient(marie), Link: "https://gate.example.com/sign-in/secret"}
		if err := s.Queue(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		if err := s.eachParcel(t.Context(), "", func(p parcel) {
			if strings.Contains(string(p.raw), "secret") {
				t.Error("the link lies open in the store")
			}
		}); err != nil {
			t.Fatal(err)
		}
		go func() { _ = s.Run(t.Context()) }()
		synctest.Wait()
		if got := mail.got(); len(got) != 1 || got[0].Link != n.Link {
			t.Errorf("%+v", got)
		}
	})
}

func TestLinksEndAndAreOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		ask := mustOpen(t, s, julie())
		token := strings.TrimPrefix(s.Link(ask, marie.Email, "email"), "https://gate.example.com/decide/")
		if _, err := s.openLink(token); err != nil {
			t.Fatal(err)
		}
		for i := range token {
			flipped := []byte(token)
			flipped[i] ^= 1
			if l, err := s.openLink(string(flipped)); err == nil {
				t.Fatalf("changed at %d and opens: %+v", i, l)
			}
		}
		if _, err := s.openLink(""); !errors.Is(err, seal.ErrOpen) {
			t.Error(err)
		}
		time.Sleep(Limits{}.complete().MailLink)
		if _, err := s.openLink(token); !errors.Is(err, ErrExpired) {
			t.Errorf("after seven days: %v", err)
		}
	})
}

func TestBackoffDoublesAndStaysBounded(t *testing.T) {
	for tries := 1; tries < 100; tries++ {
		want := lastBackoff
		if tries < 12 {
			want = min(firstBackoff<<(tries-1), lastBackoff)
		}
		if d := backoff(tries); d < want*3/4 || d > want*5/4 {
			t.Errorf("try %d waits %s, want about %s", tries, d, want)
		}
	}
}

func TestQuietHoursHoldBackWhatRings(t *testing.T) {
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 11, day, hour, minute, 0, 0, time.UTC) }
	for _, c := range []struct {
		name, from, to string
		due, want      time.Time
	}{
		{"by day at once", "22:00", "06:00", at(21, 14, 0), at(21, 14, 0)},
		{"in the evening not before morning", "22:00", "06:00", at(21, 23, 30), at(22, 6, 0)},
		{"after midnight the same morning", "22:00", "06:00", at(21, 2, 0), at(21, 6, 0)},
		{"when they begin", "22:00", "06:00", at(21, 22, 0), at(22, 6, 0)},
		{"when they end", "22:00", "06:00", at(21, 6, 0), at(21, 6, 0)},
		{"at noon", "12:00", "13:00", at(21, 12, 30), at(21, 13, 0)},
		{"after noon", "12:00", "13:00", at(21, 13, 30), at(21, 13, 30)},
		{"none", "", "", at(21, 2, 0), at(21, 2, 0)},
		{"words that are no time", "late", "early", at(21, 2, 0), at(21, 2, 0)},
	} {
		if got := afterQuiet(c.due, c.from, c.to); !got.Equal(c.want) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	synctest.Test(t, func(t *testing.T) { // the bubble's clock begins at midnight UTC
		mail, sms := &channel{name: "email"}, &channel{name: "sms"}
		m := marie
		m.QuietFrom, m.QuietTo = "22:00", "06:00"
		s := newService(t, with(mail, sms), only(m), func(c *Config) { c.Clock = func() time.Time { return time.Now().UTC() } })
		go func() { _ = s.Run(t.Context()) }()
		mustOpen(t, s, julie())
		time.Sleep(time.Hour)
		if len(mail.got()) != 1 || len(sms.got()) != 0 {
			t.Errorf("at one: %d mails, %d texts", len(mail.got()), len(sms.got()))
		}
		time.Sleep(5*time.Hour + time.Second)
		if len(sms.got()) != 1 {
			t.Errorf("at six: %d texts", len(sms.got()))
		}
	})
}

func TestTheSecondApproverIsToldWhenTheFirstDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail := &channel{name: "email"}
		second := paul
		second.Notify = []books.Channel{{Wait: 10 * time.Minute}, {Name: "email"}}
		s := newService(t, with(mail), func(c *Config) { c.Admins = func() []books.Admin { return []books.Admin{marie, second} } })
		go func() { _ = s.Run(t.Context()) }()
		mustOpen(t, s, julie())
		time.Sleep(9 * time.Minute)
		if got := mail.got(); len(got) != 1 || got[0].To.Email != marie.Email {
			t.Errorf("after nine minutes: %+v", got)
		}
		time.Sleep(2 * time.Minute)
		if got := mail.got(); len(got) != 2 || got[1].To.Email != paul.Email {
			t.Errorf("after eleven: %d", len(got))
		}
	})
}

func TestAStopInMidSendCostsNoTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, with(&slow{&channel{name: "email"}}), only(marie))
		mustOpen(t, s, julie())
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = s.Run(ctx)
		}()
		synctest.Wait()
		cancel()
		began := time.Now()
		<-ended
		if d := time.Since(began); d > stopGrace {
			t.Errorf("stopping took %s", d)
		}
		list, err := s.Deliveries(t.Context(), app, 10)
		if err != nil || len(list) != 1 || list[0].Tries != 0 || list[0].At.After(time.Now()) {
			t.Errorf("%+v, %v", list, err)
		}
		// A mail that arrives within the grace is written down as sent.
		mail := &channel{name: "email", fail: func(Notice) error { time.Sleep(time.Second); return nil }}
		c := s.conf2()
		c.Notifiers = []Notifier{mail}
		ctx, cancel = context.WithCancel(t.Context())
		go func() { time.Sleep(500 * time.Millisecond); cancel() }()
		_ = New(c).Run(ctx)
		if list, err = s.Deliveries(t.Context(), app, 10); err != nil || len(list) != 1 || list[0].State != DeliverySent {
			t.Errorf("%+v, %v", list, err)
		}
	})
}
