package gate

import (
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
	key personKey
	// mu is held while known is being read.
	mu      sync.Mutex
	known   atomic.Pointer[known]
	entries atomic.Pointer[entries]
	// gone says that it left memory: something was written, or it was
	// crowded out.
	gone atomic.Bool
	// groups are those the store is known to have of them, see groupsText; nil
	// where nobody has looked yet.
	groups atomic.Pointer[string]
	// promoted says that it is among the known: see people. weighed is how many
	// bytes memory counts for it; 0 where it was never in memory.
	promoted atomic.Bool
	weighed  atomic.Uint32
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
	visit        access.Visit
	groups       string // as in its key
	circumstance Circumstance
	verdict      access.Verdict
	epoch        uint64
	// ends is when a rule that may matter ends; zero for never.
	ends time.Time
	// noted is the Unix second at which the visit was last recorded.
	noted atomic.Int64
	// past is the recorded connection it belongs to; its ID is empty until it
	// was first recorded. Guarded by the recorder.
	past past
}

// past is what a recorded connection has beyond the visit that it was made of.
type past struct {
	id          string
	first, last time.Time
	count       uint64
	adopted     bool
	unknown     books.Unknown
}

func pastOf(c books.Connection) past {
	return past{c.ID, c.First, c.Last, c.Count, c.Adopted, c.Unknown}
}

// connection is the recorded connection of a visit, as it was last seen.
func (p past) connection(v access.Visit) books.Connection {
	return books.Connection{
		ID: p.id, User: v.User, Application: v.Application, Device: v.Device, Browser: v.Browser, Place: v.Place,
		First: p.first, Last: p.last, Count: p.count, Adopted: p.adopted, Unknown: p.unknown,
	}
}

// key is what the entry is found by.
func (e *entry) key() visitKey {
	return visitKey{e.visit.Device.ID, e.visit.Device.Kind, e.visit.Browser, e.visit.Place.Address, e.groups, e.circumstance}
}

// is reports whether the entry is found by a key.
func (e *entry) is(k *visitKey) bool {
	return e.visit.Device.ID == k.device && e.visit.Place.Address == k.address && e.circumstance == k.circumstance &&
		e.visit.Browser == k.browser && e.visit.Device.Kind == k.kind && e.groups == k.groups
}

// entries are the verdicts remembered of one person. They are never changed,
// only replaced, so that reading them takes no lock. Nearly everybody has one
// or two, which a list is the least for.
type entries struct {
	list []*entry
	// by finds them where the list is long; nil where it is short.
	by map[visitKey]int
}

// fewEntries is how many are looked through one by one.
const fewEntries = 8

// find returns where the entry of a key is in the list, or -1.
func (s *entries) find(key *visitKey) int {
	if s == nil {
		return -1
	}
	if s.by != nil {
		if i, ok := s.by[*key]; ok {
			return i
		}
		return -1
	}
	for i, e := range s.list {
		if e.is(key) {
			return i
		}
	}
	return -1
}

// with returns the entries with one more, or in the place of the one that has
// its key.
func (s *entries) with(e *entry, at int) *entries {
	if s == nil || (at < 0 && len(s.list) >= entriesPerPerson) {
		return &entries{list: []*entry{e}}
	}
	fresh := &entries{list: make([]*entry, len(s.list), len(s.list)+1), by: s.by}
	copy(fresh.list, s.list)
	if at >= 0 {
		fresh.list[at] = e
		return fresh
	}
	fresh.list = append(fresh.list, e)
	if fresh.by = nil; len(fresh.list) > fewEntries {
		fresh.by = make(map[visitKey]int, len(fresh.list))
		for i, one := range fresh.list {
			fresh.by[one.key()] = i
		}
	}
	return fresh
}

func (p *person) remembered(key *visitKey, v *access.Visit, epoch uint64, now time.Time) (*entry, bool) {
	s := p.entries.Load()
	at := s.find(key)
	if at < 0 {
		return nil, false
	}
	e := s.list[at]
	if e.epoch != epoch || e.visit.Place != v.Place || (!e.ends.IsZero() && !now.Before(e.ends)) {
		return nil, false
	}
	return e, true
}

// remember keeps an entry whose key is given.
func (p *person) remember(key *visitKey, e *entry) {
	for {
		s := p.entries.Load()
		at := s.find(key)
		if at >= 0 {
			// The same connection was judged before: keep when it was noted.
			if prior := s.list[at]; prior.verdict.Answer == e.verdict.Answer && prior.visit.Place == e.visit.Place {
				e.noted.Store(prior.noted.Load())
			}
		}
		if p.entries.CompareAndSwap(s, s.with(e, at)) {
			return
		}
	}
}
