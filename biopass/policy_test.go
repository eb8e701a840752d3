package biopass

import (
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
)

// TestAttempts reads like rows B8, B11, B12 and B13.
func TestAttempts(t *testing.T) {
	point := Point{Steps: [3]Step{{Threshold: 2}, {Threshold: 1.5}, {Threshold: 1.2}}}
	try := func(scores ...float64) []Result {
		var all []Result
		for _, s := range scores {
			all = append(all, Result{Score: s, SD: 1})
		}
		return all
	}
	for _, c := range []struct {
		name   string
		policy Policy
		typed  []Result
		want   []Outcome
	}{
		{"a match is a match", Policy{}, try(3), []Outcome{Matched}},
		{"three tries in all", Policy{}, try(-5, -5, -5), []Outcome{TryAgain, TryAgain, Spent}},
		{"two are never all", Policy{Attempts: 2}, try(-5, -5, -5), []Outcome{TryAgain, TryAgain, Spent}},
		{"five where the admin says so", Policy{Attempts: 5}, try(-5, -5, -5, -5, -5), []Outcome{TryAgain, TryAgain, TryAgain, TryAgain, Spent}},
		{"borderline asks for one more, once", Policy{}, try(1.5, 0.6, -5), []Outcome{OneMore, TryAgain, TryAgain}},
		{"scores add up", Policy{}, try(1.4, 1.7), []Outcome{OneMore, Matched}},
		{"a bad try weighs on the next", Policy{}, try(-6, 2.5, 2.5), []Outcome{TryAgain, TryAgain, Spent}},
		{"but not for ever", Policy{Attempts: 5}, try(-6, 2.5, 2.5, 2.5), []Outcome{TryAgain, TryAgain, TryAgain, Matched}},
		{"a near-copy is never borderline", Policy{}, []Result{{Score: MinScore, NearCopy: true, SD: 100}}, []Outcome{TryAgain}},
		{"a trial begins again", Policy{Trial: true}, try(-5, -5, -5, -5), []Outcome{TryAgain, TryAgain, WouldSpend, TryAgain}},
	} {
		var tries Tries
		for i, r := range c.typed {
			var got Outcome
			if tries, got = c.policy.Judge(tries, point, map[string]Result{"desk": r}); got != c.want[i] {
				t.Errorf("%s: try %d is %s, want %s", c.name, i+1, got, c.want[i])
				break
			}
		}
	}
}

func TestAnyKeyboardMayMatchAndEachAddsUpAlone(t *testing.T) {
	point := Point{Steps: [3]Step{{Threshold: 2}, {Threshold: 1.5}, {Threshold: 1.2}}}
	tries, got := Policy{}.Judge(Tries{}, point, map[string]Result{"desk": {Score: -9, SD: 1}, "laptop": {Score: 1.4, SD: 1}})
	if got != OneMore {
		t.Fatal(got)
	}
	if _, got = (Policy{}).Judge(tries, point, map[string]Result{"desk": {Score: -9, SD: 1}, "laptop": {Score: 1.7, SD: 1}}); got != Matched {
		t.Error(got)
	}
	if _, got = (Policy{}).Judge(Tries{}, point, nil); got != TryAgain {
		t.Errorf("nothing to hold it against: %s", got)
	}
}

func TestRefusedTypingCostsATryOnlyWhereItIsNoAccident(t *testing.T) {
	var tries Tries
	var got Outcome
	for range refusalsLeft {
		if tries, got = (Policy{}).Refuse(tries, RefusedFocus); got != OneMore {
			t.Fatal(got)
		}
	}
	for _, want := range []Outcome{TryAgain, TryAgain, Spent} { // for ever is too long
		if tries, got = (Policy{}).Refuse(tries, RefusedFocus); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	}
	if _, got = (Policy{}).Refuse(Tries{}, RefusedCopy); got != TryAgain {
		t.Errorf("a near-copy: %s", got)
	}
}

func TestWhatIsNoPolicy(t *testing.T) {
	for _, p := range []Policy{{Level: "lax"}, {Attempts: 2}, {Attempts: 99}, {Levels: map[access.Kind]string{access.Tablet: "?"}}} {
		if p.Check() == nil {
			t.Errorf("%+v was taken", p)
		}
	}
	p := Policy{Level: Strict, Levels: map[access.Kind]string{access.Tablet: Convenient}}
	if err := p.Check(); err != nil || p.level(access.Tablet) != Convenient || p.level(access.Computer) != Strict {
		t.Errorf("%v: a kind of device has its own point", err)
	}
}

// TestWhatStandsBetweenASignInAndTheApplication is B5, B6, B15 and the modes.
func TestWhatStandsBetweenASignInAndTheApplication(t *testing.T) {
	for _, c := range []struct {
		name  string
		in    SignIn
		why   Why
		other bool
	}{
		{"off is off", SignIn{Mode: Off, Kind: access.Computer, Page: true}, "", false},
		{"optional offers enrolment", SignIn{Mode: Optional, Kind: access.Computer, Page: true}, WhyEnrol, false},
		{"but not to a script", SignIn{Mode: Optional, Kind: access.Computer}, "", false},
		{"nor twice", SignIn{Mode: Optional, Kind: access.Computer, Page: true, Ready: true}, "", false},
		{"nor after a no", SignIn{Mode: Optional, Kind: access.Computer, Page: true, Declined: true}, "", false},
		{"nor on a phone", SignIn{Mode: Optional, Kind: access.Phone, Page: true}, "", false},
		{"required asks scripts too", SignIn{Mode: Required, Kind: access.Computer}, WhyEnrol, false},
		{"required asks a phone for nothing", SignIn{Mode: Required, Kind: access.Phone, Page: true}, "", false},
		{"always asks each time", SignIn{Mode: Always, Kind: access.Computer, Ready: true}, WhyAlways, false},
		{"always enrols first", SignIn{Mode: Always, Kind: access.Computer, Page: true}, WhyEnrol, false},
		{"always, and declined: an approval instead", SignIn{Mode: Always, Kind: access.Computer, Declined: true}, WhyAlways, true},
		{"always, on a phone: an approval instead", SignIn{Mode: Always, Kind: access.Phone, Page: true}, WhyAlways, true},
		{"a passkey is offered on a phone, where it counts", SignIn{Mode: Optional, Kind: access.Phone, Page: true, Keys: true}, WhyEnrol, false},
		{"not to a script", SignIn{Mode: Optional, Kind: access.Phone, Keys: true}, "", false},
		{"not after a no", SignIn{Mode: Required, Kind: access.Phone, Page: true, Keys: true, Declined: true}, "", false},
		{"not with Biopass off", SignIn{Mode: Off, Kind: access.Phone, Page: true, Keys: true}, "", false},
		{"nor before an approval, where each sign-in is confirmed", SignIn{Mode: Always, Kind: access.Phone, Page: true, Keys: true}, WhyAlways, true},
		{"no mode is off", SignIn{Kind: access.Computer, Page: true}, "", false},
	} {
		if why, other := c.in.Ask(); why != c.why || other != c.other {
			t.Errorf("%s: %q %v, want %q %v", c.name, why, other, c.why, c.other)
		}
	}
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	if !(SignIn{Mode: Required, SkipUntil: now.Add(time.Hour)}).MaySkip(now) || (SignIn{Mode: Required, SkipUntil: now}).MaySkip(now) {
		t.Error("it can be put off until the date, and no longer")
	}
}
