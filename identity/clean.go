package identity

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/seal"
)

// Clean is the first thing done to a request, in place. It removes session
// values that bear no stamp of this device, malformed cookies, cookies with
// our names (read yours before), takes the stamps off what is left and
// rebuilds the Cookie header. It has no error: what it cannot judge it
// removes. DeviceID is that of the request's device cookie, "" for none.
//
// In place, because an error route gets this very request after us: a
// cleaned copy would leave the stolen cookie on it.
func (w *Watcher) Clean(r *http.Request, deviceID string, mode Mode) Session {
	return w.clean(r, deviceID, mode, nil)
}

// clean is Clean; into, where it is not nil, is given the one login of it all.
func (w *Watcher) clean(r *http.Request, deviceID string, mode Mode, into *Cleaned) Session {
	s := Session{State: books.LoginNobody}
	w.names.load(r.Context())
	if mode == Closed && sessionInPath(r.URL) {
		s.Bad = ErrPath
	}
	if lines := r.Header["Cookie"]; len(lines) > 0 {
		c := cleaners.Get().(*cleaner)
		c.w, c.ctx, c.device, c.mode, c.now, c.ring = w, r.Context(), deviceID, mode, w.clock(), w.deps.Ring()
		s.raw = lines[0]
		if len(lines) > 1 {
			s.raw = strings.Join(lines, "; ") // HTTP/2 may split it
		}
		c.read(s.raw)
		c.choose(&s)
		if into != nil {
			into.row = c.single()
		}
		c.write(r.Header, &s)
		c.forget()
		cleaners.Put(c)
	}
	w.cleanTokens(r, deviceID, mode, &s)
	return s
}

var cleaners = sync.Pool{New: func() any { return new(cleaner) }}

// cleaner is the memory of one Clean.
type cleaner struct {
	w       *Watcher
	ctx     context.Context //nolint:containedctx // lives as long as one call
	device  string
	mode    Mode
	now     time.Time
	ring    *seal.Ring
	parts   []part
	changed bool
	out     []byte
	scratch [2][stampRoom]byte
}

// part is one cookie of the request.
type part struct {
	text    string // as it stands
	name    string
	plain   string // value without stamp, quotes kept
	session bool
	drop    bool
	stamped bool
	judged
}

// judged is what a session value came to.
type judged struct {
	state    books.LoginState
	row      *row
	gone     bool // worth nothing
	unproved bool
	older    bool // it bears no stamp
	claims   bool // its row names who is to pass a second step
	foreign  bool
	err      error
}

func (c *cleaner) forget() {
	clear(c.parts)
	c.parts, c.changed, c.out = c.parts[:0], false, c.out[:0]
	c.w, c.ctx, c.ring = nil, nil, nil
}

// maxSessions is how many session values of one request are judged; more are
// a flood (threat L22) and are removed.
const maxSessions = 16

func (c *cleaner) read(header string) {
	sessions := 0
	for header != "" {
		var text string
		text, header, _ = strings.Cut(header, ";")
		text = trim(text)
		if text == "" {
			continue
		}
		name, val, ok := strings.Cut(text, "=")
		p := part{text: text, name: trim(name)}
		switch {
		case OurCookie(p.name):
			p.drop = true
		case c.w.names.session(p.name):
			p.session = true
			sessions++
			if sessions > maxSessions && c.mode == Closed {
				p.drop = true
				break
			}
			c.judge(&p, trim(val))
		case c.mode == Closed && (!ok || c.malformed(text)):
			p.drop = ok || c.malformed(text)
		}
		c.changed = c.changed || p.drop || p.stamped
		c.parts = append(c.parts, p)
	}
}

// malformed reports whether some backend would read a session (or a cookie
// of ours) out of a cookie that is none to us: backends split cookies at
// commas, at spaces and after quotes too.
func (c *cleaner) malformed(text string) bool {
	if text[0] == '=' {
		return true
	}
	for i := 0; i < len(text); i++ {
		if b := text[i]; b < ' ' || b == 0x7f {
			return true
		}
	}
	for i, start := strings.IndexByte(text, '='), 0; i >= 0; {
		before := strings.TrimRight(text[start:i], " \t")
		if j := strings.LastIndexAny(before, ",;\"' \t{}()&"); j >= 0 {
			before = before[j+1:]
		} else if start == 0 {
			before = "" // the cookie's own name, judged already
		}
		if before != "" && (c.w.names.session(before) || OurCookie(before)) {
			return true
		}
		start = i + 1
		next := strings.IndexByte(text[start:], '=')
		if next < 0 {
			return false
		}
		i = start + next
	}
	return false
}

// judge opens the stamp of a session value and sets what it came to.
func (c *cleaner) judge(p *part, val string) {
	inner, quoted := unquote(val)
	plain, text, has := splitStamp(inner)
	p.plain = val
	if has {
		if st, ok := openStamp(c.ring, c.w.cfg.Application, p.name, plain, text, &c.scratch); ok {
			p.stamped = true
			if p.plain = plain; quoted {
				p.plain = `"` + plain + `"`
			}
			p.judged = c.w.judgeStamp(c.ctx, st, p.name, plain, c.device, c.mode, c.now)
			return
		}
		if looksStamped(text) {
			// Cut from another value, another application's, or of a key
			// that is gone: no stamp ever reaches the backend.
			p.drop = true
			return
		}
	}
	p.judged = c.w.judgeBare(c.ctx, p.name, inner, c.device, c.mode, c.now)
}

func looksStamped(text string) bool {
	if len(text) < 54 || len(text) > stampRoom {
		return false
	}
	for i := 0; i < len(text); i++ {
		b := text[i]
		if (b < 'a' || b > 'z') && (b < 'A' || b > 'Z') && (b < '0' || b > '9') && b != '-' && b != '_' {
			return false
		}
	}
	return true
}

// choose makes one session of the values: the strictest state wins, among
// logins the newest.
func (c *cleaner) choose(s *Session) {
	var chosen *row
	rank := 0
	for i := range c.parts {
		p := &c.parts[i]
		if !p.session || p.drop {
			continue
		}
		if p.err != nil {
			s.Err = p.err
		}
		if p.foreign {
			s.Foreign = true
			if p.row != nil {
				s.ForeignLogin = p.row.login.ID
			}
		}
		if p.gone {
			p.drop, c.changed = true, true
			continue
		}
		if p.row == nil || p.state == books.LoginNobody {
			continue
		}
		if n := strictness(p.state); chosen == nil || n > rank || (n == rank && p.row.login.ID > chosen.login.ID) {
			chosen, rank = p.row, n
			s.State = p.state
		}
	}
	if chosen != nil {
		s.Login = chosen.login
		s.Person = chosen.login.Person
		chosen.use(c.now)
	} else if claim := c.claim(); claim != nil {
		s.claim = claim.login
		claim.use(c.now)
	}
	waits := s.State == books.LoginDeciding || s.State == books.LoginHeld
	for i := range c.parts {
		p := &c.parts[i]
		if !p.session || p.drop {
			continue
		}
		if c.mode == Closed {
			// Another user's login beside the chosen one is no part of this
			// session; nor is what nobody proved.
			other := chosen != nil && p.row != nil && p.row != chosen && p.row.login.Person.User != s.Person.User
			if p.unproved && !waits && chosen == nil {
				inner, _ := unquote(p.plain)
				s.unproved = append(s.unproved, pair{p.name, inner})
			}
			if waits || other || p.unproved {
				p.drop, c.changed = true, true
				s.Unproved = s.Unproved || (p.unproved && chosen == nil)
				continue
			}
		}
		s.Unproved, s.older = s.Unproved || p.unproved, s.older || p.older
		s.Carried = true
		if c.mode == Drain && p.stamped {
			inner, _ := unquote(p.plain)
			s.stamped = append(s.stamped, pair{p.name, inner})
		}
	}
	s.Carried = s.Carried || waits
}

// single is the login that all sessions of the request are part of, all of
// them stamped; nil where they are not, or there is none.
func (c *cleaner) single() *row {
	var one *row
	for i := range c.parts {
		p := &c.parts[i]
		if !p.session {
			continue
		}
		if p.drop || !p.stamped || p.row == nil || (one != nil && one != p.row) {
			return nil
		}
		one = p.row
	}
	return one
}

func strictness(state books.LoginState) int {
	switch state {
	case books.LoginDeciding:
		return 3
	case books.LoginHeld:
		return 2
	case books.LoginBound:
		return 1
	case books.LoginNobody, books.LoginEnded:
	}
	return 0
}

// write rebuilds the Cookie header of what is left; a header in which
// nothing changed stays byte for byte.
func (c *cleaner) write(h http.Header, s *Session) {
	if !c.changed {
		return
	}
	for i := range c.parts {
		p := &c.parts[i]
		if p.drop {
			continue
		}
		if len(c.out) > 0 {
			c.out = append(c.out, "; "...)
		}
		if p.stamped {
			c.out = append(c.out, p.name...)
			c.out = append(c.out, '=')
			c.out = append(c.out, p.plain...)
		} else {
			c.out = append(c.out, p.text...)
		}
	}
	if len(c.out) == 0 {
		delete(h, "Cookie")
		return
	}
	lines := h["Cookie"]
	lines[0] = string(c.out)
	clear(lines[1:])
	h["Cookie"] = lines[:1]
}
