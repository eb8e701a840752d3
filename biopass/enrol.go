package biopass

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/store"
)

// Consent notes that a person agreed, and under which name the keyboard is to
// be kept.
func (s *Service) Consent(ctx context.Context, e Errand, language, name string) error {
	if e.purpose() != Enrolling || e.Done() || e.Why == WhyKey {
		return errGone
	}
	_, err := s.book.update(ctx, e.Application, e.Person.User, func(p *person) (bool, error) {
		p.Consent = Consent{At: s.conf.Clock(), Version: ConsentVersion, Language: language}
		p.Declined = time.Time{}
		return true, nil
	})
	if err != nil {
		return err
	}
	s.audit(ctx, e, "biopass.consent", map[string]string{"text": fmt.Sprint(ConsentVersion)})
	name = lang.Inert(name, MaxKeyboardName)
	if name == "" {
		name = keyboardName(lang.For(language), e.Device)
	}
	return s.book.writeDraft(ctx, e.Application, e.Device.ID, draft{User: e.Person.User, Name: name})
}

// Decline notes that a person does not want to be known by their typing. They
// are not asked again; where enrolment is not free to refuse, an admin is
// asked to let this sign-in through.
func (s *Service) Decline(ctx context.Context, e Errand) (asked bool, err error) {
	if e.purpose() != Enrolling || e.Done() {
		return false, errGone
	}
	_, err = s.book.update(ctx, e.Application, e.Person.User, func(p *person) (bool, error) {
		if p.ready() {
			return false, nil // another keyboard was not wanted; the prints there are stay
		}
		p.Consent, p.Declined = Consent{}, s.conf.Clock()
		return true, nil
	})
	if err != nil {
		return false, err
	}
	s.audit(ctx, e, "biopass.decline", nil)
	if e.Why == WhyLink || s.free(e) || (e.unwatched() && !s.guarding(e)) {
		_, err = s.move(ctx, e, Skipped)
		return false, err
	}
	return true, s.AskAdmin(ctx, e)
}

// Skip puts enrolment off to the next sign-in, where that is allowed.
func (s *Service) Skip(ctx context.Context, e Errand) error {
	if e.Why != WhyEnrol || e.Done() || !s.free(e) {
		return errGone
	}
	if e.unwatched() {
		if err := s.putOff(ctx, e); err != nil {
			return err
		}
	}
	_, err := s.move(ctx, e, Skipped)
	return err
}

// free reports whether enrolment may be put off or refused without more. On a
// touch screen it always may: there a passkey is offered, which nobody needs.
func (s *Service) free(e Errand) bool {
	if e.Why == WhyEnrol && touch(e.Device.Kind) {
		return true
	}
	app := s.conf.Application(e.Application)
	return SignIn{Mode: app.Mode, SkipUntil: app.SkipUntil}.MaySkip(s.conf.Clock())
}

// enrol keeps one more print, and with the last one the keyboard.
func (s *Service) enrol(ctx context.Context, e Errand, line Challenge, print *Print) (Next, error) {
	d, err := s.book.readDraft(ctx, e.Application, e.Device.ID, e.Person.User)
	if err != nil {
		return Next{}, err
	}
	if d.prints()+1 != line.Step {
		return Next{Refused: RefusedLate, Stage: e.Stage}, nil
	}
	var prints Profile
	if len(d.Profile) > 0 {
		if err := prints.UnmarshalBinary(d.Profile); err != nil {
			return Next{}, err
		}
		r, err := s.score(d.Profile, print)
		if err != nil {
			return Next{}, err
		}
		if r.NearCopy {
			return Next{Refused: RefusedCopy, Stage: e.Stage, Done: prints.Len()}, nil
		}
	}
	if err := prints.Enrol(print); err != nil {
		return Next{}, err
	}
	if d.Profile, err = prints.MarshalBinary(); err != nil {
		return Next{}, err
	}
	if !prints.Ready() {
		return Next{Done: prints.Len(), Stage: e.Stage}, s.book.writeDraft(ctx, e.Application, e.Device.ID, d)
	}
	now := s.conf.Clock()
	_, err = s.book.update(ctx, e.Application, e.Person.User, func(p *person) (bool, error) {
		if !p.consented() {
			return false, errGone // taken back meanwhile
		}
		k := keyboard{ID: books.NewID(now), Name: d.Name, Kind: e.Device.Kind, Made: now, Used: now, Profile: d.Profile}
		k.usedOn(e.Device.ID, now)
		p.Keyboards = append(p.Keyboards, k)
		if len(p.Keyboards) > maxKeyboards {
			slices.SortStableFunc(p.Keyboards, func(a, b keyboard) int { return a.Used.Compare(b.Used) })
			p.Keyboards = p.Keyboards[1:]
		}
		return true, nil
	})
	if err != nil {
		return Next{}, err
	}
	if err := s.book.writeDraft(ctx, e.Application, e.Device.ID, draft{}); err != nil {
		return Next{}, err
	}
	s.audit(ctx, e, "biopass.enrol", map[string]string{"why": string(e.Why), "by": e.Link})
	if e, err = s.move(ctx, e, Enrolled); err == nil {
		err = s.confirm(ctx, e, "")
	}
	return Next{Done: prints.Len(), Stage: e.Stage}, err
}

// Account lists what is kept of a user: dates and counts, never a print.
func (s *Service) Account(ctx context.Context, application, user string) (Account, error) {
	return s.book.account(ctx, application, user)
}

// Erase forgets the prints, the consent and the passkeys of a user, and tells
// whether there were any. Note is who does it, for the audit.
func (s *Service) Erase(ctx context.Context, application, user string, note books.Entry) (bool, error) {
	found, err := s.book.erase(ctx, application, user)
	if err != nil {
		return found, err
	}
	keys, err := s.RemoveKeys(ctx, application, user)
	if err != nil || (!found && keys == 0) {
		return found || keys > 0, err
	}
	note.At, note.What, note.Application, note.Subject = s.conf.Clock(), "biopass.erase", application, user
	return true, s.conf.Books.Audit.Append(ctx, note)
}

// LinkLife is how long a link for another keyboard can be used.
const LinkLife = 7 * 24 * time.Hour

// ErrLink says that a link is not good: used, over, another user's, or never
// made. Nothing tells which.
var ErrLink = errors.New("this link is not good")

// Link is what is kept of a link for another keyboard.
type Link struct {
	User  string
	By    string
	Until time.Time
}

// linkKey keeps a link under the hash of its secret, so that who reads the
// store cannot use it.
func linkKey(application, token string) string {
	sum := sha256.Sum256([]byte(token))
	return books.Key(application, "biopass-link", hex.EncodeToString(sum[:]))
}

// MakeLink makes a single-use link that lets a signed-in user enrol another
// keyboard; what is returned goes behind LinkPath.
func (s *Service) MakeLink(ctx context.Context, application, user, by, via string) (token string, until time.Time, err error) {
	now := s.conf.Clock()
	token, until = newSecret(), now.Add(LinkLife)
	err = s.st.Apply(ctx, store.Batch{Writes: []store.Write{
		{Key: linkKey(application, token), Value: books.Encode(Link{User: user, By: by, Until: until}), TTL: LinkLife},
		s.conf.Books.Audit.Write(books.Entry{
			At: now, Who: by, Via: via, What: "biopass.link", Application: application, Subject: user,
		}),
	}})
	if err != nil {
		return "", until, fmt.Errorf("making a Biopass link: %w", err)
	}
	return token, until, nil
}

// ReadLink looks at a link without using it: mail scanners look too (threat
// L10).
func (s *Service) ReadLink(ctx context.Context, application, user, token string) (Link, error) {
	l, _, err := s.readLink(ctx, application, user, token)
	return l, err
}

func (s *Service) readLink(ctx context.Context, application, user, token string) (Link, []byte, error) {
	raw, err := s.st.Get(ctx, linkKey(application, token))
	if errors.Is(err, store.ErrNotFound) {
		return Link{}, nil, ErrLink
	}
	if err != nil {
		return Link{}, nil, fmt.Errorf("reading a Biopass link: %w", err)
	}
	var l Link
	if err := books.Decode(raw, &l); err != nil {
		return l, nil, err
	}
	if l.User != user || !s.conf.Clock().Before(l.Until) {
		return Link{}, nil, ErrLink
	}
	return l, raw, nil
}

// UseLink uses a link up and begins the enrolment of an errand's device.
func (s *Service) UseLink(ctx context.Context, e Errand, token string) (Errand, error) {
	l, raw, err := s.readLink(ctx, e.Application, e.Person.User, token)
	if err != nil {
		return e, err
	}
	key := linkKey(e.Application, token)
	err = s.st.Apply(ctx, store.Batch{
		Checks: []store.Check{{Key: key, Value: raw}}, Writes: []store.Write{{Key: key}},
	})
	if errors.Is(err, store.ErrConflict) {
		return e, ErrLink
	}
	if err != nil {
		return e, fmt.Errorf("using a Biopass link: %w", err)
	}
	e.Why, e.Link, e.Login = WhyLink, l.By, ""
	if err := s.book.writeDraft(ctx, e.Application, e.Device.ID, draft{}); err != nil {
		return e, err
	}
	return s.Begin(ctx, e)
}
