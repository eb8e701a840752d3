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
// reaches open WebSockets, event streams and downloads (X10, L20).
type sockets struct {
	seed  maphash.Seed
	once  sync.Once
	shard [shards]struct {
		mu sync.Mutex
		by map[personKey]map[*Socket]struct{}
	}
}

// Socket is one request under way that may be cut.
type Socket struct {
	sockets *sockets
	key     personKey
	// Login is the login it belongs to; empty for nobody's.
	Login  string
	still  func(ctx context.Context) bool
	cancel context.CancelCauseFunc
}

// Watch registers a request under way. The context it returns ends with cause
// ErrWithdrawn once something was written about the person, the login or the
// application and still says no. Close must be called when the request ends.
func (g *Gate) Watch(ctx context.Context, application, user, login string, still func(ctx context.Context) bool) (context.Context, *Socket) {
	ctx, cancel := context.WithCancelCause(ctx)
	s := &Socket{sockets: &g.sockets, key: personKey{application, user}, Login: login, still: still, cancel: cancel}
	sh := g.sockets.of(s.key)
	shard := &g.sockets.shard[sh]
	shard.mu.Lock()
	if shard.by == nil {
		shard.by = map[personKey]map[*Socket]struct{}{}
	}
	set := shard.by[s.key]
	if set == nil {
		set = map[*Socket]struct{}{}
		shard.by[s.key] = set
	}
	set[s] = struct{}{}
	shard.mu.Unlock()
	return ctx, s
}

// Close ends the registration of a request that is over.
func (s *Socket) Close() {
	shard := &s.sockets.shard[s.sockets.of(s.key)]
	shard.mu.Lock()
	if set := shard.by[s.key]; set != nil {
		delete(set, s)
		if len(set) == 0 {
			delete(shard.by, s.key)
		}
	}
	shard.mu.Unlock()
	s.cancel(nil)
}

func (k *sockets) of(key personKey) uint64 {
	k.once.Do(func() { k.seed = maphash.MakeSeed() })
	return maphash.Comparable(k.seed, key) % shards
}

// matching returns the sockets for which ok says yes; person narrows it to
// one person where it is not nil.
func (k *sockets) matching(person *personKey, ok func(*Socket) bool) []*Socket {
	var found []*Socket
	for i := range k.shard {
		if person != nil && k.of(*person) != uint64(i) { //nolint:gosec // i is below 32
			continue
		}
		shard := &k.shard[i]
		shard.mu.Lock()
		for key, set := range shard.by {
			if person != nil && key != *person {
				continue
			}
			for s := range set {
				if ok(s) {
					found = append(found, s)
				}
			}
		}
		shard.mu.Unlock()
	}
	return found
}

// recheck asks each socket whether it may go on and cuts those that may not.
func recheck(ctx context.Context, list []*Socket) {
	for _, s := range list {
		if !s.still(ctx) {
			s.cancel(ErrWithdrawn)
		}
	}
}

// Open returns how many requests are under way.
func (g *Gate) Open() int {
	return len(g.sockets.matching(nil, func(*Socket) bool { return true }))
}
