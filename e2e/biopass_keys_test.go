package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// hands presses the keys of a text in the page, each held for a while.
func (b *Browser) hands(text string) {
	b.t.Helper()
	for i, r := range text {
		k := input.DispatchKeyEventParams{Key: string(r), Code: "Key" + strings.ToUpper(string(r)), Text: string(r), WindowsVirtualKeyCode: int64(r) - 32}
		switch r {
		case ' ':
			k.Code, k.WindowsVirtualKeyCode = "Space", 32
		case '\b':
			k.Key, k.Code, k.Text, k.WindowsVirtualKeyCode = "Backspace", "Backspace", "", 8
		}
		for _, what := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
			one := k
			one.Type = what
			if what == input.DispatchKeyEventTypeKeyUp {
				one.Text = ""
			}
			b.do("pressing a key", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
				_, err := cdp.Call(ctx, t, input.DispatchKeyEvent, one)
				return err
			}))
			time.Sleep(time.Duration(15+(i*37)%45) * time.Millisecond) // a typist's pace
		}
	}
}

func (b *Browser) wordsAsked() []string {
	b.t.Helper()
	b.See(".word .letters")
	return Eval[[]string](b, `[...document.querySelectorAll(".word .letters")].map((e) => e.textContent)`)
}

// The page's own script, with real key events: a line typed wrong and put
// right is taken, the next pin is up; words that are pasted are not.
func TestThePageReadsRealKeys(t *testing.T) {
	t.Parallel()
	g := StartGate(t, &Demo{}, asksBiopass(""))
	desk := julieIsKnown(g, View{Motion: true})
	desk.signsOut()
	signIn(desk, g.Site, 1)
	desk.See("form[action$='/consent'] button")
	desk.Go("form[action$='/consent'] button")
	desk.typing("keys")

	// Paste and drop bring nothing in.
	desk.Click("[data-typed]")
	Eval[bool](desk, `(() => { const d = new DataTransfer(); d.setData("text/plain", "marble window"); const e = document.querySelector("[data-typed]");
		return !e.dispatchEvent(new ClipboardEvent("paste", {clipboardData: d, bubbles: true, cancelable: true})); })()`)
	desk.SeeText("Pasted words have no rhythm. Please type them.")
	if v := Eval[string](desk, `document.querySelector("[data-typed]").value`); v != "" {
		t.Errorf("pasted: %q", v)
	}
	desk.Shot("pasted")

	words := desk.wordsAsked()
	line := words[0] + " " + words[1] + "q"
	desk.hands(line)
	desk.Await("a wrong word", `document.querySelectorAll(".word.wrong").length === 1`)
	desk.Shot("cutting")
	desk.hands("\b " + words[2] + " " + words[3])
	desk.Await("the second line", `document.querySelector("[data-line]").textContent === "2" && document.querySelectorAll(".prints .done").length === 1`)
	if next := desk.wordsAsked(); strings.Join(next, " ") == strings.Join(words, " ") {
		t.Error("the same words again")
	}
	desk.Shot("second-line")

	// Leaving in the middle of a line: other words, and a sentence why.
	words = desk.wordsAsked()
	desk.hands(words[0] + " ")
	Eval[bool](desk, `(window.dispatchEvent(new Event("blur")), true)`)
	desk.hands(strings.Join(words[1:], " "))
	desk.See("[data-alert]:not([hidden])")
	desk.Await("other words", fmt.Sprintf(`!document.querySelector("[data-typed]").disabled && [...document.querySelectorAll(".word .letters")].map((e) => e.textContent).join(" ") !== %q`, strings.Join(words, " ")))
	desk.Shot("left")
}
