// Package passkey registers and checks passkeys (WebAuthn Level 3): a key pair
// whose private half never leaves a person's phone, computer or security key,
// and which answers only to the address it was made for.
//
// Two kinds of people have them: admins, beside the mailed link at the
// console's door, and users of an application, in the place of the typed words
// where the operator allows it. The two never mix: a passkey belongs to one
// Owner and to one host.
package passkey

import (
	"encoding/base64"
	"errors"
	"time"
)

// MaxOf is how many passkeys one owner may have.
const MaxOf = 20

// MaxName is how long a passkey's name may be, in characters.
const MaxName = 60

// Errors that callers tell apart. Whatever is wrong with an answer is one of
// them; any other error means that it cannot be told, and is no sign-in either.
var (
	// ErrLate says that the challenge is not one of ours for this, is over, or
	// was answered before.
	ErrLate = errors.New("the challenge is over or was answered already")
	// ErrRefused says that an answer proves nothing: an unknown passkey, another
	// origin, a wrong signature, a person who was not verified.
	ErrRefused = errors.New("the passkey's answer is refused")
	// ErrCopied says that a passkey's counter did not rise: there may be two of
	// it.
	ErrCopied = errors.New("the passkey's counter did not rise: it may have been copied")
	// ErrTooMany says that the owner has MaxOf already.
	ErrTooMany = errors.New("there are too many passkeys")
	// ErrNone says that the owner has no passkey here, or not that one.
	ErrNone = errors.New("no such passkey")
)

// Owner is whose a passkey is.
type Owner struct {
	// Application is the user's; empty for an admin of the console.
	Application string
	// Name is the user's, or the admin's e-mail in its canonical form.
	Name string
}

// Passkey is what is kept of one: nothing in it is a secret.
type Passkey struct {
	// ID names it in lists and forms.
	ID string
	// Name is what its owner calls it.
	Name string
	// Host is the RP ID it was made for; it answers for no other.
	Host string
	// Credential and Key are the credential's identifier and its public key
	// (COSE, RFC 9052).
	Credential, Key []byte
	// Count is the signature counter as last seen; 0 where the authenticator
	// keeps none, as most do whose passkeys are synchronised.
	Count uint32
	// Model is the authenticator's AAGUID, Transports how it is reached.
	Model      []byte
	Transports []string
	// Synced says that it can be synchronised between devices (the flag BE,
	// which must never change).
	Synced bool
	// Used is when it last signed in, zero where never.
	Created, Used time.Time
	// Copied is when its counter last did not rise, zero where never.
	Copied time.Time
}

// text is bytes in the alphabet of URLs.
func text(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
