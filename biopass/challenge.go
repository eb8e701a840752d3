package biopass

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// Purpose says what a line is typed for. A line drawn for one is worth
// nothing for the other.
type Purpose string

// The purposes.
const (
	Enrolling Purpose = "enrol"
	Verifying Purpose = "verify"
)

// The life of a line: so long from its drawing to the first key, and so long
// from there to the last.
const (
	StartGrace = time.Minute
	LineLife   = time.Minute
)

// Challenge is one line to type. It is kept by the server, typed once, and
// bound to one application, user, device and step of one purpose (threat
// L27).
type Challenge struct {
	ID   string
	User string
	// Step is 1 to EnrolPrints in enrolment, the number of the try else.
	Purpose Purpose
	Step    int
	Words   []string
	// Made is when it was drawn; Begun when its first key was told of, zero
	// before. They are by the clock of whichever instance was asked.
	Made, Begun time.Time

	// age is how long ago the line was drawn or, once it is begun, begun: by
	// the clock of the store, which all instances share. Theirs may differ by a
	// minute, and a line begun on one may end on another.
	age time.Duration
}

// lineKept is how long the store keeps a line from its last write.
const lineKept = StartGrace + LineLife + time.Minute

// lines keeps the challenges: one a device and application, the newest.
type lines struct {
	st    store.Store
	clock func() time.Time
}

func lineKey(application, device string) string {
	return books.Key(application, "biopass-line", device)
}

// draw makes a fresh line, which takes the place of the one before.
func (l lines) draw(ctx context.Context, application, device string, c Challenge, language string, words int) (Challenge, error) {
	c.ID, c.Made, c.Begun, c.Words = newSecret(), l.clock(), time.Time{}, drawLine(language, words)
	err := l.st.Apply(ctx, store.Batch{Writes: []store.Write{l.write(application, device, c)}})
	if err != nil {
		return Challenge{}, fmt.Errorf("keeping a line to type: %w", err)
	}
	return c, nil
}

func (l lines) write(application, device string, c Challenge) store.Write {
	return store.Write{Key: lineKey(application, device), Value: books.Encode(c), TTL: lineKept}
}

// begin starts the server's own clock, once; typing that was timed by the
// browser alone could claim any length.
func (l lines) begin(ctx context.Context, application, device, id string) error {
	c, raw, err := l.read(ctx, application, device, id)
	if err != nil {
		return err
	}
	if !c.Begun.IsZero() || c.age > StartGrace {
		return RefusedLate
	}
	c.Begun = l.clock()
	return l.apply(ctx, store.Batch{
		Checks: []store.Check{{Key: lineKey(application, device), Value: raw}},
		Writes: []store.Write{l.write(application, device, c)},
	})
}

// take uses a line up: whatever comes of the typing, it is never typed again.
func (l lines) take(ctx context.Context, application, device, id string) (Challenge, error) {
	c, raw, err := l.read(ctx, application, device, id)
	if err != nil {
		return Challenge{}, err
	}
	key := lineKey(application, device)
	err = l.apply(ctx, store.Batch{
		Checks: []store.Check{{Key: key, Value: raw}}, Writes: []store.Write{{Key: key}},
	})
	if err != nil {
		return Challenge{}, err
	}
	if c.Begun.IsZero() || c.age > LineLife+clockSlack {
		return Challenge{}, RefusedLate
	}
	return c, nil
}

func (l lines) read(ctx context.Context, application, device, id string) (Challenge, []byte, error) {
	key := lineKey(application, device)
	found, err := l.st.Range(ctx, store.Query{Prefix: key, Limit: 1}) // which tells its age
	if err != nil {
		return Challenge{}, nil, fmt.Errorf("reading a line to type: %w", err)
	}
	if len(found) == 0 || found[0].Key != key {
		return Challenge{}, nil, RefusedLate
	}
	raw := found[0].Value
	var c Challenge
	if err := books.Decode(raw, &c); err != nil {
		return Challenge{}, nil, err
	}
	c.age = lineKept - found[0].TTL
	if subtle.ConstantTimeCompare([]byte(c.ID), []byte(id)) != 1 {
		return Challenge{}, nil, RefusedLate
	}
	return c, raw, nil
}

// apply says RefusedLate where another request was first.
func (l lines) apply(ctx context.Context, b store.Batch) error {
	err := l.st.Apply(ctx, b)
	if errors.Is(err, store.ErrConflict) {
		return RefusedLate
	}
	if err != nil {
		return fmt.Errorf("changing a line to type: %w", err)
	}
	return nil
}

// newSecret is 128 random bits (threat L15).
func newSecret() string {
	var b [16]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}
