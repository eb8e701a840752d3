package biopass

import (
	"testing"
	"time"
)

// unwatched is a scene in which a header names people and each confirmation
// holds for a working day.
func unwatched(t *testing.T) *scene {
	t.Helper()
	s := newScene(t, always, Policy{}, Always)
	s.app.Every = DefaultEvery
	return s
}

func (s *scene) confirmed(user, device string) (Confirmation, bool) {
	s.t.Helper()
	c, ok, err := s.Confirmed(s.t.Context(), shop, user, device)
	if err != nil {
		s.t.Fatal(err)
	}
	return c, ok
}

func TestAMatchHoldsOnThatDeviceUntilItsEnd(t *testing.T) {
	s := unwatched(t)
	owner := newTypist(1)
	s.enrols(owner, julie(WhyEnrol, ""))
	if c, ok := s.confirmed("julie", "desk"); !ok || c.Factor != "" {
		t.Errorf("after the enrolment: %+v %v", c, ok)
	}
	s.now = s.now.Add(DefaultEvery)
	if _, ok := s.confirmed("julie", "desk"); ok {
		t.Error("past its end it holds")
	}
	s.begin(julie(WhyAlways, ""))
	if got := s.types(owner); got.State != "done" {
		t.Fatalf("%+v", got)
	}
	c, ok := s.confirmed("julie", "desk")
	if !ok || c.Factor != "biopass" || c.Until.Sub(s.now.Add(DefaultEvery)).Abs() > time.Millisecond {
		t.Errorf("after the match: %+v %v", c, ok)
	}
	for who, device := range map[string]string{"samuel": "desk", "julie": "laptop", "": ""} {
		if _, ok := s.confirmed(who, device); ok {
			t.Errorf("it holds for %q on %q too", who, device)
		}
	}
	if _, ok, err := s.Confirmed(t.Context(), "other", "julie", "desk"); ok || err != nil {
		t.Errorf("in another application: %v %v", ok, err)
	}
	s.now = c.Until.Add(-time.Minute)
	if _, ok := s.confirmed("julie", "desk"); !ok {
		t.Error("it ends before its time")
	}
}

func TestNothingButAMatchConfirms(t *testing.T) {
	s := unwatched(t)
	s.enrols(newTypist(1), julie(WhyEnrol, ""))
	s.now = s.now.Add(DefaultEvery)
	s.conf.Model = model(t, never)
	s.begin(julie(WhyAlways, ""))
	for range LeastAttempts {
		s.types(newTypist(9))
	}
	if _, ok := s.confirmed("julie", "desk"); ok {
		t.Error("who did not match is confirmed")
	}
}

func TestWhereASignInIsTypedNoConfirmationIsKept(t *testing.T) {
	for name, change := range map[string]func(*scene, *Errand){
		"a held login waits for it":        func(_ *scene, e *Errand) { e.Login = "l2" },
		"the application asks at sign-ins": func(s *scene, _ *Errand) { s.app.Every = 0 },
		"it asks where something is new":   func(s *scene, _ *Errand) { s.app.Mode = Optional },
	} {
		s := unwatched(t)
		owner := newTypist(1)
		s.enrols(owner, julie(WhyEnrol, "l1"))
		e := julie(WhyAlways, "")
		change(s, &e)
		s.begin(e)
		if got := s.types(owner); got.State != "done" {
			t.Fatalf("%s: %+v", name, got)
		}
		if c, ok := s.confirmed("julie", "desk"); ok {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// Where each visit is confirmed a no is for an admin; where that is only
// offered it costs nothing.
func TestANoWhereEveryVisitIsConfirmedGoesToAnAdmin(t *testing.T) {
	s := unwatched(t)
	s.begin(julie(WhyEnrol, ""))
	if to := s.form("/decline", nil); to != "/.cadenas/wait" || len(s.asked) != 1 {
		t.Errorf("it leads to %q, %d asked", to, len(s.asked))
	}
	if why, other, err := s.SignedIn(t.Context(), shop, "julie", julie(WhyEnrol, "").Device, true); why != WhyAlways || !other || err != nil {
		t.Errorf("%q %v %v", why, other, err)
	}
	if c, err := s.Confirm(t.Context(), shop, "julie", "desk", "approval", s.now.Add(-DefaultEvery)); err != nil || c.User != "" {
		t.Errorf("an approval of yesterday counts: %+v %v", c, err)
	}
	if _, err := s.Confirm(t.Context(), shop, "julie", "desk", "approval", s.now.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if c, ok := s.confirmed("julie", "desk"); !ok || c.Factor != "approval" || c.Until.Sub(s.now.Add(DefaultEvery-time.Hour)).Abs() > time.Millisecond {
		t.Errorf("%+v %v", c, ok)
	}

	s = unwatched(t)
	s.app.SkipUntil = s.now.Add(24 * time.Hour)
	s.begin(julie(WhyEnrol, ""))
	if to := s.form("/decline", nil); to != BasePath || len(s.asked) != 0 {
		t.Errorf("before the day: it leads to %q, %d asked", to, len(s.asked))
	}
}
