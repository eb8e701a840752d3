package passkey

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// ChallengeLife is how long a challenge can be answered: as long as browsers
// wait for the person at the most.
const ChallengeLife = 5 * time.Minute

// A challenge is a sealed box with its end, 128 random bits and, for a passkey
// that is to be made, the user handle. Nothing is kept while it waits for its
// answer, so a stranger who asks for a million of them fills nothing (threat
// L22); any instance that has the ring takes the answer. What was answered is
// kept until the challenge is over, which makes it single-use.
const challengePurpose = "passkey challenge"

const (
	challengeRandom = 16
	handleSize      = 32
)

// use is what a challenge is for; it is bound into the box.
type use struct {
	// what is "add" or "sign-in".
	what string
	// owner is whose passkey, empty where that is told by the answer.
	owner Owner
	// bound is what else must be the same on the way back: a session, a
	// sign-in that waits.
	bound string
}

func (p *Party) context(u use) []string {
	return []string{p.host, u.what, u.owner.Application, u.owner.Name, u.bound}
}

func (p *Party) challenge(u use, handle []byte) []byte {
	plain := make([]byte, 8, 8+challengeRandom+len(handle))
	binary.BigEndian.PutUint64(plain, uint64(p.clock().Add(ChallengeLife).Unix())) //nolint:gosec // after 1970
	var random [challengeRandom]byte
	rand.Read(random[:]) // never fails since Go 1.24
	plain = append(append(plain, random[:]...), handle...)
	return p.ring().Seal(nil, plain, challengePurpose, p.context(u)...)
}

// open reads the challenge that an answer bears, and returns the user handle in
// it. What is not ours, for something else, or over is ErrLate.
func (p *Party) open(given string, u use) (handle []byte, err error) {
	if len(given) > 1000 {
		return nil, ErrLate
	}
	box, err := base64.RawURLEncoding.DecodeString(given)
	if err != nil {
		return nil, ErrLate
	}
	plain, err := p.ring().Open(nil, box, challengePurpose, p.context(u)...)
	if err != nil || len(plain) < 8+challengeRandom {
		return nil, ErrLate
	}
	until := time.Unix(int64(binary.BigEndian.Uint64(plain)), 0) //nolint:gosec // we wrote it
	if now := p.clock(); !now.Before(until) || until.Sub(now) > 2*ChallengeLife {
		return nil, ErrLate
	}
	return plain[8+challengeRandom:], nil
}

// answeredKey is where an answered challenge is kept, in the partition of its
// owner.
func answeredKey(application, challenge string) string {
	sum := sha256.Sum256([]byte(challenge))
	return books.Key(application, "passkey-answered", text(sum[:]))
}

// answered makes a batch fail where a challenge was answered before.
func answered(batch store.Batch, application, challenge string) store.Batch {
	key := answeredKey(application, challenge)
	batch.Checks = append(batch.Checks, store.Check{Key: key})
	batch.Writes = append(batch.Writes, store.Write{Key: key, Value: []byte{1}, TTL: 2 * ChallengeLife})
	return batch
}

// fresh refuses a challenge that was answered before. The batch that takes the
// answer checks it again.
func (b *Book) fresh(ctx context.Context, application, challenge string) error {
	_, err := b.st.Get(ctx, answeredKey(application, challenge))
	switch {
	case err == nil:
		return ErrLate
	case isNotFound(err):
		return nil
	}
	return fmt.Errorf("looking whether a challenge was answered: %w", err)
}
