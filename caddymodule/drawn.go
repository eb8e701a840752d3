package caddymodule

import (
	"net/http"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/pages"
)

// drawnPages keeps the waiting page of a device for a second: one that asks
// again and again is told the same, and drawing it is most of what that costs
// (threat L22). Whether they still wait is asked of the gate at each request;
// an approval is seen at once. A refusal shows a second late at the most to
// who loads the page again, and at once to who has it open.
type drawnPages struct {
	cache *otter.Cache[drawnKey, drawnPage]
}

type drawnKey struct{ application, device string }

// drawnPage is a page and what it was drawn for.
type drawnPage struct {
	pages.Drawn
	drawnOf
}

// drawnOf tells one drawing of a device from another.
type drawnOf struct{ login, origin, uri, language, cookie string }

const (
	drawnFor = time.Second
	// drawnMost are kept, some 20 kB each.
	drawnMost = 256
)

func newDrawnPages() *drawnPages {
	return &drawnPages{otter.Must(&otter.Options[drawnKey, drawnPage]{
		MaximumSize: drawnMost, ExpiryCalculator: otter.ExpiryWriting[drawnKey, drawnPage](drawnFor),
	})}
}

func (d *drawnPages) forget(application, device string) {
	d.cache.Invalidate(drawnKey{application, device})
}

func (q *request) drawnOf(login string) drawnOf {
	cookie, _ := onlyCookie(q.r.Header["Cookie"])
	return drawnOf{
		login: login, origin: origin(q.r), uri: q.r.URL.RequestURI(), cookie: cookie,
		language: pages.Language(q.r, q.run.app.Languages).Tag(),
	}
}

// sameAgain answers somebody who waits for an approval with the page they were
// shown a moment ago; false where there is none.
func (q *request) sameAgain(v access.Verdict, login string) bool {
	if v.Answer != access.Approval || !q.page || q.r.Method != http.MethodGet {
		return false
	}
	kept, ok := q.run.drawn.cache.GetIfPresent(drawnKey{q.name, q.print.Device.ID})
	if !ok || kept.drawnOf != q.drawnOf(login) {
		return false
	}
	q.closing()
	kept.Write(q.w, q.r)
	return true
}

// keepDrawn keeps a waiting page for those moments.
func (q *request) keepDrawn(d pages.Drawn, login string) {
	if d.Empty() || !q.page || q.r.Method != http.MethodGet || q.print.Device.ID == "" {
		return
	}
	q.run.drawn.cache.Set(drawnKey{q.name, q.print.Device.ID}, drawnPage{d, q.drawnOf(login)})
}
