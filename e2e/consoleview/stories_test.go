package main

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/e2e"
)

func TestTheWaitingRoomFollowsWhatHappens(t *testing.T) {
	t.Parallel()
	s, address := serve(t, options{connections: 5})
	b := e2e.OpenBrowser(t, e2e.View{Size: e2e.Phone})
	signIn(t, s, b, fixture.Marie.Email)
	b.Open(address + "/requests")
	see(b, "Nobody waits.")

	asks, err := fixture.Ask(context.Background(), s.asks, 1)
	if err != nil {
		t.Fatal(err)
	}
	see(b, "1 person waits")
	see(b, "Julie Tremblay-Archambault")
	b.Await("the title to count", `document.title.startsWith("(1) ")`)
	b.Await("the bar to count", `document.querySelector("[data-count]")?.textContent.startsWith("1")`)

	// What is being typed stays when another request comes.
	first, second := string(asks[0].Number[0]), string(asks[0].Number[1])
	b.Type("[data-number]", first)
	if asks, err = fixture.Ask(context.Background(), s.asks, 2); err != nil {
		t.Fatal(err)
	}
	see(b, "2 people wait")
	b.Await("what was typed to stay", `[...document.querySelectorAll("[data-number]")].some((e) => e.value === "`+first+`" && e === document.activeElement)`)
	b.Key(second)
	b.Enter()
	see(b, "Authorised. Their page opens now.")
	see(b, "1 person waits")
	now, err := s.asks.Get(context.Background(), asks[0].Application, asks[0].ID)
	if err != nil || now.State != approvals.Approved {
		t.Fatalf("the request: %s, %v", now.State, err)
	}

	// Another admin decides; this page tells it.
	if _, err := s.asks.Decide(context.Background(), approvals.Choice{
		Application: asks[1].Application, ID: asks[1].ID, Effect: access.Refuse, By: fixture.Paul, SignedIn: true, Via: approvals.ViaConsole,
	}); err != nil {
		t.Fatal(err)
	}
	see(b, "Nobody waits.")
	see(b, "Decided by Paul Lefebvre")
	b.Await("the title to forget", `!document.title.startsWith("(")`)
}

func TestArrowsAndDraggingOnADesk(t *testing.T) {
	t.Parallel()
	s, address := serve(t, options{connections: 40})
	b := e2e.OpenBrowser(t, e2e.View{})
	signIn(t, s, b, fixture.Marie.Email)
	b.Open(address + "/columns?app=register")
	moved := e2e.Eval[int](b, `document.querySelectorAll("input[name=in]").length`)
	if !e2e.Eval[bool](b, `document.querySelector("[data-move=out]").disabled`) {
		t.Error("an arrow without anything ticked can be pressed")
	}
	b.Click("#list-in .entry:nth-child(1)")
	e2e.Eval[bool](b, `(() => { const e = document.querySelectorAll("#list-in input")[2]; e.dispatchEvent(new MouseEvent("click", {bubbles: true, shiftKey: true})); return true; })()`)
	b.Await("three to be ticked", `document.querySelector("[data-sel=in]").textContent.trim() === "3"`)
	picture(b, "columns-ticked")
	b.Go("[data-move=out]")
	see(b, "3 connections withdrawn.")
	b.Await("three fewer", `document.querySelectorAll("input[name=in]").length === `+itoa(moved-3))
	b.Axe("columns after a move")
	picture(b, "columns-moved")
	b.Go(".toast button")
	see(b, "Taken back.")
	b.Await("all back", `document.querySelectorAll("input[name=in]").length === `+itoa(moved))
	drag(b, address, moved)
}

// drag is the columns with the mouse alone: across, back, several, one beside
// those that are ticked, nowhere, and more than ten, which are shown first.
func drag(b *e2e.Browser, address string, inside int) {
	b.Open(address + "/columns?app=register")
	count := func(what string, n int) {
		b.Await(what, `document.querySelectorAll("input[name=in]").length === `+itoa(n))
	}
	ticked := func(what, names string, n int) {
		b.Await(what, `document.querySelectorAll("input[name=`+names+`]:checked").length === `+itoa(n))
	}
	b.Drag("#list-out .entry:nth-child(1)", "#h-in")
	see(b, "1 connection authorised.")
	count("one more on the right", inside+1)
	b.Drag("#list-in .entry:nth-child(1)", "#h-out")
	see(b, "1 connection withdrawn.")
	count("it to be back on the left", inside)

	b.Click("#list-in .entry:nth-child(1)")
	b.Click("#list-in .entry:nth-child(2)")
	b.Drag("#list-in .entry:nth-child(3)", "#h-in") // onto its own side: nothing moves
	ticked("what was ticked to stay so", "in", 2)
	count("nothing to have moved", inside)
	// One beside those ticked goes alone, though the other column ends far above.
	b.Drag("#list-in .entry:nth-child(30)", ".col-out")
	see(b, "1 connection withdrawn.")
	b.Go(".toast button")
	see(b, "Taken back.")
	count("it to be back on the right", inside)

	b.Click("#list-out .entry:nth-child(1)")
	b.Click("#list-out .entry:nth-child(2)")
	b.Drag("#list-out .entry:nth-child(2)", "#h-in")
	see(b, "2 connections authorised.")
	count("two more on the right", inside+2)
	b.Go(".toast button")
	see(b, "Taken back.")
	count("both to be back on the left", inside)

	b.Click("input[data-all=in]")
	ticked("all to be ticked", "in", inside)
	b.Drag("#list-in .entry:nth-child(1)", "#h-out")
	see(b, "Withdraw "+itoa(inside)+" connections?")
	picture(b, "columns-dragged")
}

func TestColumnsWithAThumb(t *testing.T) {
	t.Parallel()
	s, address := serve(t, options{connections: 6})
	b := e2e.OpenBrowser(t, e2e.View{Size: e2e.Phone, Language: "fr"})
	signIn(t, s, b, fixture.Marie.Email)
	b.Open(address + "/columns?app=register")
	b.Click("[data-show=in]")
	b.See("#list-in .entry")
	b.Click("#list-in .entry:nth-child(1)")
	b.Fits()
	picture(b, "columns-thumb")
	b.Go("[data-move=out]")
	see(b, "connexion retirée")
}

func TestWithoutScript(t *testing.T) {
	t.Parallel()
	s, address := serve(t, options{connections: 8, requests: 1})
	b := e2e.OpenBrowser(t, e2e.View{NoScript: true})
	signIn(t, s, b, fixture.Marie.Email)
	b.Open(address + "/requests")
	picture(b, "requests-noscript")
	b.Click("input[name=sure]")
	b.Go("button[value=approve]")
	if got := b.Text(".done"); !strings.Contains(got, "Authorised") {
		t.Errorf("deciding: %q", got)
	}
	b.Open(address + "/columns?app=register")
	picture(b, "columns-noscript")
	b.Click("#list-in .entry:nth-child(1) input")
	b.Go("[data-move=out]")
	if got := b.Text(".toast"); !strings.Contains(got, "withdrawn") {
		t.Errorf("moving: %q", got)
	}
	b.Go(".toast button")
	b.Open(address + "/connections?app=register")
	b.Go("a.gate-switch")
	b.Go("form .btn-key")
	if got := b.Text("#h-gate"); !strings.Contains(got, "open") {
		t.Errorf("the padlock: %q", got)
	}
	b.Open(address + "/people/julie.tremblay@lucioles.example")
	b.Go("button[value=locked]")
	if got := b.Text(".done"); !strings.Contains(got, "Locked") {
		t.Errorf("locking: %q", got)
	}
}

func TestByKeyboardAlone(t *testing.T) {
	t.Parallel()
	s, address := serve(t, options{connections: 3, requests: 1})
	b := e2e.OpenBrowser(t, e2e.View{Language: "fr"})
	signIn(t, s, b, fixture.Marie.Email)
	b.Open(address + "/requests")
	focus := func() string {
		return e2e.Eval[string](b, `(document.activeElement.name || "") + "=" + (document.activeElement.value || document.activeElement.textContent.trim()).slice(0, 40)`)
	}
	reach := func(want string) {
		t.Helper()
		for range 60 {
			if strings.HasPrefix(focus(), want) {
				return
			}
			b.Key(kb.Tab)
		}
		t.Fatalf("tabbing never reaches %q", want)
	}
	b.Key(kb.Tab)
	if got := focus(); !strings.Contains(got, "Aller au contenu") {
		t.Errorf("first comes the way past the navigation: %q", got)
	}
	reach("number=")
	reach("sure=")
	b.Key(" ")
	reach("width=")
	b.Key(kb.ArrowDown)
	reach("end=")
	b.Key(kb.ArrowLeft) // from no end to seven days
	reach("decision=approve")
	b.Enter()
	see(b, "C’est autorisé.")
	see(b, "où que ce soit")
}

func itoa(n int) string { return strconv.Itoa(n) }

// see waits for a text; spaces that do not break are spaces.
func see(b *e2e.Browser, text string) {
	b.Await("to see "+text, `document.body && document.body.innerText.replaceAll("\u00a0", " ").replace(/[\u2068\u2069]/g, "").includes(`+strconv.Quote(text)+`)`)
}
