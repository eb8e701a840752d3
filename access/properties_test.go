package access_test

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cadenas-gateway/cadenas/access"
)

// The generators draw from few values, so that things meet.

func users(t *rapid.T) string {
	return rapid.SampledFrom([]string{"anne", "bob"}).Draw(t, "user")
}

func places(t *rapid.T) access.Place {
	return rapid.SampledFrom([]access.Place{
		centre, home, abroad, adrift,
		{Address: addr("10.1.2.3"), Private: true},
		{Country: "CA", Address: addr("2001:db8:7:1::5")},
		{Name: "home", NameFor: "anne", City: "Laval", Country: "CA", Address: addr("2001:db8:9::1")},
	}).Draw(t, "place")
}

func visits(t *rapid.T) access.Visit {
	return access.Visit{
		User:        users(t),
		Groups:      rapid.SliceOfDistinct(rapid.SampledFrom([]string{"staff", "night"}), rapid.ID).Draw(t, "groups"),
		Application: rapid.SampledFrom([]string{"sdg", "sdg", "sdg", "wiki"}).Draw(t, "application"),
		Device:      rapid.SampledFrom([]access.Device{tablet, phone, laptop, stranger}).Draw(t, "device"),
		Browser:     rapid.SampledFrom([]access.Browser{safari, chrome, webView, {}}).Draw(t, "browser"),
		Place:       places(t),
	}
}

func rules(t *rapid.T) []access.Rule {
	list := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) access.Rule {
		r := access.Rule{
			Application: rapid.SampledFrom([]string{"", "sdg", "sdg", "wiki"}).Draw(t, "application"),
			Effect:      rapid.SampledFrom([]access.Effect{access.Allow, access.Allow, access.Refuse, ""}).Draw(t, "effect"),
			Until:       rapid.SampledFrom([]time.Time{{}, {}, now.Add(-1), now.Add(1)}).Draw(t, "until"),
			Created:     rapid.SampledFrom([]time.Time{{}, now}).Draw(t, "created"),
			Browser:     rapid.SampledFrom([]access.BrowserKey{{}, {}, {Family: "Safari", Platform: "iOS"}, {Family: "Chrome"}, {Platform: "iOS"}}).Draw(t, "browser"),
		}
		switch rapid.IntRange(0, 3).Draw(t, "who") {
		case 0:
			r.Group = rapid.SampledFrom([]string{"staff", "night"}).Draw(t, "group")
		case 1, 2:
			r.User = users(t)
		}
		switch rapid.IntRange(0, 3).Draw(t, "what") {
		case 0:
			r.Kind = rapid.SampledFrom(access.Kinds).Draw(t, "kind")
		case 1, 2:
			r.Device = rapid.SampledFrom([]string{"tablet-1", "phone-1", "laptop-1"}).Draw(t, "device")
		}
		if rapid.Bool().Draw(t, "placed") {
			key, _ := access.SamePlace(rapid.SampledFrom([][]access.Same{nil, {access.SameAddress}, {access.SameCountry}}).Draw(t, "by")).Key(places(t))
			r.Place = key
		}
		return r
	}), 0, 6).Draw(t, "rules")
	for i := range list {
		list[i].ID = string(rune('a' + i))
	}
	return list
}

func standings(t *rapid.T, v access.Visit) access.Standing {
	s := access.Standing{
		Closed: rapid.Bool().Draw(t, "closed"),
		Exempt: rapid.IntRange(0, 9).Draw(t, "exempt") == 0, FullAccess: rapid.IntRange(0, 9).Draw(t, "full") == 0,
		Rules: rules(t), Policy: policies(t),
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "seen") {
		seen := visits(t)
		if i%2 == 0 {
			seen.User, seen.Application = v.User, v.Application
		}
		s.Seen = append(s.Seen, seen)
		if rapid.Bool().Draw(t, "granted") {
			s.Rules = append(s.Rules, grant(seen))
		}
	}
	return s
}

func policies(t *rapid.T) access.Policy {
	word := func(what string) access.Answer {
		return rapid.SampledFrom([]access.Answer{"", access.LetIn, access.Biopass, access.Approval, access.Deny}).Draw(t, what)
	}
	return access.Policy{
		Device: word("unknown device"), Place: word("unknown place"), Browser: word("unknown browser"), Combination: word("unknown combination"),
		SamePlace:   rapid.SampledFrom([]access.SamePlace{nil, nil, {access.SameAddress}, {access.SameCity}, {access.SameCountry, access.SameOwner}, {access.SameNetwork}}).Draw(t, "same place"),
		SameBrowser: rapid.SampledFrom([]access.SameBrowser{"", access.SameFamily, access.SameVersion}).Draw(t, "same browser"),
	}
}

// strictness orders answers the way the glossary does.
func strictness(a access.Answer) int {
	if i := slices.Index(access.Answers, a); i >= 0 {
		return i
	}
	return len(access.Answers)
}

func same(t *rapid.T, what string, a, b access.Verdict) {
	if !reflect.DeepEqual(a, b) {
		t.Fatalf("%s changed the verdict:\n%s (%s)\n%s (%s)", what, a.Answer, a.Reason(), b.Answer, b.Reason())
	}
}

func TestOrderNeverChangesAVerdict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := visits(t)
		s := standings(t, v)
		before := access.Decide(v, s, now)
		s.Rules = rapid.Permutation(s.Rules).Draw(t, "shuffled rules")
		s.Seen = rapid.Permutation(s.Seen).Draw(t, "shuffled seen")
		v.Groups = rapid.Permutation(v.Groups).Draw(t, "shuffled groups")
		same(t, "order", before, access.Decide(v, s, now))
	})
}

func TestIrrelevantRulesNeverChangeAVerdict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := visits(t)
		s := standings(t, v)
		before := access.Decide(v, s, now)
		for i, r := range rules(t) {
			r.ID = "other-" + string(rune('a'+i))
			switch rapid.IntRange(0, 3).Draw(t, "why irrelevant") {
			case 0:
				r.User, r.Group = "carol", ""
			case 1:
				r.Application = "elsewhere"
			case 2:
				r.Until = now.Add(-time.Hour)
			case 3:
				r.User, r.Group = "", "a group nobody is in"
			}
			s.Rules = append(s.Rules, r)
		}
		other := visits(t)
		other.User = "carol"
		s.Seen = append(s.Seen, other)
		same(t, "what concerns others", before, access.Decide(v, s, now))
	})
}

func TestRepresentationNeverChangesAVerdict(t *testing.T) {
	disguise := func(t *rapid.T, p *access.Place) {
		if p.Address.Is4() && rapid.Bool().Draw(t, "mapped") {
			p.Address = netip.AddrFrom16(p.Address.As16())
		}
		if p.Address.Is6() && rapid.Bool().Draw(t, "zone") {
			p.Address = p.Address.WithZone("eth0")
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		v := visits(t)
		s := standings(t, v)
		before := access.Decide(v, s, now)
		disguise(t, &v.Place)
		s.Seen = slices.Clone(s.Seen)
		for i := range s.Seen {
			disguise(t, &s.Seen[i].Place)
			s.Seen[i].Groups = nil
		}
		v.Groups = append(slices.Clone(v.Groups), "a group no rule names")
		v.Device.Label, v.Place.Located, v.Place.Latitude = "something else", true, 45.6
		same(t, "representation", before, access.Decide(v, s, now))
	})
}

func TestLockedAlwaysRefuses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := visits(t)
		s := standings(t, v)
		s.Locked = true
		if got := access.Decide(v, s, now); got.Answer != access.Deny || got.Step != access.StepLocked {
			t.Fatalf("a locked user got %s at %s", got.Answer, got.Step)
		}
	})
}

func TestTheShadowIsWhatAClosedPadlockWouldSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := visits(t)
		s := standings(t, v)
		s.Closed = false
		open := access.Decide(v, s, now)
		s.Closed = true
		if open.Answer != access.LetIn {
			t.Fatalf("an open padlock answered %s", open.Answer)
		}
		same(t, "the open padlock", access.Decide(v, s, now), *open.Shadow)
	})
}

// A policy is even when a combination of known parts is judged no more
// strictly than any part that is new: the ones for which a visitor gains
// nothing by looking newer.
func even(p access.Policy) access.Policy {
	for _, part := range []access.Part{access.PartDevice, access.PartPlace, access.PartBrowser} {
		if strictness(p.For(part)) < strictness(p.For(access.PartCombination)) {
			p.Combination = p.For(part)
		}
	}
	return p
}

func TestANewPartNeverMakesTheAnswerMilder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := visits(t)
		s := standings(t, v)
		s.Policy = even(s.Policy)
		before := access.Decide(v, s, now)
		if before.Step == access.StepRule {
			return // what a rule names decides there, not newness
		}
		switch rapid.IntRange(0, 2).Draw(t, "what is new") {
		case 0:
			v.Device.ID = "never seen"
		case 1:
			v.Place = access.Place{City: "Nowhere", Country: "ZZ", Owner: "Nobody", Address: addr("100.100.100.100")}
		case 2:
			v.Browser = access.Browser{Family: "Lynx", Platform: "BeOS"}
		}
		after := access.Decide(v, s, now)
		if after.Step == access.StepRule {
			return
		}
		if strictness(after.Answer) < strictness(before.Answer) {
			t.Fatalf("%s (%s) became %s (%s)", before.Answer, before.Reason(), after.Answer, after.Reason())
		}
	})
}

func TestARefusalMoreNeverMakesTheAnswerMilder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := visits(t)
		s := standings(t, v)
		s.Policy = even(s.Policy)
		before := access.Decide(v, s, now)
		for i, r := range rules(t) {
			r.ID, r.Effect = "no-"+string(rune('a'+i)), access.Refuse
			s.Rules = append(s.Rules, r)
		}
		if after := access.Decide(v, s, now); strictness(after.Answer) < strictness(before.Answer) {
			t.Fatalf("%s (%s) became %s (%s)", before.Answer, before.Reason(), after.Answer, after.Reason())
		}
	})
}

func TestAnUnknownPlaceNeverEqualsAnUnknownPlace(t *testing.T) {
	all := append([]access.Same{"nonsense"}, access.Sames...)
	rapid.Check(t, func(t *rapid.T) {
		by := access.SamePlace(rapid.SliceOf(rapid.SampledFrom(all)).Draw(t, "same place"))
		if key, ok := by.Key(access.Place{}); ok {
			t.Fatalf("same place %v: the unknown place has the key %q", by, key)
		}
	})
}

func TestTheKeyOfAPlaceMatchesThatPlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		by := access.SamePlace(rapid.SliceOf(rapid.SampledFrom(access.Sames)).Draw(t, "same place"))
		p := places(t)
		key, ok := by.Key(p)
		if ok && (key.Any() || !key.Matches(p)) {
			t.Fatalf("same place %v: the key %q does not match %+v", by, key, p)
		}
	})
}
