package approvals

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/store"
)

// hub is one watch of an application's requests, shared by all that
// subscribed: a thousand waiting pages cost one watch.
type hub struct {
	stop  context.CancelFunc
	boxes map[*box]struct{}
}

// box is one subscriber's: the newest state, and that there is one.
type box struct {
	id  string
	out chan AccessRequest
	in  chan AccessRequest // holds one
}

// Subscribe sends a request as it is now, then at each change, until ctx
// ends; an empty id means every request of the application, and then nothing
// is sent before the first change. A slow receiver of one request gets its
// newest state, not each one in between; one of all may miss some and looks
// at Waiting. A request that went is not sent.
func (s *Service) Subscribe(ctx context.Context, application, id string) (<-chan AccessRequest, error) {
	b := &box{id: id, out: make(chan AccessRequest), in: make(chan AccessRequest, 1)}
	if err := s.enter(ctx, application, b); err != nil {
		return nil, fmt.Errorf("watching access requests: %w", err)
	}
	if id != "" { // after the watch began, so that nothing falls between
		ask, err := s.Get(ctx, application, id)
		if err != nil {
			s.leave(application, b)
			return nil, err
		}
		b.offer(ask)
	}
	go func() {
		defer close(b.out)
		defer s.leave(application, b)
		for {
			select {
			case ask := <-b.in:
				select {
				case b.out <- ask:
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return b.out, nil
}

// offer puts the newest state into the box, in place of an older one.
func (b *box) offer(ask AccessRequest) {
	for {
		select {
		case b.in <- ask:
			return
		default:
		}
		select {
		case old := <-b.in:
			if old.ID == ask.ID && newer(old, ask) {
				ask = old
			}
		default:
		}
	}
}

// newer reports whether a is a later state than b of the same request. Events
// come in order, but the first state is read beside them.
func newer(a, b AccessRequest) bool {
	if a.State.Open() != b.State.Open() {
		return !a.State.Open()
	}
	return a.Version > b.Version || a.Last.After(b.Last)
}

func (s *Service) enter(ctx context.Context, application string, b *box) error {
	s.hubs.Lock()
	defer s.hubs.Unlock()
	h := s.hubs.of[application]
	if h == nil {
		// The watch outlives the first subscriber and ends with the last.
		watchCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
		events, err := s.st.Watch(watchCtx, books.Prefix(application, "ask"))
		if err != nil {
			stop()
			return err
		}
		h = &hub{stop: stop, boxes: map[*box]struct{}{}}
		s.hubs.of[application] = h
		go s.pump(watchCtx, application, h, events)
	}
	h.boxes[b] = struct{}{}
	return nil
}

func (s *Service) leave(application string, b *box) {
	s.hubs.Lock()
	defer s.hubs.Unlock()
	h := s.hubs.of[application]
	if h == nil {
		return
	}
	delete(h.boxes, b)
	if len(h.boxes) == 0 {
		h.stop()
		delete(s.hubs.of, application)
	}
}

func (s *Service) pump(ctx context.Context, application string, h *hub, events <-chan store.Event) {
	for {
		for ev := range events {
			switch {
			case ev.Err != nil:
				s.refresh(ctx, application, h)
			case ev.Value != nil:
				var ask AccessRequest
				if err := books.Decode(ev.Value, &ask); err != nil {
					s.conf.Log.Error("an access request cannot be read", "key", ev.Key, "error", err)
					continue
				}
				s.hand(h, ask)
			}
		}
		// The watch ended: with the last subscriber, or because the store was
		// lost. Then it is taken up again, and what was missed is read.
		for {
			if ctx.Err() != nil {
				return
			}
			next, err := s.st.Watch(ctx, books.Prefix(application, "ask"))
			if err == nil {
				events = next
				s.refresh(ctx, application, h)
				break
			}
			if errors.Is(err, store.ErrClosed) {
				return
			}
			if !pause(ctx, time.Second) {
				return
			}
		}
	}
}

// hand gives a request to those who wait for it.
func (s *Service) hand(h *hub, ask AccessRequest) {
	s.hubs.Lock()
	defer s.hubs.Unlock()
	for b := range h.boxes {
		if b.id == "" || b.id == ask.ID {
			b.offer(ask)
		}
	}
}

// refresh reads again what subscribers wait for, after a gap.
func (s *Service) refresh(ctx context.Context, application string, h *hub) {
	s.hubs.Lock()
	ids := map[string]bool{}
	for b := range h.boxes {
		ids[b.id] = true
	}
	s.hubs.Unlock()
	delete(ids, "")
	for id := range ids {
		if ask, err := s.Get(ctx, application, id); err == nil {
			s.hand(h, ask)
		}
	}
	if waiting, err := s.Waiting(ctx, application); err == nil && len(waiting) > 0 {
		s.hand(h, waiting[len(waiting)-1])
	}
}

// pause waits and reports whether ctx still lives.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
