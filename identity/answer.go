package identity

import (
	"errors"
	"net/http"
)

// maxAnswer is the longest answer to a login that is taken into memory.
const maxAnswer = 4 << 20

// errAnswerTooLong ends an answer that outgrew maxAnswer.
var errAnswerTooLong = errors.New("the answer to the login is too long")

// answer is the backend's answer to a login or a probe, kept back. Its
// header map is its own: one shared with the client's would leak the
// backend's Set-Cookie, Location and trailers into the waiting page. A 1xx
// stops here too.
type answer struct {
	header http.Header
	sent   http.Header // header as it was when the status came
	status int
	body   []byte
	limit  int
	long   bool

	// overflow takes over an answer that is too long to be kept, padlock
	// open; nil cuts it.
	overflow func(a *answer) http.ResponseWriter
	through  http.ResponseWriter
}

func newAnswer(limit int) *answer { return &answer{header: http.Header{}, limit: limit} }

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header {
	if a.through != nil {
		return a.through.Header()
	}
	return a.header
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status != 0 || (status >= 100 && status < 200 && status != http.StatusSwitchingProtocols) {
		return
	}
	a.status = status
	a.sent = a.header.Clone()
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.through != nil {
		return a.through.Write(p)
	}
	if len(a.body)+len(p) > a.limit {
		a.long = true
		if a.overflow == nil {
			return 0, errAnswerTooLong
		}
		a.through = a.overflow(a)
		if _, err := a.through.Write(a.body); err != nil { //nolint:gosec // the backend's own answer, passed on as it is
			return 0, err
		}
		a.body = nil
		return a.through.Write(p)
	}
	a.body = append(a.body, p...)
	return len(p), nil
}

// Flush does nothing: what is kept is not flushed.
func (a *answer) Flush() {
	if a.through != nil {
		_ = http.NewResponseController(a.through).Flush()
	}
}

// finish settles an answer whose handler wrote nothing.
func (a *answer) finish() {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
}
