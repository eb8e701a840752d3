package e2e

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what Twilio signs with
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Twilio stands in for Twilio's messages resource: it checks the path, the
// account and the form, and answers in the published shapes. It is the one
// part here that is not the real one, which costs money and a telephone.
type Twilio struct {
	// URL, SID and Token are for `notify sms twilio`.
	URL, SID, Token string

	mu   sync.Mutex
	sent []url.Values
	// fail is a code of Twilio's that every text is answered with; 0 for none.
	fail int
}

// StartTwilio starts it with a certificate of the authority.
func StartTwilio(t testing.TB, ca *Authority) *Twilio {
	t.Helper()
	s := &Twilio{SID: "AC00000000000000000000000000000001", Token: "0123456789abcdef0123456789abcdef"}
	s.URL = serveTLS(t, ca, s)
	return s
}

// serveTLS serves a handler on loopback until the test ends.
func serveTLS(t testing.TB, ca *Authority, h http.Handler) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h, TLSConfig: ca.Server(), ReadHeaderTimeout: patience}
	go func() { _ = server.ServeTLS(listener, "", "") }() // ends with Close
	t.Cleanup(func() { _ = server.Close() })
	return "https://" + listener.Addr().String()
}

// Fail answers every text with an error of Twilio's from now on; 0 for none.
func (s *Twilio) Fail(code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = code
}

// Texts are what was taken for a number so far.
func (s *Twilio) Texts(to string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, f := range s.sent {
		if f.Get("To") == to {
			list = append(list, f.Get("Body"))
		}
	}
	return list
}

// Await returns the first text to a number after the first skip ones.
func (s *Twilio) Await(t testing.TB, to string, skip int) string {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(poll) {
		if list := s.Texts(to); len(list) > skip {
			return list[skip]
		}
	}
	t.Fatalf("no text came to %s", to)
	return ""
}

// Report says what became of the newest text to a number, as Twilio does: to
// the address that came with it, signed with a token. The answer's status is
// returned; an empty token is the account's.
func (s *Twilio) Report(t testing.TB, to, status, code, token string) int {
	t.Helper()
	if token == "" {
		token = s.Token
	}
	s.mu.Lock()
	address := ""
	for _, f := range s.sent {
		if f.Get("To") == to {
			address = f.Get("StatusCallback")
		}
	}
	s.mu.Unlock()
	if address == "" {
		t.Fatalf("no text to %s asked to be told of", to)
	}
	form := url.Values{
		"AccountSid": {s.SID}, "ApiVersion": {"2010-04-01"}, "From": {"+14385550111"}, "To": {to},
		"MessageSid": {"SM00000000000000000000000000000001"}, "SmsSid": {"SM00000000000000000000000000000001"}, "MessageStatus": {status}, "SmsStatus": {status},
	}
	if code != "" {
		form.Set("ErrorCode", code)
	}
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	signed := address
	for _, name := range names {
		signed += name + form.Get(name)
	}
	mac := hmac.New(sha1.New, []byte(token))
	_, _ = mac.Write([]byte(signed)) // a hash takes all
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Twilio-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	// Twilio finds a host by its name; names under localhost are here.
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	}}}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

var sixDigits = regexp.MustCompile(`\b\d{6}\b`)

// CodeOf is the code in a text.
func CodeOf(t testing.TB, text string) string {
	t.Helper()
	code := sixDigits.FindString(text)
	if code == "" {
		t.Fatalf("no code in %q", text)
	}
	return code
}

// LinkOf is the link in a text.
func LinkOf(t testing.TB, text string) string {
	t.Helper()
	for word := range strings.FieldsSeq(text) {
		if strings.HasPrefix(word, "http") {
			return word
		}
	}
	t.Fatalf("no link in %q", text)
	return ""
}

func (s *Twilio) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	user, password, _ := r.BasicAuth()
	switch {
	case user != s.SID || password != s.Token:
		s.refuse(w, http.StatusUnauthorized, 20003, "Authenticate")
	case r.Method != http.MethodPost || r.URL.Path != "/2010-04-01/Accounts/"+s.SID+"/Messages.json":
		s.refuse(w, http.StatusNotFound, 20404, "The requested resource was not found")
	case r.ParseForm() != nil || r.PostForm.Get("To") == "" || r.PostForm.Get("Body") == "" || r.PostForm.Get("From") == "":
		s.refuse(w, http.StatusBadRequest, 21604, "A 'To' phone number is required.")
	case s.fail == 20429:
		s.refuse(w, http.StatusTooManyRequests, s.fail, "Too Many Requests")
	case s.fail != 0:
		s.refuse(w, http.StatusBadRequest, s.fail, "refused")
	default:
		s.sent = append(s.sent, r.PostForm)
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"sid": "SM00000000000000000000000000000001", "account_sid": s.SID, "api_version": "2010-04-01", "body": r.PostForm.Get("Body"),
			"from": r.PostForm.Get("From"), "to": r.PostForm.Get("To"), "status": "queued", "direction": "outbound-api",
			"num_segments": "1", "num_media": "0", "price": nil, "price_unit": "USD", "error_code": nil, "error_message": nil,
		})
	}
}

func (s *Twilio) refuse(w http.ResponseWriter, status, code int, message string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"code": code, "message": message, "more_info": fmt.Sprintf("https://www.twilio.com/docs/errors/%d", code), "status": status,
	})
}
