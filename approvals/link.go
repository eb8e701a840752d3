package approvals

import (
	"net/url"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/seal"
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
}

// Link is the URL under which an admin decides a request, as notices carry
// it; channel is the notifier's name. It is empty where there is no console.
func (s *Service) Link(ask AccessRequest, admin, channel string) string {
	if s.conf.Console == "" || ask.ID == "" {
		return ""
	}
	token := s.conf.Ring().SealText(books.Encode(link{
		Application: ask.Application, ID: ask.ID, Admin: admin, Channel: channel, Issued: s.conf.Clock(),
	}), linkPurpose)
	return strings.TrimSuffix(s.conf.Console, "/") + DecidePath + url.PathEscape(token)
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
	if age := s.conf.Clock().Sub(l.Issued); age >= LinkLife || age < -time.Minute {
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
