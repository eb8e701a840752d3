package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/pages"
)

// noteForeign writes down that a session came with another device: whose it
// was, where that is known.
func (q *request) noteForeign() {
	whose := ""
	if l, err := q.run.state.books.Logins.Get(q.r.Context(), q.name, q.session.ForeignLogin); err == nil {
		whose = l.Person.User
	}
	err := q.run.state.books.Audit.Append(q.r.Context(), books.Entry{
		At: q.now, Who: "system", From: q.print.Address.String(), Via: "gate", What: "session.foreign", Application: q.name,
		Subject: whose, Detail: map[string]string{"device": q.print.Device.ID},
	})
	if err != nil {
		q.log.Warn("a session that came with another device's stamp was removed, and could not be written down", "error", err)
	}
}

// unavailable is the answer when the gate cannot tell: never an allowance.
func (q *request) unavailable(err error) error {
	if !errors.Is(err, context.Canceled) {
		q.log.Error("a request was refused because the gate could not decide", "error", err)
	}
	q.w.Header().Set("Retry-After", "5")
	return caddyhttp.Error(http.StatusServiceUnavailable, fmt.Errorf("cadenas: %w", err))
}

// refused answers 403 where there is nothing to wait for.
func (q *request) refused(err error) error {
	q.closing()
	if q.page {
		c := pages.Language(q.r, q.run.app.Languages)
		return approvals.WriteRefused(q.w, q.r, c, http.StatusForbidden, approvals.RefusedPage{
			Application: q.name, Languages: q.run.app.Languages, SignIn: q.signIn(),
		})
	}
	return q.problem(approvals.Problem{Title: "Not signed in", Detail: err.Error()})
}

// signIn is where one signs in; the start page where no login is watched.
func (q *request) signIn() string { return "/" }
