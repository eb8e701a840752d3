package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/identity"
)

// nobody is a request behind which no user is known.
func (q *request) nobody(right identity.Right) error {
	if q.mode != identity.Closed {
		return q.through()
	}
	if q.watcher == nil {
		// The identity source has nobody: its own refusal should have come
		// before us, so this is closed.
		return q.refused(errors.New("no identity source names a user"))
	}
	switch right {
	case identity.RightForward:
		return q.through()
	case identity.RightBare:
		identity.Bare(q.r)
		return q.through()
	default:
		return q.refused(errors.New("nobody is signed in"))
	}
}

// forward hands an allowed request to the backend.
func (q *request) forward(p *access.Person) error {
	q.person = p
	if q.page {
		q.called(q.r)
	}
	q.tellBackend(p)
	return q.through()
}

// through calls next with a writer that touches headers only, in a way that
// a revocation can end: with the connection or the stream that the request came
// on, else by a context of its own.
func (q *request) through() error {
	r := q.r
	q.socket = gate.Socket{
		Application: q.name, User: q.person.User, Device: q.print.Device.ID, Login: q.session.Login.ID, Request: q,
	}
	if !canEnd(q.w.ResponseWriter, r) {
		ctx, cancel := context.WithCancelCause(r.Context())
		defer cancel(nil)
		r, q.cancel = r.WithContext(ctx), cancel
	}
	q.run.state.gate.Enter(&q.socket)
	defer q.socket.Close()
	if q.reviews != q.run.state.gate.Reviews() && !q.Still(r.Context()) {
		return q.refused(gate.ErrWithdrawn)
	}
	if q.watcher == nil {
		return q.next.ServeHTTP(q.w, r)
	}
	q.watcher.WrapIn(&q.wrapped, q.w, r, q.session, q.print.Device.ID, q.mode)
	q.wrapped.Leaving = &q.socket
	err := q.next.ServeHTTP(&q.wrapped, r)
	q.wrapped.Finish()
	return err
}

// pass is the way a request of the watcher's own takes to the backend.
func (q *request) pass(w http.ResponseWriter, r *http.Request) error { return q.next.ServeHTTP(w, r) }

// tellBackend sets the placeholder and the optional header with the steps
// that were passed.
func (q *request) tellBackend(p *access.Person) {
	var factors string
	switch steps := q.session.Login.Factors; len(steps) {
	case 0:
		factors = p.Source
		switch {
		case q.factor != "":
			factors += " " + q.factor
		case q.typed:
			factors += " biopass"
		}
	case 1:
		factors = steps[0]
	default:
		factors = strings.Join(steps, " ")
	}
	if repl, ok := q.r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		if k := q.known; k != nil && k.user == p.User {
			repl.Set("http.cadenas.user", k.boxed)
		} else {
			repl.Set("http.cadenas.user", p.User)
		}
		repl.Set("http.cadenas.factors", boxed(factors))
	}
	if name := q.handler.FactorsHeader; name != "" {
		q.r.Header.Set(name, factors)
	}
}

// The texts that factors are nearly always, as the replacer takes them: what is
// boxed once costs no memory for each request.
var (
	boxedLogin    any = "login"
	boxedApproval any = "login approval"
	boxedBiopass  any = "login biopass"
)

func boxed(factors string) any {
	switch factors {
	case "login":
		return boxedLogin
	case "login approval":
		return boxedApproval
	case "login biopass":
		return boxedBiopass
	}
	return factors
}
