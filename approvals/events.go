package approvals

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	// heartbeat keeps proxies from closing a silent stream, and finds out that
	// the browser is gone.
	heartbeat = 15 * time.Second
	// Streams are bounded: in all, and of one device (threat L22).
	maxStreams       = 4000
	maxDeviceStreams = 12
	writeWithin      = 10 * time.Second
)

// streams counts the event streams that are open.
type streams struct {
	mu  sync.Mutex
	all int
	of  map[string]int
}

func (st *streams) enter(device string) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.of == nil {
		st.of = map[string]int{}
	}
	if st.all >= maxStreams || st.of[device] >= maxDeviceStreams {
		return false
	}
	st.all++
	st.of[device]++
	return true
}

func (st *streams) leave(device string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.all--
	if st.of[device]--; st.of[device] == 0 {
		delete(st.of, device)
	}
}

// events is the stream of one waiting page: an event "state" with a Status at
// once and at each change, a comment as heartbeat, and an end once the request
// is decided, the browser goes or the server stops.
func (h *waiter) events(w http.ResponseWriter, r *http.Request, holder Holder, ask AccessRequest) {
	if !h.s.streams.enter(holder.DeviceID) {
		w.Header().Set("Retry-After", "30")
		http.Error(w, "too many event streams", http.StatusServiceUnavailable)
		return
	}
	defer h.s.streams.leave(holder.DeviceID)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()

	var changes <-chan AccessRequest
	if ask.ID != "" {
		var err error
		if changes, err = h.s.Subscribe(ctx, holder.Application, ask.ID); err != nil {
			h.trouble(w, r, err)
			return
		}
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	out := eventWriter{w: w, rc: http.NewResponseController(w)}
	if !out.write("retry: 3000\n\n") {
		return
	}
	if ask.ID == "" && (!out.state(ask) || !ask.State.Open() && ask.Reference != "") {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case now, ok := <-changes:
			if !ok || !out.state(now) || !now.State.Open() {
				return
			}
		case <-beat.C:
			if !out.write(": still here\n\n") {
				return
			}
			if ask.ID == "" {
				if now := h.madeUp(ctx, holder); now.State == Approved {
					out.state(now)
					return
				}
			}
			if h.stale(ctx, holder, ask) {
				return // another request is held now: the page connects again
			}
		case <-h.stopping:
			return
		case <-ctx.Done():
			return
		}
	}
}

// stale reports whether the device holds another request than the stream is
// about, or its own has run out without a write.
func (h *waiter) stale(ctx context.Context, holder Holder, ask AccessRequest) bool {
	now, err := h.s.ForHolder(ctx, holder.Application, holder.DeviceID, holder.LoginID)
	return err == nil && (now.ID != ask.ID || !now.State.Open())
}

// eventWriter writes to a browser that may have stopped reading.
type eventWriter struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

func (e eventWriter) state(ask AccessRequest) bool {
	data, err := json.Marshal(statusOf(ask))
	return err == nil && e.write(fmt.Sprintf("event: state\ndata: %s\n\n", data))
}

func (e eventWriter) write(text string) bool {
	// Not every server can set a deadline; one that cannot has its own.
	_ = e.rc.SetWriteDeadline(time.Now().Add(writeWithin))
	if _, err := e.w.Write([]byte(text)); err != nil {
		return false
	}
	if err := e.rc.Flush(); err != nil {
		return false
	}
	_ = e.rc.SetWriteDeadline(time.Time{})
	return true
}
