package identity

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
)

// Writer is a response on its way to the browser: it touches headers only.
// It stamps the session cookies that the backend sets, drops cookies with
// our names, and ends the login at a sign-out.
type Writer struct {
	http.ResponseWriter
	w      *Watcher
	r      *http.Request
	s      *Session
	device string
	// ours are the Set-Cookie lines that were there before the backend's;
	// made are those stamped already, with a 1xx.
	ours []string
	made []string
	mode Mode
	done bool
	// login says that this answers a login POST: where the same address signs
	// in and out (POST and DELETE of a session), that is no sign-out.
	login bool
	// turned says that a session got a new value with this answer.
	turned bool
	// Leaving, where it is set, is closed before this answer ends the login:
	// who signs out gets the whole answer, though what goes on beside it is cut.
	Leaving Leaver
}

// Leaver is the place of a request among those under way that can be cut.
type Leaver interface {
	Close()
}

// Wrap returns the writer for an answer that goes to the browser. DeviceID
// is the one whose cookie the browser has after this answer. Cookies of ours
// must be in rw.Header() before. Where a handler may return without writing
// anything, call Finish.
func (w *Watcher) Wrap(rw http.ResponseWriter, r *http.Request, s Session, deviceID string, mode Mode) *Writer {
	x := new(Writer)
	w.WrapIn(x, rw, r, &s, deviceID, mode)
	return x
}

// WrapIn is Wrap with a writer that is part of a larger struct, as the session
// is, which it changes.
func (w *Watcher) WrapIn(x *Writer, rw http.ResponseWriter, r *http.Request, s *Session, deviceID string, mode Mode) {
	*x = Writer{ResponseWriter: rw, w: w, r: r, s: s, device: deviceID, mode: mode, ours: rw.Header()["Set-Cookie"]}
}

// WriteHeader implements http.ResponseWriter.
func (x *Writer) WriteHeader(status int) {
	if !x.done {
		informational := status >= 100 && status < 200 && status != http.StatusSwitchingProtocols
		x.stamp(status)
		x.done = !informational
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (x *Writer) Write(p []byte) (int, error) {
	x.Finish()
	return x.ResponseWriter.Write(p) //nolint:gosec // the backend's own answer, passed on as it is
}

// Finish stamps what a handler that wrote nothing has set.
func (x *Writer) Finish() {
	if !x.done {
		x.done = true
		x.stamp(http.StatusOK)
	}
}

// ReadFrom keeps the way of the bare writer: a file goes out without passing
// through memory.
func (x *Writer) ReadFrom(from io.Reader) (int64, error) {
	x.Finish()
	if rf, ok := x.ResponseWriter.(io.ReaderFrom); ok {
		return rf.ReadFrom(from)
	}
	return io.Copy(struct{ io.Writer }{x.ResponseWriter}, from)
}

// Flush implements http.Flusher.
func (x *Writer) Flush() { _ = x.FlushError() }

// FlushError is Flush with its error.
func (x *Writer) FlushError() error {
	x.Finish()
	return http.NewResponseController(x.ResponseWriter).Flush()
}

// Hijack implements http.Hijacker, where the bare writer does.
func (x *Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(x.ResponseWriter).Hijack()
}

// Unwrap is for http.ResponseController.
func (x *Writer) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// stamp does the work on the header.
func (x *Writer) stamp(status int) {
	h := x.Header()
	lines := h["Set-Cookie"]
	changedSession := false
	if len(lines) > 0 || len(x.s.fresh) > 0 || len(x.s.stamped) > 0 {
		changedSession = x.stampLines(h, lines)
	}
	if len(x.ours) > 0 && len(h["Set-Cookie"]) == 0 {
		h["Set-Cookie"] = x.ours // a 1xx took them along
	}
	x.doubted(status)
	if !x.login && x.s.Login.ID != "" && x.w.isLogout(x.r) && signedOut(x.r.Method, status, changedSession) {
		if x.Leaving != nil {
			x.Leaving.Close()
		}
		x.w.endLater(x.r.Context(), x.s.Login)
	}
}

// signedOut reports whether an answer on the logout path shows a sign-out,
// and not a page that asks "really?" or a GET that some image made.
func signedOut(method string, status int, changedSession bool) bool {
	switch {
	case status >= 400:
		return false
	case changedSession, status >= 300:
		return true
	}
	return method != http.MethodGet && method != http.MethodHead
}

func (x *Writer) stampLines(h http.Header, lines []string) (changed bool) {
	now := x.w.clock()
	out := make([]string, 0, len(x.ours)+len(lines)+len(x.s.fresh))
	out = append(out, x.ours...)
	for _, line := range lines {
		if slices.Contains(x.ours, line) {
			continue
		}
		if slices.Contains(x.made, line) {
			out = append(out, line)
			continue
		}
		line, session, keep := x.line(line, now)
		changed = changed || session
		if keep {
			out = append(out, line)
		}
	}
	for _, line := range x.s.fresh { // what a probe of ours was given
		if line, _, keep := x.line(line, now); keep {
			out = append(out, line)
		}
	}
	if x.s.fresh != nil {
		x.s.fresh = nil
	}
	if x.mode == Drain {
		out = x.w.unstamp(out, x.s.stamped, now)
		if x.s.stamped != nil { // a session may be shared: see Cleaned
			x.s.stamped = nil
		}
	}
	x.made = out
	if len(out) == 0 {
		delete(h, "Set-Cookie")
		return changed
	}
	h["Set-Cookie"] = out
	return changed
}

// line stamps one Set-Cookie line, if it is a session.
func (x *Writer) line(line string, now time.Time) (out string, session, keep bool) {
	c := parseSetCookie(line, now)
	if OurCookie(c.name) {
		return "", false, false
	}
	if c.name == "" || !x.w.names.set(c, false) {
		return line, false, true
	}
	if x.s.bare {
		// The backend did not see the session that this browser has, so it
		// began another: taking it would lose the one in which a login form
		// is open.
		return "", true, false
	}
	if c.cleared || x.mode == Drain {
		return line, true, true
	}
	if x.s.Carried && !x.w.login.watched(x.r.URL) {
		x.w.names.turned(c.name, x.device, now)
		x.turned = x.turned || !x.w.names.known().Restless[foldName(c.name)]
	}
	st := stamp{mark: markUnproved, device: x.device, made: now}
	switch {
	case x.s.Login.ID != "" && x.s.Foreign:
		st = stamp{mark: markCopied, login: x.s.Login.ID}
	case x.s.Login.ID != "":
		st = stamp{mark: markLogin, login: x.s.Login.ID}
	case x.s.claim.ID != "":
		st = stamp{mark: markLogin, login: x.s.claim.ID}
	case x.mode == Closed:
		st.mark = markNobody
	case x.s.older:
		st.mark = markOlder
	}
	inner, quoted := unquote(c.value)
	var room [512]byte
	b := room[:0]
	if quoted {
		b = append(b, '"')
	}
	b = appendStamp(b, x.w.deps.Ring(), x.w.cfg.Application, c.name, inner, st)
	if quoted {
		b = append(b, '"')
	}
	stamped := c.with(string(b))
	if len(stamped) > maxCookie {
		return x.tooLong(c, inner, st), true, true
	}
	return stamped, true, true
}

// tooLong handles a session that has no room for a stamp: it goes out as it
// is and its keyed hash says whose it is.
func (x *Writer) tooLong(c setCookie, inner string, st stamp) string {
	x.w.warnOnce("too long "+c.name, "a session cookie has no room for a stamp: the browser would drop it; it is told by its hash instead",
		"application", x.w.cfg.Application, "cookie", c.name, "bytes", len(c.line), "limit", maxCookie)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), storePatience)
	defer cancel()
	f := fateUnproved
	switch st.mark {
	case markLogin:
		f = fateLogin
	case markNobody:
		f = fateNobody
	case markUnproved, markOlder, markCopied:
	}
	if err := x.w.mapValue(ctx, c.name, inner, f, st.login, x.device); err != nil {
		x.w.log.Error("remembering a session by its hash", "application", x.w.cfg.Application, "error", err)
	}
	return c.line
}

// unstamp sets the cookies that bore a stamp anew without it, just as the
// backend last set them (Drain).
func (w *Watcher) unstamp(out []string, stamped []pair, now time.Time) []string {
next:
	for _, p := range stamped {
		for _, line := range out {
			if name, _, _ := strings.Cut(line, "="); foldName(trim(name)) == foldName(p.name) {
				continue next // the backend has set it itself
			}
		}
		shape, ok := w.names.known().Names[foldName(p.name)]
		if !ok {
			shape.Path, shape.HTTPOnly = "/", true
		}
		line := p.name + "=" + p.value
		if shape.Path != "" {
			line += "; Path=" + shape.Path
		}
		if shape.Domain != "" {
			line += "; Domain=" + shape.Domain
		}
		if shape.Persists {
			line += "; Expires=" + now.Add(nobodyLife).UTC().Format(http.TimeFormat)
		}
		if shape.Secure {
			line += "; Secure"
		}
		if shape.HTTPOnly {
			line += "; HttpOnly"
		}
		if shape.SameSite != "" {
			line += "; SameSite=" + shape.SameSite
		}
		out = append(out, line)
	}
	return out
}

// endLater ends a login after a sign-out that the backend has confirmed. It
// is done before the answer goes out: a second tab must not slip through.
func (w *Watcher) endLater(ctx context.Context, l books.Login) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storePatience)
	defer cancel()
	if err := w.End(ctx, l.ID); err != nil {
		w.log.Error("ending a login at sign-out", "application", w.cfg.Application, "login", l.ID, "error", err)
	}
}
