package main

import (
	"context"
	"fmt"
	"testing"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/e2e"
)

// TestTheWholeStoryWithoutScript is an admin whose browser runs no script: every
// room does what it is for, by its forms alone.
func TestTheWholeStoryWithoutScript(t *testing.T) {
	t.Parallel()
	s, address := serve(t, options{connections: 30, requests: 2})
	ctx := context.Background()
	b := e2e.OpenBrowser(t, e2e.View{NoScript: true})
	asks, err := s.asks.Waiting(ctx, "register")
	if err != nil || len(asks) != 2 {
		t.Fatal(len(asks), err)
	}
	b.Open(address + "/")
	b.Type("#email", fixture.Marie.Email)
	b.Go("main form button")
	see(b, "Look at your mail")
	b.Open(s.mailed(t))
	b.Go("main form button")
	see(b, "2 people wait")

	// One is authorised for a week with the number, the other refused.
	open := func(ask approvals.AccessRequest) string {
		if b.Has("#card-" + ask.Reference + "-fold:not([open])") {
			b.Click("#card-" + ask.Reference + "-fold summary")
		}
		return fmt.Sprintf("form[action$='/%s'] ", ask.ID)
	}
	form := open(asks[0])
	b.Type(form+"input[name=number]", asks[0].Number)
	b.Click(form + "label:has(input[name=end][value=week])")
	b.Go(form + "button[value=approve]")
	see(b, "Authorised. Their page opens now.")
	see(b, "1 person waits")
	b.Go(open(asks[1]) + "button[value=refuse]")
	see(b, "Refused. Nothing was opened.")
	for i, want := range []approvals.State{approvals.Approved, approvals.Refused} {
		if now, err := s.asks.Get(ctx, asks[i].Application, asks[i].ID); err != nil || now.State != want {
			t.Errorf("request %d is %s, %v", i, now.State, err)
		}
	}

	// Several in the two columns, back, and all of them, which is shown first.
	b.Open(address + "/columns?app=register")
	inside := func() int { return e2e.Eval[int](b, `document.querySelectorAll("input[name=in]").length`) }
	before := inside()
	b.Click("#list-in .entry:nth-child(1)")
	b.Click("#list-in .entry:nth-child(2)")
	b.Go("button[name=move][value=out]")
	see(b, "2 connections withdrawn.")
	if n := inside(); n != before-2 {
		t.Errorf("%d are inside, not %d", n, before-2)
	}
	b.Go(".toast button")
	see(b, "Taken back.")
	if n := inside(); n != before {
		t.Errorf("%d are inside, not %d", n, before)
	}
	b.Go("button[name=move][value=all-out]")
	b.See(".move-list .entry")
	b.Go("main form .btn-key")
	see(b, "withdrawn.")
	if inside() != 0 {
		t.Errorf("%d are inside", inside())
	}
	b.Go(".toast button")
	see(b, "Taken back.")

	// A place, a device and a person get a name.
	b.Open(address + "/places")
	b.Click("#seen details summary")
	b.Type("#seen details[open] input[name=name]", "Head office")
	b.Go("#seen details[open] button")
	see(b, "Named.")
	b.Open(address + "/devices?view=all")
	b.Click("#devices li:first-child details summary")
	b.Type("#devices li:first-child form[action$='/name'] input[name=name]", "The centre's tablet")
	b.Go("#devices li:first-child form[action$='/name'] button")
	see(b, "The centre's tablet")

	// A rule is looked at before it is made.
	b.Open(address + "/rules/new")
	b.Click("label:has(input[name=effect][value=refuse])")
	b.Click("label:has(input[name=whose][value=''])")
	b.Choose("#kind", "phone")
	b.Go("button[value=look]")
	see(b, "Refuse everybody, on a phone")
	b.Go("button[value=make]")
	see(b, "The rule holds from now on.")
	rules, err := s.books.Rules.Shared(ctx, "register")
	if err != nil || len(rules) == 0 || rules[len(rules)-1].Kind != access.Phone {
		t.Errorf("the rules: %+v, %v", rules, err)
	}

	// The padlock of another application: one of those whom it would stop first.
	b.Open(address + "/connections")
	b.Choose("#app", "pay")
	b.Go(".app-pick button")
	b.Go("a.gate-switch")
	b.Go("main form .btn-key")
	see(b, "The padlock is closed.")
	s.closed(t, "pay", asks)

	// Admins, a test message, what can be taken away, and a lesson.
	b.Open(address + "/admins/new")
	b.Type("#name", "Zoé Tremblay")
	b.Type("#email", "zoe@lucioles.example")
	b.Go("main form .btn-key")
	see(b, "Added.")
	b.Open(address + "/account")
	b.Go("form[action='/account/test'] button")
	see(b, "A test is on its way.")
	for _, path := range []string{"/connections?app=register", "/activity"} {
		b.Open(address + path)
		b.See("a[download][href*='.csv']")
		b.See("a[download][href*='.json']")
	}
	b.Open(address + "/settings")
	b.See("form[action='/settings/backup'] button")
	b.Click("#restore summary")
	b.See("#restore[open] input[type=file]")
	b.Open(address + "/teach")
	b.Go("main a[href^='/teach/']")
	if found := b.Problems(); len(found) > 0 {
		t.Error(found)
	}
}
