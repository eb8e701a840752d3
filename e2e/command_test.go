package e2e

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"
)

// What an operator types, right and wrong: what they are told, the exit code,
// and what the log keeps.
func TestTheCommandLineSaysWhatItDidAndWhatWasWrong(t *testing.T) {
	t.Parallel()
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
	for _, what := range []string{"padlock.close", "user.full-access", "refuse"} {
		g.Log.Await(t, what, func(e Entry) bool {
			return e.Message() == "entered in the activity" && e.Field("what") == what && e.Field("via") == "cli" && e.Field("by") == "command line" && e.Level() == "info"
		})
	}
	for _, e := range g.Log.Entries() {
		if e.Level() == "error" || e.Message() == "done by command line" {
			t.Errorf("%v", e)
		}
	}
}

// X15: people, admins, devices and places, as the console's rooms keep them.
func TestTheCommandLineDoesWhatTheRoomsDo(t *testing.T) {
	t.Parallel()
	g := StartGate(t, &Demo{}, GateOptions{NoMail: true})
	c, demo := NewClient(t), &Demo{}
	demo.SignIn(c, g.Site, Accounts[1].User, Accounts[1].Password)
	device := ""
	for _, c := range []struct {
		words []string
		exit  int
		says  string
	}{
		{[]string{"user", "add", "zoe", "--called", "Zoé Roy", "--mobile", "+1 514 555-0111"}, 0, "Added."},
		{[]string{"user", "add", "zoe"}, 2, "zoe is there already"},
		{[]string{"rules", "try", "--effect", "refuse", "--user", "julie", "--app", "attendance"}, 0, "It would decide 1 connection of the last 30 days, 1 of them otherwise than now."},
		{[]string{"rules", "try", "--effect", "perhaps"}, 2, "write allow or refuse"},
		{[]string{"rules"}, 0, "There is no rule yet."},
		{[]string{"settings"}, 0, "Store"},
		{[]string{"user", "add", "yves", "--email", "yves"}, 2, "no e-mail address"},
		{[]string{"user", "edit", "zoe", "--email", "zoe@example.com"}, 0, "Saved."},
		{[]string{"user", "edit", "nobody", "--email", "x@example.com"}, 1, "none of the name nobody"},
		{[]string{"users"}, 0, "Zoé Roy  zoe@example.com  +15145550111"},
		{[]string{"user", "edit", "zoe", "--mobile", "-"}, 0, "Saved."},
		{[]string{"user", "exempt", "zoe", "--app", "attendance"}, 0, "exempt in attendance"},
		{[]string{"user", "not-exempt", "zoe"}, 1, "zoe is still exempt in attendance: add --app attendance"},
		{[]string{"user", "not-exempt", "zoe", "--app", "attendance"}, 0, "by the rules"},

		{[]string{"admins", "add", "ana@example.com", "Ana Diaz", "--language", "fr", "--applications", "attendance", "--notify", "log 5m", "--quiet", "22:00 06:00"}, 0, "Added."},
		{[]string{"admins"}, 0, "ana@example.com"},
		{[]string{"admins"}, 0, "22:00 06:00"},
		{[]string{"admins", "add", "bo@example.com", "Bo", "--notify", "sms"}, 2, "sms does not reach bo@example.com"},
		{[]string{"admins", "add", "bo@example.com", "Bo", "--applications", "payroll"}, 2, "no application payroll"},
		{[]string{"admins", "add", "Ana@example.com", "Twice"}, 2, "Another admin has this e-mail address"},
		{[]string{"admins", "edit", "marie@example.com", "--called", "M"}, 2, "stands in the Caddyfile"},
		{[]string{"admins", "edit", "ana@example.com", "--new-email", "ana.diaz@example.com", "--applications", "all", "--quiet", "-"}, 0, "Saved."},
		{[]string{"admins", "sessions", "ana.diaz@example.com"}, 0, "No admin is signed in."},
		{[]string{"admins", "remove", "ana.diaz@example.com"}, 0, "Removed."},
		{[]string{"admins", "remove", "ana.diaz@example.com"}, 1, "none of the name"},

		{[]string{"devices", "name", "DEVICE", "The desk of the centre"}, 0, "Renamed."},
		{[]string{"devices"}, 0, "The desk of the centre"},
		{[]string{"devices", "allow", "DEVICE"}, 0, "Allowed for everybody."},
		{[]string{"rules"}, 0, "allow"},
		{[]string{"devices", "forget", "DEVICE", "--user", "nobody"}, 1, "none of the name"},
		{[]string{"devices", "forget", "DEVICE"}, 0, "Forgotten."},
		{[]string{"devices", "name", "nothing", "x"}, 1, "none of the name nothing"},

		{[]string{"places", "name", "Annex", "198.51.100.0/24, 2001:db8:7::/48"}, 0, "Named."},
		{[]string{"places", "name", "Half the world", "0.0.0.0/1"}, 2, "too wide"},
		{[]string{"places", "name", "Other", "198.51.100.0/24"}, 2, "has another name already"},
		{[]string{"places"}, 0, "198.51.100.0/24, 2001:db8:7::/48"},
		{[]string{"explain", "--user", "zoe", "--ip", "198.51.100.7"}, 0, "Annex"},
		{[]string{"places", "edit", "Annex", "--networks", "198.51.100.0/25"}, 0, ""},
		{[]string{"places"}, 0, "198.51.100.0/25"},
		{[]string{"places", "remove", "Office"}, 2, "named in the configuration"},
		{[]string{"places", "remove", "Annex"}, 0, "The name is gone."},
	} {
		for i, word := range c.words {
			if word != "DEVICE" {
				continue
			}
			if device == "" {
				var list []struct{ ID string }
				Eventually(t, func() error {
					err := json.Unmarshal([]byte(g.Must("devices", "--json")), &list)
					return errors.Join(err, whether(len(list) == 1, "a device is not recorded"))
				})
				device = list[0].ID
			}
			c.words[i] = device
		}
		r := g.Cadenas(c.words...)
		if r.Exit != c.exit || !strings.Contains(r.Stdout+r.Stderr, c.says) {
			t.Errorf("caddy cadenas %s: exit %d, not %d, or it does not say %q\n%s%s", strings.Join(c.words, " "), r.Exit, c.exit, c.says, r.Stdout, r.Stderr)
		}
	}

	// What the activity keeps is what it keeps of a form, with who did it.
	done := g.Must("activity", "--limit", "200")
	for _, what := range []string{"user.add", "user.edit", "user.exempt", "admin.add", "admin.edit", "admin.remove", "device.rename", "device.forget", "place.name", "place.unname"} {
		if !regexp.MustCompile(`command line +cli +` + regexp.QuoteMeta(what) + ` `).MatchString(done) {
			t.Errorf("the activity does not say %s by the command line\n%s", what, done)
		}
	}

	// An admin who is signed in is signed out.
	b := OpenBrowser(t, View{})
	b.Open(g.ConsoleLink("paul@example.com"))
	b.Go("form button")
	if out := g.Must("admins", "sessions"); !strings.Contains(out, "paul@example.com") {
		t.Errorf("%s", out)
	}
	if out := g.Must("admins", "sign-out", "paul@example.com"); !strings.Contains(out, "1 sessions") {
		t.Errorf("%s", out)
	}
	b.Open(g.Console.URL("/connections"))
	b.See(`form[action="/sign-in"]`)
}
