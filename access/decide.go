package access

import (
	"strings"
	"time"
)

// Answer is what the gate does with a visit, from mildest to strictest.
type Answer string

// The answers.
const (
	LetIn    Answer = "allow"
	Biopass  Answer = "biopass"
	Approval Answer = "approval"
	Deny     Answer = "refuse"
)

func (a Answer) strictness() int {
	switch a {
	case LetIn:
		return 0
	case Biopass:
		return 1
	case Approval:
		return 2
	}
	return 3 // Deny, and whatever is not an answer: an error never lets in
}

// Stricter returns the stricter of two answers.
func Stricter(a, b Answer) Answer {
	if b.strictness() > a.strictness() {
		return b
	}
	return a
}

// Step is the line of the order that answered.
type Step string

// The steps, in their order.
const (
	StepLocked  Step = "locked"
	StepPadlock Step = "padlock"
	StepExempt  Step = "exempt"
	StepFull    Step = "full-access"
	StepRule    Step = "rule"
	StepPolicy  Step = "policy"
	// StepKnown is the policy finding nothing new: every part and the
	// combination are those of an authorised connection.
	StepKnown Step = "known"
)

// Verdict is the gate's answer for one visit, with its reason.
type Verdict struct {
	Answer Answer
	Step   Step
	// Rule is the one that answered, when Step is StepRule.
	Rule Rule
	// New lists what is new about the visit, in the order device, place,
	// browser; or combination alone. It is filled at every step but locked,
	// so that pages can show it.
	New []Part
	// Shadow is what would have been answered with the padlock closed; set
	// only when Step is StepPadlock.
	Shadow *Verdict
}

// Reason is the verdict's reason in one English line, the same in log,
// response header and `caddy cadenas explain`. Pages say it in the reader's
// language from Step, Rule and New.
func (v Verdict) Reason() string {
	switch v.Step {
	case StepLocked:
		return "user locked"
	case StepPadlock:
		if v.Shadow != nil {
			return "padlock open; closed it would be " + string(v.Shadow.Answer) + ": " + v.Shadow.Reason()
		}
		return "padlock open"
	case StepExempt:
		return "exempt"
	case StepFull:
		return "full access"
	case StepRule:
		return "rule " + v.Rule.ID + " by " + v.Rule.Author
	case StepKnown:
		return "known connection"
	case StepPolicy:
		names := make([]string, len(v.New))
		for i, p := range v.New {
			names[i] = string(p)
		}
		return "new " + strings.Join(names, ", ")
	}
	return "no reason"
}

// Policy is what an application does with what is new. Empty answers mean
// approval.
type Policy struct {
	Device, Place, Browser, Combination Answer
	SamePlace                           SamePlace
	SameBrowser                         SameBrowser
}

// For returns the answer to one new part.
func (p Policy) For(part Part) Answer {
	a := Approval
	switch part {
	case PartDevice:
		a = p.Device
	case PartPlace:
		a = p.Place
	case PartBrowser:
		a = p.Browser
	case PartCombination:
		a = p.Combination
	}
	if a == "" {
		return Approval
	}
	return a
}

// Standing is all that is known when a visit is judged: about its user, its
// application and what was recorded before.
type Standing struct {
	// Locked says that the user is locked, here or everywhere.
	Locked bool
	// FullAccess says that an admin gave it.
	FullAccess bool
	// Exempt says that a path, group, name or application exempts the visit.
	Exempt bool
	// Closed is the state of the application's padlock.
	Closed bool
	// Rules are those that may concern the user; others are ignored.
	Rules []Rule
	// Seen are the connections recorded for the user in the application;
	// those that a rule authorises are what newness is measured against.
	Seen []Visit
	// Policy is the application's.
	Policy Policy
}

// Decide gives the verdict on a visit at a moment. The order is: user locked;
// padlock open; exempt; full access; the most specific rule that matches, a
// refusal before an allowance of equal weight; else the policy for what is
// new, the strictest answer of those that apply.
func Decide(v Visit, s Standing, now time.Time) Verdict {
	if s.Locked {
		return Verdict{Answer: Deny, Step: StepLocked}
	}
	if !s.Closed {
		shut := s
		shut.Closed = true
		shadow := Decide(v, shut, now)
		return Verdict{Answer: LetIn, Step: StepPadlock, New: shadow.New, Shadow: &shadow}
	}
	news := Newness(v, s, now)
	switch {
	case s.Exempt:
		return Verdict{Answer: LetIn, Step: StepExempt, New: news}
	case s.FullAccess:
		return Verdict{Answer: LetIn, Step: StepFull, New: news}
	}
	if rule, ok := mostSpecific(v, s.Rules, now); ok {
		answer := Deny
		if rule.Effect == Allow {
			answer = LetIn
		}
		return Verdict{Answer: answer, Step: StepRule, Rule: rule, New: news}
	}
	if len(news) == 0 {
		return Verdict{Answer: LetIn, Step: StepKnown}
	}
	answer := LetIn
	for _, part := range news {
		answer = Stricter(answer, s.Policy.For(part))
	}
	return Verdict{Answer: answer, Step: StepPolicy, New: news}
}

// Newness tells what about v none of the user's authorised connections has:
// device, place, browser, or only their combination. A connection is
// authorised when the rules, as they stand, allow it; a rule that names a
// user's device, place or browser makes that part known too.
func Newness(v Visit, s Standing, now time.Time) []Part {
	place, placed := s.Policy.SamePlace.Key(v.Place)
	browser := s.Policy.SameBrowser.Key(v.Browser)
	var device, where, with, together bool
	note := func(d, p, b bool) {
		device, where, with = device || d, where || p, with || b
		together = together || (d && p && b)
	}
	for _, seen := range s.Seen {
		rule, ok := mostSpecific(seen, s.Rules, now)
		if !ok || rule.Effect != Allow {
			continue
		}
		seenPlace, ok := s.Policy.SamePlace.Key(seen.Place)
		note(v.Device.ID != "" && seen.Device.ID == v.Device.ID,
			placed && ok && seenPlace == place,
			s.Policy.SameBrowser.Key(seen.Browser) == browser && !browser.Any())
	}
	for _, r := range s.Rules {
		if r.Effect != Allow || r.Ended(now) || r.User == "" || r.User != v.User ||
			(r.Application != "" && r.Application != v.Application) {
			continue
		}
		note(r.Device != "" && r.Device == v.Device.ID,
			!r.Place.Any() && placed && r.Place.Matches(v.Place),
			!r.Browser.Any() && r.Browser.Matches(v.Browser))
	}
	var news []Part
	for _, p := range []struct {
		part  Part
		known bool
	}{{PartDevice, device}, {PartPlace, where}, {PartBrowser, with}} {
		if !p.known {
			news = append(news, p.part)
		}
	}
	if len(news) == 0 && !together {
		news = []Part{PartCombination}
	}
	return news
}

// mostSpecific returns the rule that answers for v: the greatest weight, a
// refusal before an allowance, then the older, then the smaller identifier,
// so that the order of the list never matters.
func mostSpecific(v Visit, rules []Rule, now time.Time) (Rule, bool) {
	best, found := -1, false
	for i := range rules {
		r := &rules[i]
		if r.Ended(now) || !r.Matches(v) {
			continue
		}
		if !found || beats(r, &rules[best]) {
			best, found = i, true
		}
	}
	if !found {
		return Rule{}, false
	}
	return rules[best], true
}

func beats(a, b *Rule) bool {
	if wa, wb := a.Weight(), b.Weight(); wa != wb {
		return wa > wb
	}
	if a.Effect != b.Effect {
		return a.Effect == Refuse
	}
	if !a.Created.Equal(b.Created) {
		return a.Created.Before(b.Created)
	}
	return a.ID < b.ID
}
