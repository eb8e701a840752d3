package caddymodule

import (
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cadenas-gateway/cadenas/notify/sms"
)

// teller is the channel that is told later what became of a text, if one is
// configured so.
func (run *running) teller() (*SMS, bool) {
	for _, n := range run.app.notifiers {
		if s, ok := n.(*SMS); ok && s.Tells() {
			return s, true
		}
	}
	return nil, false
}

// serveReport takes what a gateway's service says about a text. It lets nobody
// in and shows nothing; what is not signed by that service is refused.
func (run *running) serveReport(w http.ResponseWriter, r *http.Request, from *SMS) error {
	report, err := from.ReadReport(r)
	if errors.Is(err, sms.ErrForged) {
		return caddyhttp.Error(http.StatusForbidden, err)
	}
	if err != nil {
		return caddyhttp.Error(http.StatusBadRequest, err)
	}
	if report.Arrived || report.Lost != nil {
		application, id := report.Notice()
		if err := run.approvals.ToldLater(r.Context(), from.Name(), application, id, report.Lost); err != nil {
			return caddyhttp.Error(http.StatusServiceUnavailable, err)
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
	return nil
}
