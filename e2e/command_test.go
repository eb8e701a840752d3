package e2e

import (
	"strings"
	"testing"
	"time"
)

// What an operator types, right and wrong: what they are told, the exit code,
// and what the log keeps.
func TestTheCommandLineSaysWhatItDidAndWhatWasWrong(t *testing.T) {
	g := StartGate(t, &Demo{}, GateOptions{NoMail: true})
	g.ClosePadlock()
	for _, c := range []struct {
		name, words string
		exit        int
		says        string
	}{
		{"a locked stranger is told of", "user lock zoe", 0, "not seen yet"},
		{"one who is locked in one application", "user lock julie --app attendance", 0, "locked in attendance"},
		{"is not unlocked in all", "user unlock julie", 1, "julie is locked in attendance: add --app attendance"},
		{"but there", "user unlock julie --app attendance", 0, "by the rules"},
		{"who is not locked is not unlocked", "user unlock julie", 1, "julie is not locked"},
		{"full access is no lock", "user full-access julie", 0, "full access in all applications"},
		{"and does not go with one", "user unlock julie", 1, "julie is not locked"},
		{"by the rules in one application", "user by-rules julie --app attendance", 1, "julie still has full access in all applications: leave out --app"},
		{"by the rules", "user by-rules julie", 0, "by the rules"},
		{"a rule that is none", "rules end zzz", 1, `there is no rule "zzz"`},
		{"a request that is none", "approve ZZZ-ZZZ", 1, "no such access request"},
		{"an application that is none", "padlock close nowhere", 2, "attendance"},
		{"a verb that is none", "aprove x", 2, `no verb "aprove"`},
		{"a flag that is none", "--bogus", 2, "--bogus"},
		{"a flag that is none, behind a verb", "requests --bogus", 2, "--bogus"},
		{"a group alone", "keys", 2, "rotate"},
		{"a group alone, of stores", "store", 2, "copy"},
		{"a word too many", "requests now", 2, "write: caddy cadenas requests"},
	} {
		r := g.Cadenas(strings.Fields(c.words)...)
		if r.Exit != c.exit || !strings.Contains(r.Stdout+r.Stderr, c.says) {
			t.Errorf("%s: caddy cadenas %s: exit %d, not %d, or it does not say %q\n%s%s", c.name, c.words, r.Exit, c.exit, c.says, r.Stdout, r.Stderr)
		}
	}

	// A request that is over says who decided what, and when.
	c, demo := NewClient(t), &Demo{}
	demo.SignIn(c, g.Site, Accounts[1].User, Accounts[1].Password)
	waiting := g.Requests()
	if len(waiting) != 1 {
		t.Fatalf("%d wait", len(waiting))
	}
	if out := g.Must("refuse", waiting[0].Reference); !strings.Contains(out, "refused") {
		t.Errorf("%s", out)
	}
	for _, name := range []string{waiting[0].ID, waiting[0].Reference, strings.ToLower(strings.ReplaceAll(waiting[0].Reference, "-", ""))} {
		r := g.Cadenas("approve", name)
		if r.Exit != 1 || !strings.Contains(r.Stderr, "was refused by command line on "+time.Now().Format("2006-")) {
			t.Errorf("approving what was refused: exit %d, %s", r.Exit, r.Stderr)
		}
	}

	// What was changed is in the log, and a mistake is no error of Caddy's.
	for _, verb := range []string{"padlock-close", "user-treat", "refuse"} {
		g.Log.Await(t, verb, func(e Entry) bool {
			return e.Message() == "done by command line" && e.Field("verb") == verb && e.Level() == "info"
		})
	}
	for _, e := range g.Log.Entries() {
		if e.Level() == "error" || e.Message() == "done by command line" && e.Field("verb") == "requests" {
			t.Errorf("%v", e)
		}
	}
}
