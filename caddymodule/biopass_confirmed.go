package caddymodule

import (
	"context"
	"errors"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/biopass"
	"github.com/cadenas-gateway/cadenas/identity"
)

// confirm asks, where `biopass always` stands and no sign-in was watched,
// whether the person confirmed on this device not long ago. It comes after
// the gate's own verdict and only ever takes away from it; what goes wrong is
// an error, never an allowance.
func (q *request) confirm(ctx context.Context, p access.Person, v *access.Verdict) (*access.Verdict, error) {
	every := q.handler.every()
	if every == 0 || v.Answer != access.LetIn || v.Step == access.StepPadlock || v.Step == access.StepExempt || q.mode != identity.Closed || q.session.Login.ID != "" {
		return v, nil
	}
	device := q.print.Device
	who := p.User + "\x00" + device.ID
	if factor, ok := q.confirmations.recall(who, q.now); ok {
		q.factor = factor
		return v, nil
	}
	known, ok, err := q.confirmedLately(ctx, p, device.ID, every)
	if err != nil {
		return nil, err
	}
	if ok {
		q.factor = known.Factor
		// Read again soon: what is erased elsewhere must not hold on here.
		q.confirmations.keep(who, known.Factor, earlier(known.Until, q.now.Add(recalledFor)))
		return v, nil
	}
	why, other, err := q.run.biopass.SignedIn(ctx, q.name, p.User, device, q.page)
	if err != nil {
		return nil, err
	}
	if why == biopass.WhyEnrol {
		due, err := q.run.biopass.Offer(ctx, q.name, p.User, device)
		if err != nil {
			return nil, err
		}
		if !due { // put off, which is allowed until a day
			return v, nil
		}
	}
	if why == "" {
		return v, nil // an offer that no script is shown
	}
	q.why = why
	asked := *v
	asked.Answer, asked.Step = access.Biopass, access.StepBiopass
	if other || device.ID == "" {
		asked.Answer = access.Approval
	}
	return &asked, nil
}

// confirmedLately reads the confirmation of a person on a device. An admin who
// let them in on it counts as one, from then on.
func (q *request) confirmedLately(ctx context.Context, p access.Person, device string, every time.Duration) (biopass.Confirmation, bool, error) {
	known, ok, err := q.run.biopass.Confirmed(ctx, q.name, p.User, device)
	if err != nil || ok {
		return known, ok, err
	}
	ask, err := q.run.approvals.ForHolder(ctx, q.name, device, "")
	if errors.Is(err, approvals.ErrNotFound) {
		return known, false, nil
	}
	if err != nil || ask.State != approvals.Approved || ask.Person.User != p.User || ask.Decision.By == "biopass" || !q.now.Before(ask.Decision.At.Add(every)) {
		return known, false, err
	}
	if err := q.run.biopass.Forgive(ctx, q.name, p.User); err != nil {
		return known, false, err
	}
	known, err = q.run.biopass.Confirm(ctx, q.name, p.User, device, "approval", ask.Decision.At)
	return known, err == nil && known.User != "", err
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
