package caddymodule

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/fingerprint"
)

// marks writes the newest generation of device cookies, off the request and
// each device once a second at the most. A mark lost in a crash lets a copy
// of a cookie live until the real one comes back, no longer.
type marks struct {
	mu      sync.Mutex
	waiting map[string]fingerprint.Mark
}

func (m *marks) put(device string, mark fingerprint.Mark) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.waiting == nil {
		m.waiting = map[string]fingerprint.Mark{}
	}
	if len(m.waiting) < devicesInMemory {
		m.waiting[device] = mark
	}
}

func (m *marks) take() map[string]fingerprint.Mark {
	m.mu.Lock()
	defer m.mu.Unlock()
	taken := m.waiting
	m.waiting = nil
	return taken
}

// run writes until ctx ends, and once more then.
func (m *marks) run(ctx context.Context, b *books.Books, log *slog.Logger) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			m.write(ctx, b, log)
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
			defer cancel()
			m.write(ctx, b, log)
			return
		}
	}
}

func (m *marks) write(ctx context.Context, b *books.Books, log *slog.Logger) {
	for device, mark := range m.take() {
		_, err := b.Devices.Update(ctx, device, func(d *books.Device) bool {
			if d.Generation >= mark.Newest {
				return false
			}
			d.Generation, d.Rotated = mark.Newest, mark.Since
			return true
		})
		if err != nil {
			m.put(device, mark)
			log.Warn("the newest generation of a device cookie could not be written", "error", err)
			return
		}
	}
}
