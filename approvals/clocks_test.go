package approvals

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
)

// ahead is a further instance on the store of a service, whose clock differs.
func (s *Service) ahead(by time.Duration) *Service {
	c := s.conf2()
	c.Clock = func() time.Time { return time.Now().Add(by) }
	return New(c)
}

// The clocks of instances may differ by a minute: of several that run, one
// sends a notice, also when sending takes long.
func TestInstancesWhoseClocksDifferByAMinuteSendOneNotice(t *testing.T) {
	for _, by := range []time.Duration{time.Minute, -time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			var sends atomic.Int32
			mail := &channel{name: "email", fail: func(Notice) error {
				time.Sleep(sendTimeout - time.Second)
				sends.Add(1)
				return nil
			}}
			s := newService(t, with(mail), only(marie))
			for _, one := range []*Service{s, s.ahead(by), s.ahead(by / 2)} {
				go func() { _ = one.Run(t.Context()) }()
			}
			synctest.Wait()
			mustOpen(t, s, julie())
			mustOpen(t, s.ahead(by), func() Ask { a := julie(); a.Device.ID = "another"; return a }())
			time.Sleep(10 * time.Minute)
			if sends.Load() != 2 {
				t.Errorf("%s ahead: %d sends of 2 notices", by, sends.Load())
			}
		})
	}
}

// What one instance asks another one decides, whichever clock is ahead: the
// request is there, wrong numbers are counted, and the rule holds at once.
func TestARequestOfOneInstanceIsDecidedOnOneWhoseClockDiffers(t *testing.T) {
	for _, by := range []time.Duration{time.Minute, -time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			here := newService(t, only(marie))
			there := here.ahead(by)
			ask := mustOpen(t, here, julie())
			if _, opened, err := there.Open(t.Context(), julie()); err != nil || opened {
				t.Errorf("%s: asked there she waits a second time: %v", by, err)
			}
			ask, err := there.Get(t.Context(), ask.Application, ask.ID)
			if err != nil || !ask.State.Open() {
				t.Fatalf("%s: %s, %v", by, ask.State, err)
			}
			wrong := approve(ask, marie)
			wrong.Number = wrongOf(ask.Number)
			if _, err := there.Decide(t.Context(), wrong); err == nil {
				t.Fatal("a wrong number decides")
			}
			if got, err := here.Get(t.Context(), ask.Application, ask.ID); err != nil || got.WrongNumbers != 1 {
				t.Errorf("%s: %d wrong numbers counted, %v", by, got.WrongNumbers, err)
			}
			if _, err := there.Decide(t.Context(), approve(ask, marie)); err != nil {
				t.Fatalf("%s: %v", by, err)
			}
			rules, err := here.conf.Books.Rules.For(t.Context(), ask.Application, "julie")
			if err != nil {
				t.Fatal(err)
			}
			for _, now := range []time.Time{time.Now(), time.Now().Add(by)} {
				if v := access.Decide(ask.Visit(), access.Standing{Closed: true, Rules: rules}, now); v.Answer != access.LetIn {
					t.Errorf("%s: approved there, she gets %s here", by, v.Answer)
				}
			}
		})
	}
}
