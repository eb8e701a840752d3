package identity

import (
	"context"
	"sync"
)

// streams are the WebSockets and event streams that are open, by device: a
// new sign-in on a device closes those of the one before, and a login that
// ends cuts its own.
type streams struct {
	mu       sync.Mutex
	byDevice map[string]map[*stream]struct{}
	byLogin  map[string]map[*stream]struct{}
	cut      func(device, login string) // may be nil
}

type stream struct{ cancel context.CancelFunc }

func newStreams(cut func(device, login string)) *streams {
	return &streams{cut: cut, byDevice: map[string]map[*stream]struct{}{}, byLogin: map[string]map[*stream]struct{}{}}
}

// Stream is for a handler without an account of its own (Deps.Cut). It
// returns a context that ends when the login of s ends, or when
// somebody signs in anew on its device: for WebSockets and event streams.
// Call done when the request is over.
func (w *Watcher) Stream(ctx context.Context, s Session, deviceID string) (streamed context.Context, done func()) {
	ctx, cancel := context.WithCancel(ctx)
	x := &stream{cancel: cancel}
	w.streams.mu.Lock()
	add(w.streams.byDevice, deviceID, x)
	add(w.streams.byLogin, s.Login.ID, x)
	w.streams.mu.Unlock()
	return ctx, func() {
		w.streams.mu.Lock()
		drop(w.streams.byDevice, deviceID, x)
		drop(w.streams.byLogin, s.Login.ID, x)
		w.streams.mu.Unlock()
		cancel()
	}
}

func add(m map[string]map[*stream]struct{}, key string, x *stream) {
	if key == "" {
		return
	}
	if m[key] == nil {
		m[key] = map[*stream]struct{}{}
	}
	m[key][x] = struct{}{}
}

func drop(m map[string]map[*stream]struct{}, key string, x *stream) {
	delete(m[key], x)
	if len(m[key]) == 0 {
		delete(m, key)
	}
}

func (s *streams) endDevice(id string) {
	s.end(s.byDevice, id)
	if s.cut != nil && id != "" {
		s.cut(id, "")
	}
}

func (s *streams) endLogin(id string) {
	s.end(s.byLogin, id)
	if s.cut != nil && id != "" {
		s.cut("", id)
	}
}

func (s *streams) end(m map[string]map[*stream]struct{}, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for x := range m[id] {
		x.cancel()
	}
}
