package sms

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cadenas-gateway/cadenas/approvals"
)

const (
	sid   = "AC00000000000000000000000000000001"
	token = "0123456789abcdef0123456789abcdef"
)

// twilio stands in for Twilio's messages resource as its documentation has it:
// the path, basic authentication, the form, 201 with the whole resource, and
// errors in their shape. Numbers that end in a code of four digits after 999
// are answered with that error, like Twilio's own magic numbers.
type twilio struct {
	*httptest.Server
	mu     sync.Mutex
	sent   []url.Values
	status int
	header http.Header
	body   string
}

func startTwilio(t *testing.T) *twilio {
	t.Helper()
	s := &twilio{}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *twilio) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if s.status != 0 {
		for k, v := range s.header {
			w.Header()[k] = v
		}
		w.WriteHeader(s.status)
		_, _ = w.Write([]byte(s.body))
		return
	}
	user, password, ok := r.BasicAuth()
	if !ok || user != sid || password != token {
		s.error(w, http.StatusUnauthorized, 20003, "Authenticate")
		return
	}
	if r.Method != http.MethodPost || r.URL.Path != "/2010-04-01/Accounts/"+sid+"/Messages.json" {
		s.error(w, http.StatusNotFound, 20404, "The requested resource "+r.URL.Path+" was not found")
		return
	}
	if r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.ParseForm() != nil {
		s.error(w, http.StatusBadRequest, 20001, "Unknown parameters")
		return
	}
	f := r.PostForm
	to := f.Get("To")
	switch {
	case to == "":
		s.error(w, http.StatusBadRequest, 21604, "A 'To' phone number is required.")
		return
	case f.Get("Body") == "":
		s.error(w, http.StatusBadRequest, 21602, "Message body is required.")
		return
	case f.Get("From") == "" && f.Get("MessagingServiceSid") == "":
		s.error(w, http.StatusBadRequest, 21603, "A 'From' phone number is required.")
		return
	case strings.HasPrefix(to, "+1514555999"):
		s.error(w, http.StatusBadRequest, 21211, fmt.Sprintf("The 'To' number %s is not a valid phone number.", to))
		return
	case strings.HasPrefix(to, "+1514555998"):
		s.error(w, http.StatusBadRequest, 21610, "Attempt to send to unsubscribed recipient")
		return
	}
	s.sent = append(s.sent, f)
	gsm, segments := Segments(f.Get("Body"))
	_ = gsm
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"sid": "SM00000000000000000000000000000001", "account_sid": sid, "api_version": "2010-04-01", "body": f.Get("Body"),
		"from": f.Get("From"), "to": to, "status": "queued", "direction": "outbound-api", "num_segments": fmt.Sprint(segments),
		"num_media": "0", "price": nil, "price_unit": "USD", "error_code": nil, "error_message": nil, "messaging_service_sid": nil,
		"date_created": "Fri, 20 Nov 2026 14:00:00 +0000", "date_sent": nil, "date_updated": "Fri, 20 Nov 2026 14:00:00 +0000",
		"uri": r.URL.Path, "subresource_uris": map[string]string{"media": "/media.json"},
	})
}

func (s *twilio) error(w http.ResponseWriter, status, code int, message string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"code": code, "message": message, "more_info": fmt.Sprintf("https://www.twilio.com/docs/errors/%d", code), "status": status,
	})
}

func (s *twilio) gateway(t *testing.T, change func(*TwilioConfig)) *Twilio {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	c := TwilioConfig{SID: sid, Token: token, From: "+14385550111", URL: s.URL, RootCAs: roots}
	if change != nil {
		change(&c)
	}
	g, err := NewTwilio(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestATextGoesOutThroughTwilio(t *testing.T) {
	s := startTwilio(t)
	if err := New(s.gateway(t, nil)).Notify(t.Context(), notice("en")); err != nil {
		t.Fatal(err)
	}
	if len(s.sent) != 1 || s.sent[0].Get("To") != "+15145550100" || s.sent[0].Get("From") != "+14385550111" {
		t.Fatalf("%v", s.sent)
	}
	if body := s.sent[0].Get("Body"); !strings.Contains(body, "Julie") || !strings.Contains(body, "https://gate.example.com/decide/") {
		t.Errorf("%q", body)
	}
	if err := s.gateway(t, func(c *TwilioConfig) { c.From = "MG00000000000000000000000000000001" }).Send(t.Context(), "+15145550100", "x"); err != nil {
		t.Fatal(err)
	}
	if f := s.sent[1]; f.Get("MessagingServiceSid") == "" || f.Get("From") != "" {
		t.Errorf("%v", f)
	}
}

func TestWhatTwilioSaysDecidesWhetherToTryAgain(t *testing.T) {
	const accountError = `{"code":%d,"message":"%s","more_info":"https://www.twilio.com/docs/errors/x","status":%d}`
	for _, c := range []struct {
		name, to  string
		status    int
		header    http.Header
		body      string
		change    func(*TwilioConfig)
		permanent bool
		after     time.Duration
		words     string
	}{
		{name: "a number that is none is final", to: "+15145559991", permanent: true, words: "21211: the number is not valid"},
		{name: "who opted out gets no more", to: "+15145559981", permanent: true, words: "21610: the recipient opted out"},
		{name: "a landline is final", status: 400, body: fmt.Sprintf(accountError, 21614, "not a mobile number", 400), permanent: true, words: "21614"},
		{name: "too many says when", status: 429, header: http.Header{"Retry-After": {"90"}}, body: fmt.Sprintf(accountError, 20429, "Too Many Requests", 429), after: 90 * time.Second, words: "20429"},
		{name: "too many without a word", status: 429, body: fmt.Sprintf(accountError, 20429, "Too Many Requests", 429), words: "20429"},
		{name: "a wrong token can be mended", change: func(c *TwilioConfig) { c.Token = "wrong" }, after: accountPause, words: "token is wrong"},
		{name: "a suspended account can be mended", status: 403, body: fmt.Sprintf(accountError, 30002, "Account suspended", 403), after: accountPause, words: "account is suspended"},
		{name: "an account that is not active can be mended", status: 401, body: fmt.Sprintf(accountError, 20005, "Account not active", 401), after: accountPause, words: "account is suspended"},
		{name: "an overloaded Twilio is tried again", status: 503, header: http.Header{"Retry-After": {"7"}}, body: "<html>", after: 7 * time.Second, words: "503"},
		{name: "an answer nobody understands", status: 500, body: "oops", words: "500"},
		{name: "a redirect is no success", status: 302, header: http.Header{"Location": {"https://elsewhere.example"}}, body: "{}", words: "302"},
		{name: "a message that failed at once", status: 201, body: `{"sid":"SM1","status":"failed","error_code":30006,"error_message":"Landline or unreachable carrier"}`, permanent: true, words: "30006"},
		{name: "a certificate of nobody's gets nothing", change: func(c *TwilioConfig) { c.RootCAs = x509.NewCertPool() }, words: "could not be reached"},
		{name: "a server that is not there", change: func(c *TwilioConfig) { c.URL = "https://127.0.0.1:1" }, words: "could not be reached"},
	} {
		s := startTwilio(t)
		s.status, s.header, s.body = c.status, c.header, c.body
		to := c.to
		if to == "" {
			to = "+15145550100"
		}
		err := s.gateway(t, c.change).Send(t.Context(), to, "text")
		var later *approvals.LaterError
		after := time.Duration(0)
		if errors.As(err, &later) {
			after = later.After
		}
		if err == nil || approvals.IsPermanent(err) != c.permanent || after != c.after || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v (permanent %v, after %s)", c.name, err, approvals.IsPermanent(err), after)
		}
		if err != nil && (strings.Contains(err.Error(), token) || strings.Contains(err.Error(), sid)) {
			t.Errorf("%s: the account is in the error: %v", c.name, err)
		}
		if len(s.sent) != 0 {
			t.Errorf("%s: something was sent", c.name)
		}
	}
}

func TestTheContextEndsASend(t *testing.T) {
	hang := make(chan struct{})
	s := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	defer s.Close()
	defer close(hang)
	g := (&twilio{Server: s}).gateway(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := g.Send(ctx, "+15145550100", "x"); err == nil || approvals.IsPermanent(err) || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

func TestATwilioConfigurationThatCannotWorkIsRefused(t *testing.T) {
	for name, c := range map[string]TwilioConfig{
		"no account":                 {Token: token, From: "+14385550111"},
		"a SID that is none":         {SID: "SK1", Token: token, From: "+14385550111"},
		"no token":                   {SID: sid, From: "+14385550111"},
		"no sender":                  {SID: sid, Token: token},
		"a sender that is no number": {SID: sid, Token: token, From: "+1"},
	} {
		if _, err := NewTwilio(c); err == nil {
			t.Error(name)
		}
	}
}
