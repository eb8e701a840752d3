package identity

import (
	"net/http"
	"net/url"
	"testing"
	"time"
)

// said is an answer to a login, as a table has it.
type said struct {
	status   int
	cookies  []string
	location string
	kind     string
	body     string
	encoding string
}

func (s said) exchange(carried map[string]string, rules ...Success) exchange {
	h := http.Header{}
	for _, c := range s.cookies {
		h.Add("Set-Cookie", c)
	}
	if s.location != "" {
		h.Set("Location", s.location)
	}
	if s.kind != "" {
		h.Set("Content-Type", s.kind)
	}
	if s.encoding != "" {
		h.Set("Content-Encoding", s.encoding)
	}
	asked, _ := url.Parse("http://shop.example/login")
	return exchange{
		login: parseTarget("/login"), asked: asked, carried: carried, rules: rules, status: s.status, header: h, body: []byte(s.body), now: time.Now(),
		isSession: func(c setCookie) bool { return c.httpOnly || wellKnown(foldName(c.name)) },
	}
}

const formPage = `<html><form><input name="user"><INPUT class=x type='password' name=p></form>`

func TestASignInIsFoundOut(t *testing.T) {
	with := map[string]string{"sid": "old"}
	set := []string{"sid=new; Path=/; HttpOnly"}
	same := []string{"sid=old; Path=/; HttpOnly"}
	for _, c := range []struct {
		name    string
		said    said
		carried map[string]string
		want    proof
	}{
		{"a new session and away from the login", said{status: 302, cookies: set, location: "/home"}, with, proofSigned},
		{"the first session and away from the login", said{status: 302, cookies: set, location: "/home"}, nil, proofSigned},
		{"a new session and a page that is no form", said{status: 200, cookies: set, kind: "text/html", body: "<h1>Welcome</h1>"}, with, proofSigned},
		{"a new session and JSON", said{status: 200, cookies: set, kind: "application/json", body: `{"ok":true}`}, with, proofSigned},
		{"a token in the JSON", said{status: 200, kind: "application/json; charset=utf-8", body: `{"access_token":"abcdefghijklmnop"}`}, nil, proofSigned},
		{"a token one floor down", said{status: 200, kind: "application/json", body: `{"data":{"token":"abcdefghijklmnop"}}`}, nil, proofSigned},

		{"401", said{status: 401, cookies: set}, with, proofFailed},
		{"403 and the session deleted (DokuWiki)", said{status: 403, cookies: []string{"DWabc=deleted; HttpOnly"}}, with, proofFailed},
		{"422", said{status: 422}, with, proofFailed},
		{"429: too many tries", said{status: 429}, with, proofFailed},
		{"the session deleted, though it leads on", said{status: 302, cookies: []string{"DWabc=deleted; HttpOnly"}, location: "/start"}, with, proofFailed},
		{"the session expired", said{status: 302, cookies: []string{"sid=x; HttpOnly; Expires=Thu, 01 Jan 1970 00:00:00 GMT"}, location: "/home"}, with, proofFailed},
		{"the session aged to nothing", said{status: 302, cookies: []string{"sid=x; HttpOnly; Max-Age=0"}, location: "/home"}, with, proofFailed},
		{"back to the login", said{status: 302, location: "/login"}, with, proofFailed},
		{"back to the login with a reason", said{status: 303, location: "/login?error=1"}, with, proofFailed},
		{"back to the login, spelt otherwise", said{status: 302, location: "http://shop.example/Login/"}, with, proofFailed},
		{"to a page of errors", said{status: 302, location: "/index.php?msg=login_failed"}, with, proofFailed},
		{"to nowhere", said{status: 302}, with, proofFailed},
		{"the form again", said{status: 200, kind: "text/html", body: formPage}, with, proofFailed},
		{"the form again and the session rotated", said{status: 200, cookies: set, kind: "text/html", body: formPage}, with, proofFailed},
		{"JSON that says so", said{status: 200, kind: "application/json", body: `{"success":false}`}, with, proofFailed},
		{"JSON with an error", said{status: 200, cookies: set, kind: "application/json", body: `{"error":"invalid_grant"}`}, with, proofFailed},
		{"no session was there and none came", said{status: 302, location: "/home"}, nil, proofFailed},

		{"Adminer: a session, and the same address again", said{status: 302, cookies: set, location: "/login?server=&username=ann"}, with, proofNone},
		{"rotated at each step, and back to the login", said{status: 302, cookies: set, location: "/login"}, with, proofNone},
		{"a session, and an address that speaks of errors", said{status: 302, cookies: set, location: "/x?error=1"}, nil, proofNone},
		{"the same session and away", said{status: 302, location: "/home"}, with, proofNone},
		{"the same session set again and away", said{status: 302, cookies: same, location: "/home"}, with, proofNone},
		{"an empty answer with a session", said{status: 200, cookies: set}, with, proofNone},
		{"204 with a session", said{status: 204, cookies: set}, with, proofNone},
		{"one session set, another cleared", said{status: 302, cookies: []string{"sid=new; HttpOnly", "old_session=; HttpOnly"}, location: "/home"}, with, proofNone},
		{"a page that cannot be read", said{status: 200, cookies: set, kind: "text/html", body: "\x1f\x8b", encoding: "gzip"}, with, proofNone},
		{"a page that leads back", said{status: 200, cookies: set, kind: "text/html", body: `wrong. <a href="/login">again</a>`}, with, proofNone},
		{"a short token is none", said{status: 200, kind: "application/json", body: `{"token":"x"}`}, with, proofNone},

		{"500", said{status: 500, cookies: set}, with, proofBroken},
		{"502", said{status: 502}, with, proofBroken},
		{"nothing", said{}, with, proofBroken},
	} {
		if got := judge(c.said.exchange(c.carried)); got.proof != c.want {
			t.Errorf("%s: %v (%s), want %v", c.name, got.proof, got.reason, c.want)
		}
	}
}

func TestWhatIsConfiguredSaysItAlone(t *testing.T) {
	for _, c := range []struct {
		name  string
		rules []Success
		said  said
		want  proof
	}{
		{"the status", []Success{{"status", []string{"204", "302"}}}, said{status: 302}, proofSigned},
		{"a class of status", []Success{{"status", []string{"2xx"}}}, said{status: 201}, proofSigned},
		{"another status", []Success{{"status", []string{"302"}}}, said{status: 200}, proofFailed},
		{"a cookie by pattern (DokuWiki)", []Success{{"cookie", []string{"DW*"}}}, said{status: 302, cookies: []string{"DW68700bfd=abc"}}, proofSigned},
		{"the cookie deleted", []Success{{"cookie", []string{"DW*"}}}, said{status: 302, cookies: []string{"DW68700bfd=deleted"}}, proofFailed},
		{"set, then deleted", []Success{{"cookie", []string{"DW*"}}}, said{status: 302, cookies: []string{"DWa=1", "DWa=deleted"}}, proofFailed},
		{"no such cookie", []Success{{"cookie", []string{"DW*"}}}, said{status: 302, cookies: []string{"sid=1"}}, proofFailed},
		{"the location", []Success{{"location", []string{"/home*"}}}, said{status: 302, location: "http://shop.example/home?x=1"}, proofSigned},
		{"the location with its query", []Success{{"location", []string{"/?in=*"}}}, said{status: 302, location: "/?in=1"}, proofSigned},
		{"another location", []Success{{"location", []string{"/home"}}}, said{status: 302, location: "/login"}, proofFailed},
		{"a location without redirect", []Success{{"location", []string{"/home"}}}, said{status: 200, location: "/home"}, proofFailed},
		{"a member of the JSON", []Success{{"json", []string{"user.id"}}}, said{status: 200, kind: "application/json", body: `{"user":{"id":7}}`}, proofSigned},
		{"a member that is null", []Success{{"json", []string{"user"}}}, said{status: 200, kind: "application/json", body: `{"user":null}`}, proofFailed},
		{"a member with its value", []Success{{"json", []string{"state", "in"}}}, said{status: 200, kind: "application/json", body: `{"state":"in"}`}, proofSigned},
		{"a member with another", []Success{{"json", []string{"state", "in"}}}, said{status: 200, kind: "application/json", body: `{"state":"out"}`}, proofFailed},
		{"all must hold", []Success{{"status", []string{"302"}}, {"cookie", []string{"sid"}}}, said{status: 302}, proofFailed},
		{"but not against a server's error", []Success{{"status", []string{"5xx"}}}, said{status: 500}, proofBroken},
		{"whoami alone leaves it to be found out", []Success{{Kind: "whoami"}}, said{status: 401}, proofFailed},
	} {
		if got := judge(c.said.exchange(nil, c.rules...)); got.proof != c.want {
			t.Errorf("%s: %v (%s), want %v", c.name, got.proof, got.reason, c.want)
		}
	}
}
