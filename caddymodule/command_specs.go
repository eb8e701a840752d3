package caddymodule

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/lang"
)

// specs are the verbs at the command line.
var specs = []spec{
	{
		use: "console-link", short: "Print a single-use link into the console", verb: "console-link",
		flags: map[string]string{"admin": "e-mail of the admin; the first one when left out"},
		say: func(w io.Writer, b json.RawMessage) error {
			a, err := read[struct{ Link string }](b)
			return printed(w, err, "%s\n", a.Link)
		},
	},
	{use: "requests", short: "List who waits", verb: "requests", say: sayRequests},
	{
		use: "approve <id>", short: "Let a waiting person in", verb: "approve", args: []string{"id"},
		flags: map[string]string{
			"width": "connection, device, network, everyone or full", "until": "a date, a moment or a duration; no end when left out",
			"number": "the number the person reads to you", "reply": "a word to the person",
		},
		say: sayDecided,
	},
	{
		use: "refuse <id>", short: "Refuse a waiting person", verb: "refuse", args: []string{"id"},
		flags: map[string]string{"reply": "a word to the person"}, say: sayDecided,
	},
	{
		use: "connections", short: "List connections of the last days", verb: "connections",
		flags: map[string]string{"days": "how many days back, 0 for all; 30 when left out", "user": "one user", "limit": "how many; 1000 when left out"},
		say:   sayConnections,
	},
	{
		use: "rules", short: "List, add and end rules", verb: "rules", say: sayRules,
		sub: []spec{
			{
				use: "add", short: "Add a rule: what is left out means any", verb: "rules-add",
				flags: ruleFlags,
				say: func(w io.Writer, b json.RawMessage) error {
					r, err := read[access.Rule](b)
					return printed(w, err, "Rule %s is in force.\n", r.ID)
				},
			},
			{use: "try", short: "Say what a rule would do to the connections of 30 days; makes none", verb: "rules-try", flags: ruleFlags, say: sayTried},
			{
				use: "edit <id>", short: "Give a rule another end and note", verb: "rules-edit", args: []string{"id"},
				flags: map[string]string{"until": "a date, a moment or a duration; left out, no end", "note": "a word about it"},
				say: func(w io.Writer, b json.RawMessage) error {
					r, err := read[access.Rule](b)
					return printed(w, err, "Rule %s ends: %s.\n", r.ID, stampOf(r.Until))
				},
			},
			{
				use: "end <id>", short: "End a rule", verb: "rules-end", args: []string{"id"},
				say: func(w io.Writer, b json.RawMessage) error {
					r, err := read[access.Rule](b)
					return printed(w, err, "Rule %s has ended.\n", r.ID)
				},
			},
		},
	},
	{
		use: "padlock [<application>]", short: "Show the padlocks, close and open them", verb: "padlock", args: []string{"app"}, optional: 1, say: sayPadlocks,
		sub: []spec{
			{
				use: "close <application>", short: "Close a padlock, after saying whom that would stop", verb: "padlock-close", args: []string{"app"},
				flags: map[string]string{"also": "users to let in first of those whom it would stop, with commas between, or all"},
				bools: map[string]string{"yes": "do it, not only say whom it would stop"}, say: sayClosing,
			},
			{
				use: "open <application>", short: "Open a padlock", verb: "padlock-open", args: []string{"app"},
				say: func(w io.Writer, b json.RawMessage) error {
					a, err := read[struct{ Application string }](b)
					return printed(w, err, "The padlock of %s is open: everybody gets in but locked users, and every connection is recorded.\n", a.Application)
				},
			},
		},
	},
	{
		use: "user <name>", short: "Show a user; lock, unlock, give full access, edit", verb: "user", args: []string{"name"}, say: sayUser,
		sub: append([]spec{
			treat("lock", "Keep a user out, whatever the rules say"),
			treat("unlock", "End a lock"),
			treat("full-access", "Let a user in from anywhere"),
			treat("by-rules", "End full access or a lock: the rules decide"),
			{
				use: "sign-out <name>", short: "End all sessions of a user", verb: "end-logins", args: []string{"name"},
				say: func(w io.Writer, b json.RawMessage) error {
					apps, err := read[[]string](b)
					if err == nil && len(apps) == 0 {
						return printed(w, nil, "No application here watches a login: there are no sessions to end.\n")
					}
					return printed(w, err, "All their sessions have ended in %s.\n", strings.Join(apps, ", "))
				},
			},
			{
				use: "remove <name>", short: "Remove a user: sessions, rules, connections, requests and record", verb: "user-remove", args: []string{"name"},
				bools: map[string]string{"yes": "do it, not only say what goes"},
				say: func(w io.Writer, b json.RawMessage) error {
					a, err := read[removal](b)
					if err == nil && !a.Removed {
						return printed(w, nil, "%s has %d connections. They are forgotten, sessions and requests end, and the rules about them go. Say --yes to do it.\n", a.User, a.Connections)
					}
					return printed(w, err, "%s is removed.\n", a.User)
				},
			},
		}, userMore...),
	},
	usersSpec,
	adminsSpec,
	devicesSpec,
	placesSpec,
	{
		use: "pass <user>", short: "Make a code that lets one user in once, until midnight unless the limits say otherwise", verb: "pass", args: []string{"user"},
		say: func(w io.Writer, b json.RawMessage) error {
			a, err := read[struct {
				Code, User, Application string
				Until                   time.Time
				Seen                    bool
			}](b)
			warning := ""
			if !a.Seen {
				warning = "Nobody of that name was here yet: check the spelling.\n"
			}
			return printed(w, err, "%s\n\nFor %s, in %s, once, until %s. It is typed on the waiting page.\n%s", a.Code, a.User, a.Application, stampOf(a.Until), warning)
		},
	},
	loginSpec,
	biopassSpec,
	notifySpec,
	{use: "settings", short: "Show what the Caddyfile says, how large the store is, and how channels fare", verb: "settings", say: saySettings},
	{
		use: "explain", short: "Say what the gate would answer, and why", verb: "explain",
		flags: map[string]string{"user": "the user", "ip": "the address", "user-agent": "the browser's user agent", "device": "a device, by identifier"},
		say: func(w io.Writer, b json.RawMessage) error {
			a, err := read[Explanation](b)
			return printed(w, err, "%s: %s\n%s on %s, %s, %s\n", a.Answer, a.Reason, a.User, deviceWords(a.Device), browserWords(a.Browser), placeWords(a.Place))
		},
		sub: []spec{{
			use: "token", short: "Make a header that tells its bearer the reason of each verdict for ten minutes", verb: "explain-token",
			say: func(w io.Writer, b json.RawMessage) error {
				a, err := read[struct {
					Header, Token string
					Until         time.Time
				}](b)
				return printed(w, err, "%s: %s\n", a.Header, a.Token)
			},
		}},
	},
	{
		use: "activity", short: "List what was done, newest first", verb: "activity",
		flags: map[string]string{"limit": "how many lines; 50 when left out"}, say: sayActivity,
	},
	{use: "export <file>", short: "Write users, rules, admins, devices and padlocks as JSON", verb: "export", args: []string{"file"}, fills: true, say: sayFile},
	{use: "import <file>", short: "Join what an export holds", verb: "import", args: []string{"file"}, reads: true, say: sayRecords},
	{use: "backup <file>", short: "Write everything but keys", verb: "backup", args: []string{"file"}, fills: true, say: sayFile},
	{use: "restore <file>", short: "Make the state what a backup holds", verb: "restore", args: []string{"file"}, reads: true, say: sayRecords},
	{
		use: "keys", short: "The keys of cookies and stamps",
		sub: []spec{{
			use: "rotate", short: "Make a new key; what older ones sealed stays good", verb: "keys-rotate",
			say: func(w io.Writer, _ json.RawMessage) error { return printed(w, nil, "A new key is in force.\n") },
		}},
	},
	{
		use: "drain <application>", short: "Take the stamps off as browsers come by, before the gate is removed", verb: "drain", args: []string{"app"},
		bools: map[string]string{"stop": "put stamps on again"},
		say: func(w io.Writer, b json.RawMessage) error {
			p, err := read[books.Padlock](b)
			if !p.Draining {
				return printed(w, err, "%s no longer drains.\n", p.Application)
			}
			return printed(w, err, "%s drains: sessions lose their stamps as browsers come by. Those who have not come by when the gate goes will sign in again.\n", p.Application)
		},
	},
}

func treat(how, short string) spec {
	return spec{
		use: how + " <name>", short: short, verb: "user-treat", args: []string{"name"},
		fixed: map[string]string{"treat": how}, flags: map[string]string{"why": "a word about it"}, say: sayUser,
	}
}

func read[T any](b json.RawMessage) (T, error) {
	var v T
	err := json.Unmarshal(b, &v)
	return v, err
}

func printed(w io.Writer, err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = lang.Inert(s, 0)
		}
	}
	_, err = fmt.Fprintf(w, format, args...)
	return err
}

func stampOf(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04")
}

// table prints rows under a head, each value inert.
func table(w io.Writer, head string, rows [][]string) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	head = strings.ReplaceAll(head, "|", "\t")
	if _, err := fmt.Fprintln(tw, head); err != nil {
		return err
	}
	for _, r := range rows {
		for i := range r {
			r[i] = lang.Inert(r[i], 60)
		}
		if _, err := fmt.Fprintln(tw, strings.Join(r, "\t")); err != nil {
			return err
		}
	}
	return tw.Flush()
}

func english() *lang.Catalogue { return lang.For("en") }

func deviceWords(d access.Device) string   { return english().Device(string(d.Kind), d.Label) }
func browserWords(b access.Browser) string { return english().Browser(b.Family, b.Platform) }
func placeWords(p access.Place) string     { return english().Place(placeParts(p)) }

func sayRequests(w io.Writer, b json.RawMessage) error {
	list, err := read[[]approvals.AccessRequest](b)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return printed(w, nil, "Nobody waits.\n")
	}
	var rows [][]string
	for _, a := range list {
		rows = append(rows, []string{a.Reference, a.Application, whoWords(a.Person), deviceWords(a.Device), browserWords(a.Browser), placeWords(a.Place), stampOf(a.Opened), partWords(a.New), a.Note})
	}
	return table(w, "ID|APPLICATION|USER|DEVICE|BROWSER|PLACE|SINCE|NEW|NOTE", rows)
}

// whoWords is a user, with the name they gave or the identity source knows.
func whoWords(p access.Person) string {
	if p.Name == "" || p.Name == p.User {
		return p.User
	}
	return p.Name + " (" + p.User + ")"
}

func partWords(parts []access.Part) string {
	var s []string
	for _, p := range parts {
		s = append(s, string(p))
	}
	return strings.Join(s, ", ")
}

func sayDecided(w io.Writer, b json.RawMessage) error {
	a, err := read[approvals.AccessRequest](b)
	return printed(w, err, "%s %s: %s for %s.\n", a.Reference, string(a.State), a.Person.User, a.Application)
}

func sayConnections(w io.Writer, b json.RawMessage) error {
	list, err := read[[]books.Connection](b)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return printed(w, nil, "Nobody came in this time.\n")
	}
	var rows [][]string
	for _, c := range list {
		answer := string(c.Answer)
		if c.Shadow != "" && c.Shadow != access.LetIn {
			answer += " (closed: " + string(c.Shadow) + ")"
		}
		rows = append(rows, []string{c.Application, c.User, deviceWords(c.Device), browserWords(c.Browser), placeWords(c.Place), stampOf(c.Last), fmt.Sprint(c.Count), answer})
	}
	return table(w, "APPLICATION|USER|DEVICE|BROWSER|PLACE|LAST SEEN|VISITS|ANSWER", rows)
}

func sayRules(w io.Writer, b json.RawMessage) error {
	list, err := read[[]access.Rule](b)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return printed(w, nil, "There is no rule yet.\n")
	}
	var rows [][]string
	anyOf := func(s ...string) string {
		for _, x := range s {
			if x != "" {
				return x
			}
		}
		return "any"
	}
	for _, r := range list {
		group := ""
		if r.Group != "" {
			group = "group " + r.Group
		}
		rows = append(rows, []string{r.ID, string(r.Effect), anyOf(r.User, group), anyOf(r.Application), anyOf(r.Device, string(r.Kind)), anyOf(r.Place.String()), anyOf(r.Browser.String()), stampOf(r.Until), r.Author})
	}
	return table(w, "ID|EFFECT|USER|APPLICATION|DEVICE|PLACE|BROWSER|UNTIL|AUTHOR", rows)
}

func sayPadlocks(w io.Writer, b json.RawMessage) error {
	list, err := read[[]books.Padlock](b)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, p := range list {
		state := "open"
		if p.Closed {
			state = "closed"
		}
		if p.Draining {
			state += ", draining"
		}
		rows = append(rows, []string{p.Application, state, p.Changed.By, stampOf(p.Changed.At)})
	}
	return table(w, "APPLICATION|PADLOCK|BY|SINCE", rows)
}

func sayUser(w io.Writer, b json.RawMessage) error {
	u, err := read[treated](b)
	if err != nil {
		return err
	}
	var out strings.Builder
	fmt.Fprintln(&out, lang.Inert(u.User.User, 0))
	if !u.Seen {
		fmt.Fprintln(&out, "  not seen yet: nobody of that name was here, and it counts when they come")
	}
	for _, x := range []struct {
		word  string
		marks map[string]books.Mark
	}{{"locked", u.Locked}, {"full access", u.FullAccess}, {"exempt", u.Exempt}} {
		for app, m := range x.marks {
			if app == "" {
				app = "all applications"
			}
			fmt.Fprintf(&out, "  %s in %s, by %s since %s\n", x.word, lang.Inert(app, 0), lang.Inert(m.By, 0), stampOf(m.At))
		}
	}
	if len(u.Locked)+len(u.FullAccess)+len(u.Exempt) == 0 {
		fmt.Fprintln(&out, "  by the rules")
	}
	for _, app := range slices.Sorted(maps.Keys(u.Groups)) {
		fmt.Fprintf(&out, "  groups last seen in %s: %s\n", lang.Inert(app, 0), lang.Inert(strings.Join(u.Groups[app], ", "), 0))
	}
	_, err = io.WriteString(w, out.String())
	return err
}

func sayActivity(w io.Writer, b json.RawMessage) error {
	list, err := read[[]books.Entry](b)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return printed(w, nil, "Nothing was done yet.\n")
	}
	var rows [][]string
	for _, e := range list {
		rows = append(rows, []string{stampOf(e.At), e.Who, e.Via, e.What, e.Application, e.Subject})
	}
	return table(w, "WHEN|WHO|VIA|WHAT|APPLICATION|SUBJECT", rows)
}

func sayFile(w io.Writer, b json.RawMessage) error {
	a, err := read[struct {
		File  string
		Bytes int
	}](b)
	return printed(w, err, "%s written, %d bytes.\n", a.File, a.Bytes)
}

func sayRecords(w io.Writer, b json.RawMessage) error {
	a, err := read[struct{ Records int }](b)
	return printed(w, err, "The backup is in force, %s; what was changed since it was made is gone.\n", counted(a.Records, "record", "records"))
}
