package adminui

import (
	"context"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/passkey"
)

// Passkeys returns an admin's passkeys, the newest last; false where there is
// no such admin.
func (c *Console) Passkeys(ctx context.Context, email string) ([]passkey.Passkey, bool, error) {
	admin, ok := c.admin(email)
	if !ok {
		return nil, false, nil
	}
	list, err := c.keys.Of(ctx, adminKeys(admin.Email))
	return list, true, err
}

// RemovePasskey takes one of an admin's passkeys away and ends the sessions
// that it opened, but for the one named. Note is who does it; passkey.ErrNone
// where there is no such passkey.
func (c *Console) RemovePasskey(ctx context.Context, email, id string, note books.Entry, but string) (passkey.Passkey, error) {
	gone, err := c.keys.Remove(ctx, adminKeys(email), id, note)
	if err != nil {
		return gone, err
	}
	_, err = c.sessions.end(ctx, canonical(email), func(s session) bool { return s.Passkey == id && s.ID != but })
	return gone, err
}
