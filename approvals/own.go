package approvals

import (
	"context"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
)

// ownLook is how many requests of an application, the newest, are looked at for
// an approver's own: beyond it there are only those long decided.
const ownLook = 1000

// OwnOf returns an approver's own requests in an application ("" for all of
// them) that nobody let in: they wait, or somebody refused them. While there is
// one, its approver does nothing that would let it in (threat L24).
func (s *Service) OwnOf(ctx context.Context, application string, by books.Admin) ([]AccessRequest, error) {
	apps := []string{application}
	if application == "" {
		apps = s.conf.Applications()
	}
	var own []AccessRequest
	for _, app := range apps {
		list, err := s.List(ctx, app, "", ownLook)
		if err != nil {
			return nil, err
		}
		for _, ask := range list {
			if (ask.State.Open() || ask.State == Refused) && IsOwn(ask, by) {
				own = append(own, ask)
			}
		}
	}
	return own, nil
}

// TouchesOwn returns ErrOwnRequest where a rule is about one of the requests of
// OwnOf. Rules about many people are made by whoever asks in the same way as
// those about themself: "everybody on this device" is them too.
func (s *Service) TouchesOwn(ctx context.Context, r access.Rule, by books.Admin) error {
	own, err := s.OwnOf(ctx, r.Application, by)
	if err != nil {
		return err
	}
	for _, ask := range own {
		if r.Matches(ask.Visit()) {
			return ErrOwnRequest
		}
	}
	return nil
}
