package gate

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
)

// ErrWithdrawn is the cause of a context whose verdict was withdrawn while
// its request was under way.
var ErrWithdrawn = errors.New("access was withdrawn")

const shards = 32

// sockets are the requests under way, by person, so that a revocation
// reaches open WebSockets, event streams and downloads (X10, L20). Each
// person's are a list through the sockets themselves: to enter and to leave
// allocates nothing and holds one lock of many for some instructions.
type sockets struct {
	seed  maphash.Seed
	once  sync.Once
	shard [shards]shard
}

type shard struct {
	mu sync.Mutex
	by map[personKey]*Socket // the first of each list
}

// Underway is a request that may be asked whether it may go on.
type Underway interface {
	Still(ctx context.Context) bool
}

// Still is an Underway of one function.
type Still func(ctx context.Context) bool

// Still calls it.
func (s Still) Still(ctx context.Context) bool { return s(ctx) }

// Socket is one request under way that may be cut. It may be part of a larger
// struct; it must not be copied once it was entered.
type Socket struct {
	// Application and User are whose it is; User is empty for nobody's.
	Application, User string
	// Device and Login are those it came with; empty for none.
	Device, Login string
	// Request is asked when something was written that may concern it.
	Request Underway
	// Cancel ends it.
	Cancel context.CancelCauseFunc

	shard      *shard
	prev, next *Socket
}

func (s *Socket) key() personKey { return personKey{s.Application, s.User} }

// Watch registers a request under way. The context it returns ends with cause
// ErrWithdrawn once something was written about the person, the login or the
// application and still says no. Close must be called when the request ends.
func (g *Gate) Watch(ctx context.Context, application, user, login string, still Still) (context.Context, *Socket) {
	ctx, cancel := context.WithCancelCause(ctx)
	s := &Socket{Application: application, User: user, Login: login, Request: still, Cancel: cancel}
	g.Enter(s)
	return ctx, s
}

// Enter registers a request under way; Close must be called when it ends.
func (g *Gate) Enter(s *Socket) {
	key := s.key()
	s.shard = &g.sockets.shard[g.sockets.of(key)]
	s.shard.mu.Lock()
	if s.shard.by == nil {
		s.shard.by = map[personKey]*Socket{}
	}
	if first := s.shard.by[key]; first != nil {
		s.next, first.prev = first, s
	}
	s.shard.by[key] = s
	s.shard.mu.Unlock()
}

// Close ends the registration of a request that is over.
func (s *Socket) Close() {
	s.shard.mu.Lock()
	switch {
	case s.prev != nil:
		s.prev.next = s.next
	case s.next != nil:
		s.shard.by[s.key()] = s.next
	default:
		delete(s.shard.by, s.key())
	}
	if s.next != nil {
		s.next.prev = s.prev
	}
	s.prev, s.next = nil, nil
	s.shard.mu.Unlock()
	s.Cancel(nil)
}

func (k *sockets) of(key personKey) uint64 {
	k.once.Do(func() { k.seed = maphash.MakeSeed() })
	return maphash.Comparable(k.seed, key) % shards
}

// matching returns the sockets for which ok says yes; person narrows it to
// one person where it is not nil.
func (k *sockets) matching(person *personKey, ok func(*Socket) bool) []*Socket {
	var found []*Socket
	take := func(first *Socket) {
		for s := first; s != nil; s = s.next {
			if ok(s) {
				found = append(found, s)
			}
		}
	}
	if person != nil {
		sh := &k.shard[k.of(*person)]
		sh.mu.Lock()
		take(sh.by[*person])
		sh.mu.Unlock()
		return found
	}
	for i := range k.shard {
		sh := &k.shard[i]
		sh.mu.Lock()
		for _, first := range sh.by {
			take(first)
		}
		sh.mu.Unlock()
	}
	return found
}

// recheck asks each socket whether it may go on and cuts those that may not.
func recheck(ctx context.Context, list []*Socket) {
	for _, s := range list {
		if !s.Request.Still(ctx) {
			s.Cancel(ErrWithdrawn)
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
		s.Cancel(ErrWithdrawn)
	}
}

// Open returns how many requests are under way.
func (g *Gate) Open() int {
	return len(g.sockets.matching(nil, func(*Socket) bool { return true }))
}
