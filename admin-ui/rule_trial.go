package adminui

import (
	"slices"
	"strconv"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
)

const (
	// trialDays is how far back a rule is tried.
	trialDays = 30
	// trialNames is how many people a trial names, trialSpared how many
	// connections that the rule is about and does not decide.
	trialNames, trialSpared = 20, 12
)

// ruleTrial is what a rule would do to the connections of the last days.
type ruleTrial struct {
	// Stands says that the rule is in force already: what it decides is told,
	// not what it would change.
	Stands bool
	// Connections is how many it would decide, Changed how many of these are
	// answered otherwise now.
	Connections, Changed int
	// Touched are the people of Connections, by name.
	Touched     []string
	TouchedMore int
	// Spared are connections it is about, which something else decides.
	Spared      []sparedLine
	SparedCount int
	// Part says that more connections fit than were looked at.
	Part bool
}

// sparedLine is one connection that a rule names and does not decide.
type sparedLine struct {
	five
	// Why says what decides instead; Rule is that rule as a sentence, empty
	// where it is none.
	Why, Rule string
	Explain   string
}

// tryRule says what a rule does, or would do, to the connections of the last
// 30 days: whom it touches, and whom it does not although it is about them. A
// rule that names less loses to one that names more, and whoever refuses
// somebody must learn that before, not from who still comes in.
func (v *visit) tryRule(r access.Rule) (ruleTrial, error) {
	var t ruleTrial
	trial, names, devices := v.Gate.Try(r), v.people(), v.deviceNames()
	apps := v.applications()
	if r.Application != "" {
		apps = []string{r.Application}
	}
	touched := map[string]bool{}
	for _, app := range apps {
		looked := 0
		var failed error
		err := v.eachConnection(gridQuery{Application: app, Person: r.User, Window: strconv.Itoa(trialDays)}, func(c books.Connection) bool {
			if looked++; looked > gridScan {
				t.Part = true
				return false
			}
			if about, err := trial.About(v.ctx(), c); err != nil || !about {
				failed = err
				return err == nil
			}
			if t.Connections+t.SparedCount >= gridLook {
				t.Part = true
				return false
			}
			without, with, answers, err := trial.Of(v.ctx(), c)
			if err != nil {
				failed = err
				return false
			}
			if answers {
				t.Connections++
				if without.Answer != with.Answer {
					t.Changed++
				}
				touched[c.User] = true
				return true
			}
			if t.SparedCount++; len(t.Spared) < trialSpared {
				line, err := v.spared(c, with, names, devices)
				if err != nil {
					failed = err
					return false
				}
				t.Spared = append(t.Spared, line)
			}
			return true
		})
		if err == nil {
			err = failed
		}
		if err != nil {
			return t, err
		}
	}
	for user := range touched {
		if len(t.Touched) == trialNames {
			t.TouchedMore = len(touched) - trialNames
			break
		}
		u, err := names.user(user)
		if err != nil {
			return t, err
		}
		t.Touched = append(t.Touched, v.called(u))
	}
	slices.Sort(t.Touched)
	return t, nil
}

func (v *visit) spared(c books.Connection, with access.Verdict, names *people, devices *deviceNames) (sparedLine, error) {
	u, err := names.user(c.User)
	if err != nil {
		return sparedLine{}, err
	}
	line := sparedLine{Explain: "/explain/" + pathPart(c.Application) + "/" + pathPart(c.ID)}
	if line.five, err = v.five(c, u, devices); err != nil {
		return line, err
	}
	if with.Step != access.StepRule {
		line.Why = v.reason(with)
		return line, nil
	}
	line.Why = v.say.Text("rule.spared.by." + string(with.Rule.Effect))
	line.Rule, err = v.sentence(with.Rule, names, devices)
	return line, err
}
