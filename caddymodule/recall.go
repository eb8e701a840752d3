package caddymodule

import (
	"sync"
	"time"
)

// recollection remembers for a while what the store said of people on their
// devices, so that it is asked once in a while and not at each request. What is
// not remembered is asked for: to forget costs time, and lets nobody in.
type recollection struct {
	mu    sync.Mutex
	known map[string]recalled
}

type recalled struct {
	said  string
	until time.Time
}

const (
	recalledFor  = 5 * time.Minute
	mostRecalled = 10_000
)

// recall returns what was said of somebody; false where that has to be asked.
func (c *recollection) recall(who string, now time.Time) (said string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.known[who]
	return k.said, ok && now.Before(k.until)
}

func (c *recollection) keep(who, said string, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= mostRecalled {
		c.known = map[string]recalled{} // all are asked about once more, and no more
	}
	c.known[who] = recalled{said, until}
}
