package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Browser is one tab of a Chromium with a profile of its own. Whatever fails
// in it fails the test, with a picture; so does, at the test's end, anything
// that its console complained of.
type Browser struct {
	t    testing.TB
	view View
	ctx  context.Context
	// problems are shared by the tabs of one profile.
	problems *problems
}

// OpenBrowser starts Chromium with a new profile: a device nobody knows.
func OpenBrowser(t testing.TB, view View) *Browser {
	t.Helper()
	view = view.withDefaults()
	program := need(t, "install Debian's package chromium", "chromium", "chromium-browser", "google-chrome")
	// Not t.TempDir: a Chromium that is ending still writes, which must not
	// fail the test.
	profile, err := os.MkdirTemp("", "cadenas-profile-")
	if err != nil {
		t.Fatal(err)
	}
	resolver := "MAP *.test 127.0.0.1, MAP *.localhost 127.0.0.1"
	if view.IPv6 {
		resolver = "MAP *.test [::1], MAP *.localhost [::1]"
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.UserDataDir(profile),
		chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("no-first-run", true), chromedp.Flag("no-pings", true),
		chromedp.Flag("hide-scrollbars", true), chromedp.Flag("lang", view.Language),
		chromedp.Flag("host-resolver-rules", resolver),
		chromedp.WindowSize(int(view.Size.Width), int(view.Size.Height)),
	)
	if view.AnyCertificate {
		options = append(options, chromedp.IgnoreCertErrors)
	}
	allocated, release := chromedp.NewExecAllocator(context.Background(), options...)
	b := &Browser{t: t, view: view, problems: &problems{}}
	ctx, _ := chromedp.NewContext(allocated, chromedp.WithListener(b.problems.hear))
	b.ctx = ctx
	t.Cleanup(func() {
		for _, text := range b.problems.list() {
			t.Errorf("%s: the browser complains: %s", view.Name(), text)
		}
		_ = chromedp.Cancel(ctx)
		release()
		_ = os.RemoveAll(profile)
	})
	// The first run starts the browser and binds its life to the context: no
	// time limit on it.
	if err := chromedp.Do(ctx, view.apply()); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	return b
}

// Tab opens another tab of the same profile.
func (b *Browser) Tab() *Browser {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithListener(b.problems.hear))
	b.t.Cleanup(cancel)
	if err := chromedp.Do(ctx, b.view.apply()); err != nil {
		b.t.Fatalf("opening a tab: %v", err)
	}
	return &Browser{b.t, b.view, ctx, b.problems}
}

// In is the same tab for a subtest: what fails there fails that.
func (b *Browser) In(t testing.TB) *Browser { return &Browser{t, b.view, b.ctx, b.problems} }

// Allow takes complaints out of those that fail the test, by a pattern: a
// script's fetch that is refused is an error on the console.
func (b *Browser) Allow(pattern string) {
	b.problems.mu.Lock()
	defer b.problems.mu.Unlock()
	b.problems.allowed = append(b.problems.allowed, regexp.MustCompile(pattern))
}

// Problems are the complaints so far.
func (b *Browser) Problems() []string { return b.problems.list() }

// do runs steps within patience.
func (b *Browser) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := steady(func() error { return chromedp.Do(ctx, steps...) }); err != nil {
		b.fail(what, err)
	}
}

// steady does again what met an element that had just left with its page: the
// next page, or the page drawn anew, has it too, or the wait for it ends.
func steady(do func() error) error {
	for {
		err := do()
		if err == nil || !strings.Contains(err.Error(), "Could not find node with given id") {
			return err
		}
	}
}

// ask runs an action that returns a value within patience.
func ask[T any](b *Browser, what string, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		b.fail(what, err)
	}
	return value
}

// fail ends the test with what the person sees.
func (b *Browser) fail(what string, err error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	address, _ := chromedp.Run(ctx, chromedp.Location())
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body ? document.body.innerText : ""`))
	picture, _ := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	where := ""
	if len(picture) > 0 {
		where = filepath.Join(shots(b.t), "failed-"+fileName(b.t.Name())+".png")
		_ = os.WriteFile(where, picture, 0o644)
	}
	b.t.Fatalf("%s: %v\nat %s, %s, picture %s\n%.1500s", what, err, address, b.view.Name(), where, text)
}

// Open goes to an address, as typed into the address bar.
func (b *Browser) Open(address string) {
	b.t.Helper()
	b.do("opening "+address, chromedp.Navigate(address))
}

// Status is that of the last page.
func (b *Browser) Status() int {
	b.problems.mu.Lock()
	defer b.problems.mu.Unlock()
	return int(b.problems.status)
}

// URL is where the browser is.
func (b *Browser) URL() string {
	b.t.Helper()
	return ask(b, "reading the address", chromedp.Location())
}

// Await returns when a script's expression is true, on this page or on one
// that the browser goes to meanwhile.
func (b *Browser) Await(what, expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		// An error here is a page that is being left: the next may do.
		yes, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		if err == nil && yes {
			return
		}
		select {
		case <-ctx.Done():
			b.fail("waiting: "+what, errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}

// See returns when an element, by CSS, is visible.
func (b *Browser) See(selector string) {
	b.t.Helper()
	b.do("waiting to see "+selector, chromedp.WaitVisible(chromedp.CSS(selector)))
}

// SeeText returns when the page shows a text.
func (b *Browser) SeeText(text string) {
	b.t.Helper()
	b.Await("to see "+text, fmt.Sprintf("document.body && document.body.innerText.includes(%q)", text))
}

// Text is what an element shows, once it is there.
func (b *Browser) Text(selector string) string {
	b.t.Helper()
	return strings.TrimSpace(ask(b, "reading "+selector, chromedp.Text(chromedp.CSS(selector))))
}

// PageText is all that the page shows.
func (b *Browser) PageText() string {
	b.t.Helper()
	return Eval[string](b, `document.body ? document.body.innerText : ""`)
}

// Has reports whether an element is there now.
func (b *Browser) Has(selector string) bool {
	b.t.Helper()
	return Eval[bool](b, fmt.Sprintf("document.querySelector(%q) !== null", selector))
}

// Click presses an element with the mouse.
func (b *Browser) Click(selector string) {
	b.t.Helper()
	b.do("pressing "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// Go presses an element that leads to another page, and returns when that is
// there, or has gone on by itself before it was.
func (b *Browser) Go(selector string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	err := steady(func() error {
		_, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(selector)))
		return err
	})
	if err != nil && !wentOn(err) {
		b.fail("going on by "+selector, err)
	}
}

// Type puts the caret into a field and types.
func (b *Browser) Type(selector, text string) {
	b.t.Helper()
	b.do("typing into "+selector, chromedp.SendKeys(chromedp.CSS(selector), text))
}

// Upload chooses files of this machine in a field.
func (b *Browser) Upload(selector string, paths ...string) {
	b.t.Helper()
	b.do("choosing a file in "+selector, chromedp.SetUploadFiles(chromedp.CSS(selector), paths))
}

// Key presses keys where the focus is: kb.Tab, kb.Enter, letters.
func (b *Browser) Key(keys string) {
	b.t.Helper()
	b.do("pressing keys", chromedp.KeyEvent(keys))
}

// Enter presses the enter key and returns when the page it leads to is there.
func (b *Browser) Enter() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.KeyEvent(kb.Enter)); err != nil && !wentOn(err) {
		b.fail("pressing enter", err)
	}
}

// wentOn reports whether a load ended because the page opened the next one: on
// a slow machine a waiting page that may go on does so while it loads.
func wentOn(err error) bool { return strings.Contains(err.Error(), "net::ERR_ABORTED") }

// Choose sets a select or an input to a value and tells the page.
func (b *Browser) Choose(selector, value string) {
	b.t.Helper()
	Eval[bool](b, fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.value = %q;
		for (const n of ["input", "change"]) e.dispatchEvent(new Event(n, {bubbles: true})); return true; })()`, selector, value))
}

// Reload loads the page again.
func (b *Browser) Reload() {
	b.t.Helper()
	b.do("reloading", chromedp.Reload())
}

// Eval runs a script in the page and returns its value; a promise is waited
// for.
func Eval[T any](b *Browser, script string) T {
	b.t.Helper()
	for range 3 {
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		value, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
		cancel()
		if err == nil {
			return value
		}
		// The page went on to another before it answered: asked there.
		if !strings.Contains(err.Error(), "navigated or closed") {
			b.fail("running a script", err)
		}
	}
	return ask(b, "running a script", chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// Fits fails the test when the page is wider than the screen.
func (b *Browser) Fits() {
	b.t.Helper()
	if over := Eval[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
		b.t.Errorf("%s: the page is %d pixels too wide at %s", b.view.Name(), over, b.URL())
	}
}

// Shot takes a picture of the whole page and returns its path: in the folder
// that E2E_SHOTS names, else in one that goes with the test.
func (b *Browser) Shot(name string) string {
	b.t.Helper()
	b.Await("fonts", `document.fonts.status === "loaded"`)
	picture := ask(b, "taking a picture", chromedp.FullScreenshot(100))
	path := filepath.Join(shots(b.t), fileName(name+"-"+b.view.Name())+".png")
	if err := os.WriteFile(path, picture, 0o644); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// ShowMail opens a mail's HTML as a mail reader shows it, its pictures in
// place.
func (b *Browser) ShowMail(m *Mail) {
	b.t.Helper()
	dir := b.t.TempDir()
	page := m.HTML
	for id, content := range m.Inline {
		name := fileName(id)
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			b.t.Fatal(err)
		}
		page = strings.ReplaceAll(page, "cid:"+id, name)
	}
	path := filepath.Join(dir, "mail.html")
	if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.Open((&url.URL{Scheme: "file", Path: path}).String())
}

func shots(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("E2E_SHOTS")
	if dir == "" {
		return t.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func fileName(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '.' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '-'
	}, s)
}

// Screen is a picture of what the screen shows, as a PNG: not the whole page.
func (b *Browser) Screen() []byte {
	b.t.Helper()
	b.Await("fonts", `document.fonts.status === "loaded"`)
	return ask(b, "taking a picture", chromedp.CaptureScreenshot())
}
