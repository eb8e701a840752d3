package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// manyKinds is a backend with every kind of answer that HTTP has.
func manyKinds() http.Handler {
	mux := http.NewServeMux()
	handle := func(path string, h func(w http.ResponseWriter, r *http.Request)) { mux.HandleFunc(path, h) }
	text := strings.Repeat("<p>Attendance register of the centre.</p>\n", 2000)

	handle("/plain", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header()["X-Odd-case"] = []string{"one", "two"}
		w.Header().Set("X-Empty", "")
		w.Header().Set("X-Latin", "caf\xe9")
		_, _ = io.WriteString(w, "plain")
	})
	handle("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.PathValue("code"))
		w.Header().Set("X-Code", r.PathValue("code"))
		if code >= 300 && code < 400 {
			w.Header().Set("Location", "/elsewhere?a=b#c")
		}
		w.WriteHeader(code)
		if code != 204 && code != 304 {
			_, _ = io.WriteString(w, "status")
		}
	})
	handle("/early", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Add("Link", "</app.js>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("X-After", "1")
		_, _ = io.WriteString(w, "after hints")
	})
	handle("/trailers", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "with trailers")
		w.Header().Set("X-Sum", "sum")
		w.Header().Set(http.TrailerPrefix+"X-Late", "late")
	})
	handle("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("X-Trailer", fmt.Sprint(r.Trailer["X-Sum"]))
		_, _ = w.Write(body)
	})
	handle("/chunks", func(w http.ResponseWriter, _ *http.Request) {
		for i := range 5 {
			_, _ = fmt.Fprintf(w, "chunk %d\n", i)
			_ = http.NewResponseController(w).Flush()
		}
	})
	handle("/file", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		http.ServeContent(w, r, "", time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC), strings.NewReader(text))
	})
	handle("/text", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, text)
	})
	handle("/cookies", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Set-Cookie", "theme=dark; Path=/; Max-Age=60")
		w.Header().Add("Set-Cookie", "lang=fr; Expires=Wed, 01 Dec 2027 08:00:00 GMT; SameSite=Lax")
		w.Header().Add("Set-Cookie", "sid=value1; Path=/app; HttpOnly; Secure; SameSite=None; Partitioned; Priority=High")
		w.Header().Add("Set-Cookie", `__Host-token="quoted value"; Path=/; Secure; HttpOnly`)
		w.Header().Add("Set-Cookie", "sid_old=; Path=/; Max-Age=0; HttpOnly")
		_, _ = io.WriteString(w, "cookies")
	})
	handle("/large", func(w http.ResponseWriter, r *http.Request) {
		for i := range 60 {
			w.Header().Add(fmt.Sprintf("X-Large-%d", i), strings.Repeat("v", 1000))
		}
		_, _ = fmt.Fprint(w, len(r.Header.Get("X-Large")))
	})
	handle("/events", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			_, _ = fmt.Fprintf(w, "id: %d\ndata: tick\n\n", i)
			_ = http.NewResponseController(w).Flush()
		}
	})
	handle("/socket", func(w http.ResponseWriter, r *http.Request) {
		socket, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"echo"}, InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer func() { _ = socket.CloseNow() }()
		socket.SetReadLimit(1 << 20)
		for {
			kind, message, err := socket.Read(r.Context())
			if err != nil {
				return
			}
			if err := socket.Write(r.Context(), kind, message); err != nil {
				return
			}
		}
	})
	handle("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, r.Method+" "+r.RequestURI)
	})
	return mux
}

// bytesOf is a body of n bytes that no compression shortens much.
func bytesOf(n int) []byte {
	var b bytes.Buffer
	for sum := sha256.Sum256([]byte("start")); b.Len() < n; sum = sha256.Sum256(sum[:]) {
		b.WriteString(hex.EncodeToString(sum[:]))
	}
	return b.Bytes()[:n]
}
