// Command demo runs the demonstration application, by itself and unprotected,
// on this machine only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/cadenas-gateway/cadenas/examples/demo/app"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		os.Exit(1)
	}
}

func run() error {
	listen := flag.String("listen", "127.0.0.1:8081", "address to listen on")
	login := flag.String("login", string(app.Form), "how people sign in: form, json or token")
	keep := flag.Bool("keep-session", false, "leave the session's value as it is at sign-in")
	token := flag.Bool("form-token", false, "ask for a hidden token with the login form")
	quiet := flag.Bool("quiet", false, "do not print the accounts")
	flag.Parse()

	way := app.Login(*login)
	if !slices.Contains([]app.Login{app.Form, app.JSON, app.Token}, way) {
		return fmt.Errorf("-login %s: form, json or token", *login)
	}
	socket, err := net.Listen("tcp", *listen)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()

	server := &http.Server{
		Handler:           app.New(app.Options{Login: way, KeepSession: *keep, FormToken: *token}),
		ReadHeaderTimeout: 10 * time.Second,
		// The event streams end with the program.
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	if !*quiet {
		fmt.Printf("The attendance register is at http://%s\n", socket.Addr())
		for _, account := range app.Accounts {
			fmt.Printf("  %-8s %-18s %s\n", account.User, account.Password, account.Name)
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(socket) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := server.Shutdown(patience); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stopping: %w", err)
	}
	return nil
}
