package approvals

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// NoticeKind is what a notice is about.
type NoticeKind string

// The kinds of notice.
const (
	// NoticeOpened tells an approver that somebody waits.
	NoticeOpened NoticeKind = "opened"
	// NoticeDecided tells the other approvers what one of them decided.
	NoticeDecided NoticeKind = "decided"
	// NoticeOutcome tells the person who asked.
	NoticeOutcome NoticeKind = "outcome"
	// NoticeDigest tells an approver that More requests came about which no
	// notice went out.
	NoticeDigest NoticeKind = "digest"
	// NoticeSignIn carries a console sign-in link to an admin; Link is set.
	NoticeSignIn NoticeKind = "sign-in"
	// NoticeCode carries a code to the very person who asks, by the second
	// channel that the policy names; Code is set.
	NoticeCode NoticeKind = "code"
	// NoticeTest is what somebody sent to see whether a channel works.
	NoticeTest NoticeKind = "test"
)

// Recipient is to whom a notice goes.
type Recipient struct {
	// Email names an admin; for a person who asked it is their address.
	Email, Mobile, Name string
	// Language is "en" or "fr".
	Language string
	// Admin says that it is an approver and not the person who asked.
	Admin bool
}

// Notice is one message, as its templates need it: facts, no rendered text.
type Notice struct {
	// ID is the same at each attempt, so that a channel can tell a repeat.
	ID   string
	Kind NoticeKind
	// Channel is the notifier's name.
	Channel string
	To      Recipient
	// Application identifies it, ApplicationName is for people.
	Application, ApplicationName string
	// Ask is the request as it stands when the notice goes out, without its
	// number. It is zero for a digest and a sign-in link.
	Ask AccessRequest
	// Link is where the button leads; empty where there is no console. It is
	// made when the notice goes out and is never stored.
	Link string
	// More is how many further requests a digest stands for, Turned how many
	// attempts were not kept at all, and StillWaiting how many requests of the
	// application wait when the digest goes out.
	More, Turned, StillWaiting int
	// Own says that the request is the recipient's own: they are asked whether
	// it is they.
	Own bool
	// Code lets in who asks, once and for as long as Life says. Like Link it
	// is made when the notice goes out, or kept sealed.
	Code string
	Life time.Duration
	// Instead names the channel that could not bring this notice, and Why what
	// it said: empty where this is no fallback.
	Instead, Why string
	// Created is when the notice was written.
	Created time.Time
}

// Notifier is one channel. Notify may be called by several goroutines at
// once; it must give up when ctx ends. A PermanentError is not tried again.
type Notifier interface {
	// Name is the channel's word in the Caddyfile: email, sms, web_push,
	// webhook, log.
	Name() string
	Notify(ctx context.Context, n Notice) error
}

// Reacher is a Notifier that can tell beforehand that it has no way to
// somebody (no mobile number, no push subscription).
type Reacher interface {
	Reaches(to Recipient) bool
}

// Roomy is a Notifier that speaks into rooms where several people read, and
// not to one person: each room gets one notice for each event, whoever the
// admins are, with the address of the console for a link and no right to
// anything.
type Roomy interface {
	// Rooms are named by Name; Language is the one that is spoken there, ""
	// for the configuration's.
	Rooms() []Recipient
}

// LaterError says that a channel will take nothing for some time, as it said
// itself (Retry-After). It is tried again then, and not before.
type LaterError struct {
	Err   error
	After time.Duration
}

func (e *LaterError) Error() string { return e.Err.Error() }

// Unwrap returns what went wrong.
func (e *LaterError) Unwrap() error { return e.Err }

// Later marks an error with the time that the channel asked for.
func Later(after time.Duration, format string, args ...any) error {
	return &LaterError{Err: fmt.Errorf(format, args...), After: after}
}

// PermanentError says that trying again is of no use: the address is
// refused, the credentials are wrong. The words are shown in the console.
type PermanentError struct{ Err error }

func (e *PermanentError) Error() string { return e.Err.Error() }

// Unwrap returns what went wrong.
func (e *PermanentError) Unwrap() error { return e.Err }

// Permanent marks an error as one that trying again cannot mend.
func Permanent(format string, args ...any) error {
	return &PermanentError{Err: fmt.Errorf(format, args...)}
}

// IsPermanent reports whether trying again is of no use.
func IsPermanent(err error) bool {
	var p *PermanentError
	return errors.As(err, &p)
}
