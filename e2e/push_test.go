package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/serviceworker"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// deliver hands a push to a browser's service worker by Chromium's own way,
// as its push service would.
func deliver(b *Browser, site Site, data string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	versions := make(chan serviceworker.RegistrationID, 64)
	err := chromedp.Listen(ctx, func(event any) {
		if e, ok := event.(*serviceworker.EventWorkerVersionUpdated); ok {
			for _, v := range e.Versions {
				if v.Status != serviceworker.VersionStatusActivated {
					continue
				}
				select {
				case versions <- v.RegistrationID:
				default:
				}
			}
		}
	})
	if err != nil {
		b.fail("listening to service workers", err)
	}
	b.do("delivering a push", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, serviceworker.Disable, cdp.Empty{}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, t, serviceworker.Enable, cdp.Empty{})
		return err
	}))
	var id serviceworker.RegistrationID
	select {
	case id = <-versions:
	case <-ctx.Done():
		b.t.Fatal("there is no service worker")
	}
	b.do("delivering a push", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, serviceworker.DeliverPushMessage, serviceworker.DeliverPushMessageParams{
			Origin: site.URL(""), RegistrationID: id, Data: data,
		})
		return err
	}))
}

// allowNotifications is what a person presses in Chromium's own question.
func allowNotifications(b *Browser, site Site) {
	b.t.Helper()
	b.do("allowing notifications", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, cdpbrowser.SetPermission, cdpbrowser.SetPermissionParams{
			Permission: &cdpbrowser.PermissionDescriptor{Name: "notifications"}, Setting: cdpbrowser.PermissionSettingGranted, Origin: site.URL(""),
		})
		return err
	}))
}

// shown are the notifications that the browser shows now.
type shown struct {
	Title, Body, URL, Tag string
	Silent                bool
	Actions               int
}

func notifications(b *Browser) []shown {
	b.t.Helper()
	text := Eval[string](b, `navigator.serviceWorker.ready.then((r) => r.getNotifications()).then((list) => JSON.stringify(list.map((n) =>
		({title: n.title, body: n.body, url: n.data?.url, tag: n.tag, silent: Boolean(n.silent), actions: n.actions?.length ?? 0}))))`)
	var list []shown
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		b.t.Fatal(err)
	}
	return list
}

// press presses a notification that Chromium shows, or its button: the event
// comes to the worker with that very notification. Windows are opened for a
// hand only, so that is where what was asked for is taken down.
func press(b *Browser, tag, action string) []string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	targets, err := chromedp.Targets(ctx)
	if err != nil {
		b.fail("looking for the service worker", err)
	}
	i := slices.IndexFunc(targets, func(t *target.Info) bool { return t.Type == "service_worker" })
	if i < 0 {
		b.t.Fatal("no service worker runs")
	}
	inside, leave := chromedp.NewContext(b.ctx, chromedp.WithTargetID(targets[i].TargetID))
	defer leave()
	inside, over := context.WithTimeout(inside, patience)
	defer over()
	text, err := chromedp.Run(inside, chromedp.Evaluate[string](fmt.Sprintf(`(async () => {
		const [n] = await registration.getNotifications({tag: %q});
		if (!n) return "[\"no such notification\"]";
		const opened = [], waits = [], own = clients.openWindow;
		clients.openWindow = async (url) => { opened.push(url); return null; };
		const e = new NotificationEvent("notificationclick", {notification: n, action: %q});
		e.waitUntil = (p) => waits.push(p);
		dispatchEvent(e);
		await Promise.all(waits);
		clients.openWindow = own;
		return JSON.stringify(opened);
	})()`, tag, action), chromedp.EvalAwaitPromise))
	if err != nil {
		b.fail("pressing a notification", err)
	}
	var opened []string
	if err := json.Unmarshal([]byte(text), &opened); err != nil {
		b.t.Fatal(err)
	}
	return opened
}

// deliverUntil delivers a push until so many notifications are shown. Chromium
// loses some that come by this way, without a word; a push service would send
// again, and the tag makes two of them one.
func deliverUntil(b *Browser, site Site, data string, want int) []shown {
	b.t.Helper()
	for range 10 {
		deliver(b, site, data)
		for range 20 {
			if list := notifications(b); len(list) == want {
				return list
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	b.t.Fatalf("%+v are shown, not %d", notifications(b), want)
	return nil
}

// C9, C10: an admin's browser is subscribed from the console, a stranger's
// first attempt shows there who, what and where, and it vanishes when
// somebody decided.
func TestAPushSaysWhoWhatAndWhereAndOpensTheRequest(t *testing.T) {
	t.Parallel()
	for _, told := range []struct{ admin, language, title string }{
		{"marie@example.com", "fr", "julie attend\u00a0: attendance"},
		{"paul@example.com", "en", "julie is waiting: attendance"},
	} {
		t.Run(told.language, func(t *testing.T) { pushed(t, told.admin, told.language, told.title) })
	}
}

// pushed is the story of one admin, to whom a push has this title.
func pushed(t *testing.T, admin, language, title string) {
	ca := NewAuthority(t)
	push := StartPushService(t, ca)
	g := StartGate(t, &Demo{}, GateOptions{NoMail: true, Cadenas: "notify web_push ops@example.com {\ninside\n}"}, Trusting(ca))
	g.ClosePadlock()

	console := OpenBrowser(t, View{Size: Phone, Language: language})
	console.Open(g.ConsoleLink(admin))
	console.Go("form button")
	console.Open(g.Console.URL("/account"))
	allowNotifications(console, g.Console)
	console.See("[data-push-on]")
	console.Fits()
	console.Shot("push-card")
	// Chromium here reaches no push service: what it would get from one comes
	// from the stand-in.
	status := Eval[int](console, fmt.Sprintf(`fetch("/push/subscribe", {method: "POST", headers: {"X-Cadenas-Live": "1"}, body: new URLSearchParams({
		token: document.querySelector("[data-push] input[name=token]").value, endpoint: %q, p256dh: %q, auth: %q})}).then((r) => r.status)`,
		push.Endpoint, push.P256dh, push.Auth))
	if status != 204 {
		t.Fatalf("subscribing: %d", status)
	}
	console.Reload()
	console.See(`form[action="/push/test"]`)

	second := OpenBrowser(t, View{Size: Tablet})
	signIn(second, g.Site, 1)
	second.See("[data-wait] svg.token")
	payload := push.Await(t, 0)
	first := deliverUntil(console, g.Console, payload, 1)[0]
	if first.Title != title || first.Body == "" || first.Actions != 1 || first.Silent {
		t.Errorf("%+v", first)
	}
	// Where a press leads: the request, which wants the number or a tick.
	if opened := press(console, first.Tag, "open"); len(opened) != 1 || opened[0] != first.URL {
		t.Fatalf("a press opened %q, not %q", opened, first.URL)
	}
	if list := notifications(console); len(list) != 0 {
		t.Fatalf("pressed, it is still there: %+v", list)
	}
	deliverUntil(console, g.Console, payload, 1)
	console.Open(first.URL)
	console.See("input[name=number]")
	console.SeeText("julie")
	if n := len(g.Requests()); n != 1 {
		t.Fatalf("after a look %d wait", n)
	}
	g.Approve("julie")
	second.SeeText("Attendance register")
	deliverUntil(console, g.Console, push.Await(t, 1), 0)
	// What is not ours shows nothing, and breaks nothing.
	deliver(console, g.Console, "no JSON")
	deliver(console, g.Console, `{"v":2,"title":"x"}`)
	time.Sleep(100 * time.Millisecond)
	if list := notifications(console); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}
