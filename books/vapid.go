package books

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store"
)

// vapidRecord is the pair of keys with which push services know us (RFC
// 8292); the private one is sealed.
type vapidRecord struct {
	Public, Private []byte
	Made            time.Time
}

func vapidKey() string { return Key("", "vapid") }

// VAPID returns the key pair for web push (P-256, base64url without padding),
// made at first use. One that cannot be opened any more, as after a restore
// where the keys were left out, is made anew: browsers subscribe again then.
func VAPID(ctx context.Context, st store.Store, ring *seal.Ring, now time.Time) (public, private string, err error) {
	for range 50 {
		raw, err := st.Get(ctx, vapidKey())
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return "", "", fmt.Errorf("reading the push keys: %w", err)
		}
		var rec vapidRecord
		var plain []byte
		if err == nil && Decode(raw, &rec) == nil {
			plain, _ = ring.Open(nil, rec.Private, "vapid")
		}
		if plain != nil && ring.Newest(rec.Private) {
			return text(rec.Public), text(plain), nil
		}
		if plain == nil {
			pair, err := ecdh.P256().GenerateKey(rand.Reader)
			if err != nil {
				return "", "", fmt.Errorf("making push keys: %w", err)
			}
			plain, rec = pair.Bytes(), vapidRecord{Public: pair.PublicKey().Bytes(), Made: now}
		}
		rec.Private = ring.Seal(nil, plain, "vapid")
		err = st.Apply(ctx, store.Batch{
			Checks: []store.Check{{Key: vapidKey(), Value: raw}},
			Writes: []store.Write{{Key: vapidKey(), Value: Encode(rec)}},
		})
		if err != nil && !errors.Is(err, store.ErrConflict) {
			return "", "", fmt.Errorf("keeping the push keys: %w", err)
		}
	}
	return "", "", fmt.Errorf("keeping the push keys: %w", store.ErrConflict)
}

func text(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
