package caddymodule

import (
	"bytes"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cadenas-gateway/cadenas/fingerprint"
	"github.com/cadenas-gateway/cadenas/pages"
)

// badged puts a small mark on the backend's login page that says that Biopass
// guards it (B1): one picture of ours before the end of the body. A page that
// cannot take it safely is left as it is: compressed, signed, not HTML, cut
// into ranges, or with a policy that allows no picture of its own host.
func (h *Handler) badged(next caddyhttp.Handler) caddyhttp.Handler {
	return caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		if r.Method != http.MethodGet || h.Login == nil || r.URL.Path != h.Login.Path || !fingerprint.Navigation(r) || r.Header.Get("Range") != "" {
			return next.ServeHTTP(w, r)
		}
		// What is compressed cannot be read; `encode` in front of us still
		// compresses what goes out.
		r.Header.Set("Accept-Encoding", "identity")
		c := pages.Language(r, h.app.Languages)
		b := &badge{
			ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w},
			mark: fmt.Appendf(nil, `<aside aria-label="Biopass"><p align="center"><img src="%s" width="%d" height="28" alt="%s"></p></aside>`,
				html.EscapeString(pages.Asset("badge-"+c.Tag()+".svg")), badgeWidths[c.Tag()], ascii(c.Text("biopass.guards"))),
		}
		err := next.ServeHTTP(b, r)
		if err == nil {
			err = b.finish()
		}
		return err
	})
}

// badgeWidths are those of the pictures, in pixels: the page leaves room for
// them before they are there.
var badgeWidths = map[string]int{"en": 232, "fr": 264}

// ascii writes text so that it means the same in every charset of the web.
func ascii(text string) string {
	var b strings.Builder
	for _, r := range html.EscapeString(text) {
		if r < 0x80 {
			b.WriteRune(r)
			continue
		}
		fmt.Fprintf(&b, "&#%d;", r)
	}
	return b.String()
}

// badge is the writer between the backend and the browser.
type badge struct {
	*caddyhttp.ResponseWriterWrapper
	mark []byte
	// fits says that the answer takes the mark; seen is what is held back of
	// it; wrote that the status went.
	fits, wrote bool
	seen        []byte
}

var (
	bodyEnd    = regexp.MustCompile(`(?i)</body`)
	metaPolicy = regexp.MustCompile(`(?i)http-equiv\s*=\s*["']?content-security-policy`)
)

// WriteHeader decides from the headers whether the mark fits.
func (b *badge) WriteHeader(status int) {
	if !b.wrote && status >= 200 {
		b.wrote = true
		if h := b.Header(); status == http.StatusOK && takesMark(h) {
			b.fits = true
			for _, name := range []string{"Content-Length", "ETag", "Last-Modified", "Accept-Ranges"} {
				h.Del(name)
			}
		}
	}
	b.ResponseWriterWrapper.WriteHeader(status)
}

func takesMark(h http.Header) bool {
	kind := strings.ToLower(h.Get("Content-Type"))
	if !strings.HasPrefix(kind, "text/html") || strings.Contains(kind, "utf-16") || strings.Contains(kind, "utf-32") || strings.Contains(kind, "utf-7") {
		return false
	}
	if e := strings.ToLower(h.Get("Content-Encoding")); e != "" && e != "identity" {
		return false
	}
	for _, signed := range []string{"Digest", "Content-Digest", "Repr-Digest", "Content-MD5", "Signature"} {
		if h.Get(signed) != "" {
			return false
		}
	}
	for _, line := range h.Values("Content-Security-Policy") {
		for policy := range strings.SplitSeq(line, ",") {
			if !allowsPicture(policy) {
				return false
			}
		}
	}
	return true
}

// allowsPicture reports whether a policy lets a page show a picture of its own
// host. Only what says so plainly counts.
func allowsPicture(policy string) bool {
	directives := map[string][]string{}
	for part := range strings.SplitSeq(policy, ";") {
		words := strings.Fields(strings.ToLower(part))
		if len(words) > 0 {
			if _, twice := directives[words[0]]; !twice {
				directives[words[0]] = words[1:]
			}
		}
	}
	if _, sandboxed := directives["sandbox"]; sandboxed {
		return false
	}
	sources, ok := directives["img-src"]
	if !ok {
		if sources, ok = directives["default-src"]; !ok {
			return true
		}
	}
	for _, s := range sources {
		if s == "'self'" || s == "*" {
			return true
		}
	}
	return false
}

// Write passes the page on, and the mark before its end.
func (b *badge) Write(p []byte) (int, error) {
	if !b.wrote {
		b.WriteHeader(http.StatusOK)
	}
	if !b.fits {
		return b.ResponseWriterWrapper.Write(p)
	}
	b.seen = append(b.seen, p...)
	if metaPolicy.Match(b.seen) {
		return len(p), b.leave()
	}
	if at := bodyEnd.FindIndex(b.seen); at != nil {
		b.seen = bytes.Join([][]byte{b.seen[:at[0]], b.mark, b.seen[at[0]:]}, nil)
		return len(p), b.leave()
	}
	// The head of a page is small; a policy in it may stand anywhere before
	// the body's end, so all of it is looked at, up to a bound.
	if len(b.seen) > maxBadged {
		return len(p), b.leave()
	}
	return len(p), nil
}

// maxBadged is the longest page that is held back to be looked at.
const maxBadged = 1 << 20

// leave writes what was held back, and passes the rest as it comes.
func (b *badge) leave() error {
	b.fits = false
	_, err := b.ResponseWriterWrapper.Write(b.seen)
	b.seen = nil
	return err
}

func (b *badge) finish() error {
	if !b.fits {
		return nil
	}
	return b.leave()
}

// Flush waits for the end of the page while it is looked at.
func (b *badge) Flush() {
	if !b.fits {
		_ = http.NewResponseController(b.ResponseWriter).Flush() // a writer that cannot flush has nothing to flush
	}
}

// Interface guards
var (
	_ http.ResponseWriter = (*badge)(nil)
	_ http.Flusher        = (*badge)(nil)
)
