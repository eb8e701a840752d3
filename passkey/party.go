package passkey

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/cadenas-gateway/cadenas/books"
	"github.com/cadenas-gateway/cadenas/seal"
	"github.com/cadenas-gateway/cadenas/store"
)

// Party is the side that asks (the relying party) at one host. Its methods may
// be called by several goroutines at once.
type Party struct {
	*Book
	web  *webauthn.WebAuthn
	host string
	ring func() *seal.Ring
}

// ErrAddress says that passkeys cannot be had at an address: browsers make
// them for host names only, and only over https or on one's own machine.
var ErrAddress = errors.New("passkeys need an address of the form https://name")

// NewParty is the side that asks at an address of the configuration,
// "https://gate.example.com": no request's Host header ever says for whom a
// passkey is. Name is what browsers show of it.
func NewParty(address, name string, book *Book, ring func() *seal.Ring) (*Party, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || ring == nil {
		return nil, ErrAddress
	}
	host := strings.ToLower(u.Hostname())
	if u.Scheme != "https" && (u.Scheme != "http" || (host != "localhost" && !strings.HasSuffix(host, ".localhost"))) {
		return nil, ErrAddress
	}
	if protocol.ValidateRPID(host) != nil {
		return nil, ErrAddress
	}
	web, err := webauthn.New(&webauthn.Config{
		RPID: host, RPDisplayName: name, RPOrigins: []string{u.Scheme + "://" + strings.ToLower(u.Host)},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired,
		},
		// We ask for no extension and read none; some password managers answer
		// unasked.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAddress, err)
	}
	return &Party{Book: book, web: web, host: host, ring: ring}, nil
}

// Host is the RP ID: the host that passkeys of this party answer for.
func (p *Party) Host() string { return p.host }

// keys are the signatures taken, the preferred first: Ed25519, P-256, and RSA
// for Windows.
var keys = []protocol.CredentialParameter{
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgEdDSA},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgES256},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgRS256},
}

// person is an owner as the library wants it.
type person struct {
	holder
	host, shown string
}

func (u person) WebAuthnID() []byte          { return u.Handle }
func (u person) WebAuthnName() string        { return u.Owner.Name }
func (u person) WebAuthnDisplayName() string { return u.shown }

func (u person) WebAuthnCredentials() []webauthn.Credential {
	var list []webauthn.Credential
	for _, p := range u.Passkeys {
		if p.Host != u.host {
			continue // made while the host had another name
		}
		c := webauthn.Credential{ID: p.Credential, PublicKey: p.Key, AttestationType: "none"}
		c.Flags.BackupEligible = p.Synced
		c.Authenticator.SignCount, c.Authenticator.AAGUID = p.Count, p.Model
		for _, t := range p.Transports {
			c.Transport = append(c.Transport, protocol.AuthenticatorTransport(t))
		}
		list = append(list, c)
	}
	return list
}

// BeginAdd returns what a browser needs to make a passkey for an owner (the
// JSON of PublicKeyCredentialCreationOptions). Shown is the owner's name for
// people; bound must be the same when the answer comes.
func (p *Party) BeginAdd(ctx context.Context, o Owner, shown, bound string) ([]byte, error) {
	h, _, err := p.read(ctx, o)
	if err != nil {
		return nil, err
	}
	if len(h.Passkeys) >= MaxOf {
		return nil, ErrTooMany
	}
	if h.Handle == nil {
		h.Handle = make([]byte, handleSize)
		rand.Read(h.Handle)
	}
	u := person{h, p.host, shown}
	var exclude []protocol.CredentialDescriptor
	for _, c := range u.WebAuthnCredentials() {
		exclude = append(exclude, c.Descriptor())
	}
	creation, _, err := p.web.BeginRegistration(u, webauthn.WithExclusions(exclude), webauthn.WithCredentialParameters(keys),
		func(options *protocol.PublicKeyCredentialCreationOptions) error {
			options.Challenge = p.challenge(use{what: "add", owner: o, bound: bound}, h.Handle)
			options.Timeout = int(ChallengeLife.Milliseconds())
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("asking for a new passkey: %w", err)
	}
	return json.Marshal(creation.Response)
}

// Add keeps the passkey that a browser made (the JSON of a
// PublicKeyCredential), under a name. Note is who added it, for the audit.
func (p *Party) Add(ctx context.Context, o Owner, bound, name string, answer []byte, note books.Entry) (Passkey, error) {
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return Passkey{}, refused(err)
	}
	challenge := parsed.Response.CollectedClientData.Challenge
	handle, err := p.open(challenge, use{what: "add", owner: o, bound: bound})
	if err != nil {
		return Passkey{}, err
	}
	u := person{holder{Owner: o, Handle: handle}, p.host, ""}
	made, err := p.web.CreateCredential(u, webauthn.SessionData{
		Challenge: challenge, RelyingPartyID: p.host, UserID: handle, UserVerification: protocol.VerificationRequired, CredParams: keys,
	}, parsed)
	if err != nil {
		return Passkey{}, refused(err)
	}
	k := Passkey{
		ID: idOf(made.ID), Name: name, Host: p.host, Credential: made.ID, Key: made.PublicKey, Count: made.Authenticator.SignCount,
		Model: made.Authenticator.AAGUID, Synced: made.Flags.BackupEligible, Created: p.clock(),
	}
	for _, t := range made.Transport {
		k.Transports = append(k.Transports, string(t))
	}
	err = p.change(ctx, o, func(h *holder) (store.Batch, error) {
		if err := p.fresh(ctx, o.Application, challenge); err != nil {
			return store.Batch{}, err
		}
		switch {
		case h.Handle != nil && string(h.Handle) != string(handle):
			return store.Batch{}, ErrLate // another browser made the first one meanwhile
		case h.find(k.ID) >= 0:
			return store.Batch{}, ErrRefused
		case len(h.Passkeys) >= MaxOf:
			return store.Batch{}, ErrTooMany
		}
		h.Handle, h.Passkeys = handle, append(h.Passkeys, k)
		return answered(p.noted(note, "passkey.add", k, o), o.Application, challenge), nil
	})
	return k, err
}

// Begin returns what a browser needs to answer with a passkey of whichever
// admin (the JSON of PublicKeyCredentialRequestOptions). Nothing is kept of it.
func (p *Party) Begin(bound string) ([]byte, error) {
	assertion, _, err := p.web.BeginDiscoverableLogin(
		webauthn.WithChallenge(p.challenge(use{what: "sign-in", bound: bound}, nil)), patient)
	if err != nil {
		return nil, fmt.Errorf("asking for a passkey: %w", err)
	}
	return json.Marshal(assertion.Response)
}

// BeginFor is Begin for one owner, whose passkeys it names; ErrNone where there
// are none.
func (p *Party) BeginFor(ctx context.Context, o Owner, bound string) ([]byte, error) {
	h, _, err := p.read(ctx, o)
	if err != nil {
		return nil, err
	}
	u := person{h, p.host, ""}
	if len(u.WebAuthnCredentials()) == 0 {
		return nil, ErrNone
	}
	assertion, _, err := p.web.BeginLogin(u, webauthn.WithChallenge(p.challenge(use{what: "sign-in", owner: o, bound: bound}, nil)), patient)
	if err != nil {
		return nil, fmt.Errorf("asking for a passkey: %w", err)
	}
	return json.Marshal(assertion.Response)
}

func patient(o *protocol.PublicKeyCredentialRequestOptions) error {
	o.Timeout = int(ChallengeLife.Milliseconds())
	return nil
}

// Check takes the answer to Begin and returns the admin whose passkey gave it.
// Whether there still is such an admin is the caller's to know.
func (p *Party) Check(ctx context.Context, bound string, answer []byte, note books.Entry) (Owner, Passkey, error) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return Owner{}, Passkey{}, refused(err)
	}
	// A box that opens without an owner is for whichever admin.
	if _, err := p.open(parsed.Response.CollectedClientData.Challenge, use{what: "sign-in", bound: bound}); err != nil {
		return Owner{}, Passkey{}, err
	}
	o, err := p.ofHandle(ctx, parsed.Response.UserHandle)
	if errors.Is(err, ErrNone) {
		return Owner{}, Passkey{}, fmt.Errorf("%w: it is of nobody", ErrRefused)
	}
	if err != nil {
		return Owner{}, Passkey{}, err
	}
	k, err := p.take(ctx, o, parsed, note)
	return o, k, err
}

// CheckFor takes the answer to BeginFor.
func (p *Party) CheckFor(ctx context.Context, o Owner, bound string, answer []byte, note books.Entry) (Passkey, error) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return Passkey{}, refused(err)
	}
	if _, err := p.open(parsed.Response.CollectedClientData.Challenge, use{what: "sign-in", owner: o, bound: bound}); err != nil {
		return Passkey{}, err
	}
	return p.take(ctx, o, parsed, note)
}

// take verifies an answer against an owner's passkeys, marks its challenge as
// answered and keeps the counter, in one batch.
func (p *Party) take(ctx context.Context, o Owner, parsed *protocol.ParsedCredentialAssertionData, note books.Entry) (Passkey, error) {
	challenge := parsed.Response.CollectedClientData.Challenge
	var used Passkey
	var copied bool
	err := p.change(ctx, o, func(h *holder) (store.Batch, error) {
		if err := p.fresh(ctx, o.Application, challenge); err != nil {
			return store.Batch{}, err
		}
		u := person{*h, p.host, ""}
		if len(u.WebAuthnCredentials()) == 0 {
			return store.Batch{}, fmt.Errorf("%w: its owner has none here", ErrRefused)
		}
		found, err := p.web.ValidateLogin(u, webauthn.SessionData{
			Challenge: challenge, RelyingPartyID: p.host, UserID: h.Handle, UserVerification: protocol.VerificationRequired,
		}, parsed)
		if err != nil {
			return store.Batch{}, refused(err)
		}
		i := h.find(idOf(found.ID))
		if i < 0 {
			return store.Batch{}, ErrRefused
		}
		h.Passkeys = slices.Clone(h.Passkeys)
		k := &h.Passkeys[i]
		batch := store.Batch{}
		if copied = found.Authenticator.CloneWarning; copied {
			k.Copied = p.clock()
			batch = p.noted(note, "passkey.copied", *k, o)
		} else {
			k.Count, k.Used = found.Authenticator.SignCount, p.clock()
		}
		used = *k
		return answered(batch, o.Application, challenge), nil
	})
	if err == nil && copied {
		err = ErrCopied
	}
	return used, err
}

// refused is an error of the library, with what it says for developers.
func refused(err error) error {
	var detail *protocol.Error
	if errors.As(err, &detail) {
		return fmt.Errorf("%w: %s: %s", ErrRefused, detail.Details, detail.DevInfo)
	}
	return fmt.Errorf("%w: %w", ErrRefused, err)
}

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }
