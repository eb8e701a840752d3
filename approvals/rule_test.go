package approvals

import (
	"errors"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
)

func asAsk(a Ask) AccessRequest {
	return AccessRequest{
		Application: a.Application, Person: a.Person, Device: a.Device, Browser: a.Browser, Place: a.Place,
		New: a.New, State: Waiting,
	}
}

func TestRuleForGrantsWhatWasShownAndNoMore(t *testing.T) {
	tonight := time.Date(2026, 11, 21, 23, 59, 0, 0, time.UTC)
	laval := access.PlaceKey{City: "Laval", Region: "Quebec", Country: "CA", Owner: "Bell"}
	chrome := access.BrowserKey{Family: "Chrome", Platform: "Android"}
	without := func(change func(*AccessRequest)) AccessRequest {
		ask := asAsk(julie())
		change(&ask)
		return ask
	}
	cases := []struct {
		name  string
		ask   AccessRequest
		width Width
		until time.Time
		place access.SamePlace
		want  access.Rule
		err   error
	}{
		{
			name: "this connection names all five", width: WidthConnection,
			want: access.Rule{User: "julie", Application: app, Device: "dev1", Place: laval, Browser: chrome},
		},
		{
			name: "this device leaves place and browser open", width: WidthDevice,
			want: access.Rule{User: "julie", Application: app, Device: "dev1"},
		},
		{
			name: "this network leaves device and browser open", width: WidthNetwork,
			want: access.Rule{User: "julie", Application: app, Place: laval},
		},
		{
			name: "this network is what the application takes for the same place", width: WidthNetwork,
			place: access.SamePlace{access.SameAddress},
			want:  access.Rule{User: "julie", Application: app, Place: access.PlaceKey{Prefix: "203.0.113.7/32"}},
		},
		{
			name: "everyone on this device names no user", width: WidthEveryone,
			want: access.Rule{Application: app, Device: "dev1"},
		},
		{
			name: "an end is the rule's end", width: WidthDevice, until: tonight,
			want: access.Rule{User: "julie", Application: app, Device: "dev1", Until: tonight},
		},
		{name: "full access without an end is no rule", width: WidthFull, err: ErrWidth},
		{
			name: "full access with an end is this user until then", width: WidthFull, until: tonight,
			want: access.Rule{User: "julie", Application: app, Until: tonight},
		},
		{
			name: "no device cookie, no rule about the device", width: WidthDevice, err: ErrWidth,
			ask: without(func(a *AccessRequest) { a.Device.ID = "" }),
		},
		{
			name: "no device cookie, no rule about the connection", width: WidthConnection, err: ErrWidth,
			ask: without(func(a *AccessRequest) { a.Device.ID = "" }),
		},
		{
			name: "no device cookie, nothing for everybody", width: WidthEveryone, err: ErrWidth,
			ask: without(func(a *AccessRequest) { a.Device.ID = "" }),
		},
		{
			name: "an unknown place is not any place", width: WidthNetwork, err: ErrWidth,
			ask: without(func(a *AccessRequest) { a.Place = access.Place{} }),
		},
		{
			name: "a connection from an unknown place is not one from anywhere", width: WidthConnection, err: ErrWidth,
			ask: without(func(a *AccessRequest) { a.Place = access.Place{} }),
		},
		{
			name: "a connection in an unknown browser is not one in any browser", width: WidthConnection, err: ErrWidth,
			ask: without(func(a *AccessRequest) { a.Browser = access.Browser{} }),
		},
		{
			name: "nobody gets no rule about themself", width: WidthConnection, err: ErrWidth,
			ask: without(func(a *AccessRequest) { a.Person.User = "" }),
		},
		{name: "a width that is none of ours is refused", width: "planet", err: ErrWidth},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			ask := c.ask
			if ask.Application == "" {
				ask = asAsk(julie())
			}
			got, err := RuleFor(ask, c.width, c.until, "marie@example.com", c.place, "")
			if !errors.Is(err, c.err) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if err != nil {
				return
			}
			c.want.Effect, c.want.Author = access.Allow, "marie@example.com"
			if got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestEveryRuleLetsInWhoAsked(t *testing.T) {
	ask := asAsk(julie())
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, w := range Widths {
		rule, err := RuleFor(ask, w, now.Add(time.Hour), "marie@example.com", nil, "")
		if err != nil {
			t.Fatal(w, err)
		}
		v := access.Decide(ask.Visit(), access.Standing{Closed: true, Rules: []access.Rule{rule}}, now)
		if v.Answer != access.LetIn {
			t.Errorf("width %s: %s, %s", w, v.Answer, v.Reason())
		}
	}
}

func TestPossibleWidthsLeaveOutWhatTheRequestLacks(t *testing.T) {
	s := newService(t)
	if got := s.PossibleWidths(asAsk(julie())); len(got) != len(Widths) {
		t.Errorf("of a whole request: %v", got)
	}
	bare := asAsk(julie())
	bare.Device.ID = ""
	if got := s.PossibleWidths(bare); len(got) != 2 || got[0] != WidthNetwork || got[1] != WidthFull {
		t.Errorf("without a device cookie: %v", got)
	}
}
