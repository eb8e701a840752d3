package caddymodule

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	adminui "github.com/cadenas-gateway/cadenas/admin-ui"
	"github.com/cadenas-gateway/cadenas/identity"
	"github.com/cadenas-gateway/cadenas/lang"
)

// wordFlags are the words of a login block as flags: "none" leaves one out.
var wordFlags = map[string]string{ //nolint:gosec // what the flags mean, no credentials
	"login": "the path the form is posted to", "user": "the field of the user's name", "session": "names of session cookies",
	"token": "JSON path of a token", "success": "rules, with ; between: `status 303; cookie sid`", "whoami": "a path and a JSON path",
	"second": "the paths of a second step after the password",
	"logout": "the path that signs out", "public": "paths nobody's sessions may see; `none` leaves a word out",
}

// loginSpec is `caddy cadenas login`.
var loginSpec = spec{
	use: "login [<application>]", short: "Show how logins are known, and teach them", verb: "login", args: []string{"app"}, optional: 1, say: sayLogins,
	sub: []spec{
		{
			use: "teach <application>", short: "Begin a lesson: print the link to open in the browser that is to be watched",
			verb: "login-teach", args: []string{"app"}, say: sayLesson,
		},
		{use: "lesson <application>", short: "Show what a lesson has seen so far", verb: "login-lesson", args: []string{"app"}, say: sayLesson},
		{
			use: "again <application> <step>", short: "See a step again: wrong, right or leave; or skip where there is no sign-out",
			verb: "login-again", args: []string{"app", "step"}, say: sayLesson,
		},
		{
			use: "try <application>", short: "Judge a last wrong and right sign-in by what was found",
			verb: "login-try", args: []string{"app"}, flags: wordFlags, say: sayLesson,
		},
		{
			use: "keep <application>", short: "Keep what was found: it counts at once, until the Caddyfile says something",
			verb: "login-keep", args: []string{"app"}, flags: wordFlags, say: sayLogin,
		},
		{use: "stop <application>", short: "End a lesson and keep nothing", verb: "login-stop", args: []string{"app"}, say: sayLogin},
		{use: "forget <application>", short: "Forget a login that was taught", verb: "login-forget", args: []string{"app"}, say: sayLogin},
		{
			use: "preset [<name>]", short: "List the presets, or print the lines of one", verb: "login-preset", args: []string{"name"}, optional: 1,
			flags: map[string]string{"under": "the path the application stands below"},
			bools: map[string]string{"keep": "keep it as taught, in the application of --app"}, say: sayPreset,
		},
	},
}

var howKnown = map[string]string{
	"caddyfile": "the Caddyfile's login", "taught": "taught", "identity": "the Caddyfile's identity", "device": "what Caddy's own authentication says, else the device alone",
}

func sayLogins(w io.Writer, b json.RawMessage) error {
	list, err := read[[]adminui.LoginKnown](b)
	if err != nil {
		return err
	}
	for _, t := range list {
		if _, err := io.WriteString(w, loginText(t)); err != nil {
			return err
		}
	}
	return nil
}

func sayLogin(w io.Writer, b json.RawMessage) error {
	t, err := read[adminui.LoginKnown](b)
	return printed(w, err, "%s", loginText(t))
}

func loginText(t adminui.LoginKnown) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s: %s\n", lang.Inert(t.Application, 0), howKnown[t.By])
	if t.Taught != nil {
		tried := "not tried yet"
		if t.Taught.Tried {
			tried = "tried"
		}
		fmt.Fprintf(&out, "  taught by %s on %s, %s\n", lang.Inert(t.Taught.By, 0), stampOf(t.Taught.At), tried)
	}
	out.WriteString(indented(t.Lines))
	if t.Cannot != "" {
		fmt.Fprintf(&out, "  the padlock cannot be closed: %s\n", lang.Inert(t.Cannot, 0))
	}
	return out.String()
}

func indented(lines string) string {
	var out strings.Builder
	for line := range strings.Lines(lines) {
		out.WriteString("  " + line)
	}
	return out.String()
}

var nextStep = map[identity.LessonStep]string{
	identity.LessonLink:     "Open the link in the browser that is to be watched.",
	identity.LessonWrong:    "Sign in there with a wrong password.",
	identity.LessonRight:    "Sign in there with the right password.",
	identity.LessonLeave:    "Sign out there (or: caddy cadenas login again <application> skip).",
	identity.LessonFound:    "Try it: caddy cadenas login try <application>; or keep it as it is: caddy cadenas login keep <application>.",
	identity.LessonTryWrong: "Sign in there with a wrong password: it will be judged.",
	identity.LessonTryRight: "Sign in there with the right password: it will be judged.",
	identity.LessonTried:    "Keep it: caddy cadenas login keep <application>; or correct it with flags and try again.",
}

func sayLesson(w io.Writer, b json.RawMessage) error {
	t, err := read[lessonTold](b)
	if err != nil {
		return err
	}
	var out strings.Builder
	if t.Link != "" {
		fmt.Fprintf(&out, "%s\n\nIt opens once, until %s.\n", t.Link, stampOf(t.Until))
	}
	for _, e := range []struct {
		word string
		x    *identity.Exchange
	}{{"wrong", t.Wrong}, {"right", t.Right}} {
		if e.x != nil {
			fmt.Fprintf(&out, "%s password: %s %s answered %d (%s)\n", e.word, e.x.Method, e.x.Path, e.x.Status, e.x.Reason)
		}
	}
	out.WriteString(indented(t.Lines))
	for _, e := range []struct {
		word string
		x    *identity.Tried
	}{{"wrong", t.TriedWrong}, {"right", t.TriedRight}} {
		if e.x != nil {
			fmt.Fprintf(&out, "the %s password was judged %q: %s\n", e.word, e.x.Proof, e.x.Reason)
		}
	}
	fmt.Fprintln(&out, nextStep[t.Step])
	_, err = io.WriteString(w, out.String())
	return err
}

func sayPreset(w io.Writer, b json.RawMessage) error {
	if len(b) > 0 && b[0] == '{' {
		return sayLogin(w, b)
	}
	list, err := read[[]identity.Preset](b)
	if err != nil {
		return err
	}
	if len(list) == 1 {
		return printed(w, nil, "%s", list[0].Words.Lines())
	}
	var rows [][]string
	for _, p := range list {
		rows = append(rows, []string{p.Name, p.Title, p.Words.Path})
	}
	return table(w, "NAME|APPLICATION|LOGIN", rows)
}
