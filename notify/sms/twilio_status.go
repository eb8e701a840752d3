package sms

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/twilio/twilio-go/client"

	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/notify/wire"
)

var _ Teller = (*Twilio)(nil)

// reportLimit is how much of a report is read, in bytes; Twilio's have less
// than one thousand.
const reportLimit = 16 << 10

// statusAddress checks where Twilio is to say what became of a text; without a
// path it is ours.
func statusAddress(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || (u.Scheme != "https" && u.Scheme != "http") {
		return "", fmt.Errorf("notify sms twilio: status %q: use an address that Twilio reaches, https://gate.example.com", text)
	}
	if u.Scheme == "http" && !wire.Loopback(u.Hostname()) {
		return "", fmt.Errorf("notify sms twilio: status %s: use https", u.Host)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = ReportPath
	}
	return u.String(), nil
}

// Tells reports whether `status` is configured.
func (t *Twilio) Tells() bool { return t.conf.Status != "" }

// SendTold is Send, with an address to which Twilio posts each state of the
// text.
func (t *Twilio) SendTold(ctx context.Context, to, text, mark string) error {
	return t.send(ctx, to, text, t.statusURL(mark))
}

func (t *Twilio) statusURL(mark string) string {
	return t.conf.Status + "?" + url.Values{"notice": {mark}}.Encode()
}

// ReadReport reads a status callback:
// https://www.twilio.com/docs/messaging/guides/track-outbound-message-status.
// What is signed is the address as we gave it to Twilio, and not the one that
// the request names: a proxy in between may change that, and a stranger too.
func (t *Twilio) ReadReport(r *http.Request) (Report, error) {
	if r.Method != http.MethodPost {
		return Report{}, ErrForged
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, reportLimit))
	if err != nil {
		return Report{}, fmt.Errorf("reading twilio's report: %w", err)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return Report{}, ErrForged
	}
	params := make(map[string]string, len(form))
	for name, values := range form {
		if len(values) != 1 {
			return Report{}, ErrForged // only the first would be signed
		}
		params[name] = values[0]
	}
	mark := r.URL.Query().Get("notice")
	validator := client.NewRequestValidator(t.conf.Token)
	if !validator.Validate(t.statusURL(mark), params, r.Header.Get("X-Twilio-Signature")) || params["AccountSid"] != t.conf.SID {
		return Report{}, ErrForged
	}
	report := Report{Mark: mark}
	switch params["MessageStatus"] {
	case "delivered", "read":
		report.Arrived = true
	case "undelivered", "failed":
		report.Lost = lost(params["ErrorCode"])
	}
	return report, nil
}

// lost says in words why a text did not arrive.
func lost(code string) error {
	n, err := strconv.Atoi(code)
	if err != nil {
		return errors.New("twilio: the text did not arrive, and nobody says why")
	}
	words := "the text did not arrive"
	if said, ok := twilioFinal[n]; ok {
		words = said
	} else if said, ok := twilioAccount[n]; ok {
		words = said
	}
	return approvals.Permanent("twilio %d: %s", n, lang.Inert(words, 160))
}
