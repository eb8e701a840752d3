package main

import (
	"context"
	"log"
	"log/slog"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	adminui "github.com/cadenas-gateway/cadenas/admin-ui"
	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/biopass"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/identity"
	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

// options say what stands in the books.
type options struct {
	connections, requests int
	open, first, bare     bool
	// shared adds a tablet that several people use.
	shared bool
	// named gives the console a name, which passkeys want.
	named bool
}

// stand is a console with all that it stands on.
type stand struct {
	books   *books.Books
	gate    *gate.Gate
	asks    *approvals.Service
	lessons *identity.Lessons
	console *adminui.Console
	// mails are the sign-in links that were mailed.
	mails chan string
}

func newStand(ctx context.Context, address string, o options) (*stand, error) {
	// The time that made-up typing takes is made up: from there this clock is
	// that much ahead.
	var ahead time.Duration
	clock := func() time.Time { return time.Now().Add(ahead) }
	elapse := func(d time.Duration) { ahead += d }
	b := books.New(memory.NewAt(clock))
	g := gate.New(b, gate.Options{})
	if !o.bare {
		for id := range fixture.Applications {
			g.Configure(gate.Application{Name: id})
		}
	}
	ring, err := seal.NewRing(map[byte][]byte{1: seal.NewKey()}, 1)
	if err != nil {
		return nil, err
	}
	fixed := []books.Admin{fixture.Marie, fixture.Paul}
	if o.first {
		fixed = nil
	}
	for i := range fixed {
		fixed[i].Fixed = true
	}
	admins := func() []books.Admin {
		stored, err := b.Admins.All(ctx)
		if err != nil {
			log.Print(err)
		}
		return append(stored, fixed...)
	}
	name := func(id string) string { return fixture.Applications[id] }
	service := approvals.New(approvals.Config{
		Books: b, Ring: func() *seal.Ring { return ring }, Admins: admins, Applications: g.Applications,
		Application: func(id string) approvals.Application { return approvals.Application{Name: name(id)} },
		Console:     address,
		Notifiers:   []approvals.Notifier{fixture.Channel{Title: "email"}, fixture.Channel{Title: "sms"}, fixture.Channel{Title: "web_push"}},
		Judge: func(ctx context.Context, v access.Visit) (access.Verdict, error) {
			g.Forget(v.Application, v.User)
			return g.Explain(ctx, v, gate.Circumstance{})
		},
	})
	if err := fixture.Fill(ctx, b, time.Now(), o.connections); err != nil {
		return nil, err
	}
	if o.shared {
		for _, c := range fixture.Shared(time.Now(), 7) {
			if err := b.Store.Apply(ctx, store.Batch{Writes: b.Connections.Put(c)}); err != nil {
				return nil, err
			}
		}
	}
	if !o.open && !o.bare {
		if _, err := g.Close(ctx, "register", gate.By{Who: fixture.Marie.Email, Via: "console"}); err != nil {
			return nil, err
		}
	}
	if _, err := fixture.Ask(ctx, service, o.requests); err != nil {
		return nil, err
	}
	typing, err := typed(ctx, b, ring, clock, elapse)
	if err != nil {
		return nil, err
	}
	ail := func(channel, words string, at, over time.Duration) {
		var since time.Time
		if over > 0 {
			since = clock().Add(-over)
		}
		if aerr := fixture.Ail(ctx, b.Store, channel, words, clock().Add(-at), since); aerr != nil {
			log.Print(aerr)
		}
	}
	ail("sms", "21610: Attempt to send to unsubscribed recipient", 3*time.Hour, 0)
	ail("email", "421 smtp.example.com: try again later", 30*time.Hour, 29*time.Hour)
	mails := make(chan string, 10)
	teaching := fixture.Teaching(b, func() *seal.Ring { return ring }, clock, slog.Default())
	console, err := adminui.New(adminui.Deps{
		Biopass: typing,
		Books:   b, Gate: g, Approvals: service, Admins: admins, URL: address,
		SendLink: func(_ context.Context, a books.Admin, url string) error {
			select {
			case mails <- url:
			default: // nobody reads them
			}
			log.Printf("mail to %s: %s", a.Email, url)
			return nil
		},
		ApplicationName: name,
		Ring:            func() *seal.Ring { return ring },
		Settings:        fixture.Settings, Recognise: fixture.Recognise(),
		Teaching: teaching,
		Stopping: ctx.Done(),
	})
	if err != nil {
		return nil, err
	}
	go func() {
		if err := g.Run(ctx); err != nil && ctx.Err() == nil {
			log.Print(err)
		}
	}()
	go func() {
		if err := service.Run(ctx); err != nil && ctx.Err() == nil {
			log.Print(err)
		}
	}()
	return &stand{b, g, service, teaching.Lessons, console, mails}, nil
}

// typed is a Biopass at which Julie has typed, and somebody else as her.
func typed(ctx context.Context, b *books.Books, ring *seal.Ring, clock func() time.Time, elapse func(time.Duration)) (*adminui.Biopass, error) {
	s, err := fixture.Typing(b, ring, clock, slog.Default(), biopass.Policy{Trial: true})
	if err != nil {
		return nil, err
	}
	julie := "julie.tremblay@lucioles.example"
	for _, one := range []struct {
		hands uint64
		why   biopass.Why
		lines int
	}{{0, biopass.WhyEnrol, 5}, {0, biopass.WhyAlways, 1}, {0, biopass.WhyAlways, 1}, {3, biopass.WhyAlways, 3}} {
		if _, err := fixture.Type(ctx, s, fixture.NewHands(one.hands), elapse, julie, "desk", one.why, one.lines); err != nil {
			return nil, err
		}
	}
	link := func(ctx context.Context, app, user, by, via string) (string, time.Time, error) {
		token, until, err := s.MakeLink(ctx, app, user, by, via)
		return "https://" + app + ".example.com" + biopass.LinkPath + "?k=" + token, until, err
	}
	return &adminui.Biopass{Service: s, Link: link}, nil
}
