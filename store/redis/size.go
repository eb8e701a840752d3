package redis

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/cadenas-gateway/cadenas/store"
)

// Size implements store.Sized: the memory that the server uses and the keys of
// its database, of all masters of a cluster together. What others keep there is
// among it.
func (s *Store) Size(ctx context.Context) (store.Size, error) {
	var bytes, keys atomic.Int64
	ask := func(ctx context.Context, c redis.Cmdable) error {
		info, err := c.Info(ctx, "memory").Result()
		if err != nil {
			return err
		}
		for line := range strings.Lines(info) {
			if text, ok := strings.CutPrefix(strings.TrimSpace(line), "used_memory:"); ok {
				n, err := strconv.ParseInt(text, 10, 64)
				if err != nil {
					return err
				}
				bytes.Add(n)
			}
		}
		n, err := c.DBSize(ctx).Result()
		keys.Add(n)
		return err
	}
	var err error
	if c, ok := s.client.(*redis.ClusterClient); ok {
		err = c.ForEachMaster(ctx, func(ctx context.Context, m *redis.Client) error { return ask(ctx, m) })
	} else {
		err = ask(ctx, s.client)
	}
	if err != nil {
		return store.Size{}, s.explain("measuring", err)
	}
	return store.Size{Bytes: bytes.Load(), Keys: keys.Load()}, nil
}
