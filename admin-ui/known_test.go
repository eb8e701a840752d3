package adminui_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/books"
)

// What is known of somebody who waits is said once: a visit that was the last
// one, the last on this device and the last from this place is one sentence.
func TestACardSaysEachThingItKnowsOnce(t *testing.T) {
	const hour = time.Hour
	visit := func(h *house, device, place string, ago time.Duration) {
		h.connection(device+place, func(c *books.Connection) {
			c.Device.ID, c.Place.Name, c.Answer = device, place, access.LetIn
			c.Device.Label = map[string]string{"tablet": "Android tablet", "mac": "Mac"}[device]
			c.First, c.Last = h.now.Add(-ago), h.now.Add(-ago)
		})
	}
	for _, c := range []struct {
		name   string
		before func(h *house)
		says   []string
	}{
		{"nobody came before", func(*house) {}, []string{"Never let in"}},
		{"on this device, from this place", func(h *house) { visit(h, "tablet", "Office", hour) }, []string{"This device was last let in from this place"}},
		{"on this device, from elsewhere", func(h *house) { visit(h, "tablet", "Laval", hour) }, []string{"This device was last let in today"}},
		{"on another device, from this place", func(h *house) { visit(h, "mac", "Office", hour) }, []string{"Last let in from this place today"}},
		{"on this device once, on another since", func(h *house) { visit(h, "tablet", "Laval", 48*hour); visit(h, "mac", "Laval", hour) }, []string{"This device was last let in", "Last let in today"}},
		{"on this device from elsewhere, on another from here", func(h *house) { visit(h, "tablet", "Laval", 48*hour); visit(h, "mac", "Office", hour) }, []string{"This device was last let in", "Last let in from this place"}},
		{"neither", func(h *house) { visit(h, "mac", "Laval", hour) }, []string{"Last let in today"}},
	} {
		h := build(t, fixture.Marie)
		noon := time.Date(h.now.Year(), h.now.Month(), h.now.Day(), 12, 0, 0, 0, h.now.Location())
		h.pass(noon.Add(24 * hour).Sub(h.now)) // so that an hour ago is today
		c.before(h)
		asks := h.connection("asks", func(c *books.Connection) {
			c.Device.ID, c.Place.Name, c.Last, c.First, c.Answer = "tablet", "Office", h.now.Add(time.Second), h.now, access.Approval
			c.Browser.Family = "Firefox"
		})
		h.waits(asks, func(a *approvals.Ask) { a.New = []access.Part{access.PartBrowser} })
		body := h.signIn(fixture.Marie.Email).get("/requests").body
		_, body, _ = strings.Cut(body, `<ul class="known">`)
		body, _, _ = strings.Cut(body, "</ul>")
		if n := strings.Count(body, "<li>"); n != len(c.says) {
			t.Errorf("%s: %d sentences, not %d: %s", c.name, n, len(c.says), body)
		}
		for _, want := range c.says {
			if !strings.Contains(body, want) {
				t.Errorf("%s: no %q in %s", c.name, want, body)
			}
		}
	}
}
