package approvals

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store"
)

// DecidePath is where links of notices lead on the console's host.
const DecidePath = "/decide/"

const linkPurpose = "decide-link"

// link is what the token of a notice's link holds. It opens a page and, with
// the number that only the waiting person sees, decides one request.
type link struct {
	Application string    `cbor:"1,keyasint"`
	ID          string    `cbor:"2,keyasint"`
	Admin       string    `cbor:"3,keyasint"`
	Channel     string    `cbor:"4,keyasint"`
	Issued      time.Time `cbor:"5,keyasint"`
	// Self says that the link was sent to the person who asks, by the channel
	// that the policy names for users.
	Self bool `cbor:"6,keyasint,omitempty"`
}

// shortLength is how long the token of a link is where letters cost: 130
// random bits, behind which the sealed token lies in the store.
const (
	shortLength  = 26
	shortLetters = "0123456789abcdefghjkmnpqrstvwxyz"
)

// Link is the URL under which an admin decides a request, as notices carry
// it; channel is the notifier's name. It is empty where there is no console.
func (s *Service) Link(ask AccessRequest, admin, channel string) string {
	return s.linkOf(link{Application: ask.Application, ID: ask.ID, Admin: admin, Channel: channel})
}

// selfLink is the link under which the person who asks decides; the page asks
// for the number like any other.
func (s *Service) selfLink(ask AccessRequest, channel string) string {
	return s.linkOf(link{Application: ask.Application, ID: ask.ID, Channel: channel, Self: true})
}

func (s *Service) linkOf(l link) string {
	if s.conf.Console == "" || l.ID == "" {
		return ""
	}
	l.Issued = s.conf.Clock()
	return s.decideURL(s.conf.Ring().SealText(books.Encode(l), linkPurpose))
}

func (s *Service) decideURL(token string) string {
	return strings.TrimSuffix(s.conf.Console, "/") + DecidePath + url.PathEscape(token)
}

func shortKey(token string) string { return books.Key("", "short", digest(token)) }

// shorten is a link that fits a text message and leads to the same page. The
// store keeps a digest of it: who reads a copy cannot open it.
func (s *Service) shorten(ctx context.Context, long string) (string, error) {
	token, ok := strings.CutPrefix(long, s.decideURL(""))
	if !ok || token == "" {
		return long, nil
	}
	short := randomText(shortLetters, shortLength)
	err := s.st.Apply(ctx, store.Batch{Writes: []store.Write{{Key: shortKey(short), Value: []byte(token), TTL: s.conf.Limits.MailLink}}})
	if err != nil {
		return "", fmt.Errorf("keeping a short link: %w", err)
	}
	return s.decideURL(short), nil
}

// lengthen is the sealed token behind a short one; another is returned as it
// is.
func (s *Service) lengthen(ctx context.Context, token string) (string, error) {
	if len(token) != shortLength {
		return token, nil
	}
	raw, err := s.st.Get(ctx, shortKey(token))
	if isNotFound(err) {
		return "", seal.ErrOpen
	}
	return string(raw), err
}

// openLink reads a token, or returns seal.ErrOpen or ErrExpired.
func (s *Service) openLink(token string) (link, error) {
	plain, err := s.conf.Ring().OpenText(token, linkPurpose)
	if err != nil {
		return link{}, err
	}
	var l link
	if err := books.Decode(plain, &l); err != nil {
		return link{}, seal.ErrOpen
	}
	if age := s.conf.Clock().Sub(l.Issued); age >= s.conf.Limits.MailLink || age < -time.Minute {
		return l, ErrExpired
	}
	return l, nil
}

// admin returns the admin of an e-mail, as they are now: a link outlives the
// admin it was sent to.
func (s *Service) admin(email string) (books.Admin, bool) {
	for _, a := range s.conf.Admins() {
		if strings.EqualFold(a.Email, email) {
			return a, true
		}
	}
	return books.Admin{}, false
}
