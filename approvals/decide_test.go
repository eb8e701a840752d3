package approvals

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

func TestAnApprovalIsRuleStateAuditAndNoticesTogether(t *testing.T) {
	mail := &channel{name: "email"}
	s := newService(t, with(mail))
	ask := mustOpen(t, s, julie())
	c := approve(ask, marie)
	c.Until, c.Reply = time.Now().Add(time.Hour), "Bienvenue"
	got, err := s.Decide(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	d := got.Decision
	if got.State != Approved || d.By != marie.Email || d.Name != marie.Name || d.Via != ViaMail || d.Width != WidthConnection || d.Sure || d.RuleID == "" {
		t.Errorf("decision %+v", d)
	}
	rules, err := s.conf.Books.Rules.For(t.Context(), app, "julie")
	if err != nil || len(rules) != 1 || rules[0].ID != d.RuleID || rules[0].Author != marie.Email || rules[0].Created.IsZero() {
		t.Fatalf("rules %+v, %v", rules, err)
	}
	v := access.Decide(ask.Visit(), access.Standing{Closed: true, Rules: rules}, time.Now())
	if v.Answer != access.LetIn {
		t.Errorf("approved, and yet %s: %s", v.Answer, v.Reason())
	}
	entries := audited(t, s, "approve")
	if len(entries) != 1 || entries[0].Who != marie.Email || entries[0].From != "198.51.100.9" || entries[0].Via != ViaMail ||
		entries[0].Subject != "julie" || entries[0].Detail["rule"] != d.RuleID || entries[0].Detail["sure"] != "false" || entries[0].Detail["number"] != "true" {
		t.Errorf("audit %+v", entries)
	}
	pending, err := s.Deliveries(t.Context(), app, 100)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[NoticeKind]string{}
	for _, p := range pending {
		kinds[p.Notice.Kind] += p.Notice.To.Email + " "
	}
	if kinds[NoticeOpened] != "" || kinds[NoticeDecided] != "paul@example.com " || kinds[NoticeOutcome] != "julie@example.com " {
		t.Errorf("notices %v", kinds)
	}
	// What was approved and asks again at once was on its way: nothing opens.
	if again, opened, err := s.Open(t.Context(), julie()); err != nil || opened || again.ID != ask.ID {
		t.Errorf("asked again at once: opened %v, %v", opened, err)
	}
}

func TestASecondApproverLearnsWhoDecided(t *testing.T) {
	s := newService(t)
	ask := mustOpen(t, s, julie())
	if _, err := s.Decide(t.Context(), approve(ask, marie)); err != nil {
		t.Fatal(err)
	}
	c := approve(ask, paul)
	c.Effect, c.SignedIn = access.Refuse, true
	_, err := s.Decide(t.Context(), c)
	var decided *DecidedError
	if !errors.As(err, &decided) || decided.Ask.Decision.By != marie.Email || decided.Ask.State != Approved {
		t.Errorf("%v", err)
	}
	if rules, _ := s.conf.Books.Rules.For(t.Context(), app, "julie"); len(rules) != 1 {
		t.Errorf("%d rules", len(rules))
	}
}

func TestWhoMayDecideAndHow(t *testing.T) {
	change := func(f func(*Choice)) func(*Choice) { return f }
	cases := []struct {
		name string
		with func(*Choice)
		want error
	}{
		{"a link with the number approves", change(func(*Choice) {}), nil},
		{"a signed-in approver with the number approves", change(func(c *Choice) { c.SignedIn = true }), nil},
		{"a signed-in approver who made sure otherwise approves", change(func(c *Choice) { c.SignedIn, c.Sure, c.Number = true, true, "" }), nil},
		{"a signed-in approver who says nothing does not", change(func(c *Choice) { c.SignedIn, c.Number = true, "" }), ErrUnsure},
		{"having made sure counts for nothing without a session", change(func(c *Choice) { c.Sure, c.Number = true, "" }), &NumberError{}},
		{"a link without the number does not", change(func(c *Choice) { c.Number = "" }), &NumberError{}},
		{"a link with a wrong number does not", change(func(c *Choice) { c.Number = wrongOf(c.Number) }), &NumberError{}},
		{"the approver of another application does not", change(func(c *Choice) { c.By = other }), ErrNotYours},
		{"a name that begins like the application's is another", change(func(c *Choice) { c.By.Applications = []string{app + ".evil", "app"} }), ErrNotYours},
		{"what was shown before it changed is not approved", change(func(c *Choice) { c.Version-- }), ErrUnsure},
		{"an end in the past is none", change(func(c *Choice) { c.Until = time.Now().Add(-time.Second) }), ErrUntil},
		{"a width that is none of ours is none", change(func(c *Choice) { c.Width = "all of it" }), ErrWidth},
		{"a refusal from a link wants a tick", change(func(c *Choice) { c.Effect, c.Number = access.Refuse, "" }), ErrNotConfirmed},
		{"a refusal from a link with its tick holds", change(func(c *Choice) { c.Effect, c.Number, c.Confirmed = access.Refuse, "", true }), nil},
		{"a refusal from a link with the number holds", change(func(c *Choice) { c.Effect = access.Refuse }), nil},
		{"a refusal from the console holds", change(func(c *Choice) { c.Effect, c.Number, c.SignedIn = access.Refuse, "", true }), nil},
		{"a request that is not there is not decided", change(func(c *Choice) { c.ID = "nothing" }), ErrNotFound},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newService(t)
			a := julie()
			mustOpen(t, s, a)
			moved := a
			moved.Device.Kind = access.Phone // the request changed once
			s.conf.Clock = func() time.Time { return time.Now().Add(2 * time.Second) }
			ask, _, err := s.Open(t.Context(), moved)
			if err != nil || ask.Version != 2 {
				t.Fatal(ask.Version, err)
			}
			choice := approve(ask, marie)
			c.with(&choice)
			got, err := s.Decide(t.Context(), choice)
			var number *NumberError
			var changed *ChangedError
			switch {
			case c.want == nil && err != nil, c.want != nil && err == nil:
				t.Fatalf("error %v, want %v", err, c.want)
			case errors.As(c.want, &number):
				if !errors.As(err, &number) {
					t.Fatalf("error %v, want a NumberError", err)
				}
			case choice.Version != ask.Version:
				if !errors.As(err, &changed) || changed.Ask.Version != ask.Version {
					t.Fatalf("error %v, want a ChangedError", err)
				}
			case !errors.Is(err, c.want):
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if err == nil {
				if got.Decision.Sure != (choice.Sure && choice.Number == "") {
					t.Errorf("sure %v", got.Decision.Sure)
				}
				return
			}
			still, err := s.Get(t.Context(), app, ask.ID)
			if err != nil || still.State != Waiting {
				t.Errorf("afterwards %s, %v", still.State, err)
			}
			if rules, _ := s.conf.Books.Rules.All(t.Context(), app); len(rules) != 0 {
				t.Errorf("a rule was made: %+v", rules)
			}
		})
	}
}

func TestThreeWrongNumbersCloseTheLinkAndNotTheConsole(t *testing.T) {
	s := newService(t)
	ask := mustOpen(t, s, julie())
	c := approve(ask, marie)
	c.Number = wrongOf(ask.Number)
	for left := s.Limits().NumberTries - 1; left >= 0; left-- {
		_, err := s.Decide(t.Context(), c)
		var wrong *NumberError
		if !errors.As(err, &wrong) || wrong.Left != left || wrong.Missing {
			t.Fatalf("%d left: %v", left, err)
		}
	}
	if len(audited(t, s, "number.closed")) != 1 {
		t.Error("guessing left no trace")
	}
	c.Number = ask.Number
	if _, err := s.Decide(t.Context(), c); !errors.Is(err, ErrLinkClosed) {
		t.Errorf("the right number after three wrong ones: %v", err)
	}
	c.By = paul
	if _, err := s.Decide(t.Context(), c); !errors.Is(err, ErrLinkClosed) {
		t.Errorf("by another link: %v", err)
	}
	// Signing in anew from the waiting device opens no new number.
	if again, _, err := s.Open(t.Context(), julie()); err != nil || again.ID != ask.ID || s.Limits().LinkOpen(again) {
		t.Errorf("asked again: %+v, %v", again, err)
	}
	c.SignedIn = true
	if _, err := s.Decide(t.Context(), c); err != nil {
		t.Errorf("from the console: %v", err)
	}
}

func TestThreat_L24_NobodyApprovesTheirOwnRequestFromTheDeviceThatWaits(t *testing.T) {
	admins := map[string]books.Admin{
		"by the e-mail":            {Email: "julie@example.com"},
		"by the name they bear":    {Email: "jt@example.com", Users: map[string]string{app: "julie"}},
		"by a spelling of it":      {Email: "jt@example.com", Users: map[string]string{app: "Juli.e"}},
		"by the e-mail in capital": {Email: "Julie@Example.com"},
	}
	for name, self := range admins {
		t.Run(name, func(t *testing.T) {
			allowed := ""
			s := newService(t, func(c *Config) {
				c.Admins = func() []books.Admin { return []books.Admin{self, marie} }
				c.Application = func(string) Application {
					if allowed == "" {
						return Application{Name: "Registre"}
					}
					return Application{Name: "Registre", Self: []string{allowed}}
				}
			})
			ask := mustOpen(t, s, julie())
			signedIn := approve(ask, self)
			signedIn.SignedIn, signedIn.Sure, signedIn.Channel = true, true, ""
			for what, c := range map[string]Choice{"signed in": signedIn, "by the mail's link": approve(ask, self)} {
				if _, err := s.Decide(t.Context(), c); !errors.Is(err, ErrOwnRequest) {
					t.Fatalf("%s: %v", what, err)
				}
			}
			allowed = "sms"
			if _, err := s.Decide(t.Context(), approve(ask, self)); !errors.Is(err, ErrOwnRequest) {
				t.Fatalf("by mail where the policy names SMS: %v", err)
			}
			allowed = "email"
			if _, err := s.Decide(t.Context(), signedIn); !errors.Is(err, ErrOwnRequest) {
				t.Fatalf("signed in where the policy names mail: %v", err)
			}
			sure := approve(ask, self)
			sure.SignedIn, sure.Sure, sure.Number = true, true, ""
			var number *NumberError
			if _, err := s.Decide(t.Context(), sure); !errors.As(err, &number) {
				t.Fatalf("without the number: %v", err)
			}
			if _, err := s.Decide(t.Context(), approve(ask, self)); err != nil {
				t.Fatalf("by the channel the policy names: %v", err)
			}
			entries := audited(t, s, "approve")
			if len(entries) != 1 || entries[0].Who != self.Email || entries[0].Detail["own"] != "true" || entries[0].Detail["channel"] != "email" {
				t.Errorf("audit %+v", entries)
			}
		})
	}
}

func TestThreat_L24_TheAuditHoldsTheApproverAndNotTheRequester(t *testing.T) {
	s := newService(t)
	ask := mustOpen(t, s, julie())
	if _, err := s.Decide(t.Context(), approve(ask, paul)); err != nil {
		t.Fatal(err)
	}
	e := audited(t, s, "approve")[0]
	if e.Who != paul.Email || e.Subject != "julie" || e.From == ask.Place.Address.String() {
		t.Errorf("audit %+v", e)
	}
}

func TestFullAccessIsGivenOnceWhateverCrashes(t *testing.T) {
	// Fails at each of the three batches in turn, then carries on as a restart
	// does.
	for after := range 4 {
		st := &faulty{Store: memory.New(), after: -1}
		s := New(config(t, st))
		ask := mustOpen(t, s, julie())
		c := approve(ask, marie)
		c.Width = WidthFull
		st.set(after)
		_, err := s.Decide(t.Context(), c)
		if (err == nil) != (after == 3) {
			t.Fatalf("after %d batches: %v", after, err)
		}
		st.set(-1)
		user, _ := s.conf.Books.Users.Get(t.Context(), "julie")
		now, _ := s.Get(t.Context(), app, ask.ID)
		if now.State == Approved && !user.HasFullAccess(app) {
			t.Errorf("after %d batches: told to be in, and not in", after)
		}
		if now.State == Deciding {
			var decided *DecidedError
			refuse := approve(ask, paul)
			refuse.Effect, refuse.SignedIn = access.Refuse, true
			if _, err := s.Decide(t.Context(), refuse); !errors.As(err, &decided) || decided.Ask.Decision.By != marie.Email {
				t.Errorf("after %d batches somebody else decides: %v", after, err)
			}
		}
		restarted := New(config(t, st))
		if err := restarted.resume(t.Context(), app); err != nil {
			t.Fatal(err)
		}
		user, _ = s.conf.Books.Users.Get(t.Context(), "julie")
		now, _ = s.Get(t.Context(), app, ask.ID)
		wantIn := after > 0 // before the first batch nothing happened
		if user.HasFullAccess(app) != wantIn || (now.State == Approved) != wantIn || (now.State == Waiting) == wantIn {
			t.Errorf("after %d batches and a restart: full access %v, %s", after, user.HasFullAccess(app), now.State)
		}
		if n := len(audited(t, s, "approve")); wantIn && n != 1 {
			t.Errorf("after %d batches: %d audit entries", after, n)
		}
	}
}

func TestFullAccessThatWasTakenBackDoesNotComeBack(t *testing.T) {
	st := &faulty{Store: memory.New(), after: -1}
	s := New(config(t, st))
	ask := mustOpen(t, s, julie())
	c := approve(ask, marie)
	c.Width = WidthFull
	st.set(2) // the request was marked and access given; then the crash
	if _, err := s.Decide(t.Context(), c); err == nil {
		t.Fatal("no crash")
	}
	st.set(-1)
	if _, err := s.conf.Books.Users.Update(t.Context(), "julie", func(u *books.User) ([]store.Write, bool, error) {
		delete(u.FullAccess, app)
		return nil, true, nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := New(config(t, st)).resume(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	if u, _ := s.conf.Books.Users.Get(t.Context(), "julie"); u.HasFullAccess(app) {
		t.Error("a restart gave back what an admin had taken")
	}
}

func TestADiskThatIsFullDecidesNothing(t *testing.T) {
	st := &faulty{Store: memory.New(), after: -1}
	s := New(config(t, st))
	ask := mustOpen(t, s, julie())
	st.set(0)
	if _, err := s.Decide(t.Context(), approve(ask, marie)); !errors.Is(err, errDisk) {
		t.Fatalf("%v", err)
	}
	second := julie()
	second.Device.ID = "dev2"
	if got, opened, err := s.Open(t.Context(), second); err == nil || opened || got.ID != "" {
		t.Errorf("opened %v, %+v, %v", opened, got, err)
	}
	st.set(-1)
	if got, err := s.Get(t.Context(), app, ask.ID); err != nil || got.State != Waiting {
		t.Errorf("%s, %v", got.State, err)
	}
}

func TestAProofOfTheGatesOwnApproves(t *testing.T) {
	s := newService(t)
	ask := mustOpen(t, s, julie())
	until := time.Now().Add(90 * 24 * time.Hour)
	got, err := s.ApproveAs(t.Context(), app, ask.ID, "biopass", until, map[string]string{"score": "match"})
	if err != nil || got.State != Approved || got.Decision.By != "biopass" {
		t.Fatalf("%+v, %v", got.Decision, err)
	}
	rules, _ := s.conf.Books.Rules.For(t.Context(), app, "julie")
	if len(rules) != 1 || rules[0].Author != "biopass" || rules[0].Until.Sub(until).Abs() > time.Millisecond {
		t.Errorf("%+v", rules)
	}
	if e := audited(t, s, "approve"); len(e) != 1 || e[0].Who != "biopass" || e[0].Detail["score"] != "match" {
		t.Errorf("%+v", e)
	}
}

func TestAPassLetsOnePersonInOnceUntilMidnight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		code, until, err := s.MakePass(t.Context(), app, "julie", marie.Email, "198.51.100.9", ViaCommand)
		if err != nil || len(code) != 9 || until.Hour() != 0 || time.Until(until) > 24*time.Hour || strings.ContainsAny(code, "01OISL") {
			t.Fatalf("%q until %s, %v", code, until, err)
		}
		raw, err := s.st.Get(t.Context(), passKey(app, "julie"))
		if err != nil || strings.Contains(string(raw), strings.ReplaceAll(code, "-", "")) {
			t.Fatalf("the code lies open in the store, %v", err)
		}
		anne := julie()
		anne.Person.User, anne.Device.ID = "anne", "dev2"
		hers := mustOpen(t, s, anne)
		if _, err := s.UsePass(t.Context(), app, hers.ID, code); !errors.Is(err, ErrPass) {
			t.Errorf("somebody else used it: %v", err)
		}
		ask := mustOpen(t, s, julie())
		if _, err := s.UsePass(t.Context(), app, ask.ID, "22222222"); !errors.Is(err, ErrPass) {
			t.Errorf("a wrong code: %v", err)
		}
		got, err := s.UsePass(t.Context(), app, ask.ID, " "+strings.ToLower(strings.ReplaceAll(code, "-", " ")))
		if err != nil || got.State != Approved || got.Decision.By != ViaPass || !got.Decision.Until.Equal(until) {
			t.Fatalf("%+v, %v", got.Decision, err)
		}
		rules, _ := s.conf.Books.Rules.For(t.Context(), app, "julie")
		if len(rules) != 1 || rules[0].Author != ViaPass || !rules[0].Until.Equal(until) {
			t.Errorf("%+v", rules)
		}
		if e := audited(t, s, "approve"); len(e) != 1 || e[0].Detail["pass_by"] != marie.Email {
			t.Errorf("%+v", e)
		}
		second := julie()
		second.Device.ID = "dev3"
		ask = mustOpen(t, s, second)
		if _, err := s.UsePass(t.Context(), app, ask.ID, code); !errors.Is(err, ErrPass) {
			t.Errorf("used twice: %v", err)
		}
		code, until, err = s.MakePass(t.Context(), app, "julie", marie.Email, "", ViaCommand)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(until))
		if _, err := s.UsePass(t.Context(), app, ask.ID, code); !errors.Is(err, ErrPass) {
			t.Errorf("after midnight: %v", err)
		}
	})
}

func TestThreat_L16_PassCodesCannotBeGuessedByAskingAnew(t *testing.T) {
	s := newService(t, func(c *Config) { c.Caps.PerUser = 100 })
	code, _, err := s.MakePass(t.Context(), app, "julie", marie.Email, "", ViaConsole)
	if err != nil {
		t.Fatal(err)
	}
	tries := 0
	for i := range 3 {
		a := julie()
		a.Device.ID += string(rune('a' + i))
		ask := mustOpen(t, s, a)
		for range passTriesAsk + 2 {
			if _, err := s.UsePass(t.Context(), app, ask.ID, "22222222"); !errors.Is(err, ErrPass) {
				t.Fatal(err)
			}
			tries++
		}
		if i == 0 {
			if _, err := s.UsePass(t.Context(), app, ask.ID, code); !errors.Is(err, ErrPass) {
				t.Errorf("the right code after too many wrong ones: %v", err)
			}
		}
	}
	last := julie()
	last.Device.ID = "fresh"
	ask := mustOpen(t, s, last)
	if _, err := s.UsePass(t.Context(), app, ask.ID, code); !errors.Is(err, ErrPass) {
		t.Errorf("the pass outlived %d guesses: %v", tries, err)
	}
}
