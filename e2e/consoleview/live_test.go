package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/e2e"
	"github.com/cadenas-gateway/cadenas/store"
)

// comes records a connection, as the gate does when somebody comes by.
func (s *stand) comes(t *testing.T, user string, kind access.Kind, count uint64) {
	t.Helper()
	now := time.Now()
	c := books.Connection{
		ID: books.NewConnectionID(now, user), User: user, Application: "register", First: now, Last: now, Count: count,
		Device: access.Device{ID: "device-of-" + user, Kind: kind}, Browser: access.Browser{Family: "Chrome", Platform: "Android"}, Place: access.Place{Name: "Office"},
	}
	writes := append(s.books.Connections.Put(c), s.books.Connections.Recorded(c.Application, now))
	if err := s.books.Store.Apply(context.Background(), store.Batch{Writes: writes}); err != nil {
		t.Fatal(err)
	}
}

// The rows that appear by themselves are those that are asked for, in the order
// that is asked for, and what is being typed stays.
func TestTheGridFollowsWhatIsFilteredAndSorted(t *testing.T) {
	t.Parallel()
	s, address := serve(t, options{connections: 40})
	b := e2e.OpenBrowser(t, e2e.View{Zone: "America/Toronto"})
	signIn(t, s, b, fixture.Marie.Email)
	b.Open(address + "/connections?app=register&window=all&kind=tablet&sort=count")
	b.Await("the stream", `performance.getEntriesByType("resource").some((e) => e.name.endsWith("/events")) || document.querySelector("[data-live-state]:not([hidden])")`)
	b.See("#zone") // this machine is elsewhere than the server
	rows := e2e.Eval[int](b, `document.querySelectorAll("#rows tr").length`)
	b.Type("#q", "half a na")

	s.comes(t, "by.phone@lucioles.example", access.Phone, 1_000_000)
	s.comes(t, "seldom@lucioles.example", access.Tablet, 0)
	s.comes(t, "often@lucioles.example", access.Tablet, 1_000_000)
	b.Await("the new one on top", `document.querySelector("#rows tr .who").textContent.includes("often@lucioles.example")`)
	if rows < 28 { // else the second is on the next page
		b.Await("the other one at the bottom", `document.querySelector("#rows tr:last-child .who").textContent.includes("seldom@lucioles.example")`)
		if got := e2e.Eval[int](b, `document.querySelectorAll("#rows tr").length`); got != rows+2 {
			t.Errorf("%d rows have become %d", rows, got)
		}
	}
	if strings.Contains(b.PageText(), "by.phone@") {
		t.Error("a row that is filtered out appears by itself")
	}
	if got := e2e.Eval[string](b, `document.querySelector("#q").value + " " + document.activeElement.id`); got != "half a na q" {
		t.Errorf("what was typed has become %q", got)
	}

	b.Click("[data-freeze]")
	s.comes(t, "late@lucioles.example", access.Tablet, 2_000_000)
	b.Click("[data-freeze]")
	b.Await("what came while the rows were held", `document.querySelector("#rows tr .who").textContent.includes("late@lucioles.example")`)

	// What the service worker keeps are assets, and nothing that says who came.
	b.Await("a service worker", `(navigator.serviceWorker.ready.then(() => { window.works = true }), window.works)`)
	b.Open(address + "/people")
	e2e.Eval[bool](b, `fetch("/connections.csv?app=register").then((r) => r.text()).then((text) => text.includes("often@"))`)
	b.Open(address + "/requests")
	b.Await("assets to be kept", `(caches.keys().then((names) => Promise.all(names.map((n) => caches.open(n).then((c) => c.keys()))))
		.then((all) => { window.kept = all.flat().map((r) => new URL(r.url).pathname); }), window.kept?.length)`)
	for _, path := range e2e.Eval[[]string](b, `window.kept`) {
		if !strings.HasPrefix(path, "/.cadenas/assets/") {
			t.Errorf("the service worker keeps %s", path)
		}
	}
}

// Who asks is heard and seen, in the title and on the icon, where a sound was
// asked for and nowhere else.
func TestWhoComesIsHeardWhereASoundWasAskedFor(t *testing.T) {
	t.Parallel()
	s, address := serve(t, options{connections: 3})
	b := e2e.OpenBrowser(t, e2e.View{Size: e2e.Phone, Language: "fr-CA"})
	signIn(t, s, b, fixture.Marie.Email)
	b.Open(address + "/requests")
	e2e.Eval[bool](b, `(navigator.setAppBadge = (n) => { window.badge = n; return Promise.resolve(); }, navigator.clearAppBadge = () => { window.badge = 0; return Promise.resolve(); }, true)`)
	b.See("[data-sound]")
	if _, err := fixture.Ask(context.Background(), s.asks, 1); err != nil {
		t.Fatal(err)
	}
	b.Await("the first to be counted", `document.title.startsWith("(1) ") && window.badge === 1`)
	if e2e.Eval[bool](b, `document.documentElement.dataset.rang !== undefined`) {
		t.Error("it rang although nobody wanted that")
	}
	b.Click("[data-sound]")
	b.Await("the sound to be tried", `document.documentElement.dataset.rang === "1"`)
	asks, err := fixture.Ask(context.Background(), s.asks, 2)
	if err != nil {
		t.Fatal(err)
	}
	b.Await("the second to be counted and heard", `document.title.startsWith("(2) ") && window.badge === 2 && document.documentElement.dataset.rang === "2"`)
	for _, ask := range asks {
		if err := s.asks.Cancel(context.Background(), ask.Application, ask.ID); err != nil {
			t.Fatal(err)
		}
	}
	b.Await("nothing to be counted", `!document.title.startsWith("(") && window.badge === 0 && document.documentElement.dataset.rang === "2"`)
}

// The two columns by keyboard: arrows go, with shift they tick, ctrl and A ticks
// all, and a range is ticked by shift and the mouse.
func TestTheColumnsAreTickedByKeyboard(t *testing.T) {
	t.Parallel()
	s, address := serve(t, options{connections: 40})
	b := e2e.OpenBrowser(t, e2e.View{})
	signIn(t, s, b, fixture.Marie.Email)
	b.Open(address + "/columns?app=register")
	press := func(key, more string) {
		e2e.Eval[bool](b, `document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "`+key+`", bubbles: true, cancelable: true`+more+`})) || true`)
	}
	ticked := func(want int) {
		t.Helper()
		b.Await(itoa(want)+" to be ticked", `document.querySelectorAll("input[name=in]:checked").length === `+itoa(want)+` && (document.querySelector("[data-sel=in]").textContent.trim() || "0") === "`+itoa(want)+`"`)
	}
	all := e2e.Eval[int](b, `document.querySelectorAll("input[name=in]").length`)
	if all < 4 {
		t.Fatalf("%d entries", all)
	}
	e2e.Eval[bool](b, `(document.querySelector("input[name=in]").focus(), true)`)
	press("ArrowDown", "")
	ticked(0)
	press("ArrowDown", ", shiftKey: true")
	press("ArrowDown", ", shiftKey: true")
	ticked(3)
	if got := e2e.Eval[int](b, `[...document.querySelectorAll("input[name=in]")].indexOf(document.activeElement)`); got != 3 {
		t.Errorf("the focus is on entry %d", got)
	}
	b.Key(" ") // the box that has the focus, as any
	ticked(2)
	press("a", ", ctrlKey: true")
	ticked(all)
	// A change by somebody else leaves the ticks of what is still there.
	s.comes(t, "new.one@lucioles.example", access.Tablet, 1)
	see(b, "new.one@lucioles.example")
	ticked(all)
	b.Go("[data-move=out]")
	see(b, "Withdraw "+itoa(all)+" connections?") // more than ten are shown first
}
