package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// stays is what the backend does with requests that last: an event stream that
// ticks, and a socket that was upgraded and says nothing.
func stays(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/socket" {
		socket, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer socket.Close() //nolint:errcheck // it ends here
		if _, err := io.WriteString(socket, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"); err == nil {
			_, _ = io.Copy(io.Discard, socket) // until the other side goes
		}
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := io.WriteString(w, "data: tick\n\n"); err != nil || http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

// opened is a request that lasts; done tells when it was cut.
type opened struct {
	what string
	done chan time.Time
}

// open begins a request that lasts, as a person on a gate.
func (c *caddy) open(ctx context.Context, p person, path string) (opened, error) {
	socket, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.http)
	if err != nil {
		return opened{}, err
	}
	var r strings.Builder
	fmt.Fprintf(&r, "GET %s HTTP/1.1\r\nHost: app.localhost\r\n", path)
	if path == "/socket" {
		r.WriteString("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
	}
	for _, h := range p.headers() {
		r.WriteString(h + "\r\n")
	}
	if _, err := io.WriteString(socket, r.String()+"\r\n"); err != nil {
		return opened{}, errors.Join(err, socket.Close())
	}
	from := bufio.NewReader(socket)
	answer, err := from.ReadString('\n')
	if err != nil || !strings.Contains(answer, " 101 ") && !strings.Contains(answer, " 200 ") {
		return opened{}, errors.Join(fmt.Errorf("%s on %s: %q", path, c.name, answer), err, socket.Close())
	}
	o := opened{path + " on " + c.name, make(chan time.Time, 1)}
	go func() {
		_, _ = io.Copy(io.Discard, from) // until it is cut
		o.done <- time.Now()
		_ = socket.Close()
	}()
	return o, nil
}

// cutEach is at which tries sockets and streams are open on all instances.
const cutEach = 10

// revocations measures, with three instances on one Redis, how long a lock on
// one takes to be a 403 on the others, and to cut what is open on all.
func (b *bench) revocations() error {
	const name = partRevoke
	if !b.wanted(name) {
		return nil
	}
	redis, err := b.startRedis()
	if err != nil {
		return err
	}
	defer redis.kill()
	all, err := b.three(redis)
	for _, c := range all {
		defer c.stop()
	}
	if err != nil {
		return err
	}
	var took, cut []float64
	for n := range b.tries {
		refused, gone, err := b.revoke(all, n%cutEach == 0)
		if err != nil {
			return err
		}
		took, cut = append(took, refused...), append(cut, gone...)
	}
	slices.Sort(took)
	slices.Sort(cut)
	p99 := took[len(took)*99/100]
	fmt.Printf("- %s, three instances on Redis: from the press to the 403, median %.1f ms, p99 of %d tries on two others %.1f ms (bar 100)%s\n", name, median(took), b.tries, p99, missed(p99 > 100))
	last := cut[len(cut)-1]
	fmt.Printf("- cut after a revoke: %d WebSockets and event streams on three instances, median %.1f ms, slowest %.1f ms (bar 1000)%s\n", len(cut), median(cut), last, missed(last > 1000))
	return nil
}

func missed(yes bool) string {
	if yes {
		return " **missed**"
	}
	return ""
}

// revoke locks Marie on the first instance and unlocks her again: the
// milliseconds to a 403 on each other one, and to the end of what was open.
func (b *bench) revoke(all []*caddy, streams bool) (took, cut []float64, err error) {
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	var open []opened
	visitors := map[*caddy]visitor{}
	for _, c := range all {
		v := c.visitor(b.known)
		defer v.CloseIdleConnections()
		visitors[c] = v
		if err := v.until(ctx, http.StatusOK); err != nil {
			return nil, nil, err
		}
		for _, path := range []string{"/socket", "/stream"} {
			if !streams {
				continue
			}
			o, err := c.open(ctx, b.known, path)
			if err != nil {
				return nil, nil, err
			}
			open = append(open, o)
		}
	}
	var mu sync.Mutex
	var failed error
	var asking sync.WaitGroup
	began := time.Now()
	since := func(at time.Time) float64 { return float64(at.Sub(began).Microseconds()) / 1000 }
	for _, c := range all[1:] {
		asking.Go(func() {
			err := visitors[c].until(ctx, http.StatusForbidden)
			mu.Lock()
			defer mu.Unlock()
			took, failed = append(took, since(time.Now())), errors.Join(failed, err)
		})
	}
	if err := all[0].verb(ctx, "user-treat", map[string]string{"name": "marie", "treat": "lock"}); err != nil {
		return nil, nil, err
	}
	asking.Wait()
	for _, o := range open {
		select {
		case at := <-o.done:
			cut = append(cut, since(at))
		case <-ctx.Done():
			failed = errors.Join(failed, fmt.Errorf("%s is not cut", o.what))
		}
	}
	if failed != nil {
		return nil, nil, failed
	}
	return took, cut, all[0].verb(ctx, "user-treat", map[string]string{"name": "marie", "treat": "unlock"})
}
