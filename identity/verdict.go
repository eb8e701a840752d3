package identity

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// proof is what an answer shows of a sign-in.
type proof uint8

const (
	// proofNone: it does not tell.
	proofNone proof = iota
	// proofFailed: the backend said no.
	proofFailed
	// proofSigned: somebody signed in.
	proofSigned
	// proofBroken: the backend failed (5xx, nothing): it may have signed in.
	proofBroken
	// proofHalf: the password was right, and a second step is asked for.
	proofHalf
)

// finding is a proof with its reason; the reason holds nothing typed.
type finding struct {
	proof  proof
	reason string
	// token is what a script is to sign its requests with; empty for cookies.
	token string
}

// exchange is a login and its answer, as judging sees them.
type exchange struct {
	// login is the login's own place; asked the address that was posted to.
	login target
	asked *url.URL
	// referer is where the browser says that it came from.
	referer string
	// fields are the folded names of the form.
	fields []string
	// carried are the session values the request bore, by folded name.
	carried map[string]string
	// isSession tells a session among the cookies set.
	isSession func(c setCookie) bool
	tokenPath string
	rules     []Success
	// second are the places of a second step; atSecond says that this is one.
	second   []target
	atSecond bool

	status int
	header http.Header
	body   []byte
	now    time.Time
}

// judge tells whether an answer shows a sign-in. What is configured says it
// alone; else it is found out: no error status, a session set or changed or
// a token in the JSON, none cleared, no way back to the login.
//
// It never follows the answer's Location: an unapproved person chose it.
func judge(x exchange) finding {
	if x.status == 0 || x.status >= 500 {
		return finding{proofBroken, "the backend failed with " + strconv.Itoa(x.status), ""}
	}
	if x.leadsToSecond() {
		return finding{proofHalf, "it leads to the second step", ""}
	}
	if x.atSecond && x.leadsBack() {
		// Whatever a rule says: the backend has forgotten who is to pass it.
		return finding{proofFailed, "it leads back to the login", ""}
	}
	own, page := 0, false
	for _, rule := range x.rules {
		if rule.Kind == "whoami" || rule.Kind == "page" {
			page = page || rule.Kind == "page"
			continue
		}
		own++
		if !x.holds(rule) {
			return finding{proofFailed, "success " + rule.Kind + " does not hold", ""}
		}
	}
	if own > 0 {
		return finding{proofSigned, "success " + x.rules[0].Kind + " holds", x.token()}
	}
	if page && x.status < 400 {
		return finding{proofNone, "the page tells", x.token()}
	}
	return x.findOut()
}

func (x exchange) findOut() finding {
	if x.status >= 400 {
		return finding{proofFailed, "status " + strconv.Itoa(x.status), ""}
	}
	set, changed, cleared := x.sessions()
	back := x.leadsBack()
	document := x.json()
	token := x.token()
	switch {
	case cleared && !set:
		return finding{proofFailed, "the session was cleared", ""}
	case document != nil && saysNo(document):
		return finding{proofFailed, "the JSON says no", ""}
	case token != "" && x.status < 300:
		return finding{proofSigned, "a token in the JSON", token}
	case back && !set:
		return finding{proofFailed, "it leads back to the login", ""}
	case back:
		return finding{proofNone, "a session was set, and it leads back to the login", ""}
	case x.formAgain():
		return finding{proofFailed, "the form came again", ""}
	case cleared:
		return finding{proofNone, "one session was set, another cleared", ""}
	case !set && len(x.carried) == 0:
		return finding{proofFailed, "no session was there, and none was set", ""}
	case !set || !changed:
		return finding{proofNone, "the session did not change", ""}
	case x.leadsWhereItCame():
		return finding{proofNone, "it leads where the browser says it came from", ""}
	case x.status >= 300:
		return finding{proofSigned, "a session was set, and it leads elsewhere", ""}
	case document != nil:
		return finding{proofSigned, "a session was set, and the JSON does not say no", ""}
	case len(x.body) == 0:
		return finding{proofNone, "the answer is empty", ""}
	case !x.readable():
		return finding{proofNone, "the answer cannot be read", ""}
	case x.linksBack():
		return finding{proofNone, "the page links back to the login", ""}
	}
	return finding{proofSigned, "a session was set, and the page is no form", ""}
}

// sessions tells whether sessions were set, changed and cleared. Of several
// lines for one cookie the last counts, as browsers have it.
func (x exchange) sessions() (set, changed, cleared bool) {
	last := map[string]setCookie{}
	for _, line := range x.header.Values("Set-Cookie") {
		c := parseSetCookie(line, x.now)
		if !OurCookie(c.name) && x.isSession(c) {
			last[foldName(c.name)+";"+c.path] = c
		}
	}
	for _, c := range last {
		if c.cleared {
			cleared = true
			continue
		}
		set = true
		if old, ok := x.carried[foldName(c.name)]; !ok || old != c.value {
			changed = true
		}
	}
	return set, changed, cleared
}

// judgeBasic judges an answer to basic authentication of the backend's own:
// there is no form and no session, a wrong password is an error. The whole
// credential is the token.
func judgeBasic(status int, credential string) finding {
	switch {
	case status >= 500:
		return finding{proofBroken, "the backend failed with " + strconv.Itoa(status), ""}
	case status >= 400:
		return finding{proofFailed, "status " + strconv.Itoa(status), ""}
	}
	return finding{proofSigned, "basic authentication was not refused", credential}
}

// failureWords are those that an address shows after a refusal.
var failureWords = regexp.MustCompile(`(?i)(error|fail|invalid|denied|incorrect|wrong|unauthori[sz]ed|bad_?cred|echec|erreur|fehler)`)

// leadsBack reports whether the answer redirects to the login, or to an
// address that speaks of an error.
func (x exchange) leadsBack() bool {
	if x.status < 300 || x.status > 399 {
		return false
	}
	location := x.header.Get("Location")
	if location == "" {
		return true // a redirect to nowhere is no welcome
	}
	to, err := x.asked.Parse(location)
	if err != nil {
		return true
	}
	if x.login.loosely(to.Path) || parseTarget(x.asked.Path).loosely(to.Path) {
		return true
	}
	return failureWords.MatchString(to.RawQuery) || failureWords.MatchString(to.Path) || failureWords.MatchString(to.Fragment)
}

func (x exchange) html() bool {
	kind := strings.ToLower(x.header.Get("Content-Type"))
	return strings.Contains(kind, "html") || (kind == "" && strings.Contains(string(x.body[:min(len(x.body), 512)]), "<"))
}

// readable reports whether the body is text as it stands.
func (x exchange) readable() bool {
	encoding := strings.ToLower(x.header.Get("Content-Encoding"))
	return encoding == "" || encoding == "identity"
}

var (
	passwordInput = regexp.MustCompile(`(?i)<input\b[^>]*\btype\s*=\s*["']?password`)
	refresh       = regexp.MustCompile(`(?i)<meta\b[^>]*\bhttp-equiv\s*=\s*["']?refresh`)
)

// formAgain reports whether the page asks for a password again.
func (x exchange) formAgain() bool {
	return x.status < 300 && x.html() && x.readable() && passwordInput.Match(x.body)
}

// linksBack reports whether a page leads to the login.
func (x exchange) linksBack() bool {
	if !x.html() {
		return false
	}
	text := string(x.body)
	return strings.Contains(text, `"`+x.login.path) || strings.Contains(text, `'`+x.login.path) ||
		strings.Contains(text, "="+x.login.path) || (refresh.MatchString(text) && strings.Contains(text, x.login.path))
}

// json returns the answer's document, nil where it is none.
func (x exchange) json() any {
	if !x.readable() || !strings.Contains(strings.ToLower(x.header.Get("Content-Type")), "json") {
		return nil
	}
	var v any
	if json.Unmarshal(x.body, &v) != nil {
		return nil
	}
	return v
}

// saysNo reports whether a JSON document speaks of a refusal.
func saysNo(v any) bool {
	m, ok := v.(map[string]any)
	if !ok {
		return false
	}
	for _, name := range []string{"error", "errors", "err", "error_code", "errorCode"} {
		switch e := m[name].(type) {
		case nil:
		case bool:
			if e {
				return true
			}
		case string:
			if e != "" && e != "0" {
				return true
			}
		case float64:
			if e != 0 {
				return true
			}
		case []any:
			if len(e) > 0 {
				return true
			}
		case map[string]any:
			if len(e) > 0 {
				return true
			}
		}
	}
	for _, name := range []string{"success", "ok", "authenticated", "logged_in", "loggedIn", "valid", "result"} {
		if b, ok := m[name].(bool); ok && !b {
			return true
		}
	}
	if s, ok := m["status"].(string); ok {
		switch strings.ToLower(s) {
		case "error", "fail", "failed", "failure", "denied", "unauthorized", "ko", "nok":
			return true
		}
	}
	if n, ok := m["status"].(float64); ok && n >= 400 {
		return true
	}
	return false
}

// tokenPaths are where tokens are looked for when no path is configured.
var tokenPaths = []string{
	"access_token", "accessToken", "token", "id_token", "idToken", "jwt", "auth_token", "authToken", "session_token", "sessionToken",
	"data.access_token", "data.accessToken", "data.token", "data.jwt", "result.token", "user.token", "authentication.token",
}

// token returns the bearer token in a JSON answer.
func (x exchange) token() string {
	document := x.json()
	if document == nil {
		return ""
	}
	if x.tokenPath != "" {
		s, _ := member(document, x.tokenPath).(string)
		return s
	}
	for _, path := range tokenPaths {
		if s, ok := member(document, path).(string); ok && len(s) >= 16 {
			return s
		}
	}
	return ""
}

// member returns what stands under a dotted path in a JSON document; nil
// where there is nothing. A number is an index into an array.
func member(v any, path string) any {
	for path != "" && v != nil {
		var name string
		name, path, _ = strings.Cut(path, ".")
		switch at := v.(type) {
		case map[string]any:
			v = at[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(at) {
				return nil
			}
			v = at[i]
		default:
			return nil
		}
	}
	return v
}

// holds reports whether a configured rule holds.
func (x exchange) holds(rule Success) bool {
	switch rule.Kind {
	case "status":
		code := strconv.Itoa(x.status)
		for _, want := range rule.Args {
			if want == code || (len(want) == 3 && strings.HasSuffix(strings.ToLower(want), "xx") && want[0] == code[0]) {
				return true
			}
		}
	case "cookie":
		held := false
		for _, line := range x.header.Values("Set-Cookie") {
			c := parseSetCookie(line, x.now)
			for _, want := range rule.Args {
				if glob(foldPattern(want), foldName(c.name)) {
					if c.cleared {
						held = false
						continue
					}
					held = true
				}
			}
		}
		return held
	case "location":
		if x.status < 300 || x.status > 399 {
			return false
		}
		to, err := x.asked.Parse(x.header.Get("Location"))
		if err != nil {
			return false
		}
		for _, want := range rule.Args {
			if strings.Contains(want, "?") {
				if glob(want, to.RequestURI()) {
					return true
				}
			} else if glob(want, to.EscapedPath()) {
				return true
			}
		}
	case "json":
		if x.status >= 400 || len(rule.Args) == 0 {
			return false
		}
		return saysYes(member(x.json(), rule.Args[0]), rule.Args[1:])
	}
	return false
}

// saysYes compares a JSON value with those wanted; with none it must say
// something.
func saysYes(v any, want []string) bool {
	var text string
	switch t := v.(type) {
	case nil:
		return false
	case bool:
		text = strconv.FormatBool(t)
		if len(want) == 0 {
			return t
		}
	case string:
		text = t
		if len(want) == 0 {
			return t != ""
		}
	case float64:
		text = strconv.FormatFloat(t, 'f', -1, 64)
		if len(want) == 0 {
			return t != 0
		}
	case []any:
		return len(want) == 0 && len(t) > 0
	case map[string]any:
		return len(want) == 0 && len(t) > 0
	}
	return slices.Contains(want, text)
}
