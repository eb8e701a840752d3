package approvals

import (
	"time"

	"github.com/cadenas-gateway/cadenas/access"
)

// RuleFor is the rule that an approval of a width makes, without identifier
// and moment of making. It is never wider than what the approver was shown:
// where the request lacks what the width rests on, the error is ErrWidth.
//
// Full access is no rule but where it ends: then it is this user in this
// application, until then.
func RuleFor(ask AccessRequest, width Width, until time.Time, author string, place access.SamePlace, browser access.SameBrowser) (access.Rule, error) {
	user := ask.Person.User
	if ask.Application == "" || user == "" && width != WidthEveryone {
		return access.Rule{}, ErrWidth
	}
	rule := access.Rule{
		User: user, Application: ask.Application,
		Effect: access.Allow, Until: until, Author: author,
	}
	where, placed := place.Key(ask.Place.For(user))
	with := browser.Key(ask.Browser)
	switch width {
	case WidthConnection:
		if ask.Device.ID == "" || !placed || with.Any() {
			return access.Rule{}, ErrWidth
		}
		rule.Device, rule.Place, rule.Browser = ask.Device.ID, where, with
	case WidthDevice:
		if ask.Device.ID == "" {
			return access.Rule{}, ErrWidth
		}
		rule.Device = ask.Device.ID
	case WidthNetwork:
		if !placed {
			return access.Rule{}, ErrWidth
		}
		rule.Place = where
	case WidthEveryone:
		if ask.Device.ID == "" {
			return access.Rule{}, ErrWidth
		}
		rule.User, rule.Device = "", ask.Device.ID
	case WidthFull:
		if until.IsZero() {
			return access.Rule{}, ErrWidth
		}
	default:
		return access.Rule{}, ErrWidth
	}
	return rule, nil
}

// PossibleWidths lists the widths for which a request has what they rest on.
func (s *Service) PossibleWidths(ask AccessRequest) []Width {
	app := s.conf.Application(ask.Application)
	var list []Width
	for _, w := range Widths {
		if _, err := RuleFor(ask, w, farAway, "", app.SamePlace, app.SameBrowser); err == nil {
			list = append(list, w)
		}
	}
	return list
}

// farAway is an end, for asking whether a width is possible at all.
var farAway = time.Unix(1<<40, 0)
