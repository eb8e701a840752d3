package webpush

import (
	"strings"

	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/lang"
)

// Payload is what the service worker reads.
type Payload struct {
	Version int    `json:"v"`
	Kind    string `json:"kind"`
	Title   string `json:"title"`
	Body    string `json:"body,omitempty"`
	// Tag is the same for all pushes of one request: a later one takes the
	// place of the one before.
	Tag string `json:"tag"`
	// URL is where it leads; Open is what its one button says.
	URL  string `json:"url,omitempty"`
	Open string `json:"open,omitempty"`
	Lang string `json:"lang"`
	// Over says that nobody need do anything any more: it rings no more, and
	// vanishes where the console is looked at.
	Over bool `json:"over,omitempty"`
	// At is the moment it is about, in milliseconds since 1970.
	At int64 `json:"at"`
}

// maxBody keeps a payload well under the 4,096 bytes of a push.
const maxBody = 600

// Message says a notice as a push: who, what and where, in the admin's
// language.
func Message(n approvals.Notice) Payload {
	b := approvals.RenderBrief(n)
	p := Payload{
		Version: 1, Kind: string(n.Kind), Title: lang.Inert(b.Title, 200), Tag: Topic(n), URL: n.Link,
		Lang: lang.For(n.To.Language).Tag(), At: n.Created.UnixMilli(), Over: n.Kind == approvals.NoticeDecided,
	}
	lines := make([]string, 0, len(b.Body))
	for _, line := range b.Body {
		lines = append(lines, lang.Inert(line, maxBody/2))
	}
	p.Body = strings.Join(lines, "\n")
	if n.Link != "" {
		p.Open = b.Button
	}
	return p
}
