package approvals

import (
	"context"
	"crypto/ecdh"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/store"
)

// maxSubscriptions bounds the browsers of one admin; the oldest goes.
const maxSubscriptions = 20

// ErrSubscription says that what a browser sent is no push subscription.
var ErrSubscription = errors.New("this is no push subscription")

// Subscription is one browser of an admin that is told by push.
type Subscription struct {
	// ID names it for its admin; it is a digest of the endpoint.
	ID string
	// Endpoint is where its push service takes messages: who knows it can
	// send, if they have our key too. P256dh and Auth are the browser's, in
	// base64url: only it reads what is encrypted for them (RFC 8291).
	Endpoint, P256dh, Auth string
	// Label is what to call it ("Chrome on Android").
	Label   string
	Created time.Time
}

// PushBook is the book of subscriptions, by admin.
type PushBook struct {
	st    store.Store
	clock func() time.Time
}

// NewPushBook makes the book; a nil clock means time.Now.
func NewPushBook(b *books.Books, clock func() time.Time) *PushBook {
	if clock == nil {
		clock = time.Now
	}
	return &PushBook{st: b.Store, clock: clock}
}

func pushKey(admin, id string) string { return books.Key("", "push", strings.ToLower(admin), id) }

// Add keeps a browser's subscription, or ErrSubscription. A browser belongs to
// who subscribed it last: another admin on it no longer gets what it shows.
func (b *PushBook) Add(ctx context.Context, admin string, s Subscription) (Subscription, error) {
	if err := s.check(); err != nil {
		return s, err
	}
	s.ID, s.Label = SubscriptionID(s.Endpoint), lang.Inert(s.Label, 80)
	if s.Created.IsZero() {
		s.Created = b.clock()
	}
	entries, err := b.st.Range(ctx, store.Query{Prefix: books.Prefix("", "push"), KeysOnly: true, Limit: 10000})
	if err != nil {
		return s, fmt.Errorf("reading push subscriptions: %w", err)
	}
	batch := store.Batch{}
	for _, e := range entries {
		if strings.HasSuffix(e.Key, "/"+s.ID) && e.Key != pushKey(admin, s.ID) {
			batch.Writes = append(batch.Writes, store.Write{Key: e.Key})
		}
	}
	mine, err := b.Of(ctx, admin)
	if err != nil {
		return s, err
	}
	mine = slices.DeleteFunc(mine, func(x Subscription) bool { return x.ID == s.ID })
	for len(mine) >= maxSubscriptions {
		batch.Writes = append(batch.Writes, store.Write{Key: pushKey(admin, mine[0].ID)})
		mine = mine[1:]
	}
	batch.Writes = append(batch.Writes, store.Write{Key: pushKey(admin, s.ID), Value: books.Encode(s)})
	if err := b.st.Apply(ctx, batch); err != nil {
		return s, fmt.Errorf("keeping a push subscription: %w", err)
	}
	return s, nil
}

// SubscriptionID names the subscription of an endpoint.
func SubscriptionID(endpoint string) string { return digest(endpoint)[:32] }

func (s Subscription) check() error {
	u, err := url.Parse(s.Endpoint)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(s.Endpoint) > 2000 {
		return ErrSubscription
	}
	point, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s.P256dh, "="))
	if err != nil {
		return ErrSubscription
	}
	if _, err := ecdh.P256().NewPublicKey(point); err != nil {
		return ErrSubscription
	}
	if auth, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s.Auth, "=")); err != nil || len(auth) != 16 {
		return ErrSubscription
	}
	return nil
}

// Of returns an admin's subscriptions, the oldest first.
func (b *PushBook) Of(ctx context.Context, admin string) ([]Subscription, error) {
	list, err := books.All[Subscription](ctx, b.st, books.Prefix("", "push", strings.ToLower(admin)))
	if err != nil {
		return nil, fmt.Errorf("reading push subscriptions: %w", err)
	}
	slices.SortFunc(list, func(a, b Subscription) int { return a.Created.Compare(b.Created) })
	return list, nil
}

// Remove takes a subscription away; one that is not there is no error.
func (b *PushBook) Remove(ctx context.Context, admin, id string) error {
	if err := b.st.Apply(ctx, store.Batch{Writes: []store.Write{{Key: pushKey(admin, id)}}}); err != nil {
		return fmt.Errorf("removing a push subscription: %w", err)
	}
	return nil
}
