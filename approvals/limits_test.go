package approvals

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

func limited(l Limits) func(*Config) { return func(c *Config) { c.Limits = l } }

func TestLimitsThatAreSetAreThoseThatCount(t *testing.T) {
	for _, c := range []struct {
		name   string
		limits Limits
		play   func(t *testing.T, s *Service)
	}{
		{"one wrong number closes the link", Limits{NumberTries: 1}, func(t *testing.T, s *Service) {
			ask := mustOpen(t, s, julie())
			c := approve(ask, marie)
			c.Number = wrongOf(ask.Number)
			var wrong *NumberError
			if _, err := s.Decide(t.Context(), c); !errors.As(err, &wrong) || wrong.Left != 0 {
				t.Fatalf("the wrong one: %v", err)
			}
			c.Number = ask.Number
			if _, err := s.Decide(t.Context(), c); !errors.Is(err, ErrLinkClosed) {
				t.Errorf("the right one after it: %v", err)
			}
			if len(audited(t, s, "number.closed")) != 1 {
				t.Error("the audit does not say so")
			}
		}},
		{"five wrong numbers do, where five are allowed", Limits{NumberTries: 5}, func(t *testing.T, s *Service) {
			ask := mustOpen(t, s, julie())
			c := approve(ask, marie)
			c.Number = wrongOf(ask.Number)
			for left := 4; left > 0; left-- {
				var wrong *NumberError
				if _, err := s.Decide(t.Context(), c); !errors.As(err, &wrong) || wrong.Left != left {
					t.Fatalf("%d left: %v", left, err)
				}
			}
			c.Number = ask.Number
			if _, err := s.Decide(t.Context(), c); err != nil {
				t.Errorf("the right one at last: %v", err)
			}
		}},
		{"a link opens for an hour", Limits{MailLink: time.Hour}, func(t *testing.T, s *Service) {
			ask := mustOpen(t, s, julie())
			long := s.Link(ask, marie.Email, "email")
			short, err := s.shorten(t.Context(), long)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour - time.Second)
			if _, err := s.openLink(long[len(s.decideURL("")):]); err != nil {
				t.Fatalf("before: %v", err)
			}
			time.Sleep(time.Second)
			if _, err := s.openLink(long[len(s.decideURL("")):]); !errors.Is(err, ErrExpired) {
				t.Errorf("after: %v", err)
			}
			if _, err := s.lengthen(t.Context(), short[len(s.decideURL("")):]); err == nil {
				t.Error("its short one still leads there")
			}
		}},
		{"a refused request is asked again after a quarter of an hour", Limits{Refused: 15 * time.Minute}, func(t *testing.T, s *Service) {
			again := refusedThen(t, s, 15*time.Minute-time.Second)
			if again() {
				t.Error("asked again too early")
			}
			time.Sleep(time.Second)
			if !again() {
				t.Error("not asked again")
			}
		}},
		{"a refusal outlives the time that a request may wait", Limits{Refused: 30 * 24 * time.Hour, Request: time.Hour}, func(t *testing.T, s *Service) {
			again := refusedThen(t, s, 30*24*time.Hour-time.Second)
			if again() {
				t.Error("asked again too early")
			}
			time.Sleep(time.Second)
			if !again() {
				t.Error("not asked again")
			}
		}},
		{"a pass lasts as long as was said, also across midnight", Limits{Pass: 36 * time.Hour}, func(t *testing.T, s *Service) {
			code, until, err := s.MakePass(t.Context(), app, "julie", marie.Email, "", ViaCommand)
			if err != nil || time.Until(until) != 36*time.Hour {
				t.Fatalf("until %s, %v", until, err)
			}
			time.Sleep(36*time.Hour - time.Second)
			ask := mustOpen(t, s, julie())
			if got, err := s.UsePass(t.Context(), app, ask.ID, code); err != nil || !got.Decision.Until.Equal(until) {
				t.Errorf("%+v, %v", got.Decision, err)
			}
		}},
		{"a pass is over when its time is", Limits{Pass: time.Hour}, func(t *testing.T, s *Service) {
			code, _, err := s.MakePass(t.Context(), app, "julie", marie.Email, "", ViaCommand)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			ask := mustOpen(t, s, julie())
			if _, err := s.UsePass(t.Context(), app, ask.ID, code); !errors.Is(err, ErrPass) {
				t.Errorf("an hour later: %v", err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.play(t, newService(t, limited(c.limits))) })
		})
	}
}

// refusedThen refuses julie, lets some time pass, and returns what tells
// whether she can ask anew.
func refusedThen(t *testing.T, s *Service, later time.Duration) func() bool {
	t.Helper()
	c := approve(mustOpen(t, s, julie()), marie)
	c.Effect, c.Number, c.Confirmed = access.Refuse, "", true
	if _, err := s.Decide(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	time.Sleep(later)
	return func() bool {
		_, opened, err := s.Open(t.Context(), julie())
		if err != nil {
			t.Fatal(err)
		}
		return opened
	}
}

func TestACodeIsGoodAsLongAndAsOftenAsWasSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := play(t, admins(marie), selfOf("email"), limited(Limits{Code: 2 * time.Minute, CodeTries: 2}))
		ask := mustOpen(t, x.Service, julie())
		n := x.code(t)
		if n.Life != 2*time.Minute {
			t.Errorf("the mail says it is good for %s", n.Life)
		}
		time.Sleep(2 * time.Minute)
		if _, err := x.UseCode(t.Context(), app, ask.ID, n.Code); !errors.Is(err, ErrCode) {
			t.Errorf("after two minutes: %v", err)
		}
		if _, err := x.SendCode(t.Context(), app, ask.ID); err != nil {
			t.Fatal(err)
		}
		good, bad := x.code(t).Code, "000000"
		if good == bad {
			bad = "000001"
		}
		if _, err := x.UseCode(t.Context(), app, ask.ID, bad); !errors.Is(err, ErrCodeTries) {
			t.Errorf("the second wrong one: %v", err)
		}
		if _, err := x.UseCode(t.Context(), app, ask.ID, good); !errors.Is(err, ErrCodeTries) {
			t.Errorf("the right one after two wrong ones: %v", err)
		}
	})
}

// Two processes on one store that were told different things: each goes by
// its own, but for what was given an end when it was made.
func TestEachInstanceGoesByItsOwnLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := memory.New()
		t.Cleanup(func() { _ = st.Close() })
		strict := New(config(t, st, limited(Limits{NumberTries: 1, Request: time.Hour})))
		lax := New(config(t, st, limited(Limits{NumberTries: 2})))
		ask := mustOpen(t, strict, julie())
		if want := time.Now().Add(time.Hour); !ask.Ends.Equal(want) {
			t.Errorf("ends %s, want %s", ask.Ends, want)
		}
		c := approve(ask, marie)
		c.Number = wrongOf(ask.Number)
		if _, err := lax.Decide(t.Context(), c); err == nil {
			t.Fatal("a wrong number was taken")
		}
		c.Number = ask.Number
		if _, err := strict.Decide(t.Context(), c); !errors.Is(err, ErrLinkClosed) {
			t.Errorf("where one is allowed: %v", err)
		}
		if _, err := lax.Decide(t.Context(), c); err != nil {
			t.Errorf("where two are allowed: %v", err)
		}
		other := julie()
		other.Device.ID = "dev2"
		ask = mustOpen(t, strict, other)
		time.Sleep(time.Hour)
		if _, err := lax.Decide(t.Context(), approve(ask, paul)); !errors.Is(err, ErrExpired) {
			t.Errorf("its end is its own: %v", err)
		}
	})
}
