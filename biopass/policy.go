package biopass

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
)

// Levels are the names of the operating points, mildest first.
var Levels = []string{Convenient, Balanced, Strict}

// LeastAttempts is the fewest tries there are, whatever is configured.
const LeastAttempts = 3

// Policy is what the configuration says about verifying.
type Policy struct {
	// Level is the operating point; "" is Balanced.
	Level string
	// Levels name another point for a kind of device, since each kind has its
	// own error rates: a tablet's keyboard is not a desk's.
	Levels map[access.Kind]string
	// Attempts is how many tries there are in all, LeastAttempts at the least.
	Attempts int
	// Lock locks the user in the application after that many; else the request
	// goes to approval.
	Lock bool
	// Trial lets the person begin again instead, and only records.
	Trial bool
}

// Check says what is wrong with a policy, in words for whoever wrote it.
func (p Policy) Check() error {
	names := []string{p.Level}
	for kind, l := range p.Levels {
		if kind == access.Phone || !slices.Contains(access.Kinds, kind) {
			return fmt.Errorf("levels takes no kind %q: write tablet, computer or other", kind)
		}
		names = append(names, l)
	}
	for _, l := range names {
		switch l {
		case "", Convenient, Balanced, Strict:
		default:
			return fmt.Errorf("level %q is not there: write convenient, balanced or strict", l)
		}
	}
	if p.Attempts != 0 && p.Attempts < LeastAttempts {
		return errors.New("attempts cannot be under 3")
	}
	if p.Attempts > 20 {
		return errors.New("attempts cannot be over 20")
	}
	return nil
}

// level is the operating point for a kind of device.
func (p Policy) level(kind access.Kind) string {
	if l := p.Levels[kind]; l != "" {
		return l
	}
	if p.Level == "" {
		return Balanced
	}
	return p.Level
}

func (p Policy) attempts() int { return max(p.Attempts, LeastAttempts) }

// Tries is where somebody stands who is typing on one device: what counts
// between two requests. The zero value is the start.
type Tries struct {
	// Failed counts the tries that did not match, in a row.
	Failed int
	// Spared says that the one further line that a borderline result earns
	// was given.
	Spared bool
	// Refused counts typing that was not scored.
	Refused int
	// Results are those of the tries so far, by keyboard, since scores
	// accumulate.
	Results map[string][]Result
}

// Outcome is what follows a try.
type Outcome string

// The outcomes.
const (
	// Matched lets in.
	Matched Outcome = "match"
	// OneMore is borderline: one more line, which costs no try.
	OneMore Outcome = "more"
	// TryAgain is no match, and tries are left.
	TryAgain Outcome = "again"
	// Spent is no match, and no try is left: approval or the lock.
	Spent Outcome = "spent"
	// WouldSpend is Spent in a trial: it is recorded, and begins again.
	WouldSpend Outcome = "would"
)

// refusalsLeft is how often typing may be refused before it counts as failed:
// a keyboard that never works must not become an endless loop.
const refusalsLeft = 12

// keptResults bounds the results of one keyboard.
const keptResults = 3

// Judge adds one try, scored against each keyboard that is meant, to those
// before it. It is pure: what it returns is kept by the caller.
func (p Policy) Judge(t Tries, point Point, scored map[string]Result) (Tries, Outcome) {
	next := Tries{Failed: t.Failed, Spared: t.Spared, Refused: t.Refused, Results: map[string][]Result{}}
	best := NoMatch
	for id, r := range scored {
		all := append(append([]Result(nil), t.Results[id]...), r)
		all = all[max(0, len(all)-keptResults):]
		next.Results[id] = all
		best = max(best, point.Decide(all...))
	}
	if len(scored) == 0 {
		best = NoMatch
	}
	switch {
	case best == Match:
		return Tries{}, Matched
	case best == Unsure && !t.Spared:
		next.Spared = true
		return next, OneMore
	}
	return p.fail(next)
}

// Refuse adds typing that was not scored.
func (p Policy) Refuse(t Tries, r *Refusal) (Tries, Outcome) {
	t.Refused++
	if r.Counts || t.Refused > refusalsLeft {
		return p.fail(t)
	}
	return t, OneMore
}

func (p Policy) fail(t Tries) (Tries, Outcome) {
	t.Failed++
	switch {
	case t.Failed < p.attempts():
		return t, TryAgain
	case p.Trial:
		return Tries{}, WouldSpend
	}
	return t, Spent
}

// Mode is what an application says of Biopass.
type Mode string

// The modes.
const (
	// Off has none: whoever would type waits for an approval.
	Off Mode = "off"
	// Optional offers enrolment at the first allowed sign-in.
	Optional Mode = "optional"
	// Required asks for it there.
	Required Mode = "required"
	// Always asks for it there, and for typing at each sign-in after.
	Always Mode = "always"
)

// Why says what brought a person to the page.
type Why string

// The reasons.
const (
	// WhyPolicy is a verdict: something is new, and the policy says biopass.
	WhyPolicy Why = "policy"
	// WhyAlways is a sign-in where each of them is typed.
	WhyAlways Why = "always"
	// WhyEnrol is a first allowed sign-in.
	WhyEnrol Why = "enrol"
	// WhyLink is an admin's link for another keyboard.
	WhyLink Why = "link"
)

// SignIn is what is known when somebody has proved a sign-in that the gate
// lets in.
type SignIn struct {
	Mode Mode
	// SkipUntil is until when enrolment may be put off; zero for never, where
	// it is required.
	SkipUntil time.Time
	Kind      access.Kind
	// Page says that a person looks at the answer; a script would take the
	// page for a failure.
	Page bool
	// Ready says that the person has prints or a passkey here, Declined that they said no.
	Ready, Declined bool
	// Keys says that a passkey may take the place of typing here.
	Keys bool
}

// Ask says whether Biopass stands between an allowed sign-in and the
// application, and why; "" where it does not. Other says that the person
// cannot or will not type: then an approval takes its place.
func (s SignIn) Ask() (why Why, other bool) {
	if s.Kind == access.Phone || s.Kind == access.Tablet {
		if s.Mode == Always {
			return WhyAlways, !s.Ready // a tablet may have a keyboard: the page asks
		}
		if s.Keys && s.Mode != Off && s.Page && !s.Ready && !s.Declined {
			return WhyEnrol, false // a passkey is offered, and can be refused
		}
		return "", false
	}
	switch s.Mode {
	case Always:
		switch {
		case s.Ready:
			return WhyAlways, false
		case s.Declined:
			return WhyAlways, true
		}
		return WhyEnrol, false
	case Required:
		if !s.Ready && !s.Declined {
			return WhyEnrol, false
		}
	case Optional:
		if !s.Ready && !s.Declined && s.Page {
			return WhyEnrol, false
		}
	case Off:
	}
	return "", false
}

// MaySkip reports whether enrolment can be put off to another sign-in.
func (s SignIn) MaySkip(now time.Time) bool { return s.Mode == Optional || now.Before(s.SkipUntil) }
