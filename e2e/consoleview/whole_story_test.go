package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/e2e"
)

// mailed is the link of the mail that was just asked for.
func (s *stand) mailed(t *testing.T) string {
	t.Helper()
	select {
	case link := <-s.mails:
		return link
	case <-time.After(30 * time.Second):
		t.Fatal("no mail came")
		return ""
	}
}

// closed fails the test unless the padlock of an application is closed and one
// of the requests was approved for a week.
func (s *stand) closed(t *testing.T, app string, asks []approvals.AccessRequest) {
	t.Helper()
	if p, err := s.gate.Padlock(context.Background(), app); err != nil || !p.Closed {
		t.Errorf("the padlock of %s: %+v, %v", app, p, err)
	}
	weeks := 0
	for _, ask := range asks {
		now, err := s.asks.Get(context.Background(), ask.Application, ask.ID)
		if err != nil {
			t.Fatal(err)
		}
		days := time.Until(now.Decision.Until).Hours() / 24
		if now.State == approvals.Approved && now.Decision.By == fixture.Marie.Email && days > 6 && days < 8 {
			weeks++
		}
	}
	if weeks != 1 {
		t.Errorf("%d requests approved for a week", weeks)
	}
}

// inFrench fails the test where the page shows words that no French page has.
func inFrench(t *testing.T, b *e2e.Browser) {
	t.Helper()
	found := e2e.Eval[string](b, `(document.body.innerText.match(/\b(the|and|with|your|from|who|waits?|settings|until)\b/i) ?? [""])[0] +
		(document.documentElement.lang.startsWith("fr") ? "" : " lang=" + document.documentElement.lang)`)
	if found != "" {
		t.Errorf("English at %s: %q", b.URL(), found)
	}
}

// thumb brings an element to where a thumb reaches it, clear of the bar below.
func thumb(b *e2e.Browser, selector string) {
	e2e.Eval[bool](b, fmt.Sprintf(`(document.querySelector(%q).scrollIntoView({block: "center", behavior: "instant"}), true)`, selector))
}

// TestADirectorWhoReadsFrenchOnly is the director of a day-care centre with a
// phone: signs in, sees who waits, authorises for a week, names a place, closes
// a padlock.
func TestADirectorWhoReadsFrenchOnly(t *testing.T) {
	t.Parallel()
	s, address := serve(t, options{connections: 6, requests: 2})
	b := e2e.OpenBrowser(t, e2e.View{Size: e2e.Phone, Language: "fr-CA"})
	asks, err := s.asks.Waiting(context.Background(), "register")
	if err != nil {
		t.Fatal(err)
	}
	b.Open(address + "/")
	inFrench(t, b)
	b.Type("#email", fixture.Marie.Email)
	b.Go("main form button")
	see(b, "Regardez vos courriels")
	inFrench(t, b)
	b.Open(s.mailed(t))
	inFrench(t, b)
	b.Go("main form button")

	see(b, "2 personnes attendent") //nolint:misspell // French
	inFrench(t, b)
	b.Fits()
	picture(b, "story-waiting")
	b.Click("label:has(input[name=sure])")
	b.Click("label:has(input[name=end][value=week])")
	thumb(b, "button[value=approve]")
	b.Go("button[value=approve]")
	see(b, "C’est autorisé.")
	see(b, "1 personne attend")
	inFrench(t, b)

	b.Go(".only-phone a")
	inFrench(t, b)
	b.Go("main a[href='/places']")
	thumb(b, "#seen details summary")
	b.Click("#seen details summary")
	b.Type("#seen details[open] input[name=name]", "Bureau")
	picture(b, "story-place")
	thumb(b, "#seen details[open] button")
	b.Go("#seen details[open] button")
	see(b, "Bureau")
	inFrench(t, b)

	b.Go("a[href='/connections']")
	b.Choose("#app", "pay")
	b.See("a.gate-switch[href='/padlock/pay/close']")
	see(b, "Le cadenas est ouvert.")
	inFrench(t, b)
	b.Go("a.gate-switch")
	inFrench(t, b)
	b.Fits()
	picture(b, "story-closing")
	thumb(b, "main form .btn-key")
	b.Go("main form .btn-key")
	see(b, "Le cadenas est fermé.")
	inFrench(t, b)
	s.closed(t, "pay", asks)
}

// TestTheWholeStoryByKeyboardAlone is the same at a desk, without a mouse.
func TestTheWholeStoryByKeyboardAlone(t *testing.T) {
	t.Parallel()
	s, address := serve(t, options{connections: 6, requests: 2})
	b := e2e.OpenBrowser(t, e2e.View{})
	asks, err := s.asks.Waiting(context.Background(), "register")
	if err != nil {
		t.Fatal(err)
	}
	// reach tabs until what has the focus fits a selector, and fails where that
	// cannot be seen.
	reach := func(selector string) {
		t.Helper()
		for range 90 {
			if e2e.Eval[bool](b, fmt.Sprintf(`document.activeElement.matches(%q)`, selector)) {
				if !e2e.Eval[bool](b, `(() => { const r = document.activeElement.getBoundingClientRect(); return r.width > 1 && r.height > 1 })()`) {
					t.Errorf("%s has the focus and is not seen", selector)
				}
				return
			}
			b.Key(kb.Tab)
		}
		t.Fatalf("tabbing never reaches %s at %s", selector, b.URL())
	}
	b.Open(address + "/")
	reach("#email")
	b.Key(fixture.Marie.Email)
	b.Enter()
	see(b, "Look at your mail")
	b.Open(s.mailed(t))
	reach("main form button")
	b.Enter()

	see(b, "2 people wait")
	reach("input[name=sure]")
	b.Key(" ")
	reach("input[name=end]")
	b.Key(kb.ArrowLeft) // from no end to seven days
	reach("button[value=approve]")
	b.Enter()
	see(b, "Authorised. Their page opens now.")

	reach("a[href='/places']")
	b.Enter()
	reach("#seen details summary")
	b.Key(" ")
	reach("#seen details[open] input[name=name]")
	b.Key("Office")
	b.Enter()
	see(b, "Named.")

	reach("a[href='/connections']")
	b.Enter()
	reach("#app")
	b.Key("Pai") // type ahead: Paie et horaires
	reach(".app-pick button")
	b.Enter()
	see(b, "The padlock is open.")
	reach("a.gate-switch")
	b.Enter()
	reach("main form .btn-key")
	b.Enter()
	see(b, "The padlock is closed.")
	s.closed(t, "pay", asks)
}

// TestTwoAdminsSeeEachOther has two admins in the same rooms at once.
func TestTwoAdminsSeeEachOther(t *testing.T) {
	t.Parallel()
	s, address := serve(t, options{connections: 6, requests: 1})
	marie, paul := e2e.OpenBrowser(t, e2e.View{}), e2e.OpenBrowser(t, e2e.View{})
	signIn(t, s, marie, fixture.Marie.Email)
	signIn(t, s, paul, fixture.Paul.Email)

	marie.Open(address + "/columns?app=register")
	paul.Open(address + "/columns?app=register")
	before := e2e.Eval[int](paul, `document.querySelectorAll("input[name=in]").length`)
	marie.Click("#list-in .entry:nth-child(1)")
	marie.Go("[data-move=out]")
	paul.Await("the other's move", fmt.Sprintf(`document.querySelectorAll("input[name=in]").length === %d`, before-1))

	// All three look at the same request. One decides: another sees it, and the
	// third, whose page follows nothing, is told who was first.
	third := e2e.OpenBrowser(t, e2e.View{NoScript: true})
	signIn(t, s, third, fixture.Paul.Email)
	for _, one := range []*e2e.Browser{marie, paul, third} {
		one.Open(address + "/requests")
		one.Click("label:has(input[name=sure])")
	}
	marie.Go("button[value=approve]")
	see(marie, "Authorised. Their page opens now.")
	see(paul, "Nobody waits.")
	see(paul, "Decided by Marie Roy")
	third.Go("button[value=approve]")
	see(third, "Another admin had decided already.")
	see(third, "Decided by Marie Roy")

	paul.Open(address + "/connections?app=register")
	marie.Open(address + "/connections?app=register")
	marie.Go("a.gate-switch")
	marie.Go("main form .btn-key")
	see(paul, "The padlock is open.")
	see(paul, "Opened by Marie Roy")
}
