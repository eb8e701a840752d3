package caddymodule

import (
	"context"
	"errors"
	"net/http"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/biopass"
	"github.com/cadenas-gateway/cadenas/identity"
)

// offer shows enrolment to somebody whom the rules let in and whose sign-in
// nobody watched: a header, a token or Caddy's own authentication names them.
// It stands only before pages, on a device that brought its cookie back; a
// script or a program would take it for a failure. What goes wrong here stops
// nobody: the gate has let them in already.
func (q *request) offer(p access.Person, v access.Verdict) (answered bool) {
	if q.r.Method != http.MethodGet || q.handler.mode() == biopass.Off || q.mode != identity.Closed || q.session.Login.ID != "" ||
		v.Step == access.StepExempt || v.Step == access.StepPadlock || p.Source == "device" || q.print.Program || q.print.Cookie.ID == "" {
		return false
	}
	who := p.User + "\x00" + q.print.Device.ID
	if _, ok := q.offers.recall(who, q.now); ok {
		return false
	}
	due, err := q.run.biopass.Offer(q.r.Context(), q.name, p.User, q.print.Device)
	if err == nil && due {
		q.why = biopass.WhyEnrol
		answered, err = q.typing(p, v, "")
	}
	switch {
	case err != nil && !errors.Is(err, context.Canceled):
		q.log.Warn("Biopass could not be offered; it will be later", "error", err)
	case !due:
		q.offers.keep(who, "", q.now.Add(recalledFor))
	}
	return answered
}
