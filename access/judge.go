package access

import "time"

// Judge gives verdicts on many visits of one user in one application: what the
// rules authorise is found once for all of them. It belongs to one goroutine.
type Judge struct {
	s           *Standing
	user        string
	groups      []string
	application string
	now         time.Time
	// read says that seen and rules were found: the indices of the connections
	// that a rule authorises, and of the rules about the user that make a part
	// known.
	read        bool
	seen, rules []int
	shared      []shares // used again for each visit
}

// NewJudge returns a judge of the visits of a user and groups in an
// application, who goes by s, which must not change.
func NewJudge(user string, groups []string, application string, s *Standing, now time.Time) *Judge {
	return &Judge{s: s, user: user, groups: groups, application: application, now: now}
}

func judge(v Visit, s *Standing, now time.Time) Judge {
	return Judge{s: s, user: v.User, groups: v.Groups, application: v.Application, now: now}
}

// Decide gives the verdict on a visit of the judge's user, groups and
// application, as the function of that name does.
func (j *Judge) Decide(v Visit) Verdict {
	v.Place = v.Place.For(v.User)
	// What is new is told of a locked person all the same: their page must look
	// like that of any other who waits (threat L17).
	news := j.newness(&v)
	if j.s.Locked {
		return Verdict{Answer: Deny, Step: StepLocked, New: news}
	}
	closed, ok := j.settled(&v)
	if !ok {
		closed = j.byPolicy(news)
	}
	closed.New = news
	if !j.s.Closed {
		return Verdict{Answer: LetIn, Step: StepPadlock, New: news, Shadow: &closed}
	}
	return closed
}

// Answer is the answer of Decide and the step that gave it, and no more: what is
// new is looked for only where nothing answers before.
func (j *Judge) Answer(v Visit) (Answer, Step) {
	v.Place = v.Place.For(v.User)
	switch {
	case j.s.Locked:
		return Deny, StepLocked
	case !j.s.Closed:
		return LetIn, StepPadlock
	}
	verdict, ok := j.settled(&v)
	if !ok {
		verdict = j.byPolicy(j.newness(&v))
	}
	return verdict.Answer, verdict.Step
}

// settled is what goes before the policy for what is new.
func (j *Judge) settled(v *Visit) (Verdict, bool) {
	switch {
	case j.s.Exempt:
		return Verdict{Answer: LetIn, Step: StepExempt}, true
	case j.s.FullAccess:
		return Verdict{Answer: LetIn, Step: StepFull}, true
	}
	rule := mostSpecific(v, j.s.Rules, j.now)
	if rule == nil {
		return Verdict{}, false
	}
	answer := Deny
	if rule.Effect == Allow {
		answer = LetIn
	}
	return Verdict{Answer: answer, Step: StepRule, Rule: *rule}, true
}

func (j *Judge) byPolicy(news []Part) Verdict {
	if len(news) == 0 {
		return Verdict{Answer: LetIn, Step: StepKnown}
	}
	answer := LetIn
	for _, part := range news {
		answer = Stricter(answer, j.s.Policy.For(part))
	}
	return Verdict{Answer: answer, Step: StepPolicy}
}

// find finds what the rules authorise, once.
func (j *Judge) find() {
	if j.read {
		return
	}
	j.read = true
	for i := range j.s.Seen {
		if j.s.Seen[i].User != j.user || j.s.Seen[i].Application != j.application {
			continue
		}
		seen := j.s.Seen[i]
		seen.Groups, seen.Place = j.groups, seen.Place.For(j.user)
		if rule := mostSpecific(&seen, j.s.Rules, j.now); rule != nil && rule.Effect == Allow {
			j.seen = append(j.seen, i)
		}
	}
	of := Visit{User: j.user, Groups: j.groups, Application: j.application}
	for i := range j.s.Rules {
		r := &j.s.Rules[i]
		if r.Effect != Allow || r.newer != "" || r.User == "" || r.User != j.user || r.Ended(j.now) {
			continue
		}
		pattern := r.pattern(of)
		if best := mostSpecific(&pattern, j.s.Rules, j.now); r.matches(&pattern) && best != nil && best.Effect == Allow {
			j.rules = append(j.rules, i)
		}
	}
}

// newness is Newness of a visit whose place is as its user has it.
func (j *Judge) newness(v *Visit) []Part {
	j.find()
	policy := &j.s.Policy
	place, placed := policy.SamePlace.Key(v.Place)
	browser := policy.SameBrowser.Key(v.Browser)
	shared := j.shared[:0]
	for _, i := range j.seen {
		seen := &j.s.Seen[i]
		same := shares{
			device:  v.Device.ID != "" && seen.Device.ID == v.Device.ID,
			browser: browser.Family != "" && policy.SameBrowser.Key(seen.Browser) == browser,
		}
		if placed {
			seenPlace, ok := policy.SamePlace.Key(seen.Place.For(j.user))
			same.place = ok && seenPlace == place
		}
		shared = append(shared, same)
	}
	for _, i := range j.rules {
		r := &j.s.Rules[i]
		shared = append(shared, shares{
			device:  r.Device != "" && r.Device == v.Device.ID,
			place:   !r.Place.Any() && placed && r.Place.Matches(v.Place),
			browser: r.Browser.Family != "" && r.Browser.Matches(v.Browser),
		})
	}
	j.shared = shared
	return newParts(shared)
}
