package gate

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// ErrWithdrawn is the cause of a context whose verdict was withdrawn while
// its request was under way.
var ErrWithdrawn = errors.New("access was withdrawn")

const shards = 32

// sockets are the requests under way, by person, so that a revocation
// reaches open WebSockets, event streams and downloads (X10, L20). They are
// lists through the sockets themselves, those of one person in one list: to
// enter and to leave allocates nothing and holds one lock of many for some
// instructions.
type sockets struct {
	seed    maphash.Seed
	once    sync.Once
	shard   [shards]shard
	reviews atomic.Uint64
}

type shard struct {
	mu    sync.Mutex
	first *Socket
}

// Underway is a request that may be asked whether it may go on, and cut.
type Underway interface {
	Still(ctx context.Context) bool
	// Cut ends it, and says why: ErrWithdrawn. It is called while the request is
	// entered and not after, and must not come back to the gate.
	Cut(cause error)
}

// Socket is one request under way that may be cut. It may be part of a larger
// struct; it must not be copied once it was entered.
type Socket struct {
	// Application and User are whose it is; User is empty for nobody's.
	Application, User string
	// Device and Login are those it came with; empty for none.
	Device, Login string
	// Request is asked when something was written that may concern it.
	Request Underway

	entered    bool // under the lock of shard
	shard      *shard
	prev, next *Socket
}

func (s *Socket) key() personKey { return personKey{s.Application, s.User} }

// Enter registers a request under way; Close must be called when it ends.
func (g *Gate) Enter(s *Socket) {
	s.shard = &g.sockets.shard[g.sockets.of(s.User)]
	s.shard.mu.Lock()
	if s.next = s.shard.first; s.next != nil {
		s.next.prev = s
	}
	s.shard.first, s.entered = s, true
	s.shard.mu.Unlock()
}

// Close ends the registration of a request that is over, or that nothing may
// cut any more; the second time it does nothing. It is not cut after that.
func (s *Socket) Close() {
	s.shard.mu.Lock()
	defer s.shard.mu.Unlock()
	if !s.entered {
		return
	}
	s.entered = false
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		s.shard.first = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	}
	s.prev, s.next = nil, nil
}

// cut ends a request under way. One that is over meanwhile is left alone: what
// ends it may serve another by now.
func (s *Socket) cut() {
	s.shard.mu.Lock()
	defer s.shard.mu.Unlock()
	if s.entered {
		s.Request.Cut(ErrWithdrawn)
	}
}

// of is the list that the requests of a user are in, whatever the application:
// they are found together when the user is locked.
func (k *sockets) of(user string) uint64 {
	k.once.Do(func() { k.seed = maphash.MakeSeed() })
	return maphash.String(k.seed, user) % shards
}

// Reviews counts how often requests under way were looked at to be cut. Who
// asked the gate before such a look and enters after it was seen by neither:
// they ask once more.
func (g *Gate) Reviews() uint64 { return g.sockets.reviews.Load() }

// matching returns the sockets for which ok says yes; person narrows it to
// one person where it is not nil.
func (k *sockets) matching(person *personKey, ok func(*Socket) bool) []*Socket {
	k.reviews.Add(1)
	var found []*Socket
	take := func(sh *shard) {
		sh.mu.Lock()
		defer sh.mu.Unlock()
		for s := sh.first; s != nil; s = s.next {
			if (person == nil || s.User == person.user && s.Application == person.application) && ok(s) {
				found = append(found, s)
			}
		}
	}
	if person != nil {
		take(&k.shard[k.of(person.user)])
		return found
	}
	for i := range k.shard {
		take(&k.shard[i])
	}
	return found
}

// recheck asks each socket whether it may go on and cuts those that may not.
func recheck(ctx context.Context, list []*Socket) {
	for _, s := range list {
		if !s.Request.Still(ctx) {
			s.cut()
		}
	}
}

// Cut ends the requests under way of a device or of a login in an
// application, without asking them: somebody signed in anew on the device, or
// the login has ended. An empty device or login is nobody's.
func (g *Gate) Cut(application, device, login string) {
	for _, s := range g.sockets.matching(nil, func(s *Socket) bool {
		return s.Application == application && (device != "" && s.Device == device || login != "" && s.Login == login)
	}) {
		s.cut()
	}
}

// Open returns how many requests are under way.
func (g *Gate) Open() (n int) {
	for i := range g.sockets.shard {
		sh := &g.sockets.shard[i]
		sh.mu.Lock()
		for s := sh.first; s != nil; s = s.next {
			n++
		}
		sh.mu.Unlock()
	}
	return n
}
