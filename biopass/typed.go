package biopass

import (
	"context"
	"errors"
)

// Line draws the next line of an errand.
func (s *Service) Line(ctx context.Context, e Errand) (Challenge, error) {
	c := Challenge{User: e.Person.User, Purpose: Verifying, Step: e.Tries.Failed + 1}
	if e.Why == WhyEnrol || e.Why == WhyLink {
		p, err := s.book.get(ctx, e.Application, e.Person.User)
		if err != nil {
			return c, err
		}
		if !p.consented() {
			return c, RefusedLate // no print before the consent
		}
		d, err := s.book.readDraft(ctx, e.Application, e.Device.ID, e.Person.User)
		if err != nil {
			return c, err
		}
		if d.Name == "" {
			return c, RefusedLate // it rested too long: the page begins anew
		}
		c.Purpose, c.Step = Enrolling, d.prints()+1
	} else if able, err := s.canType(ctx, e.Application, e.Person.User, e.Device); err != nil || !able || e.Why == WhyKey {
		return c, errors.Join(err, RefusedLate)
	}
	return s.lines.draw(ctx, e.Application, e.Device.ID, c, e.Language, s.conf.Words)
}

func (d draft) prints() int {
	var p Profile
	if p.UnmarshalBinary(d.Profile) != nil {
		return 0
	}
	return p.Len()
}

// Start begins the time of a line: its first key was pressed.
func (s *Service) Start(ctx context.Context, e Errand, challenge string) error {
	return s.lines.begin(ctx, e.Application, e.Device.ID, challenge)
}

// Next is what follows a line that was typed.
type Next struct {
	// Outcome is one of verifying; "" in enrolment.
	Outcome Outcome
	// Done is how many lines of an enrolment are kept.
	Done int
	// Stage is the errand's.
	Stage Stage
	// Refused says why a line was not scored, nil where it was.
	Refused *Refusal
}

// Typed takes a line that was typed. The capture is forgotten with the
// return: what stays is a print, where the person enrols or the match was
// strong.
func (s *Service) Typed(ctx context.Context, e Errand, c Capture) (Next, error) {
	if e.Done() || e.Stage == Stopped || e.Stage == Locked {
		return Next{Stage: e.Stage}, nil
	}
	line, err := s.lines.take(ctx, e.Application, e.Device.ID, c.Challenge)
	if err == nil && (line.User != e.Person.User || line.Purpose != e.purpose()) {
		err = RefusedLate
	}
	var typed Typing
	var print *Print
	if err == nil {
		typed, err = c.Check(line.Words, line.age)
	}
	if err == nil {
		print, err = s.conf.Model.Print(typed.Events)
		err = refusalOf(err)
	}
	var person person
	if err == nil {
		if person, err = s.book.get(ctx, e.Application, e.Person.User); err == nil {
			err = s.fresh(person, print)
		}
	}
	var refused *Refusal
	if errors.As(err, &refused) {
		return s.refuse(ctx, e, refused)
	}
	if err != nil {
		return Next{}, err
	}
	if e.purpose() == Enrolling {
		return s.enrol(ctx, e, line, print)
	}
	return s.verify(ctx, e, person, print)
}

func (e Errand) purpose() Purpose {
	if e.Why == WhyEnrol || e.Why == WhyLink || e.Why == WhyKey {
		return Enrolling
	}
	return Verifying
}

// fresh refuses a near-copy of any print that is kept of the person (threat
// L27).
func (s *Service) fresh(p person, print *Print) error {
	for _, k := range p.Keyboards {
		r, err := s.score(k.Profile, print)
		if err != nil {
			return err
		}
		if r.NearCopy {
			return RefusedCopy
		}
	}
	return nil
}

// score holds a print against a stored profile. Prints of another model match
// nothing: their owner enrols again.
func (s *Service) score(stored []byte, print *Print) (Result, error) {
	var prints Profile
	if err := prints.UnmarshalBinary(stored); err != nil {
		return Result{Score: MinScore}, err
	}
	r, err := s.conf.Model.Score(&prints, print)
	if errors.Is(err, ErrOtherKind) || errors.Is(err, ErrEmpty) {
		return Result{Score: MinScore}, nil
	}
	return r, err
}

// refuse notes typing that was not scored.
func (s *Service) refuse(ctx context.Context, e Errand, r *Refusal) (Next, error) {
	if e.purpose() == Enrolling {
		return Next{Refused: r, Stage: e.Stage}, nil // nobody gains by trying
	}
	var outcome Outcome
	e, err := s.try(ctx, e, func(t Tries) (Tries, Outcome) {
		t, outcome = s.conf.Policy.Refuse(t, r)
		return t, outcome
	})
	if err != nil {
		return Next{}, err
	}
	step, err := s.follow(ctx, e, outcome, r.Key)
	step.Refused = r
	return step, err
}
