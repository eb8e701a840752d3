package main

import (
	"fmt"
	"slices"
)

// several measures three gates on one Redis beside three bare Caddys: a known
// connection costs on each what it costs on one, since none asks Redis, and
// somebody who was never seen costs one journey there.
func (b *bench) several() error {
	const known, new = partThree, partThreeNew
	if !b.wanted(known) && !b.wanted(new) {
		return nil
	}
	redis, err := b.startRedis()
	if err != nil {
		return err
	}
	defer redis.kill()
	gates, err := b.three(redis)
	for _, c := range gates {
		defer c.stop()
	}
	if err != nil {
		return err
	}
	var bares []*caddy
	for i := range gates {
		c, err := b.start(fmt.Sprintf("bare-%d", i), nil)
		if err != nil {
			return err
		}
		defer c.stop()
		bares = append(bares, c)
	}
	fmt.Print("- three instances on one Redis, three bare Caddys beside them; requests a second of the three together, p50 and p99 of the slowest:\n\n", heads, "\n")
	for _, r := range b.table() {
		switch {
		case r.name == "known, HTTP/1.1, 32 sockets" && b.wanted(known):
			r.name = known
		case r.name == "learning, each request somebody new, 32 sockets" && b.wanted(new):
			r.name = new
		default:
			continue
		}
		if err := b.turns(r, r.load, bares, gates); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	fmt.Println()
	return nil
}

// three starts three gates on one Redis, with Marie known on all of them and
// the padlock closed.
func (b *bench) three(redis *server) ([]*caddy, error) {
	one, two, err := b.pair(redis)
	if err != nil {
		return slices.DeleteFunc([]*caddy{one, two}, func(c *caddy) bool { return c == nil }), err
	}
	three, err := b.start("gate-c", &settings{store: "redis redis://" + redis.at})
	if err != nil {
		return []*caddy{one, two}, err
	}
	return []*caddy{one, two, three}, nil
}
