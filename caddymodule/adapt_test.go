package caddymodule

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

var update = flag.Bool("update", false, "write what the adapter says into the test files")

const adaptLine = "----------\n"

// TestAdapt compares what the Caddyfile adapter makes of each file with what
// stands in it below the line.
func TestAdapt(t *testing.T) {
	files, err := filepath.Glob("testdata/adapt/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatal("no adapt tests", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			config, want, ok := bytes.Cut(content, []byte(adaptLine))
			if !ok {
				t.Fatal("no line between Caddyfile and JSON")
			}
			got, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt(config, map[string]any{"filename": "Caddyfile"})
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range warnings {
				t.Error(w)
			}
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, got, "", "\t"); err != nil {
				t.Fatal(err)
			}
			pretty.WriteByte('\n')
			if *update {
				all := append(append(append([]byte{}, config...), adaptLine...), pretty.Bytes()...)
				if err := os.WriteFile(file, all, 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if !bytes.Equal(pretty.Bytes(), want) {
				t.Errorf("adapted to:\n%s\nwant:\n%s", pretty.Bytes(), want)
			}
		})
	}
}

func TestAMistakeNamesItsLineAndTheRemedy(t *testing.T) {
	site := func(lines string) string { return "example.com {\n\tcadenas {\n\t\t" + lines + "\n\t}\n}\n" }
	global := func(lines string) string { return "{\n\tcadenas {\n\t\t" + lines + "\n\t}\n}\n" }
	for _, c := range []struct{ name, config, want string }{
		{"an unknown word in the site block", site("pass /x"), "Caddyfile:3"},
		{"an unknown word says what there is", site("pass /x"), "write one of login, identity"},
		{"a word that stands twice", site("hold 60s\n\t\thold 30s"), "hold stands twice: keep one"},
		{"a stray argument", site("hold 60s 70s"), `"70s" is too much`},
		{"two application names", "example.com {\n\tcadenas a b\n}\n", `"b" is too much`},
		{"a reserved application name", "example.com {\n\tcadenas _\n}\n", "cannot name an application"},
		{"a login without path", site("login"), "login /login"},
		{"a login path without slash", site("login login"), "must begin with /"},
		{"an unknown word in login", site("login /login {\n\t\t\tfield x\n\t\t}"), "write one of user, session"},
		{"whoami without JSON path", site("login /login {\n\t\t\twhoami /me\n\t\t}"), "whoami /api/me user.name"},
		{"a policy for what is not there", site("unknown user approval"), "device, place, browser or combination"},
		{"a passkey where Biopass is off", site("biopass off passkey"), "biopass off takes no passkey"},
		{"a passkey before the day", site("biopass required passkey 2027-01-31"), "required 2027-01-31 passkey"},
		{"a passkey without a mode", site("biopass passkey"), "always, required, optional or off"},
		{"a policy that is none", site("unknown device maybe"), "allow, biopass, approval or refuse"},
		{"a policy twice", site("unknown device allow\n\t\tunknown device refuse"), "unknown device stands twice"},
		{"a way to compare that is none", site("same place town"), "address, network, city, country or owner"},
		{"a padlock that is neither", site("padlock ajar"), "open or closed"},
		{"a duration that is none", site("grant_for soon"), "60s, 12h or 90d"},
		{"an exemption of nothing", site("exempt path"), "exempt path /parents/*"},
		{"an exempt path with two stars", site("exempt path /a*b*"), "at most one *"},
		{"an identity header with a word it does not know", site("identity header Remote-User {\nroles Remote-Roles\n}"), "identity header does not know \"roles\""},
		{"an identity header with groups twice", site("identity header Remote-User {\ngroups A\ngroups B\n}"), "keep one"},
		{"a second step that is no path", site("login /login {\nsecond code\n}"), "it must begin with /"},
		{"an identity source that is none", site("identity saml"), "write one of basic, device, header"},
		{"a placeholder that is none", site("identity placeholder user"), "takes a placeholder"},
		{"an intercept that is no address", site("intercept gate"), "intercept https://gate.example.com"},
		{"an unknown word in the global block", global("smtp x"), "write one of store, keys"},
		{"a store that is none", global("store mysql"), "write one of bolt, memory"},
		{"a Redis without address", global("store redis"), "store redis redis://localhost:6379"},
		{"a word that Redis does not know", global("store redis redis://a {\n\t\t\tgone 5s\n\t\t}"), "its one word is away"},
		{"a time away that is none", global("store redis redis://a {\n\t\t\taway soon\n\t\t}"), "away 60s"},
		{"a time away twice", global("store redis redis://a {\n\t\t\taway 5s\n\t\t\taway 6s\n\t\t}"), "away stands twice"},
		{"a place without network", global("place Office"), "at least one address or prefix"},
		{"a network that is none", global("place Office 300.1.2.3"), "neither an address nor a network"},
		{"a console with a path", global("console https://example.com/gate"), "a host of its own"},
		{"a language that is not there", global("languages de"), "write en, fr or both"},
		{"an admin without e-mail", global("admin Marie"), "a name and an e-mail"},
		{"an admin twice", global("admin Marie m@example.com\n\t\tadmin Maria M@example.com"), "stands twice"},
		{"a mobile number without country", global("admin Marie m@example.com 5145550100"), "+15145550100"},
		{"an hour that is none", global("admin Marie m@example.com {\n\t\t\tquiet 25:00 06:00\n\t\t}"), "quiet 22:00 06:00"},
		{"a channel that is none", global("notify pigeon"), "write one of email, log"},
		{"a webhook without address", global("notify webhook"), "needs an address"},
		{"a template that is none", global("notify webhook https://example.com/x {\n\t\t\ttemplate irc\n\t\t}"), "slack or teams"},
		{"a text gateway that is none", global("notify sms pigeon"), "write one of http, twilio"},
		{"twilio without sender", global("notify sms twilio AC1 x"), "the number to send from"},
		{"a gateway without address", global("notify sms http"), "needs an address"},
		{"an unknown word in sms http", global("notify sms http https://example.com/x {\n\t\t\ttoken y\n\t\t}"), "write one of method"},
		{"a push contact that is none", global("notify web_push ops"), "an e-mail or an https address"},
		{"an unknown word in webhook", global("notify webhook https://example.com/x {\n\t\t\ttoken y\n\t\t}"), "write one of secret"},
		{"mail without sender", global("notify email smtp.example.com:587"), "from <address>"},
		{"a user name without password", global("notify email smtp.example.com:587 {\n\t\t\tfrom a@example.com\n\t\t\tusername a\n\t\t}"), "needs its password"},
		{"an expiry that is none", global("requests expire never"), "from 1h to 400d"},
		{"a limit that is switched off", global("limits {\n\t\t\theld off\n\t\t}"), "leave the line out for 30m"},
		{"a console on an application's site", "example.com {\n\tcadenas\n\tcadenas_console\n}\n", "Caddyfile:3"},
		{"a console on an application's site says what to write", "example.com {\n\tcadenas_console\n\tcadenas {\n\t}\n}\n", "a host of its own"},
		{"a console beside an application in a route of their own", "example.com {\n\thandle /x/* {\n\t\tcadenas\n\t}\n\thandle {\n\t\tcadenas_console\n\t}\n}\n", "Caddyfile:6"},
		{"a console with a word", "gate.example.com {\n\tcadenas_console now\n}\n", `"now" is too much`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(c.config), map[string]any{"filename": "Caddyfile"})
			if err == nil {
				t.Fatal("the mistake was taken")
			}
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "Caddyfile:") {
				t.Errorf("%v\nwants a line and %q", err, c.want)
			}
		})
	}
}

func TestAConsoleBesideOtherSitesIsFine(t *testing.T) {
	config := "a.example.com {\n\tcadenas\n}\ngate.example.com {\n\tcadenas_console\n}\nb.example.com {\n\tcadenas\n}\n"
	if _, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(config), map[string]any{"filename": "Caddyfile"}); err != nil {
		t.Fatal(err)
	}
}
