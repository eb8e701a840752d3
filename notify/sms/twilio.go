package sms

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/twilio/twilio-go/client"
	api "github.com/twilio/twilio-go/rest/api/v2010"

	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/lang"
	"github.com/cadenas-gateway/cadenas/notify/wire"
)

// TwilioConfig is `notify sms twilio <sid> <token> <from>`.
type TwilioConfig struct {
	// SID and Token are the account's.
	SID, Token string
	// From is a number of the account, a sender's name, or a messaging service
	// ("MG...").
	From string
	// URL is where the interface is; empty means https://api.twilio.com. Tests
	// and proxies of one's own give another.
	URL string
	// Status is where Twilio says what became of a text: an address that it
	// reaches, and that leads to ReportPath of the console's handler. Empty
	// means that it is not asked to.
	Status string
	// RootCAs verify the server; nil means the system's.
	RootCAs *x509.CertPool
	// Clock reads dates in answers; nil means time.Now.
	Clock func() time.Time
}

// Twilio is the gateway of that name.
type Twilio struct {
	conf TwilioConfig
	base *url.URL
	wire http.RoundTripper
}

var _ Gateway = (*Twilio)(nil)

// NewTwilio checks a configuration. It does not connect.
func NewTwilio(c TwilioConfig) (*Twilio, error) {
	if !strings.HasPrefix(c.SID, "AC") || c.Token == "" || c.From == "" {
		return nil, errors.New("notify sms twilio: needs the account's SID (AC...), its token and the number to send from")
	}
	if c.URL == "" {
		c.URL = "https://api.twilio.com"
	}
	base, err := url.Parse(c.URL)
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("notify sms twilio: %q is no address", c.URL)
	}
	if strings.HasPrefix(c.From, "+") {
		if c.From, err = Number(c.From); err != nil {
			return nil, fmt.Errorf("notify sms twilio: from: %w", err)
		}
	}
	if c.Status, err = statusAddress(c.Status); err != nil {
		return nil, err
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return &Twilio{conf: c, base: base, wire: wire.Transport(c.RootCAs, nil)}, nil
}

// leg is one request's way: the library knows neither contexts nor another
// host, and forgets the headers of an error.
type leg struct {
	t      *Twilio
	ctx    context.Context //nolint:containedctx // the library has no parameter for it
	status int
	header http.Header
}

func (l *leg) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(l.ctx)
	r.URL.Scheme, r.URL.Host = l.t.base.Scheme, l.t.base.Host
	r.Host = l.t.base.Host
	answer, err := l.t.wire.RoundTrip(r)
	if answer != nil {
		l.status, l.header = answer.StatusCode, answer.Header
	}
	return answer, err
}

// Send hands one text to Twilio. That it took it is all there is to know.
func (t *Twilio) Send(ctx context.Context, to, text string) error { return t.send(ctx, to, text, "") }

func (t *Twilio) send(ctx context.Context, to, text, status string) error {
	ctx, cancel := context.WithTimeout(ctx, defaultTimeout)
	defer cancel()
	way := &leg{t: t, ctx: ctx}
	c := &client.Client{
		Credentials: client.NewCredentials(t.conf.SID, t.conf.Token),
		HTTPClient:  wire.Client(way),
	}
	c.SetAccountSid(t.conf.SID)
	params := &api.CreateMessageParams{}
	params.SetTo(to)
	params.SetBody(text)
	if status != "" {
		params.SetStatusCallback(status)
	}
	if strings.HasPrefix(t.conf.From, "MG") {
		params.SetMessagingServiceSid(t.conf.From)
	} else {
		params.SetFrom(t.conf.From)
	}
	message, err := api.NewApiServiceWithClient(c).CreateMessage(params)
	switch {
	case err != nil:
		return t.explain(way, err)
	case way.status != http.StatusCreated && way.status != http.StatusOK:
		return fmt.Errorf("twilio answered %d", way.status)
	case message.ErrorCode != nil && *message.ErrorCode != 0:
		said := ""
		if message.ErrorMessage != nil {
			said = *message.ErrorMessage
		}
		return t.refused(way, *message.ErrorCode, said)
	}
	return nil
}

func (t *Twilio) explain(way *leg, err error) error {
	var old *client.TwilioRestError
	var v1 *client.RestErrorV1
	switch {
	case errors.As(err, &old) && old.Code != 0:
		return t.refused(way, old.Code, old.Message)
	case errors.As(err, &v1):
		return t.refused(way, v1.Code, v1.Message)
	case way.status == 0:
		return fmt.Errorf("twilio could not be reached: %w", wire.WithoutURL(err))
	}
	return t.later(way, fmt.Errorf("twilio answered %d", way.status))
}

// twilioFinal are the errors that this number, or this text to it, will meet
// again at each try: https://www.twilio.com/docs/api/errors. The words are
// for the console.
var twilioFinal = map[int]string{
	21211: "the number is not valid",
	21214: "the number cannot be reached",
	21217: "the number is not valid",
	21219: "the number is not verified for this trial account",
	21408: "the account may not send to that country",
	21602: "the text is empty",
	21608: "the number is not verified for this trial account",
	21610: "the recipient opted out (STOP)",
	21612: "the number cannot be reached from this sender",
	21614: "the number is no mobile number",
	21617: "the text is too long",
	21635: "the number is a landline",
	30003: "the handset cannot be reached",
	30004: "the recipient's carrier blocks messages",
	30005: "the handset is unknown",
	30006: "the number is a landline or its carrier cannot be reached",
	30007: "the carrier took the message for spam",
}

// twilioAccount are those about our account: an admin can mend them, so they
// are tried again, slowly.
var twilioAccount = map[int]string{
	20003: "the SID or the token is wrong",
	20005: "the account is suspended",
	20008: "the test credentials send nothing",
	21603: "the sender is missing",
	21606: "the sender is no number of this account",
	21659: "the sender is no number of this account",
	21660: "the sender is no number of this account",
	21703: "the messaging service has no sender",
	30002: "the account is suspended",
	30034: "the sender is not registered",
	63038: "the account's daily limit is reached",
	90010: "the account is suspended",
}

const accountPause = 15 * time.Minute

func (t *Twilio) refused(way *leg, code int, said string) error {
	if words, ok := twilioFinal[code]; ok {
		return approvals.Permanent("twilio %d: %s: %s", code, words, lang.Inert(said, 160))
	}
	if words, ok := twilioAccount[code]; ok {
		return approvals.Later(accountPause, "twilio %d: %s: %s", code, words, lang.Inert(said, 160))
	}
	return t.later(way, fmt.Errorf("twilio %d: %s", code, lang.Inert(said, 200)))
}

// later adds when Twilio wants to be asked again.
func (t *Twilio) later(way *leg, err error) error {
	if wait, ok := approvals.RetryAfter(way.header, t.conf.Clock()); ok {
		return &approvals.LaterError{Err: err, After: wait}
	}
	return err
}
