package approvals

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// Decide approves or refuses. What it wrote is returned: the request as it is
// then. The rule, the request's state, the audit entry and the notices are
// one batch. Errors: DecidedError, ChangedError, NumberError, ErrExpired,
// ErrCancelled, ErrNotFound, ErrNotYours, ErrOwnRequest, ErrLinkClosed,
// ErrNotConfirmed, ErrUnsure, ErrWidth, ErrUntil.
func (s *Service) Decide(ctx context.Context, c Choice) (AccessRequest, error) {
	if c.Effect != access.Allow && c.Effect != access.Refuse {
		return AccessRequest{}, fmt.Errorf("deciding an access request: %q is no effect", c.Effect)
	}
	if c.Effect == access.Allow && c.Width == "" {
		c.Width = WidthConnection
	}
	c.Reply = CleanText(c.Reply, NoteLimit)
	if !c.By.LooksAfter(c.Application) {
		return AccessRequest{}, ErrNotYours
	}
	full := c.Effect == access.Allow && c.Width == WidthFull && c.Until.IsZero()
	ask, err := s.edit(ctx, c.Application, c.ID, func(ask *AccessRequest, now time.Time) (change, error) {
		if err := s.mayDecide(*ask, c, now); err != nil {
			var wrong *NumberError
			if errors.As(err, &wrong) && !wrong.Missing {
				return s.wrongNumber(ask, c, now, wrong), nil
			}
			return change{}, err
		}
		decision := Decision{
			By: c.By.Email, Name: c.By.Name, At: now, Via: c.Via, Reply: c.Reply,
			Sure: c.SignedIn && c.Sure && c.Number == "",
		}
		if c.Effect == access.Refuse {
			ask.State, ask.Decision = Refused, decision
			return s.closing(ctx, ask, now, c)
		}
		if !c.Until.IsZero() && !c.Until.After(now) {
			return change{}, ErrUntil
		}
		decision.Width, decision.Until = c.Width, c.Until
		if full {
			ask.State, ask.Decision = Deciding, decision
			drop, _, err := s.dropNotices(ctx, ask.Application, ask.ID)
			return change{Writes: drop}, err
		}
		rule, err := s.ruleFor(*ask, c.Width, c.Until, c.By.Email, now)
		if err != nil {
			return change{}, err
		}
		if rule.User == "" {
			if err := s.TouchesOwn(ctx, rule, c.By); err != nil {
				return change{}, err
			}
		}
		decision.RuleID = rule.ID
		ask.State, ask.Decision = Approved, decision
		ch, err := s.closing(ctx, ask, now, c)
		ch.Writes = append(ch.Writes, s.conf.Books.Rules.Put(rule)...)
		return ch, err
	})
	if err != nil || !full {
		return ask, err
	}
	return s.finishFull(ctx, ask, c)
}

// mayDecide is nil where a choice can be carried out, else why not.
func (s *Service) mayDecide(ask AccessRequest, c Choice, now time.Time) error {
	if err := stillWaiting(ask, now); err != nil {
		return err
	}
	own := IsOwn(ask, c.By)
	if own && c.Effect == access.Allow {
		if !s.ownChannel(ask.Application, c.By, c.Channel) {
			return ErrOwnRequest
		}
		if c.Width != WidthConnection {
			return ErrWidth // a second channel is good for what it was sent for
		}
	}
	if !c.SignedIn && !s.conf.Limits.LinkOpen(ask) {
		return ErrLinkClosed
	}
	if c.Version != 0 && c.Version != ask.Version {
		return &ChangedError{Ask: ask}
	}
	if c.Effect == access.Refuse && (c.SignedIn || c.Confirmed) {
		return nil
	}
	number := strings.TrimSpace(c.Number)
	if number != "" {
		if subtle.ConstantTimeCompare([]byte(number), []byte(ask.Number)) == 1 {
			return nil
		}
		return &NumberError{Left: max(s.conf.Limits.NumberTries-ask.WrongNumbers-1, 0)}
	}
	switch {
	case c.Effect == access.Refuse:
		return ErrNotConfirmed
	case !c.SignedIn || own:
		return &NumberError{Missing: true, Left: max(s.conf.Limits.NumberTries-ask.WrongNumbers, 0)}
	case !c.Sure:
		return ErrUnsure
	}
	return nil
}

// IsOwn reports whether an approver is the one who asks. The e-mail counts
// too, though it decides nothing else: here it can only forbid.
func IsOwn(ask AccessRequest, by books.Admin) bool {
	if by.Is(ask.Application, ask.Person.User) {
		return true
	}
	if name, ok := by.Users[ask.Application]; ok && access.FoldUser(name) == access.FoldUser(ask.Person.User) {
		return true
	}
	return by.Email != "" && (strings.EqualFold(by.Email, ask.Person.Email) || strings.EqualFold(by.Email, ask.Person.User))
}

func (s *Service) selfChannel(application, channel string) bool {
	if channel == "" {
		return false
	}
	for _, c := range s.conf.Application(application).Self {
		if c == channel {
			return true
		}
	}
	return false
}

// selfApprover is the approver who holds the link that was sent to the person
// who asks, and is no admin.
func selfApprover(ask AccessRequest) books.Admin {
	return books.Admin{
		Email: ViaSelf, Name: ask.Who(), Language: ask.Language, Applications: []string{ask.Application},
		Users: map[string]string{ask.Application: ask.Person.User},
	}
}

// ownChannel reports whether the policy lets somebody decide their own request
// by a channel.
func (s *Service) ownChannel(application string, by books.Admin, channel string) bool {
	if by.Email == ViaSelf {
		return channel != "" && channel == s.conf.Application(application).SelfUsers
	}
	return s.selfChannel(application, channel)
}

// wrongNumber counts a wrong number; the last try leaves a line in the audit,
// since somebody may be guessing.
func (s *Service) wrongNumber(ask *AccessRequest, c Choice, now time.Time, wrong *NumberError) change {
	ask.WrongNumbers++
	ch := change{Err: wrong}
	if !s.conf.Limits.LinkOpen(*ask) {
		ch.Writes = append(ch.Writes, s.audit(*ask, now, books.Entry{
			Who: c.By.Email, From: c.From, Via: c.Via, What: "number.closed",
			Detail: map[string]string{"wrong_numbers": strconv.Itoa(ask.WrongNumbers)},
		}))
	}
	return ch
}

// ruleFor is RuleFor with the application's ways to compare, named and dated.
func (s *Service) ruleFor(ask AccessRequest, width Width, until time.Time, author string, now time.Time) (access.Rule, error) {
	app := s.conf.Application(ask.Application)
	rule, err := RuleFor(ask, width, until, author, app.SamePlace, app.SameBrowser)
	rule.ID, rule.Created, rule.Note = books.NewID(now), now, ask.Reference
	return rule, err
}

// closing is what goes with a decision: notices nobody needs any more are
// dropped, others are written, the audit gets its entry.
func (s *Service) closing(ctx context.Context, ask *AccessRequest, now time.Time, c Choice) (change, error) {
	d := ask.Decision
	writes, dropped, err := s.dropNotices(ctx, ask.Application, ask.ID)
	if err != nil {
		return change{}, err
	}
	writes = append(writes, store.Write{Key: codeKey(ask.Application, ask.ID)})
	e := books.Entry{Who: d.By, From: c.From, Via: d.Via, What: "refuse", Detail: map[string]string{
		"sure": strconv.FormatBool(d.Sure), "number": strconv.FormatBool(c.Number != "" && !d.Sure),
	}}
	if ask.State == Approved {
		e.What = "approve"
		e.Detail["width"], e.Detail["rule"] = string(d.Width), d.RuleID
		if !d.Until.IsZero() {
			e.Detail["until"] = d.Until.UTC().Format(time.RFC3339)
		}
	}
	if d.Reply != "" {
		e.Detail["reply"] = d.Reply
	}
	if c.Channel != "" {
		e.Detail["channel"] = c.Channel
	}
	if IsOwn(*ask, c.By) {
		e.Detail["own"] = "true"
	}
	for k, v := range c.detail {
		e.Detail[k] = v
	}
	writes = append(writes, s.noticesDecided(*ask, dropped, now)...)
	return change{Writes: append(writes, s.audit(*ask, now, e))}, nil
}

// Full access lies in the user's record, in another partition than the
// request, so it takes three batches, each of which can be the last before a
// crash:
//
//  1. the request becomes Deciding, with the decision in it: from here nobody
//     else decides, and whoever finds it so carries on (Run does, at start
//     and every minute);
//  2. the user's record gets full access, together with a mark that this
//     request gave it, so that carrying on twice cannot give it again after
//     an admin took it back;
//  3. the request becomes Approved, with audit and notices; only now does the
//     waiting page open, so it never opens onto a gate that still says no.
//
// A crash leaves the person waiting a little longer, never half let in
// without a trace.
func (s *Service) finishFull(ctx context.Context, ask AccessRequest, c Choice) (AccessRequest, error) {
	d := ask.Decision
	given := books.Key("", "full-given", ask.Application, ask.ID)
	_, err := s.conf.Books.Users.Update(ctx, ask.Person.User, func(u *books.User) ([]store.Write, bool, error) {
		if _, err := s.st.Get(ctx, given); !errors.Is(err, store.ErrNotFound) {
			return nil, false, err // given before, or the store is in trouble
		}
		if u.FullAccess == nil {
			u.FullAccess = map[string]books.Mark{}
		}
		u.FullAccess[ask.Application] = books.Mark{By: d.By, At: d.At, Why: "request " + ask.Reference}
		if u.Created.IsZero() {
			u.Created, u.Name, u.Email, u.Mobile = d.At, ask.Person.Name, ask.Person.Email, ask.Person.Mobile
		}
		return []store.Write{{Key: given, Value: []byte{1}, TTL: s.conf.Limits.Request + afterEnd}}, true, nil
	})
	if err != nil {
		return ask, fmt.Errorf("giving full access: %w", err)
	}
	return s.edit(ctx, ask.Application, ask.ID, func(ask *AccessRequest, now time.Time) (change, error) {
		if ask.State != Deciding {
			return change{Keep: true}, nil // another instance carried on
		}
		ask.State = Approved
		return s.closing(ctx, ask, now, c)
	})
}

// resume carries on where a crash left full access half given.
func (s *Service) resume(ctx context.Context, application string) error {
	ids, traces, err := s.live(ctx, application)
	if err != nil {
		return err
	}
	for i, id := range ids {
		if traces[i].State != Deciding {
			continue
		}
		ask, err := s.Get(ctx, application, id)
		if err != nil || ask.State != Deciding {
			continue
		}
		by := books.Admin{Email: ask.Decision.By}
		if _, err := s.finishFull(ctx, ask, Choice{By: by, Via: ask.Decision.Via, SignedIn: true}); err != nil {
			return err
		}
	}
	return nil
}

// ApproveAs approves a waiting request on a proof of the gate's own: author
// is "biopass" or "self", detail goes into the audit. The rule is that of
// width connection.
func (s *Service) ApproveAs(ctx context.Context, application, id, author string, until time.Time, detail map[string]string) (AccessRequest, error) {
	return s.edit(ctx, application, id, func(ask *AccessRequest, now time.Time) (change, error) {
		if err := stillWaiting(*ask, now); err != nil {
			return change{}, err
		}
		return s.approveAs(ctx, ask, now, author, until, detail)
	})
}

func (s *Service) approveAs(ctx context.Context, ask *AccessRequest, now time.Time, author string, until time.Time, detail map[string]string) (change, error) {
	rule, err := s.ruleFor(*ask, WidthConnection, until, author, now)
	if err != nil {
		return change{}, err
	}
	ask.State = Approved
	ask.Decision = Decision{By: author, At: now, Via: author, Width: WidthConnection, Until: until, RuleID: rule.ID}
	ch, err := s.closing(ctx, ask, now, Choice{detail: detail})
	ch.Writes = append(ch.Writes, s.conf.Books.Rules.Put(rule)...)
	return ch, err
}
