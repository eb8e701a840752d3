package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// Drag takes an element with the mouse, carries it over another and lets go.
// The page gets the events of a real drag: Chromium begins it by itself from
// what the mouse does, and only where the mouse goes is said here. Two elements
// that are not on the screen together cannot be dragged to each other.
func (b *Browser) Drag(from, to string) {
	b.t.Helper()
	x1, y1 := b.middle(from, true)
	begun := make(chan *input.DragData, 1)
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Listen(ctx, func(event any) {
		if e, ok := event.(*input.EventDragIntercepted); ok {
			select {
			case begun <- e.Data:
			default:
			}
		}
	}); err != nil {
		b.fail("listening for a drag", err)
	}
	b.intercept(true)
	defer b.intercept(false)
	b.mouse(input.DispatchMouseEventTypeMouseMoved, x1, y1, 0)
	b.mouse(input.DispatchMouseEventTypeMousePressed, x1, y1, 1)
	var data *input.DragData
	for step := 1.0; data == nil; step++ { // so far that it is no click
		b.mouse(input.DispatchMouseEventTypeMouseMoved, x1+4*step, y1, 1)
		select {
		case data = <-begun:
		case <-ctx.Done():
			b.fail("dragging "+from, ctx.Err())
		default:
			if step >= 40 {
				select {
				case data = <-begun:
				case <-ctx.Done():
					b.fail("dragging "+from, ctx.Err())
				}
			}
		}
	}
	x2, y2 := b.middle(to, false)
	for _, kind := range []input.DispatchDragEventType{
		input.DispatchDragEventTypeDragEnter, input.DispatchDragEventTypeDragOver, input.DispatchDragEventTypeDrop,
	} {
		b.do("dragging to "+to, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, input.DispatchDragEvent, input.DispatchDragEventParams{Type: kind, X: x2, Y: y2, Data: data})
			return err
		}))
	}
	b.mouse(input.DispatchMouseEventTypeMouseReleased, x2, y2, 0)
}

// middle is where what can be seen of an element is on the screen; scroll brings
// the element there first.
func (b *Browser) middle(selector string, scroll bool) (x, y float64) {
	b.t.Helper()
	var at [3]float64
	text := Eval[string](b, fmt.Sprintf(`(() => { const e = document.querySelector(%q); if (%t) e.scrollIntoView({block: "center", behavior: "instant"});
		const r = e.getBoundingClientRect(), top = Math.max(r.top, 0), bottom = Math.min(r.bottom, innerHeight);
		return JSON.stringify([r.x + r.width / 2, (top + bottom) / 2, bottom - top]); })()`, selector, scroll))
	if err := json.Unmarshal([]byte(text), &at); err != nil {
		b.fail("finding "+selector, err)
	}
	if at[2] <= 0 {
		b.fail("finding "+selector, errors.New("it is not on the screen"))
	}
	return at[0], at[1]
}

func (b *Browser) intercept(on bool) {
	b.t.Helper()
	b.do("intercepting drags", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, input.SetInterceptDrags, input.SetInterceptDragsParams{Enabled: on})
		return err
	}))
}

func (b *Browser) mouse(kind input.DispatchMouseEventType, x, y float64, buttons int64) {
	b.t.Helper()
	b.do("moving the mouse", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		e := input.DispatchMouseEventParams{Type: kind, X: x, Y: y, Button: "left", Buttons: buttons, ClickCount: 1}
		if kind == input.DispatchMouseEventTypeMouseMoved && buttons == 0 {
			e.Button, e.ClickCount = "none", 0
		}
		_, err := cdp.Call(ctx, t, input.DispatchMouseEvent, e)
		return err
	}))
}
