package caddymodule

import (
	"cmp"
	"encoding/json"
	"io"
	"strings"

	adminui "github.com/cadenas-gateway/cadenas/admin-ui"
	"github.com/cadenas-gateway/cadenas/books"
)

// personFlags are what is known of a person; a dash empties one.
var personFlags = map[string]string{
	"called": "the person's name", "email": "where the outcome is told; - for none",
	"mobile": "+15145550100; - for none", "language": "en or fr; - for the browser's",
}

// userMore are the verbs about a person's record, beside those about their
// treatment.
var userMore = []spec{
	{use: "add <name>", short: "Write down a user who has not come yet", verb: "user-add", args: []string{"name"}, flags: personFlags, say: sayDone},
	{use: "edit <name>", short: "Change what is known of a user", verb: "user-edit", args: []string{"name"}, flags: personFlags, say: sayDone},
	{
		use: "exempt <name>", short: "Let a user never wait", verb: "user-exempt", args: []string{"name"},
		flags: map[string]string{"why": "a word about it"}, say: sayUser,
	},
	{use: "not-exempt <name>", short: "End an exemption", verb: "user-exempt-no", args: []string{"name"}, say: sayUser},
}

var usersSpec = spec{use: "users", short: "List the users that somebody wrote down or treats", verb: "users", say: sayUsers}

var adminFlags = map[string]string{
	"mobile": "+15145550100; - for none", "language": "en or fr", "applications": `"attendance payroll"; all for every one`,
	"notify": `the order of channels, "web_push email sms 5m"; - for all at once`, "quiet": `"22:00 06:00"; - for none`,
}

func withFlags(flags map[string]string, more map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range []map[string]string{flags, more} {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}

var adminsSpec = spec{
	use: "admins", also: []string{"admin"}, short: "List, add, change and remove admins, their passkeys and sessions", verb: "admins", say: sayAdmins,
	sub: append([]spec{
		{
			use: "add <e-mail> <name>", short: "Add an admin", verb: "admins-add", args: []string{"email", "called"},
			flags: adminFlags, say: sayDone,
		},
		{
			use: "edit <e-mail>", short: "Change an admin; those of the Caddyfile are changed there", verb: "admins-edit", args: []string{"email"},
			flags: withFlags(adminFlags, map[string]string{"called": "the admin's name", "new-email": "another address: it signs them out"}), say: sayDone,
		},
		{use: "remove <e-mail>", short: "Remove an admin and sign them out; the last one stays", verb: "admins-remove", args: []string{"email"}, say: sayDone},
		{
			use: "sessions [<e-mail>]", short: "List where admins are signed in", verb: "admins-sessions", args: []string{"email"}, optional: 1,
			say: saySessions,
		},
		{
			use: "sign-out <e-mail>", short: "End an admin's sessions in the console", verb: "admins-sign-out", args: []string{"email"},
			say: func(w io.Writer, b json.RawMessage) error {
				a, err := read[struct {
					Ended int
					Admin string
				}](b)
				return printed(w, err, "%s is signed out everywhere: %d sessions.\n", a.Admin, a.Ended)
			},
		},
	}, adminSpec.sub...),
}

var devicesSpec = spec{
	use: "devices", short: "List devices with who uses them; name, allow, forget one", verb: "devices", say: sayDevices,
	sub: []spec{
		{use: "name <id> <name>", short: "Give a device the name that people read", verb: "devices-name", args: []string{"id", "called"}, say: sayDone},
		{use: "allow <id>", short: "Let everybody in on a device, in one application (--app)", verb: "devices-allow", args: []string{"id"}, say: sayDone},
		{
			use: "forget <id>", short: "Make a device unknown: what opens on it next is new", verb: "devices-forget", args: []string{"id"},
			flags: map[string]string{"user": "for one user; for all who used it when left out"}, say: sayDone,
		},
	},
}

var placesSpec = spec{
	use: "places", short: "List networks that have a name; name and unname one", verb: "places", say: sayPlaces,
	sub: []spec{
		{
			use: "name <name> <networks>", short: `Give networks a name: "Laval centre" "203.0.113.0/24, 2001:db8:7::/48"`, verb: "places-name",
			args: []string{"name", "networks"}, flags: map[string]string{"user": "for one user alone: home"}, say: sayDone,
		},
		{
			use: "edit <name>", short: "Give a place another name or other networks", verb: "places-edit", args: []string{"name"},
			flags: map[string]string{"called": "its new name", "networks": `"203.0.113.0/24, 2001:db8:7::/48"`}, say: sayDone,
		},
		{use: "remove <name>", short: "Take a name away; rules about it match nothing any more", verb: "places-remove", args: []string{"name"}, say: sayDone},
	},
}

func sayDone(w io.Writer, b json.RawMessage) error {
	d, err := read[done](b)
	return printed(w, err, "%s\n", d.Done)
}

func sayUsers(w io.Writer, b json.RawMessage) error {
	list, err := read[[]books.User](b)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return printed(w, nil, "Nobody is written down yet; `caddy cadenas connections` lists who came.\n")
	}
	var rows [][]string
	for _, u := range list {
		state := "by the rules"
		switch {
		case len(u.Locked) > 0:
			state = "locked"
		case len(u.FullAccess) > 0:
			state = "full access"
		case len(u.Exempt) > 0:
			state = "exempt"
		}
		rows = append(rows, []string{u.User, u.Name, u.Email, u.Mobile, state})
	}
	return table(w, "USER|NAME|E-MAIL|MOBILE|TREATED", rows)
}

func sayAdmins(w io.Writer, b json.RawMessage) error {
	list, err := read[[]adminLine](b)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return printed(w, nil, "There is no admin yet: write one into the Caddyfile, or `caddy cadenas admins add <e-mail> <name>`.\n")
	}
	var rows [][]string
	for _, a := range list {
		apps, order, from := strings.Join(a.Applications, " "), a.Notify, "console"
		if apps == "" {
			apps = "all"
		}
		if order == "" {
			order = "all at once"
		}
		if a.Configured {
			from = "Caddyfile"
		}
		rows = append(rows, []string{a.Email, a.Name, a.Mobile, cmp.Or(a.Language, "browser's"), apps, order, a.Quiet, from})
	}
	return table(w, "E-MAIL|NAME|MOBILE|LANGUAGE|APPLICATIONS|TOLD BY|QUIET|FROM", rows)
}

func saySessions(w io.Writer, b json.RawMessage) error {
	list, err := read[[]adminui.ConsoleSession](b)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return printed(w, nil, "No admin is signed in.\n")
	}
	var rows [][]string
	for _, s := range list {
		rows = append(rows, []string{s.Admin, stampOf(s.Created), stampOf(s.Last), s.From, s.Agent})
	}
	return table(w, "ADMIN|SINCE|LAST USED|FROM|BROWSER", rows)
}

func sayDevices(w io.Writer, b json.RawMessage) error {
	list, err := read[[]adminui.UsedDevice](b)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return printed(w, nil, "No device was seen yet.\n")
	}
	var rows [][]string
	for _, d := range list {
		rows = append(rows, []string{d.ID, d.Name, english().Device(d.Kind, d.Label), strings.Join(d.Users, ", "), strings.Join(d.Applications, ", "), stampOf(d.Last)})
	}
	return table(w, "ID|NAME|DEVICE|USERS|APPLICATIONS|LAST SEEN", rows)
}

func sayPlaces(w io.Writer, b json.RawMessage) error {
	list, err := read[[]adminui.NamedPlace](b)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return printed(w, nil, "No network has a name yet.\n")
	}
	var rows [][]string
	for _, p := range list {
		from := "console"
		if p.ID == "" {
			from = "Caddyfile"
		}
		whose := p.User
		if whose == "" {
			whose = "everybody"
		}
		rows = append(rows, []string{p.Name, strings.Join(p.Prefixes, ", "), whose, from})
	}
	return table(w, "NAME|NETWORKS|FOR|FROM", rows)
}
