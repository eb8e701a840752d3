package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/coder/websocket"
)

// tick is one message of the event stream and of the WebSocket.
type tick struct {
	N    int       `json:"tick"`
	Here int       `json:"here"`
	At   time.Time `json:"at"`
}

// ticks calls send at once and then each tick, until the context ends or send
// fails.
func (a *application) ticks(ctx context.Context, send func([]byte) error) {
	timer := time.NewTicker(a.options.Tick)
	defer timer.Stop()
	for n := 1; ; n++ {
		_, here := a.register.list()
		message, err := json.Marshal(tick{N: n, Here: here, At: a.options.Now()})
		if err != nil || send(message) != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
	}
}

// live is a WebSocket that ticks.
func (a *application) live(w http.ResponseWriter, r *http.Request, _ Account) {
	socket, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = socket.CloseNow() }()
	ctx := socket.CloseRead(r.Context())
	a.ticks(ctx, func(message []byte) error {
		return socket.Write(ctx, websocket.MessageText, message)
	})
}

// events is an event stream that ticks.
func (a *application) events(w http.ResponseWriter, r *http.Request, _ Account) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	flush := http.NewResponseController(w)
	a.ticks(r.Context(), func(message []byte) error {
		if _, err := fmt.Fprintf(w, "event: tick\ndata: %s\n\n", message); err != nil {
			return err
		}
		return flush.Flush()
	})
}

// upload reads a body of any size and says what came.
func (a *application) upload(w http.ResponseWriter, r *http.Request, _ Account) {
	sum := sha256.New()
	n, err := io.Copy(sum, r.Body)
	if err != nil {
		http.Error(w, fmt.Sprintf("reading the upload: %v", err), http.StatusBadRequest)
		return
	}
	answer(w, http.StatusOK, map[string]any{"bytes": n, "sha256": hex.EncodeToString(sum.Sum(nil))})
}

// maxDownload bounds a download, in bytes.
const maxDownload = 8 << 30

// download sends as many bytes as asked for (?size=), or a range of them.
func (a *application) download(w http.ResponseWriter, r *http.Request, _ Account) {
	size, err := strconv.ParseInt(r.URL.Query().Get("size"), 10, 64)
	if err != nil || size < 0 || size > maxDownload {
		http.Error(w, "size: a number of bytes up to 8 GiB", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", a.started, &Pattern{Size: size})
}

// Pattern is a file of a given size that needs no memory: its byte at offset
// n is PatternAt(n).
type Pattern struct {
	Size   int64
	offset int64
}

// PatternAt is the byte of a Pattern at an offset.
func PatternAt(n int64) byte { return byte(n*31 + n>>13) } //nolint:gosec // wraps on purpose

// Read fills b from the present offset.
func (p *Pattern) Read(b []byte) (int, error) {
	left := p.Size - p.offset
	if left <= 0 {
		return 0, io.EOF
	}
	if int64(len(b)) > left {
		b = b[:left]
	}
	for i := range b {
		b[i] = PatternAt(p.offset + int64(i))
	}
	p.offset += int64(len(b))
	return len(b), nil
}

// Seek sets the offset of the next Read.
func (p *Pattern) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += p.offset
	case io.SeekEnd:
		offset += p.Size
	}
	if offset < 0 {
		return 0, errors.New("seeking before the start")
	}
	p.offset = offset
	return offset, nil
}
