package redis

import (
	_ "embed"
	"strings"

	"github.com/redis/go-redis/v9"
)

// What the server holds, for each partition under one hash tag, so that a
// cluster keeps it on one node:
//
//	cadenas:{app}:index    sorted set, all scores 0: the keys in byte order
//	cadenas:{app}:values   hash: key -> value
//	cadenas:{app}:ends     sorted set: key -> Unix milliseconds at which it expires
//	cadenas:{app}:events   stream: after (id of the event before), key, value (none for a deletion)
//	cadenas:{app}:head     id of the newest event
//	cadenas:{app}:batch:…  a batch that was carried out, for some seconds
type partitionKeys struct {
	index, values, ends, events, head, batch string
}

// The scripts declare all the keys they touch.
var (
	//go:embed apply.lua
	applySource string
	//go:embed get.lua
	getSource string
	//go:embed range.lua
	rangeSource string

	applyScript = redis.NewScript(applySource)
	getScript   = redis.NewScript(getSource)
	rangeScript = redis.NewScript(rangeSource)
)

const (
	suffixIndex = "}:index"
)

// A brace in a partition's name would end the hash tag early, or make it
// empty and scatter the partition over the cluster.
var (
	escape   = strings.NewReplacer("%", "%25", "{", "%7B", "}", "%7D")
	unescape = strings.NewReplacer("%25", "%", "%7B", "{", "%7D", "}")
)

func (s *Store) keys(partition string) partitionKeys {
	tag := s.prefix + ":{" + escape.Replace(partition)
	return partitionKeys{
		index:  tag + suffixIndex,
		values: tag + "}:values",
		ends:   tag + "}:ends",
		events: tag + "}:events",
		head:   tag + "}:head",
		batch:  tag + "}:batch:",
	}
}

// partitionOf is the way back from the key of an index.
func (s *Store) partitionOf(index string) (string, bool) {
	name, ok := strings.CutPrefix(index, s.prefix+":{")
	if !ok {
		return "", false
	}
	name, ok = strings.CutSuffix(name, suffixIndex)
	return unescape.Replace(name), ok && name != ""
}

// indexPattern matches the indexes of all partitions in SCAN.
func (s *Store) indexPattern() string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(s.prefix) + ":{*" + suffixIndex
}
