// Command consoleview serves the console over a fixture, to look at its rooms:
//
//	go run ./e2e/consoleview -connections 20 -requests 3
//
// It prints sign-in links. Nothing is kept, and nothing stands behind it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/cadenas-gateway/cadenas/admin-ui/fixture"
)

func main() {
	var o options
	listen := flag.String("listen", "127.0.0.1:8090", "address to serve at")
	flag.IntVar(&o.connections, "connections", 20, "connections in the register")
	flag.IntVar(&o.requests, "requests", 3, "requests that wait")
	flag.BoolVar(&o.open, "open", false, "leave the padlock of the register open")
	flag.BoolVar(&o.first, "first", false, "no admin yet")
	flag.BoolVar(&o.bare, "bare", false, "no application yet")
	flag.Parse()
	if err := run(*listen, o); err != nil {
		log.Fatal(err)
	}
}

func run(listen string, o options) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	s, err := newStand(ctx, "http://"+listen, o)
	if err != nil {
		return err
	}
	email := fixture.Marie.Email
	if o.first {
		email = ""
	}
	for range 10 {
		link, err := s.console.Link(ctx, email)
		if err != nil {
			return err
		}
		fmt.Println(link)
	}
	server := &http.Server{Addr: listen, Handler: s.console, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
