package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// soakFor runs two gates on one Redis for a time, with reloads, revocations,
// restarts of Redis and new people all the while, and counts what went wrong.
func (b *bench) soakFor(d time.Duration) error {
	redis, err := b.startRedis()
	if err != nil {
		return err
	}
	one, two, err := b.pair(redis)
	if err != nil {
		return err
	}
	other, status, err := b.signInAgain(one, "paul")
	if err != nil {
		return fmt.Errorf("another person: %d %w", status, err)
	}
	ctx, cancel := context.WithTimeout(b.ctx, d)
	defer cancel()
	var passed, failed, wrong atomic.Int64
	var running sync.WaitGroup
	report := func(format string, args ...any) { fmt.Printf(time.Now().Format("15:04:05 ")+format+"\n", args...) }

	// Marie is known throughout: nothing of hers may fail.
	for _, c := range []*caddy{one, two} {
		running.Go(func() {
			v := c.visitor(b.known)
			for ctx.Err() == nil {
				got, err := v.status(ctx)
				switch {
				case ctx.Err() != nil:
				case err != nil || got != http.StatusOK:
					if failed.Add(1) < 20 {
						report("%s: a known person got %d, %v", c.name, got, err)
					}
				default:
					passed.Add(1)
				}
				pause(ctx, time.Millisecond)
			}
		})
	}
	// People never seen, where the padlock is open.
	running.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			_ = learn(ctx, one, fmt.Sprintf("soak-%d", n)) // refused while Redis is away
			pause(ctx, 5*time.Millisecond)
		}
	})
	// What happens to them.
	running.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			var err error
			switch n % 3 {
			case 0:
				err = reload(ctx, []*caddy{one, two}[n/3%2])
			case 1:
				if err = one.verb(ctx, "user-treat", map[string]string{"name": "paul", "treat": "lock"}); err != nil {
					break
				}
				time.Sleep(time.Second)
				if got, asked := two.visitor(other).status(ctx); asked == nil && got == http.StatusOK {
					wrong.Add(1)
					report("a locked person got in on B a second later")
				}
				err = one.verb(ctx, "user-treat", map[string]string{"name": "paul", "treat": "unlock"})
			case 2:
				redis.kill()
				pause(ctx, 3*time.Second)
				err = redis.run()
			}
			if err != nil && ctx.Err() == nil {
				report("step %d: %v", n, err)
			}
			pause(ctx, 5*time.Second)
		}
	})
	tick := time.NewTicker(max(d/20, 5*time.Second))
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		for _, c := range []*caddy{one, two} {
			rss, err := resident(c.cmd.Process.Pid)
			if err != nil {
				return err
			}
			report("%s: %.0f MiB, %s goroutines; %d requests passed, %d failed, %d let in wrongly", c.name, rss, c.goroutines(), passed.Load(), failed.Load(), wrong.Load())
		}
	}
	running.Wait()
	if failed.Load()+wrong.Load() > 0 {
		return fmt.Errorf("%d requests failed that should have passed, %d passed that should not", failed.Load(), wrong.Load())
	}
	return b.ctx.Err()
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

// goroutines is how many there are, as Caddy's admin endpoint says it.
func (c *caddy) goroutines() string {
	answer, err := http.Get("http://" + c.admin + "/debug/pprof/goroutine?debug=1") //nolint:noctx // of ourselves
	if err != nil {
		return "?"
	}
	defer answer.Body.Close() //nolint:errcheck // read below
	text, err := io.ReadAll(io.LimitReader(answer.Body, 100))
	var n string
	if _, scan := fmt.Sscanf(string(text), "goroutine profile: total %s", &n); err != nil || scan != nil {
		return "?"
	}
	return n
}
