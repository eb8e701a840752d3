package approvals

import (
	"context"
	"fmt"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store"
)

// sentLimit bounds what is kept of notices that no channel carries.
const sentLimit = 100

// SentBook keeps the last hundred notices that were only logged, because no
// channel is configured, so that the console can show what would be sent.
type SentBook struct {
	st    store.Store
	ring  func() *seal.Ring
	clock func() time.Time
}

// NewSentBook makes the book. Ring seals links; a nil clock means time.Now.
func NewSentBook(b *books.Books, ring func() *seal.Ring, clock func() time.Time) *SentBook {
	if clock == nil {
		clock = time.Now
	}
	return &SentBook{st: b.Store, ring: ring, clock: clock}
}

// sent is a kept notice; its link is sealed, since it opens something.
type sent struct {
	Notice Notice
	Link   []byte
	At     time.Time
}

// SentNotice is one notice that would have been sent.
type SentNotice struct {
	Notice
	At time.Time
}

func sentPrefix() string { return books.Prefix("", "sent") }

// Keep adds a notice and forgets those over the hundredth. A notice kept
// twice is there once.
func (b *SentBook) Keep(ctx context.Context, n Notice) error {
	s := sent{Notice: n, At: b.clock()}
	if n.Link != "" {
		s.Link = b.ring().Seal(nil, []byte(n.Link), "sent-link", n.ID)
	}
	s.Notice.Link, s.Notice.Ask = "", WithoutSecrets(n.Ask)
	old, err := b.st.Range(ctx, store.Query{Prefix: sentPrefix(), Reverse: true, KeysOnly: true})
	if err != nil {
		return fmt.Errorf("reading kept notices: %w", err)
	}
	key := books.Key("", "sent", n.ID)
	writes := []store.Write{{Key: key, Value: books.Encode(s), TTL: failedKept}}
	kept := 1
	for _, e := range old {
		if e.Key == key {
			continue
		}
		if kept++; kept > sentLimit {
			writes = append(writes, store.Write{Key: e.Key})
		}
	}
	if err := b.st.Apply(ctx, store.Batch{Writes: writes}); err != nil {
		return fmt.Errorf("keeping a notice: %w", err)
	}
	return nil
}

// List returns what is kept, newest first.
func (b *SentBook) List(ctx context.Context) ([]SentNotice, error) {
	var list []SentNotice
	err := books.Each(ctx, b.st, store.Query{Prefix: sentPrefix(), Reverse: true}, func(_ string, s sent) bool {
		if link, err := b.ring().Open(nil, s.Link, "sent-link", s.Notice.ID); err == nil {
			s.Notice.Link = string(link)
		}
		list = append(list, SentNotice{s.Notice, s.At})
		return len(list) < sentLimit
	})
	if err != nil {
		return nil, fmt.Errorf("reading kept notices: %w", err)
	}
	return list, nil
}
