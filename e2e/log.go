package e2e

import (
	"bufio"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Log is what a process has written so far. It is complete: a test may search
// it for what must never be there.
type Log struct {
	mu    sync.Mutex
	lines []string
	// grown is closed, and made anew, with each line.
	grown chan struct{}
}

func newLog() *Log { return &Log{grown: make(chan struct{})} }

// read takes lines until the writer's end.
func (l *Log) read(r io.Reader) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			l.mu.Lock()
			l.lines = append(l.lines, strings.TrimRight(line, "\r\n"))
			close(l.grown)
			l.grown = make(chan struct{})
			l.mu.Unlock()
		}
		if err != nil {
			return
		}
	}
}

// Lines returns all lines so far.
func (l *Log) Lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

// Text returns all that was written so far.
func (l *Log) Text() string { return strings.Join(l.Lines(), "\n") }

func (l *Log) tail(n int) string {
	lines := l.Lines()
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// Entry is one structured line of Caddy's log.
type Entry map[string]any

// Message is the entry's msg.
func (e Entry) Message() string { return e.Field("msg") }

// Logger names the part that wrote the entry: http.handlers.cadenas.
func (e Entry) Logger() string { return e.Field("logger") }

// Level is debug, info, warn, error.
func (e Entry) Level() string { return e.Field("level") }

// Field is a field that is text; empty when there is none.
func (e Entry) Field(name string) string {
	s, _ := e[name].(string)
	return s
}

// Entries returns the lines that are JSON objects.
func (l *Log) Entries() []Entry {
	var all []Entry
	for _, line := range l.Lines() {
		var e Entry
		if json.Unmarshal([]byte(line), &e) == nil {
			all = append(all, e)
		}
	}
	return all
}

// Await returns the first entry that satisfies match, written already or to
// come, and fails the test when none does in time.
func (l *Log) Await(t testing.TB, what string, match func(Entry) bool) Entry {
	t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	for seen := 0; ; {
		l.mu.Lock()
		grown, fresh := l.grown, slices.Clone(l.lines[seen:])
		l.mu.Unlock()
		seen += len(fresh)
		for _, line := range fresh {
			var e Entry
			if json.Unmarshal([]byte(line), &e) == nil && match(e) {
				return e
			}
		}
		select {
		case <-grown:
		case <-end.C:
			t.Fatalf("no log entry: %s\n%s", what, l.tail(20))
		}
	}
}
