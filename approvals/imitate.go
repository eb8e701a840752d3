package approvals

import (
	"context"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
)

// madeUpKept is how many made-up requests are remembered: strangers fill it
// (threat L22).
const madeUpKept = 4096

// Imitation is a request that nobody keeps, as the gate's host is told of it:
// another instance than the one that made it up may show it.
type Imitation struct {
	Ask
	Reference, Number string
	Opened            time.Time
	// Refused is when the gate refused them last.
	Refused time.Time
	// Grouped says that the person is in groups, which are not carried along:
	// only the application's own host can judge them anew.
	Grouped bool
}

// judgedAgain is how long after a refusal the gate is asked again about a
// made-up request, so that a page and a gate that differ do not lead to each
// other without end.
const judgedAgain = 10 * time.Second

// Imitate returns a request that is not kept and looks like one that waits,
// the same one at each call for a while: for one who is locked or whom a rule
// refuses, so that from outside refused and waiting look alike (threat L17).
func (s *Service) Imitate(a Ask) AccessRequest {
	s.opening.Lock()
	defer s.opening.Unlock()
	return s.imitate(a)
}

// imitate is Imitate for a caller that holds s.opening.
func (s *Service) imitate(a Ask) AccessRequest {
	now := s.conf.Clock()
	made := s.madeUpAs(Imitation{Ask: a, Reference: newReference(), Number: newNumber(), Opened: now, Refused: now})
	if made.State != Waiting { // cancelled, and they come again
		delete(s.madeUp, madeUpKey(a.Application, a.Device.ID)+a.Person.User)
		return s.imitate(a)
	}
	return made
}

// Imitated is the made-up request that another instance showed, or this one.
func (s *Service) Imitated(i Imitation) AccessRequest {
	if i.Reference == "" { // as older versions said it
		return s.Imitate(i.Ask)
	}
	s.opening.Lock()
	defer s.opening.Unlock()
	return s.madeUpAs(i)
}

// madeUpAs returns what is remembered for the holder, else remembers i.
func (s *Service) madeUpAs(i Imitation) AccessRequest {
	key := madeUpKey(i.Application, i.Device.ID) + i.Person.User
	if made, ok := s.madeUp[key]; ok {
		made.Place, made.Browser, made.New, made.LoginID = i.Place, i.Browser, unknownParts(i.New), i.LoginID
		if i.Refused.After(made.Last) {
			made.Last = i.Refused
		}
		s.madeUp[key] = made
		return made
	}
	if len(s.madeUp) >= madeUpKept {
		clear(s.madeUp)
	}
	made := AccessRequest{
		Reference: i.Reference, Number: i.Number,
		Application: i.Application, Person: i.Person, Device: i.Device, Browser: i.Browser, Place: i.Place,
		New: unknownParts(i.New), Asked: i.Asked, LoginID: i.LoginID, Language: i.Language,
		Opened: i.Opened, Last: i.Refused, Ends: i.Opened.Add(s.conf.Limits.Request), Count: 1, State: Waiting, Version: 1,
	}
	s.madeUp[key] = made
	return made
}

func madeUpKey(application, device string) string { return application + "\x00" + device + "\x00" }

// unknownParts is what a made-up request shows as new. Who is locked comes on
// what is known, and a page on which nothing is new would tell them: they see
// what one sees whose authorisation was withdrawn.
func unknownParts(parts []access.Part) []access.Part {
	if len(parts) > 0 {
		return parts
	}
	return []access.Part{access.PartDevice, access.PartPlace, access.PartBrowser}
}

// madeUpFor is the made-up request that a device was shown last.
func (s *Service) madeUpFor(holder Holder) (AccessRequest, bool) {
	if holder.MadeUp != nil {
		return s.Imitated(*holder.MadeUp), true
	}
	s.opening.Lock()
	defer s.opening.Unlock()
	var last AccessRequest
	prefix := madeUpKey(holder.Application, holder.DeviceID)
	for key, made := range s.madeUp {
		if strings.HasPrefix(key, prefix) && !made.Opened.Before(last.Opened) {
			last = made
		}
	}
	return last, last.Reference != ""
}

// imitateForm does with a made-up request what a form of its page does with a
// real one.
func (s *Service) imitateForm(ask AccessRequest, edit func(*AccessRequest)) AccessRequest {
	s.opening.Lock()
	defer s.opening.Unlock()
	key := madeUpKey(ask.Application, ask.Device.ID) + ask.Person.User
	made, ok := s.madeUp[key]
	if !ok {
		return ask
	}
	edit(&made)
	made.Version++
	s.madeUp[key] = made
	return made
}

// LetsIn reports whether the gate would let the person of a made-up request in
// by now: the lock or the rule that kept them out has ended. The request is
// what Imitated or Imitate returned; one that is kept is never.
func (s *Service) LetsIn(ctx context.Context, ask AccessRequest) bool {
	if s.conf.Judge == nil || ask.ID != "" || ask.State != Waiting || ask.Person.User == "" || s.conf.Clock().Sub(ask.Last) < judgedAgain {
		return false
	}
	verdict, err := s.conf.Judge(ctx, ask.Visit())
	return err == nil && verdict.Answer == access.LetIn
}
