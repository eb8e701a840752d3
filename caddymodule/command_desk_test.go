package caddymodule

import (
	"os"
	"regexp"
	"testing"
)

// browserOnly is what only a browser can do: sign in and out, be pushed to,
// prove a key it holds, show a login to learn.
var browserOnly = regexp.MustCompile(`^/(sign-in|sign-out|enter|welcome|push|passkeys?|account/passkeys|teach)(/|$)`)

// byVerb says which verb does what a form of the console does.
var byVerb = map[string]string{
	"/people": "user-add", "/people/{user}/treat": "user-treat", "/people/{user}/exempt": "user-exempt", "/people/{user}/pass": "pass",
	"/people/{user}/edit": "user-edit", "/people/{user}/remove": "user-remove",
	"/people/{user}/devices/{device}/name": "devices-name", "/people/{user}/devices/{device}/forget": "devices-forget",
	"/people/{user}/biopass/link": "biopass-link", "/people/{user}/biopass/erase": "biopass-erase", "/people/{user}/biopass/name": "biopass-rename",
	"/people/{user}/biopass/passkey/{id}/remove": "biopass-passkey-remove",
	"/account/told": "admins-edit", "/account/test": "notify-test", "/settings/backup": "backup",
	"/devices/{device}/name": "devices-name", "/devices/{device}/allow": "devices-allow", "/devices/{device}/forget": "devices-forget",
	"/columns/move": "rules-add", "/columns/undo": "rules-end", "/rules/new": "rules-add", "/rules/end": "rules-end",
	"/rules/edit":            "rules-add", // and rules-end: a rule is never changed under its identifier
	"/places/edit/{network}": "places-edit",
	"/admins/new":            "admins-add", "/admins/{email}": "admins-edit", "/admins/{email}/remove": "admins-remove",
	"/admins/{email}/passkeys/{id}/remove": "admin-passkey-remove",
	"/places":                              "places-name", "/places/remove": "places-remove",
	"/requests/{application}/{id}": "approve", "/padlock/{application}/close": "padlock-close", "/padlock/{application}/open": "padlock-open",
}

// byRoom says which verb tells what a room of the console shows.
var byRoom = map[string]string{
	"/requests": "requests", "/connections": "connections", "/connections.csv": "connections", "/connections.json": "connections",
	"/columns": "connections", "/explain": "explain", "/explain/{application}/{connection}": "explain",
	"/people": "users", "/people/{user}": "user", "/people/{user}/remove": "user-remove",
	"/people/{user}/biopass/link": "biopass-link", "/people/{user}/biopass/erase": "biopass", "/people/{user}/biopass.json": "biopass",
	"/rules": "rules", "/rules/new": "rules-try", "/rules/edit": "rules-edit", "/places": "places", "/devices": "devices",
	"/activity": "activity", "/activity.csv": "activity", "/activity.json": "activity", "/messages": "notify",
	"/admins": "admins", "/admins/new": "admins-add", "/admins/{email}": "admins", "/account": "admins", "/settings": "settings",
	"/padlock/{application}/close": "padlock-close", "/padlock/{application}/open": "padlock",
}

// noRoom is what shows nothing of what is kept: doors, files, the way around.
var noRoom = regexp.MustCompile(`^/(\{\$\}|more|manifest\.webmanifest|worker\.js)$`)

// X15. Whoever adds a room names its verb here, or adds one.
func TestWhatARoomOfTheConsoleShowsAVerbTells(t *testing.T) {
	source, err := os.ReadFile("../admin-ui/routes.go")
	if err != nil {
		t.Fatal(err)
	}
	routes := regexp.MustCompile(`"GET (/[^"]*)"`).FindAllSubmatch(source, -1)
	if len(routes) < 25 {
		t.Fatalf("%d rooms were found", len(routes))
	}
	for _, r := range routes {
		path := string(r[1])
		if browserOnly.MatchString(path) || noRoom.MatchString(path) {
			continue
		}
		verb, ok := byRoom[path]
		if !ok {
			t.Errorf("GET %s of the console has no verb: name it in byRoom", path)
		} else if verbs[verb] == nil {
			t.Errorf("GET %s: there is no verb %q", path, verb)
		}
	}
}

// X15. Whoever adds a form names its verb here, or adds one.
func TestWhatAFormOfTheConsoleDoesAVerbDoes(t *testing.T) {
	source, err := os.ReadFile("../admin-ui/routes.go")
	if err != nil {
		t.Fatal(err)
	}
	routes := regexp.MustCompile(`"POST ([^"]+)"`).FindAllSubmatch(source, -1)
	if len(routes) < 25 {
		t.Fatalf("%d forms were found", len(routes))
	}
	for _, r := range routes {
		path := string(r[1])
		if browserOnly.MatchString(path) {
			continue
		}
		verb, ok := byVerb[path]
		if !ok {
			t.Errorf("POST %s of the console has no verb: name it in byVerb", path)
		} else if verbs[verb] == nil {
			t.Errorf("POST %s: there is no verb %q", path, verb)
		}
	}
}

func TestEveryVerbOfTheCommandLineIsOneOfTheAPI(t *testing.T) {
	said := map[string]bool{}
	var walk func(list []spec)
	walk = func(list []spec) {
		for _, s := range list {
			if s.verb != "" && verbs[s.verb] == nil {
				t.Errorf("%s: the API has no verb %q", s.use, s.verb)
			}
			said[s.verb] = true
			walk(s.sub)
		}
	}
	walk(specs)
	for verb := range verbs {
		if !said[verb] && verb != "applications" {
			t.Errorf("the command line does not know the verb %q of the API", verb)
		}
	}
}
