package approvals

import (
	"context"
	"fmt"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// The outbox: notices are written in the batch of what they tell of, and go
// out from there, at least once. Each channel tells repeats apart by the
// notice's identifier.
const (
	giveUpAfter = 24 * time.Hour
	sentKept    = 7 * 24 * time.Hour
	failedKept  = 30 * 24 * time.Hour
	sendTimeout = 30 * time.Second
	// longer than sendTimeout, or two instances send; by a minute and more, since
	// their clocks may differ by one
	leaseFor     = 2 * time.Minute
	firstBackoff = 5 * time.Second
	lastBackoff  = time.Hour
	// helpAfter is after how many failures another channel is used too.
	helpAfter = 3
)

// parcel is a notice on its way.
type parcel struct {
	// Notice is without its Ask and Link: they are put in when it goes out.
	Notice Notice
	AskID  string
	// Link is the sealed link of a notice that brought its own, Code its
	// sealed code.
	Link, Code []byte
	Due        time.Time
	// From is when the hour began that a digest tells of.
	From time.Time
	// LeaseBy is the instance that is sending it, until LeaseUntil: of
	// several instances one sends, and one that died holds it up shortly.
	LeaseBy    string
	LeaseUntil time.Time
	Tries      int
	LastError  string
	// Helped says that another channel was asked to make up for this one.
	Helped bool

	books.Unknown
	// raw is what the store holds.
	raw []byte
}

// group is the key part under which a request's parcels lie.
func (p parcel) group() string {
	if p.AskID == "" {
		return "~" // behind all identifiers of requests
	}
	return p.AskID
}

func (p parcel) key() string {
	return books.Key(p.Notice.Application, "outbox", p.group(), p.Notice.ID)
}

func (p parcel) write() store.Write {
	return store.Write{Key: p.key(), Value: books.Encode(p), TTL: giveUpAfter + 7*24*time.Hour}
}

// DeliveryState says what became of a notice.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryPending DeliveryState = "pending"
	DeliverySent    DeliveryState = "sent"
	// DeliveryArrived is sent, and the channel says that it arrived.
	DeliveryArrived DeliveryState = "arrived"
	DeliveryFailed  DeliveryState = "failed"
)

// Delivery is what became of one notice, for the console.
type Delivery struct {
	// Notice has neither Ask nor Link.
	Notice Notice
	AskID  string
	State  DeliveryState
	// At is when it was sent, when it arrived or when it was given up; for a pending one when it is tried
	// next.
	At    time.Time
	Tries int
	// Error is why it failed, or why it was not sent yet.
	Error string
}

func doneKey(n Notice) string { return books.Key(n.Application, "outbox-done", n.ID) }

// Deliveries returns what became of an application's notices: up to limit
// that wait, then up to limit that are done with, the newest of these first.
// The application "" has those that belong to none.
func (s *Service) Deliveries(ctx context.Context, application string, limit int) ([]Delivery, error) {
	var list []Delivery
	err := books.Each(ctx, s.st, store.Query{Prefix: books.Prefix(application, "outbox"), Limit: limit}, func(_ string, p parcel) bool {
		list = append(list, Delivery{
			Notice: p.Notice, AskID: p.AskID, State: DeliveryPending, At: p.Due, Tries: p.Tries, Error: p.LastError,
		})
		return len(list) < limit
	})
	if err != nil {
		return nil, fmt.Errorf("reading the outbox: %w", err)
	}
	done := 0
	q := store.Query{Prefix: books.Prefix(application, "outbox-done"), Reverse: true, Limit: limit}
	err = books.Each(ctx, s.st, q, func(_ string, d Delivery) bool {
		list = append(list, d)
		done++
		return done < limit
	})
	if err != nil {
		return nil, fmt.Errorf("reading sent notices: %w", err)
	}
	return list, nil
}

// Queue puts a notice into the outbox that comes from elsewhere: a console's
// sign-in link, or a test message. ID and Created are set where they are
// missing; a Link is kept sealed until it goes out. Application may be empty.
func (s *Service) Queue(ctx context.Context, n Notice) error {
	now := s.conf.Clock()
	if n.ID == "" {
		n.ID = books.NewID(now)
	}
	if n.Created.IsZero() {
		n.Created = now
	}
	p := parcel{Notice: n, Due: now}
	if n.Link != "" {
		p.Link = s.conf.Ring().Seal(nil, []byte(n.Link), "notice-link", n.ID)
	}
	p.Notice.Link, p.Notice.Code, p.Notice.Ask = "", "", AccessRequest{}
	if err := s.st.Apply(ctx, store.Batch{Writes: []store.Write{p.write()}}); err != nil {
		return fmt.Errorf("queueing a notice: %w", err)
	}
	return nil
}

// dropNotices are the writes that take a request's waiting notices out, and
// what is in them: once decided, nobody need be asked. One that is being sent
// at this moment may still arrive; its page then says who decided.
func (s *Service) dropNotices(ctx context.Context, application, ask string) ([]store.Write, []parcel, error) {
	waiting, err := s.waitingFor(ctx, application, ask)
	if err != nil {
		return nil, nil, err
	}
	writes := make([]store.Write, 0, len(waiting)+4)
	for _, p := range waiting {
		writes = append(writes, store.Write{Key: p.key()})
	}
	return writes, waiting, nil
}

// waitingFor are the parcels of a request that did not go out yet.
func (s *Service) waitingFor(ctx context.Context, application, ask string) ([]parcel, error) {
	entries, err := s.st.Range(ctx, store.Query{Prefix: books.Prefix(application, "outbox", ask)})
	if err != nil {
		return nil, fmt.Errorf("reading the outbox: %w", err)
	}
	list := make([]parcel, 0, len(entries))
	for _, e := range entries {
		p := parcel{raw: e.Value}
		if err := books.Decode(e.Value, &p); err != nil {
			return nil, fmt.Errorf("%s: %w", e.Key, err)
		}
		list = append(list, p)
	}
	return list, nil
}
