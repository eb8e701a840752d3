package caddymodule

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "cadenas",
		Short: "Sees and decides who gets in (the gateway's command line)",
		Long: `
Talks to the running Caddy through its admin endpoint. It must run as the user
that runs Caddy, since it reads a secret from Caddy's data folder.

Every verb takes --json (the answer as JSON), --app (one application) and
--address (the admin endpoint; default: CADDY_ADMIN, else localhost:2019).
Exit code 0: done; 1: refused or failed; 2: wrong words.`,
		CobraFunc: func(cmd *cobra.Command) {
			cmd.PersistentFlags().Bool("json", false, "the answer as JSON")
			cmd.PersistentFlags().String("app", "", "one application")
			cmd.PersistentFlags().String("address", "", "Caddy's admin endpoint")
			cmd.SilenceUsage = true
			cmd.AddCommand(append(commands(), storeCommand())...)
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				if len(args) > 0 {
					return exit(exitWords, fmt.Errorf("there is no verb %q: `caddy cadenas --help` lists them", args[0]))
				}
				return bare(cmd)
			}
			cmd.SetFlagErrorFunc(wrongFlag)
		},
	})
}

// exitWords is the exit code for wrong words.
const exitWords = 2

// exit ends the command with a code. Caddy's root command knows its own
// error type only, which is not exported: so the code is given here.
func exit(code int, err error) error {
	fmt.Fprintln(os.Stderr, "Error:", err)
	os.Exit(code)
	return nil
}

// bare answers a command that does nothing without a further word.
func bare(cmd *cobra.Command) error {
	cmd.SetOut(os.Stderr)
	if err := cmd.Help(); err != nil {
		return err
	}
	return exit(exitWords, fmt.Errorf("%s needs a further word", cmd.CommandPath()))
}

// spec is one verb at the command line.
type spec struct {
	use, short string
	// also are further names of the verb.
	also []string
	// verb is the admin API's; args names its positional words.
	verb string
	args []string
	// optional is how many of args, from the end, may be left out.
	optional int
	// flags are further words, with their help.
	flags map[string]string
	// bools are flags without a value.
	bools map[string]string
	// say prints the answer for people.
	say func(w io.Writer, answer json.RawMessage) error
	// fixed are words that the command always gives.
	fixed map[string]string
	// reads and writes name the argument that is a file to send or to fill.
	reads, fills bool
	sub          []spec
}

func commands() []*cobra.Command {
	var list []*cobra.Command
	for _, s := range specs {
		list = append(list, s.command())
	}
	return list
}

func (s spec) command() *cobra.Command {
	cmd := &cobra.Command{Use: s.use, Aliases: s.also, Short: s.short, SilenceUsage: true, SilenceErrors: true}
	for name, help := range s.flags {
		cmd.Flags().String(name, "", help)
	}
	for name, help := range s.bools {
		cmd.Flags().Bool(name, false, help)
	}
	cmd.SetFlagErrorFunc(wrongFlag)
	for _, sub := range s.sub {
		cmd.AddCommand(sub.command())
	}
	if s.verb == "" {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return exit(exitWords, fmt.Errorf("%s does not know %q", cmd.CommandPath(), args[0]))
			}
			return bare(cmd)
		}
		return cmd
	}
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > len(s.args) || len(args) < len(s.args)-s.optional {
			return exit(exitWords, fmt.Errorf("write: caddy cadenas %s", s.use))
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return s.run(cmd, args) }
	return cmd
}

func (s spec) run(cmd *cobra.Command, args []string) error {
	words := map[string]string{}
	for k, v := range s.fixed {
		words[k] = v
	}
	file := ""
	for i, a := range args {
		if (s.reads || s.fills) && s.args[i] == "file" {
			file = a
			continue
		}
		words[s.args[i]] = a
	}
	for name := range s.flags {
		v, _ := cmd.Flags().GetString(name)
		if v != "" {
			words[name] = v
		} else if cmd.Flags().Changed(name) {
			// A variable of a script that was not set: without the word, more
			// would happen than was meant.
			return exit(exitWords, fmt.Errorf("--%s is empty: leave it out, or say what it is", name))
		}
	}
	for name := range s.bools {
		if v, _ := cmd.Flags().GetBool(name); v {
			words[name] = "yes"
		}
	}
	if app, _ := cmd.Flags().GetString("app"); app != "" {
		words["app"] = app
	}
	address, _ := cmd.Flags().GetString("address")
	answer, code, err := ask(address, s, words, file)
	if err != nil {
		return exit(code, err)
	}
	if asJSON, _ := cmd.Flags().GetBool("json"); asJSON || s.say == nil {
		var out bytes.Buffer
		if json.Indent(&out, answer, "", "  ") != nil {
			out.Write(answer)
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), out.String())
	} else {
		err = s.say(cmd.OutOrStdout(), answer)
	}
	if err != nil {
		return exit(caddy.ExitCodeFailedStartup, err)
	}
	return nil
}

// ask calls the admin API and returns its answer, or the exit code and what
// to say.
func ask(address string, s spec, words map[string]string, file string) (json.RawMessage, int, error) {
	if address == "" {
		address = os.Getenv("CADDY_ADMIN")
	}
	if address == "" {
		address = caddy.DefaultAdminListen
	}
	secret, err := os.ReadFile(secretPath())
	if err != nil {
		return nil, 1, fmt.Errorf("no secret in %s: is Caddy with Cadenas running, as this user and with this data folder (XDG_DATA_HOME)?", secretPath())
	}
	header := http.Header{"Authorization": {"Bearer " + string(bytes.TrimSpace(secret))}}
	uri := "/cadenas/" + s.verb
	var body io.Reader
	switch {
	case s.reads:
		f, err := os.Open(file) //nolint:gosec // the operator's own file
		if err != nil {
			return nil, exitWords, err
		}
		defer f.Close() //nolint:errcheck // only read
		body = f
		header.Set("Content-Type", "application/octet-stream")
		query := url.Values{}
		for k, v := range words {
			query.Set(k, v)
		}
		uri += "?" + query.Encode()
	default:
		b, err := json.Marshal(words)
		if err != nil {
			return nil, 1, err
		}
		body = bytes.NewReader(b)
		header.Set("Content-Type", "application/json")
	}
	resp, err := caddycmd.AdminAPIRequest(address, http.MethodPost, uri, header, body)
	if err != nil {
		code := 1
		if strings.Contains(err.Error(), "HTTP 400:") {
			code = exitWords
		}
		return nil, code, plainError(err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	if s.fills {
		return fill(file, resp.Body)
	}
	answer, err := io.ReadAll(resp.Body)
	return answer, 1, err
}

// fill writes an answer into a new file that only its owner can read.
func fill(file string, from io.Reader) (json.RawMessage, int, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the operator's own new file
	if errors.Is(err, os.ErrExist) {
		return nil, exitWords, fmt.Errorf("%s is there already: name another file", file)
	}
	if err != nil {
		return nil, 1, err
	}
	n, err := io.Copy(f, from)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, 1, fmt.Errorf("writing %s: %w", file, errors.Join(err, os.Remove(file)))
	}
	answer, err := json.Marshal(map[string]any{"file": file, "bytes": n})
	return answer, 1, err
}

// plainError takes Caddy's wrapping off an error of the admin API.
func plainError(err error) error {
	text := err.Error()
	start := bytes.IndexByte([]byte(text), '{')
	if start < 0 {
		return err
	}
	var answer struct {
		Error string `json:"error"`
	}
	if json.Unmarshal([]byte(text[start:]), &answer) != nil || answer.Error == "" {
		return err
	}
	return errors.New(answer.Error)
}

// wrongFlag is the mistake of a flag that does not exist, which an identifier
// may look like.
func wrongFlag(_ *cobra.Command, err error) error {
	if strings.HasPrefix(err.Error(), "unknown shorthand flag") {
		err = fmt.Errorf("%w; an identifier that begins with a hyphen goes behind --", err)
	}
	return exit(exitWords, err)
}
