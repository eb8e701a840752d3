// Package redis keeps a store in Redis, for a gate of several instances: a
// single server, one watched by Sentinels, or a cluster (Redis 6.2 or later, or
// Valkey).
//
// A batch is one Lua script, atomic on the server. A write is in a stream
// besides, from which every instance learns of it. Each event names the one
// before it: a reader that missed some, because they were trimmed or because a
// failover forgot them, sees so and says store.ErrGap.
//
// What somebody waits for is acknowledged once a replica has it, where there is
// one in time; what else Redis may lose in a failover is in docs/decisions.
package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/fanout"
)

// Options change how a store is opened; the zero value is what a gate uses.
type Options struct {
	// Prefix is what all keys begin with. Default "cadenas". Gates that share
	// a Redis and not their users have different ones.
	Prefix string
	// Wait is how long Open tries to reach the server. Default 5 seconds.
	Wait time.Duration
	// Keep is how long an event stays in the stream at least: an instance
	// that was cut off for less resumes without a gap. Default 2 minutes.
	Keep time.Duration
	// Length is how many events of a partition stay at most, whatever their
	// age. Default 10,000.
	Length int
}

// remembered is how long a batch that was carried out is known, in case its
// sender lost the answer and sends it again: longer than go-redis tries.
const remembered = time.Minute

// Store implements store.Store and store.Remote on a Redis.
type Store struct {
	client redis.UniversalClient
	// watcher is a client of its own: a reader holds its connection while it
	// waits, and must not take it from whoever works.
	watcher redis.UniversalClient
	prefix  string
	length  string
	keep    string

	replicas replicas

	watches fanout.Fanout
	mu      sync.Mutex // guards readers
	readers map[string]*reader
	reading sync.WaitGroup

	closed  atomic.Bool
	ctx     context.Context // ends with Close
	end     context.CancelFunc
	closing sync.Once
}

var _ store.Remote = (*Store)(nil)

// Open connects to the Redis that Parse has read. It returns an error when
// the server cannot be reached, refuses the user, or is no Redis that knows
// what is needed.
func Open(ctx context.Context, u *redis.UniversalOptions, o Options) (*Store, error) {
	if o.Prefix == "" {
		o.Prefix = "cadenas"
	}
	if strings.ContainsAny(o.Prefix, "{}") {
		return nil, fmt.Errorf("prefix %q of the store: braces are used for partitions", o.Prefix)
	}
	if o.Wait <= 0 {
		o.Wait = 5 * time.Second
	}
	if o.Keep <= 0 {
		o.Keep = 2 * time.Minute
	}
	if o.Length <= 0 {
		o.Length = 10_000
	}
	opts := *u
	if err := reach(ctx, &opts, o.Prefix, o.Wait); err != nil {
		return nil, fmt.Errorf("reaching the store at %s: %w", strings.Join(opts.Addrs, ", "), err)
	}
	watching := opts
	// As many as there are watched partitions; they are made when needed.
	watching.PoolSize = 1 << 12
	s := &Store{
		client:  connect(&opts),
		watcher: connect(&watching),
		prefix:  o.Prefix,
		length:  strconv.Itoa(o.Length),
		keep:    strconv.FormatInt(o.Keep.Milliseconds(), 10),
		readers: make(map[string]*reader),
	}
	s.ctx, s.end = context.WithCancel(context.WithoutCancel(ctx))
	return s, nil
}

// connect makes a client of the right kind; it talks to nobody yet.
func connect(u *redis.UniversalOptions) redis.UniversalClient {
	if u.MasterName == "" && (u.IsClusterMode || len(u.Addrs) > 1) {
		c := u.Cluster()
		// go-redis reads the map of a cluster anew after a minute only, and a
		// refused connection does not make it: a killed master would be
		// missed for that long.
		c.ClusterStateReloadInterval = 5 * time.Second
		return redis.NewClusterClient(c)
	}
	return redis.NewUniversalClient(u)
}

// lookAgain has a cluster's map read anew, after a node did not answer.
func lookAgain(ctx context.Context, c redis.UniversalClient) {
	if c, ok := c.(*redis.ClusterClient); ok {
		c.ReloadState(ctx)
	}
}

// reach tries a script until it runs, and finds out whether a single address
// is a node of a cluster.
func reach(ctx context.Context, u *redis.UniversalOptions, prefix string, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		err := try(ctx, u, prefix)
		if err == nil {
			return nil
		}
		// An answer that another try would not change.
		if isAnswer(err) && !isPassing(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-again.C:
		}
	}
}

func try(ctx context.Context, u *redis.UniversalOptions, prefix string) error {
	c := connect(u)
	defer c.Close() //nolint:errcheck // nothing was written
	err := c.Eval(ctx, "return redis.call('TIME')[1]", []string{prefix + ":{probe}"}).Err()
	if err == nil && !u.IsClusterMode && len(u.Addrs) == 1 && u.MasterName == "" {
		// The probe's slot may lie on this very node of a cluster. INFO may be
		// forbidden: then the URL has to say cluster=true.
		info, err := c.Info(ctx, "cluster").Result()
		u.IsClusterMode = err == nil && strings.Contains(info, "cluster_enabled:1")
		return nil
	}
	if err != nil && strings.HasPrefix(err.Error(), "MOVED ") {
		u.IsClusterMode = true
		return try(ctx, u, prefix)
	}
	return err
}

// isAnswer tells an error that the server gave from one of the way there.
func isAnswer(err error) bool {
	var answer redis.Error
	return errors.As(err, &answer)
}

func isPassing(err error) bool {
	for _, p := range []string{"LOADING", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "BUSY", "READONLY"} {
		if strings.HasPrefix(err.Error(), p) {
			return true
		}
	}
	return false
}

// Get returns the value under a key, or store.ErrNotFound.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	if err := s.mayBegin(ctx, store.CheckKey(key)); err != nil {
		return nil, err
	}
	k := s.keys(store.Partition(key))
	v, err := getScript.Run(ctx, s.client, []string{k.values, k.ends}, key).Text()
	if errors.Is(err, redis.Nil) {
		return nil, store.ErrNotFound
	}
	if err != nil {
		return nil, s.explain("reading from", err)
	}
	return []byte(v), nil
}

// arguments is what apply.lua wants of a batch.
func (s *Store) arguments(b store.Batch) []any {
	args := make([]any, 0, 4+3*len(b.Checks)+4*len(b.Writes))
	args = append(args, len(b.Checks), s.length, s.keep, remembered.Milliseconds())
	for _, c := range b.Checks {
		kind := "="
		if c.Value == nil {
			kind = "absent"
		}
		args = append(args, c.Key, kind, c.Value)
	}
	for _, w := range b.Writes {
		kind := "put"
		if w.Value == nil {
			kind = "delete"
		}
		if w.Quiet {
			kind += "-quiet"
		}
		live := w.TTL.Milliseconds()
		if w.TTL%time.Millisecond > 0 {
			live++ // rounded down to 0 it would stay for good
		}
		args = append(args, w.Key, kind, w.Value, live)
	}
	return args
}

// Partitions returns the partitions that hold at least one key.
func (s *Store) Partitions(ctx context.Context) ([]string, error) {
	if err := s.mayBegin(ctx, nil); err != nil {
		return nil, err
	}
	found, err := s.indexes(ctx)
	if err != nil {
		return nil, s.explain("listing", err)
	}
	slices.Sort(found)
	found = slices.Compact(found) // SCAN may name a key twice
	var names []string
	for _, name := range found {
		// All of it may have expired.
		first, err := s.Range(ctx, store.Query{Prefix: name + "/", Limit: 1, KeysOnly: true})
		if err != nil {
			return nil, err
		}
		if len(first) > 0 {
			names = append(names, name)
		}
	}
	return names, nil
}

// indexes finds the partitions that have an index, on every master.
func (s *Store) indexes(ctx context.Context) ([]string, error) {
	var mu sync.Mutex
	var found []string
	scan := func(ctx context.Context, c redis.Cmdable) error {
		it := c.Scan(ctx, 0, s.indexPattern(), 1000).Iterator()
		for it.Next(ctx) {
			if name, ok := s.partitionOf(it.Val()); ok {
				mu.Lock()
				found = append(found, name)
				mu.Unlock()
			}
		}
		return it.Err()
	}
	if c, ok := s.client.(*redis.ClusterClient); ok {
		err := c.ForEachMaster(ctx, func(ctx context.Context, m *redis.Client) error { return scan(ctx, m) })
		return found, err
	}
	return found, scan(ctx, s.client)
}

// Warnings says what in the server's settings endangers what is stored, in
// words for the log; nothing where the settings may not be read.
func (s *Store) Warnings(ctx context.Context) []string {
	var warnings []string
	info, err := s.client.Info(ctx, "memory", "persistence").Result()
	if err != nil {
		return nil
	}
	set := make(map[string]string)
	for line := range strings.Lines(info) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			set[k] = v
		}
	}
	if p := set["maxmemory_policy"]; p != "" && p != "noeviction" {
		warnings = append(warnings, "Redis may throw away what is stored when its memory is full: set maxmemory-policy noeviction (it is "+p+")")
	}
	if set["aof_enabled"] == "0" {
		warnings = append(warnings, "Redis loses its last writes when it crashes: set appendonly yes")
	}
	return warnings
}

// Close ends watches and the connections.
func (s *Store) Close() error {
	var err error
	s.closing.Do(func() {
		s.closed.Store(true)
		s.end()
		s.watches.Close()
		err = errors.Join(s.watcher.Close(), s.client.Close())
		s.reading.Wait()
		if err != nil {
			err = fmt.Errorf("closing the store: %w", err)
		}
	})
	return err
}

func (s *Store) mayBegin(ctx context.Context, err error) error {
	switch {
	case err != nil:
		return err
	case s.closed.Load():
		return store.ErrClosed
	default:
		return ctx.Err()
	}
}

func (s *Store) explain(doing string, err error) error {
	if s.closed.Load() || errors.Is(err, redis.ErrClosed) {
		return store.ErrClosed
	}
	if !isAnswer(err) {
		lookAgain(s.ctx, s.client)
	}
	return fmt.Errorf("%s the store: %w", doing, err)
}
