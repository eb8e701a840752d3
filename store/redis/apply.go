package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cadenas-gateway/cadenas/store"
)

// A write that somebody waits for is acknowledged once a replica has it, where
// there is one: a master that dies takes with it what it alone had, and that
// would be a grant, or a revocation.
const (
	// replicaWithin is how long a replica has for it. One that takes longer is
	// not waited for again until replicasFor is over: the master's word counts
	// then, as it does where there is none.
	replicaWithin = 500 * time.Millisecond
	// replicasFor is how long the number of a master's replicas is believed.
	replicasFor = 5 * time.Second
)

// replicas is what is known of those that follow the masters of partitions.
type replicas struct {
	mu sync.Mutex
	by map[string]followed
}

type followed struct {
	some bool
	at   time.Time
}

// of reports whether a partition's master has replicas; old, that it is time to
// find out again.
func (r *replicas) of(partition string) (some, asked, old bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f, asked := r.by[partition]
	return f.some, asked, time.Since(f.at) > replicasFor
}

func (r *replicas) are(partition string, some bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil {
		r.by = map[string]followed{}
	}
	r.by[partition] = followed{some, time.Now()}
}

// Apply carries a batch out, or returns store.ErrConflict and changes nothing.
func (s *Store) Apply(ctx context.Context, b store.Batch) error {
	if err := s.mayBegin(ctx, store.CheckBatch(b)); err != nil {
		return err
	}
	var first string
	switch {
	case len(b.Checks) > 0:
		first = b.Checks[0].Key
	case len(b.Writes) > 0:
		first = b.Writes[0].Key
	default:
		return nil
	}
	partition := store.Partition(first)
	k := s.keys(partition)
	keys, args := []string{k.index, k.values, k.ends, k.events, k.head, k.batch + rand.Text()}, s.arguments(b)
	var done bool
	var err error
	if slices.ContainsFunc(b.Writes, func(w store.Write) bool { return !w.Quiet }) {
		done, err = s.applySurely(ctx, partition, keys, args)
	} else {
		done, err = applyScript.Run(ctx, s.client, keys, args...).Bool()
	}
	if err != nil {
		return s.explain("writing to", err)
	}
	if !done {
		return store.ErrConflict
	}
	return nil
}

// applySurely carries a batch out and waits for a replica to have it. Where the
// server answers that it cannot, the ordinary way is taken, which follows a slot
// that has moved: the batch has an id, so it is carried out once.
func (s *Store) applySurely(ctx context.Context, partition string, keys []string, args []any) (bool, error) {
	client, err := s.master(ctx, keys[0])
	if err != nil {
		return applyScript.Run(ctx, s.client, keys, args...).Bool()
	}
	some, asked, old := s.replicas.of(partition)
	if !asked {
		some = hasReplica(client.Info(ctx, "replication"))
		s.replicas.are(partition, some)
	}
	pipe := client.Pipeline() // one connection: WAIT is about what it wrote
	batch := applyScript.EvalSha(ctx, pipe, keys, args...)
	var has *redis.Cmd
	var info *redis.StringCmd
	if some {
		has = pipe.Do(ctx, "wait", 1, replicaWithin.Milliseconds())
	}
	if asked && old {
		info = pipe.Info(ctx, "replication")
	}
	if _, err := pipe.Exec(ctx); err != nil && !isAnswer(err) {
		return false, err // what came back of it says nothing about a replica
	}
	done, err := batch.Bool()
	if isAnswer(err) && !errors.Is(err, redis.Nil) { // it does not know the script, or is no longer the master
		return applyScript.Run(ctx, s.client, keys, args...).Bool()
	}
	if err != nil {
		return false, err
	}
	if info != nil {
		s.replicas.are(partition, hasReplica(info))
	}
	if has != nil {
		if n, err := has.Int(); err != nil || n < 1 {
			s.replicas.are(partition, false)
		}
	}
	return done, nil
}

// hasReplica reads what a master says of its replicas. Who may not ask has none.
func hasReplica(info *redis.StringCmd) bool {
	return info.Err() == nil && strings.Contains(info.Val(), "state=online")
}

// master is the client of the server that has a key's partition.
func (s *Store) master(ctx context.Context, key string) (redis.UniversalClient, error) {
	if c, ok := s.client.(*redis.ClusterClient); ok {
		return c.MasterForKey(ctx, key)
	}
	return s.client, nil
}
