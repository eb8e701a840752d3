package gate

import (
	"iter"
	"unsafe"

	"github.com/maypok86/otter/v2"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/books"
)

// peopleBytes is how much the people in memory take by default: some 13,000
// with a connection each.
const peopleBytes = 32 << 20

// strangersShare is the part of it for people who were not let in yet by more
// than an open padlock: one of so many.
const strangersShare = 4

// What a person in memory takes, in bytes, besides what they have.
const (
	// placed is what the cache needs to find somebody: its node, its part of the
	// table and of the count of who comes how often.
	placed = 256
	// newcomer is what everybody counts for from the moment they come: what they
	// have once they were judged, so that they are weighed once.
	newcomer = placed + int(unsafe.Sizeof(person{})+unsafe.Sizeof(entries{})+unsafe.Sizeof(entry{})+2*unsafe.Sizeof(access.Verdict{})+unsafe.Sizeof(known{})) + 256
	// again is by what a weight has to be wrong to be told.
	again = 512
)

// people are those in memory, up to a number of bytes. Each is among the known,
// or among the strangers until the gate lets them in by something that is
// written: a rule, full access, an earlier visit. So whoever floods the gate with
// people it does not know pushes out strangers only, however long it lasts
// (threat L22). Within both who comes often stays (W-TinyLFU).
type people struct {
	known, strangers *otter.Cache[personKey, *person]
}

func newPeople(bytes uint64) people {
	few := bytes / strangersShare
	return people{cacheOf(bytes-few, func(*person) bool { return true }), cacheOf(few, func(p *person) bool { return !p.promoted.Load() })}
}

// cacheOf keeps people up to a number of bytes. Who leaves it is gone where
// they lived in it.
func cacheOf(bytes uint64, lives func(*person) bool) *otter.Cache[personKey, *person] {
	return otter.Must(&otter.Options[personKey, *person]{
		MaximumWeight: max(bytes, 1),
		// Who comes how often is counted from the beginning, and for as many as
		// there will be: it is forgotten where that has to grow.
		InitialCapacity: int(bytes/uint64(newcomer)) + 1, //nolint:gosec // thousands
		Weigher: func(_ personKey, p *person) uint32 {
			n := p.bytes()
			p.weighed.Store(n)
			return n
		},
		OnAtomicDeletion: func(e otter.DeletionEvent[personKey, *person]) {
			// Nobody is replaced but by themself: see weigh.
			if e.Cause != otter.CauseReplacement && lives(e.Value) {
				e.Value.gone.Store(true)
			}
		},
	})
}

// get returns who is in memory under a key, or puts a stranger there of whom
// nothing is read yet.
func (c people) get(key personKey) *person {
	if p, ok := c.known.GetIfPresent(key); ok {
		return p
	}
	if p, ok := c.strangers.GetIfPresent(key); ok {
		return p
	}
	p, _ := c.strangers.SetIfAbsent(key, &person{key: key})
	return p
}

// look returns who is in memory under a key, nil for nobody. It is no use of
// them: who is only looked at does not stay for it.
func (c people) look(key personKey) *person {
	for _, cache := range []*otter.Cache[personKey, *person]{c.known, c.strangers} {
		if e, ok := cache.GetEntryQuietly(key); ok {
			return e.Value
		}
	}
	return nil
}

// promote puts a stranger among the known. One who left memory meanwhile stays
// out of it, since what was read of them may be old: drop looks among the
// strangers first, and who was there then is seen to be gone here.
func (c people) promote(p *person) {
	if p.promoted.Load() || p.weighed.Load() == 0 {
		return
	}
	c.known.Compute(p.key, func(old *person, found bool) (*person, otter.ComputeOp) {
		if found || p.gone.Load() {
			return old, otter.CancelOp
		}
		p.promoted.Store(true)
		return p, otter.WriteOp
	})
	if p.gone.Load() {
		c.drop(p.key)
		return
	}
	c.strangers.ComputeIfPresent(p.key, func(old *person) (*person, otter.ComputeOp) {
		if old != p {
			return old, otter.CancelOp
		}
		return nil, otter.InvalidateOp
	})
}

// drop forgets who is under a key.
func (c people) drop(key personKey) {
	c.strangers.Invalidate(key) // first: see promote
	c.known.Invalidate(key)
}

func (c people) dropAll() {
	c.strangers.InvalidateAll()
	c.known.InvalidateAll()
}

// all are the people in memory.
func (c people) all() iter.Seq2[personKey, *person] {
	return func(yield func(personKey, *person) bool) {
		for _, cache := range []*otter.Cache[personKey, *person]{c.known, c.strangers} {
			for key, p := range cache.All() {
				if !yield(key, p) {
					return
				}
			}
		}
	}
}

// weigh tells what somebody has grown to. One who left memory meanwhile stays
// out of it.
func (c people) weigh(p *person) {
	before := p.weighed.Load()
	if before == 0 { // never in memory
		return
	}
	if n := p.bytes(); n <= before+again && before <= n+again {
		return
	}
	cache := c.strangers
	if p.promoted.Load() {
		cache = c.known
	}
	cache.ComputeIfPresent(p.key, func(old *person) (*person, otter.ComputeOp) {
		if old != p {
			return old, otter.CancelOp
		}
		return p, otter.WriteOp
	})
}

// bytes is about what a person takes in memory. Texts that are many people's
// (a city, a browser) are counted with each.
func (p *person) bytes() uint32 {
	n := placed + int(unsafe.Sizeof(*p)) + len(p.key.user)
	if groups := p.groups.Load(); groups != nil {
		n += len(*groups)
	}
	if s := p.entries.Load(); s != nil {
		n += int(unsafe.Sizeof(*s))
		for _, e := range s.list {
			n += 8 + int(unsafe.Sizeof(*e)) + visitTexts(&e.visit) + 2*len(e.groups) + 16*len(e.visit.Groups) + len(e.past.id) + ruleTexts(&e.verdict.Rule) + 64
			if e.verdict.Shadow != nil {
				n += int(unsafe.Sizeof(*e.verdict.Shadow)) + ruleTexts(&e.verdict.Shadow.Rule)
			}
			if s.by != nil {
				n += int(unsafe.Sizeof(visitKey{})) * 3 / 2
			}
		}
	}
	if k := p.known.Load(); k != nil {
		n += int(unsafe.Sizeof(*k))
		if k.own {
			for i := range k.rules {
				n += int(unsafe.Sizeof(k.rules[i])) + ruleTexts(&k.rules[i])
			}
		}
		for i := range k.connections {
			v := k.connections[i].Visit()
			n += int(unsafe.Sizeof(books.Connection{})) + len(k.connections[i].ID) + visitTexts(&v)
		}
	}
	return uint32(min(max(n, newcomer), 1<<31)) //nolint:gosec // within it
}

func visitTexts(v *access.Visit) int {
	return len(v.Device.ID) + len(v.Device.Label) + len(v.Browser.Family) + len(v.Browser.Version) + len(v.Place.City) + len(v.Place.Region) + len(v.Place.Owner)
}

func ruleTexts(r *access.Rule) int {
	return len(r.ID) + len(r.Device) + len(r.Author) + len(r.Note) + len(r.Place.City) + len(r.Place.Owner)
}
