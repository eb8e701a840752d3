package main

import (
	"context"
	"log"
	"time"

	adminui "github.com/cadenas-gateway/cadenas/admin-ui"
	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/gate"
	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store/memory"
)

// options say what stands in the books.
type options struct {
	connections, requests int
	open, first, bare     bool
}

// stand is a console with all that it stands on.
type stand struct {
	books   *books.Books
	gate    *gate.Gate
	asks    *approvals.Service
	console *adminui.Console
}

func newStand(ctx context.Context, address string, o options) (*stand, error) {
	b := books.New(memory.New())
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
	})
	if err := fixture.Fill(ctx, b, time.Now(), o.connections); err != nil {
		return nil, err
	}
	if !o.open && !o.bare {
		if _, err := g.Close(ctx, "register", gate.By{Who: fixture.Marie.Email, Via: "console"}); err != nil {
			return nil, err
		}
	}
	if _, err := fixture.Ask(ctx, service, o.requests); err != nil {
		return nil, err
	}
	console, err := adminui.New(adminui.Deps{
		Books: b, Gate: g, Approvals: service, Admins: admins, URL: address,
		SendLink: func(_ context.Context, a books.Admin, url string) error {
			log.Printf("mail to %s: %s", a.Email, url)
			return nil
		},
		ApplicationName: name,
		Ring:            func() *seal.Ring { return ring },
		Stopping:        ctx.Done(),
	})
	if err != nil {
		return nil, err
	}
	go func() {
		if err := g.Run(ctx); err != nil && ctx.Err() == nil {
			log.Print(err)
		}
	}()
	return &stand{b, g, service, console}, nil
}
