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
	default:
		return 3 // Deny, and whatever is not an answer: an error never lets in
	}
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
	// StepBiopass is an allowed sign-in before which four words are typed.
	StepBiopass Step = "biopass"
)

// Verdict is the gate's answer for one visit, with its reason.
type Verdict struct {
	Answer Answer
	Step   Step
	// Rule is the one that answered, when Step is StepRule.
	Rule Rule
	// New lists what is new about the visit, in the order device, place,
	// browser, combination. Combination stands where the parts that are not
	// new were never together; mostly alone. It is filled at every step, so
	// that pages can show it.
	New []Part
	// Shadow is what would have been answered with the padlock closed; set
	// only when Step is StepPadlock.
	Shadow *Verdict
	// Factor is what was passed besides the sign-in where that is not the
	// approval that let a held one through: "biopass", or "login" for nothing
	// more.
	Factor string
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
	case StepBiopass:
		return "biopass at sign-in"
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
// approval; what is not an answer means refuse.
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
	switch {
	case a == "":
		return Approval
	case a.strictness() == Deny.strictness():
		return Deny
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
	j := judge(v, &s, now)
	return j.Decide(v)
}

// Newness tells what about v none of the user's authorised connections has:
// device, place, browser; and combination where the parts that are known were
// never together. A connection is authorised when the rules, as they stand,
// allow it; a rule that names a user's device, place or browser makes that
// part known too, unless another rule takes it back. The groups are those the
// user has now: what a group gave ends where the membership ends.
func Newness(v Visit, s Standing, now time.Time) []Part {
	j := judge(v, &s, now)
	v.Place = v.Place.For(v.User)
	return j.newness(&v)
}

// shares says which parts of a visit one authorised connection has too.
type shares struct{ device, place, browser bool }

// newParts lists what no connection shares. Where one part is new and the
// other two were never together, the combination is listed as well: else a
// browser's name, which the visitor chooses, would decide whether a known
// device in another's place is noticed at all.
func newParts(shared []shares) []Part {
	var known shares
	for _, c := range shared {
		known = shares{known.device || c.device, known.place || c.place, known.browser || c.browser}
	}
	together := false
	for _, c := range shared {
		together = together || c == known
	}
	var news []Part
	if !known.device {
		news = append(news, PartDevice)
	}
	if !known.place {
		news = append(news, PartPlace)
	}
	if !known.browser {
		news = append(news, PartBrowser)
	}
	if !together && len(news) < 2 {
		news = append(news, PartCombination)
	}
	return news
}

// pattern is the least visit that satisfies r for the user and application of
// v: only what r names is set. Rules that match it cover all that r does.
func (r *Rule) pattern(v Visit) Visit {
	p := Visit{
		User: v.User, Groups: v.Groups, Application: v.Application,
		Device:  Device{ID: r.Device, Kind: r.Kind},
		Browser: Browser(r.Browser),
		Place: Place{
			Name: r.Place.Name, City: r.Place.City, Region: r.Place.Region,
			Country: r.Place.Country, Owner: r.Place.Owner,
		},
	}
	if r.Place.Prefix != "" {
		if prefix, err := parsePrefix(r.Place.Prefix); err == nil {
			p.Place.Address = prefix.Addr()
		}
	}
	return p
}

// mostSpecific returns the rule that answers for v: the greatest weight, a
// refusal before an allowance, then the older, then the smaller identifier,
// so that the order of the list never matters. It is nil where none matches.
func mostSpecific(v *Visit, rules []Rule, now time.Time) *Rule {
	var best *Rule
	for i := range rules {
		r := &rules[i]
		if !r.matches(v) || r.Ended(now) {
			continue
		}
		if r.Effect == Allow && r.newer != "" {
			continue // it may not mean this visit (threat L4)
		}
		if best == nil || beats(r, best) {
			best = r
		}
	}
	return best
}

func beats(a, b *Rule) bool {
	if wa, wb := a.Weight(), b.Weight(); wa != wb {
		return wa > wb
	}
	if (a.Effect == Allow) != (b.Effect == Allow) {
		return a.Effect != Allow // what is not an effect refuses
	}
	if !a.Created.Equal(b.Created) {
		return a.Created.Before(b.Created)
	}
	return a.ID < b.ID
}
