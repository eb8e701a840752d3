package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/cadenas-gateway/cadenas/biopass"
)

// What no hand typed is refused by the endpoint, across the wire, whatever the
// page's own script would have let through; none of it lets anybody in.
func TestThreat_L27_WhatNoHandTypedIsRefusedAcrossTheWire(t *testing.T) {
	t.Parallel()
	owner, _ := twoTypists(t)
	o := asksBiopass("")
	o.Cadenas = "biopass {\nattempts 20\n}"
	g := StartGate(t, &Demo{}, o)
	desk := julieIsKnown(g, View{})
	var enrolled []biopass.Seen
	desk.signsOut()
	signIn(desk, g.Site, 1)
	desk.See("form[action$='/consent'] button")
	desk.Go("form[action$='/consent'] button")
	desk.See("[data-bio] .word .rest")
	for range 5 {
		desk.types(owner, func(c *biopass.Capture) { enrolled = slices.Clone(c.Events) })
	}

	b := OpenBrowser(t, View{})
	b.Allow("422|403|400|413")
	signIn(b, g.Site, 1)
	b.See("[data-bio] .word .rest")
	among := func(e biopass.Seen) func(*biopass.Capture) {
		return func(c *biopass.Capture) {
			e.At = c.Events[8].At
			c.Events = slices.Insert(c.Events, 8, e)
		}
	}
	each := func(change func(*biopass.Seen)) func(*biopass.Capture) {
		return func(c *biopass.Capture) {
			for i := range c.Events {
				change(&c.Events[i])
			}
		}
	}
	for _, c := range []struct {
		why    string
		change func(*biopass.Capture)
	}{
		{"late", func(c *biopass.Capture) { c.Challenge = strings.Repeat("0", 32) }},
		{"words", func(c *biopass.Capture) { c.Events = owner.line(strings.Fields("marble window carrot seven")) }},
		{"script", each(func(e *biopass.Seen) { e.Trusted = false })},
		{"paste", among(biopass.Seen{Type: "paste", Trusted: true})},
		{"paste", among(biopass.Seen{Type: "drop", Trusted: true})},
		{"fill", among(biopass.Seen{Type: "fill", Trusted: true})},
		{"keyboard", among(biopass.Seen{Type: "down", Key: "Process", KeyCode: 229, Trusted: true})},
		{"keyboard", func(c *biopass.Capture) {
			c.Events = slices.DeleteFunc(c.Events, func(e biopass.Seen) bool { return e.Type == "up" })
		}},
		{"focus", among(biopass.Seen{Type: "blur", Trusted: true})},
		{"edit", among(biopass.Seen{Type: "down", Key: "ArrowLeft", Code: "ArrowLeft", Trusted: true})},
		{"coarse", each(func(e *biopass.Seen) { e.At = float64(int(e.At/100)) * 100 })},
		{"time", each(func(e *biopass.Seen) { e.At *= 8 })},
		{"flat", func(c *biopass.Capture) {
			n := 0.0
			var even []biopass.Seen
			for _, e := range c.Events {
				if e.Type == "down" {
					down, up := e, e
					down.At, up.Type, up.At = 1000+90.3*n, "up", 1000+90.3*n+51
					even, n = append(even, down, up), n+1
				}
			}
			c.Events = even
		}},
		{"copy", func(c *biopass.Capture) { c.Events = inTheRhythmOf(enrolled, c.Events) }},
		{"form", func(c *biopass.Capture) { c.Events[3].Type = "wink" }},
	} {
		if _, why := b.typesFor(owner, c.change); why != c.why {
			t.Errorf("%q, want %q", why, c.why)
		}
	}
	// Bodies are bounded, and other people's pages send nothing.
	long := Eval[int](b, `fetch("/.cadenas/biopass/typed", {method: "POST", body: "{\"challenge\":\"" + "x".repeat(200000) + "\"}"}).then((r) => r.status)`)
	if long != 422 && long != 413 {
		t.Errorf("200 kB are answered %d", long)
	}
	c := NewClient(t)
	r := c.Request("POST", g.Console.URL("/.cadenas/biopass/typed"), strings.NewReader("{}"))
	r.Header.Set("Origin", "https://evil.example.com")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if a := c.Do(r); a.Status != 403 && a.Status != 404 {
		t.Errorf("a foreign page is answered %d", a.Status)
	}
	b.Open(g.Site.URL("/"))
	b.See("[data-bio]")
}

// inTheRhythmOf types keys at the times of others.
func inTheRhythmOf(other, own []biopass.Seen) []biopass.Seen {
	var downs, holds []float64
	for i, e := range other {
		if e.Type != "down" {
			continue
		}
		up := slices.IndexFunc(other[i:], func(u biopass.Seen) bool { return u.Type == "up" && u.Code == e.Code })
		downs, holds = append(downs, e.At), append(holds, other[i+up].At-e.At)
	}
	var out []biopass.Seen
	free := map[string]float64{} // a key is let go before it is pressed again
	n, last := 0, 0.0
	for _, e := range own {
		if e.Type != "down" {
			continue
		}
		at, hold := downs[n%len(downs)], holds[n%len(downs)]
		if n >= len(downs) { // a longer line goes on in the same rhythm
			at += downs[len(downs)-1] - downs[0] + 100
		}
		if n > 0 {
			at = max(at, free[e.Code]+1, last+1)
		}
		last = at
		down, up := e, e
		down.At, up.Type, up.At = at, "up", at+hold
		free[e.Code] = at + hold
		out = append(out, down, up)
		n++
	}
	slices.SortStableFunc(out, func(a, b biopass.Seen) int {
		switch {
		case a.At < b.At:
			return -1
		case a.At > b.At:
			return 1
		}
		return 0
	})
	return out
}

// What the page itself sees at once, with real events of a real browser: text
// that no key brought, an input method, a key that a script made.
func TestThreat_L27_ThePageSeesAtOnceWhatIsNoTyping(t *testing.T) {
	t.Parallel()
	owner, _ := twoTypists(t)
	g := StartGate(t, &Demo{}, asksBiopass(""))
	desk := julieIsKnown(g, View{})
	desk.enrols(g, owner)

	b := OpenBrowser(t, View{Language: "fr"})
	b.Allow("422")
	signIn(b, g.Site, 1)
	const hides = "Ce clavier cache son rythme"
	b.wordsAsked()
	b.Click("[data-typed]")
	b.do("text without keys", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: "mar"})
		return err
	}))
	b.SeeText(hides)
	b.See("[data-ask].btn-key")
	if v := Eval[string](b, `document.querySelector("[data-typed]").value`); v != "" {
		t.Errorf("it stands there: %q", v)
	}
	b.Reload()
	b.wordsAsked()
	b.Click("[data-typed]")
	b.do("an input method", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, input.ImeSetComposition, input.ImeSetCompositionParams{Text: "ma", SelectionStart: 2, SelectionEnd: 2})
		return err
	}))
	b.SeeText(hides)
	b.Shot("hidden-keys")

	b.Reload()
	words := b.wordsAsked()
	b.Click("[data-typed]")
	Eval[bool](b, fmt.Sprintf(`document.querySelector("[data-typed]").dispatchEvent(new KeyboardEvent("keydown", {key: %q, code: "KeyA", keyCode: 65, bubbles: true}))`, words[0][:1]))
	b.hands(strings.Join(words, " "))
	b.Await("what follows a program's key", `document.querySelector("h1").textContent.includes("d’autres mots")`)
	if n := len(g.Requests()); n != 0 {
		t.Errorf("%d wait", n)
	}
}
