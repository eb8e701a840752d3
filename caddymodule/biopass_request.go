package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/biopass"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/identity"
	"github.com/cadenas-gateway/cadenas/pages"
)

// second asks whether an allowed sign-in is to be followed by typing: a second
// step, or enrolment. With the padlock open nobody is stopped, nor is who is
// exempt.
func (q *request) second(ctx context.Context, p access.Person, l books.Login, v access.Verdict) (access.Verdict, error) {
	if v.Answer != access.LetIn || v.Step == access.StepPadlock || v.Step == access.StepExempt || l.State == books.LoginBound ||
		q.handler.mode() == biopass.Off {
		return v, nil
	}
	service := q.run.biopass
	device := q.print.Device
	cleared, typed, err := service.Cleared(ctx, q.name, device.ID, p.User, l.ID)
	if err != nil {
		return access.Verdict{Answer: access.Deny}, err
	}
	if cleared {
		v.Factor = "login"
		if typed {
			v.Factor, err = service.Factor(ctx, q.name, device.ID)
		}
		return v, err
	}
	ask, err := q.run.approvals.ForHolder(ctx, q.name, device.ID, l.ID)
	switch {
	case err != nil && !errors.Is(err, approvals.ErrNotFound):
		return access.Verdict{Answer: access.Deny}, err
	case err == nil && ask.State == approvals.Approved && ask.Person.User == p.User && ask.HeldBy(l.ID):
		v.Factor = "approval" // an admin looked at this very sign-in
		return v, service.Forgive(ctx, q.name, p.User)
	}
	why, other, err := service.SignedIn(ctx, q.name, p.User, device, q.page)
	switch {
	case err != nil:
		return access.Verdict{Answer: access.Deny}, err
	case why == "":
		return v, nil
	}
	q.why = why
	v.Answer, v.Step = access.Biopass, access.StepBiopass
	if other || device.ID == "" {
		v.Answer = access.Approval
	}
	return v, nil
}

// typing answers somebody who is to type; false where they cannot, and wait
// for an approval instead.
func (q *request) typing(p access.Person, v access.Verdict, login string) (answered bool, err error) {
	ctx, device := q.r.Context(), q.print.Device
	why := q.why
	if why == "" {
		why = biopass.WhyPolicy
	}
	back := "/"
	if q.r.Method == http.MethodGet {
		back = q.r.URL.RequestURI()
	}
	c := pages.Language(q.r, q.run.app.Languages)
	e := biopass.Errand{
		Application: q.name, Person: p, Device: device, Browser: q.print.Browser, Place: *q.place, New: v.New, Why: why, Login: login,
		Origin: origin(q.r), Back: back, Language: c.Tag(),
	}
	if why == biopass.WhyPolicy {
		able, err := q.run.biopass.Able(ctx, q.name, p.User, device)
		if err != nil || !able {
			return false, err
		}
		if _, err := q.biopassRule(e, q.now); err != nil {
			return false, nil // no rule could name this connection: a match would open nothing
		}
	}
	was, ok, err := q.run.biopass.Errand(ctx, q.name, device.ID)
	if err != nil {
		return false, err
	}
	if ok && was.Stage == biopass.Asked && was.Person.User == p.User && was.Login == login && was.Why == why {
		return false, nil // they asked an admin instead, and wait
	}
	q.closing()
	if !q.page {
		return true, q.problemAt(biopass.BasePath, approvals.Problem{
			Title: "Biopass", Detail: c.Text("biopass.problem"), // applications show it to people
		})
	}
	if e, err = q.run.biopass.Begin(ctx, e); err != nil {
		return false, err
	}
	return true, q.leadTo(biopass.BasePath, e)
}

// typedMeanwhile leads somebody back to the page that fetches their held
// answer, where Biopass cleared the sign-in and they left that page before it
// went on: no access request knows of it.
func (q *request) typedMeanwhile(p access.Person, login string) (answered bool, err error) {
	e, ok, err := q.run.biopass.Errand(q.r.Context(), q.name, q.print.Device.ID)
	if err != nil {
		return true, q.unavailable(err)
	}
	if !ok || !e.Done() || e.Login != login || e.Person.User != p.User {
		return false, nil
	}
	return true, q.leadTo(biopass.BasePath, e)
}

// leadTo shows the page of an errand: in place, or by the small page that
// leads to the gate's own host, since scripts of the application can read what
// is typed on its origin (threat L12).
func (q *request) leadTo(path string, e biopass.Errand) error {
	if q.elsewhere() {
		return approvals.WriteLead(q.w, q.r, pages.Language(q.r, q.run.app.Languages), http.StatusForbidden, approvals.LeadPage{
			Application: q.name, Languages: q.run.app.Languages, Biopass: true,
			To: q.run.ticketURLTo(q.gate, path, ticket{
				Application: q.name, Device: e.Device.ID, Login: e.Login, Origin: e.Origin, Back: e.Back, Until: q.now.Add(ticketLife),
			}),
		})
	}
	r := q.r.Clone(q.r.Context())
	r.Method, r.URL.Path = http.MethodGet, path
	if q.r.Method != http.MethodGet {
		r.URL.RawQuery = ""
	}
	q.serveTyping(q.w, r, e.Device.ID)
	return nil
}

// elsewhere reports whether pages stand on the gate's own host.
func (q *request) elsewhere() bool { return q.gate != "" && !strings.EqualFold(q.gate, origin(q.r)) }

// ownTyping serves what is below BasePath on the application's host.
func (q *request) ownTyping() error {
	switch q.r.URL.Path {
	case biopass.LinkPath:
		return q.ownLink()
	case biopass.PrintsPath, biopass.PrintsPath + "/erase", biopass.PrintsPath + "/name", biopass.PrintsPath + "/export":
		return q.ownPrints()
	case biopass.PrintsPath + "/passkey", biopass.PrintsPath + "/passkey/remove":
		return q.ownKeys()
	}
	if q.elsewhere() {
		return q.nothingHere()
	}
	q.serveTyping(q.w, q.r, q.print.Device.ID)
	return nil
}

// inside is who stands behind a request to our own pages and may use the
// application: nobody else is shown what is kept of them.
func (q *request) inside() (access.Person, bool, error) {
	if q.session.State != books.LoginBound && q.watcher != nil {
		return access.Person{}, false, nil
	}
	p, err := identity.First(q.r, q.session.Person, q.sources...)
	if err != nil || p.Nobody() || q.print.Device.ID == "" {
		return p, false, err
	}
	q.inFull()
	q.placeFor(p.User)
	v, err := q.check(q.r.Context(), p)
	if err != nil {
		return p, false, err
	}
	confirmed, err := q.confirm(q.r.Context(), p, &v)
	return p, err == nil && confirmed.Answer == access.LetIn, err
}

// ownLink is what an admin's link for another keyboard opens. Looking changes
// nothing (threat L10); the button begins the enrolment.
func (q *request) ownLink() error {
	p, in, err := q.inside()
	if err != nil {
		return q.unavailable(err)
	}
	service := q.run.biopass
	c := pages.Language(q.r, q.run.app.Languages)
	page := biopass.LinkPage{Application: q.name, Languages: q.run.app.Languages, SignIn: "/", Token: q.r.URL.Query().Get("k")}
	if !in {
		return biopass.WriteLink(q.w, q.r, c, page)
	}
	page.State = biopass.LinkGood
	if q.r.Method == http.MethodPost {
		if err := http.NewCrossOriginProtection().Check(q.r); err != nil {
			return q.refused(errors.New("this form was sent from somewhere else"))
		}
		q.r.Body = http.MaxBytesReader(q.w, q.r.Body, 4096)
		e := biopass.Errand{
			Application: q.name, Person: p, Device: q.print.Device, Browser: q.print.Browser, Place: *q.place,
			Origin: origin(q.r), Back: "/", Language: c.Tag(),
		}
		e, err = service.UseLink(q.r.Context(), e, q.r.PostFormValue("k"))
		if err == nil {
			return q.leadTo(biopass.BasePath, e)
		}
	} else {
		_, err = service.ReadLink(q.r.Context(), q.name, p.User, page.Token)
	}
	if errors.Is(err, biopass.ErrLink) {
		page.State, err = biopass.LinkBad, nil
	}
	if err != nil {
		return q.unavailable(err)
	}
	return biopass.WriteLink(q.w, q.r, c, page)
}
