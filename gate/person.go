package gate

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
)

// entriesPerPerson bounds the verdicts remembered of one person; beyond it
// they are made anew.
const entriesPerPerson = 128

// person is what is in memory of one user in one application. When anything
// written concerns them the whole of it is dropped, never patched.
type person struct {
	key     personKey
	mu      sync.Mutex
	known   atomic.Pointer[known]
	entries sync.Map // visitKey -> *entry
	count   atomic.Int32
	// gone says that it left memory: something was written, or it was
	// crowded out.
	gone atomic.Bool
	// groups are those the store is known to have of them, see groupsText; nil
	// where nobody has looked yet.
	groups atomic.Pointer[string]
}

// known is what the store holds of a person, read once.
type known struct {
	epoch       uint64
	user        books.User
	rules       []access.Rule
	connections []books.Connection
	visits      []access.Visit
}

// visitKey is what a visit is looked up by. The place is a function of the
// address and is compared besides.
type visitKey struct {
	device       string
	kind         access.Kind
	browser      access.Browser
	address      netip.Addr
	groups       string
	circumstance Circumstance
}

func visitKeyOf(v access.Visit, c Circumstance) visitKey {
	k := visitKey{device: v.Device.ID, kind: v.Device.Kind, browser: v.Browser, address: v.Place.Address, circumstance: c}
	k.groups = groupsText(v.Groups)
	return k
}

// entry is one remembered verdict, and the connection it was made about.
type entry struct {
	visit   access.Visit
	adopted bool
	verdict access.Verdict
	epoch   uint64
	// ends is when a rule that may matter ends; zero for never.
	ends time.Time
	// noted is the Unix second at which the visit was last recorded.
	noted atomic.Int64
	// connection is the recorded connection it belongs to; its ID is empty
	// until it was first recorded. Guarded by the recorder.
	connection books.Connection
}

func (p *person) remembered(key visitKey, v access.Visit, epoch uint64, now time.Time) (*entry, bool) {
	x, ok := p.entries.Load(key)
	if !ok {
		return nil, false
	}
	e := x.(*entry)
	if e.epoch != epoch || e.visit.Place != v.Place || (!e.ends.IsZero() && !now.Before(e.ends)) {
		return nil, false
	}
	return e, true
}

func (p *person) remember(key visitKey, e *entry) {
	if old, loaded := p.entries.Swap(key, e); loaded {
		// The same connection was judged before: keep when it was noted.
		prior := old.(*entry)
		if prior.verdict.Answer == e.verdict.Answer && prior.visit.Place == e.visit.Place {
			e.noted.Store(prior.noted.Load())
		}
		return
	}
	if p.count.Add(1) > entriesPerPerson {
		p.entries.Clear()
		p.count.Store(1)
		p.entries.Store(key, e)
	}
}

// load returns what is known of the person, from memory when it was read
// under the same epoch.
func (p *person) load(ctx context.Context, b *books.Books, limit int, epoch uint64) (*known, error) {
	if k := p.known.Load(); k != nil && k.epoch == epoch {
		return k, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if k := p.known.Load(); k != nil && k.epoch == epoch {
		return k, nil
	}
	k := &known{epoch: epoch}
	var err error
	if k.rules, err = b.Rules.For(ctx, p.key.application, p.key.user); err != nil {
		return nil, err
	}
	if p.key.user != "" {
		if k.user, err = b.Users.Get(ctx, p.key.user); err != nil {
			return nil, err
		}
		if k.connections, err = b.Connections.Of(ctx, p.key.application, p.key.user, limit); err != nil {
			return nil, err
		}
	}
	k.visits = make([]access.Visit, len(k.connections))
	for i, c := range k.connections {
		k.visits[i] = c.Visit()
	}
	p.known.Store(k)
	return k, nil
}

// find returns the recorded connection that a visit belongs to, or a fresh
// one.
func (k *known) find(v access.Visit, policy access.Policy) books.Connection {
	place, placed := policy.SamePlace.Key(v.Place)
	browser := policy.SameBrowser.Key(v.Browser)
	for _, c := range k.connections {
		if c.Device.ID != v.Device.ID || policy.SameBrowser.Key(c.Browser) != browser {
			continue
		}
		there, ok := policy.SamePlace.Key(c.Place)
		if ok == placed && there == place {
			return c
		}
	}
	return books.Connection{User: v.User, Application: v.Application, Device: v.Device, Browser: v.Browser, Place: v.Place}
}
