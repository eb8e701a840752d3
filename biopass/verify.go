package biopass

import (
	"context"
	"fmt"
)

// verify scores a line against the keyboards that are meant.
func (s *Service) verify(ctx context.Context, e Errand, p person, print *Print) (Next, error) {
	scored := map[string]Result{}
	against := p.meant(e.Device.ID)
	if e.Tries.Failed > 0 {
		against = p.Keyboards // perhaps another one was plugged in
	}
	for _, k := range against {
		r, err := s.score(k.Profile, print)
		if err != nil {
			return Next{}, err
		}
		scored[k.ID] = r
	}
	point := s.conf.Model.Point(s.conf.Policy.level(e.Device.Kind))
	var outcome Outcome
	e, err := s.try(ctx, e, func(t Tries) (Tries, Outcome) {
		t, outcome = s.conf.Policy.Judge(t, point, scored)
		return t, outcome
	})
	if err != nil {
		return Next{}, err
	}
	if outcome == Matched {
		if err := s.grow(ctx, e, scored, print); err != nil {
			s.conf.Log.Warn("a match could not be noted with the prints", "error", err)
		}
	}
	return s.follow(ctx, e, outcome, "")
}

// try carries the tries of an errand on, and the failures that its user has on
// all devices together.
func (s *Service) try(ctx context.Context, e Errand, judge func(Tries) (Tries, Outcome)) (Errand, error) {
	before, err := s.failed(ctx, e.Application, e.Person.User)
	if err != nil {
		return e, err
	}
	var outcome Outcome
	e, err = s.change(ctx, e.Application, e.Device.ID, func(now *Errand) (bool, error) {
		if now.Person.User != e.Person.User || now.Login != e.Login {
			return false, errGone
		}
		t := now.Tries
		t.Failed = before
		now.Tries, outcome = judge(t)
		return true, nil
	})
	if err != nil {
		return e, err
	}
	switch outcome {
	case TryAgain, Spent:
		_, err = s.countFailed(ctx, e.Application, e.Person.User, func(n int) int { return n + 1 })
	case Matched, WouldSpend:
		_, err = s.countFailed(ctx, e.Application, e.Person.User, func(int) int { return 0 })
	case OneMore:
	}
	return e, err
}

// grow lets the best keyboard's profile follow its owner.
func (s *Service) grow(ctx context.Context, e Errand, scored map[string]Result, print *Print) error {
	best := ""
	for id, r := range scored {
		if best == "" || r.Score > scored[best].Score {
			best = id
		}
	}
	_, err := s.book.update(ctx, e.Application, e.Person.User, func(p *person) (bool, error) {
		for i := range p.Keyboards {
			k := &p.Keyboards[i]
			if k.ID != best {
				continue
			}
			var prints Profile
			if err := prints.UnmarshalBinary(k.Profile); err != nil {
				return false, err
			}
			if prints.Grow(s.conf.Model, print) {
				stored, err := prints.MarshalBinary()
				if err != nil {
					return false, err
				}
				k.Profile = stored
			}
			k.usedOn(e.Device.ID, s.conf.Clock())
			return true, nil
		}
		return false, nil
	})
	return err
}

// follow does what an outcome asks for, and writes it down.
func (s *Service) follow(ctx context.Context, e Errand, o Outcome, why string) (Next, error) {
	next := Next{Outcome: o, Stage: e.Stage}
	if o != OneMore {
		if s.conf.Count != nil {
			s.conf.Count(e.Application, o)
		}
		if err := s.book.count(ctx, e.Application, e.Person.User, o, s.conf.Policy.Trial); err != nil {
			s.conf.Log.Warn("what came of typing could not be counted", "error", err) // and stops nobody
		}
	}
	detail := map[string]string{"why": string(e.Why), "failed": fmt.Sprint(e.Tries.Failed)}
	if why != "" {
		detail["refused"] = why
	}
	var err error
	switch o {
	case Matched:
		if err := s.conf.Grant(ctx, e); err != nil {
			return next, err
		}
		s.audit(ctx, e, "biopass.match", detail)
		if e, err = s.move(ctx, e, Passed); err == nil {
			err = s.confirm(ctx, e, "biopass")
		}
	case TryAgain:
		s.audit(ctx, e, "biopass.no-match", detail)
	case Spent:
		to := Stopped
		if s.conf.Policy.Lock {
			if err := s.conf.LockOut(ctx, e); err != nil {
				return next, err
			}
			// The lock stands for it from here: once it is taken away, one
			// begins with all tries.
			if err := s.Forgive(ctx, e.Application, e.Person.User); err != nil {
				return next, err
			}
			to = Locked
		}
		s.audit(ctx, e, "biopass.spent", detail)
		e, err = s.move(ctx, e, to)
	case WouldSpend:
		detail["would"] = "approval"
		if s.conf.Policy.Lock {
			detail["would"] = "lock"
		}
		s.audit(ctx, e, "biopass.trial", detail)
	case OneMore:
	}
	next.Stage = e.Stage
	return next, err
}
