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
	// More is how many further requests a digest stands for.
	More int
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
