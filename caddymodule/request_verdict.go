package caddymodule

import (
	"context"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/identity"
)

// check asks the gate. A copied device cookie waits for an approval, whatever
// the policy says about new devices.
func (q *request) check(ctx context.Context, p access.Person) (access.Verdict, error) {
	v, _, err := q.judge(ctx, p)
	return v, err
}

// judge is check that also returns what the verdict rests on.
func (q *request) judge(ctx context.Context, p access.Person) (access.Verdict, gate.Given, error) {
	v, given, err := q.run.state.gate.CheckFor(ctx, q.visit(p), q.circumstance(&p))
	if err == nil && q.print.Clone() && v.Answer == access.LetIn {
		switch v.Step {
		case access.StepRule, access.StepKnown, access.StepPolicy:
			v.Answer, v.Step, v.New = access.Approval, access.StepPolicy, []access.Part{access.PartDevice}
		case access.StepLocked, access.StepPadlock, access.StepExempt, access.StepFull, access.StepBiopass:
		}
	}
	return v, given, err
}

func (q *request) visit(p access.Person) access.Visit {
	device := q.print.Device
	return access.Visit{
		User: p.User, Groups: p.Groups, Application: q.name, Device: device, Browser: q.print.Browser, Place: *q.place,
	}
}

func (q *request) circumstance(p *access.Person) gate.Circumstance {
	return gate.Circumstance{Exempt: q.exempt || q.exempts(p.User, p.Groups), Adopted: q.session.Login.Adopted}
}

// Still reports whether the request may go on, after something was written
// that may concern it. Nobody's may as long as the padlock is open, or where
// it was let through closed: at public paths.
func (q *request) Still(ctx context.Context) bool {
	if q.person.Nobody() {
		closed, err := q.run.state.gate.Closed(ctx, q.name)
		return err == nil && (!closed || q.mode != identity.Open)
	}
	again, err := q.run.state.gate.Explain(ctx, q.visit(*q.person), q.circumstance(q.person))
	if err != nil || again.Answer != access.LetIn {
		return false
	}
	return q.watcher == nil || q.session.Login.ID == "" || q.watcher.Bound(ctx, q.session.Login.ID)
}

// note counts a verdict and leaves its reason in the access log.
func (q *request) note(p *access.Person, v *access.Verdict) {
	q.count(v)
	if v.Step != access.StepKnown && q.hasAccessLog() {
		if extra, ok := q.r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields); ok {
			extra.Add(verdictField(*v))
			extra.Add(userField(p.User))
		}
	}
	if q.tell {
		q.w.add().reason = string(v.Answer) + ": " + v.Reason()
	}
}

// hasAccessLog reports whether the server writes one; where it is not told,
// it may.
func (q *request) hasAccessLog() bool { return q.server == nil || q.server.Logs != nil }
