package approvals

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// settleAfter is how long changes are gathered before requests are looked at
// anew: an undo comes in many writes.
const settleAfter = 150 * time.Millisecond

// Settle approves the requests of an application that wait although the gate
// lets them in by now: an admin made a rule, gave full access, moved the
// connection in the columns or opened the padlock. Their pages open as after
// any approval; the release of a held answer asks the gate once more. What
// waits for a Biopass or has nothing new is left: a rule does not answer for
// it. It returns how many it approved.
func (s *Service) Settle(ctx context.Context, application string) (int, error) {
	if s.conf.Judge == nil {
		return 0, nil
	}
	waiting, err := s.Waiting(ctx, application)
	if err != nil {
		return 0, err
	}
	count := 0
	for _, ask := range waiting {
		if ask.State != Waiting || ask.Asked != access.Approval || len(ask.New) == 0 {
			continue
		}
		verdict, err := s.conf.Judge(ctx, ask.Visit())
		if err != nil {
			return count, fmt.Errorf("judging who waits anew: %w", err)
		}
		if verdict.Answer != access.LetIn {
			continue
		}
		_, err = s.edit(ctx, application, ask.ID, func(now *AccessRequest, at time.Time) (change, error) {
			if now.Version != ask.Version {
				return change{Keep: true}, nil // another thing now: judged at the next change
			}
			if err := stillWaiting(*now, at); err != nil {
				return change{}, err
			}
			now.State = Approved
			now.Decision = settled(verdict, at)
			count++
			return s.closing(ctx, now, at, Choice{By: books.Admin{Email: now.Decision.By}, detail: map[string]string{"because": string(verdict.Step)}})
		})
		var decided *DecidedError
		if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrExpired) && !errors.Is(err, ErrCancelled) && !errors.As(err, &decided) {
			return count, err
		}
	}
	return count, nil
}

// settled is the decision that a verdict makes by itself.
func settled(v access.Verdict, at time.Time) Decision {
	d := Decision{By: "system", At: at, Via: "gate", Width: WidthConnection}
	switch v.Step {
	case access.StepRule:
		d.By, d.RuleID, d.Until = v.Rule.Author, v.Rule.ID, v.Rule.Until
	case access.StepFull:
		d.Width = WidthFull
	case access.StepLocked, access.StepPadlock, access.StepExempt, access.StepKnown, access.StepPolicy, access.StepBiopass:
	}
	return d
}

// EndOf ends the requests of a user that wait in an application, because the
// user is removed. By and from are who does it, for the audit.
func (s *Service) EndOf(ctx context.Context, application, user, by, from, via string) (int, error) {
	waiting, err := s.Waiting(ctx, application)
	if err != nil {
		return 0, err
	}
	count := 0
	for _, ask := range waiting {
		if ask.Person.User != user {
			continue
		}
		_, err := s.edit(ctx, application, ask.ID, func(ask *AccessRequest, now time.Time) (change, error) {
			if ask.State != Waiting {
				return change{Keep: true}, nil
			}
			ask.State = Expired
			count++
			writes, _, err := s.dropNotices(ctx, application, ask.ID)
			return change{Writes: append(writes, s.audit(*ask, now, books.Entry{Who: by, From: from, Via: via, What: "ask.end"}))}, err
		})
		if err != nil && !errors.Is(err, ErrNotFound) {
			return count, err
		}
	}
	return count, nil
}

// runSettling looks at the requests of an application anew whenever something
// is written that may let one of them in, until ctx ends.
func (s *Service) runSettling(ctx context.Context, app string) {
	s.settleOn(ctx, app, books.Watch(ctx, s.st, app, ""))
}

func (s *Service) settleOn(ctx context.Context, app string, changes <-chan store.Event) {
	var due <-chan time.Time
	for {
		select {
		case ev, ok := <-changes:
			if !ok {
				return
			}
			if due == nil && mayLetIn(ev) {
				due = time.After(settleAfter)
			}
		case <-due:
			due = nil
			if _, err := s.Settle(ctx, app); err != nil && ctx.Err() == nil {
				s.conf.Log.Error("who waits could not be judged anew", "application", app, "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// mayLetIn reports whether a write may let somebody in who waits.
func mayLetIn(ev store.Event) bool {
	if ev.Err != nil {
		return true
	}
	_, rest, _ := strings.Cut(ev.Key, "/")
	kind, _, _ := strings.Cut(rest, "/")
	switch kind {
	case "rule", "padlock", "user", "network":
		return true
	}
	return false
}
