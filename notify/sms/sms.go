// Package sms sends notices as text messages, through Twilio or any gateway
// that takes an HTTP request.
package sms

import (
	"context"
	"fmt"
	"time"

	"github.com/cadenas-gateway/cadenas/approvals"
)

// Gateway brings one text to one number, in E.164 ("+15145550100"). Its error
// is an approvals.PermanentError where this number will never take a text,
// and an approvals.LaterError where it says when to come back.
type Gateway interface {
	Send(ctx context.Context, to, text string) error
}

// defaultTimeout bounds one send.
const defaultTimeout = 15 * time.Second

// Notifier is the channel "sms".
type Notifier struct{ gateway Gateway }

var (
	_ approvals.Notifier = (*Notifier)(nil)
	_ approvals.Reacher  = (*Notifier)(nil)
)

// New makes the channel on a gateway.
func New(g Gateway) *Notifier { return &Notifier{gateway: g} }

// Name is the channel's word.
func (n *Notifier) Name() string { return "sms" }

// Reaches reports whether somebody has a number that can be one.
func (n *Notifier) Reaches(to approvals.Recipient) bool {
	_, err := Number(to.Mobile)
	return err == nil
}

// Notify sends one text.
func (n *Notifier) Notify(ctx context.Context, notice approvals.Notice) error {
	to, err := Number(notice.To.Mobile)
	if err != nil {
		return approvals.Permanent("text message: %w", err)
	}
	text, err := Text(notice)
	if err != nil {
		return approvals.Permanent("text message: %w", err)
	}
	send := n.gateway.Send
	if teller, ok := n.gateway.(Teller); ok && teller.Tells() {
		send = func(ctx context.Context, to, text string) error {
			return teller.SendTold(ctx, to, text, markOf(notice.Application, notice.ID))
		}
	}
	if err := send(ctx, to, text); err != nil {
		return fmt.Errorf("text message: %w", err)
	}
	return nil
}
