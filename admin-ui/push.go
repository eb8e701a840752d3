package adminui

import (
	"context"
	"errors"
	"net/http"

	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/lang"
)

// Push is what the console needs to subscribe browsers: our public key, and
// the book of subscriptions.
type Push struct {
	// Key is the VAPID public key in base64url.
	Key  string
	Book interface {
		Add(ctx context.Context, admin string, s approvals.Subscription) (approvals.Subscription, error)
		Of(ctx context.Context, admin string) ([]approvals.Subscription, error)
		Remove(ctx context.Context, admin, id string) error
	}
}

// pushCard is the part of the account page about pushes; nil where no such
// channel is configured.
type pushCard struct {
	Key      string
	Browsers []pushLine
}

type pushLine struct{ ID, Icon, Label, Since string }

// pushes are the admin's subscribed browsers.
func (v *visit) pushes() (*pushCard, error) {
	if v.Push == nil {
		return nil, nil
	}
	list, err := v.Push.Book.Of(v.ctx(), v.admin.Email)
	if err != nil {
		return nil, err
	}
	card := &pushCard{Key: v.Push.Key}
	for _, s := range list {
		icon, words := v.browserWords(s.Label)
		card.Browsers = append(card.Browsers, pushLine{ID: s.ID, Icon: icon, Label: words, Since: v.say.When(s.Created, v.now)})
	}
	return card, nil
}

// subscribe keeps what this browser's push service gave it. Only a signed-in
// admin's own page can send it (threat L11).
func subscribe(v *visit) error {
	if v.Push == nil {
		return errNotHere
	}
	f := v.r.PostForm
	_, err := v.Push.Book.Add(v.ctx(), v.admin.Email, approvals.Subscription{
		Endpoint: f.Get("endpoint"), P256dh: f.Get("p256dh"), Auth: f.Get("auth"), Label: lang.Inert(v.r.UserAgent(), 300), Created: v.now,
	})
	if errors.Is(err, approvals.ErrSubscription) {
		return errBadWords
	}
	if err != nil {
		return err
	}
	v.w.WriteHeader(http.StatusNoContent)
	return nil
}

// unsubscribe takes one of the admin's browsers away: this one, by the
// endpoint that its page sends, or another of the list.
func unsubscribe(v *visit) error {
	if v.Push == nil {
		return errNotHere
	}
	id := v.r.PostFormValue("id")
	if endpoint := v.r.PostFormValue("endpoint"); endpoint != "" {
		id = approvals.SubscriptionID(endpoint)
	}
	if err := v.Push.Book.Remove(v.ctx(), v.admin.Email, id); err != nil {
		return err
	}
	return v.seeOther("/account")
}

// testPush sends a push to the admin's own browsers.
func testPush(v *visit) error {
	if v.Push == nil {
		return errNotHere
	}
	_, err := v.Approvals.Test(v.ctx(), v.admin, "web_push")
	if errors.Is(err, approvals.ErrNoChannel) {
		err = nil // the list on the page says that there is none
	}
	if err != nil {
		return err
	}
	return v.seeOther("/account?done=pushed")
}
