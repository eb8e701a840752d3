package sms

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what Twilio signs with
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/cadenas-gateway/cadenas/approvals"
)

// The example of Twilio's own libraries: what we take for
// signed is what Twilio signs.
func TestTheSignatureIsTwilios(t *testing.T) {
	published := url.Values{"CallSid": {"CA1234567890ABCDE"}, "Caller": {"+14158675309"}, "Digits": {"1234"}, "From": {"+14158675309"}, "To": {"+18005551212"}}
	if got := sign("https://mycompany.com/myapp.php?foo=1&bar=2", published, "12345"); got != "RSOYDt4T1cUTdK1PDd93/VVr8B8=" {
		t.Errorf("the published example: %s", got)
	}
	g := &Twilio{conf: TwilioConfig{SID: "AC1", Token: "12345", Status: "https://example.com/myapp.php"}}
	form := url.Values{
		"AccountSid": {"AC1"}, "MessageStatus": {"delivered"}, "MessageSid": {"SM1"}, "To": {"+18005551212"},
	}
	r := report(g, "n1 app", form, "12345")
	got, err := g.ReadReport(r)
	if err != nil || !got.Arrived || got.Mark != "n1 app" {
		t.Fatalf("%+v %v", got, err)
	}
	if app, id := got.Notice(); app != "app" || id != "n1" {
		t.Errorf("%q %q", app, id)
	}
}

// report is a status callback with a signature made by hand, and not by the
// library that checks it.
func report(g *Twilio, mark string, form url.Values, token string) *http.Request {
	address := g.statusURL(mark)
	r := httptest.NewRequest(http.MethodPost, "http://inside.example"+ReportPath+address[strings.IndexByte(address, '?'):], strings.NewReader(form.Encode()))
	r.Header.Set("X-Twilio-Signature", sign(address, form, token))
	return r
}

// sign is what Twilio's documentation says: the address, then each name and
// value by name, under HMAC-SHA1 with the account's token, in base64.
func sign(address string, form url.Values, token string) string {
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		address += name + form.Get(name)
	}
	mac := hmac.New(sha1.New, []byte(token))
	_, _ = mac.Write([]byte(address)) // a hash takes all
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func TestAReportIsBelievedOnlyWhereTwilioSignedAllOfIt(t *testing.T) {
	s := startTwilio(t)
	g := s.gateway(t, func(c *TwilioConfig) { c.Status = "https://gate.example.com" })
	if !New(g).Tells() || New(s.gateway(t, nil)).Tells() {
		t.Fatal("tells")
	}
	n := notice("en")
	if err := New(g).Notify(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	asked := s.sent[0].Get("StatusCallback")
	if want := g.statusURL(markOf(n.Application, n.ID)); asked != want || !strings.HasPrefix(asked, "https://gate.example.com"+ReportPath+"?notice=") {
		t.Fatalf("%s, not %s", asked, want)
	}
	plain := func() url.Values {
		return url.Values{"AccountSid": {sid}, "MessageStatus": {"failed"}, "ErrorCode": {"30006"}, "MessageSid": {"SM1"}}
	}
	for name, change := range map[string]func(r *http.Request) *http.Request{
		"another token": func(*http.Request) *http.Request { return report(g, "n1 app", plain(), "other") },
		"no signature": func(r *http.Request) *http.Request {
			r.Header.Del("X-Twilio-Signature")
			return r
		},
		"another account's": func(*http.Request) *http.Request {
			f := plain()
			f.Set("AccountSid", "AC00000000000000000000000000000002")
			return report(g, "n1 app", f, token)
		},
		"another notice's": func(r *http.Request) *http.Request {
			r.URL.RawQuery = "notice=n2+app"
			return r
		},
		"a second value behind the signed one": func(*http.Request) *http.Request {
			f := plain()
			signed := sign(g.statusURL("n1 app"), f, token)
			f["MessageStatus"] = []string{"failed", "delivered"}
			r := report(g, "n1 app", f, token)
			r.Header.Set("X-Twilio-Signature", signed)
			return r
		},
		"a GET": func(r *http.Request) *http.Request {
			r.Method = http.MethodGet
			return r
		},
	} {
		if got, err := New(g).ReadReport(change(report(g, "n1 app", plain(), token))); err == nil {
			t.Errorf("%s is believed: %+v", name, got)
		}
	}
}

func TestWhatTwilioReportsInWords(t *testing.T) {
	s := startTwilio(t)
	g := s.gateway(t, func(c *TwilioConfig) { c.Status = "https://gate.example.com/hooks/sms" })
	for _, c := range []struct {
		status, code string
		arrived      bool
		lost         string
	}{
		{status: "queued"},
		{status: "sent"},
		{status: "delivered", arrived: true},
		{status: "undelivered", code: "30003", lost: "twilio 30003: the handset cannot be reached"},
		{status: "failed", code: "30007", lost: "twilio 30007: the carrier took the message for spam"},
		{status: "failed", code: "30034", lost: "twilio 30034: the sender is not registered"},
		{status: "undelivered", code: "39999", lost: "twilio 39999: the text did not arrive"},
		{status: "undelivered", lost: "twilio: the text did not arrive, and nobody says why"},
	} {
		f := url.Values{"AccountSid": {sid}, "MessageStatus": {c.status}}
		if c.code != "" {
			f.Set("ErrorCode", c.code)
		}
		got, err := g.ReadReport(report(g, "n1 app", f, token))
		if err != nil || got.Arrived != c.arrived || (got.Lost == nil) != (c.lost == "") || got.Lost != nil && got.Lost.Error() != c.lost {
			t.Errorf("%s %s: %+v %v", c.status, c.code, got, err)
		}
		if got.Lost != nil && c.code != "" && !approvals.IsPermanent(got.Lost) {
			t.Errorf("%s is not final", c.code)
		}
	}
	for name, status := range map[string]string{
		"no address": "gate.example.com", "plain text over the net": "http://gate.example.com", "a query": "https://gate.example.com/x?y=1", "a password": "https://a:b@gate.example.com",
	} {
		if _, err := NewTwilio(TwilioConfig{SID: sid, Token: token, From: "+14385550111", Status: status}); err == nil {
			t.Errorf("status with %s is taken", name)
		}
	}
}
