package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// soak is one run of -soak: two gates on one Redis for a time, with reloads,
// revocations, restarts of Redis and new people all the while. It counts what
// went wrong and says at its end whether the run was good.
type soak struct {
	b        *bench
	one, two *caddy
	redis    *server
	paul     person
	// known and kept are the answers to people who must get in and to people
	// who must not.
	known, kept tally
	// met are the people never seen before who came by, steps what was done
	// to the gates.
	met, steps atomic.Int64
	// undone are steps that were refused although Redis was there.
	undone atomic.Int64
}

// tally are answers: those that were right, and those that were not.
type tally struct{ right, wrong atomic.Int64 }

// said is how many wrong answers are printed one by one.
const said = 20

// crowd is more people than a gate keeps in memory of those whom it does not
// know (gate.Options): as many are met first, so that what is measured afterwards
// is full. Where there was no time for it, each one met later may add as much as
// a person takes.
const (
	crowd   = 5000
	eachOne = 4.0 / 1024 // MiB
)

func (b *bench) soakFor(d time.Duration) error {
	redis, err := b.startRedis()
	if err != nil {
		return err
	}
	s := &soak{b: b, redis: redis}
	if s.one, s.two, err = b.pair(redis); err != nil {
		return err
	}
	var status int
	if s.paul, status, err = b.signInAgain(s.one, "paul"); err != nil {
		return fmt.Errorf("another person: %d %w", status, err)
	}
	ctx, cancel := context.WithTimeout(b.ctx, d)
	defer cancel()
	began := time.Now()
	s.fill(ctx, d/4)
	report("%d people were met in %s; now reloads, locks and restarts of Redis", s.met.Load(), time.Since(began).Round(time.Second))

	var running sync.WaitGroup
	for _, c := range []*caddy{s.one, s.two} {
		running.Go(func() { s.letIn(ctx, c) })
		running.Go(func() { s.keepOut(ctx, c) })
	}
	running.Go(func() {
		for ctx.Err() == nil {
			s.meet(ctx, s.one)
			pause(ctx, 10*time.Millisecond)
		}
	})
	running.Go(func() { s.trouble(ctx) })
	w := s.watch(ctx, max((d-time.Since(began))/40, 2*time.Second))
	running.Wait()
	if err := b.ctx.Err(); err != nil {
		return err
	}
	return s.verdict(w)
}

func report(format string, args ...any) {
	fmt.Printf(time.Now().Format("15:04:05 ")+format+"\n", args...)
}

// fill meets as many people as a gate keeps in memory, or those of a time.
func (s *soak) fill(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			for ctx.Err() == nil && s.met.Load() < crowd {
				s.meet(ctx, s.one)
			}
		})
	}
	running.Wait()
}

// meet sends a person who was never seen where the padlock is open. While
// Redis is away they are refused.
func (s *soak) meet(ctx context.Context, c *caddy) {
	n := s.met.Add(1)
	_ = learn(ctx, c, fmt.Sprintf("soak-%d", n))
}

// letIn has Marie ask: she is known throughout, and nothing of hers may fail.
func (s *soak) letIn(ctx context.Context, c *caddy) {
	v := c.visitor(s.b.known)
	for ctx.Err() == nil {
		got, err := v.status(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil || got != http.StatusOK:
			if s.known.wrong.Add(1) < said {
				report("%s: a known person got %d, %v", c.name, got, err)
			}
		default:
			s.known.right.Add(1)
		}
		pause(ctx, time.Millisecond)
	}
}

// keepOut has people ask who are not authorised: neither a device of Julie's
// that nobody approved nor a user of whom nothing is known may get in, whatever
// happens to Redis.
func (s *soak) keepOut(ctx context.Context, c *caddy) {
	stranger := c.visitor(person{})
	stranger.url = "http://header.localhost/"
	known := c.visitor(s.b.known) // Marie is, but not there
	known.url = "http://header.localhost/"
	for _, v := range []*visitor{&stranger, &known} {
		v.headers = append(v.headers, "Remote-User: nobody-knows")
	}
	waiting := c.visitor(s.b.held)
	waiting.url = "http://app.localhost/"
	waiting.headers = append(waiting.headers, "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
	for ctx.Err() == nil {
		for who, v := range map[string]visitor{"an unknown user": stranger, "an unknown user on a known device": known, "somebody who waits": waiting} {
			got, err := v.status(ctx)
			s.mustBeOut(ctx, got, err, c.name+": "+who)
			pause(ctx, 10*time.Millisecond)
		}
	}
}

func (s *soak) mustBeOut(ctx context.Context, got int, err error, who string) {
	switch {
	case ctx.Err() != nil || err != nil:
	case got < 400:
		if s.kept.wrong.Add(1) < said {
			report("%s got %d", who, got)
		}
	default:
		s.kept.right.Add(1)
	}
}

// trouble reloads, locks and unlocks Paul, and kills Redis, by turns.
func (s *soak) trouble(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		var err error
		switch n % 3 {
		case 0:
			err = reload(ctx, []*caddy{s.one, s.two}[n/3%2])
		case 1:
			err = s.lockAndUnlock(ctx)
		case 2:
			s.redis.kill()
			pause(ctx, 3*time.Second)
			if err = s.redis.run(); err == nil {
				err = s.redis.ready()
			}
		}
		s.steps.Add(1)
		if err != nil && ctx.Err() == nil {
			s.undone.Add(1)
			report("step %d: %v", n, err)
		}
		pause(ctx, 3*time.Second)
	}
}

// lockAndUnlock locks Paul on one gate: a second later the other one keeps him
// out. Unlocked, he comes in again.
func (s *soak) lockAndUnlock(ctx context.Context) error {
	v := s.two.visitor(s.paul)
	if err := s.one.verb(ctx, "user-treat", map[string]string{"name": "paul", "treat": "lock"}); err != nil {
		return err
	}
	pause(ctx, time.Second)
	for range 20 {
		got, err := v.status(ctx)
		s.mustBeOut(ctx, got, err, "a locked person on the other gate, a second later,")
	}
	if err := s.one.verb(ctx, "user-treat", map[string]string{"name": "paul", "treat": "unlock"}); err != nil {
		return err
	}
	return v.until(ctx, http.StatusOK)
}

// signInAgain makes one more person known, with the padlock open for a moment.
func (b *bench) signInAgain(c *caddy, user string) (person, int, error) {
	if err := c.cadenas("padlock", "open", "app"); err != nil {
		return person{}, 0, err
	}
	p, status, err := b.signIn(c, user)
	if err != nil {
		return p, status, err
	}
	time.Sleep(2 * time.Second)
	return p, status, errors.Join(
		c.cadenas("rules", "add", "--app", "app", "--user", user, "--effect", "allow"), c.cadenas("padlock", "close", "app", "--yes"))
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func learn(ctx context.Context, c *caddy, name string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://learn.localhost/", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Remote-User", name)
	answer, err := c.client().Do(r)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

func reload(ctx context.Context, c *caddy) error {
	cmd := exec.CommandContext(ctx, c.b.gate, "reload", "--config", filepath.Join(c.dir, "Caddyfile"), "--adapter", "caddyfile", "--force")
	cmd.Env = c.env()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("reloading: %w: %s", err, out)
	}
	return nil
}
