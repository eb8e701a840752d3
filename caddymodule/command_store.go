package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"

	"github.com/cadenas-gateway/cadenas/store"
	"github.com/cadenas-gateway/cadenas/store/bolt"
)

// storeCommand is the one verb that works without a running Caddy: nobody may
// write to either store while it copies.
func storeCommand() *cobra.Command {
	stores := &cobra.Command{Use: "store", Short: "Work on stores, with Caddy stopped", SilenceUsage: true, SilenceErrors: true}
	stores.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return exit(exitWords, fmt.Errorf("%s does not know %q", cmd.CommandPath(), args[0]))
		}
		return bare(cmd)
	}
	stores.AddCommand(&cobra.Command{
		Use: "copy <from> <to>", Short: "Copy everything from one store into another, empty one, and check it",
		Long: `Copies everything from one store into another, which must be empty, and reads
both again to see that they are the same. Stop every Caddy that uses either
before.

A store is the path of a bolt file, or the URL of a Redis. Several URLs (of
Sentinels, or of nodes of a cluster) stand in one word, apart by spaces:

	caddy cadenas store copy /var/lib/caddy/cadenas.db redis://localhost:6379
	caddy cadenas store copy "redis://a:26379?master_name=gate redis://b:26379" new.db`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return exit(exitWords, errors.New("write: caddy cadenas store copy <from> <to>"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := copyStore(cmd.Context(), args[0], args[1])
			if err != nil {
				return exit(caddy.ExitCodeFailedStartup, err)
			}
			if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]int{"entries": n})
			}
			return sayCopied(cmd.OutOrStdout(), n)
		},
	})
	return stores
}

func sayCopied(w io.Writer, n int) error {
	return printed(w, nil, "%d entries copied and checked. The source is as it was: name the new store in the Caddyfile before Caddy starts.\n", n)
}

func copyStore(ctx context.Context, from, to string) (n int, err error) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	if from == to {
		return 0, errors.New("source and target are the same")
	}
	source, err := openStore(ctx, from, true)
	if err != nil {
		return 0, fmt.Errorf("the source: %w", err)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	target, err := openStore(ctx, to, false)
	if err != nil {
		return 0, fmt.Errorf("the target: %w", err)
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	return store.Copy(ctx, source, target)
}

// openFile opens a bolt file by path. A source that is not there is an error
// and not a new, empty store.
func openFile(path string, mustExist bool) (store.Store, error) {
	if _, err := os.Stat(path); mustExist && err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the store: %w", err)
	}
	return bolt.Open(path, bolt.Options{})
}
