package identity

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
)

// Applications that post everything to one path send long texts and files to
// the login's own address. Such a body is not kept: it streams, and what it
// names is read as it passes. Should the login's field come after all, the
// request ends there: the backend never sees whose login it would have been
// (threat L26).

// maxScreenedName bounds a name that is looked for, in bytes: a longer one in
// the body cannot fold to it.
const maxScreenedName = 100

// Screen lets a body through that is too long to be kept and is no login as
// far as it was read. Call it before Classify, with the padlock closed; where
// it returns false nothing has changed. Done is to be called when the request
// is over: it tells whether a login came later, and was cut off.
func (w *Watcher) Screen(r *http.Request) (done func() (met bool), ok bool) {
	field := w.userField()
	if r.Method == http.MethodGet || r.Method == http.MethodHead || field == "basic" || len(field) > maxScreenedName || !w.login.watched(r.URL) ||
		(r.ContentLength >= 0 && r.ContentLength <= w.cfg.MaxBody) {
		return nil, false
	}
	k := keep(r, w.cfg.MaxBody)
	if !errors.Is(k.err, ErrTooLarge) || k.rest == nil {
		return nil, false
	}
	s := &screened{from: k}
	if s.scan = scannerFor(r.Header, meant(field)); s.scan == nil || s.scan.meets(k.data) {
		return nil, false
	}
	r.Body = s
	return func() bool {
		s.from.wipe()
		return s.met.Load()
	}, true
}

// meant reports whether a field's name is the one a login cannot do without:
// the user's, or while that is not known a password's.
func meant(field string) func(name string) bool {
	if field == "" {
		return passwordLike
	}
	folded := foldField(field)
	return func(name string) bool { return foldField(name) == folded }
}

// screened is a body that is read for names as it passes.
type screened struct {
	from *keptBody
	scan scanner
	read int // bytes passed that were scanned before
	met  atomic.Bool
}

// Read implements io.Reader.
func (s *screened) Read(p []byte) (int, error) {
	if s.met.Load() {
		return 0, ErrTooLarge
	}
	first := len(s.from.data)
	n, err := s.from.Read(p)
	fresh := p[:n]
	if s.read < first { // scanned already
		fresh = fresh[min(len(fresh), first-s.read):]
		s.read += n
	}
	if s.scan.meets(fresh) {
		clear(p[:n])
		s.met.Store(true)
		return 0, ErrTooLarge
	}
	return n, err
}

// Close implements io.Closer.
func (s *screened) Close() error {
	s.from.wipe()
	return s.from.Close()
}

var _ io.ReadCloser = (*screened)(nil)

// scanner reads a body in pieces and reports whether the name that is looked
// for has come.
type scanner interface{ meets(piece []byte) bool }

// scannerFor is the scanner of a body by its headers, nil for a kind that is
// not read in pieces: JSON, what is compressed, what is in another charset.
func scannerFor(h http.Header, meant func(string) bool) scanner {
	if len(h.Values("Content-Type")) != 1 {
		return nil
	}
	if e := strings.Join(h.Values("Content-Encoding"), ","); e != "" && !strings.EqualFold(e, "identity") {
		return nil
	}
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if cs := params["charset"]; err != nil || (cs != "" && !strings.EqualFold(cs, "utf-8") && !strings.EqualFold(cs, "utf8")) {
		return nil
	}
	switch kind {
	case "application/x-www-form-urlencoded":
		return &formScanner{meant: meant, naming: true}
	case "multipart/form-data":
		return &partScanner{meant: meant}
	}
	return nil
}

// formScanner reads the names of a URL-encoded form. What follows a semicolon
// is a name too: some backends split there.
type formScanner struct {
	meant  func(string) bool
	naming bool
	name   []byte
}

func (f *formScanner) meets(piece []byte) bool {
	for _, c := range piece {
		switch {
		case c == '&' || c == ';':
			if f.naming && f.named() {
				return true
			}
			f.naming, f.name = true, f.name[:0]
		case c == '=':
			if f.naming && f.named() {
				return true
			}
			f.naming = false
		case f.naming && len(f.name) < 6*maxScreenedName:
			f.name = append(f.name, c)
			f.lead()
		}
	}
	return false
}

// lead takes off what backends skip before a name, so that it cannot push the
// name out of sight.
func (f *formScanner) lead() {
	if len(f.name) == 1 && strings.IndexByte("+ \t\r\n", f.name[0]) >= 0 {
		f.name = f.name[:0]
	}
	if len(f.name) == 3 && f.name[0] == '%' && strings.TrimSpace(strings.ReplaceAll(lenientUnescape(string(f.name)), "+", " ")) == "" {
		f.name = f.name[:0]
	}
}

func (f *formScanner) named() bool {
	return len(f.name) > 0 && f.meant(lenientUnescape(string(f.name)))
}

// partScanner reads the names of a multipart form. It looks at whatever says
// that it is a part's disposition, wherever it stands: backends differ in
// where they see a boundary.
type partScanner struct {
	meant func(string) bool
	tail  []byte // the end of the piece before, or the header being read
	in    bool   // tail is a header from its name on
}

const (
	disposition   = "content-disposition"
	maxPartHeader = 4 << 10
)

func (p *partScanner) meets(piece []byte) bool {
	text := slices.Concat(p.tail, piece)
	lower := lowered(text)
	for {
		if !p.in {
			i := bytes.Index(lower, []byte(disposition))
			if i < 0 {
				p.keep(text[max(0, len(text)-len(disposition)):])
				return false
			}
			text, lower, p.in = text[i:], lower[i:], true
		}
		end := headerEnd(text[:min(len(text), maxPartHeader+1)])
		if end < 0 && len(text) <= maxPartHeader {
			p.keep(text)
			return false
		}
		if end < 0 || slices.ContainsFunc(partNames(string(text[:end])), p.meant) {
			return true // a header without an end is nothing a browser sends
		}
		text, lower, p.in = text[end:], lower[end:], false
	}
}

// lowered is text with ASCII letters in lower case, byte for byte.
func lowered(text []byte) []byte {
	out := slices.Clone(text)
	for i, c := range out {
		if c >= 'A' && c <= 'Z' {
			out[i] = c + 'a' - 'A'
		}
	}
	return out
}

func (p *partScanner) keep(text []byte) { p.tail = append(p.tail[:0:0], text...) }

// headerEnd is where the empty line after a header is, -1 for none yet.
func headerEnd(text []byte) int {
	for i := 0; i < len(text); i++ {
		if text[i] != '\n' {
			continue
		}
		rest := bytes.TrimLeft(text[i+1:], "\r")
		if len(rest) > 0 && rest[0] == '\n' {
			return i + 1
		}
	}
	return -1
}

// partNames are all names that a part's header may be read to give it.
func partNames(header string) []string {
	var names []string
	lower := string(lowered([]byte(header)))
	for at := 0; ; {
		i := strings.Index(lower[at:], "name")
		if i < 0 {
			return names
		}
		at += i + len("name")
		rest := strings.TrimLeft(header[at:], "*0123456789 \t")
		value, ok := strings.CutPrefix(rest, "=")
		if !ok {
			continue
		}
		value = strings.TrimLeft(value, " \t")
		var end int
		if value != "" && (value[0] == '"' || value[0] == '\'') {
			quote := value[0]
			value = value[1:]
			end = strings.IndexByte(value, quote)
			for end > 0 && value[end-1] == '\\' { // an escaped quote is part of it
				next := strings.IndexByte(value[end+1:], quote)
				if next < 0 {
					break
				}
				end += 1 + next
			}
		} else {
			end = strings.IndexAny(value, "; \t\r\n")
		}
		if end < 0 {
			end = len(value)
		}
		name := value[:end]
		names = append(names, name, strings.ReplaceAll(name, `\`, ""))
		if i := strings.LastIndex(name, "''"); i >= 0 { // RFC 5987: charset'language'name
			names = append(names, lenientUnescape(name[i+2:]))
		}
	}
}
