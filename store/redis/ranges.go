package redis

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cadenas-gateway/cadenas/store"
)

// Range returns the entries of a query in order.
func (s *Store) Range(ctx context.Context, q store.Query) ([]store.Entry, error) {
	from, to, err := q.Span()
	if err := s.mayBegin(ctx, err); err != nil {
		return nil, err
	}
	if from >= to {
		return nil, nil
	}
	keys, args := s.ranging(q, from, to)
	return s.entries(q, rangeScript.Run(ctx, s.client, keys, args...))
}

// Ranges returns the entries of several queries, asked for in one journey to
// each server that holds some of them; each answer is of one moment, all of
// them need not be.
func (s *Store) Ranges(ctx context.Context, queries []store.Query) ([][]store.Entry, error) {
	if err := s.mayBegin(ctx, nil); err != nil {
		return nil, err
	}
	asked := make([]*redis.Cmd, len(queries))
	pipe := s.client.Pipeline()
	for i, q := range queries {
		from, to, err := q.Span()
		if err != nil {
			return nil, err
		}
		if from < to {
			keys, args := s.ranging(q, from, to)
			asked[i] = rangeScript.EvalSha(ctx, pipe, keys, args...)
		}
	}
	// What went wrong is told by each of them.
	_, _ = pipe.Exec(ctx)
	all := make([][]store.Entry, len(queries))
	for i, cmd := range asked {
		if cmd == nil {
			continue
		}
		var err error
		if strings.HasPrefix(redisError(cmd), "NOSCRIPT") {
			all[i], err = s.Range(ctx, queries[i]) // which brings the script along
		} else {
			all[i], err = s.entries(queries[i], cmd)
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// redisError is what the server answered to a command in words, "" where that
// was no error.
func redisError(cmd *redis.Cmd) string {
	var answer redis.Error
	if errors.As(cmd.Err(), &answer) {
		return answer.Error()
	}
	return ""
}

// ranging is what range.lua wants of a query.
func (s *Store) ranging(q store.Query, from, to string) (keys []string, args []any) {
	k := s.keys(store.Partition(q.Prefix))
	return []string{k.index, k.values, k.ends}, []any{from, to, q.Max(), flag(q.Reverse), flag(q.KeysOnly)}
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// entries reads the answer of range.lua.
func (s *Store) entries(q store.Query, cmd *redis.Cmd) ([]store.Entry, error) {
	flat, err := cmd.StringSlice()
	if err != nil {
		return nil, s.explain("reading from", err)
	}
	width := 3
	if q.KeysOnly {
		width = 2
	}
	if len(flat) == 0 {
		return nil, nil
	}
	entries := make([]store.Entry, 0, len(flat)/width)
	for ; len(flat) >= width; flat = flat[width:] {
		ms, err := strconv.ParseInt(flat[1], 10, 64)
		if err != nil {
			return nil, s.explain("reading from", err)
		}
		e := store.Entry{Key: flat[0], TTL: time.Duration(ms) * time.Millisecond}
		if !q.KeysOnly {
			e.Value = []byte(flat[2])
		}
		entries = append(entries, e)
	}
	return entries, nil
}
