package access_test

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
)

var now = time.Date(2026, 3, 2, 6, 30, 0, 0, time.UTC)

var (
	centre = access.Place{Name: "Laval centre", City: "Laval", Region: "Quebec", Country: "CA", Owner: "Videotron", Address: addr("203.0.113.7")}
	home   = access.Place{City: "Laval", Region: "Quebec", Country: "CA", Owner: "Bell Canada", Address: addr("198.51.100.20")}
	abroad = access.Place{City: "Lyon", Region: "Rhône", Country: "FR", Owner: "Orange", Address: addr("192.0.2.55")}
	adrift = access.Place{}

	tablet   = access.Device{ID: "tablet-1", Kind: access.Tablet, Label: "iPad"}
	phone    = access.Device{ID: "phone-1", Kind: access.Phone, Label: "iPhone"}
	laptop   = access.Device{ID: "laptop-1", Kind: access.Computer, Label: "Windows computer"}
	stranger = access.Device{Kind: access.Phone, Label: "Android phone"}

	safari  = access.Browser{Family: "Safari", Platform: "iOS", Version: "18"}
	chrome  = access.Browser{Family: "Chrome", Platform: "Windows", Version: "140"}
	webView = access.Browser{Family: "Web view", Platform: "iOS", Version: "18"}
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func visit(user string, d access.Device, p access.Place, b access.Browser) access.Visit {
	return access.Visit{User: user, Application: "sdg", Device: d, Place: p, Browser: b}
}

// grant is the rule that allows exactly one connection.
func grant(v access.Visit) access.Rule {
	key, _ := access.SamePlace(nil).Key(v.Place)
	return access.Rule{
		ID: "grant-" + v.User + v.Device.ID + key.String() + v.Browser.Family, User: v.User, Application: v.Application,
		Device: v.Device.ID, Place: key, Browser: access.SameFamily.Key(v.Browser), Effect: access.Allow, Author: "marie@example.com",
	}
}

// TestDecide reads like the requirement: rows C1 to C6, C11, C12, C23, X5.
func TestDecide(t *testing.T) {
	known := visit("anne", laptop, centre, chrome)
	onPhone := visit("anne", phone, home, safari)
	centreTablets := access.Rule{ID: "centre", User: "anne", Application: "sdg", Kind: access.Tablet, Place: access.PlaceKey{Name: "Laval centre"}, Effect: access.Allow}
	byPart := access.Policy{Device: access.Approval, Place: access.Biopass, Browser: access.LetIn, Combination: access.Deny}
	with := func(v access.Visit, change func(*access.Visit)) access.Visit { change(&v); return v }

	for _, c := range []struct {
		name     string
		visit    access.Visit
		standing access.Standing
		want     access.Answer
		step     access.Step
		news     []access.Part
	}{
		{
			"the centre's tablet comes in", visit("anne", tablet, centre, safari),
			access.Standing{Closed: true, Rules: []access.Rule{centreTablets}},
			access.LetIn, access.StepRule,
			[]access.Part{"device", "browser"},
		},
		{
			"a phone in the same place does not", visit("anne", phone, centre, safari),
			access.Standing{Closed: true, Rules: []access.Rule{centreTablets}},
			access.Approval, access.StepPolicy,
			[]access.Part{"device", "browser"},
		},
		{
			"the centre's tablet taken elsewhere does not", visit("anne", tablet, abroad, safari),
			access.Standing{Closed: true, Rules: []access.Rule{centreTablets}},
			access.Approval, access.StepPolicy,
			[]access.Part{"device", "place", "browser"},
		},
		{
			"an approved connection comes in again", known,
			access.Standing{Closed: true, Rules: []access.Rule{grant(known)}, Seen: []access.Visit{known}},
			access.LetIn, access.StepRule, nil,
		},
		{
			"the same city and owner at another address is the same place",
			with(onPhone, func(v *access.Visit) { v.Place.Address = addr("198.18.5.5") }),
			access.Standing{Closed: true, Rules: []access.Rule{grant(onPhone)}, Seen: []access.Visit{onPhone}},
			access.LetIn, access.StepRule, nil,
		},
		{
			"a user may be refused, whatever the connection", known,
			access.Standing{Closed: true, Rules: []access.Rule{{ID: "out", User: "anne", Effect: access.Refuse}}},
			access.Deny, access.StepRule,
			[]access.Part{"device", "place", "browser"},
		},
		{
			"a group may be allowed",
			with(known, func(v *access.Visit) { v.Groups = []string{"staff", "night"} }),
			access.Standing{Closed: true, Rules: []access.Rule{{ID: "g", Group: "night", Effect: access.Allow}}},
			access.LetIn, access.StepRule,
			[]access.Part{"device", "place", "browser"},
		},
		{
			"who is not in the group is not allowed by it", known,
			access.Standing{Closed: true, Rules: []access.Rule{{ID: "g", Group: "night", Effect: access.Allow}}},
			access.Approval, access.StepPolicy,
			[]access.Part{"device", "place", "browser"},
		},
		{
			"an application may be refused to everybody", known,
			access.Standing{Closed: true, Rules: []access.Rule{{ID: "a", Application: "sdg", Effect: access.Refuse}}},
			access.Deny, access.StepRule,
			[]access.Part{"device", "place", "browser"},
		},
		{
			"a country may be refused", visit("anne", laptop, abroad, chrome),
			access.Standing{Closed: true, Rules: []access.Rule{
				{ID: "fr", User: "anne", Application: "sdg", Place: access.PlaceKey{Country: "FR"}, Effect: access.Refuse},
				{ID: "any", User: "anne", Application: "sdg", Effect: access.Allow},
			}},
			access.Deny, access.StepRule,
			[]access.Part{"device", "place", "browser"},
		},
		{
			"a browser may be refused", visit("anne", phone, home, webView),
			access.Standing{Closed: true, Rules: []access.Rule{{ID: "wv", Browser: access.BrowserKey{Family: "Web view"}, Effect: access.Refuse}}},
			access.Deny, access.StepRule,
			[]access.Part{"device", "place", "browser"},
		},
		{
			"one device may be refused while its user is allowed", visit("anne", phone, home, safari),
			access.Standing{Closed: true, Rules: []access.Rule{
				{ID: "yes", User: "anne", Effect: access.Allow},
				{ID: "lost", User: "anne", Device: "phone-1", Effect: access.Refuse},
			}},
			access.Deny, access.StepRule,
			[]access.Part{"device", "place", "browser"},
		},
		{
			"of two rules of equal weight the refusal answers", known,
			access.Standing{Closed: true, Rules: []access.Rule{
				{ID: "yes", User: "anne", Application: "sdg", Effect: access.Allow},
				{ID: "no", User: "anne", Kind: access.Computer, Effect: access.Refuse},
			}},
			access.Deny, access.StepRule,
			[]access.Part{"device", "place", "browser"},
		},
		{
			"a more specific allowance goes before a general refusal", known,
			access.Standing{Closed: true, Rules: []access.Rule{{ID: "no", Application: "sdg", Effect: access.Refuse}, grant(known)}},
			access.LetIn, access.StepRule, nil,
		},
		{
			"a rule whose effect cannot be read refuses", known,
			access.Standing{Closed: true, Rules: []access.Rule{{ID: "?", User: "anne", Effect: "alow"}}},
			access.Deny, access.StepRule,
			[]access.Part{"device", "place", "browser"},
		},
		{
			"a refusal whose network cannot be read refuses everywhere", known,
			access.Standing{Closed: true, Rules: []access.Rule{
				{ID: "yes", User: "anne", Effect: access.Allow},
				{ID: "?", User: "anne", Place: access.PlaceKey{Prefix: "203.0.113"}, Effect: access.Refuse},
			}},
			access.Deny, access.StepRule,
			[]access.Part{"device", "place", "browser"},
		},
		{
			"an allowance whose network cannot be read allows nowhere", known,
			access.Standing{Closed: true, Rules: []access.Rule{{ID: "?", User: "anne", Place: access.PlaceKey{Prefix: "0/0"}, Effect: access.Allow}}},
			access.Approval, access.StepPolicy,
			[]access.Part{"device", "place", "browser"},
		},
		{
			"a grant that ended no longer lets in", known,
			access.Standing{
				Closed: true, Seen: []access.Visit{known},
				Rules: []access.Rule{with2(grant(known), func(r *access.Rule) { r.Until = now })},
			},
			access.Approval, access.StepPolicy,
			[]access.Part{"device", "place", "browser"},
		},
		{
			"a grant lets in until its end", known,
			access.Standing{
				Closed: true, Seen: []access.Visit{known},
				Rules: []access.Rule{with2(grant(known), func(r *access.Rule) { r.Until = now.Add(time.Nanosecond) })},
			},
			access.LetIn, access.StepRule, nil,
		},
		{
			"full access lets in whatever the connection", visit("anne", stranger, adrift, access.Browser{}),
			access.Standing{Closed: true, FullAccess: true, Rules: []access.Rule{{ID: "no", User: "anne", Effect: access.Refuse}}},
			access.LetIn, access.StepFull,
			[]access.Part{"device", "place", "browser"},
		},
		{
			"the exempt never wait", visit("anne", stranger, abroad, safari),
			access.Standing{Closed: true, Exempt: true, Rules: []access.Rule{{ID: "no", User: "anne", Effect: access.Refuse}}},
			access.LetIn, access.StepExempt,
			[]access.Part{"device", "place", "browser"},
		},
		{
			"a locked user stays out, exempt and with full access too", known,
			access.Standing{Locked: true, Exempt: true, FullAccess: true, Rules: []access.Rule{grant(known)}},
			access.Deny, access.StepLocked, nil,
		},
		{
			"an open padlock lets in who is not known", visit("anne", stranger, abroad, safari),
			access.Standing{},
			access.LetIn, access.StepPadlock,
			[]access.Part{"device", "place", "browser"},
		},
		{
			"an open padlock lets in who a rule refuses", known,
			access.Standing{Rules: []access.Rule{{ID: "no", User: "anne", Effect: access.Refuse}}},
			access.LetIn, access.StepPadlock,
			[]access.Part{"device", "place", "browser"},
		},
		{
			"a new place asks for Biopass where the policy says so",
			with(known, func(v *access.Visit) { v.Place = abroad }),
			access.Standing{Closed: true, Policy: byPart, Rules: []access.Rule{grant(known)}, Seen: []access.Visit{known}},
			access.Biopass, access.StepPolicy,
			[]access.Part{"place"},
		},
		{
			"a new device waits for approval",
			with(known, func(v *access.Visit) { v.Device = stranger }),
			access.Standing{Closed: true, Policy: byPart, Rules: []access.Rule{grant(known)}, Seen: []access.Visit{known}},
			access.Approval, access.StepPolicy,
			[]access.Part{"device"},
		},
		{
			"a new browser is let in where the policy says so",
			with(known, func(v *access.Visit) { v.Browser = webView }),
			access.Standing{Closed: true, Policy: byPart, Rules: []access.Rule{grant(known)}, Seen: []access.Visit{known}},
			access.LetIn, access.StepPolicy,
			[]access.Part{"browser"},
		},
		{
			"of several new parts the strictest answer counts",
			with(known, func(v *access.Visit) { v.Device, v.Place = stranger, abroad }),
			access.Standing{Closed: true, Policy: byPart, Rules: []access.Rule{grant(known)}, Seen: []access.Visit{known}},
			access.Approval, access.StepPolicy,
			[]access.Part{"device", "place"},
		},
		{
			"all parts known but never together is a combination",
			with(known, func(v *access.Visit) { v.Place = home }),
			access.Standing{
				Closed: true, Policy: byPart, Rules: []access.Rule{grant(known), grant(onPhone)},
				Seen: []access.Visit{known, onPhone},
			},
			access.Deny, access.StepPolicy,
			[]access.Part{"combination"},
		},
		{
			"a browser that calls itself something new does not hide a known device in another's place",
			with(known, func(v *access.Visit) { v.Place, v.Browser = home, webView }),
			access.Standing{
				Closed: true, Policy: byPart, Rules: []access.Rule{grant(known), grant(onPhone)},
				Seen: []access.Visit{known, onPhone},
			},
			access.Deny, access.StepPolicy,
			[]access.Part{"browser", "combination"},
		},
		{
			"what the policy does not say waits for approval", visit("anne", stranger, abroad, safari),
			access.Standing{Closed: true},
			access.Approval, access.StepPolicy,
			[]access.Part{"device", "place", "browser"},
		},
		{
			"an answer that is no answer refuses", visit("anne", stranger, abroad, safari),
			access.Standing{Closed: true, Policy: access.Policy{Device: "alow", Place: access.LetIn, Browser: access.LetIn}},
			access.Deny, access.StepPolicy,
			[]access.Part{"device", "place", "browser"},
		},
		{
			"a connection that was seen and never authorised is not known", known,
			access.Standing{Closed: true, Seen: []access.Visit{known}},
			access.Approval, access.StepPolicy,
			[]access.Part{"device", "place", "browser"},
		},
		{
			"another user's connection makes nothing known", known,
			access.Standing{
				Closed: true, Rules: []access.Rule{grant(visit("bob", laptop, centre, chrome))},
				Seen: []access.Visit{visit("bob", laptop, centre, chrome)},
			},
			access.Approval, access.StepPolicy,
			[]access.Part{"device", "place", "browser"},
		},
		{
			"a connection of another application makes nothing known", known,
			access.Standing{
				Closed: true, Rules: []access.Rule{with2(grant(known), func(r *access.Rule) { r.Application = "wiki" })},
				Seen: []access.Visit{with(known, func(v *access.Visit) { v.Application = "wiki" })},
			},
			access.Approval, access.StepPolicy,
			[]access.Part{"device", "place", "browser"},
		},
		{
			"a device granted anywhere is known in a new place", visit("anne", phone, abroad, safari),
			access.Standing{Closed: true, Policy: byPart, Rules: []access.Rule{
				{ID: "d", User: "anne", Device: "phone-1", Browser: access.BrowserKey{Family: "Safari"}, Place: access.PlaceKey{City: "Laval"}, Effect: access.Allow},
			}},
			access.Biopass, access.StepPolicy,
			[]access.Part{"place"},
		},
		{
			"a grant that a refusal took back makes nothing known", visit("anne", laptop, abroad, chrome),
			access.Standing{Closed: true, Rules: []access.Rule{
				{ID: "d", User: "anne", Device: "laptop-1", Place: access.PlaceKey{Name: "Laval centre"}, Effect: access.Allow},
				{ID: "n", User: "anne", Device: "laptop-1", Place: access.PlaceKey{Name: "Laval centre"}, Effect: access.Refuse},
			}},
			access.Approval, access.StepPolicy,
			[]access.Part{"device", "place", "browser"},
		},
		{
			"what a group gave is not known any more to who left it", known,
			access.Standing{
				Closed: true, Rules: []access.Rule{{ID: "g", Group: "night", Application: "sdg", Place: access.PlaceKey{Name: "Laval centre"}, Effect: access.Allow}},
				Seen: []access.Visit{with(known, func(v *access.Visit) { v.Groups = []string{"night"} })},
			},
			access.Approval, access.StepPolicy,
			[]access.Part{"device", "place", "browser"},
		},
		{
			"an unknown place is new, however often it was seen", visit("anne", laptop, adrift, chrome),
			access.Standing{
				Closed: true, Rules: []access.Rule{{ID: "d", User: "anne", Device: "laptop-1", Browser: access.BrowserKey{Family: "Chrome", Platform: "Linux"}, Effect: access.Allow}, grant(visit("anne", laptop, home, chrome))},
				Seen: []access.Visit{visit("anne", laptop, adrift, chrome), visit("anne", laptop, home, chrome)},
			},
			access.Approval, access.StepPolicy,
			[]access.Part{"place"},
		},
		{
			"a browser that was not told is new, however often it was seen", visit("anne", laptop, centre, access.Browser{Platform: "Windows"}),
			access.Standing{
				Closed: true, Rules: []access.Rule{grant(known)},
				Seen: []access.Visit{visit("anne", laptop, centre, access.Browser{Platform: "Windows"}), known},
			},
			access.Approval, access.StepPolicy,
			[]access.Part{"browser"},
		},
		{
			"somebody else's home is not home", visit("anne", laptop, access.Place{Name: "home", NameFor: "bob", Address: addr("198.51.100.9")}, chrome),
			access.Standing{Closed: true, Rules: []access.Rule{{ID: "h", Place: access.PlaceKey{Name: "home"}, Effect: access.Allow}}},
			access.Approval, access.StepPolicy,
			[]access.Part{"device", "place", "browser"},
		},
		{
			"one's own home is", visit("bob", laptop, access.Place{Name: "home", NameFor: "bob", Address: addr("198.51.100.9")}, chrome),
			access.Standing{Closed: true, Rules: []access.Rule{{ID: "h", Place: access.PlaceKey{Name: "home"}, Effect: access.Allow}}},
			access.LetIn, access.StepRule,
			[]access.Part{"device", "place", "browser"},
		},
		{
			"after an update the browser is the same one",
			with(known, func(v *access.Visit) { v.Browser.Version = "141" }),
			access.Standing{Closed: true, Rules: []access.Rule{grant(known)}, Seen: []access.Visit{known}},
			access.LetIn, access.StepRule, nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := access.Decide(c.visit, c.standing, now)
			if got.Answer != c.want || got.Step != c.step || !reflect.DeepEqual(got.New, c.news) {
				t.Errorf("got %s at %s, new %v: %s\nwant %s at %s, new %v", got.Answer, got.Step, got.New, got.Reason(), c.want, c.step, c.news)
			}
		})
	}
}

func with2(r access.Rule, change func(*access.Rule)) access.Rule { change(&r); return r }

// TestPadlockShadow: C11, what the rules would have said stands beside.
func TestPadlockShadow(t *testing.T) {
	v := access.Decide(visit("anne", stranger, abroad, safari), access.Standing{}, now)
	if v.Shadow == nil || v.Shadow.Answer != access.Approval || v.Shadow.Step != access.StepPolicy {
		t.Fatalf("shadow %+v", v.Shadow)
	}
	if want := "padlock open; closed it would be approval: new device, place, browser"; v.Reason() != want {
		t.Errorf("reason %q, want %q", v.Reason(), want)
	}
}

// TestEachApplicationHasItsOwnRules: C23.
func TestEachApplicationHasItsOwnRules(t *testing.T) {
	v := visit("anne", laptop, centre, chrome)
	rules := []access.Rule{grant(v)}
	elsewhere := v
	elsewhere.Application = "wiki"
	if got := access.Decide(v, access.Standing{Closed: true, Rules: rules}, now); got.Answer != access.LetIn {
		t.Errorf("where it was granted: %s", got.Answer)
	}
	if got := access.Decide(elsewhere, access.Standing{Closed: true, Rules: rules}, now); got.Answer != access.Approval {
		t.Errorf("in the other application: %s", got.Answer)
	}
}

func TestReasons(t *testing.T) {
	for _, c := range []struct {
		verdict access.Verdict
		want    string
	}{
		{access.Verdict{Step: access.StepLocked}, "user locked"},
		{access.Verdict{Step: access.StepExempt}, "exempt"},
		{access.Verdict{Step: access.StepFull}, "full access"},
		{access.Verdict{Step: access.StepRule, Rule: access.Rule{ID: "r7", Author: "import"}}, "rule r7 by import"},
		{access.Verdict{Step: access.StepKnown}, "known connection"},
		{access.Verdict{Step: access.StepPolicy, New: []access.Part{access.PartPlace}}, "new place"},
		{access.Verdict{Step: access.StepPadlock}, "padlock open"},
		{access.Verdict{}, "no reason"},
	} {
		if got := c.verdict.Reason(); got != c.want {
			t.Errorf("%s: %q, want %q", c.verdict.Step, got, c.want)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	v := visit("anne", laptop, centre, chrome)
	s := access.Standing{Closed: true, Rules: []access.Rule{grant(v), {ID: "no", User: "anne", Place: access.PlaceKey{Country: "FR"}, Effect: access.Refuse}}, Seen: []access.Visit{v}}
	b.ReportAllocs()
	for b.Loop() {
		access.Decide(v, s, now)
	}
}
