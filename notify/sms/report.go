package sms

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// ReportPath is where a Teller's service says what became of a text, on a host
// that the console's handler answers.
const ReportPath = "/.cadenas/notify/sms"

// ErrForged says that a report does not come from the gateway's service.
var ErrForged = errors.New("the report is not signed by the gateway's service")

// Teller is a Gateway whose service says later what became of a text: that it
// was taken does not mean that it arrives.
type Teller interface {
	Gateway
	// Tells reports whether this one was told where to say it.
	Tells() bool
	// SendTold is Send, and what is said later bears mark.
	SendTold(ctx context.Context, to, text, mark string) error
	// ReadReport reads what was said, or returns ErrForged.
	ReadReport(r *http.Request) (Report, error)
}

// Report is what became of a text.
type Report struct {
	// Mark is what SendTold was given.
	Mark string
	// Arrived says that the telephone has it.
	Arrived bool
	// Lost is why it never will, nil otherwise; with neither it is on its way.
	Lost error
}

// Notice names the notice of a report: its application, "" for none, and its
// identifier.
func (r Report) Notice() (application, id string) {
	id, application, _ = strings.Cut(r.Mark, " ")
	return application, id
}

func markOf(application, id string) string { return id + " " + application }

// Tells reports whether the gateway says later what became of a text.
func (n *Notifier) Tells() bool {
	t, ok := n.gateway.(Teller)
	return ok && t.Tells()
}

// ReadReport reads what the gateway's service says, or returns ErrForged.
func (n *Notifier) ReadReport(r *http.Request) (Report, error) {
	t, ok := n.gateway.(Teller)
	if !ok || !t.Tells() {
		return Report{}, ErrForged
	}
	return t.ReadReport(r)
}
