package adminui

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/identity"
	"github.com/cadenas-gateway/cadenas/store"
)

// eventsPath is where the event stream is.
const eventsPath = "/events"

const (
	// maxStreams bounds the event streams of one session: one a tab.
	maxStreams = 16
	// settle is how long changes are gathered before they are told.
	settle = 250 * time.Millisecond
	// heartbeat keeps proxies from closing a quiet stream, and is how often a
	// stream looks whether its session still stands.
	heartbeat = 20 * time.Second
)

// streams counts open event streams by session.
type streams struct {
	mu   sync.Mutex
	open map[string]int
}

func (s *streams) enter(session string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[string]int{}
	}
	if s.open[session] >= maxStreams {
		return false
	}
	s.open[session]++
	return true
}

func (s *streams) leave(session string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[session]--; s.open[session] <= 0 {
		delete(s.open, session)
	}
}

// topicOf is the room an event of the store concerns, "" for none.
func topicOf(key string) string {
	_, rest, _ := strings.Cut(key, "/")
	kind, _, _ := strings.Cut(rest, "/")
	switch kind {
	case "ask", "ask-live":
		return "requests"
	case "connection", "recorded":
		return "connections"
	case "padlock":
		return "padlock"
	case "rule":
		return "rules"
	case "user", "device":
		return "people"
	case "admin":
		return "admins"
	case "audit":
		return "activity"
	case "outbox", "outbox-done":
		return "messages"
	case "network":
		return "places"
	case identity.KindLesson, identity.KindTaught:
		return "teach"
	case sessionKind:
		return sessionKind
	}
	return ""
}

// news is one event of the stream: the rooms that changed, and how many wait.
// It carries nothing else: pages fetch what they show, under the same checks
// as ever.
type news struct {
	Topics  []string `json:"topics"`
	Waiting int      `json:"waiting"`
}

// events streams what changes, until the session, the connection or the
// server ends.
func events(v *visit) error {
	if !v.streams.enter(v.session.ID) {
		return errTooManyOf
	}
	defer v.streams.leave(v.session.ID)
	changes, err := v.watch()
	if err != nil {
		return fmt.Errorf("watching for the console: %w", err)
	}
	rc := http.NewResponseController(v.w)
	_ = rc.SetWriteDeadline(time.Time{}) // where the server has one; not all can be asked
	h := v.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	v.w.WriteHeader(http.StatusOK)
	if _, err := fmt.Fprint(v.w, "retry: 3000\n\n"); err != nil {
		return nil //nolint:nilerr // the person went away
	}
	if err := rc.Flush(); err != nil {
		return nil //nolint:nilerr // likewise
	}
	s := stream{visit: v, rc: rc, topics: map[string]bool{}}
	return s.run(changes)
}

// watch hears of the writes to what the admin looks after and to what belongs
// to all, until the visit ends. The channel closes when one of the watches
// does, or the context.
func (v *visit) watch() (<-chan store.Event, error) {
	ctx, cancel := context.WithCancel(v.ctx())
	all := make(chan store.Event, 16)
	var under sync.WaitGroup
	for _, app := range append(v.applications(), "") {
		events, err := v.Books.Store.Watch(ctx, books.Partition(app)+"/")
		if err != nil {
			cancel()
			return nil, err
		}
		under.Go(func() {
			defer cancel()
			for ev := range events {
				select {
				case all <- ev:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	go func() {
		under.Wait()
		cancel()
		close(all)
	}()
	return all, nil
}

type stream struct {
	*visit
	rc     *http.ResponseController
	topics map[string]bool
}

func (s *stream) run(changes <-chan store.Event) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	var due <-chan time.Time
	for {
		select {
		case ev, ok := <-changes:
			if !ok {
				return nil
			}
			if s.note(ev) && due == nil {
				due = time.After(settle)
			}
		case <-due:
			due = nil
			if !s.stands() || s.send() != nil {
				return nil
			}
		case <-beat.C:
			if !s.stands() {
				return nil
			}
			if _, err := fmt.Fprint(s.w, ": here\n\n"); err != nil || s.rc.Flush() != nil {
				return nil //nolint:nilerr // the person went away
			}
		case <-s.Stopping:
			return nil
		case <-s.ctx().Done():
			return nil
		}
	}
}

// note gathers a change, and reports whether it concerns the admin: what
// belongs to an application they do not look after is not even counted
// (threat L23).
func (s *stream) note(ev store.Event) bool {
	if ev.Err != nil {
		for _, topic := range []string{"requests", "connections", "padlock", "rules", "people", "activity"} {
			s.topics[topic] = true
		}
		return true
	}
	topic := topicOf(ev.Key)
	app := books.Application(store.Partition(ev.Key))
	if topic == "" || (app != "" && !s.admin.LooksAfter(app)) {
		return false
	}
	s.topics[topic] = true
	return true
}

// stands reports whether the session is still one.
func (s *stream) stands() bool {
	now, err := s.sessions.find(s.ctx(), s.secret)
	if err != nil || now.ID != s.session.ID {
		return false
	}
	admin, ok := s.Console.admin(now.Email)
	s.admin = admin
	return ok
}

func (s *stream) send() error {
	waiting, err := s.waitingCount()
	if err != nil {
		return err
	}
	n := news{Waiting: waiting}
	for topic := range s.topics {
		if topic != sessionKind {
			n.Topics = append(n.Topics, topic)
		}
	}
	clear(s.topics)
	if len(n.Topics) == 0 {
		return nil
	}
	sortBy(n.Topics, func(t string) string { return t })
	data, err := json.Marshal(n)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(s.w, "event: news\ndata: %s\n\n", data); err != nil {
		return err
	}
	return s.rc.Flush()
}
