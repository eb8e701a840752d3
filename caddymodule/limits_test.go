package caddymodule

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func readApp(text string) (*App, error) {
	a := new(App)
	return a, a.UnmarshalCaddyfile(caddyfile.NewTestDispenser("cadenas {\n" + text + "\n}\n"))
}

func TestLimitsAreReadAndComeBackFromJSON(t *testing.T) {
	const day = caddy.Duration(24 * time.Hour)
	minutes := func(n int) caddy.Duration { return caddy.Duration(time.Duration(n) * time.Minute) }
	for _, c := range []struct {
		name, text string
		want       Limits
	}{
		{"all of them", `limits {
			number_tries 2
			mail_link 1d
			code 5m
			code_tries 3
			held 1h
			refused 7d
			login_idle 90d
			console_idle 30m
			console_life 12h
			pass 12h
		}`, Limits{
			NumberTries: 2, MailLink: day, Code: minutes(5), CodeTries: 3, Held: minutes(60), Refused: 7 * day,
			LoginIdle: 90 * day, ConsoleIdle: minutes(30), ConsoleLife: minutes(12 * 60), Pass: minutes(12 * 60),
		}},
		{"the least", "limits {\nnumber_tries 1\nmail_link 15m\ncode 2m\ncode_tries 2\nheld 5m\nrefused 15m\nlogin_idle 1h\nconsole_idle 5m\nconsole_life 1h\npass 15m\n}", Limits{
			NumberTries: 1, MailLink: minutes(15), Code: minutes(2), CodeTries: 2, Held: minutes(5), Refused: minutes(15),
			LoginIdle: minutes(60), ConsoleIdle: minutes(5), ConsoleLife: minutes(60), Pass: minutes(15),
		}},
		{"the most", "limits {\nnumber_tries 5\nmail_link 60d\ncode 1h\ncode_tries 10\nheld 12h\nrefused 60d\nlogin_idle 400d\nconsole_idle 7d\nconsole_life 90d\npass 7d\n}", Limits{
			NumberTries: 5, MailLink: 60 * day, Code: minutes(60), CodeTries: 10, Held: minutes(12 * 60), Refused: 60 * day,
			LoginIdle: 400 * day, ConsoleIdle: 7 * day, ConsoleLife: 90 * day, Pass: 7 * day,
		}},
		{"a pass until midnight is the default", "limits {\npass midnight\n}", Limits{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := readApp(c.text)
			if err != nil {
				t.Fatal(err)
			}
			if *a.Limits != c.want {
				t.Errorf("read as %+v", *a.Limits)
			}
			raw, err := json.Marshal(a)
			if err != nil {
				t.Fatal(err)
			}
			var back App
			if err := json.Unmarshal(raw, &back); err != nil || *back.Limits != c.want {
				t.Errorf("came back as %+v from %s, %v", back.Limits, raw, err)
			}
			if err := back.Limits.check(); err != nil {
				t.Errorf("as JSON it is refused: %v", err)
			}
		})
	}
}

// The words are those of the JSON fields, and each has its line in the
// console and its default in the table.
func TestEveryLimitHasAWordADefaultAndALine(t *testing.T) {
	fields := reflect.TypeFor[Limits]()
	if fields.NumField() != len(limitTable) {
		t.Fatalf("%d fields and %d words", fields.NumField(), len(limitTable))
	}
	a := &App{RequestsExpire: caddy.Duration(length(requestsExpire.usual))}
	lines := a.limitSettings().Lines[1:]
	for i, l := range limitTable {
		if name, _, _ := strings.Cut(fields.Field(i).Tag.Get("json"), ","); name != l.word {
			t.Errorf("the word %s is %s in JSON", l.word, name)
		}
		if lines[i].Name != "settings.limit."+l.word || lines[i].Count == 0 && lines[i].Length == 0 && len(lines[i].Values) == 0 {
			t.Errorf("%s is shown as %+v", l.word, lines[i])
		}
	}
	want := Limits{
		NumberTries: 3, MailLink: caddy.Duration(7 * 24 * time.Hour), Code: caddy.Duration(10 * time.Minute), CodeTries: 5,
		Held: caddy.Duration(30 * time.Minute), Refused: caddy.Duration(24 * time.Hour), LoginIdle: caddy.Duration(30 * 24 * time.Hour),
		ConsoleIdle: caddy.Duration(8 * time.Hour), ConsoleLife: caddy.Duration(30 * 24 * time.Hour),
	}
	if got := (*Limits)(nil).complete(); got != want {
		t.Errorf("the defaults are %+v", got)
	}
	short := Limits{ConsoleLife: caddy.Duration(5 * time.Hour)}
	if got := short.complete().ConsoleIdle; got != short.ConsoleLife || short.agree() != nil {
		t.Errorf("a session of five hours ends idle after %s", time.Duration(got))
	}
}

func TestALimitThatIsNoneNamesItsLineAndTheRemedy(t *testing.T) {
	limits := func(lines string) string { return "limits {\n" + lines + "\n}" }
	for _, c := range []struct{ name, text, want string }{
		{"a number switched off", limits("number_tries 0"), `a number from 1 to 5, not "0": a limit cannot be switched off, leave the line out for 3`},
		{"off in words", limits("held off"), `a duration from 5m to 12h, not "off": a limit cannot be switched off, leave the line out for 30m`},
		{"a duration of nothing", limits("mail_link 0"), `from 15m to 60d, not "0"`},
		{"a duration of nothing, with its unit", limits("refused 0s"), `from 15m to 60d, not "0s"`},
		{"a duration that goes back", limits("login_idle -1h"), `from 1h to 400d`},
		{"under the least", limits("code 90s"), `from 2m to 1h, not "90s"`},
		{"over the most", limits("code 2h"), `not "2h"`},
		{"a day more than the most", limits("console_life 91d"), `from 1h to 90d, not "91d"`},
		{"tries over the most", limits("code_tries 11"), "from 2 to 10"},
		{"a number that is none", limits("number_tries three"), `not "three"`},
		{"a duration without unit", limits("held 30"), `not "30"`},
		{"a pass without end", limits("pass never"), "pass takes midnight or a duration from 15m to 7d"},
		{"midnight elsewhere", limits("held midnight"), "held takes a duration"},
		{"an idle session that outlives its end", limits("console_idle 2d\nconsole_life 1d"), "console_idle 2d is longer than console_life 24h"},
		{"a word that is none", limits("sms 10m"), "write one of number_tries, mail_link"},
		{"a word twice", limits("held 1h\nheld 2h"), "held stands twice in limits"},
		{"a word without value", limits("held"), "held needs a value"},
		{"a stray value", limits("held 1h 2h"), `"2h" is too much`},
		{"a request's end in the block", limits("requests expire 60d"), "stands beside limits"},
		{"no block", "limits 3", "open a block"},
		{"two blocks", limits("held 1h") + "\n" + limits("code 5m"), "limits stands twice"},
		{"requests that never end", "requests expire 0", `from 1h to 400d, not "0": a limit cannot be switched off, leave the line out for 60d`},
		{"requests that end at once", "requests expire 5m", `not "5m"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := readApp(c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "Testfile:") {
				t.Errorf("%v\nwants a line and %q", err, c.want)
			}
		})
	}
}

func TestLimitsInJSONKeepTheirBoundsToo(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`{"number_tries": -1}`, "number_tries takes a number from 1 to 5"},
		{`{"code": "3h"}`, "code takes a duration from 2m to 1h"},
		{`{"held": "-1s"}`, "held takes a duration"},
		{`{"console_idle": "7d", "console_life": "1d"}`, "longer than console_life"},
	} {
		var l Limits
		if err := json.Unmarshal([]byte(c.text), &l); err != nil {
			t.Fatal(err)
		}
		if err := l.check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.text, err)
		}
	}
}
