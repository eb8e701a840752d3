package approvals

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
)

func TestOneBurstIsOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail := &channel{name: "email"}
		s := newService(t, with(mail))
		first := mustOpen(t, s, julie())

		again := julie()
		again.LoginID = "login2"
		joined, opened, err := s.Open(t.Context(), again)
		if err != nil || opened || joined.ID != first.ID || joined.Number != first.Number {
			t.Fatalf("a second sign-in on the device: %+v, opened %v, %v", joined, opened, err)
		}
		if joined.Version != first.Version || !joined.HeldBy("login1") || joined.LoginID != "login2" {
			t.Errorf("the same connection again: version %d, logins %v", joined.Version, joined.Logins)
		}

		time.Sleep(2 * time.Second)
		moved := julie()
		moved.Place = access.Place{City: "Montreal", Region: "Quebec", Country: "CA", Owner: "Videotron", Address: netip.MustParseAddr("198.51.100.1")}
		joined, _, err = s.Open(t.Context(), moved)
		if err != nil || joined.ID != first.ID || joined.Version != first.Version+1 || joined.Place.City != "Montreal" {
			t.Errorf("from another place: %+v, %v", joined, err)
		}

		roamed := moved
		roamed.Place.Address = netip.MustParseAddr("198.51.100.2")
		time.Sleep(2 * time.Second)
		if joined, _, err = s.Open(t.Context(), roamed); err != nil || joined.Version != first.Version+1 {
			t.Errorf("another address of the same place is no news: version %d, %v", joined.Version, err)
		}

		elsewhere := julie()
		elsewhere.Device.ID = "dev2"
		if _, opened, err := s.Open(t.Context(), elsewhere); err != nil || !opened {
			t.Errorf("another device: opened %v, %v", opened, err)
		}
		colleague := julie()
		colleague.Person.User = "anne"
		if _, opened, err := s.Open(t.Context(), colleague); err != nil || !opened {
			t.Errorf("another user on the device: opened %v, %v", opened, err)
		}
		waiting, err := s.Waiting(t.Context(), app)
		if err != nil || len(waiting) != 3 || waiting[0].ID != first.ID {
			t.Errorf("%d wait, %v", len(waiting), err)
		}
		if list, err := s.List(t.Context(), app, waiting[2].ID, 1); err != nil || len(list) != 1 || list[0].ID != waiting[1].ID {
			t.Errorf("the list before the newest: %v, %v", list, err)
		}
	})
}

func TestManyAtOnceOpenOneRequest(t *testing.T) {
	s := newService(t)
	two := New(s.conf) // another instance on the same store
	var wg sync.WaitGroup
	ids := make([]string, 40)
	for i := range ids {
		wg.Go(func() {
			svc := s
			if i%2 == 1 {
				svc = two
			}
			ask, _, err := svc.Open(t.Context(), julie())
			if err != nil {
				t.Error(err)
			}
			ids[i] = ask.ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("two requests: %s and %s", ids[0], id)
		}
	}
	if n := len(audited(t, s, "ask")); n != 1 {
		t.Errorf("%d audit entries", n)
	}
}

func TestAskWithoutAUserIsAnError(t *testing.T) {
	s := newService(t)
	a := julie()
	a.Person = access.Person{}
	if _, _, err := s.Open(t.Context(), a); err == nil {
		t.Error("a request for nobody was opened")
	}
}

func TestARefusedRequestIsNotAskedAgainForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		ask := mustOpen(t, s, julie())
		c := approve(ask, marie)
		c.Effect, c.Number, c.Confirmed, c.Reply = access.Refuse, "", true, "Demain."
		if _, err := s.Decide(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		time.Sleep(s.Limits().Refused - time.Second)
		again, opened, err := s.Open(t.Context(), julie())
		if err != nil || opened || again.ID != ask.ID || again.State != Refused || again.Decision.Reply != "Demain." {
			t.Fatalf("asked again too early: %+v, opened %v, %v", again, opened, err)
		}
		time.Sleep(time.Second)
		if again, opened, err = s.Open(t.Context(), julie()); err != nil || !opened || again.ID == ask.ID {
			t.Errorf("asked again a day later: opened %v, %v", opened, err)
		}
	})
}

func TestARequestEndsAfterItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, func(c *Config) { c.Limits.Request = time.Hour })
		ask := mustOpen(t, s, julie())
		time.Sleep(time.Hour)
		got, err := s.Get(t.Context(), app, ask.ID)
		if err != nil || got.State != Expired {
			t.Errorf("before the sweep: %s, %v", got.State, err)
		}
		if _, err := s.Decide(t.Context(), approve(ask, marie)); !errors.Is(err, ErrExpired) {
			t.Errorf("decided too late: %v", err)
		}
		if n, err := s.Expire(t.Context(), app); n != 1 || err != nil {
			t.Errorf("swept %d, %v", n, err)
		}
		if n, err := s.Expire(t.Context(), app); n != 0 || err != nil {
			t.Errorf("swept again %d, %v", n, err)
		}
		if waiting, err := s.Waiting(t.Context(), app); len(waiting) != 0 || err != nil {
			t.Errorf("%d wait, %v", len(waiting), err)
		}
		next := mustOpen(t, s, julie())
		time.Sleep(afterEnd + time.Second)
		if _, err := s.Get(t.Context(), app, ask.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("kept for ever: %v", err)
		}
		if got, err := s.ForHolder(t.Context(), app, "dev1", ""); err != nil || got.ID != next.ID {
			t.Errorf("the device's newest: %v", err)
		}
	})
}

func TestThreat_L22_AFloodIsOneGroupedRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail := &channel{name: "email"}
		s := newService(t, with(mail))
		// One device, a new user agent each time.
		for i := range 10_000 {
			a := julie()
			a.Browser.Family = fmt.Sprintf("Browser %d", i)
			if _, _, err := s.Open(t.Context(), a); err != nil {
				t.Fatal(err)
			}
		}
		waiting, err := s.Waiting(t.Context(), app)
		if err != nil || len(waiting) != 1 {
			t.Fatalf("%d requests of one device, %v", len(waiting), err)
		}
		if waiting[0].Version > 2 {
			t.Errorf("written %d times within a second", waiting[0].Version)
		}
		// A new device each time, in spellings of one name.
		for i := range 10_000 {
			time.Sleep(3 * time.Millisecond)
			a := julie()
			a.Device.ID = fmt.Sprintf("flood%d", i)
			if i%2 == 1 {
				a.Person.User = "J.ulie"
			}
			ask, _, err := s.Open(t.Context(), a)
			if err != nil && (!errors.Is(err, ErrTooMany) || ask.ID != "" || ask.State != Waiting || ask.Number == "") {
				t.Fatalf("%+v, %v", ask, err)
			}
		}
		waiting, err = s.Waiting(t.Context(), app)
		if err != nil || len(waiting) != 5 {
			t.Fatalf("%d requests of one user, %v", len(waiting), err)
		}
		if n := waiting[len(waiting)-1].Others; n < 1000 {
			t.Errorf("the newest tells of %d others", n)
		}
		entries := 0
		for _, prefix := range []string{"ask", "ask-of", "ask-live", "outbox", "audit", "notice-caps"} {
			all, err := books.All[any](t.Context(), s.st, books.Prefix(app, prefix))
			if err == nil {
				entries += len(all)
			}
		}
		if entries > 60 {
			t.Errorf("%d entries in the store", entries)
		}
		if len(s.others) > 4096 || len(s.madeUp) > 4096 {
			t.Errorf("%d and %d kept in memory", len(s.others), len(s.madeUp))
		}
		// Cancelling makes no room to ask anew.
		if err := s.Cancel(t.Context(), app, waiting[0].ID); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Open(t.Context(), julie()); !errors.Is(err, ErrTooMany) {
			t.Errorf("room after a cancel: %v", err)
		}
	})
}

func TestThreat_L22_OneNetworkAndOneApplicationAreCapped(t *testing.T) {
	s := newService(t, func(c *Config) { c.Caps.PerNetwork, c.Caps.PerApplication = 3, 5 })
	open := func(user, address string) error {
		a := julie()
		a.Person.User, a.Device.ID = user, "device of "+user
		a.Place = access.Place{Address: netip.MustParseAddr(address), City: "Laval"}
		_, _, err := s.Open(t.Context(), a)
		return err
	}
	for i, c := range []struct {
		address string
		full    bool
	}{
		{"203.0.113.1", false},
		{"203.0.113.2", false},
		{"203.0.113.250", false},
		{"203.0.113.9", true},
		{"2001:db8:7::1", false},
		{"2001:db8:8::1", false},
		{"2001:db8:9::1", true},
	} {
		if err := open(fmt.Sprint("user", i), c.address); errors.Is(err, ErrTooMany) != c.full {
			t.Errorf("%s: %v", c.address, err)
		}
	}
}

func TestThreat_L22_NoticesAreCappedThenOneDigest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail := &channel{name: "email"}
		s := newService(t, with(mail), func(c *Config) {
			c.Caps.NoticesPerHour = 3
			c.Admins = func() []books.Admin { return []books.Admin{marie} }
		})
		go func() { _ = s.Run(t.Context()) }()
		for i := range 30 {
			a := julie()
			a.Person.User, a.Device.ID = fmt.Sprint("user", i), fmt.Sprint("dev", i)
			mustOpen(t, s, a)
		}
		time.Sleep(time.Minute)
		if n := len(mail.got()); n != 3 {
			t.Fatalf("%d notices within the hour", n)
		}
		time.Sleep(time.Hour)
		got := mail.got()
		if len(got) != 4 || got[3].Kind != NoticeDigest || got[3].More != 27 || got[3].Link != "https://gate.example.com" {
			t.Fatalf("%d notices after the hour; the last %+v", len(got), got[len(got)-1])
		}
		a := julie()
		a.Device.ID = "next hour"
		mustOpen(t, s, a)
		time.Sleep(time.Second)
		if got = mail.got(); len(got) != 5 || got[4].Kind != NoticeOpened {
			t.Errorf("the next hour: %d notices", len(got))
		}
	})
}

func TestTheHolderNotesNamesAndCancels(t *testing.T) {
	s := newService(t)
	ask := mustOpen(t, s, julie())
	got, err := s.Note(t.Context(), app, ask.ID, "  C’est la tablette\r\ndes poupons\x00.\u202e "+strings.Repeat("x", 300))
	if err != nil || len([]rune(got.Note)) > NoteLimit || strings.ContainsAny(got.Note, "\r\n\x00\u202e") || !strings.HasPrefix(got.Note, "C’est la tablette des poupons") {
		t.Errorf("note %q, %v", got.Note, err)
	}
	if got.Version != ask.Version {
		t.Error("a note made the approver look again")
	}
	if got, err = s.Name(t.Context(), app, ask.ID, "Mallory"); err != nil || got.Person.Name != "Julie Tremblay" {
		t.Errorf("somebody whom the login named took the name %q, %v", got.Person.Name, err)
	}
	if err := s.Cancel(t.Context(), app, ask.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Note(t.Context(), app, ask.ID, "?"); !errors.Is(err, ErrCancelled) {
		t.Errorf("a note on a cancelled request: %v", err)
	}
	if _, err := s.Decide(t.Context(), approve(ask, marie)); !errors.Is(err, ErrCancelled) {
		t.Errorf("a cancelled request was decided: %v", err)
	}

	alone := julie()
	alone.Person = access.Person{User: "device:dev9", Source: SourceDevice}
	alone.Device.ID = "dev9"
	ask = mustOpen(t, s, alone)
	if got, err = s.Name(t.Context(), app, ask.ID, "Anne\u202e"); err != nil || !strings.HasPrefix(got.Person.Name, "Anne") || got.Version != ask.Version+1 {
		t.Errorf("name %q, version %d, %v", got.Person.Name, got.Version, err)
	}
	if got, _, err = s.Open(t.Context(), alone); err != nil || !strings.HasPrefix(got.Person.Name, "Anne") {
		t.Errorf("the next request forgot the name: %q, %v", got.Person.Name, err)
	}
}

func TestAHolderSeesOnlyWhatTheDeviceAndLoginHold(t *testing.T) {
	s := newService(t)
	mine := mustOpen(t, s, julie())
	anne := julie()
	anne.Person.User, anne.LoginID = "anne", "login9"
	theirs := mustOpen(t, s, anne)
	for _, c := range []struct {
		name, device, login, want string
	}{
		{"the login's own request", "dev1", "login1", mine.ID},
		{"the other login's", "dev1", "login9", theirs.ID},
		{"no login named: the newest", "dev1", "", theirs.ID},
		{"a login that holds none", "dev1", "login5", ""},
		{"another device", "dev2", "login1", ""},
		{"a device that begins alike", "dev", "login1", ""},
		{"no device", "", "", ""},
	} {
		got, err := s.ForHolder(t.Context(), app, c.device, c.login)
		if got.ID != c.want || (c.want == "") != errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %q, %v", c.name, got.ID, err)
		}
	}
}

func TestSubscribersHearWithinMoments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		ask := mustOpen(t, s, julie())
		one, err := s.Subscribe(t.Context(), app, ask.ID)
		if err != nil {
			t.Fatal(err)
		}
		all, err := s.Subscribe(t.Context(), app, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := <-one; got.State != Waiting {
			t.Fatalf("first %s", got.State)
		}
		began := time.Now()
		// Another instance decides.
		if _, err := New(s.conf).Decide(t.Context(), approve(ask, marie)); err != nil {
			t.Fatal(err)
		}
		if got := <-one; got.State != Approved || time.Since(began) > 0 {
			t.Errorf("%s after %s", got.State, time.Since(began))
		}
		if got := <-all; got.ID != ask.ID || got.State != Approved {
			t.Errorf("all: %s", got.State)
		}
		if _, err := s.Subscribe(t.Context(), app, "nothing"); !errors.Is(err, ErrNotFound) {
			t.Errorf("a request that is not: %v", err)
		}
	})
}

func TestTheWatchEndsWithTheLastSubscriber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		ask := mustOpen(t, s, julie())
		for range 3 {
			ch, err := s.Subscribe(t.Context(), app, ask.ID)
			if err != nil {
				t.Fatal(err)
			}
			<-ch
		}
		// The bubble ends only when every goroutine has: t.Context is
		// cancelled before the test's cleanups run.
	})
}

func TestARequestIsFoundByItsReference(t *testing.T) {
	s := newService(t)
	ask := mustOpen(t, s, julie())
	for _, name := range []string{ask.ID, ask.Reference, strings.ToLower(ask.Reference), strings.ReplaceAll(ask.Reference, "-", " ")} {
		if got, err := s.Find(t.Context(), app, name); err != nil || got.ID != ask.ID {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "-", "222-222x", ask.ID[:10]} {
		if _, err := s.Find(t.Context(), app, name); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
