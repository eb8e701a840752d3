package identity

import "strings"

// WordsError says what is wrong with the words of a login block that somebody
// typed. Code and What are for pages in other languages.
type WordsError struct {
	// Code is one of: path_missing, too_many, too_long, unwritable, no_path,
	// success_empty, success_page, success_page_path, success_whoami,
	// success_unknown, whoami.
	Code string
	// What is the word at fault, or a number; empty where the code says it all.
	What string

	text string
}

// Error implements error.
func (e *WordsError) Error() string { return e.text }

// Untaught says why a padlock must not be closed yet: a right password cannot
// be told from a wrong one, so nobody could come in.
type Untaught struct{ text string }

// Error implements error.
func (e *Untaught) Error() string { return e.text }

// Why is the reason of a judgement as a code, for pages in other languages,
// with what it is about (a status, a rule, a path); empty where the reason is
// not one of ours.
func (t *Tried) Why() (code, what string) {
	reason, _, _ := strings.Cut(t.Reason, "; ")
	if code, ok := whys[reason]; ok {
		return code, ""
	}
	for _, w := range whysAbout {
		if rest, ok := strings.CutPrefix(reason, w.before); ok {
			if what, ok := strings.CutSuffix(rest, w.after); ok && what != "" {
				return w.code, what
			}
		}
	}
	return "", ""
}

// whysAbout are the reasons that name something.
var whysAbout = []struct{ before, after, code string }{
	{"the backend failed with ", "", "broken"},
	{"status ", "", "status"},
	{"success ", " does not hold", "rule_not"},
	{"success ", " holds", "rule"},
	{"the sign-in was not sent to ", "", "elsewhere"},
}

var whys = map[string]string{
	"whoami did not answer":                                       "whoami_silent",
	"whoami names nobody":                                         "whoami_nobody",
	"whoami did not tell who was in before":                       "whoami_silent",
	"whoami names the one whose session was copied here":          "before",
	"whoami names the one who was in before":                      "before",
	"somebody was in before, so the page tells nothing":           "before",
	"a second step is asked for, but somebody else was in before": "before",
	"the page did not answer":                                     "page_silent",
	"the page failed":                                             "page_silent",
	"the page is not shown":                                       "page_not",
	"the page is shown":                                           "page",
	"the page leads to the second step":                           "second",
	"it leads to the second step":                                 "second",
	"the page tells":                                              "page_silent",
	"it leads back to the login":                                  "back",
	"a session was set, and it leads back to the login":           "back_session",
	"the session was cleared":                                     "cleared",
	"one session was set, another cleared":                        "mixed",
	"the JSON says no":                                            "json_no",
	"a token in the JSON":                                         "token",
	"the form came again":                                         "form",
	"no session was there, and none was set":                      "no_session",
	"the session did not change":                                  "same_session",
	"it leads where the browser says it came from":                "came_from",
	"a session was set, and it leads elsewhere":                   "session",
	"a session was set, and the JSON does not say no":             "session",
	"a session was set, and the page is no form":                  "session",
	"the answer is empty":                                         "empty",
	"the answer cannot be read":                                   "unreadable",
	"the page links back to the login":                            "links_back",
	"basic authentication was not refused":                        "basic",
	"the user's name was not in the field that is named":          "field",
	"what the sign-in carried could not be read":                  "carried",
}
