package adminui

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
)

// An admin who waits somewhere is signed in here, perhaps on the very device
// that waits. Their own request has no button; what is below keeps the other
// ways shut by which a form would let it in (threat L24). Another admin, the
// channel that `self` names and the command line stay. Opening the padlock stays
// too: it lets everybody in, authorises nobody, and everybody sees it.

// ownWaits returns what to say where a user is the admin and has a request in
// the application ("" for any) that nobody let in.
func (v *visit) ownWaits(app, user string) error {
	u, err := v.Books.Users.Get(v.ctx(), user)
	if err != nil || !v.isMe(app, u) {
		return err
	}
	own, err := v.Approvals.OwnOf(v.ctx(), app, v.admin)
	if err == nil && len(own) > 0 {
		err = tell("own.refused")
	}
	return err
}

// isMe reports whether a user of an application, "" for any of the admin's, is
// the admin.
func (v *visit) isMe(app string, u books.User) bool {
	apps := []string{app}
	if app == "" {
		apps = v.applications()
	}
	for _, one := range apps {
		ask := approvals.AccessRequest{Application: one, Person: access.Person{User: u.User, Email: u.Email}}
		if approvals.IsOwn(ask, v.admin) {
			return true
		}
	}
	return false
}

// mine reports whether a connection is the admin's own. The columns let none of
// these in, whether it asks or not: what stands on the left was stopped.
func (v *visit) mine(c books.Connection) (bool, error) {
	u, err := v.Books.Users.Get(v.ctx(), c.User)
	return err == nil && v.isMe(c.Application, u), err
}

// ownRule returns what to say where a rule that lets in is about a request of
// the admin's own.
func (v *visit) ownRule(r access.Rule) error {
	err := v.Approvals.TouchesOwn(v.ctx(), r, v.admin)
	if errors.Is(err, approvals.ErrOwnRequest) {
		return tell("own.refused")
	}
	return err
}

// ownEnd returns what to say where the end of a rule would let in a request of
// the admin's own.
func (v *visit) ownEnd(r access.Rule) error {
	own, err := v.Approvals.OwnOf(v.ctx(), r.Application, v.admin)
	if err != nil {
		return err
	}
	for _, ask := range own {
		verdict, err := v.Gate.Without(v.ctx(), ask.Visit(), r)
		if err != nil {
			return err
		}
		if verdict.Answer == access.LetIn {
			return tell("own.refused")
		}
	}
	return nil
}

// ownTicked returns what to say where one of the connections that are let in
// before the padlock closes is on a device on which the admin waits.
func (v *visit) ownTicked(app string, ids []string) error {
	own, err := v.Approvals.OwnOf(v.ctx(), app, v.admin)
	if err != nil || len(own) == 0 {
		return err
	}
	list, err := v.ticked(app, ids)
	if err != nil {
		return err
	}
	for _, c := range list {
		for _, ask := range own {
			if c.User == ask.Person.User && c.Device.ID == ask.Device.ID {
				return tell("own.refused")
			}
		}
	}
	return nil
}

// ownPlace returns what to say where a name for networks would let in a request
// of the admin's own, by a rule about that name.
func (v *visit) ownPlace(name, user string, networks []netip.Prefix) error {
	own, err := v.Approvals.OwnOf(v.ctx(), "", v.admin)
	if err != nil {
		return err
	}
	for _, ask := range own {
		visit := ask.Visit()
		if user != "" && user != visit.User || !slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(visit.Place.Address) }) {
			continue
		}
		visit.Place.Name, visit.Place.NameFor = name, user
		verdict, err := v.explain().Explain(v.ctx(), visit, gate.Circumstance{})
		if err != nil {
			return err
		}
		if verdict.Shadow != nil {
			verdict = *verdict.Shadow
		}
		if verdict.Answer == access.LetIn {
			return tell("own.refused")
		}
	}
	return nil
}
